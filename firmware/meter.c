#include "firmware/meter.h"

#include <string.h>

#define FRAMES_A_READ 4096

void meter_init(struct meter *meter, struct ring *ring, struct listener *listener)
{
	*meter = (struct meter){.ring = ring, .listener = listener};
}

void meter_start(struct meter *meter, int64_t now_ns, int64_t observation)
{
	struct ring_span span = ring_span(meter->ring);
	meter->running = true;
	meter->observation = observation;
	meter->next_ns = now_ns + METER_TICK_NS;
	meter->generation = span.generation;
	if (!listener_frame(meter->listener, now_ns, &meter->cursor) || meter->cursor < span.tail) {
		meter->cursor = span.head;
	}
	meter->n = 0;
	loudness_init(&meter->loudness, listener_rate_hz(meter->listener));
}

static void write_entry(struct meter *meter, int64_t now_ns, struct recorder *recorder)
{
	if (meter->n == 0) {
		return;
	}
	struct facts facts = {.from_ns = meter->from_ns,
		.step_ms = LOUDNESS_STEP_MS,
		.levels = meter->levels,
		.n_levels = meter->n};
	recorder_note(recorder, ENTRY_LOUDNESS, now_ns, meter->observation, 0, &facts);
	meter->n = 0;
}

/* Another card, or a hole: what was heard is written, and it begins anew. */
static void begin_anew(struct meter *meter, int64_t now_ns, struct recorder *recorder)
{
	struct ring_span span = ring_span(meter->ring);
	write_entry(meter, now_ns, recorder);
	meter->generation = span.generation;
	meter->cursor = span.tail;
	loudness_init(&meter->loudness, listener_rate_hz(meter->listener));
}

/* Reads on, at most to the end of a step. False when there is nothing to read. */
static bool take(struct meter *meter, int64_t now_ns, struct recorder *recorder)
{
	int16_t frames[FRAMES_A_READ];
	uint8_t level;
	if (meter->n == 0 && meter->loudness.in_step == 0 &&
		!listener_time(meter->listener, meter->cursor, &meter->from_ns)) {
		return false;
	}
	size_t most = loudness_missing(&meter->loudness);
	ssize_t got = ring_read(meter->ring, meter->generation, meter->cursor, frames,
		most < FRAMES_A_READ ? most : FRAMES_A_READ);
	if (got < 0) {
		begin_anew(meter, now_ns, recorder);
		return meter->loudness.step > 0;
	}
	if (got > 0 && loudness_add(&meter->loudness, frames, (size_t)got, &level)) {
		meter->levels[meter->n++] = level;
		if (meter->n == METER_LEVELS) {
			write_entry(meter, now_ns, recorder);
		}
	}
	explicit_bzero(frames, sizeof(frames));
	meter->cursor += got;
	return got > 0;
}

void meter_advance(struct meter *meter, int64_t now_ns, struct recorder *recorder)
{
	meter->next_ns = now_ns + METER_TICK_NS;
	if (!meter->running) {
		return;
	}
	/* (a card that has just gone still has its last seconds in the ring) */
	if (meter->loudness.step == 0) {
		if (listener_rate_hz(meter->listener) == 0) {
			return;
		}
		begin_anew(meter, now_ns, recorder);
	}
	while (take(meter, now_ns, recorder)) {
	}
}

void meter_flush(struct meter *meter, int64_t now_ns, struct recorder *recorder)
{
	meter_advance(meter, now_ns, recorder);
	write_entry(meter, now_ns, recorder);
	meter->loudness.step = 0;
}

void meter_stop(struct meter *meter, int64_t now_ns, struct recorder *recorder)
{
	if (meter->running) {
		meter_flush(meter, now_ns, recorder);
		meter->running = false;
	}
}

int64_t meter_deadline(const struct meter *meter)
{
	return meter->running ? meter->next_ns : INT64_MAX;
}
