#include "firmware/report.h"

#include <stdarg.h>
#include <stdio.h>

void report(int priority, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fprintf(stderr, "<%d>", priority);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

void report_fault(struct recorder *recorder, int64_t now_ns, const char *name, bool raised,
	const char *cause)
{
	report(raised ? LOG_WARNING : LOG_NOTICE, "%s: %s", name, raised ? cause : "well again");
	recorder_fault(recorder, now_ns, name, raised, cause);
}
