/* The card (or disk) that a folder lies on: how full, how quick. */
#ifndef HEALTH_CARD_H
#define HEALTH_CARD_H

#include "app/base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct card_room {
	int64_t free_bytes, total_bytes; /* free to everybody */
	bool read_only;
};

/* 0 or -errno. Blocks on the file system. */
int card_room(const char *dir, struct card_room *ret_room) MUST_CHECK;

/* How long one small write takes until it is on the card. */
struct card_speed {
	int64_t median_ns, p99_ns;
	int writes; /* how many were measured */
};

/*
 * Writes and syncs 4 KiB, at most @writes times and no new one after @most_ns, in
 * a file of the folder that has no name and is gone afterwards. 0 or -errno.
 * Blocks on the card.
 */
int card_time(
	const char *dir, int writes, int64_t most_ns, struct card_speed *ret_speed) MUST_CHECK;

/* Sorts the measurements (ns, at least one) and tells of them. Pure. */
void card_rank(int64_t *list, int n, struct card_speed *ret_speed);

#endif
