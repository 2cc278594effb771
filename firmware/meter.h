/* The loudness of a whole observation, read from the ring, an entry a minute. */
#ifndef FIRMWARE_METER_H
#define FIRMWARE_METER_H

#include "firmware/listener.h"
#include "firmware/loudness.h"
#include "firmware/recorder.h"
#include "firmware/ring.h"

#include <stdint.h>

#define METER_TICK_NS (10 * NS_PER_S)
#define METER_LEVELS 600

struct meter {
	struct ring *ring;         /* borrowed */
	struct listener *listener; /* borrowed */
	bool running;
	int64_t observation;
	int64_t next_ns;
	uint32_t generation;
	int64_t cursor; /* frame */
	int64_t from_ns; /* of levels[0] */
	struct loudness loudness;
	uint8_t levels[METER_LEVELS];
	size_t n;
};

void meter_init(struct meter *meter, struct ring *ring, struct listener *listener);

/* Runs from the frame of @now_ns on; meter_stop() writes the last entry. */
void meter_start(struct meter *meter, int64_t now_ns, int64_t observation);
void meter_stop(struct meter *meter, int64_t now_ns, struct recorder *recorder);

/* Reads what the ring has; full minutes become entries. */
void meter_advance(struct meter *meter, int64_t now_ns, struct recorder *recorder);

/* The sound stopped: the levels so far become an entry. */
void meter_flush(struct meter *meter, int64_t now_ns, struct recorder *recorder);

/* When to call meter_advance() next; INT64_MAX while it does not run. */
int64_t meter_deadline(const struct meter *meter);

#endif
