/*
 * The picture: every lane shares one scale, so that what stands in one column
 * happened in one stretch of the lesson. A column is asked what lies in it,
 * instead of events being drawn one over the other: so two events in a column
 * become a 2 and neither hides the other, and nothing is too short to be seen.
 */
#include "app/cli/draw.h"

#include "app/base/clock.h"
#include "app/cli/units.h"

#include <errno.h>
#include <string.h>

#define LABEL_MIN 8
#define LABEL_MAX 16
#define UNKNOWN_LOUDNESS 255

struct picture {
	struct canvas *canvas;
	const struct timeline *timeline;
	int left, cols, width;
	int64_t length_ns;
	bool tall; /* the ribbon has two rows */
	bool many; /* a number stands for several events somewhere */
};

void draw_flow(struct flow *flow, enum style style, const char *text)
{
	int columns = canvas_columns(flow->canvas, text);

	if (flow->col > flow->indent && flow->col + columns > flow->width) {
		flow->row = canvas_row(flow->canvas);
		flow->col = flow->indent;
	}
	flow->col = canvas_text(flow->canvas, flow->row, flow->col, style, text) + 2;
}

enum style draw_code_style(const struct timeline *timeline, const struct code *code)
{
	size_t at = (size_t)(code - timeline->scheme.codes);

	return STYLE_CODE + (enum style)(at % CANVAS_HUES);
}

const char *draw_code_title(const struct code *code)
{
	return code->title[0] != '\0' ? code->title : code->name;
}

const char *draw_event_sign(const struct timeline_event *event)
{
	static const char *const digits[SCHEME_LEVELS_MAX] = {"1", "2", "3", "4", "5"};
	const struct code *code = event->code;

	if (event->undone) {
		return "×";
	}
	if (event->span) {
		return code->kind == CODE_STATE ? "█" : "━";
	}
	for (size_t i = 0; i < code->n_levels; i++) {
		if (strcmp(event->modifier, code->levels[i]) == 0) {
			return digits[i];
		}
	}
	if (event->modifier[0] == '\0') {
		return "●";
	}
	return strcmp(event->modifier, code->double_tap) == 0 ? "◆" : "▲";
}

/* Where a column begins; the picture's right edge for column `cols`. */
static int64_t col_begin(const struct picture *picture, int col)
{
	return (int64_t)((double)picture->length_ns * col / picture->cols);
}

/* The column of a moment, kept inside; @parts: of so many parts of a column. */
static int col_of(const struct picture *picture, int64_t t_ns, int parts)
{
	int cols = picture->cols * parts;
	double at = (double)t_ns * cols / (double)picture->length_ns;

	return at < 0 ? 0 : at >= cols ? cols - 1 : (int)at;
}

static void put(struct picture *picture, int row, int col, enum style style, const char *sign)
{
	canvas_text(picture->canvas, row, picture->left + col, style, sign);
}

static int lane(struct picture *picture, enum style style, const char *label)
{
	int row = canvas_row(picture->canvas);
	int end = canvas_text(picture->canvas, row, 1, style, label);

	for (; end >= picture->left; end--) { /* what sticks out into the lane */
		canvas_text(picture->canvas, row, end, STYLE_PLAIN, " ");
	}
	return row;
}

static const char *end_words(const struct timeline *timeline)
{
	static const char *const words[][2] = {
		{"button", "ended by its button"},
		{"idle", "ended after idling"},
		{"recovered", "cut off, then recovered"},
		{"shutdown", "ended by the shutdown"},
	};

	if (timeline->running) {
		return "still running";
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(timeline->end_cause, words[i][0]) == 0) {
			return words[i][1];
		}
	}
	return timeline->end_cause[0] != '\0' ? timeline->end_cause : "ended";
}

static void draw_header(struct picture *picture)
{
	const struct timeline *timeline = picture->timeline;
	const struct scheme *scheme = &timeline->scheme;
	struct flow flow = {picture->canvas, 0, 1, 1, picture->width};
	char text[256], one[UNITS_CHARS], two[UNITS_CHARS];

	flow.row = canvas_row(picture->canvas);
	snprintf(text, sizeof(text), "Observation %lld", (long long)timeline->observation);
	draw_flow(&flow, STYLE_BOLD, text);
	if (timeline->start.known) {
		snprintf(text, sizeof(text), "%s %s", units_wall(timeline->start.realtime_ns, one),
			units_uncertainty(timeline->start.uncertainty_ns, two));
		draw_flow(&flow, STYLE_PLAIN, text);
	} else {
		draw_flow(&flow, STYLE_AMBER, "time unknown (nothing set the box's clock)");
	}
	draw_flow(&flow, STYLE_PLAIN, units_length(timeline->length_ns, one));
	flow.row = canvas_row(picture->canvas);
	flow.col = flow.indent;
	if (timeline->box[0] != '\0') {
		draw_flow(&flow, STYLE_PLAIN, timeline->box);
	}
	snprintf(text, sizeof(text), "scheme %s%s%s%s", scheme->name,
		scheme->title[0] != '\0' ? " (" : "", scheme->title,
		scheme->title[0] != '\0' ? ")" : "");
	draw_flow(&flow, STYLE_DIM, text);
	if (timeline->scheme_lost) {
		draw_flow(&flow, STYLE_AMBER, "its own scheme is unreadable");
	}
	draw_flow(&flow, STYLE_DIM, end_words(timeline));
	canvas_row(picture->canvas);
}

static void draw_axis(struct picture *picture)
{
	static const int steps_s[] = {
		1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 36000, 86400};
	size_t n = sizeof(steps_s) / sizeof(steps_s[0]), i = 0;
	int labels, ticks;
	int64_t step_ns;

	while (i < n - 1 && steps_s[i] * NS_PER_S * picture->cols < 8 * picture->length_ns) {
		i++;
	}
	step_ns = steps_s[i] * NS_PER_S;
	labels = lane(picture, STYLE_DIM, step_ns < 60 * NS_PER_S ? "min:s" : "minutes");
	ticks = lane(picture, STYLE_DIM, "");
	for (int col = 0; col < picture->cols; col++) {
		put(picture, ticks, col, STYLE_DIM, "─");
	}
	for (int64_t t_ns = 0; t_ns <= picture->length_ns && t_ns / step_ns < picture->cols;
		t_ns += step_ns) {
		int col = col_of(picture, t_ns, 1);
		char text[UNITS_CHARS];

		if (step_ns < 60 * NS_PER_S) {
			units_time(t_ns, 0, text);
		} else {
			snprintf(text, sizeof(text), "%lld", (long long)(t_ns / (60 * NS_PER_S)));
		}
		put(picture, ticks, col, STYLE_DIM, "┬");
		if (col + (int)strlen(text) <= picture->cols) {
			put(picture, labels, col, STYLE_PLAIN, text);
		}
	}
}

/* The mean of a column, in half decibels below full scale; -1: nothing known. */
static int loudness_of(const struct picture *picture, int col)
{
	const struct timeline *timeline = picture->timeline;
	int64_t step_ns = timeline->loudness_ms * NS_PER_MS;
	int64_t sum = 0, known = 0;
	size_t from, to;

	if (step_ns <= 0) {
		return -1;
	}
	from = (size_t)(col_begin(picture, col) / step_ns);
	to = (size_t)((col_begin(picture, col + 1) + step_ns - 1) / step_ns);
	for (size_t i = from; i < to && i < timeline->n_loudness; i++) {
		if (timeline->loudness[i] != UNKNOWN_LOUDNESS) {
			sum += timeline->loudness[i];
			known++;
		}
	}
	return known > 0 ? (int)(sum / known) : -1;
}

static void draw_loudness(struct picture *picture)
{
	static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	int loudest = 254, faintest = -1;
	int upper, lower, levels = picture->tall ? 16 : 8;

	for (int col = 0; col < picture->cols; col++) {
		int value = loudness_of(picture, col);

		if (value >= 0) {
			loudest = value < loudest ? value : loudest;
			faintest = value > faintest ? value : faintest;
		}
	}
	if (faintest < 0) {
		return;
	}
	if (faintest < loudest + 36) { /* 18 dB fill the ribbon at least, */
		faintest = loudest + 36;
	}
	if (faintest > loudest + 90) { /* and 45 at most */
		faintest = loudest + 90;
	}
	upper = picture->tall ? lane(picture, STYLE_DIM, "") : -1;
	lower = lane(picture, STYLE_PLAIN, "loudness");
	for (int col = 0; col < picture->cols; col++) {
		int value = loudness_of(picture, col);
		int level = (faintest - value) * levels / (faintest - loudest + 1);

		if (value < 0) {
			put(picture, lower, col, STYLE_DIM, "·");
			continue;
		}
		level = level < 0 ? 0 : level;
		put(picture, lower, col, STYLE_DIM, blocks[level > 7 ? 7 : level]);
		if (level > 7) {
			put(picture, upper, col, STYLE_DIM, blocks[level - 8]);
		}
	}
}

/* Whether an open or ended bar covers the left (0) or right (1) half of a column. */
static bool covers(
	const struct picture *picture, const struct timeline_event *event, int col, int half)
{
	int from = col_of(picture, event->t_ns, 2), to = col_of(picture, event->end_ns - 1, 2);
	int at = col * 2 + half;

	return event->span && !event->undone && at >= from && (at <= to || at == from);
}

static void draw_code_cell(struct picture *picture, int row, int col, const struct code *code)
{
	const struct timeline *timeline = picture->timeline;
	enum style style = draw_code_style(timeline, code);
	const struct timeline_event *first = NULL, *held = NULL, *undone = NULL;
	bool left = false, right = false;
	int n = 0;

	for (size_t i = 0; i < timeline->n_events; i++) {
		const struct timeline_event *event = &timeline->events[i];
		bool begins = col_of(picture, event->t_ns, 1) == col;

		if (event->code != code) {
			continue;
		}
		if (event->undone) {
			undone = begins ? event : undone;
		} else if (event->span && code->kind == CODE_STATE) {
			left = left || covers(picture, event, col, 0);
			right = right || covers(picture, event, col, 1);
		} else {
			if (covers(picture, event, col, 0) || covers(picture, event, col, 1)) {
				held = event;
			}
			if (begins) {
				/* of samples the last is shown, of others how many */
				first = first == NULL || code->kind == CODE_SAMPLE ? event : first;
				n++;
			}
		}
	}
	if (n > 1 && code->kind != CODE_SAMPLE) {
		char many[2] = {(char)(n > 9 ? '+' : '0' + n), '\0'};

		picture->many = true;
		put(picture, row, col, style, many);
	} else if (first != NULL) {
		put(picture, row, col, style, draw_event_sign(first));
	} else if (left || right) {
		put(picture, row, col, style, left && right ? "█" : left ? "▌" : "▐");
	} else if (held != NULL) {
		put(picture, row, col, style, "━");
	} else if (undone != NULL) {
		put(picture, row, col, STYLE_DIM, "×");
	} else {
		put(picture, row, col, STYLE_DIM, "·");
		for (size_t i = 0; i < timeline->n_cues; i++) {
			if (timeline->cues[i].code == code &&
				col_of(picture, timeline->cues[i].t_ns, 1) == col) {
				put(picture, row, col, STYLE_DIM, "┆");
			}
		}
	}
}

/* A code that makes events, rather than steering the box. */
static bool makes_events(const struct code *code)
{
	return code->kind != CODE_UNDO && code->kind != CODE_LESSON && code->kind != CODE_MUTE;
}

static const struct {
	const char *sign, *word;
	enum style style;
} silences[] = {
	[SILENCE_GAP] = {"╎", "gap", STYLE_RED},
	[SILENCE_MUTED] = {"░", "muted", STYLE_AMBER},
	[SILENCE_LOST] = {"╳", "lost", STYLE_RED},
	[SILENCE_OFF] = {"·", "off", STYLE_DIM},
	[SILENCE_FULL] = {"▒", "sound not kept", STYLE_AMBER},
};

/* What the microphone lane shows of a column: the worst in it, or -1 for live. */
static int silence_of(const struct picture *picture, int col)
{
	static const int worst_first[] = {
		SILENCE_LOST, SILENCE_GAP, SILENCE_MUTED, SILENCE_FULL, SILENCE_OFF};
	const struct timeline *timeline = picture->timeline;
	int64_t from_ns = col_begin(picture, col), to_ns = col_begin(picture, col + 1);

	for (size_t k = 0; k < sizeof(worst_first) / sizeof(worst_first[0]); k++) {
		for (size_t i = 0; i < timeline->n_silences; i++) {
			const struct timeline_silence *silence = &timeline->silences[i];

			if ((int)silence->why == worst_first[k] && silence->from_ns < to_ns &&
				silence->to_ns > from_ns) {
				return worst_first[k];
			}
		}
	}
	return -1;
}

static void draw_microphone(struct picture *picture)
{
	int row = lane(picture, STYLE_PLAIN, "microphone");

	for (int col = 0; col < picture->cols; col++) {
		int why = silence_of(picture, col);

		if (why < 0) {
			put(picture, row, col, STYLE_PLAIN, "─");
		} else {
			put(picture, row, col, silences[why].style, silences[why].sign);
		}
	}
}

static void draw_snippets(struct picture *picture)
{
	const struct timeline *timeline = picture->timeline;
	int row = lane(picture, STYLE_PLAIN, "snippets"), free_col = 0;

	for (size_t i = 0; i < timeline->n_snippets; i++) {
		const struct timeline_snippet *snippet = &timeline->snippets[i];
		enum style style = snippet->complete ? STYLE_PLAIN : STYLE_AMBER;
		int from = col_of(picture, snippet->from_ns, 1);
		int to = col_of(picture, snippet->to_ns - 1, 1);
		char number[16];
		int digits = snprintf(number, sizeof(number), "%zu", i + 1);

		if (from < free_col && from < to) {
			from++; /* leaves the bracket of the one before */
		}
		for (int col = from + 1; col < to; col++) {
			put(picture, row, col, STYLE_DIM, "─");
		}
		put(picture, row, from, style, to > from ? "[" : "|");
		if (to > from) {
			put(picture, row, to, style, snippet->complete ? "]" : "~");
		}
		if (to - from - 1 >= digits) {
			put(picture, row, from + (to - from + 1 - digits) / 2, style, number);
		}
		free_col = to + 1;
	}
}

static void legend_code(
	struct flow *flow, const struct timeline *timeline, const struct timeline_sum *sum)
{
	const struct code *code = sum->code;
	enum style style = draw_code_style(timeline, code);

	if (code->kind == CODE_STATE || code->kind == CODE_HELD) {
		return; /* a bar in its own lane says all */
	}
	for (size_t i = 0; i < sum->n_modifiers; i++) {
		struct timeline_event like = {.code = code};
		char text[SCHEME_NAME_CHARS + 8];

		if (sum->by_modifier[i] == 0 ||
			(sum->modifiers[i][0] == '\0' && code->n_levels > 0)) {
			continue;
		}
		snprintf(like.modifier, sizeof(like.modifier), "%s", sum->modifiers[i]);
		like.span = code->hold[0] != '\0' && strcmp(like.modifier, code->hold) == 0;
		snprintf(text, sizeof(text), "%s %s", draw_event_sign(&like),
			like.modifier[0] != '\0' ? like.modifier : code->name);
		draw_flow(flow, style, text);
	}
}

static void draw_legend(struct picture *picture)
{
	const struct timeline *timeline = picture->timeline;
	struct flow flow = {picture->canvas, 0, picture->left, picture->left, picture->width};
	bool seen[sizeof(silences) / sizeof(silences[0])] = {false};
	bool undone = false, cut = false;

	canvas_row(picture->canvas);
	flow.row = canvas_row(picture->canvas);
	for (size_t i = 0; i < timeline->n_sums; i++) {
		legend_code(&flow, timeline, &timeline->sums[i]);
	}
	if (picture->many) {
		draw_flow(&flow, STYLE_DIM, "2 3 ... so many in one place");
	}
	for (size_t i = 0; i < timeline->n_events; i++) {
		undone = undone || timeline->events[i].undone;
	}
	if (undone) {
		draw_flow(&flow, STYLE_DIM, "× taken back");
	}
	if (timeline->n_cues > 0) {
		draw_flow(&flow, STYLE_DIM, "┆ reminder");
	}
	for (size_t i = 0; i < timeline->n_silences; i++) {
		int why = (int)timeline->silences[i].why;
		char text[64];

		if (!seen[why]) {
			seen[why] = true;
			snprintf(text, sizeof(text), "%s %s", silences[why].sign,
				silences[why].word);
			draw_flow(&flow, silences[why].style, text);
		}
	}
	for (size_t i = 0; i < timeline->n_snippets; i++) {
		cut = cut || !timeline->snippets[i].complete;
	}
	if (timeline->n_snippets > 0) {
		draw_flow(&flow, STYLE_DIM, "[ ] sound kept");
	}
	if (cut) {
		draw_flow(&flow, STYLE_AMBER, "~ cut short");
	}
}

static void measure(struct picture *picture, const struct drawing *drawing)
{
	const struct timeline *timeline = picture->timeline;
	int label = LABEL_MIN;

	for (size_t i = 0; i < timeline->scheme.n_codes; i++) {
		const struct code *code = &timeline->scheme.codes[i];
		int columns = makes_events(code) ? canvas_columns(picture->canvas, code->name) : 0;

		label = columns > label ? columns : label;
	}
	label = label < 10 ? 10 : label; /* "microphone" */
	label = label > LABEL_MAX ? LABEL_MAX : label;
	picture->width = drawing->width;
	picture->left = label + 3;
	picture->cols = drawing->width - picture->left;
	picture->tall = !drawing->ascii;
	picture->length_ns = timeline->length_ns > NS_PER_S ? timeline->length_ns : NS_PER_S;
}

int draw_timeline(const struct timeline *timeline, const struct drawing *drawing, FILE *stream)
{
	struct picture picture = {.timeline = timeline, .canvas = canvas_new(drawing)};
	int r;

	if (picture.canvas == NULL) {
		return -ENOMEM;
	}
	measure(&picture, drawing);
	draw_header(&picture);
	draw_axis(&picture);
	draw_loudness(&picture);
	for (size_t i = 0; i < timeline->scheme.n_codes; i++) {
		const struct code *code = &timeline->scheme.codes[i];

		if (makes_events(code)) {
			int row = lane(&picture, draw_code_style(timeline, code), code->name);

			for (int col = 0; col < picture.cols; col++) {
				draw_code_cell(&picture, row, col, code);
			}
		}
	}
	draw_microphone(&picture);
	draw_snippets(&picture);
	draw_legend(&picture);
	tables_events(picture.canvas, timeline, drawing->width);
	tables_counts(picture.canvas, timeline, drawing->width);
	r = canvas_print(picture.canvas, false, stream);
	canvas_free(picture.canvas);
	return r;
}
