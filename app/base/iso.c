#include "app/base/iso.h"

#include "app/base/clock.h"

#include <errno.h>
#include <stdbool.h>
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

/* Takes exactly @n digits; -1 if they are not there. */
static int digits(const char **text, int n)
{
	int number = 0;

	for (; n > 0; n--, (*text)++) {
		if (**text < '0' || **text > '9') {
			return -1;
		}
		number = number * 10 + (**text - '0');
	}
	return number;
}

static bool take(const char **text, char c)
{
	if (**text != c) {
		return false;
	}
	(*text)++;
	return true;
}

/* The fraction of a second, cut to nanoseconds; nothing is 0, "." alone is -1. */
static long fraction(const char **text)
{
	long ns = 0, unit = NS_PER_S / 10;

	if (!take(text, '.')) {
		return 0;
	}
	if (**text < '0' || **text > '9') {
		return -1;
	}
	for (; **text >= '0' && **text <= '9'; (*text)++, unit /= 10) {
		ns += (**text - '0') * unit;
	}
	return ns;
}

/* "Z" or "+01:00", to the end of the text, in seconds east. */
static int zone(const char *text, long *ret_east_s)
{
	long sign = *text == '-' ? -1 : 1;
	int hours, minutes;

	*ret_east_s = 0;
	if (take(&text, 'Z')) {
		return *text == '\0' ? 0 : -EINVAL;
	}
	if (!take(&text, '+') && !take(&text, '-')) {
		return -EINVAL;
	}
	hours = digits(&text, 2);
	if (hours < 0 || hours > 23 || !take(&text, ':')) {
		return -EINVAL;
	}
	minutes = digits(&text, 2);
	*ret_east_s = sign * (hours * 3600L + minutes * 60L);
	return minutes >= 0 && minutes < 60 && *text == '\0' ? 0 : -EINVAL;
}

int iso_read(const char *text, int64_t *ret_realtime_ns)
{
	struct tm tm = {0}, asked;
	long ns = 0, east_s;
	time_t whole;

	tm.tm_year = digits(&text, 4) - 1900;
	if (tm.tm_year < 70 || tm.tm_year > 300 || !take(&text, '-')) {
		return -EINVAL;
	}
	tm.tm_mon = digits(&text, 2) - 1;
	if (tm.tm_mon < 0 || !take(&text, '-')) {
		return -EINVAL;
	}
	tm.tm_mday = digits(&text, 2);
	if (tm.tm_mday < 1 || !take(&text, 'T')) {
		return -EINVAL;
	}
	tm.tm_hour = digits(&text, 2);
	if (tm.tm_hour < 0 || !take(&text, ':')) {
		return -EINVAL;
	}
	tm.tm_min = digits(&text, 2);
	if (take(&text, ':')) {
		tm.tm_sec = digits(&text, 2);
		ns = fraction(&text);
	}
	if (tm.tm_min < 0 || tm.tm_sec < 0 || ns < 0 || zone(text, &east_s) < 0) {
		return -EINVAL;
	}
	asked = tm;
	whole = timegm(&tm);
	if (tm.tm_mon != asked.tm_mon || tm.tm_mday != asked.tm_mday ||
		tm.tm_hour != asked.tm_hour || tm.tm_min != asked.tm_min ||
		tm.tm_sec != asked.tm_sec) {
		return -EINVAL; /* the 31st of June, 25 o'clock: timegm() carries on */
	}
	*ret_realtime_ns = ((int64_t)whole - east_s) * NS_PER_S + ns;
	return 0;
}
