#include "firmware/loudness.h"

#include <math.h>

#define STEPS_A_SECOND (1000 / LOUDNESS_STEP_MS)

void loudness_init(struct loudness *loudness, int rate_hz)
{
	*loudness = (struct loudness){.rate_hz = rate_hz};
}

static uint8_t level_of(double mean_square)
{
	/* A full-scale sine has a mean square of half the square of its peak. */
	double full = 32768.0 * 32768.0 / 2;
	if (mean_square <= 0) {
		return LOUDNESS_SILENT;
	}
	double half_db = -20 * log10(mean_square / full);
	return half_db < 0 ? 0 : half_db > LOUDNESS_SILENT ? LOUDNESS_SILENT : (uint8_t)lround(half_db);
}

size_t loudness_add(struct loudness *loudness, const int16_t *frames, size_t n,
	uint8_t *ret_levels, size_t room)
{
	size_t levels = 0;
	for (size_t i = 0; i < n; i++) {
		loudness->squares += (double)frames[i] * frames[i];
		loudness->in_step++;
		loudness->frames++;
		/* rates that ten does not divide give steps of n or n + 1 frames */
		if (loudness->frames * STEPS_A_SECOND / loudness->rate_hz >
			(loudness->frames - 1) * STEPS_A_SECOND / loudness->rate_hz) {
			if (levels < room) {
				ret_levels[levels++] =
					level_of(loudness->squares / (double)loudness->in_step);
			}
			loudness->squares = 0;
			loudness->in_step = 0;
		}
	}
	return levels;
}
