/*
 * A cell is one column: a sign (UTF-8, with the combining ones behind it) and a
 * style. A sign two columns wide leaves an empty cell behind it. What is drawn
 * later covers what was there; a half-covered wide sign becomes a blank.
 */
#include "app/cli/canvas.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

struct cell {
	char sign[8]; /* "" behind a wide sign */
	uint8_t style;
};

struct canvas {
	struct drawing drawing;
	struct cell *cells;
	int rows, room;
	bool failed;
};

static const char *const sgr[STYLES_END] = {
	[STYLE_PLAIN] = "0",
	[STYLE_BOLD] = "0;1",
	[STYLE_DIM] = "0;2",
	[STYLE_STRUCK] = "0;2;9",
	[STYLE_RED] = "0;31",
	[STYLE_AMBER] = "0;33",
	[STYLE_GREEN] = "0;32",
	[STYLE_CODE] = "0;36",
	[STYLE_CODE + 1] = "0;35",
	[STYLE_CODE + 2] = "0;33",
	[STYLE_CODE + 3] = "0;34",
	[STYLE_CODE + 4] = "0;32",
	[STYLE_CODE + 5] = "0;91",
};

/* What stands for a sign where only ASCII may. */
static const struct {
	uint32_t sign;
	const char *ascii;
} plain[] = {
	{0x2581, "."},
	{0x2582, ":"},
	{0x2583, "-"},
	{0x2584, "="},
	{0x2585, "+"},
	{0x2586, "*"},
	{0x2587, "%"},
	{0x2588, "#"}, /* one eighth to a full block */
	{0x258c, "#"},
	{0x2590, "#"}, /* left, right half block */
	{0x2591, "m"},
	{0x2592, "f"}, /* light, medium shade */
	{0x25cf, "o"},
	{0x25cb, "."}, /* black, white circle */
	{0x25c6, "*"},
	{0x25b2, "+"}, /* black diamond, triangle up */
	{0x2501, "="},
	{0x2500, "-"},
	{0x2502, "|"},
	{0x2506, ":"},
	{0x254e, "!"},
	{0x2573, "x"},
	{0x250c, "+"},
	{0x2510, "+"},
	{0x2514, "+"},
	{0x2518, "+"},
	{0x251c, "|"},
	{0x253c, "|"},
	{0x252c, "+"},
	{0x256d, "+"},
	{0x256e, "+"},
	{0x256f, "+"},
	{0x2570, "+"},
	{0x00b7, "."},
	{0x00b1, "+-"},
	{0x00d7, "x"},
	{0x2013, "-"},
	{0x2026, "..."},
	{0x2192, "->"},
	{0x221e, "inf"},
};

struct canvas *canvas_new(const struct drawing *drawing)
{
	struct canvas *canvas = calloc(1, sizeof(*canvas));

	if (canvas != NULL) {
		canvas->drawing = *drawing;
	}
	return canvas;
}

void canvas_free(struct canvas *canvas)
{
	if (canvas != NULL) {
		free(canvas->cells);
		free(canvas);
	}
}

int canvas_row(struct canvas *canvas)
{
	size_t width = (size_t)canvas->drawing.width;

	if (canvas->rows == canvas->room && !canvas->failed) {
		int room = canvas->room > 0 ? canvas->room * 2 : 32;
		struct cell *cells =
			reallocarray(canvas->cells, (size_t)room * width, sizeof(*cells));

		if (cells == NULL) {
			canvas->failed = true;
		} else {
			canvas->cells = cells;
			canvas->room = room;
		}
	}
	if (canvas->failed) {
		return 0;
	}
	for (size_t i = 0; i < width; i++) {
		canvas->cells[(size_t)canvas->rows * width + i] = (struct cell){" ", STYLE_PLAIN};
	}
	return canvas->rows++;
}

/* The next character of UTF-8 text; broken bytes and control characters are '?'. */
static uint32_t next_sign(const char **text)
{
	const unsigned char *p = (const unsigned char *)*text;
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t sign;
	int n;

	if (*p < 0x80) {
		(*text)++;
		return *p < ' ' || *p == 0x7f ? '?' : *p;
	}
	n = *p >= 0xf0 && *p < 0xf5 ? 4 : *p >= 0xe0 ? 3 : *p >= 0xc2 ? 2 : 1;
	if (n == 1 || *p >= 0xf5) {
		(*text)++;
		return '?';
	}
	sign = *p & (0x7fu >> n);
	for (int i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80) {
			*text += i;
			return '?';
		}
		sign = sign << 6 | (p[i] & 0x3f);
	}
	*text += n;
	if (sign < least[n] || sign > 0x10ffff || (sign >= 0xd800 && sign < 0xe000) ||
		(sign >= 0x80 && sign < 0xa0)) {
		return '?';
	}
	return sign;
}

static void encode(uint32_t sign, char ret_bytes[static 5])
{
	if (sign < 0x80) {
		ret_bytes[0] = (char)sign;
		ret_bytes[1] = '\0';
	} else if (sign < 0x800) {
		ret_bytes[0] = (char)(0xc0 | sign >> 6);
		ret_bytes[1] = (char)(0x80 | (sign & 0x3f));
		ret_bytes[2] = '\0';
	} else if (sign < 0x10000) {
		ret_bytes[0] = (char)(0xe0 | sign >> 12);
		ret_bytes[1] = (char)(0x80 | (sign >> 6 & 0x3f));
		ret_bytes[2] = (char)(0x80 | (sign & 0x3f));
		ret_bytes[3] = '\0';
	} else {
		ret_bytes[0] = (char)(0xf0 | sign >> 18);
		ret_bytes[1] = (char)(0x80 | (sign >> 12 & 0x3f));
		ret_bytes[2] = (char)(0x80 | (sign >> 6 & 0x3f));
		ret_bytes[3] = (char)(0x80 | (sign & 0x3f));
		ret_bytes[4] = '\0';
	}
}

/* What the sign looks like here, and how many columns that takes. */
static int shape(const struct canvas *canvas, uint32_t sign, char ret_text[static 8])
{
	int columns;

	if (canvas->drawing.ascii && sign >= 0x80) {
		const char *ascii = "?";

		for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
			if (plain[i].sign == sign) {
				ascii = plain[i].ascii;
			}
		}
		return snprintf(ret_text, 8, "%s", ascii);
	}
	encode(sign, ret_text);
	columns = wcwidth((wchar_t)sign);
	return columns >= 0 ? columns : 1; /* a locale that does not know it */
}

static void put(
	struct canvas *canvas, int row, int col, enum style style, const char *sign, int columns)
{
	struct cell *cells = &canvas->cells[(size_t)row * (size_t)canvas->drawing.width];
	int width = canvas->drawing.width;

	if (col < 0 || col + columns > width || row >= canvas->rows) {
		return;
	}
	if (columns == 0) { /* joins the sign before it, where there is room */
		size_t used = col > 0 ? strlen(cells[col - 1].sign) : 0;

		if (used > 0 && used + strlen(sign) < sizeof(cells->sign)) {
			memcpy(cells[col - 1].sign + used, sign, strlen(sign) + 1);
		}
		return;
	}
	if (cells[col].sign[0] == '\0' && col > 0) {
		memcpy(cells[col - 1].sign, " ", 2);
	}
	if (col + columns < width && cells[col + columns].sign[0] == '\0') {
		memcpy(cells[col + columns].sign, " ", 2);
	}
	cells[col].style = (uint8_t)style;
	snprintf(cells[col].sign, sizeof(cells[col].sign), "%s", sign);
	for (int i = 1; i < columns; i++) {
		cells[col + i] = (struct cell){"", (uint8_t)style};
	}
}

int canvas_text(struct canvas *canvas, int row, int col, enum style style, const char *text)
{
	if (canvas->failed) {
		return col;
	}
	while (*text != '\0') {
		char sign[8];
		int columns = shape(canvas, next_sign(&text), sign);

		if (canvas->drawing.ascii) { /* one sign may have become several */
			for (int i = 0; i < columns; i++) {
				put(canvas, row, col + i, style, (char[]){sign[i], '\0'}, 1);
			}
		} else {
			put(canvas, row, col, style, sign, columns);
		}
		col += columns;
	}
	return col;
}

int canvas_printf(
	struct canvas *canvas, int row, int col, enum style style, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return canvas_text(canvas, row, col, style, text);
}

void canvas_right(struct canvas *canvas, int row, int end, enum style style, const char *text)
{
	canvas_text(canvas, row, end - canvas_columns(canvas, text), style, text);
}

int canvas_columns(const struct canvas *canvas, const char *text)
{
	int columns = 0;

	while (*text != '\0') {
		char sign[8];

		columns += shape(canvas, next_sign(&text), sign);
	}
	return columns;
}

static bool blank(const struct cell *cell)
{
	return strcmp(cell->sign, " ") == 0 && cell->style != STYLE_STRUCK;
}

int canvas_print(const struct canvas *canvas, bool home, FILE *stream)
{
	int width = canvas->drawing.width;

	if (canvas->failed) {
		return -ENOMEM;
	}
	if (home) {
		fputs("\033[H", stream);
	}
	for (int row = 0; row < canvas->rows; row++) {
		const struct cell *cells = &canvas->cells[(size_t)row * (size_t)width];
		enum style now = STYLE_PLAIN;
		int n = width;

		while (n > 0 && blank(&cells[n - 1])) {
			n--;
		}
		for (int i = 0; i < n; i++) {
			enum style style = cells[i].style;

			if (canvas->drawing.colour && style != now) {
				fprintf(stream, "\033[%sm", sgr[style]);
				now = style;
			}
			fputs(cells[i].sign, stream);
		}
		if (now != STYLE_PLAIN) {
			fputs("\033[0m", stream);
		}
		if (home) {
			fputs("\033[K", stream);
		}
		if (!home || row + 1 < canvas->rows) {
			fputs(home ? "\r\n" : "\n", stream);
		}
	}
	if (home) {
		fputs("\033[J", stream);
	}
	return ferror(stream) ? -EIO : 0;
}
