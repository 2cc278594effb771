/*
 * A box without a battery clock may learn the time late, in the middle of a
 * lesson. The monotonic clock runs through, so that one trusted pair of both
 * clocks dates all of its boot, what went before it too. The nearest pair is the
 * best one: crystals drift, by DRIFT_PPM at most, and that is how the uncertainty
 * grows with the distance.
 */
#include "app/timeline/wall.h"

#include <stdlib.h>

#define DRIFT_PPM 50

int64_t ns_minus(int64_t a_ns, int64_t b_ns)
{
	int64_t ns;

	if (__builtin_sub_overflow(a_ns, b_ns, &ns)) {
		return a_ns < b_ns ? INT64_MIN : INT64_MAX;
	}
	return ns;
}

int64_t ns_plus(int64_t a_ns, int64_t b_ns)
{
	int64_t ns;

	if (__builtin_add_overflow(a_ns, b_ns, &ns)) {
		return a_ns < 0 ? INT64_MIN : INT64_MAX;
	}
	return ns;
}

static int64_t distance(int64_t a_ns, int64_t b_ns)
{
	return a_ns > b_ns ? ns_minus(a_ns, b_ns) : ns_minus(b_ns, a_ns);
}

/* Of two pairs of one moment the surer one comes first. */
static int by_time(const void *left, const void *right)
{
	const struct clock_pair *a = left, *b = right;

	if (a->t_ns != b->t_ns) {
		return a->t_ns < b->t_ns ? -1 : 1;
	}
	if (a->uncertainty_ns != b->uncertainty_ns) {
		return a->uncertainty_ns < b->uncertainty_ns ? -1 : 1;
	}
	return (a->realtime_ns > b->realtime_ns) - (a->realtime_ns < b->realtime_ns);
}

size_t wall_settle(struct clock_pair *pairs, size_t n)
{
	size_t i, trusted = 0;

	for (i = 0; i < n; i++) {
		if (pairs[i].uncertainty_ns < 0) {
			pairs[i].uncertainty_ns = INT64_MAX; /* nonsense: anything may be */
		}
		if (pairs[i].trusted) {
			struct clock_pair pair = pairs[trusted];

			pairs[trusted++] = pairs[i];
			pairs[i] = pair;
		}
	}
	if (trusted > 0) {
		n = trusted;
	}
	if (n > 1) {
		qsort(pairs, n, sizeof(*pairs), by_time);
	}
	return n;
}

struct moment wall_moment(const struct clock_pair *pairs, size_t n, int64_t t_ns)
{
	const struct clock_pair *pair;
	size_t from = 0, to = n;
	int64_t apart_ns;

	if (n == 0) {
		return (struct moment){0};
	}
	while (from < to) { /* the first pair not before the moment */
		size_t middle = from + (to - from) / 2;

		if (pairs[middle].t_ns < t_ns) {
			from = middle + 1;
		} else {
			to = middle;
		}
	}
	if (from == n ||
		(from > 0 &&
			distance(pairs[from - 1].t_ns, t_ns) <= distance(pairs[from].t_ns, t_ns))) {
		from--;
	}
	pair = &pairs[from];
	apart_ns = distance(pair->t_ns, t_ns);
	return (struct moment){
		.realtime_ns = ns_plus(pair->realtime_ns, ns_minus(t_ns, pair->t_ns)),
		.uncertainty_ns = ns_plus(pair->uncertainty_ns, apart_ns / (1000000 / DRIFT_PPM)),
		.known = pair->trusted,
	};
}
