/*
 * The pin is the SHA-256 of the server's public key, wrapped as in a certificate
 * (SubjectPublicKeyInfo): it stays the same when the certificate is renewed, and
 * is what curl and browsers call a pinned key. To learn it, the certificate is
 * walked down to its seventh field; nothing else of it is looked at.
 */
#include "app/sync/bond.h"

#include "app/base/conffile.h"
#include "app/base/file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MOST 8192
#define HOST_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]%"

/* --- addresses --- */

static bool host_is(const char *authority, const char *host)
{
	size_t n = strlen(host);

	return strncasecmp(authority, host, n) == 0 &&
		(authority[n] == '\0' || authority[n] == ':');
}

/* 127.0.0.0/8, ::1 and localhost. Names that merely begin so are not. */
static bool is_loopback(const char *authority)
{
	unsigned int a, b, c, d;
	char after = '\0';
	int n = sscanf(authority, "%3u.%3u.%3u.%3u%c", &a, &b, &c, &d, &after);

	if ((n == 4 || (n == 5 && after == ':')) && a == 127 && b < 256 && c < 256 && d < 256) {
		return true;
	}
	return host_is(authority, "localhost") || host_is(authority, "[::1]");
}

bool bond_is_local(const char *url)
{
	const char *authority = strstr(url, "://");

	return authority && is_loopback(authority + 3);
}

/* "HOST", "HOST:PORT", "[V6]:PORT". */
static bool authority_ok(const char *text)
{
	const char *port = strrchr(text, ':');
	long number;
	char *end;

	if (*text == '\0' || *text == ':' || strspn(text, HOST_BYTES) != strlen(text)) {
		return false;
	}
	if (*text == '[') {
		const char *close = strchr(text, ']');

		if (!close || (close[1] != '\0' && close[1] != ':')) {
			return false;
		}
		port = close[1] == ':' ? close + 1 : NULL;
	} else if (strchr(text, ':') != port || strpbrk(text, "[]")) {
		return false;
	}
	if (!port) {
		return true;
	}
	if (!isdigit((unsigned char)port[1])) {
		return false;
	}
	number = strtol(port + 1, &end, 10);
	return *end == '\0' && number >= 1 && number <= 65535;
}

int bond_url(const char *text, char ret_url[static BOND_URL_CHARS], struct error *error)
{
	char url[BOND_URL_CHARS];
	const char *authority;
	size_t n;

	if (file_path(url, sizeof(url), "%s", text) < 0) {
		return error_set(error, -EINVAL, "the server's address is longer than %d bytes",
			BOND_URL_CHARS - 1);
	}
	n = strlen(url);
	if (n > 0 && url[n - 1] == '/') {
		url[--n] = '\0';
	}
	authority = strncasecmp(url, "https://", 8) == 0 ? url + 8
		: strncasecmp(url, "http://", 7) == 0    ? url + 7
							 : NULL;
	if (!authority || !authority_ok(authority)) {
		return error_set(error, -EINVAL,
			"`%.120s` is no server's address; it must be like "
			"https://chalk.example:8443",
			text);
	}
	if (authority == url + 7 && !is_loopback(authority)) {
		return error_set(error, -EINVAL,
			"`%.120s`: what is heard in a class goes over https only; http is for a "
			"server on this very machine",
			text);
	}
	for (char *c = url; c < authority; c++) {
		*c = (char)tolower((unsigned char)*c);
	}
	memcpy(ret_url, url, sizeof(url));
	return 0;
}

/* --- pins --- */

/* A DER element: where its content begins and how long it is. */
struct element {
	unsigned char tag;
	const unsigned char *whole, *content;
	size_t whole_n, n;
};

static bool element_at(const unsigned char *der, size_t n, struct element *ret_element)
{
	size_t head = 2, length;

	if (n < 2 || (der[0] & 0x1f) == 0x1f) {
		return false;
	}
	length = der[1];
	if (length & 0x80) {
		size_t bytes = length & 0x7f;

		if (bytes == 0 || bytes > 3 || n < 2 + bytes) {
			return false;
		}
		length = 0;
		for (size_t i = 0; i < bytes; i++) {
			length = length << 8 | der[2 + i];
		}
		head += bytes;
	}
	if (length > n - head) {
		return false;
	}
	*ret_element = (struct element){der[0], der, der + head, head + length, length};
	return true;
}

int bond_pin(const unsigned char *der, size_t n, char ret_pin[static PIN_CHARS])
{
	/* serial, algorithm, issuer, validity, subject */
	static const unsigned char before[] = {0x02, 0x30, 0x30, 0x30, 0x30};
	struct element certificate, tbs, field;
	unsigned char hash[32];
	const unsigned char *at;
	size_t left;

	if (!element_at(der, n, &certificate) || certificate.tag != 0x30 ||
		!element_at(certificate.content, certificate.n, &tbs) || tbs.tag != 0x30) {
		return -EINVAL;
	}
	at = tbs.content;
	left = tbs.n;
	if (element_at(at, left, &field) && field.tag == 0xa0) { /* the version, if it is said */
		at += field.whole_n;
		left -= field.whole_n;
	}
	for (size_t i = 0; i < sizeof(before); i++) {
		if (!element_at(at, left, &field) || field.tag != before[i]) {
			return -EINVAL;
		}
		at += field.whole_n;
		left -= field.whole_n;
	}
	if (!element_at(at, left, &field) || field.tag != 0x30) {
		return -EINVAL;
	}
	(void)crypto_hash_sha256(hash, field.whole, field.whole_n);
	pin_write(hash, ret_pin);
	return 0;
}

/* --- the pairing's file --- */

static int take_line(const struct conf_line *line, struct bond *pairing, struct error *error)
{
	static const char *const keys[] = {"url", "box", "token", "pin", "server", NULL};
	static const char *const section[] = {"pairing", NULL};
	unsigned char hash[32];

	if (strcmp(line->section, "pairing") != 0) {
		return conf_unknown(line, "section", line->section, section, error);
	}
	if (strcmp(line->key, "url") == 0) {
		struct error why;

		return bond_url(line->value, pairing->url, &why) < 0
			? conf_bad(line, error, "%s", why.text)
			: 0;
	}
	if (strcmp(line->key, "box") == 0) {
		return conf_text(line, pairing->box, sizeof(pairing->box), error);
	}
	if (strcmp(line->key, "token") == 0) {
		if (strlen(line->value) != 64 ||
			strspn(line->value, "0123456789abcdef") != strlen(line->value)) {
			/* not conf_bad(): it would show the token */
			return error_set(error, -EINVAL, "%s:%d: token is not 64 hex digits",
				line->file, line->line);
		}
		return conf_text(line, pairing->token, sizeof(pairing->token), error);
	}
	if (strcmp(line->key, "pin") == 0) {
		if (line->value[0] && !pin_read(line->value, hash)) {
			return conf_bad(line, error, "must be like sha256//BASE64");
		}
		return conf_text(line, pairing->pin, sizeof(pairing->pin), error);
	}
	if (strcmp(line->key, "server") == 0) {
		return conf_text(line, pairing->server, sizeof(pairing->server), error);
	}
	return conf_unknown(line, "key", line->key, keys, error);
}

int bond_parse(
	const char *text, size_t n, const char *name, struct bond *ret_pairing, struct error *error)
{
	struct bond pairing = {.url = ""};
	const struct conf_line *lines;
	struct conffile *file;
	size_t n_lines;
	int r;

	r = conffile_parse(text, n, name, &file, error);
	if (r < 0) {
		return r;
	}
	lines = conffile_lines(file, &n_lines);
	for (size_t i = 0; i < n_lines && r == 0; i++) {
		r = take_line(&lines[i], &pairing, error);
	}
	conffile_free(file);
	if (r == 0 && (!pairing.url[0] || !pairing.token[0])) {
		r = error_set(
			error, -EINVAL, "%s:1: url or token is missing; pair the box again", name);
	}
	if (r == 0) {
		*ret_pairing = pairing;
	}
	return r;
}

int bond_read(const char *dir, struct bond *ret_pairing, struct error *error)
{
	char path[FILE_PATH_CHARS], *text;
	size_t n;
	int r;

	r = file_path(path, sizeof(path), "%s/" BOND_FILE, dir);
	if (r == 0) {
		r = file_read(path, FILE_MOST, &text, &n);
	}
	if (r < 0) {
		return error_set(error, r, "%s/" BOND_FILE ": %s", dir, strerror(-r));
	}
	r = bond_parse(text, n, path, ret_pairing, error);
	sodium_memzero(text, n);
	free(text);
	return r;
}

/* A name that came from outside as one line of a file of ours. */
static void plain(const char *name, char *ret_plain, size_t room)
{
	size_t n = 0;

	for (; *name && n + 1 < room && n < 100; name++) {
		ret_plain[n++] = (unsigned char)*name < 0x20 || *name == ';' ? ' ' : *name;
	}
	while (*name && n > 0 && ((unsigned char)ret_plain[n - 1] & 0x80)) {
		n--; /* not half a character */
	}
	ret_plain[n] = '\0';
}

int bond_keep(const char *dir, const struct bond *pairing, struct error *error)
{
	char text[1024], server[128];
	int n, r;

	plain(pairing->server, server, sizeof(server));
	n = snprintf(text, sizeof(text),
		"# Made by `chalkbox pair`. The token is this box's password: keep it here.\n"
		"[pairing]\nurl = %s\nbox = %s\ntoken = %s\npin = %s\nserver = %s\n",
		pairing->url, pairing->box, pairing->token, pairing->pin, server);
	r = n < 0 || (size_t)n >= sizeof(text) ? -EINVAL : file_make_dirs(dir);
	if (r == 0) {
		r = file_replace(dir, BOND_FILE, text, (size_t)n, 0600);
	}
	sodium_memzero(text, sizeof(text));
	return r < 0 ? error_set(error, r, "%s/" BOND_FILE ": %s", dir, strerror(-r)) : 0;
}

/* --- the boot partition's file --- */

static char *trim(char *text)
{
	size_t n;

	while (isspace((unsigned char)*text)) {
		text++;
	}
	n = strlen(text);
	while (n > 0 && isspace((unsigned char)text[n - 1])) {
		text[--n] = '\0';
	}
	return text;
}

static int wish_line(
	char *line, const char *name, int number, struct bond_wish *wish, struct error *error)
{
	char *value = strchr(line, '='), *key;
	struct error why;

	if (!value) {
		return error_set(
			error, -EINVAL, "%s:%d: must be like url=https://...", name, number);
	}
	*value++ = '\0';
	key = trim(line);
	value = trim(value);
	if (strcmp(key, "url") == 0) {
		return bond_url(value, wish->url, &why) < 0
			? error_set(error, -EINVAL, "%s:%d: %.300s", name, number, why.text)
			: 0;
	}
	if (strcmp(key, "code") == 0) {
		if (*value == '\0' || file_path(wish->code, sizeof(wish->code), "%s", value) < 0) {
			return error_set(error, -EINVAL, "%s:%d: code must have 1 to %d characters",
				name, number, BOND_CODE_CHARS - 1);
		}
		return 0;
	}
	if (strcmp(key, "pin") == 0) {
		if (file_path(wish->pin, sizeof(wish->pin), "%s", value) < 0) {
			return error_set(error, -EINVAL,
				"%s:%d: pin must be like 3f2a-91bc-04d7-e612", name, number);
		}
		return 0;
	}
	return error_set(error, -EINVAL,
		"%s:%d: `%.40s` is not known; it takes url=, code=, pin=", name, number, key);
}

int bond_wish(const char *text, size_t n, const char *name, struct bond_wish *ret_wish,
	struct error *error)
{
	struct bond_wish wish = {.url = ""};
	int number = 0, r = 0;
	char line[256];

	if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		n -= 3;
	}
	while (n > 0 && r == 0) {
		const char *end = memchr(text, '\n', n);
		size_t length = end ? (size_t)(end - text) : n, step = length + (end ? 1 : 0);

		number++;
		if (length >= sizeof(line) || memchr(text, '\0', length)) {
			return error_set(
				error, -EINVAL, "%s:%d: is no line of text of ours", name, number);
		}
		memcpy(line, text, length);
		line[length] = '\0';
		if (trim(line)[0] != '\0' && trim(line)[0] != '#') {
			r = wish_line(trim(line), name, number, &wish, error);
		}
		text += step;
		n -= step;
	}
	if (r == 0 && (!wish.url[0] || !wish.code[0])) {
		r = error_set(error, -EINVAL, "%s:%d: %s= is missing", name, number ? number : 1,
			wish.url[0] ? "code" : "url");
	}
	if (r == 0) {
		*ret_wish = wish;
	}
	return r;
}
