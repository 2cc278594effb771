/* A snippet's Ogg Opus, decoded. */
#ifndef CLI_SOUND_H
#define CLI_SOUND_H

#include "app/base/error.h"

#include <stddef.h>
#include <stdint.h>

#define SOUND_RATE_HZ 48000 /* Opus decodes to nothing else */
#define SOUND_CHANNELS_MAX 8

struct sound;

/*
 * 0, or -errno with an explanation; -EBADMSG for what is no Ogg Opus. Blocks on
 * the file. Close with sound_close(), which takes NULL. One thread.
 */
int sound_open(const char *path, struct sound **ret_sound, struct error *error) MUST_CHECK;
void sound_close(struct sound *sound);

int sound_channels(const struct sound *sound);
int64_t sound_frames(const struct sound *sound);

/* The next sound read is that of frame @frame, kept inside the file. */
int sound_seek(struct sound *sound, int64_t frame, struct error *error) MUST_CHECK;

/*
 * The next interleaved samples, at most @room values, which must take 120 ms of
 * all channels. Returns the number of frames, 0 at the end, or -EBADMSG with an
 * explanation for a file damaged there.
 */
int sound_read(struct sound *sound, int16_t *ret_samples, int room, struct error *error) MUST_CHECK;

#define SOUND_READ_SAMPLES (SOUND_RATE_HZ / 1000 * 120 * SOUND_CHANNELS_MAX)

#endif
