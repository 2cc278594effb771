#include "app/cli/terminal.h"

#include "app/cli/draw.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	long wide = 80;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
		wide = size.ws_col;
	} else if (columns != NULL && *columns) {
		char *end;
		long value = strtol(columns, &end, 10);

		wide = *end == '\0' && value > 0 ? value : wide;
	}
	return wide < DRAW_WIDTH_MIN    ? DRAW_WIDTH_MIN
		: wide > DRAW_WIDTH_MAX ? DRAW_WIDTH_MAX
					: (int)wide;
}

void terminal_drawing(struct drawing *ret_drawing)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	ret_drawing->width = width();
	ret_drawing->ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
	ret_drawing->colour = isatty(STDOUT_FILENO) && (no_color == NULL || *no_color == '\0') &&
		term != NULL && strcmp(term, "dumb") != 0;
}
