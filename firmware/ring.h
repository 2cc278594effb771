/*
 * The last minute of sound, in memory only. Frames (mono, 16 bits) have an
 * absolute index that never goes back. One thread writes, others read; every
 * function may be called from any thread and holds a lock for no longer than a
 * memcpy.
 */
#ifndef FIRMWARE_RING_H
#define FIRMWARE_RING_H

#include "app/base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct ring;

/* NULL without memory. Free with ring_free(), which takes NULL. */
struct ring *ring_new(void);
void ring_free(struct ring *ring);

/*
 * A new card: room for @frames, nothing in it, the index goes on. Readers of the
 * sound before get -ESTALE from now on. 0 or -ENOMEM.
 */
int ring_reset(struct ring *ring, size_t frames) MUST_CHECK;

/* Adds frames; @frames NULL adds silence. Overwrites the oldest. */
void ring_write(struct ring *ring, const int16_t *frames, size_t n);

/* Forgets all sound and overwrites it with zeros. */
void ring_wipe(struct ring *ring);

/* What is held: [tail, head), and which card it came from. */
struct ring_span {
	int64_t tail, head;
	uint32_t generation;
};
struct ring_span ring_span(struct ring *ring);

/*
 * Copies up to @n frames from index @from on. Returns how many (0: not there
 * yet), -ERANGE when @from has been overwritten or wiped, -ESTALE when another
 * card is in.
 */
ssize_t ring_read(struct ring *ring, uint32_t generation, int64_t from, int16_t *ret_frames,
	size_t n) MUST_CHECK;

#endif
