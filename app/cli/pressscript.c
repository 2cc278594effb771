#include "app/cli/pressscript.h"

#include "app/base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WORDS 3
#define WORD_CHARS 64 /* more than any right word has */

int press_seconds(const char *text, int64_t *ret_ns)
{
	int64_t ns = 0, unit = NS_PER_S;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++) {
		ns = ns * 10 + (*p - '0') * NS_PER_S;
		if (ns > PRESSSCRIPT_SECONDS_MAX * NS_PER_S) {
			return -EINVAL;
		}
	}
	if (p == text) {
		return -EINVAL;
	}
	if (*p == '.') {
		const char *point = p++;

		for (; *p >= '0' && *p <= '9' && unit > 1; p++) {
			unit /= 10;
			ns += (*p - '0') * unit;
		}
		if (p == point + 1) {
			return -EINVAL;
		}
	}
	if (*p != '\0' || ns > PRESSSCRIPT_SECONDS_MAX * NS_PER_S) {
		return -EINVAL;
	}
	*ret_ns = ns;
	return 0;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Cuts a line into words; how many there are, or -EINVAL for a byte that no text has. */
static int split(const char *line, size_t n, char words[WORDS][WORD_CHARS])
{
	size_t i = 0;
	int found = 0;

	for (;;) {
		size_t used = 0;

		while (i < n && blank(line[i])) {
			i++;
		}
		if (i == n || line[i] == '#') {
			return found;
		}
		for (; i < n && !blank(line[i]) && line[i] != '#'; i++) {
			if ((unsigned char)line[i] < ' ' || line[i] == 0x7f) {
				return -EINVAL;
			}
			if (found < WORDS && used < WORD_CHARS - 1) {
				words[found][used++] = line[i];
			}
		}
		if (found < WORDS) {
			words[found][used] = '\0';
		}
		found++;
	}
}

static int add(struct pressscript *script, const struct press_step *step)
{
	if (script->n == script->room) {
		size_t room = script->room > 0 ? script->room * 2 : 64;
		struct press_step *list = reallocarray(script->list, room, sizeof(*list));

		if (list == NULL) {
			return -ENOMEM;
		}
		script->list = list;
		script->room = room;
	}
	script->list[script->n++] = *step;
	return 0;
}

/* One line of the text into at most one step. */
static int parse_line(struct pressscript *script, const char *line, size_t n, const char *name,
	int number, struct error *error)
{
	char words[WORDS][WORD_CHARS];
	struct press_step step = {.number = number};
	int found = split(line, n, words);

	if (found == 0) {
		return 0;
	}
	if (found == -EINVAL) {
		return error_set(error, -EINVAL,
			"%s:%d: holds a control character; a line is `SECONDS LINE press|release`",
			name, number);
	}
	if (found != WORDS) {
		return error_set(error, -EINVAL,
			"%s:%d: has %d word%s; a line is `SECONDS LINE press|release`", name,
			number, found, found == 1 ? "" : "s");
	}
	if (press_seconds(words[0], &step.t_ns) < 0) {
		return error_set(error, -EINVAL,
			"%s:%d: `%s` is no time; write seconds from 0 to %d, as in 12 or 12.345",
			name, number, words[0], PRESSSCRIPT_SECONDS_MAX);
	}
	if (script->n > 0 && step.t_ns < script->list[script->n - 1].t_ns) {
		return error_set(error, -EINVAL,
			"%s:%d: `%s` lies before line %d; order the lines by their seconds", name,
			number, words[0], script->list[script->n - 1].number);
	}
	if (strlen(words[1]) >= sizeof(step.line)) {
		return error_set(error, -EINVAL,
			"%s:%d: `%s` is too long for a line; %zu letters are most", name, number,
			words[1], sizeof(step.line) - 1);
	}
	memcpy(step.line, words[1], strlen(words[1]) + 1);
	if (strcmp(words[2], "press") == 0) {
		step.press = true;
	} else if (strcmp(words[2], "release") != 0) {
		return error_set(error, -EINVAL, "%s:%d: `%s` is neither `press` nor `release`",
			name, number, words[2]);
	}
	if (script->n >= PRESSSCRIPT_STEPS_MAX) {
		return error_set(error, -EINVAL, "%s:%d: more than %d steps; split the script",
			name, number, PRESSSCRIPT_STEPS_MAX);
	}
	return add(script, &step);
}

int pressscript_parse(const char *text, size_t bytes, const char *name,
	struct pressscript *ret_script, struct error *error)
{
	struct pressscript script = {0};
	const char *end = text + bytes;
	int number = 0, r;

	for (const char *line = text; line < end;) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));

		if (stop == NULL) {
			stop = end;
		}
		r = parse_line(&script, line, (size_t)(stop - line), name, ++number, error);
		if (r < 0) {
			pressscript_fini(&script);
			return r == -ENOMEM ? error_set(error, r, "%s: out of memory", name) : r;
		}
		line = stop + 1;
	}
	*ret_script = script;
	return 0;
}

void pressscript_fini(struct pressscript *script)
{
	free(script->list);
	*script = (struct pressscript){0};
}
