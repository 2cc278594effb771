/* How a box is, in one small JSON object: what goes to the server with each sync. */
#ifndef HEALTH_HEALTH_H
#define HEALTH_HEALTH_H

#include "app/base/clock.h"
#include "app/health/card.h"
#include "app/health/machine.h"
#include "app/health/power.h"
#include "app/health/told.h"

#include <jansson.h>

struct health {
	struct machine machine;
	struct power power;
	struct card_room room; /* total_bytes 0: could not be asked */
	struct card_speed speed; /* writes 0: could not be measured */
	struct clock_pair clock;
	const struct told *told; /* borrowed, as is @wiring */
	const char *wiring; /* the board's title */
	bool recorder; /* it answers */
};

/*
 * Asks the machine and the clock, and the card of the folder @state for its room;
 * the folder @writes (on the same card) is written to for its speed. The rest is
 * the caller's. Blocks on the card, for a second at most.
 */
void health_look(struct health *health, const char *state, const char *writes);

/*
 * As API.md describes it: no name, nothing heard, under 2 KiB. What is not known
 * is left out. NULL without memory; json_decref() it.
 */
json_t *health_json(const struct health *health);

#endif
