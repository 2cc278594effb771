/*
 * A finding is a mark, the check's name and a sentence; below it, after an arrow,
 * what to do. The marks differ in shape as well as in colour.
 */
#include "app/cli/doctor.h"

#include "app/base/clock.h"
#include "app/cli/draw.h"
#include "app/cli/units.h"
#include "app/timeline/json.h"

#include <errno.h>
#include <string.h>

#define MARK_COL 2
#define NAME_COL 4
#define SAYS_COL 20
#define NARROW 60 /* below, sentences begin under the name */

static const struct {
	const char *word, *mark, *plain; /* plain: where only ASCII may be drawn */
	enum style style;
} marks[FINDING_STATES] = {
	[FINDING_OK] = {"ok", "●", "o", STYLE_GREEN},
	[FINDING_WARNING] = {"warning", "▲", "!", STYLE_AMBER},
	[FINDING_FAULT] = {"fault", "×", "x", STYLE_RED},
	[FINDING_UNKNOWN] = {"unknown", "○", ".", STYLE_DIM},
};

static const char *mark_of(const struct doctor *doctor, enum finding_state state)
{
	return doctor->drawing.ascii ? marks[state].plain : marks[state].mark;
}

/* A sentence, broken between words where the canvas ends. */
static void draw_words(
	struct canvas *canvas, int row, int col, int width, enum style style, const char *text)
{
	int at = col;

	while (*text) {
		char word[FINDING_CHARS];
		size_t n = strcspn(text, " ");
		int columns;

		snprintf(word, sizeof(word), "%s%.*s", at > col ? " " : "", (int)n, text);
		columns = canvas_columns(canvas, word);
		if (at > col && at + columns > width) {
			row = canvas_row(canvas);
			at = col;
			memmove(word, word + 1, n + 1);
		}
		at = canvas_text(canvas, row, at, style, word);
		text += n;
		text += strspn(text, " ");
	}
}

static void print(struct canvas *canvas, FILE *stream)
{
	/* what cannot be written is told when standard output is flushed in the end */
	if (canvas != NULL && canvas_print(canvas, false, stream) == 0) {
		fflush(stream);
	}
	canvas_free(canvas);
}

void doctor_draw(const struct doctor *doctor, const struct finding *finding,
	const struct check *before, FILE *stream)
{
	struct canvas *canvas = canvas_new(&doctor->drawing);
	int width = doctor->drawing.width, col = width < NARROW ? NAME_COL : SAYS_COL, row;
	enum style style = finding->state == FINDING_UNKNOWN ? STYLE_DIM : STYLE_PLAIN;

	if (canvas == NULL) {
		return;
	}
	if (before == NULL || strcmp(before->group, finding->check->group) != 0) {
		canvas_row(canvas);
		canvas_text(canvas, canvas_row(canvas), 1, STYLE_BOLD, finding->check->group);
	}
	row = canvas_row(canvas);
	canvas_text(canvas, row, MARK_COL, marks[finding->state].style,
		mark_of(doctor, finding->state));
	if (before != finding->check) {
		canvas_text(canvas, row, NAME_COL, style, finding->check->name);
	}
	if (col == NAME_COL && before != finding->check) {
		row = canvas_row(canvas);
	}
	draw_words(canvas, row, col, width, style, finding->says);
	if (finding->fix[0] != '\0') {
		row = canvas_row(canvas);
		canvas_text(canvas, row, col, marks[finding->state].style, "→");
		draw_words(canvas, row, col + (doctor->drawing.ascii ? 3 : 2), width,
			finding->state == FINDING_UNKNOWN ? STYLE_DIM : STYLE_BOLD, finding->fix);
	}
	print(canvas, stream);
}

void doctor_draw_head(const struct doctor *doctor, FILE *stream)
{
	struct canvas *canvas = canvas_new(&doctor->drawing);
	char now[UNITS_CHARS];
	struct clock_pair pair;
	int row, col = 1;

	if (canvas == NULL) {
		return;
	}
	clock_pair(&pair);
	canvas_row(canvas);
	row = canvas_row(canvas);
	if (doctor->config_result >= 0) {
		col = canvas_text(canvas, row, col, STYLE_BOLD, doctor->config.name) + 2;
		col = canvas_text(canvas, row, col, STYLE_PLAIN, doctor->config.board_title) + 2;
	} else {
		col = canvas_text(canvas, row, col, STYLE_BOLD, "A box") + 2;
	}
	canvas_text(canvas, row, col, STYLE_DIM, units_wall(pair.realtime_ns, now));
	print(canvas, stream);
}

/* "o 12 ok", in the mark's colour */
static void draw_count(
	const struct doctor *doctor, struct flow *flow, enum finding_state state, const char *what)
{
	size_t n = doctor_count(doctor, state);
	char text[64];

	if (n > 0) {
		snprintf(text, sizeof(text), "%s %zu %s", mark_of(doctor, state), n, what);
		draw_flow(flow, marks[state].style, text);
	}
}

void doctor_draw_sum(const struct doctor *doctor, FILE *stream)
{
	struct canvas *canvas = canvas_new(&doctor->drawing);
	struct flow flow = {
		.canvas = canvas, .col = 1, .indent = 1, .width = doctor->drawing.width};
	bool faults = doctor_count(doctor, FINDING_FAULT) > 0;
	bool warnings = doctor_count(doctor, FINDING_WARNING) > 0;

	if (canvas == NULL) {
		return;
	}
	canvas_row(canvas);
	flow.row = canvas_row(canvas);
	draw_flow(&flow, STYLE_BOLD,
		faults             ? "Something is wrong."
			: warnings ? "It works; something could be better."
				   : "This box is well.");
	draw_count(doctor, &flow, FINDING_OK, "ok");
	draw_count(doctor, &flow, FINDING_WARNING, "to look at");
	draw_count(doctor, &flow, FINDING_FAULT, "wrong");
	draw_count(doctor, &flow, FINDING_UNKNOWN, "not known here");
	canvas_row(canvas);
	print(canvas, stream);
}

/* --- JSON --- */

/* null for ""; in what is no UTF-8 (a name from outside, a cut sentence) odd bytes are "?" */
static json_t *text_json(const char *text)
{
	char plain[FINDING_CHARS];
	json_t *json = *text ? json_string(text) : json_null();
	size_t n = 0;

	for (; json == NULL && text[n] && n < sizeof(plain) - 1; n++) {
		plain[n] = (unsigned char)text[n] < 0x80 ? text[n] : '?';
	}
	plain[n] = '\0';
	return json != NULL ? json : json_string(plain);
}

static json_t *finding_json(const struct finding *finding)
{
	return json_pack("{s:s, s:o, s:s, s:o, s:o, s:o}", "check", finding->check->name, "part",
		text_json(finding->part), "state", marks[finding->state].word, "says",
		text_json(finding->says), "fix", text_json(finding->fix), "values",
		finding->values != NULL ? json_incref(finding->values) : json_object());
}

int doctor_print_json(const struct doctor *doctor)
{
	json_t *list = json_array();

	for (size_t i = 0; i < doctor->n; i++) {
		if (json_array_append_new(list, finding_json(&doctor->list[i])) < 0) {
			json_decref(list);
			return -ENOMEM;
		}
	}
	return json_print(
		json_pack("{s:s, s:i, s:o, s:s, s:i, s:i, s:o}", "format", "chalkbox-doctor",
			"version", 1, "box",
			doctor->config_result >= 0 ? text_json(doctor->config.name) : json_null(),
			"state",
			doctor_count(doctor, FINDING_FAULT) > 0             ? "fault"
				: doctor_count(doctor, FINDING_WARNING) > 0 ? "warning"
									    : "ok",
			"faults", (int)doctor_count(doctor, FINDING_FAULT), "warnings",
			(int)doctor_count(doctor, FINDING_WARNING), "findings", list),
		stdout);
}
