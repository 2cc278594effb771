/* Who tried too often, and how long they wait. In memory, of a fixed size. */
#ifndef SERVER_BACKOFF_H
#define SERVER_BACKOFF_H

#include "app/base/error.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * So many tries are free; from then on each doubles the wait, up to the most. One
 * try is forgotten every forget_s (0: all of them, after an hour without any): an
 * address may be a whole school's, and somebody there always mistypes.
 */
struct backoff_rule {
	int free_tries;
	int64_t wait_most_s;
	int64_t forget_s;
};

struct backoff;

/* 0 or -ENOMEM. Free with backoff_free(), which takes NULL. */
int backoff_new(struct backoff **ret_backoff) MUST_CHECK;
void backoff_free(struct backoff *backoff);

/*
 * Counts a try of @who (an account, an address; any text) before it is made, so
 * that tries at one time count too. Returns 0, or how many seconds to wait: then
 * the try must not be made and did not count. An hour without one forgets. @now_ns
 * is any clock that only rises. Any thread.
 */
int64_t backoff_try(
	struct backoff *backoff, const struct backoff_rule *rule, const char *who, int64_t now_ns);

/* The try was right after all: takes it back, or with @all everything. */
void backoff_forgive(struct backoff *backoff, const char *who, bool all);

#endif
