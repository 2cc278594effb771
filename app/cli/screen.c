#include "app/cli/screen.h"

#include "app/cli/draw.h"
#include "app/cli/units.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BOX_ROWS 4
#define BOX_COLUMNS_MIN 9
#define MARGIN 2

static enum style lamp_style(const char *name)
{
	static const struct {
		const char *name;
		enum style style;
	} known[] = {{"red", STYLE_RED}, {"green", STYLE_GREEN}, {"amber", STYLE_AMBER}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i].name, name) == 0) {
			return known[i].style;
		}
	}
	return STYLE_CODE;
}

/* What a lamp tells, for those who do not know the grammar yet. */
static const char *lamp_meaning(const char *name)
{
	static const char *const known[][2] = {
		{"red", "microphone"}, {"green", "observation"}, {"amber", "attention"}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i][0], name) == 0) {
			return known[i][1];
		}
	}
	return "";
}

static const struct screen_lamp *lamp_of(const struct screen *screen, const char *name)
{
	for (size_t i = 0; i < screen->n_lamps; i++) {
		if (strcmp(screen->lamps[i].name, name) == 0) {
			return &screen->lamps[i];
		}
	}
	return NULL;
}

static bool on_a_key(const struct screen *screen, const char *lamp)
{
	for (size_t i = 0; i < screen->keys->n; i++) {
		if (strcmp(screen->keys->list[i].name, lamp) == 0) {
			return true;
		}
	}
	return false;
}

static void frame(struct canvas *canvas, int row, int col, int columns, int rows, enum style style)
{
	for (int i = 1; i < columns - 1; i++) {
		canvas_text(canvas, row, col + i, style, "─");
		canvas_text(canvas, row + rows - 1, col + i, style, "─");
	}
	for (int i = 1; i < rows - 1; i++) {
		canvas_text(canvas, row + i, col, style, "│");
		canvas_text(canvas, row + i, col + columns - 1, style, "│");
	}
	canvas_text(canvas, row, col, style, "╭");
	canvas_text(canvas, row, col + columns - 1, style, "╮");
	canvas_text(canvas, row + rows - 1, col, style, "╰");
	canvas_text(canvas, row + rows - 1, col + columns - 1, style, "╯");
}

static void paint_lamps(struct canvas *canvas, const struct screen *screen)
{
	int row = canvas_row(canvas), col = MARGIN;

	canvas_row(canvas);
	canvas_row(canvas);
	for (size_t i = 0; i < screen->n_lamps; i++) {
		const struct screen_lamp *lamp = &screen->lamps[i];
		enum style style = lamp->on ? lamp_style(lamp->name) : STYLE_DIM;
		int end, other;

		if (on_a_key(screen, lamp->name)) {
			continue; /* drawn in its button */
		}
		frame(canvas, row, col, 5, 3, style);
		canvas_text(canvas, row + 1, col + 2, style, lamp->on ? "●" : "○");
		end = canvas_text(
			canvas, row + 1, col + 6, lamp->on ? STYLE_BOLD : STYLE_PLAIN, lamp->name);
		other = canvas_text(canvas, row + 2, col + 6, STYLE_DIM, lamp_meaning(lamp->name));
		col = (other > end ? other : end) + 2;
	}
	canvas_row(canvas);
}

static void paint_state(struct canvas *canvas, const struct screen *screen)
{
	int row = canvas_row(canvas), col;
	char text[UNITS_CHARS];

	col = canvas_text(canvas, row, MARGIN, STYLE_DIM, "observation  ");
	if (screen->running_ns >= 0) {
		canvas_text(canvas, row, col, STYLE_BOLD, units_time(screen->running_ns, 0, text));
	} else {
		canvas_text(canvas, row, col, STYLE_PLAIN, "none: the lesson button begins one");
	}
	row = canvas_row(canvas);
	col = canvas_text(canvas, row, MARGIN, STYLE_DIM, "microphone   ");
	canvas_text(canvas, row, col, screen->microphone_live ? STYLE_RED : STYLE_PLAIN,
		screen->microphone);
	canvas_row(canvas);
}

static void paint_button(
	struct canvas *canvas, const struct screen *screen, size_t i, int row, int col, int columns)
{
	const struct key *key = &screen->keys->list[i];
	const struct screen_lamp *lamp = lamp_of(screen, key->name);
	enum style style = screen->down[i] ? STYLE_BOLD : STYLE_DIM;
	int at;

	frame(canvas, row, col, columns, BOX_ROWS, style);
	if (screen->down[i]) {
		canvas_text(canvas, row, col + columns - 5, STYLE_GREEN, "down");
	}
	at = col + 2;
	if (key->digit != '\0') {
		at = canvas_text(canvas, row + 1, at, STYLE_BOLD, (char[]){key->digit, ' ', '\0'});
	}
	if (key->letter != '\0') {
		at = canvas_text(canvas, row + 1, at, STYLE_BOLD, (char[]){key->letter, '\0'});
	}
	if (lamp != NULL) {
		canvas_text(canvas, row + 1, col + columns - 3, lamp->on ? STYLE_AMBER : STYLE_DIM,
			lamp->on ? "●" : "○");
	}
	canvas_text(
		canvas, row + 2, col + 2, screen->down[i] ? STYLE_BOLD : STYLE_PLAIN, key->name);
}

static void paint_buttons(struct canvas *canvas, const struct screen *screen, int width)
{
	int row = -1, col = 0;

	for (size_t i = 0; i < screen->keys->n; i++) {
		int columns = canvas_columns(canvas, screen->keys->list[i].name) + 4;

		columns = columns < BOX_COLUMNS_MIN ? BOX_COLUMNS_MIN : columns;
		if (row < 0 || col + columns > width) {
			row = canvas_row(canvas);
			for (int k = 1; k < BOX_ROWS; k++) {
				canvas_row(canvas);
			}
			col = MARGIN;
		}
		paint_button(canvas, screen, i, row, col, columns);
		col += columns + 1;
	}
	canvas_row(canvas);
}

static void paint_event(struct canvas *canvas, const struct timeline *timeline, size_t i)
{
	const struct timeline_event *event = &timeline->events[i];
	enum style style = draw_code_style(timeline, event->code);
	int row = canvas_row(canvas), col;
	char text[UNITS_CHARS];

	canvas_right(canvas, row, 11, event->undone ? STYLE_STRUCK : STYLE_PLAIN,
		units_time(event->t_ns, 1, text));
	canvas_text(canvas, row, 13, event->undone ? STYLE_DIM : style, draw_event_sign(event));
	col = canvas_text(canvas, row, 15, event->undone ? STYLE_STRUCK : style, event->code->name);
	col = canvas_text(
		canvas, row, col + 1, event->undone ? STYLE_STRUCK : STYLE_PLAIN, event->modifier);
	if (event->undone) {
		canvas_text(canvas, row, col + 1, STYLE_DIM, "taken back");
	} else if (event->open) {
		canvas_text(canvas, row, col + 1, STYLE_AMBER, "goes on");
	} else if (event->span) {
		canvas_text(canvas, row, col + 1, STYLE_PLAIN,
			units_length(event->end_ns - event->t_ns, text));
	}
}

static void paint_events(struct canvas *canvas, const struct timeline *timeline, int rows)
{
	size_t n = timeline != NULL ? timeline->n_events : 0;

	if (rows < 2) {
		return;
	}
	canvas_text(canvas, canvas_row(canvas), MARGIN, STYLE_DIM,
		n > 0 ? "last events, the newest first" : "no events yet");
	for (size_t i = 0; i < n && i + 1 < (size_t)rows; i++) {
		paint_event(canvas, timeline, n - 1 - i);
	}
}

int screen_paint(const struct screen *screen, int rows, const struct drawing *drawing, FILE *stream)
{
	struct canvas *canvas = canvas_new(drawing);
	int row, used, r;

	if (canvas == NULL) {
		return -ENOMEM;
	}
	row = canvas_row(canvas);
	canvas_text(canvas, row, MARGIN, STYLE_BOLD, "Chalkbox");
	canvas_text(canvas, row, MARGIN + 10, STYLE_DIM, screen->box);
	canvas_right(canvas, row, drawing->width - MARGIN, STYLE_DIM, "q quits");
	canvas_row(canvas);
	paint_lamps(canvas, screen);
	paint_state(canvas, screen);
	paint_buttons(canvas, screen, drawing->width);
	row = canvas_row(canvas);
	canvas_text(canvas, row, MARGIN, STYLE_DIM,
		"a key taps its button; its capital letter, or Shift and its digit, holds it");
	row = canvas_row(canvas);
	canvas_text(canvas, row, MARGIN, STYLE_AMBER, screen->note);
	used = row + 1;
	paint_events(canvas, screen->timeline, rows - used);
	r = canvas_print(canvas, true, stream);
	canvas_free(canvas);
	return r < 0 ? r : fflush(stream) != 0 ? -EIO : 0;
}
