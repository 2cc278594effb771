/* Press scripts: which button goes down or up at which second. Pure. */
#ifndef CLI_PRESSSCRIPT_H
#define CLI_PRESSSCRIPT_H

#include "app/base/config.h"
#include "app/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PRESSSCRIPT_STEPS_MAX 1000000
#define PRESSSCRIPT_SECONDS_MAX 1000000

/* One line of a script: "seconds line press|release". */
struct press_step {
	int64_t t_ns; /* from the script's second 0 */
	char line[CONFIG_NAME_CHARS];
	bool press;
	int number; /* of the line in the file, from 1 */
};

struct pressscript {
	struct press_step *list;
	size_t n, room;
};

/*
 * Reads a script that is in memory; @name is what messages call it. Seconds are
 * decimal, 0 to 1000000, with up to nine places, and never go back; what follows
 * a `#` and empty lines are left out. Returns 0, -EINVAL with "NAME:LINE: ..."
 * saying what would be right, or -ENOMEM. Free with pressscript_fini(), which
 * takes a zeroed script too. Does not block.
 */
int pressscript_parse(const char *text, size_t bytes, const char *name,
	struct pressscript *ret_script, struct error *error) MUST_CHECK;
void pressscript_fini(struct pressscript *script);

/*
 * Seconds as exact nanoseconds: digits, and a point with up to nine digits
 * behind it. 0, or -EINVAL for anything else or more than a million seconds.
 */
int press_seconds(const char *text, int64_t *ret_ns) MUST_CHECK;

#endif
