/* The sound file behind the simulated microphone. */
#ifndef SIM_TAPE_H
#define SIM_TAPE_H

#include "app/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAPE_CHANNELS_MAX 32
#define TAPE_RUN_FRAMES 1024

struct tape;

/*
 * Opens a sound file of any format libsndfile reads; NULL or "" is endless
 * silence at 48 kHz mono. With @loop it begins anew at its end; without,
 * silence follows. Nothing is read ahead. Returns 0, -EINVAL or -errno with an
 * explanation, -ENOMEM. Close with tape_close(), which takes NULL. Blocks on
 * the file.
 */
int tape_open(const char *path, bool loop, struct tape **ret_tape,
	struct error *error) MUST_CHECK;
void tape_close(struct tape *tape);

unsigned tape_rate_hz(const struct tape *tape);
unsigned tape_channels(const struct tape *tape);
/* Whether 16 bits hold all that is in the file. */
bool tape_fits_16(const struct tape *tape);

/*
 * Reads @n frames (at most TAPE_RUN_FRAMES) from the absolute @frame, samples
 * interleaved, full scale at 1. Before frame 0 there is silence, and where the
 * file cannot be read. Integer samples come exact. Blocks on the file.
 */
void tape_read(struct tape *tape, int64_t frame, size_t n, double *ret_samples);

#endif
