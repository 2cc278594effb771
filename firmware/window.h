/*
 * Which stretches of sound are kept: windows around presses, merged where they
 * overlap, cut where they grow too long. Pure.
 */
#ifndef FIRMWARE_WINDOW_H
#define FIRMWARE_WINDOW_H

#include "app/base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WINDOW_LONGEST_NS (120 * NS_PER_S)
#define WINDOWS_MAX 64

/* One snippet to be: times of CLOCK_MONOTONIC. */
struct window {
	int64_t from_ns, to_ns;
	void *snippet; /* the keeper's; NULL until it is begun */
};

/* Zeroed memory is an empty plan. In order of from_ns; they never overlap. */
struct windows {
	struct window list[WINDOWS_MAX];
	size_t n;
};

/*
 * Wants the sound of [from, to): extends the window it overlaps or touches, and
 * begins new ones for what is not covered. A window longer than 120 s is cut
 * there and the next begins at that frame, so nothing is missing or doubled.
 * False when there is no room for another one: what fits is kept.
 */
bool windows_keep(struct windows *windows, int64_t from_ns, int64_t to_ns);

/* Takes window @i out. */
void windows_remove(struct windows *windows, size_t i);

/*
 * Whether window @i can be finished: at @now_ns its end has passed so long ago
 * that no press still to come, which looks back @before_ns, can touch it. A full
 * one waits too: what it holds must not be begun a second time.
 */
bool windows_over(const struct windows *windows, size_t i, int64_t now_ns, int64_t before_ns);

#endif
