/*
 * inih does the reading, and is kept from guessing: its own reader function is
 * ours. It hands over one whole line a call, so that inih's count and ours
 * agree, without leading blanks (inih would take an indented line as the
 * continuation of the one above) and only if inih neither cuts nor skips a part
 * of it. Lines that inih does not understand it reports by number.
 */
#include "app/base/conffile.h"

#include "app/base/file.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MOST (256 * 1024)
#define LINES_MOST 1000
#define LINE_BYTES_MOST 198
#define NAME_BYTES_MOST 49 /* inih cuts longer names of sections */

struct conffile {
	char *name;
	struct conf_line *lines; /* section owns one block for all three texts */
	size_t n, room;
};

/* What the callbacks of one parse share. */
struct reading {
	struct conffile *file;
	const char *at, *end;
	int line;
	int code; /* of the first thing that was wrong */
	struct error *error;
};

__attribute__((format(printf, 2, 3))) static int refuse(
	struct reading *reading, const char *format, ...)
{
	char text[360];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	reading->code = error_set(
		reading->error, -EINVAL, "%s:%d: %s", reading->file->name, reading->line, text);
	return reading->code;
}

/* The bytes of the character at @c, or 0 if it is not UTF-8 (RFC 3629). */
static size_t utf8_length(const unsigned char *c, const unsigned char *end)
{
	static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = 0;
	unsigned rune;

	if (*c < 0x80) {
		n = 1;
	} else if (*c >= 0xc2 && *c < 0xf5) {
		n = *c < 0xe0 ? 2 : *c < 0xf0 ? 3 : 4;
	}
	if (n < 2 || (size_t)(end - c) < n) {
		return n == 1 ? 1 : 0;
	}
	rune = *c & (0x7fU >> n);
	for (size_t i = 1; i < n; i++) {
		if ((c[i] & 0xc0) != 0x80) {
			return 0;
		}
		rune = rune << 6 | (c[i] & 0x3fU);
	}
	if (rune < least[n] || rune > 0x10ffff || (rune >= 0xd800 && rune <= 0xdfff)) {
		return 0;
	}
	return n;
}

static int check_bytes(struct reading *reading, const char *text, size_t n)
{
	const unsigned char *c = (const unsigned char *)text, *end = c + n;

	if (n > LINE_BYTES_MOST) {
		return refuse(reading, "the line is %zu bytes long; at most %d can be read", n,
			LINE_BYTES_MOST);
	}
	while (c < end) {
		size_t length = utf8_length(c, end);

		if (length == 0) {
			return refuse(reading, "byte %zu is not UTF-8; save the file as UTF-8",
				(size_t)(c - (const unsigned char *)text) + 1);
		}
		if ((*c < 0x20 && *c != '\t') || *c == 0x7f || (*c == 0xc2 && c[1] < 0xa0)) {
			return refuse(reading,
				"byte %zu is a control character (0x%02x); remove it",
				(size_t)(c - (const unsigned char *)text) + 1,
				*c == 0xc2 ? c[1] : *c);
		}
		c += length;
	}
	return 0;
}

/* inih takes "[a] b = c" for "[a]", and cuts a long name. */
static int check_header(struct reading *reading, const char *text, size_t n)
{
	const char *close = memchr(text, ']', n), *after;

	if (!close) {
		return refuse(reading, "the section's name has no ] behind it");
	}
	if (close - text - 1 > NAME_BYTES_MOST) {
		return refuse(
			reading, "the section's name is longer than %d bytes", NAME_BYTES_MOST);
	}
	for (after = close + 1; after < text + n && (*after == ' ' || *after == '\t'); after++) {
		/* blanks */
	}
	if (after < text + n && *after != ';' && *after != '#') {
		return refuse(reading, "after ] only a comment may follow; begin a new line");
	}
	return 0;
}

/* inih's fgets: the next line, or NULL at the end and when one is refused. */
static char *read_line(char *ret_line, int room, void *data)
{
	struct reading *reading = data;
	const char *from = reading->at, *newline;
	size_t n;

	if (reading->code || from == reading->end) {
		return NULL;
	}
	newline = memchr(from, '\n', (size_t)(reading->end - from));
	n = (size_t)((newline ? newline : reading->end) - from);
	reading->at = newline ? newline + 1 : reading->end;
	reading->line++;

	if (n > 0 && from[n - 1] == '\r') {
		n--;
	}
	if (check_bytes(reading, from, n) < 0) {
		return NULL;
	}
	while (n > 0 && (*from == ' ' || *from == '\t')) {
		from++;
		n--;
	}
	if (n > 0 && *from == '[' && check_header(reading, from, n) < 0) {
		return NULL;
	}
	if (n + 2 > (size_t)room) {
		(void)refuse(
			reading, "the line is %zu bytes long; at most %d can be read", n, room - 2);
		return NULL;
	}
	memcpy(ret_line, from, n);
	ret_line[n] = '\n';
	ret_line[n + 1] = '\0';
	return ret_line;
}

static int add_line(
	struct reading *reading, const char *section, const char *key, const char *value)
{
	struct conffile *file = reading->file;
	size_t s = strlen(section) + 1, k = strlen(key) + 1, v = strlen(value) + 1;
	char *block;

	if (file->n == file->room) {
		size_t room = file->room * 2 + 16;
		struct conf_line *more = realloc(file->lines, room * sizeof(*more));

		if (!more) {
			return -ENOMEM;
		}
		file->lines = more;
		file->room = room;
	}

	block = malloc(s + k + v);
	if (!block) {
		return -ENOMEM;
	}
	memcpy(block, section, s);
	memcpy(block + s, key, k);
	memcpy(block + s + k, value, v);
	file->lines[file->n++] = (struct conf_line){
		.file = file->name,
		.line = reading->line,
		.section = block,
		.key = block + s,
		.value = block + s + k,
	};
	return 0;
}

/* inih's handler: 1 when the line is taken, 0 when not. */
static int take_line(void *data, const char *section, const char *key, const char *value)
{
	struct reading *reading = data;
	struct conffile *file = reading->file;

	if (reading->code) {
		return 0;
	}
	if (*section == '\0') {
		(void)refuse(
			reading, "\"%s\" stands before the first [section]; put it under one", key);
		return 0;
	}
	if (*key == '\0') {
		(void)refuse(reading, "there is no key before the \"=\"");
		return 0;
	}
	if (strlen(key) > NAME_BYTES_MOST) {
		(void)refuse(reading, "the key is longer than %d bytes", NAME_BYTES_MOST);
		return 0;
	}
	if (*value == ';') {
		(void)refuse(reading, "%s: put a blank before the comment", key);
		return 0;
	}
	for (size_t i = 0; i < file->n; i++) {
		const struct conf_line *old = &file->lines[i];

		if (strcmp(old->key, key) == 0 && strcmp(old->section, section) == 0) {
			(void)refuse(reading,
				"\"%s\" was already set in line %d; remove one of them", key,
				old->line);
			return 0;
		}
	}
	if (file->n == LINES_MOST) {
		(void)refuse(reading, "the file has more than %d settings", LINES_MOST);
		return 0;
	}

	reading->code = add_line(reading, section, key, value);
	return reading->code == 0;
}

int conffile_parse(const char *text, size_t bytes, const char *name, struct conffile **ret_file,
	struct error *error)
{
	struct reading reading = {.at = text, .end = text + bytes, .error = error};
	struct conffile *file;
	int wrong;

	file = calloc(1, sizeof(*file));
	if (!file) {
		return -ENOMEM;
	}
	file->name = strdup(name);
	if (!file->name) {
		reading.code = -ENOMEM;
		goto fail;
	}
	reading.file = file;
	if (bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		reading.at += 3;
	}

	wrong = ini_parse_stream(read_line, &reading, take_line, &reading);
	if (reading.code == -ENOMEM) {
		goto fail;
	}
	if (wrong > 0 && (reading.code == 0 || wrong < reading.line)) {
		/* Not ours: a line inih itself could not take. */
		reading.line = wrong;
		(void)refuse(&reading, "is neither [section] nor \"key = value\" nor a comment");
	} else if (wrong < 0) {
		reading.code = -ENOMEM;
	}
	if (reading.code) {
		goto fail;
	}
	*ret_file = file;
	return 0;

fail:
	if (reading.code == -ENOMEM) {
		(void)error_set(error, -ENOMEM, "%s: no memory left to read it", name);
	}
	conffile_free(file);
	return reading.code;
}

int conffile_read(const char *path, struct conffile **ret_file, struct error *error)
{
	char *text;
	size_t n;
	int r;

	r = file_read(path, FILE_BYTES_MOST, &text, &n);
	if (r == -EFBIG) {
		return error_set(error, r, "%s: larger than %d KiB: not a configuration", path,
			FILE_BYTES_MOST / 1024);
	}
	if (r == -EAGAIN) {
		return error_set(error, r, "%s: gives nothing to read; name a file", path);
	}
	if (r < 0) {
		(void)error_set(error, r, "%s", "");
		return error_prefix(error, r, "%s", path);
	}
	r = conffile_parse(text, n, path, ret_file, error);
	free(text);
	return r;
}

void conffile_free(struct conffile *file)
{
	if (!file) {
		return;
	}
	for (size_t i = 0; i < file->n; i++) {
		free((char *)file->lines[i].section);
	}
	free(file->lines);
	free(file->name);
	free(file);
}

const struct conf_line *conffile_lines(const struct conffile *file, size_t *ret_n)
{
	*ret_n = file->n;
	return file->lines;
}

int conf_bad(const struct conf_line *line, struct error *error, const char *format, ...)
{
	char text[240];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return error_set(error, -EINVAL, "%s:%d: %s = %.80s: %s", line->file, line->line, line->key,
		line->value, text);
}

int conf_text(const struct conf_line *line, char *ret_text, size_t room, struct error *error)
{
	size_t n = strlen(line->value);

	if (n >= room) {
		return conf_bad(line, error, "is %zu bytes long; at most %zu fit", n, room - 1);
	}
	memcpy(ret_text, line->value, n + 1);
	return 0;
}

int conf_int(const struct conf_line *line, int least, int most, int *ret_value, struct error *error)
{
	const char *digits = line->value + (line->value[0] == '-');
	size_t n = strspn(digits, "0123456789");
	long long value;

	if (n > 0 && n <= 10 && digits[n] == '\0') {
		value = strtoll(line->value, NULL, 10);
		if (value >= least && value <= most) {
			*ret_value = (int)value;
			return 0;
		}
	}
	return conf_bad(line, error, "must be a whole number from %d to %d", least, most);
}

int conf_bool(const struct conf_line *line, bool *ret_value, struct error *error)
{
	static const char *const words[] = {"no", "yes", "false", "true", "off", "on"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(line->value, words[i]) == 0) {
			*ret_value = i % 2 == 1;
			return 0;
		}
	}
	return conf_bad(line, error, "must be yes or no");
}

/* Adds to a text as far as there is room. */
__attribute__((format(printf, 3, 4))) static void append(
	char *text, size_t room, const char *format, ...)
{
	size_t n = strlen(text);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text + n, room - n, format, args);
	va_end(args);
}

/* "a, b or c" */
static void list_words(char *ret_text, size_t room, const char *const *words, const char *last)
{
	ret_text[0] = '\0';
	for (size_t i = 0; words[i]; i++) {
		append(ret_text, room, "%s%s", i == 0 ? "" : words[i + 1] ? ", " : last, words[i]);
	}
}

int conf_choice(const struct conf_line *line, const char *const *choices, int *ret_value,
	struct error *error)
{
	char words[160];

	for (int i = 0; choices[i]; i++) {
		if (strcmp(line->value, choices[i]) == 0) {
			*ret_value = i;
			return 0;
		}
	}
	list_words(words, sizeof(words), choices, " or ");
	return conf_bad(line, error, "must be %s", words);
}

/*
 * How far @got is from @word: Levenshtein's distance to the nearest beginning of
 * the word, plus one if that is not all of it, since a unit left out ("ring" for
 * "ring_s") is the likeliest slip.
 */
static size_t distance(const char *got, const char *word)
{
	size_t rows = strnlen(got, NAME_BYTES_MOST), columns = strnlen(word, NAME_BYTES_MOST);
	size_t row[NAME_BYTES_MOST + 1], best;

	for (size_t j = 0; j <= columns; j++) {
		row[j] = j;
	}
	for (size_t i = 1; i <= rows; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= columns; j++) {
			size_t above = row[j];
			size_t least = corner + (got[i - 1] != word[j - 1]);

			least = above + 1 < least ? above + 1 : least;
			least = row[j - 1] + 1 < least ? row[j - 1] + 1 : least;
			row[j] = least;
			corner = above;
		}
	}

	best = row[columns];
	for (size_t j = 0; j < columns; j++) {
		best = row[j] + 1 < best ? row[j] + 1 : best;
	}
	return best;
}

int conf_unknown(const struct conf_line *line, const char *what, const char *got,
	const char *const *known, struct error *error)
{
	size_t nearest = strlen(got) / 2 + 1;
	const char *meant = NULL;
	char words[240], where[64] = "";

	for (size_t i = 0; known[i]; i++) {
		size_t far = distance(got, known[i]);

		if (far < nearest) {
			nearest = far;
			meant = known[i];
		}
	}
	if (strcmp(what, "key") == 0) {
		(void)snprintf(where, sizeof(where), " in [%s]", line->section);
	}
	if (meant) {
		return error_set(error, -EINVAL, "%s:%d: unknown %s \"%s\"%s; did you mean \"%s\"?",
			line->file, line->line, what, got, where, meant);
	}
	list_words(words, sizeof(words), known, " and ");
	return error_set(error, -EINVAL, "%s:%d: unknown %s \"%s\"%s; known are %s", line->file,
		line->line, what, got, where, words);
}
