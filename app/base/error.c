#include "app/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *error, int code, const char *format, ...)
{
	if (error) {
		va_list args;

		va_start(args, format);
		(void)vsnprintf(error->text, sizeof(error->text), format, args);
		va_end(args);
	}
	return code;
}

int error_prefix(struct error *error, int code, const char *format, ...)
{
	char old[sizeof(error->text)], spare[128];
	const char *tail;
	size_t n, rest;
	va_list args;

	if (!error) {
		return code;
	}

	memcpy(old, error->text, sizeof(old));
	old[sizeof(old) - 1] = '\0';
	tail = old;
	if (old[0] == '\0') {
		tail = code < 0 ? strerror_r(-code, spare, sizeof(spare)) : "failed";
	}

	va_start(args, format);
	(void)vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);

	n = strlen(error->text);
	rest = sizeof(error->text) - n;
	(void)snprintf(error->text + n, rest, ": %.*s", (int)sizeof(old), tail);
	return code;
}
