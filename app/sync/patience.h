/*
 * How long to wait before trying again: full jitter, rand(0, min(cap, base x 2^n)),
 * so that the boxes of a district that lost their server together do not come back
 * together. After "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.
 * Pure: the caller brings the dice and does the waiting.
 */
#ifndef SYNC_PATIENCE_H
#define SYNC_PATIENCE_H

#include "app/base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define PATIENCE_BASE_MS 1000
#define PATIENCE_CAP_MS 120000
#define PATIENCE_TRIES_MAX 8 /* in a row, without anything having worked */

struct patience {
	int64_t left_ms; /* what this run may still spend on waiting */
	int failures; /* in a row */
	uint32_t (*dice)(uint32_t below); /* a number from 0 to below - 1 */
};

/* @budget_ms: all that the run may wait, in sum. */
void patience_init(struct patience *patience, int64_t budget_ms, uint32_t (*dice)(uint32_t below));

/* Something worked: what comes next starts from the shortest wait again. */
void patience_worked(struct patience *patience);

/*
 * Something failed. @retry_after_s is what the server asked for, negative if it
 * did not. True with the ms to wait before the next try (taken off the budget); a
 * wait asked for is kept to, with some jitter on top. False: not in this run.
 */
bool patience_failed(struct patience *patience, int64_t retry_after_s, int64_t *ret_wait_ms);

#endif
