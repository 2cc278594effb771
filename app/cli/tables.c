#include "app/base/clock.h"
#include "app/cli/draw.h"
#include "app/cli/units.h"

#include <string.h>

#define CLOCK_COLUMNS 10
#define NAME_MAX 20

/* Where the columns of the event list stand; 0: left out for want of room. */
struct columns {
	int number_end, time_end, code, modifier, length_end, snippet_end, clock_end;
};

static void text_within(
	struct canvas *canvas, int row, int col, int end, enum style style, const char *text)
{
	int stop = canvas_text(canvas, row, col, style, text);

	for (; stop > end; stop--) {
		canvas_text(canvas, row, stop - 1, STYLE_PLAIN, " ");
	}
}

static int widest(const struct canvas *canvas, const struct timeline *timeline, bool modifier)
{
	int most = 8;

	for (size_t i = 0; i < timeline->n_events; i++) {
		const struct timeline_event *event = &timeline->events[i];
		const char *text = modifier ? event->modifier : event->code->name;
		int columns = canvas_columns(canvas, text);

		most = columns > most ? columns : most;
	}
	return most > NAME_MAX ? NAME_MAX : most;
}

static struct columns lay_out(
	const struct canvas *canvas, const struct timeline *timeline, int width)
{
	struct columns columns = {.number_end = 5, .time_end = 16, .code = 18};

	columns.modifier = columns.code + widest(canvas, timeline, false) + 2;
	columns.length_end = columns.modifier + widest(canvas, timeline, true) + 13;
	columns.snippet_end = columns.length_end + 8;
	columns.clock_end = timeline->start.known ? columns.snippet_end + CLOCK_COLUMNS : 0;
	if (columns.clock_end > width) {
		columns.clock_end = 0;
	}
	if (columns.snippet_end > width) {
		columns.snippet_end = 0;
	}
	if (columns.length_end > width) {
		columns.length_end = 0;
	}
	return columns;
}

static void event_row(
	struct canvas *canvas, const struct columns *at, const struct timeline *timeline, size_t i)
{
	const struct timeline_event *event = &timeline->events[i];
	enum style style = event->undone ? STYLE_STRUCK : STYLE_PLAIN;
	struct moment moment = timeline_moment(timeline, event->t_ns);
	char text[UNITS_CHARS];
	int row = canvas_row(canvas);

	snprintf(text, sizeof(text), "%zu", i + 1);
	canvas_right(canvas, row, at->number_end, STYLE_DIM, text);
	if (event->undone) {
		canvas_text(canvas, row, 0, STYLE_DIM, "×");
	}
	canvas_right(canvas, row, at->time_end, style, units_time(event->t_ns, 1, text));
	text_within(canvas, row, at->code, at->modifier - 2,
		event->undone ? style : draw_code_style(timeline, event->code), event->code->name);
	text_within(canvas, row, at->modifier, at->length_end > 0 ? at->length_end : NAME_MAX * 3,
		style, event->modifier);
	if (event->span && at->length_end > 0) {
		canvas_right(canvas, row, at->length_end, style,
			units_length(event->end_ns - event->t_ns, text));
	}
	if (event->open && at->length_end > 0) {
		canvas_text(canvas, row, at->length_end, STYLE_AMBER, "+");
	}
	if (event->undone) {
		text_within(canvas, row, at->modifier, at->modifier + 10, STYLE_DIM, "taken back");
	} else if (event->snippet >= 0 && at->snippet_end > 0) {
		snprintf(text, sizeof(text), "%d", event->snippet + 1);
		canvas_right(canvas, row, at->snippet_end, style, text);
	}
	if (at->clock_end > 0 && moment.known) {
		canvas_right(canvas, row, at->clock_end, STYLE_DIM,
			units_wall_clock(moment.realtime_ns, text));
	}
}

void tables_events(struct canvas *canvas, const struct timeline *timeline, int width)
{
	struct columns at = lay_out(canvas, timeline, width);
	bool open = false;
	int row;

	canvas_row(canvas);
	row = canvas_row(canvas);
	if (timeline->n_events == 0) {
		canvas_text(canvas, row, 1, STYLE_DIM, "No events.");
		return;
	}
	canvas_right(canvas, row, at.number_end, STYLE_DIM, "event");
	canvas_right(canvas, row, at.time_end, STYLE_DIM, "time");
	canvas_text(canvas, row, at.code, STYLE_DIM, "code");
	canvas_text(canvas, row, at.modifier, STYLE_DIM, "modifier");
	if (at.length_end > 0) {
		canvas_right(canvas, row, at.length_end, STYLE_DIM, "length");
	}
	if (at.snippet_end > 0) {
		canvas_right(canvas, row, at.snippet_end, STYLE_DIM, "snippet");
	}
	if (at.clock_end > 0) {
		canvas_right(canvas, row, at.clock_end, STYLE_DIM, "clock");
	}
	for (size_t i = 0; i < timeline->n_events; i++) {
		event_row(canvas, &at, timeline, i);
		open = open || (timeline->events[i].open && at.length_end > 0);
	}
	if (open) {
		canvas_text(canvas, canvas_row(canvas), at.code, STYLE_DIM,
			"+ had not ended when the lesson did");
	}
}

/* "most 3  half 2": how the events of a code divide; nothing where all are plain. */
static void modifiers_row(
	struct canvas *canvas, const struct timeline_sum *sum, int code, int width)
{
	struct flow flow = {canvas, 0, code + 2, code + 2, width};
	bool any = false;

	for (size_t i = 0; i < sum->n_modifiers; i++) {
		any = any || (sum->by_modifier[i] > 0 && sum->modifiers[i][0] != '\0');
	}
	if (!any) {
		return;
	}
	flow.row = canvas_row(canvas);
	for (size_t i = 0; i < sum->n_modifiers; i++) {
		const char *name = sum->modifiers[i];
		char text[SCHEME_NAME_CHARS + 32];

		if (*name == '\0' && sum->by_modifier[i] == 0) {
			continue;
		}
		snprintf(text, sizeof(text), "%s %zu", *name != '\0' ? name : "plain",
			sum->by_modifier[i]);
		draw_flow(&flow, STYLE_DIM, text);
	}
}

void tables_counts(struct canvas *canvas, const struct timeline *timeline, int width)
{
	static const char *const titles[] = {
		"count", "total", "share", "shortest", "median", "longest"};
	int code = 1, row = 0, name_end = code + 12;
	int end[6];

	if (timeline->n_sums == 0) {
		return;
	}
	for (size_t i = 0; i < timeline->n_sums; i++) {
		int columns = code + canvas_columns(canvas, timeline->sums[i].code->name);

		name_end = columns > name_end ? columns : name_end;
	}
	name_end = name_end > code + NAME_MAX ? code + NAME_MAX : name_end;
	for (int i = 0; i < 6; i++) {
		end[i] = i == 0 ? name_end + 6 : end[i - 1] + (i == 2 ? 8 : 13 - (i > 2 ? 2 : 0));
	}
	canvas_row(canvas);
	row = canvas_row(canvas);
	canvas_text(canvas, row, code, STYLE_DIM, "code");
	for (int i = 0; i < 6 && end[i] <= width; i++) {
		canvas_right(canvas, row, end[i], STYLE_DIM, titles[i]);
	}
	for (size_t i = 0; i < timeline->n_sums; i++) {
		const struct timeline_sum *sum = &timeline->sums[i];
		char text[6][UNITS_CHARS] = {""};

		row = canvas_row(canvas);
		text_within(canvas, row, code, name_end, draw_code_style(timeline, sum->code),
			sum->code->name);
		snprintf(text[0], UNITS_CHARS, "%zu", sum->count);
		if (sum->spans > 0) {
			units_length(sum->total_ns, text[1]);
			if (sum->code->kind == CODE_STATE && timeline->length_ns > 0) {
				snprintf(text[2], UNITS_CHARS, "%.1f %%",
					100.0 * (double)sum->total_ns /
						(double)timeline->length_ns);
			}
			units_length(sum->shortest_ns, text[3]);
			units_length(sum->median_ns, text[4]);
			units_length(sum->longest_ns, text[5]);
		}
		for (int k = 0; k < 6 && end[k] <= width; k++) {
			canvas_right(canvas, row, end[k], STYLE_PLAIN, text[k]);
		}
		modifiers_row(canvas, sum, code, width);
	}
}
