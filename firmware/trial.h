/*
 * Buttons and lamps tried by hand, for `chalkbox doctor`: presses are told to whom
 * asked, and not recorded; one lamp is lit alone. It ends by itself, so that one
 * forgotten costs no lesson, and all the while the lamps say that nothing is
 * saved. The mute switch is obeyed as ever. Pure.
 */
#ifndef FIRMWARE_TRIAL_H
#define FIRMWARE_TRIAL_H

#include "app/base/clock.h"
#include "app/base/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRIAL_NS (30 * NS_PER_S) /* after the last message of who tries */
#define TRIAL_PRESSES_MAX 32

struct trial_press {
	size_t button; /* index in config->buttons */
	bool down;
};

/* Zeroed memory is one that is over. */
struct trial {
	int64_t until_ns; /* 0: over */
	char lamp[CONFIG_NAME_CHARS]; /* the one to be lit; "" for none */
	struct trial_press list[TRIAL_PRESSES_MAX]; /* not yet told */
	size_t n;
};

/* Begins, or goes on from now; @lamp as above. */
void trial_begin(struct trial *trial, int64_t now_ns, const char *lamp);
void trial_end(struct trial *trial);

/* Whether it is on; takes NULL. */
bool trial_on(const struct trial *trial, int64_t now_ns);

/* Takes a press or release; one too many is dropped. */
void trial_press(struct trial *trial, size_t button, bool down);

#endif
