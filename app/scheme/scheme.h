/* A coding scheme: what a coach can record, with which button, in which way. */
#ifndef SCHEME_SCHEME_H
#define SCHEME_SCHEME_H

#include "app/base/error.h"

#include <stddef.h>
#include <stdint.h>

#define SCHEME_CODES_MAX 16
#define SCHEME_LEVELS_MAX 5
#define SCHEME_NAME_CHARS 32
#define SCHEME_TITLE_CHARS 64

enum code_kind {
	CODE_POINT,  /* a tap is an event; double tap and hold may modify it */
	CODE_STATE,  /* a press begins it, the next press ends it */
	CODE_HELD,   /* lasts from press to release */
	CODE_SAMPLE, /* momentary sample: the number of taps is the level */
	CODE_UNDO,   /* takes back the last event */
	CODE_LESSON, /* starts and ends the observation */
	CODE_MUTE,   /* closes the microphone, opens it again */
};

struct code {
	char name[SCHEME_NAME_CHARS];
	char title[SCHEME_TITLE_CHARS];
	char button[SCHEME_NAME_CHARS];
	enum code_kind kind;
	char double_tap[SCHEME_NAME_CHARS]; /* modifier; "" where it has none */
	char hold[SCHEME_NAME_CHARS];       /* modifier of the span; "" where none */
	char levels[SCHEME_LEVELS_MAX][SCHEME_NAME_CHARS];
	size_t n_levels;
	int before_s, after_s; /* sound kept around each of its presses */
	int cue_s;             /* a reminder every so many seconds; 0 for none */
};

struct scheme {
	char name[SCHEME_NAME_CHARS];
	char title[SCHEME_TITLE_CHARS];
	int hold_ms, double_ms, end_hold_ms;
	struct code codes[SCHEME_CODES_MAX];
	size_t n_codes;
};

/* The built-in scheme's text; static. */
const char *scheme_default_text(void);

/*
 * Reads a scheme from text; @name is what messages call it (a file name).
 * Returns 0, -EINVAL with an explanation "NAME:LINE: ..." saying what would be
 * right, or -ENOMEM. Does not block. *ret_scheme is written only on success.
 */
int scheme_parse(const char *text, const char *name, struct scheme *ret_scheme,
	struct error *error) MUST_CHECK;

/*
 * Reads a scheme file, or the built-in one for the path "default"; the text is
 * given too (caller frees with free()), since each observation carries it.
 * Returns 0, -EINVAL, or -errno of opening and reading. Blocks on the file.
 */
int scheme_read(const char *path, struct scheme *ret_scheme, char **ret_text,
	struct error *error) MUST_CHECK;

/* The code of that name / on that button, or NULL. Borrowed from the scheme. */
const struct code *scheme_code(const struct scheme *scheme, const char *name);
const struct code *scheme_button(const struct scheme *scheme, const char *button);

/* "point", "state", ...; static. */
const char *code_kind_name(enum code_kind kind);

#endif
