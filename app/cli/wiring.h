/* What people call a button -> the line it is wired to. */
#ifndef CLI_WIRING_H
#define CLI_WIRING_H

#include "app/base/config.h"
#include "app/scheme/scheme.h"

/*
 * The line of a button's name, of a code's name, or of a line's own name, looked
 * for in that order. 0, or -ENOENT with an explanation that lists the right
 * names. *ret_line is borrowed from @config.
 */
int wiring_line(const struct config *config, const struct scheme *scheme, const char *name,
	const char **ret_line, struct error *error) MUST_CHECK;

#endif
