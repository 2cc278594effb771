#include "firmware/level.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES_A_READ 4096
#define FULL 32767
#define AT_FULL 32700 /* some converters never give the very last values */
#define NOTHING_DB -200

bool level_look(struct ring *ring, int rate_hz, struct level *ret_level)
{
	int16_t frames[FRAMES_A_READ];
	struct ring_span span = ring_span(ring);
	int64_t at = span.head - (int64_t)rate_hz * LEVEL_S, n = 0, squares = 0;
	int peak = 0;
	ssize_t got;

	at = at < span.tail ? span.tail : at;
	while (at < span.head &&
		(got = ring_read(ring, span.generation, at, frames, FRAMES_A_READ)) > 0) {
		for (ssize_t i = 0; i < got; i++) {
			int size = abs(frames[i]);
			peak = size > peak ? size : peak;
			squares += (int64_t)frames[i] * frames[i];
		}
		at += got;
		n += got;
	}
	explicit_bzero(frames, sizeof(frames));
	if (n == 0 || rate_hz <= 0) {
		return false;
	}
	*ret_level = (struct level){
		.rms_db = squares ? 10 * log10((double)squares / (double)n / (32768.0 * 32768.0 / 2))
				  : NOTHING_DB,
		.peak_permille = peak >= AT_FULL ? 1000 : (int)(peak * INT64_C(1000) / FULL),
		.ms = (int)(n * 1000 / rate_hz)};
	return true;
}
