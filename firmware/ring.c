#include "firmware/ring.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct ring {
	pthread_mutex_t lock;
	int16_t *frames;
	size_t room;
	int64_t head, tail;
	uint32_t generation;
};

struct ring *ring_new(void)
{
	struct ring *ring = calloc(1, sizeof(*ring));
	if (!ring) {
		return NULL;
	}
	pthread_mutexattr_t attr;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&ring->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	return ring;
}

void ring_free(struct ring *ring)
{
	if (!ring) {
		return;
	}
	pthread_mutex_destroy(&ring->lock);
	if (ring->frames) {
		explicit_bzero(ring->frames, ring->room * sizeof(*ring->frames));
	}
	free(ring->frames);
	free(ring);
}

int ring_reset(struct ring *ring, size_t frames)
{
	if (ring->frames && frames == ring->room) {
		/* the same card again: no second ring beside the old one, not even for
		   a moment, because the heap might not shrink by it again */
		pthread_mutex_lock(&ring->lock);
		explicit_bzero(ring->frames, ring->room * sizeof(*ring->frames));
		ring->tail = ring->head;
		ring->generation++;
		pthread_mutex_unlock(&ring->lock);
		return 0;
	}
	int16_t *fresh = calloc(frames, sizeof(*fresh));
	if (!fresh) {
		return -ENOMEM;
	}
	pthread_mutex_lock(&ring->lock);
	int16_t *old = ring->frames;
	size_t old_bytes = ring->room * sizeof(*old);
	ring->frames = fresh;
	ring->room = frames;
	ring->tail = ring->head;
	ring->generation++;
	pthread_mutex_unlock(&ring->lock);
	if (old) {
		explicit_bzero(old, old_bytes);
	}
	free(old);
	return 0;
}

/* Copies into (@frames NULL: zeros) the place of index @at, around the end. */
static void put(struct ring *ring, int64_t at, const int16_t *frames, size_t n)
{
	size_t place = (size_t)(at % (int64_t)ring->room);
	size_t first = n < ring->room - place ? n : ring->room - place;
	if (frames) {
		memcpy(ring->frames + place, frames, first * sizeof(*frames));
		memcpy(ring->frames, frames + first, (n - first) * sizeof(*frames));
	} else {
		memset(ring->frames + place, 0, first * sizeof(*frames));
		memset(ring->frames, 0, (n - first) * sizeof(*frames));
	}
}

void ring_write(struct ring *ring, const int16_t *frames, size_t n)
{
	pthread_mutex_lock(&ring->lock);
	if (ring->room) {
		size_t kept = n < ring->room ? n : ring->room;
		int64_t end = ring->head + (int64_t)n;
		put(ring, end - (int64_t)kept, frames ? frames + (n - kept) : NULL, kept);
		ring->head = end;
		if (ring->tail < end - (int64_t)ring->room) {
			ring->tail = end - (int64_t)ring->room;
		}
	}
	pthread_mutex_unlock(&ring->lock);
}

void ring_wipe(struct ring *ring)
{
	pthread_mutex_lock(&ring->lock);
	if (ring->frames) {
		explicit_bzero(ring->frames, ring->room * sizeof(*ring->frames));
	}
	ring->tail = ring->head;
	pthread_mutex_unlock(&ring->lock);
}

struct ring_span ring_span(struct ring *ring)
{
	pthread_mutex_lock(&ring->lock);
	struct ring_span span = {ring->tail, ring->head, ring->generation};
	pthread_mutex_unlock(&ring->lock);
	return span;
}

ssize_t ring_read(
	struct ring *ring, uint32_t generation, int64_t from, int16_t *ret_frames, size_t n)
{
	ssize_t r;
	pthread_mutex_lock(&ring->lock);
	if (generation != ring->generation) {
		r = -ESTALE;
	} else if (from < ring->tail) {
		r = -ERANGE;
	} else if (from >= ring->head) {
		r = 0;
	} else {
		size_t there = (size_t)(ring->head - from);
		size_t got = n < there ? n : there;
		size_t place = (size_t)(from % (int64_t)ring->room);
		size_t first = got < ring->room - place ? got : ring->room - place;
		memcpy(ret_frames, ring->frames + place, first * sizeof(*ret_frames));
		memcpy(ret_frames + first, ring->frames, (got - first) * sizeof(*ret_frames));
		r = (ssize_t)got;
	}
	pthread_mutex_unlock(&ring->lock);
	return r;
}
