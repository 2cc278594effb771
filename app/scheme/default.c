/* The built-in scheme: default.scheme, turned into a string by make. */
#include "app/scheme/scheme.h"

static const char text[] = {
#include "default_scheme.h"
};

const char *scheme_default_text(void)
{
	return text;
}
