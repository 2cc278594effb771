/* What the first walk over the entries gathers; private to app/timeline. */
#ifndef TIMELINE_GATHER_H
#define TIMELINE_GATHER_H

#include "app/timeline/timeline.h"

#define LENGTH_MOST_NS (24 * 3600 * NS_PER_S)
#define BEFORE_MOST_NS (3600 * NS_PER_S) /* sound from before the start */

/* A start of the recorder, and whether it was in the observation's kernel boot. */
struct boot {
	int64_t seq;
	bool same;
};

/* From here on the microphone was in that state. */
struct change {
	int64_t t_ns;
	enum mic_state state;
	char cause[160];
};

struct chunk {
	int64_t from_ns;
	int step_ms;
	uint8_t *levels;
	size_t n;
};

struct fold {
	const struct entry **order; /* by seq, each once */
	size_t n;
	const struct entry *start, *end;
	struct boot *boots;
	size_t n_boots;
	struct change *changes; /* the first is the state at the start */
	size_t n_changes;
	struct chunk *chunks;
	size_t n_chunks;
	int64_t latest_ns; /* the latest sign of life, from the start */
	bool passed;       /* another start came after it */
	struct timeline *timeline;
};

/*
 * Sorts the entries and finds the start. -ENOENT, -ENOMEM. What fold owns goes
 * with fold_fini(), the timeline excepted.
 */
int fold_init(struct fold *fold, const struct entry *entries, size_t n, int64_t observation,
	struct timeline *timeline) MUST_CHECK;
void fold_fini(struct fold *fold);

/*
 * The first walk: pairs, snippets, cues, gaps and the end into the timeline, the
 * rest into the fold. The timeline's scheme must be there. 0 or -ENOMEM.
 */
int fold_gather(struct fold *fold) MUST_CHECK;

/* The facts, or none where the body is broken. 0 or -ENOMEM. */
int facts_of(const struct entry *entry, struct facts *ret_facts) MUST_CHECK;

/* A time of the observation's clock, counted from its start, held in range. */
int64_t from_start(const struct fold *fold, int64_t t_ns);
int64_t clamp(int64_t t_ns, int64_t least_ns, int64_t most_ns);

/* Whether the entry's t_ns is of the observation's clock. */
bool same_boot(const struct fold *fold, const struct entry *entry);

#endif
