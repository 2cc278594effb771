/* From the monotonic clock to the wall's; private to app/timeline. */
#ifndef TIMELINE_WALL_H
#define TIMELINE_WALL_H

#include "app/timeline/timeline.h"

/* Differences and sums of ns that stop at the ends of the range. */
int64_t ns_minus(int64_t a_ns, int64_t b_ns);
int64_t ns_plus(int64_t a_ns, int64_t b_ns);

/*
 * Puts pairs in order of time, and keeps the trusted ones only where there are
 * any. Returns how many are left at the front.
 */
size_t wall_settle(struct clock_pair *pairs, size_t n);

/* The moment of @t_ns by the settled pair that is nearest to it. */
struct moment wall_moment(const struct clock_pair *pairs, size_t n, int64_t t_ns);

#endif
