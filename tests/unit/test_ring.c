#include "firmware/ring.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROOM 100

/* What frame @index holds wherever a test writes one. */
static int16_t frame_of(int64_t index)
{
	return (int16_t)(index * 7 + 1);
}

static void write_frames(struct ring *ring, size_t n)
{
	int16_t *frames = malloc(n * sizeof(*frames));
	int64_t head = ring_span(ring).head;
	assert_non_null(frames);
	for (size_t i = 0; i < n; i++) {
		frames[i] = frame_of(head + (int64_t)i);
	}
	ring_write(ring, frames, n);
	free(frames);
}

static void assert_holds(struct ring *ring, int64_t from, int64_t to)
{
	int16_t frames[4 * ROOM];
	struct ring_span span = ring_span(ring);
	ssize_t got = ring_read(ring, span.generation, from, frames, sizeof(frames) / 2);
	assert_int_equal(span.tail, from);
	assert_int_equal(span.head, to);
	assert_int_equal(got, to - from);
	for (ssize_t i = 0; i < got; i++) {
		assert_int_equal(frames[i], frame_of(from + i));
	}
}

static struct ring *new_ring(void)
{
	struct ring *ring = ring_new();
	assert_non_null(ring);
	assert_int_equal(ring_reset(ring, ROOM), 0);
	return ring;
}

static void frames_keep_their_index_around_the_end(void **state)
{
	struct ring *ring = new_ring();
	int64_t head = 0;
	for (size_t n = 1; n < ROOM; n += 13) {
		write_frames(ring, n);
		head += (int64_t)n;
		assert_holds(ring, head > ROOM ? head - ROOM : 0, head);
	}
	ring_free(ring);
}

static void more_than_fits_at_once_leaves_the_latest(void **state)
{
	struct ring *ring = new_ring();
	write_frames(ring, 37);
	write_frames(ring, 3 * ROOM + 11);
	assert_holds(ring, 37 + 2 * ROOM + 11, 37 + 3 * ROOM + 11);
	write_frames(ring, ROOM);
	assert_holds(ring, 37 + 3 * ROOM + 11, 37 + 4 * ROOM + 11);
	ring_free(ring);
}

static void silence_counts_as_frames(void **state)
{
	struct ring *ring = new_ring();
	int16_t frames[ROOM];
	write_frames(ring, ROOM - 5);
	ring_write(ring, NULL, 10);
	struct ring_span span = ring_span(ring);
	assert_int_equal(span.head, ROOM + 5);
	assert_int_equal(ring_read(ring, span.generation, ROOM - 5, frames, ROOM), 10);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(frames[i], 0);
	}
	assert_int_equal(ring_read(ring, span.generation, ROOM - 6, frames, 1), 1);
	assert_int_equal(frames[0], frame_of(ROOM - 6));
	ring_write(ring, NULL, 10 * ROOM);
	span = ring_span(ring);
	assert_int_equal(span.tail, 10 * ROOM + 5);
	assert_int_equal(ring_read(ring, span.generation, span.tail, frames, ROOM), ROOM);
	for (int i = 0; i < ROOM; i++) {
		assert_int_equal(frames[i], 0);
	}
	ring_free(ring);
}

static void what_is_overwritten_or_not_there_yet_is_told_apart(void **state)
{
	struct ring *ring = new_ring();
	int16_t frames[ROOM];
	write_frames(ring, ROOM + 1);
	uint32_t generation = ring_span(ring).generation;
	assert_int_equal(ring_read(ring, generation, 0, frames, 1), -ERANGE);
	assert_int_equal(ring_read(ring, generation, -1, frames, 1), -ERANGE);
	assert_int_equal(ring_read(ring, generation, 1, frames, 1), 1);
	assert_int_equal(ring_read(ring, generation, ROOM, frames, ROOM), 1);
	assert_int_equal(ring_read(ring, generation, ROOM + 1, frames, 1), 0);
	assert_int_equal(ring_read(ring, generation, INT64_MAX, frames, 1), 0);
	ring_free(ring);
}

static void a_wipe_leaves_nothing_and_the_index_goes_on(void **state)
{
	struct ring *ring = new_ring();
	int16_t frames[ROOM];
	write_frames(ring, 60);
	ring_wipe(ring);
	struct ring_span span = ring_span(ring);
	assert_int_equal(span.tail, 60);
	assert_int_equal(span.head, 60);
	assert_int_equal(ring_read(ring, span.generation, 59, frames, 1), -ERANGE);
	assert_int_equal(ring_read(ring, span.generation, 60, frames, 1), 0);
	write_frames(ring, 10);
	assert_holds(ring, 60, 70);
	ring_free(ring);
}

static void another_card_is_another_generation_and_the_index_goes_on(void **state)
{
	struct ring *ring = new_ring();
	int16_t frames[ROOM];
	write_frames(ring, 60);
	uint32_t before = ring_span(ring).generation;
	assert_int_equal(ring_reset(ring, 2 * ROOM), 0);
	assert_int_equal(ring_read(ring, before, 60, frames, 1), -ESTALE);
	assert_int_equal(ring_read(ring, before + 1, 59, frames, 1), -ERANGE);
	write_frames(ring, 3 * ROOM);
	assert_holds(ring, 60 + ROOM, 60 + 3 * ROOM);
	ring_free(ring);
}

static void an_empty_ring_takes_everything_and_gives_nothing(void **state)
{
	struct ring *ring = ring_new();
	int16_t frames[4] = {1, 2, 3, 4};
	assert_non_null(ring);
	ring_write(ring, frames, 4);
	ring_wipe(ring);
	struct ring_span span = ring_span(ring);
	assert_int_equal(span.head, 0);
	assert_int_equal(ring_read(ring, span.generation, 0, frames, 4), 0);
	ring_free(ring);
	ring_free(NULL);
}

struct pair {
	struct ring *ring;
	atomic_bool enough;
};

static void *write_on(void *data)
{
	struct pair *pair = data;
	for (int i = 0; !atomic_load(&pair->enough); i++) {
		write_frames(pair->ring, (size_t)(i % 37 + 1));
		if (i % 500 == 250) {
			ring_wipe(pair->ring);
		} else if (i % 500 == 499) {
			(void)!ring_reset(pair->ring, (size_t)(ROOM + i % 7));
		}
	}
	return NULL;
}

/* (cmocka's asserts are for one thread: the reader counts what is wrong.) */
static void a_reader_beside_a_writer_sees_whole_frames_in_order(void **state)
{
	struct pair pair = {.ring = new_ring()};
	pthread_t thread;
	int16_t frames[ROOM];
	struct ring_span span = ring_span(pair.ring);
	int64_t cursor = span.tail, wrong = 0, seen = 0, cards = 0;
	assert_int_equal(pthread_create(&thread, NULL, write_on, &pair), 0);
	while (seen < 20000 || cards < 5) {
		ssize_t got = ring_read(pair.ring, span.generation, cursor, frames, ROOM);
		if (got < 0) {
			struct ring_span now = ring_span(pair.ring);
			wrong += got != -ERANGE && got != -ESTALE;
			wrong += got == -ERANGE && now.tail <= cursor;
			wrong += got == -ESTALE && now.generation == span.generation;
			cards += got == -ESTALE;
			span = now;
			cursor = span.tail;
			continue;
		}
		for (ssize_t i = 0; i < got; i++) {
			wrong += frames[i] != frame_of(cursor + i);
		}
		cursor += got;
		seen += got;
	}
	atomic_store(&pair.enough, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(wrong, 0);
	ring_free(pair.ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_keep_their_index_around_the_end),
		cmocka_unit_test(more_than_fits_at_once_leaves_the_latest),
		cmocka_unit_test(silence_counts_as_frames),
		cmocka_unit_test(what_is_overwritten_or_not_there_yet_is_told_apart),
		cmocka_unit_test(a_wipe_leaves_nothing_and_the_index_goes_on),
		cmocka_unit_test(another_card_is_another_generation_and_the_index_goes_on),
		cmocka_unit_test(an_empty_ring_takes_everything_and_gives_nothing),
		cmocka_unit_test(a_reader_beside_a_writer_sees_whole_frames_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
