/* GPIO lines by name, and who holds them; looks only. */
#ifndef CLI_GPIOLINES_H
#define CLI_GPIOLINES_H

#include "app/base/error.h"

#include <stdbool.h>

#define GPIOLINE_CHARS 32

struct gpioline {
	char chip[GPIOLINE_CHARS]; /* the label of its chip */
	bool used;
	char consumer[GPIOLINE_CHARS]; /* who uses it; may be "" */
};

/*
 * Looks for the line on all GPIO chips of this machine, or on those labelled @chip
 * if it is not "". 0; -ENOENT: there is none of that name; -ENODEV: no such chip;
 * -EACCES: the chips may not be opened; or -errno. Does not block for long.
 */
int gpioline_find(const char *chip, const char *name, struct gpioline *ret_line) MUST_CHECK;

#endif
