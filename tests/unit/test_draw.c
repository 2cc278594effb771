/* The picture of a timeline made by hand: right lanes, never too wide, ASCII if asked. */
#include "app/base/clock.h"
#include "app/cli/draw.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define EVENTS 12
#define LEFT 14 /* where the lanes begin, with the codes below */

/* 66 minutes, so that at 80 columns each of the 66 columns is one. */
#define MINUTES 66
#define MINUTE (60 * NS_PER_S)

struct lesson {
	struct timeline timeline;
	struct timeline_event events[EVENTS];
	struct timeline_snippet snippets[3];
	struct timeline_silence silences[4];
	struct timeline_cue cues[1];
	uint8_t loudness[MINUTES * 6];
};

static void add_event(
	struct lesson *lesson, size_t code, double from_min, double to_min, const char *modifier)
{
	struct timeline_event *event = &lesson->events[lesson->timeline.n_events++];

	assert_true(lesson->timeline.n_events <= EVENTS);
	event->seq = 100 + (int64_t)lesson->timeline.n_events;
	event->code = &lesson->timeline.scheme.codes[code];
	event->t_ns = (int64_t)(from_min * (double)MINUTE);
	event->end_ns = (int64_t)(to_min * (double)MINUTE);
	event->span = to_min > from_min;
	event->snippet = -1;
	snprintf(event->modifier, sizeof(event->modifier), "%s", modifier);
}

static void add_sums(struct timeline *timeline)
{
	struct timeline_sum *sums = timeline->sums;

	timeline->n_sums = 3;
	sums[0] = (struct timeline_sum){.code = &timeline->scheme.codes[0],
		.count = 6,
		.spans = 1,
		.total_ns = MINUTE,
		.shortest_ns = MINUTE,
		.median_ns = MINUTE,
		.longest_ns = MINUTE,
		.by_modifier = {4, 1, 1},
		.modifiers = {"", "open", "wait"},
		.n_modifiers = 3};
	sums[1] = (struct timeline_sum){.code = &timeline->scheme.codes[1],
		.count = 2,
		.by_modifier = {0, 1, 0, 1},
		.modifiers = {"", "most", "half", "few"},
		.n_modifiers = 4};
	sums[2] = (struct timeline_sum){.code = &timeline->scheme.codes[2],
		.count = 2,
		.spans = 2,
		.total_ns = 11 * MINUTE / 2,
		.shortest_ns = MINUTE / 2,
		.median_ns = 11 * MINUTE / 4,
		.longest_ns = 5 * MINUTE,
		.by_modifier = {2},
		.modifiers = {""},
		.n_modifiers = 1};
}

static int set_up(void **state)
{
	struct lesson *lesson = calloc(1, sizeof(*lesson));
	struct timeline *timeline = &lesson->timeline;
	struct error error;

	assert_non_null(lesson);
	assert_int_equal(
		scheme_parse(scheme_default_text(), "default", &timeline->scheme, &error), 0);
	timeline->observation = 17;
	timeline->length_ns = MINUTES * MINUTE;
	timeline->start = (struct moment){1700000000 * NS_PER_S, 20 * NS_PER_MS, true};
	snprintf(timeline->box, sizeof(timeline->box), "Room 4");
	snprintf(timeline->end_cause, sizeof(timeline->end_cause), "button");
	timeline->events = lesson->events;
	timeline->snippets = lesson->snippets;
	timeline->silences = lesson->silences;
	timeline->cues = lesson->cues;
	timeline->loudness = lesson->loudness;

	add_event(lesson, 0, 0.5, 0.5, "");
	add_event(lesson, 0, 2.5, 2.5, "open");
	add_event(lesson, 0, 4.1, 4.1, "");
	add_event(lesson, 0, 4.9, 4.9, "");
	add_event(lesson, 0, 6.5, 8.5, "wait");
	add_event(lesson, 0, 65.99, 65.99, "");
	add_event(lesson, 1, 10.5, 10.5, "most");
	add_event(lesson, 1, 12.5, 12.5, "few");
	add_event(lesson, 2, 20, 25, "");
	add_event(lesson, 2, 30, 30.5, "");
	add_event(lesson, 0, 40.5, 40.5, "");
	lesson->events[10].undone = true;
	add_event(lesson, 2, 64, 66, "");
	lesson->events[11].open = true;
	add_sums(timeline);

	lesson->cues[0] = (struct timeline_cue){200, 14 * MINUTE, &timeline->scheme.codes[1]};
	timeline->n_cues = 1;
	lesson->snippets[0] = (struct timeline_snippet){
		.from_ns = -5 * NS_PER_S, .to_ns = 3 * MINUTE, .complete = true};
	lesson->snippets[1] = (struct timeline_snippet){
		.from_ns = 3 * MINUTE, .to_ns = 5 * MINUTE, .complete = false};
	lesson->snippets[2] = (struct timeline_snippet){
		.from_ns = 20 * MINUTE, .to_ns = 20 * MINUTE + 30 * NS_PER_S, .complete = true};
	timeline->n_snippets = 3;
	lesson->silences[0] = (struct timeline_silence){2 * MINUTE, 4 * MINUTE, SILENCE_MUTED, ""};
	lesson->silences[1] = (struct timeline_silence){
		9 * MINUTE + NS_PER_S, 9 * MINUTE + 2 * NS_PER_S, SILENCE_GAP, "overrun"};
	lesson->silences[2] = (struct timeline_silence){50 * MINUTE, 52 * MINUTE, SILENCE_LOST, ""};
	lesson->silences[3] = (struct timeline_silence){60 * MINUTE, 61 * MINUTE, SILENCE_FULL, ""};
	timeline->n_silences = 4;
	timeline->loudness_ms = 10000;
	timeline->n_loudness = MINUTES * 6;
	for (size_t i = 0; i < timeline->n_loudness; i++) {
		lesson->loudness[i] = i < 60 ? 60 : i < 120 ? 100 : i < 126 ? 255 : 140;
	}
	*state = lesson;
	return 0;
}

static int tear_down(void **state)
{
	free(*state);
	return 0;
}

/* The picture as text; the caller frees it. */
static char *draw(const struct timeline *timeline, int width, bool ascii, bool colour)
{
	struct drawing drawing = {width, ascii, colour};
	char *text = NULL;
	size_t bytes;
	FILE *stream = open_memstream(&text, &bytes);

	assert_non_null(stream);
	assert_int_equal(draw_timeline(timeline, &drawing, stream), 0);
	fclose(stream);
	return text;
}

/* The first line that has @label at its head, from the lanes' left edge on. */
static void assert_lane(const char *picture, const char *label, const char *lane)
{
	char line[1024];

	for (const char *at = picture; *at != '\0'; at = strchr(at, '\n') + 1) {
		size_t n = strcspn(at, "\n");

		assert_true(n < sizeof(line));
		memcpy(line, at, n);
		line[n] = '\0';
		if (n > LEFT && line[0] == ' ' && strncmp(line + 1, label, strlen(label)) == 0) {
			assert_string_equal(line + LEFT - 1, lane);
			return;
		}
	}
	fail_msg("no lane called %s", label);
}

static int columns(const char *line, size_t n)
{
	int found = 0;

	for (size_t i = 0; i < n; i++) {
		found += ((unsigned char)line[i] & 0xc0) != 0x80;
	}
	return found;
}

static int widest(const char *picture)
{
	int most = 0;

	for (const char *at = picture; *at != '\0'; at = strchr(at, '\n') + 1) {
		int here = columns(at, strcspn(at, "\n"));

		most = here > most ? here : most;
	}
	return most;
}

static void lanes_are_right_at_80_columns(void **state)
{
	const struct lesson *lesson = *state;
	char *picture = draw(&lesson->timeline, 80, true, false);

	assert_lane(picture, "questioning ",
		" o.*.2.===...............................x........................o");
	assert_lane(picture, "engagement ",
		" ..........1.3.:...................................................");
	assert_lane(picture, "transition ",
		" ....................#####.....#.................................##");
	assert_lane(picture, "microphone",
		" --mm-----!----------------------------------------xx--------f-----");
	assert_lane(picture, "snippets", " [1][~               |");
	assert_lane(picture, "minutes",
		" 0         10        20        30        40        50        60");
	free(picture);
}

static void utf8_lanes_show_shapes_and_half_columns(void **state)
{
	const struct lesson *lesson = *state;
	char *picture = draw(&lesson->timeline, 80, false, false);

	assert_lane(picture, "questioning ",
		" ●·◆·2·━━━·······························×························●");
	assert_lane(picture, "transition ",
		" ····················█████·····▌·································██");
	assert_lane(picture, "microphone",
		" ──░░─────╎────────────────────────────────────────╳╳────────▒─────");
	free(picture);
}

static void the_ribbon_rises_with_loudness_and_shows_what_is_unknown(void **state)
{
	const struct lesson *lesson = *state;
	char *picture = draw(&lesson->timeline, 80, true, false);

	assert_lane(picture, "loudness",
		" ##########==========..............................................");
	free(picture);
}

static void no_row_is_wider_than_the_width(void **state)
{
	struct lesson *lesson = *state;

	snprintf(lesson->timeline.box, sizeof(lesson->timeline.box),
		"A box with a name that is longer than a row of forty columns");
	for (int width = DRAW_WIDTH_MIN; width <= 200; width++) {
		for (int ascii = 0; ascii < 2; ascii++) {
			char *picture = draw(&lesson->timeline, width, ascii != 0, false);

			assert_true(widest(picture) <= width);
			free(picture);
		}
	}
}

static void the_picture_uses_the_width_it_is_given(void **state)
{
	const struct lesson *lesson = *state;
	char *picture = draw(&lesson->timeline, 132, false, false);

	assert_int_equal(widest(picture), 132);
	free(picture);
}

static void ascii_mode_is_only_ascii(void **state)
{
	struct lesson *lesson = *state;
	char *picture;

	snprintf(lesson->timeline.box, sizeof(lesson->timeline.box), "Größenraum – 教室");
	snprintf(lesson->events[1].modifier, sizeof(lesson->events[1].modifier), "öffen");
	picture = draw(&lesson->timeline, 80, true, false);
	for (const char *at = picture; *at != '\0'; at++) {
		assert_true((unsigned char)*at < 0x80);
		assert_true(*at == '\n' || *at >= ' ');
	}
	free(picture);
}

static void control_characters_of_the_journal_do_not_reach_the_terminal(void **state)
{
	struct lesson *lesson = *state;
	char *picture;

	snprintf(lesson->timeline.box, sizeof(lesson->timeline.box),
		"a\033[2Jb\xc2\x9b"
		"c\xff");
	picture = draw(&lesson->timeline, 80, false, false);
	assert_null(strchr(picture, '\033'));
	assert_non_null(strstr(picture, "a?[2Jb?c?"));
	free(picture);
}

static void colours_come_only_when_asked_for(void **state)
{
	const struct lesson *lesson = *state;
	char *plain = draw(&lesson->timeline, 80, false, false);
	char *coloured = draw(&lesson->timeline, 80, false, true);

	assert_null(strchr(plain, '\033'));
	assert_non_null(strstr(coloured, "\033[0;2;9m")); /* the event taken back is struck out */
	free(plain);
	free(coloured);
}

static void events_taken_back_are_marked_and_lack_their_sound(void **state)
{
	struct lesson *lesson = *state;
	char *picture;

	lesson->events[10].snippet = 2;
	picture = draw(&lesson->timeline, 80, true, false);
	assert_non_null(strstr(picture, "x  11    40:30.0  questioning  taken back"));
	free(picture);
}

static void counts_show_durations_shares_and_modifiers(void **state)
{
	const struct lesson *lesson = *state;
	char *picture = draw(&lesson->timeline, 80, true, false);

	assert_non_null(strstr(picture, "   plain 4  open 1  wait 1\n"));
	assert_non_null(strstr(picture, "   most 1  half 0  few 1\n"));
	assert_non_null(strstr(picture,
		" transition       2   5 min 30 s   8.3 %     30.0 s 2 min 45 s 5 min 00 s\n"));
	free(picture);
}

static void an_unknown_time_is_called_unknown(void **state)
{
	struct lesson *lesson = *state;
	char *picture;

	lesson->timeline.start.known = false;
	picture = draw(&lesson->timeline, 80, true, false);
	assert_non_null(strstr(picture, "time unknown"));
	assert_null(strstr(picture, "2023"));
	free(picture);
}

static void an_empty_observation_can_be_drawn(void **state)
{
	struct timeline timeline = {.observation = 1};
	char *picture = draw(&timeline, 40, false, true);

	assert_non_null(strstr(picture, "No events."));
	free(picture);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lanes_are_right_at_80_columns, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			utf8_lanes_show_shapes_and_half_columns, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_ribbon_rises_with_loudness_and_shows_what_is_unknown, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(no_row_is_wider_than_the_width, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_picture_uses_the_width_it_is_given, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ascii_mode_is_only_ascii, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			control_characters_of_the_journal_do_not_reach_the_terminal, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			colours_come_only_when_asked_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			events_taken_back_are_marked_and_lack_their_sound, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			counts_show_durations_shares_and_modifiers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			an_unknown_time_is_called_unknown, set_up, tear_down),
		cmocka_unit_test(an_empty_observation_can_be_drawn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
