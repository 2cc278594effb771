/*
 * The inside of `chalkbox doctor`; private to doctor*.c. A check looks at one
 * thing and says what it found: one finding, or one for each part that is not as
 * it should be.
 */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include "app/base/config.h"
#include "app/cli/canvas.h"
#include "app/cli/recorderlink.h"
#include "app/cli/unitbus.h"
#include "app/health/told.h"
#include "app/scheme/scheme.h"

#include <jansson.h>
#include <stdio.h>

enum finding_state {
	FINDING_OK,
	FINDING_WARNING, /* works, but not as well as it should */
	FINDING_FAULT,
	FINDING_UNKNOWN, /* cannot be known here, or not by this user */
	FINDING_STATES,
};

#define FINDING_CHARS 480

struct finding {
	const struct check *check;
	enum finding_state state;
	char part[64]; /* of what there are several; "" */
	char says[FINDING_CHARS]; /* one sentence */
	char fix[FINDING_CHARS]; /* what to do; "" */
	json_t *values; /* for programs; NULL for none */
};

#define FINDINGS_MAX 192 /* above what the longest board can bring */

struct doctor {
	const char *config_path;
	bool json, press, lamps;
	int press_s; /* how long each button is waited for */
	struct drawing drawing;

	/* what several checks need; looked at once, before them */
	struct config config;
	int config_result; /* 0, or why there is no config and no scheme */
	struct error config_error;
	struct scheme scheme;
	struct recorderlink *recorder; /* NULL: it does not run, or cannot be asked */
	int recorder_result;
	bool observing;
	int record_result; /* 0: the journal has been read, into these */
	struct error record_error;
	int64_t entries;
	struct told told;
	struct unitbus *units; /* NULL: there is no systemd */
	json_t *probe; /* what chalkbox-sync --probe said; NULL: nothing */

	const struct check *check; /* that looks now */
	struct finding list[FINDINGS_MAX];
	size_t n;
};

struct check {
	const char *name; /* as in JSON: never to be changed */
	const char *group;
	void (*look)(struct doctor *doctor);
	bool needs_config;
};

/* What the checks are, in order; doctor_box.c and so on. */
void doctor_config(struct doctor *doctor);
void doctor_versions(struct doctor *doctor);
void doctor_recorder(struct doctor *doctor);
void doctor_record(struct doctor *doctor);
void doctor_units(struct doctor *doctor);
void doctor_sandbox(struct doctor *doctor);
void doctor_power(struct doctor *doctor);
void doctor_space(struct doctor *doctor);
void doctor_card(struct doctor *doctor);
void doctor_lines(struct doctor *doctor);
void doctor_buttons(struct doctor *doctor);
void doctor_lamps(struct doctor *doctor);
void doctor_microphone(struct doctor *doctor);
void doctor_level(struct doctor *doctor);
void doctor_clock(struct doctor *doctor);
void doctor_time_source(struct doctor *doctor);
void doctor_pairing(struct doctor *doctor);
void doctor_server(struct doctor *doctor);
void doctor_key(struct doctor *doctor);
void doctor_unsent(struct doctor *doctor);

/*
 * Says a finding of the check that looks now; printf-style, one sentence. Never
 * NULL: without room the last one is used again. Borrowed.
 */
struct finding *doctor_say(struct doctor *doctor, enum finding_state state, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* What to do about it. */
void finding_fix(struct finding *finding, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A fact for programs; takes @value over, also on failure. */
void finding_value(struct finding *finding, const char *name, json_t *value);

/* "unknown", and the way out: more rights. */
void doctor_say_hidden(struct doctor *doctor, const char *what);

/* --- doctor_draw.c --- */

/* The group's name, if it is another than @before's; then the finding. */
void doctor_draw(const struct doctor *doctor, const struct finding *finding,
	const struct check *before, FILE *stream);
void doctor_draw_head(const struct doctor *doctor, FILE *stream);
void doctor_draw_sum(const struct doctor *doctor, FILE *stream);

/* All of it as JSON to standard output. 0, -ENOMEM or -EIO. */
int doctor_print_json(const struct doctor *doctor) MUST_CHECK;

/* How many findings are in that state. */
size_t doctor_count(const struct doctor *doctor, enum finding_state state);

#endif
