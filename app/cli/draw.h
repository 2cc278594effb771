/* A timeline as a picture for people: lanes over time, and the lists below. */
#ifndef CLI_DRAW_H
#define CLI_DRAW_H

#include "app/cli/canvas.h"
#include "app/timeline/timeline.h"

#define DRAW_WIDTH_MIN 40
#define DRAW_WIDTH_MAX 1000

/* Header, axis, lanes, list of events and counts. 0, -ENOMEM or -EIO. */
int draw_timeline(
	const struct timeline *timeline, const struct drawing *drawing, FILE *stream) MUST_CHECK;

/* The list of events and the table of counts, into rows of their own. */
void tables_events(struct canvas *canvas, const struct timeline *timeline, int width);
void tables_counts(struct canvas *canvas, const struct timeline *timeline, int width);

/* The sign and colour of an event, and what of the timeline they belong to. */
enum style draw_code_style(const struct timeline *timeline, const struct code *code);
const char *draw_event_sign(const struct timeline_event *event);

/* What to call a code: its title, or its name where it has none. */
const char *draw_code_title(const struct code *code);

/*
 * Items set one after the other, going on in a row below at column @indent when
 * one does not fit.
 */
struct flow {
	struct canvas *canvas;
	int row, col, indent, width;
};
void draw_flow(struct flow *flow, enum style style, const char *text);

#endif
