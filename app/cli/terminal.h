/* What standard output is, and what may be drawn on it. */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include "app/cli/canvas.h"

/*
 * The width of the terminal, or COLUMNS, or 80; ASCII unless the locale is UTF-8;
 * colours on a terminal that has them, unless NO_COLOR is set (no-color.org).
 */
void terminal_drawing(struct drawing *ret_drawing);

#endif
