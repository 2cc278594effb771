/*
 * The microphone: one ALSA card, opened as it is and converted here. The only
 * module that knows ALSA. All of it belongs to the thread that opened it.
 *
 * Native on purpose: ALSA's own conversion costs five times the processor time
 * on a Pi Zero and mixes the converter's fill level with the card's time stamps.
 */
#ifndef FIRMWARE_MICROPHONE_H
#define FIRMWARE_MICROPHONE_H

#include "app/base/config.h"
#include "app/base/error.h"

#include <stdint.h>
#include <sys/types.h>

struct microphone;

#define MICROPHONE_PERIOD_NS INT64_C(100000000)

/*
 * Opens config->pcm, or the card config->card, or the first card that records,
 * and starts it. 0; -ENODEV when there is no such card; -EBUSY when another
 * program has it; -EINVAL when it cannot be used (no such channel, no known
 * format), with an explanation. May block for some seconds in a driver.
 */
int microphone_open(const struct config *config, struct microphone **ret_mic,
	struct error *error) MUST_CHECK;
void microphone_close(struct microphone *mic);

/* What was opened; the name is borrowed until close. */
int microphone_rate_hz(const struct microphone *mic);
int64_t microphone_period_frames(const struct microphone *mic); /* of a wake */
const char *microphone_name(const struct microphone *mic);

/*
 * Waits until there are frames, @wake_fd is readable, or @timeout_ms (real
 * milliseconds) passed. 0, or -errno as microphone_read().
 */
int microphone_wait(struct microphone *mic, int wake_fd, int timeout_ms) MUST_CHECK;

/*
 * Where the card is: at *ret_t_ns (CLOCK_MONOTONIC) *ret_avail frames are
 * captured and not yet read. 0, or -errno as microphone_read().
 */
int microphone_stamp(struct microphone *mic, int64_t *ret_avail, int64_t *ret_t_ns) MUST_CHECK;

/*
 * Reads what is there, at most @n frames, as mono with 16 bits. Does not block.
 * Returns frames (0: none yet); -EPIPE: frames were lost, the card was started
 * again; other -errno: the card is gone or broken, close it.
 */
ssize_t microphone_read(struct microphone *mic, int16_t *ret_frames, size_t n) MUST_CHECK;

/* The version of ALSA's library; static. */
const char *microphone_library(void);

#endif
