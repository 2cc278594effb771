/* How loud it has been in the last seconds; nothing of what was said. */
#ifndef FIRMWARE_LEVEL_H
#define FIRMWARE_LEVEL_H

#include "firmware/ring.h"

#include <stdbool.h>

#define LEVEL_S 3

struct level {
	double rms_db; /* below a full-scale sine; -200 for nothing at all */
	int peak_permille; /* of full scale; 1000: it reaches it */
	int ms; /* of how much sound */
};

/*
 * Of the newest LEVEL_S seconds in the ring, recorded at @rate_hz. False when it
 * holds none. Any thread; does not block for long.
 */
bool level_look(struct ring *ring, int rate_hz, struct level *ret_level);

#endif
