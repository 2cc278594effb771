/* Inside of config: which name is wired to which line, and where that is said. */
#ifndef BASE_WIRES_H
#define BASE_WIRES_H

#include "app/base/conffile.h"
#include "app/base/config.h"

/* Where each of the wires stands, in the order of their list. */
struct wire_lines {
	const struct conf_line *list[CONFIG_LINES_MAX];
};

/*
 * Adds `name = line`, or changes the wire of that name. @line is borrowed as long
 * as @lines is used. 0, or -EINVAL with "FILE:LINE: ...".
 */
int wires_take(const struct conf_line *line, struct config_wires *wires, struct wire_lines *lines,
	struct error *error) MUST_CHECK;

/*
 * Refuses a line with two uses. @mine may be @others: then no wire is held
 * against itself. 0, or -EINVAL with "FILE:LINE: ...".
 */
int wires_check(const struct config_wires *mine, const struct wire_lines *my_lines,
	const struct config_wires *others, const struct wire_lines *other_lines,
	struct error *error) MUST_CHECK;

/* Writes them as a section. */
void wires_print(const char *section, const struct config_wires *wires, FILE *stream);

#endif
