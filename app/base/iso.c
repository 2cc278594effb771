#include "app/base/iso.h"

#include "app/base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Whole seconds, rounded down, and what is left of the next. */
static time_t split(int64_t realtime_ns, long *ret_ns)
{
	int64_t s = realtime_ns / NS_PER_S, ns = realtime_ns % NS_PER_S;

	if (ns < 0) {
		ns += NS_PER_S;
		s--;
	}
	*ret_ns = (long)ns;
	return (time_t)s;
}

int iso_calendar(int64_t realtime_ns, struct tm *ret_tm, long *ret_ns)
{
	time_t whole = split(realtime_ns, ret_ns);

	return localtime_r(&whole, ret_tm) ? 0 : -EOVERFLOW;
}

const char *iso_local(int64_t realtime_ns, char ret_text[static ISO_CHARS])
{
	struct tm tm;
	long ns, east;
	size_t used;

	if (iso_calendar(realtime_ns, &tm, &ns) < 0) {
		(void)snprintf(ret_text, ISO_CHARS, "?");
		return ret_text;
	}
	used = strftime(ret_text, ISO_CHARS, "%Y-%m-%dT%H:%M:%S", &tm);
	east = tm.tm_gmtoff / 60;
	(void)snprintf(ret_text + used, ISO_CHARS - used, ".%06ld%c%02ld:%02ld", ns / 1000,
		east < 0 ? '-' : '+', labs(east) / 60, labs(east) % 60);
	return ret_text;
}

const char *iso_utc(int64_t realtime_ns, char ret_text[static ISO_CHARS])
{
	struct tm tm;
	time_t whole;
	size_t used;
	long ns;

	whole = split(realtime_ns, &ns);
	if (!gmtime_r(&whole, &tm)) {
		(void)snprintf(ret_text, ISO_CHARS, "?");
		return ret_text;
	}
	used = strftime(ret_text, ISO_CHARS, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(ret_text + used, ISO_CHARS - used, ".%03ldZ", ns / 1000000);
	return ret_text;
}
