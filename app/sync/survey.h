/* What the journal tells sync, gathered in one walk over it. Pure. */
#ifndef SYNC_SURVEY_H
#define SYNC_SURVEY_H

#include "app/health/told.h"
#include "app/journal/entry.h"

struct survey_snippet {
	int64_t seq, bytes;
	bool gone; /* its file may leave the box, and should have */
	char file[64], sha256[65];
};

struct survey {
	int64_t last; /* the highest seq seen */
	bool open; /* an observation was begun and has no end */
	struct survey_snippet *snippets; /* by seq */
	size_t n, room;
	struct told told;
};

/* The snippet of that entry is gone. */
void survey_gone(struct survey *survey, int64_t seq);

/* Takes the next entry; entries come in order of seq. 0 or -ENOMEM. */
int survey_take(struct survey *survey, const struct entry *entry) MUST_CHECK;

/*
 * The snippet of that entry, or NULL when there is none or it is gone. Borrowed
 * until the next survey_take().
 */
const struct survey_snippet *survey_snippet(const struct survey *survey, int64_t seq);

void survey_fini(struct survey *survey);

#endif
