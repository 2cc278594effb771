/* Times as people read them. All return @ret_text, for use in an argument list. */
#ifndef CLI_UNITS_H
#define CLI_UNITS_H

#include <stdint.h>

#define UNITS_CHARS 64

/* A time in the lesson: "2:03.4", "1:02:03.4"; @decimals 0 to 3. */
const char *units_time(int64_t ns, int decimals, char ret_text[static UNITS_CHARS]);

/* How long: "0.42 s", "12.3 s", "2 min 03 s", "1 h 02 min". */
const char *units_length(int64_t ns, char ret_text[static UNITS_CHARS]);

/* How sure: "±20 ms", "±1.4 s", "±3 min" (UTF-8). */
const char *units_uncertainty(int64_t ns, char ret_text[static UNITS_CHARS]);

/* Wall time in the zone of this machine: "Sat 21 Nov 2026, 09:02:11". */
const char *units_wall(int64_t realtime_ns, char ret_text[static UNITS_CHARS]);
/* "Sat 21 Nov 2026, 09:02" */
const char *units_wall_short(int64_t realtime_ns, char ret_text[static UNITS_CHARS]);
/* "09:02:11" */
const char *units_wall_clock(int64_t realtime_ns, char ret_text[static UNITS_CHARS]);
/* "2026-11-21" */
const char *units_wall_date(int64_t realtime_ns, char ret_text[static UNITS_CHARS]);

#endif
