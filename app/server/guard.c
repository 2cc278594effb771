#include "app/server/guard.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#define PATH_MOST 1024

static void refuse(struct guard *guard, int status, const char *why)
{
	if (guard->status == 0) {
		guard->status = status;
		guard->why = why;
	}
}

/* RFC 9110, 5.6.2: what a field's name is made of. */
static bool token_ok(const char *text)
{
	size_t n = strlen(text);

	return n > 0 &&
		strspn(text,
			"!#$%&'*+-.^_`|~0123456789"
			"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == n;
}

static bool value_ok(const char *text)
{
	for (; *text; text++) {
		if (iscntrl((unsigned char)*text) && *text != '\t') {
			return false;
		}
	}
	return true;
}

/* Lists that may stand on several lines, and that nobody here reads. */
static bool may_repeat(const char *name)
{
	static const char *const names[] = {"Accept", "Accept-Encoding", "Accept-Language",
		"Cache-Control", "Connection", "Forwarded", "Via", NULL};
	size_t i;

	for (i = 0; names[i]; i++) {
		if (strcasecmp(name, names[i]) == 0) {
			return true;
		}
	}
	return false;
}

static void see_length(struct guard *guard, const char *value)
{
	size_t n = strlen(value), i;

	if (n == 0 || n > 18 || strspn(value, "0123456789") != n) {
		refuse(guard, 400, "Content-Length is not a number");
		return;
	}
	guard->has_length = true;
	guard->length = 0;
	for (i = 0; i < n; i++) {
		guard->length = guard->length * 10 + (value[i] - '0');
	}
}

static void see_host(struct guard *guard, const char *value)
{
	guard->hosts++;
	if (value[0] == '\0' ||
		strspn(value,
			"[]:.-_0123456789"
			"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != strlen(value)) {
		refuse(guard, 400, "Host is not a host");
	}
}

void guard_see(struct guard *guard, const char *name, const char *value)
{
	size_t i;

	value = value ? value : "";
	guard->bytes += strlen(name) + strlen(value) + 4;
	if (guard->n == GUARD_HEADERS_MOST || guard->bytes > GUARD_BYTES_MOST) {
		refuse(guard, 431, "The headers are too many or too long");
		return;
	}
	if (!token_ok(name) || !value_ok(value)) {
		refuse(guard, 400, "A header is not made of what headers are made of");
		return;
	}
	for (i = 0; i < guard->n; i++) {
		if (strcasecmp(guard->seen[i], name) == 0 && !may_repeat(name)) {
			refuse(guard, 400, "A header comes twice");
			return;
		}
	}
	guard->seen[guard->n++] = name;
	if (strcasecmp(name, "Content-Length") == 0) {
		see_length(guard, value);
	} else if (strcasecmp(name, "Host") == 0) {
		see_host(guard, value);
	} else if (strcasecmp(name, "Transfer-Encoding") == 0) {
		guard->chunked = true;
		if (strcasecmp(value, "chunked") != 0) {
			refuse(guard, 501, "Only the chunked transfer encoding is known here");
		}
	}
}

int guard_end(struct guard *guard)
{
	if (guard->hosts != 1) {
		refuse(guard, 400, "There must be exactly one Host");
	}
	if (guard->has_length && guard->chunked) {
		refuse(guard, 400, "Content-Length and Transfer-Encoding exclude each other");
	}
	return guard->status;
}

bool guard_path(const char *path)
{
	size_t n = strlen(path), part;

	if (path[0] != '/' || n > PATH_MOST) {
		return false;
	}
	if (n == 1) {
		return true;
	}
	while (*path == '/') {
		path++;
		part = strspn(
			path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~-");
		if (part == 0 || (part <= 2 && strspn(path, ".") == part)) {
			return false;
		}
		path += part;
	}
	return *path == '\0';
}

/* How many bytes the character at @s has, 0 when it is none. */
static size_t utf8_bytes(const unsigned char *s, size_t n)
{
	static const struct {
		unsigned char from, to, second_from, second_to;
		size_t bytes;
	} forms[] = {
		{0x01, 0x7f, 0, 0, 1},
		{0xc2, 0xdf, 0x80, 0xbf, 2},
		{0xe0, 0xe0, 0xa0, 0xbf, 3},
		{0xe1, 0xec, 0x80, 0xbf, 3},
		{0xed, 0xed, 0x80, 0x9f, 3},
		{0xee, 0xef, 0x80, 0xbf, 3},
		{0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4},
		{0xf4, 0xf4, 0x80, 0x8f, 4},
	};
	size_t i, k;

	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (s[0] < forms[i].from || s[0] > forms[i].to) {
			continue;
		}
		if (forms[i].bytes > n) {
			return 0;
		}
		if (forms[i].bytes > 1 &&
			(s[1] < forms[i].second_from || s[1] > forms[i].second_to)) {
			return 0;
		}
		for (k = 2; k < forms[i].bytes; k++) {
			if (s[k] < 0x80 || s[k] > 0xbf) {
				return 0;
			}
		}
		return forms[i].bytes;
	}
	return 0;
}

bool guard_utf8(const char *text, size_t n)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t bytes;

	while (n > 0) {
		bytes = utf8_bytes(s, n);
		if (bytes == 0) {
			return false;
		}
		s += bytes;
		n -= bytes;
	}
	return true;
}

size_t guard_depth(const char *text, size_t n)
{
	size_t deep = 0, most = 0, i;
	bool quoted = false;

	for (i = 0; i < n; i++) {
		if (quoted) {
			if (text[i] == '\\') {
				i++;
			} else if (text[i] == '"') {
				quoted = false;
			}
		} else if (text[i] == '"') {
			quoted = true;
		} else if (text[i] == '{' || text[i] == '[') {
			deep++;
			most = deep > most ? deep : most;
		} else if ((text[i] == '}' || text[i] == ']') && deep > 0) {
			deep--;
		}
	}
	return most;
}

static int hex(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return at ? (int)(at - digits) : -1;
}

int guard_decode(const char *text, char *ret_text, size_t room)
{
	size_t n = 0;
	int c;

	while (*text) {
		c = (unsigned char)*text++;
		if (c == '%') {
			if (hex(text[0]) < 0 || hex(text[1]) < 0) {
				return -EINVAL;
			}
			c = hex(text[0]) * 16 + hex(text[1]);
			text += 2;
		}
		if (n + 1 >= room) {
			return -EINVAL;
		}
		ret_text[n++] = (char)c;
	}
	if (room == 0 || !guard_utf8(ret_text, n)) {
		return -EINVAL;
	}
	ret_text[n] = '\0';
	return 0;
}

/* The digits at *at as a number, moved past them; -1 without or with too many. */
static int64_t number(const char **at)
{
	size_t n = strspn(*at, "0123456789"), i;
	int64_t value = 0;

	if (n == 0 || n > 18) {
		return -1;
	}
	for (i = 0; i < n; i++) {
		value = value * 10 + ((*at)[i] - '0');
	}
	*at += n;
	return value;
}

int guard_range(const char *header, int64_t size, int64_t *ret_from, int64_t *ret_n)
{
	int64_t from, to;

	if (!header || strncasecmp(header, "bytes=", 6) != 0) {
		return 0;
	}
	header += 6;
	if (*header == '-') {
		header++;
		to = number(&header);
		if (to < 0 || *header) {
			return 0;
		}
		if (to == 0 || size == 0) {
			return -ERANGE;
		}
		*ret_from = to > size ? 0 : size - to;
		*ret_n = size - *ret_from;
		return 1;
	}
	from = number(&header);
	if (from < 0 || *header++ != '-') {
		return 0;
	}
	to = *header ? number(&header) : INT64_MAX - 1;
	if (to < from || *header) {
		return 0;
	}
	if (from >= size) {
		return -ERANGE;
	}
	*ret_from = from;
	*ret_n = (to >= size ? size : to + 1) - from;
	return 1;
}
