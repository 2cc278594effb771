/* How loud it was, ten times a second; nothing of what was said. Pure. */
#ifndef FIRMWARE_LOUDNESS_H
#define FIRMWARE_LOUDNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOUDNESS_STEP_MS 100
#define LOUDNESS_SILENT 254 /* -127 dB and below */

struct loudness {
	size_t step; /* frames */
	size_t in_step;
	int64_t squares; /* their sum */
};

void loudness_init(struct loudness *loudness, int rate_hz);

/* How many frames are missing to the end of the step. */
size_t loudness_missing(const struct loudness *loudness);

/*
 * Adds at most loudness_missing() frames. When the step is full, true and its
 * level: RMS in half decibels below a full-scale sine, 0-254.
 */
bool loudness_add(
	struct loudness *loudness, const int16_t *frames, size_t n, uint8_t *ret_level);

#endif
