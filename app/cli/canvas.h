/* Rows of coloured character cells that are never wider than they may be. */
#ifndef CLI_CANVAS_H
#define CLI_CANVAS_H

#include "app/base/error.h"

#include <stdbool.h>
#include <stdio.h>

enum style {
	STYLE_PLAIN,
	STYLE_BOLD,
	STYLE_DIM,
	STYLE_STRUCK, /* struck out and dim: taken back */
	STYLE_RED,
	STYLE_AMBER,
	STYLE_GREEN,
	STYLE_CODE, /* and the next CANVAS_HUES - 1: one for each code */
	STYLES_END = STYLE_CODE + 6,
};

#define CANVAS_HUES (STYLES_END - STYLE_CODE)

/* How a picture may be drawn. */
struct drawing {
	int width; /* columns */
	bool ascii; /* nothing outside ASCII */
	bool colour;
};

struct canvas;

/*
 * NULL without memory. Free with canvas_free(), which takes NULL. A canvas that
 * later runs out of memory takes everything without complaint, and
 * canvas_print() tells. Nothing here blocks but canvas_print().
 */
struct canvas *canvas_new(const struct drawing *drawing);
void canvas_free(struct canvas *canvas);

/* Begins another row below; its number. Rows before it stay open to drawing. */
int canvas_row(struct canvas *canvas);

/*
 * Writes UTF-8 text from column @col on; what lies outside the row is left out.
 * In ASCII, known signs become ASCII ones (see canvas.c), others `?`; control
 * characters and broken UTF-8 become `?` always. Returns the column behind it.
 */
int canvas_text(struct canvas *canvas, int row, int col, enum style style, const char *text);

/* The same as printf. At most 255 bytes. */
int canvas_printf(struct canvas *canvas, int row, int col, enum style style, const char *format,
	...) __attribute__((format(printf, 5, 6)));

/* The same with the text's end at column @end (not included). */
void canvas_right(struct canvas *canvas, int row, int end, enum style style, const char *text);

/* How many columns a text takes on this canvas. */
int canvas_columns(const struct canvas *canvas, const char *text);

/*
 * Prints all rows, blanks at their ends left out. @home: for a screen that is
 * painted again and again: goes to its corner first and clears what is left of
 * each line and below. 0, -ENOMEM for any earlier lack of memory, or -EIO.
 */
int canvas_print(const struct canvas *canvas, bool home, FILE *stream) MUST_CHECK;

#endif
