/* The JSON forms, as chalkbox(1) documents them. */
#ifndef TIMELINE_JSON_H
#define TIMELINE_JSON_H

#include "app/timeline/timeline.h"

#include <jansson.h>
#include <stdio.h>

/*
 * All return new references, NULL without memory, and take NULL parts as the
 * lack of memory that they are. Times are seconds from the observation's start,
 * rounded to the microsecond.
 */
json_t *json_seconds(int64_t ns);
/* {"wall", "uncertainty"}, both null while unknown. */
json_t *json_moment(const struct moment *moment);
/* {"from", "to"}, and of both "from_wall", "from_uncertainty" and so on. */
json_t *json_span(const struct timeline *timeline, int64_t from_ns, int64_t to_ns);
/* @to with every member of @from; takes over both references. */
json_t *json_join(json_t *to, json_t *from);
/* One line of `observations`. */
json_t *json_observation(const struct timeline *timeline);
/* The whole timeline: what `show` prints. */
json_t *json_timeline(const struct timeline *timeline);
/* An observation with its events only: what `events` prints. */
json_t *json_events(const struct timeline *timeline);

/* Prints @json and a newline at once, and drops the reference. 0, -ENOMEM or -EIO. */
int json_print(json_t *json, FILE *stream) MUST_CHECK;

#endif
