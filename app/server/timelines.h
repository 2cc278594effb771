/*
 * Timelines folded from what a box sent, and kept in memory as long as nothing
 * changes them. Any thread; blocks on the store.
 */
#ifndef SERVER_TIMELINES_H
#define SERVER_TIMELINES_H

#include "app/server/store_observations.h"
#include "app/timeline/timeline.h"

struct timelines;

/* What a list says about an observation. */
struct summary {
	struct moment start;
	int64_t length_ns;
	bool running;
	size_t events, snippets; /* events that were taken back do not count */
	bool closed; /* the clock it ran by is over: only entries of its own can change it */
};

/* 0 or -ENOMEM. Free with timelines_free(), which takes NULL. */
int timelines_new(struct timelines **ret_timelines) MUST_CHECK;
void timelines_free(struct timelines *timelines);

/*
 * 0; STORE_E_NONE when its start is not in the journal; STORE_E_TOO_MUCH; -EBUSY when
 * too many wait for theirs already; or another -errno.
 */
int timelines_summary(struct timelines *timelines, struct store *store,
	const struct observation *observation, struct summary *ret_summary,
	struct error *error) MUST_CHECK;

/*
 * The JSON of API.md as text; caller frees it. As above.
 */
int timelines_json(struct timelines *timelines, struct store *store,
	const struct observation *observation, char **ret_text, struct error *error) MUST_CHECK;

#endif
