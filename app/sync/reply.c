/* The headers of an answer, as they come: any of them may be hostile. */
#include "app/sync/transport.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

void answer_fini(struct answer *answer)
{
	if (answer) {
		free(answer->body);
		answer->body = NULL;
	}
}

/* Whether the line is that header; its value without blanks around it. */
static bool header_is(
	const char *line, size_t n, const char *name, const char **ret_value, size_t *ret_n)
{
	size_t length = strlen(name);

	if (n <= length || strncasecmp(line, name, length) != 0 || line[length] != ':') {
		return false;
	}
	line += length + 1;
	n -= length + 1;
	while (n > 0 && isspace((unsigned char)line[0])) {
		line++;
		n--;
	}
	while (n > 0 && isspace((unsigned char)line[n - 1])) {
		n--;
	}
	*ret_value = line;
	*ret_n = n;
	return true;
}

/* Text that fits and can be shown; else it is not there. */
static void header_text(const char *value, size_t n, char *ret_text, size_t room)
{
	ret_text[0] = '\0';
	if (n >= room) {
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)value[i] < 0x20 || value[i] == 0x7f) {
			return;
		}
	}
	memcpy(ret_text, value, n);
	ret_text[n] = '\0';
}

static int64_t header_number(const char *value, size_t n)
{
	int64_t number = 0;

	if (n == 0 || n > 18) {
		return -1;
	}
	for (size_t i = 0; i < n; i++) {
		if (!isdigit((unsigned char)value[i])) {
			return -1;
		}
		number = number * 10 + (value[i] - '0');
	}
	return number;
}

/* A place on this server and on no other, as a path. */
static void header_location(
	const char *value, size_t n, const char *url, char ret_path[TRANSPORT_LOCATION_CHARS])
{
	char text[TRANSPORT_LOCATION_CHARS];
	size_t at = 0;

	ret_path[0] = '\0';
	header_text(value, n, text, sizeof(text));
	if (strncmp(text, url, strlen(url)) == 0 && text[strlen(url)] == '/') {
		at = strlen(url);
	}
	if (text[at] != '/' || text[at + 1] == '/' || strpbrk(text + at, " \"<>\\^`{|}")) {
		return;
	}
	memmove(ret_path, text + at, strlen(text + at) + 1);
}

void answer_header(struct answer *answer, const char *line, size_t n, const char *url)
{
	const char *value;
	size_t length;

	if (n >= 5 && strncasecmp(line, "HTTP/", 5) == 0) {
		/* after an interim answer the real one begins anew */
		*answer = (struct answer){.body = answer->body,
			.n = answer->n,
			.upload_offset = -1,
			.retry_after_s = -1};
	} else if (header_is(line, n, "Chalkbox-Server", &value, &length)) {
		header_text(value, length, answer->version, sizeof(answer->version));
	} else if (header_is(line, n, "ETag", &value, &length)) {
		header_text(value, length, answer->etag, sizeof(answer->etag));
	} else if (header_is(line, n, "Location", &value, &length)) {
		header_location(value, length, url, answer->location);
	} else if (header_is(line, n, "Chalkbox-Kept", &value, &length)) {
		header_text(value, length, answer->kept, sizeof(answer->kept));
	} else if (header_is(line, n, "Upload-Offset", &value, &length)) {
		answer->upload_offset = header_number(value, length);
	}
}
