#include "app/cli/units.h"

#include "app/base/clock.h"
#include "app/base/iso.h"

#include <stdio.h>
#include <stdlib.h>

const char *units_time(int64_t ns, int decimals, char ret_text[static UNITS_CHARS])
{
	static const int64_t units_ns[] = {NS_PER_S, NS_PER_S / 10, NS_PER_S / 100, NS_PER_MS};
	int64_t unit_ns = units_ns[decimals];
	int64_t units = (llabs(ns) + unit_ns / 2) / unit_ns; /* rounded, as a whole */
	int64_t per_s = NS_PER_S / unit_ns;
	long long seconds = units / per_s, rest = units % per_s;
	const char *sign = ns < 0 && units > 0 ? "-" : "";
	int used;

	if (seconds >= 3600) {
		used = snprintf(ret_text, UNITS_CHARS, "%s%lld:%02lld:%02lld", sign, seconds / 3600,
			seconds / 60 % 60, seconds % 60);
	} else {
		used = snprintf(
			ret_text, UNITS_CHARS, "%s%lld:%02lld", sign, seconds / 60, seconds % 60);
	}
	if (decimals > 0) {
		/* as milliseconds, cut to what was asked for */
		snprintf(ret_text + used, UNITS_CHARS - (size_t)used, ".%03lld",
			rest * (unit_ns / NS_PER_MS));
		ret_text[used + 1 + decimals] = '\0';
	}
	return ret_text;
}

const char *units_length(int64_t ns, char ret_text[static UNITS_CHARS])
{
	long long seconds = (ns + NS_PER_S / 2) / NS_PER_S;

	if (ns < 9995 * NS_PER_MS) {
		snprintf(ret_text, UNITS_CHARS, "%.2f s", (double)ns / 1e9);
	} else if (ns < 59950 * NS_PER_MS) {
		snprintf(ret_text, UNITS_CHARS, "%.1f s", (double)ns / 1e9);
	} else if (seconds < 3600) {
		snprintf(ret_text, UNITS_CHARS, "%lld min %02lld s", seconds / 60, seconds % 60);
	} else {
		snprintf(ret_text, UNITS_CHARS, "%lld h %02lld min", seconds / 3600,
			seconds / 60 % 60);
	}
	return ret_text;
}

const char *units_uncertainty(int64_t ns, char ret_text[static UNITS_CHARS])
{
	if (ns < NS_PER_S) {
		/* rounded up: an uncertainty is a promise */
		snprintf(ret_text, UNITS_CHARS, "±%lld ms",
			(long long)((ns + NS_PER_MS - 1) / NS_PER_MS));
	} else if (ns < 60 * NS_PER_S) {
		snprintf(ret_text, UNITS_CHARS, "±%.1f s", (double)ns / 1e9);
	} else if (ns < 3600 * NS_PER_S) {
		snprintf(ret_text, UNITS_CHARS, "±%.0f min", (double)ns / 60e9);
	} else {
		snprintf(ret_text, UNITS_CHARS, "±%.1f h", (double)ns / 3600e9);
	}
	return ret_text;
}

/*
 * The calendar of this machine's zone, and the nanoseconds beyond its second. A
 * time no calendar holds is "?", which the callers leave in place.
 */
static int calendar(
	int64_t realtime_ns, struct tm *ret_tm, long *ret_ns, char ret_text[static UNITS_CHARS])
{
	snprintf(ret_text, UNITS_CHARS, "?");
	return iso_calendar(realtime_ns, ret_tm, ret_ns);
}

const char *units_wall(int64_t realtime_ns, char ret_text[static UNITS_CHARS])
{
	struct tm tm;
	long ns;

	if (calendar(realtime_ns, &tm, &ns, ret_text) == 0) {
		strftime(ret_text, UNITS_CHARS, "%a %-d %b %Y, %H:%M:%S", &tm);
	}
	return ret_text;
}

const char *units_wall_short(int64_t realtime_ns, char ret_text[static UNITS_CHARS])
{
	struct tm tm;
	long ns;

	if (calendar(realtime_ns, &tm, &ns, ret_text) == 0) {
		strftime(ret_text, UNITS_CHARS, "%a %-d %b %Y, %H:%M", &tm);
	}
	return ret_text;
}

const char *units_wall_clock(int64_t realtime_ns, char ret_text[static UNITS_CHARS])
{
	struct tm tm;
	long ns;

	if (calendar(realtime_ns, &tm, &ns, ret_text) == 0) {
		strftime(ret_text, UNITS_CHARS, "%H:%M:%S", &tm);
	}
	return ret_text;
}

const char *units_wall_date(int64_t realtime_ns, char ret_text[static UNITS_CHARS])
{
	struct tm tm;
	long ns;

	if (calendar(realtime_ns, &tm, &ns, ret_text) == 0) {
		strftime(ret_text, UNITS_CHARS, "%Y-%m-%d", &tm);
	}
	return ret_text;
}
