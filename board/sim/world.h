/* When each frame of the simulated microphone sounds, and what goes wrong then. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "app/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORLD_WINDOWS_MAX 256
#define WORLD_NEVER INT64_MAX

enum world_fault { WORLD_STALL, WORLD_DEAD, WORLD_UNPLUG, WORLD_SUSPEND };

/* A stretch in which a fault holds: [from, to), ns of CLOCK_MONOTONIC. */
struct world_window {
	enum world_fault fault;
	int64_t from_ns, to_ns;
};

/* Plain memory, owned by the caller; no clean-up. */
struct world {
	int64_t epoch_ns; /* frame 0 sounds here, ns of CLOCK_MONOTONIC */
	double speed;     /* simulated seconds in a real one */
	double ppm;       /* the card's clock error */
	double card_hz;   /* frames the card delivers in a real second */
	struct world_window windows[WORLD_WINDOWS_MAX]; /* by their beginning */
	size_t n_windows;
};

/*
 * Reads what CHALKBOX_SIM_CLOCK, _PPM and _FAULTS hold (board/sim/README.md);
 * NULL or "" for a variable that is not set. @first_look_ns is the epoch where
 * the clock names none. Returns 0, or -EINVAL with an explanation that names
 * the variable. Does not block. Before the frame functions below are used,
 * world_set_rate() must have said how many frames a second of the sound has.
 */
int world_init(struct world *world, const char *clock, const char *ppm, const char *faults,
	int64_t first_look_ns, struct error *error) MUST_CHECK;
void world_set_rate(struct world *world, unsigned rate_hz);

/*
 * How many frames of the world's sound have sounded whole by then; negative
 * before the epoch. And back: the first moment at which that many have.
 */
int64_t world_frames(const struct world *world, int64_t t_ns);
int64_t world_frames_ns(const struct world *world, int64_t frames);

/* Whether the fault holds then; *ret_to_ns is when it stops. */
bool world_fault(const struct world *world, enum world_fault fault, int64_t t_ns,
	int64_t *ret_to_ns);

/* When the fault next begins after then, or WORLD_NEVER. */
int64_t world_next(const struct world *world, enum world_fault fault, int64_t t_ns);

/*
 * What a card started at the world's frame @start has delivered when the
 * world is at frame @now: the frames between, less those of dead and suspended
 * stretches.
 */
int64_t world_delivered(const struct world *world, int64_t start, int64_t now);

/*
 * Which of the world's frames is the @n-th that card delivers, from 0, and how
 * many follow it without a hole.
 */
int64_t world_source(const struct world *world, int64_t start, int64_t n, int64_t *ret_run);

#endif
