/* Where decoded sound goes: to ALSA by way of aplay, or into a WAV file. */
#ifndef CLI_SPEAKER_H
#define CLI_SPEAKER_H

#include "app/cli/sound.h"

/*
 * Plays from where @sound stands to its end, on the ALSA device @device, or the
 * default one for NULL. Blocks until it has sounded. 0, or a negative code with an
 * explanation; -ENOENT without aplay. SIGPIPE must be ignored.
 */
int speaker_play(struct sound *sound, const char *device, struct error *error) MUST_CHECK;

/*
 * Writes the same as 16-bit WAV; the file appears under its name only when it is
 * whole. 0 or -errno with an explanation.
 */
int speaker_write(struct sound *sound, const char *path, struct error *error) MUST_CHECK;

#endif
