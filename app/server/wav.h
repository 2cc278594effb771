/* Ogg Opus as WAV, for browsers that do not play it. */
#ifndef SERVER_WAV_H
#define SERVER_WAV_H

#include "app/base/error.h"

#include <stddef.h>
#include <sys/types.h>

#define WAV_RATE_HZ 48000
#define WAV_SECONDS_MOST 300

/*
 * Decodes the Ogg Opus file behind @fd (@bytes long; stays open) into a WAV file in
 * memory: 48 kHz, 16 bits, mono. Caller frees it. 0; -EBADMSG when it is no such
 * sound, damaged or longer than WAV_SECONDS_MOST; -ENOMEM or -errno. Blocks.
 */
int wav_decode(int fd, off_t bytes, unsigned char **ret_wav, size_t *ret_n) MUST_CHECK;

#endif
