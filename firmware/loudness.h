/* How loud it was, ten times a second; nothing of what was said. Pure. */
#ifndef FIRMWARE_LOUDNESS_H
#define FIRMWARE_LOUDNESS_H

#include <stddef.h>
#include <stdint.h>

#define LOUDNESS_STEP_MS 100
#define LOUDNESS_SILENT 254 /* -127 dB and below */
#define LOUDNESS_UNKNOWN 255

struct loudness {
	int rate_hz;
	int64_t frames; /* seen since the start */
	double squares;
	int64_t in_step;
};

void loudness_init(struct loudness *loudness, int rate_hz);

/*
 * Adds frames; writes each finished step's level to ret_levels (RMS in half
 * decibels below a full-scale sine, 0-254) and returns how many. @room must be
 * at least n * 10 / rate + 1; further levels are dropped.
 */
size_t loudness_add(struct loudness *loudness, const int16_t *frames, size_t n,
	uint8_t *ret_levels, size_t room);

#endif
