#include "firmware/loudness.h"

#include <assert.h>
#include <math.h>

void loudness_init(struct loudness *loudness, int rate_hz)
{
	*loudness = (struct loudness){.step = (size_t)rate_hz * LOUDNESS_STEP_MS / 1000};
}

size_t loudness_missing(const struct loudness *loudness)
{
	return loudness->step - loudness->in_step;
}

static uint8_t level_of(double mean_square)
{
	/* a full-scale sine has a mean square of half the square of its peak */
	const double full = 32768.0 * 32768.0 / 2;
	if (mean_square <= 0) {
		return LOUDNESS_SILENT;
	}
	double half_db = -20 * log10(mean_square / full);
	return half_db < 0 ? 0
		: half_db > LOUDNESS_SILENT ? LOUDNESS_SILENT
					    : (uint8_t)lround(half_db);
}

bool loudness_add(struct loudness *loudness, const int16_t *frames, size_t n, uint8_t *ret_level)
{
	assert(n <= loudness_missing(loudness));
	int64_t squares = 0; /* exact, and quick on the smallest processors */
	for (size_t i = 0; i < n; i++) {
		squares += (int32_t)frames[i] * frames[i];
	}
	loudness->squares += squares;
	loudness->in_step += n;
	if (loudness->in_step < loudness->step) {
		return false;
	}
	*ret_level = level_of((double)loudness->squares / (double)loudness->step);
	loudness->squares = 0;
	loudness->in_step = 0;
	return true;
}
