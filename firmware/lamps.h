/*
 * What the lamps say. The grammar is pure: facts in, a level per lamp and the
 * next moment of change out. Drivers put the levels on real lines.
 */
#ifndef FIRMWARE_LAMPS_H
#define FIRMWARE_LAMPS_H

#include "app/base/clock.h"
#include "app/base/config.h"

#include <stdbool.h>
#include <stdint.h>

#define LAMPS_RUNNING_MAX 16 /* as many as a scheme has codes */

/*
 * red: steady while the microphone is live. green: steady while an observation
 * is open; one blink for an event on disk; two for an interval prompt. amber:
 * steady while degraded but counting, fast while not saving. vibration: on
 * while green blinks. A lamp with a code's name: lit while that state runs.
 */
struct lamps {
	bool mic_live, observing, degraded, not_saving;
	char running[LAMPS_RUNNING_MAX][CONFIG_NAME_CHARS]; /* codes whose state runs; "" for none */
	int64_t blink_ns; /* the last confirmation's begin; 0 for never */
	int64_t cue_ns;   /* the last prompt's begin; 0 for never */
};

#define LAMPS_BLINK_NS (120 * NS_PER_MS)
#define LAMPS_FAST_NS (125 * NS_PER_MS)

/* An event is on disk. */
void lamps_confirm(struct lamps *lamps, int64_t now_ns);
/* Look up: an interval prompt. */
void lamps_cue(struct lamps *lamps, int64_t now_ns);

/* Whether the lamp of that name is lit at @now_ns. */
bool lamps_lit(const struct lamps *lamps, const char *name, int64_t now_ns);

/* When a lamp changes by itself next; INT64_MAX for never. */
int64_t lamps_deadline(const struct lamps *lamps, int64_t now_ns);

/* The hardware end: one for each kind of board. */
struct lamp_driver {
	/*
	 * Claims the lines of config->lamps, all dark. @buttons is the board's
	 * open button driver, for boards where both share a connection. 0, or
	 * -errno with an explanation that names the line. close() takes NULL.
	 */
	int (*open)(const struct config *config, void *buttons, void **ret_self,
		struct error *error);
	void (*close)(void *self);
	/* Lamp @i of config->lamps. 0 or -errno. Does not block. */
	int (*set)(void *self, size_t i, bool lit);
};

extern const struct lamp_driver lamp_driver_gpio;
extern const struct lamp_driver lamp_driver_sim;

#endif
