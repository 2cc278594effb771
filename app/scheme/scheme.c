/*
 * A scheme is read in two passes. The first puts every line into its place and
 * remembers where each key of a code stood; the second looks at the codes as
 * wholes, because the lines of a code may come in any order, and what one key
 * may say depends on the code's kind.
 */
#include "app/scheme/scheme.h"

#include "app/base/conffile.h"
#include "app/base/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SCHEME_BYTES_MOST 32768
#define BEFORE_S 10
#define AFTER_S 20
#define BEFORE_S_MOST 45
#define AFTER_S_MOST 60
#define CUE_S_LEAST 5
#define CUE_S_MOST 3600

/* What BORIS and our own tables use as separators. */
#define NOT_IN_NAMES "(|),`~"

static const char *const kinds[] = {
	[CODE_POINT] = "point",
	[CODE_STATE] = "state",
	[CODE_HELD] = "held",
	[CODE_SAMPLE] = "sample",
	[CODE_UNDO] = "undo",
	[CODE_LESSON] = "lesson",
	[CODE_MUTE] = "mute",
	NULL,
};

static const char *const scheme_keys[] = {
	"name", "title", "hold_ms", "double_ms", "end_hold_ms", NULL};

enum code_key {
	KEY_TITLE,
	KEY_BUTTON,
	KEY_KIND,
	KEY_DOUBLE,
	KEY_HOLD,
	KEY_LEVELS,
	KEY_BEFORE,
	KEY_AFTER,
	KEY_CUE,
	KEYS,
};

static const char *const code_keys[] = {
	[KEY_TITLE] = "title",
	[KEY_BUTTON] = "button",
	[KEY_KIND] = "kind",
	[KEY_DOUBLE] = "double",
	[KEY_HOLD] = "hold",
	[KEY_LEVELS] = "levels",
	[KEY_BEFORE] = "before",
	[KEY_AFTER] = "after",
	[KEY_CUE] = "cue",
	[KEYS] = NULL,
};

/* A scheme half read: where its keys stood. */
struct draft {
	struct scheme scheme;
	const struct conf_line *first[SCHEME_CODES_MAX];
	const struct conf_line *keys[SCHEME_CODES_MAX][KEYS];
};

static int bad_code(const struct conf_line *line, struct error *error, const char *why)
{
	return error_set(
		error, -EINVAL, "%s:%d: [%s] %s", line->file, line->line, line->section, why);
}

/* A name of ours: a letter, then letters, digits, - and _. */
static bool good_name(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz";

	return *name && strchr(letters, *name) &&
		name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-")] == '\0';
}

static int read_modifier(const struct conf_line *line, char *ret_text, struct error *error)
{
	char text[SCHEME_NAME_CHARS];
	int r;

	r = conf_text(line, text, sizeof(text), error);
	if (r < 0) {
		return r;
	}
	if (text[0] == '\0') {
		return conf_bad(line, error, "must be a name; leave the line out for none");
	}
	if (strpbrk(text, NOT_IN_NAMES)) {
		return conf_bad(line, error, "must not hold any of ( | ) , ` ~");
	}
	memcpy(ret_text, text, sizeof(text));
	return 0;
}

/* "most, half, few" */
static int read_levels(const struct conf_line *line, struct code *code, struct error *error)
{
	const char *at = line->value;

	code->n_levels = 0;
	for (;;) {
		size_t n = strcspn(at, ",");
		const char *next = at + n;
		char *level;

		for (; n > 0 && (*at == ' ' || *at == '\t'); at++, n--) {
			/* blanks before it */
		}
		for (; n > 0 && (at[n - 1] == ' ' || at[n - 1] == '\t'); n--) {
			/* blanks behind it */
		}
		if (n == 0) {
			return conf_bad(line, error,
				"must be 1 to 5 names with commas between them, none empty");
		}
		if (n >= SCHEME_NAME_CHARS) {
			return conf_bad(line, error, "each level's name may have at most 31 bytes");
		}
		if (code->n_levels == SCHEME_LEVELS_MAX) {
			return conf_bad(line, error, "must be at most 5 levels");
		}
		level = code->levels[code->n_levels];
		memcpy(level, at, n);
		level[n] = '\0';
		if (strpbrk(level, NOT_IN_NAMES)) {
			return conf_bad(line, error, "must not hold any of ( | ) ` ~");
		}
		for (size_t i = 0; i < code->n_levels; i++) {
			if (strcmp(code->levels[i], level) == 0) {
				return conf_bad(line, error,
					"names the same level twice; give each its own name");
			}
		}
		code->n_levels++;
		if (*next == '\0') {
			return 0;
		}
		at = next + 1;
	}
}

static int read_button(const struct conf_line *line, char *ret_text, struct error *error)
{
	char text[SCHEME_NAME_CHARS];
	int r;

	r = conf_text(line, text, sizeof(text), error);
	if (r < 0) {
		return r;
	}
	if (text[0] == '\0' ||
		text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-")] != '\0') {
		return conf_bad(
			line, error, "must be a button's name: small letters, digits, - and _");
	}
	memcpy(ret_text, text, sizeof(text));
	return 0;
}

static int read_cue(const struct conf_line *line, int *ret_cue_s, struct error *error)
{
	struct error unused;
	int r;

	r = conf_int(line, 0, 0, ret_cue_s, &unused);
	if (r == 0) {
		return 0;
	}
	r = conf_int(line, CUE_S_LEAST, CUE_S_MOST, ret_cue_s, &unused);
	if (r == 0) {
		return 0;
	}
	return conf_bad(
		line, error, "must be 0 for none, or a whole number of seconds from 5 to 3600");
}

static int read_code_key(
	const struct conf_line *line, enum code_key key, struct code *code, struct error *error)
{
	int r, kind;

	switch (key) {
	case KEY_TITLE:
		return conf_text(line, code->title, sizeof(code->title), error);
	case KEY_BUTTON:
		return read_button(line, code->button, error);
	case KEY_KIND:
		r = conf_choice(line, kinds, &kind, error);
		if (r == 0) {
			code->kind = (enum code_kind)kind;
		}
		return r;
	case KEY_DOUBLE:
		return read_modifier(line, code->double_tap, error);
	case KEY_HOLD:
		return read_modifier(line, code->hold, error);
	case KEY_LEVELS:
		return read_levels(line, code, error);
	case KEY_BEFORE:
		return conf_int(line, 0, BEFORE_S_MOST, &code->before_s, error);
	case KEY_AFTER:
		return conf_int(line, 0, AFTER_S_MOST, &code->after_s, error);
	case KEY_CUE:
		return read_cue(line, &code->cue_s, error);
	case KEYS:
		break;
	}
	return -EINVAL;
}

static int find_word(const char *const *words, const char *word)
{
	for (int i = 0; words[i]; i++) {
		if (strcmp(words[i], word) == 0) {
			return i;
		}
	}
	return -1;
}

static int take_scheme_line(
	struct scheme *scheme, const struct conf_line *line, struct error *error)
{
	int r;

	switch (find_word(scheme_keys, line->key)) {
	case 0:
		r = conf_text(line, scheme->name, sizeof(scheme->name), error);
		if (r == 0 && !good_name(scheme->name)) {
			r = conf_bad(line, error,
				"must be a name: a small letter, then small letters, digits, - "
				"and _");
		}
		return r;
	case 1:
		return conf_text(line, scheme->title, sizeof(scheme->title), error);
	case 2:
		return conf_int(line, 200, 2000, &scheme->hold_ms, error);
	case 3:
		return conf_int(line, 150, 1000, &scheme->double_ms, error);
	case 4:
		return conf_int(line, 1000, 10000, &scheme->end_hold_ms, error);
	default:
		return conf_unknown(line, "key", line->key, scheme_keys, error);
	}
}

static int take_code_line(
	struct draft *draft, const struct conf_line *line, const char *name, struct error *error)
{
	struct scheme *scheme = &draft->scheme;
	size_t i;
	int key;

	for (i = 0; i < scheme->n_codes; i++) {
		if (strcmp(scheme->codes[i].name, name) == 0) {
			break;
		}
	}
	if (i == scheme->n_codes) {
		if (strlen(name) >= SCHEME_NAME_CHARS || !good_name(name)) {
			return bad_code(line, error,
				"must name its code: [code NAME], a small letter, then small "
				"letters, digits, - and _, at most 31");
		}
		if (i == SCHEME_CODES_MAX) {
			return bad_code(line, error,
				"is one too many: a scheme has at most 16 "
				"codes");
		}
		memcpy(scheme->codes[i].name, name, strlen(name) + 1);
		scheme->codes[i].before_s = BEFORE_S;
		scheme->codes[i].after_s = AFTER_S;
		draft->first[i] = line;
		scheme->n_codes++;
	}

	key = find_word(code_keys, line->key);
	if (key < 0) {
		return conf_unknown(line, "key", line->key, code_keys, error);
	}
	draft->keys[i][key] = line;
	return read_code_key(line, (enum code_key)key, &scheme->codes[i], error);
}

static int take_line(struct draft *draft, const struct conf_line *line, struct error *error)
{
	static const char *const sections[] = {"scheme", "code NAME", NULL};

	if (strcmp(line->section, "scheme") == 0) {
		return take_scheme_line(&draft->scheme, line, error);
	}
	if (strncmp(line->section, "code ", 5) == 0) {
		return take_code_line(draft, line, line->section + 5, error);
	}
	return conf_unknown(line, "section", line->section, sections, error);
}

static bool codes_events(enum code_kind kind)
{
	return kind != CODE_UNDO && kind != CODE_LESSON && kind != CODE_MUTE;
}

/* What its kind lets a code say. */
static int check_kind(const struct draft *draft, size_t i, struct error *error)
{
	const struct code *code = &draft->scheme.codes[i];
	const struct conf_line *const *keys = draft->keys[i];

	if (!keys[KEY_KIND]) {
		return bad_code(
			draft->first[i], error, "has no kind; add a line such as \"kind = point\"");
	}
	if (!keys[KEY_BUTTON]) {
		return bad_code(
			draft->first[i], error, "has no button; add a line such as \"button = 1\"");
	}
	if (code->kind == CODE_SAMPLE && !keys[KEY_LEVELS]) {
		return bad_code(draft->first[i], error,
			"is a sample without levels; add a line such as \"levels = most, half, "
			"few\"");
	}
	if (code->kind != CODE_SAMPLE && keys[KEY_LEVELS]) {
		return conf_bad(keys[KEY_LEVELS], error, "only a code of kind sample has levels");
	}
	for (int key = KEY_DOUBLE; key <= KEY_HOLD; key++) {
		if (keys[key] && code->kind != CODE_POINT) {
			return conf_bad(keys[key], error,
				"only a code of kind point has \"double\" and \"hold\"");
		}
	}
	if (keys[KEY_HOLD] && strcmp(code->hold, code->double_tap) == 0) {
		return conf_bad(keys[KEY_HOLD], error,
			"is what \"double\" is called too; give each its own name");
	}
	if (keys[KEY_CUE] && code->cue_s > 0 && code->kind != CODE_SAMPLE &&
		code->kind != CODE_POINT) {
		return conf_bad(
			keys[KEY_CUE], error, "only a code of kind sample or point has a cue");
	}
	for (int key = KEY_BEFORE; key <= KEY_AFTER; key++) {
		if (keys[key] && !codes_events(code->kind)) {
			return conf_bad(keys[key], error,
				"undo, lesson and mute keep no sound; remove the line");
		}
	}
	return 0;
}

/* What a code must not share with those before it. */
static int check_others(const struct draft *draft, size_t i, struct error *error)
{
	const struct code *code = &draft->scheme.codes[i];
	const struct conf_line *button = draft->keys[i][KEY_BUTTON];
	const struct conf_line *kind = draft->keys[i][KEY_KIND];

	for (size_t j = 0; j < i; j++) {
		const struct code *other = &draft->scheme.codes[j];

		if (strcmp(code->button, other->button) == 0) {
			return error_set(error, -EINVAL,
				"%s:%d: button = %s: is the button of [%s] already (line %d); give "
				"each code its own",
				button->file, button->line, code->button, draft->first[j]->section,
				draft->keys[j][KEY_BUTTON]->line);
		}
		if (code->kind == other->kind && !codes_events(code->kind)) {
			return error_set(error, -EINVAL,
				"%s:%d: kind = %s: [%s] is of that kind already (line %d); a "
				"scheme has one at most",
				kind->file, kind->line, kinds[code->kind], draft->first[j]->section,
				draft->keys[j][KEY_KIND]->line);
		}
	}
	return 0;
}

static int check(struct draft *draft, const char *name, struct error *error)
{
	struct scheme *scheme = &draft->scheme;
	bool lesson = false;
	int r;

	for (size_t i = 0; i < scheme->n_codes; i++) {
		struct code *code = &scheme->codes[i];

		r = check_kind(draft, i, error);
		if (r == 0) {
			r = check_others(draft, i, error);
		}
		if (r < 0) {
			return r;
		}
		if (code->title[0] == '\0') {
			memcpy(code->title, code->name, sizeof(code->name));
		}
		if (!codes_events(code->kind)) {
			code->before_s = 0;
			code->after_s = 0;
		}
		lesson = lesson || code->kind == CODE_LESSON;
	}
	if (scheme->name[0] == '\0') {
		return error_set(error, -EINVAL,
			"%s:1: the scheme has no name; add [scheme] and under it \"name = ...\"",
			name);
	}
	if (!lesson) {
		return error_set(error, -EINVAL,
			"%s:1: no code starts and ends the observation; add [code lesson] and "
			"under it \"kind = lesson\" and \"button = ...\"",
			name);
	}
	if (scheme->title[0] == '\0') {
		memcpy(scheme->title, scheme->name, sizeof(scheme->name));
	}
	return 0;
}

static int parse(const char *text, size_t bytes, const char *name, struct scheme *ret_scheme,
	struct error *error)
{
	const struct conf_line *lines;
	struct conffile *file = NULL;
	struct draft *draft;
	size_t n;
	int r;

	draft = calloc(1, sizeof(*draft));
	if (!draft) {
		return error_set(error, -ENOMEM, "%s: no memory left to read it", name);
	}
	draft->scheme.hold_ms = 500;
	draft->scheme.double_ms = 400;
	draft->scheme.end_hold_ms = 2000;

	r = conffile_parse(text, bytes, name, &file, error);
	if (r < 0) {
		goto fail;
	}
	lines = conffile_lines(file, &n);
	for (size_t i = 0; i < n; i++) {
		r = take_line(draft, &lines[i], error);
		if (r < 0) {
			goto fail;
		}
	}
	r = check(draft, name, error);
	if (r == 0) {
		*ret_scheme = draft->scheme;
	}

fail:
	conffile_free(file);
	free(draft);
	return r;
}

int scheme_parse(const char *text, const char *name, struct scheme *ret_scheme, struct error *error)
{
	return parse(text, strlen(text), name, ret_scheme, error);
}

int scheme_read(const char *path, struct scheme *ret_scheme, char **ret_text, struct error *error)
{
	char *text = NULL;
	size_t n = 0;
	int r;

	if (strcmp(path, "default") == 0) {
		text = strdup(scheme_default_text());
		r = text ? 0 : -ENOMEM;
		n = text ? strlen(text) : 0;
	} else {
		r = file_read(path, SCHEME_BYTES_MOST, &text, &n);
	}
	if (r == -EFBIG) {
		return error_set(error, r, "%s: larger than %d KiB: not a scheme", path,
			SCHEME_BYTES_MOST / 1024);
	}
	if (r < 0) {
		(void)error_set(error, r, "%s", "");
		return error_prefix(error, r, "%s", path);
	}

	r = parse(text, n, path, ret_scheme, error);
	if (r < 0) {
		free(text);
		return r;
	}
	*ret_text = text;
	return 0;
}

const struct code *scheme_code(const struct scheme *scheme, const char *name)
{
	for (size_t i = 0; i < scheme->n_codes; i++) {
		if (strcmp(scheme->codes[i].name, name) == 0) {
			return &scheme->codes[i];
		}
	}
	return NULL;
}

const struct code *scheme_button(const struct scheme *scheme, const char *button)
{
	for (size_t i = 0; i < scheme->n_codes; i++) {
		if (strcmp(scheme->codes[i].button, button) == 0) {
			return &scheme->codes[i];
		}
	}
	return NULL;
}

const char *code_kind_name(enum code_kind kind)
{
	if ((unsigned)kind > CODE_MUTE) {
		return "?";
	}
	return kinds[kind];
}
