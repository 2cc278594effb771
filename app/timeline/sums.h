/* What the lanes of a timeline add up to; private to app/timeline. */
#ifndef TIMELINE_SUMS_H
#define TIMELINE_SUMS_H

#include "app/timeline/timeline.h"

/* Fills timeline->sums from its events and scheme. 0 or -ENOMEM. */
int sums_make(struct timeline *timeline) MUST_CHECK;

#endif
