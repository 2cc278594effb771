/* Wall times as ISO 8601 writes them. */
#ifndef BASE_ISO_H
#define BASE_ISO_H

#include "app/base/error.h"

#include <stdint.h>
#include <time.h>

#define ISO_CHARS 64

/*
 * The calendar of this machine's zone, and the nanoseconds beyond its second. 0,
 * or -EOVERFLOW for a time that no calendar holds.
 */
int iso_calendar(int64_t realtime_ns, struct tm *ret_tm, long *ret_ns) MUST_CHECK;

/*
 * With the zone's offset: "2026-11-21T09:02:11.123456+01:00"; "?" for a time that
 * no calendar holds. Returns @ret_text, for use in an argument list.
 */
const char *iso_local(int64_t realtime_ns, char ret_text[static ISO_CHARS]);

/* The same in UTC, with milliseconds: "2026-11-21T08:02:11.123Z". */
const char *iso_utc(int64_t realtime_ns, char ret_text[static ISO_CHARS]);

/*
 * Reads a time with its zone: "2026-11-21T08:02:11.123Z", "...T09:02+01:00"; seconds
 * and their fraction may be left out. 0, or -EINVAL. The year is 1970 to 2200.
 */
int iso_read(const char *text, int64_t *ret_realtime_ns) MUST_CHECK;

#endif
