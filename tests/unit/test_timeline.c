#include "app/timeline/timeline.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BOOT_A "aaaaaaaa-9d2b-4c6f-8a17-2b3c4d5e6f70"
#define BOOT_B "bbbbbbbb-9d2b-4c6f-8a17-2b3c4d5e6f70"
#define OBSERVATION_ID "11111111-2222-4333-8444-555555555555"
#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define S(seconds) ((int64_t)((seconds)*1e9))
#define T0 S(1000) /* when the observation starts, on the monotonic clock */
#define WALL INT64_C(1760000000000000000)

/* A journal in the making. */
struct script {
	struct entries entries;
	int64_t boot, observation;
};

static int64_t add(struct script *script, enum entry_kind kind, double at_s, const char *code,
	int64_t ref, int64_t value, const struct facts *facts)
{
	int64_t seq = (int64_t)script->entries.n + 1;
	struct entry entry = {
		.seq = seq,
		.t_ns = T0 + S(at_s),
		.kind = kind,
		.ref = ref,
		.value = value,
	};
	struct error error;

	if (kind == ENTRY_BOOT) {
		script->boot = seq;
	}
	if (kind == ENTRY_START) {
		script->observation = seq;
	}
	entry.boot = script->boot;
	entry.observation = kind == ENTRY_BOOT ? 0 : script->observation;
	(void)snprintf(entry.code, sizeof(entry.code), "%s", code);
	if (facts) {
		assert_int_equal(entry_set_facts(&entry, facts), 0);
	}
	if (entry_check(&entry, &error) != 0) {
		fail_msg("%s", error.text);
	}
	assert_int_equal(entries_add(&script->entries, &entry), 0);
	if (kind == ENTRY_END) {
		script->observation = 0;
	}
	return seq;
}

static void add_boot(struct script *script, const char *boot_id, double at_s)
{
	struct facts facts = {.version = "0", .box = "Box 7"};

	memcpy(facts.boot_id, boot_id, sizeof(facts.boot_id));
	(void)add(script, ENTRY_BOOT, at_s, "", 0, 0, &facts);
}

static int64_t add_start(struct script *script, double at_s)
{
	struct facts facts = {.id = OBSERVATION_ID, .cause = "button"};
	int64_t seq;

	facts.scheme = strdup(scheme_default_text());
	assert_non_null(facts.scheme);
	seq = add(script, ENTRY_START, at_s, "", 0, 0, &facts);
	facts_fini(&facts);
	return seq;
}

static void add_end(struct script *script, double at_s, const char *cause)
{
	struct facts facts = {0};

	(void)snprintf(facts.cause, sizeof(facts.cause), "%s", cause);
	(void)add(script, ENTRY_END, at_s, "", 0, 0, &facts);
}

static int64_t add_press(struct script *script, const char *code, double at_s, double until_s)
{
	int64_t seq = add(script, ENTRY_PRESS, at_s, code, 0, 0, NULL);

	(void)add(script, ENTRY_RELEASE, until_s, code, seq, 0, NULL);
	return seq;
}

static int64_t add_tap(struct script *script, const char *code, double at_s)
{
	return add_press(script, code, at_s, at_s + 0.1);
}

static void add_clock(struct script *script, double at_s, int64_t realtime_ns,
	int64_t uncertainty_ns, bool trusted)
{
	struct facts facts = {
		.uncertainty_ns = uncertainty_ns, .trusted = trusted, .cause = "start"};

	(void)add(script, ENTRY_CLOCK, at_s, "", 0, realtime_ns, &facts);
}

static void add_mic(struct script *script, double at_s, enum mic_state state, const char *cause)
{
	struct facts facts = {.rate_hz = 48000};

	(void)snprintf(facts.cause, sizeof(facts.cause), "%s", cause);
	(void)add(script, ENTRY_MIC, at_s, "", 0, state, &facts);
}

static void add_gap(struct script *script, double from_s, double to_s, const char *cause)
{
	struct facts facts = {.from_ns = T0 + S(from_s), .to_ns = T0 + S(to_s)};

	(void)snprintf(facts.cause, sizeof(facts.cause), "%s", cause);
	(void)add(script, ENTRY_GAP, to_s, "", 0, 0, &facts);
}

static int64_t add_snippet(
	struct script *script, double from_s, double to_s, bool complete, double written_s)
{
	uint8_t peaks[] = {1, 2, 3};
	struct facts facts = {.file = "snippet.opus",
		.codec = "opus",
		.from_ns = T0 + S(from_s),
		.to_ns = T0 + S(to_s),
		.bytes = 4321,
		.sha256 = SHA,
		.complete = complete,
		.step_ms = 50,
		.levels = peaks,
		.n_levels = 3};

	return add(script, ENTRY_SNIPPET, written_s, "", 0, 0, &facts);
}

static void add_loudness(struct script *script, double from_s, size_t n, uint8_t level)
{
	struct facts facts = {.from_ns = T0 + S(from_s), .step_ms = 100, .n_levels = n};
	int64_t seq;

	facts.levels = malloc(n);
	assert_non_null(facts.levels);
	memset(facts.levels, level, n);
	seq = add(script, ENTRY_LOUDNESS, from_s + (double)n / 10, "", 0, 0, &facts);
	assert_true(seq > 0);
	facts_fini(&facts);
}

static struct timeline *fold(const struct script *script, int64_t observation)
{
	struct timeline *timeline = NULL;

	assert_int_equal(
		timeline_fold(script->entries.list, script->entries.n, observation, &timeline), 0);
	return timeline;
}

static void assert_times(int64_t got_ns, double expected_s)
{
	if (got_ns != S(expected_s)) {
		fail_msg("%.9f s instead of %.9f s", (double)got_ns / 1e9, expected_s);
	}
}

static void assert_event(const struct timeline *timeline, size_t i, const char *code, double at_s,
	double end_s, const char *modifier)
{
	assert_true(i < timeline->n_events);
	assert_string_equal(timeline->events[i].code->name, code);
	assert_times(timeline->events[i].t_ns, at_s);
	assert_times(timeline->events[i].end_ns, end_s);
	assert_string_equal(timeline->events[i].modifier, modifier);
}

static void assert_silence(const struct timeline *timeline, size_t i, int why, double from_s,
	double to_s, const char *cause)
{
	assert_true(i < timeline->n_silences);
	assert_int_equal((int)timeline->silences[i].why, why);
	assert_times(timeline->silences[i].from_ns, from_s);
	assert_times(timeline->silences[i].to_ns, to_s);
	assert_string_equal(timeline->silences[i].cause, cause);
}

static const struct timeline_sum *sum_of(const struct timeline *timeline, const char *code)
{
	size_t i;

	for (i = 0; i < timeline->n_sums; i++) {
		if (strcmp(timeline->sums[i].code->name, code) == 0) {
			return &timeline->sums[i];
		}
	}
	fail_msg("no sum of %s", code);
	return NULL;
}

/* A lesson of 600 s with a bit of everything. */
static int64_t rich_lesson(struct script *script)
{
	int64_t observation, undone;

	add_boot(script, BOOT_A, -500);
	add_clock(script, -499, WALL - S(499), S(0.5), true);
	add_mic(script, -498, MIC_LIVE, "");
	observation = add_start(script, 0);
	(void)add_tap(script, "questioning", 10);
	(void)add_tap(script, "questioning", 20); /* double */
	(void)add_tap(script, "questioning", 20.3);
	(void)add_press(script, "questioning", 40, 43.5); /* wait */
	(void)add_press(script, "questioning", 50, 51.5);
	(void)add_snippet(script, -0, 63.5, true, 64);
	(void)add_tap(script, "engagement", 100);
	(void)add_tap(script, "engagement", 100.3); /* half */
	(void)add(script, ENTRY_CUE, 110, "engagement", 0, 0, NULL);
	(void)add_tap(script, "transition", 200);
	add_gap(script, 205, 205.5, "overrun");
	(void)add_tap(script, "transition", 260);
	add_mic(script, 300, MIC_MUTED, "button");
	add_mic(script, 330, MIC_LIVE, "button");
	undone = add_tap(script, "questioning", 400);
	(void)add(script, ENTRY_UNDO, 402, "", undone, 0, NULL);
	(void)add_tap(script, "transition", 500);
	undone = add_tap(script, "transition", 520);
	(void)add(script, ENTRY_UNDO, 521, "", undone, 0, NULL); /* it goes on */
	(void)add_tap(script, "transition", 530);
	add_loudness(script, 0, 600, 100);
	add_loudness(script, 120, 600, 90);
	add_end(script, 600, "button");
	script->observation = observation; /* the last sound is finished after the end */
	(void)add_snippet(script, 90, 120, true, 601);
	script->observation = 0;
	add_clock(script, 700, WALL + S(700.25), S(0.01), true);
	return observation;
}

static void a_rich_lesson_has_exactly_these_events(void **state)
{
	struct script script = {0};
	int64_t observation = rich_lesson(&script);
	struct timeline *timeline = fold(&script, observation);

	assert_int_equal(timeline->observation, observation);
	assert_string_equal(timeline->id, OBSERVATION_ID);
	assert_string_equal(timeline->box, "Box 7");
	assert_false(timeline->scheme_lost);
	assert_string_equal(timeline->scheme.name, "default");
	assert_false(timeline->running);
	assert_string_equal(timeline->end_cause, "button");
	assert_times(timeline->length_ns, 600);

	assert_int_equal(timeline->n_events, 8);
	assert_event(timeline, 0, "questioning", 10, 10, "");
	assert_event(timeline, 1, "questioning", 20, 20, "open");
	assert_event(timeline, 2, "questioning", 40, 43.5, "wait");
	assert_true(timeline->events[2].span && !timeline->events[2].open);
	assert_event(timeline, 3, "questioning", 50, 51.5, "wait");
	assert_event(timeline, 4, "engagement", 100, 100, "half");
	assert_event(timeline, 5, "transition", 200, 260, "");
	assert_event(timeline, 6, "questioning", 400, 400, "");
	assert_true(timeline->events[6].undone);
	assert_event(timeline, 7, "transition", 500, 530, "");
	assert_false(timeline->events[7].open || timeline->events[7].undone);

	assert_int_equal(timeline->n_snippets, 2);
	assert_times(timeline->snippets[0].from_ns, 0);
	assert_times(timeline->snippets[0].to_ns, 63.5);
	assert_times(timeline->snippets[1].from_ns, 90);
	assert_int_equal(timeline->snippets[1].bytes, 4321);
	assert_string_equal(timeline->snippets[1].sha256, SHA);
	assert_int_equal(timeline->snippets[1].n_peaks, 3);
	assert_int_equal(timeline->snippets[1].peak_ms, 50);
	assert_int_equal(timeline->events[0].snippet, 0);
	assert_int_equal(timeline->events[3].snippet, 0);
	assert_int_equal(timeline->events[4].snippet, 1);
	assert_int_equal(timeline->events[5].snippet, -1);

	assert_int_equal(timeline->n_silences, 2);
	assert_silence(timeline, 0, SILENCE_GAP, 205, 205.5, "overrun");
	assert_silence(timeline, 1, SILENCE_MUTED, 300, 330, "button");

	assert_int_equal(timeline->n_cues, 1);
	assert_times(timeline->cues[0].t_ns, 110);
	assert_string_equal(timeline->cues[0].code->name, "engagement");

	assert_int_equal(timeline->loudness_ms, 100);
	assert_int_equal(timeline->n_loudness, 6000);
	assert_int_equal(timeline->loudness[0], 100);
	assert_int_equal(timeline->loudness[599], 100);
	assert_int_equal(timeline->loudness[600], 255);
	assert_int_equal(timeline->loudness[1199], 255);
	assert_int_equal(timeline->loudness[1200], 90);
	assert_int_equal(timeline->loudness[1799], 90);
	assert_int_equal(timeline->loudness[1800], 255);
	timeline_free(timeline);
	entries_fini(&script.entries);
}

static void the_sums_are_those_of_the_list(void **state)
{
	struct script script = {0};
	int64_t observation = rich_lesson(&script);
	struct timeline *timeline = fold(&script, observation);
	const struct timeline_sum *sum;

	assert_int_equal(timeline->n_sums, 3);
	sum = sum_of(timeline, "questioning");
	assert_int_equal(sum->count, 4);
	assert_int_equal(sum->spans, 2);
	assert_times(sum->total_ns, 5);
	assert_times(sum->shortest_ns, 1.5);
	assert_times(sum->median_ns, 2.5);
	assert_times(sum->longest_ns, 3.5);
	assert_int_equal(sum->n_modifiers, 3);
	assert_string_equal(sum->modifiers[0], "");
	assert_string_equal(sum->modifiers[1], "open");
	assert_string_equal(sum->modifiers[2], "wait");
	assert_int_equal(sum->by_modifier[0], 1);
	assert_int_equal(sum->by_modifier[1], 1);
	assert_int_equal(sum->by_modifier[2], 2);
	sum = sum_of(timeline, "engagement");
	assert_int_equal(sum->count, 1);
	assert_int_equal(sum->spans, 0);
	assert_int_equal(sum->n_modifiers, 4);
	assert_string_equal(sum->modifiers[2], "half");
	assert_int_equal(sum->by_modifier[2], 1);
	sum = sum_of(timeline, "transition");
	assert_int_equal(sum->count, 2);
	assert_times(sum->total_ns, 90);
	assert_times(sum->median_ns, 45);
	timeline_free(timeline);
	entries_fini(&script.entries);
}

static void the_nearest_trusted_clock_dates_a_moment(void **state)
{
	struct script script = {0};
	int64_t observation = rich_lesson(&script);
	struct timeline *timeline = fold(&script, observation);
	struct moment moment;

	/* 499 s after the first pair: 0.5 s and 50 ppm of it */
	assert_true(timeline->start.known);
	assert_int_equal(timeline->start.realtime_ns, WALL);
	assert_int_equal(timeline->start.uncertainty_ns, S(0.5) + S(499) / 20000);
	/* 100 s before the second one */
	moment = timeline_moment(timeline, S(600));
	assert_true(moment.known);
	assert_int_equal(moment.realtime_ns, WALL + S(600.25));
	assert_int_equal(moment.uncertainty_ns, S(0.01) + S(100) / 20000);
	timeline_free(timeline);
	entries_fini(&script.entries);
}

static void a_clock_that_starts_in_1970_is_put_right_later(void **state)
{
	struct script script = {0};
	struct timeline *timeline;
	int64_t observation;

	add_boot(&script, BOOT_A, -10);
	add_clock(&script, -10, S(5), S(16), false);
	observation = add_start(&script, 0);
	(void)add_tap(&script, "questioning", 30);
	timeline = fold(&script, observation);
	assert_false(timeline->start.known);
	assert_int_equal(timeline->start.realtime_ns, S(15)); /* what the box believed */
	timeline_free(timeline);

	add_clock(&script, 60, WALL + S(60), S(0.02), true);
	(void)add_tap(&script, "questioning", 70);
	add_end(&script, 90, "button");
	timeline = fold(&script, observation);
	assert_true(timeline->start.known);
	assert_int_equal(timeline->start.realtime_ns, WALL);
	assert_int_equal(timeline->start.uncertainty_ns, S(0.02) + S(60) / 20000);
	assert_event(timeline, 0, "questioning", 30, 30, "");
	assert_event(timeline, 1, "questioning", 70, 70, "");
	assert_int_equal(timeline_moment(timeline, S(30)).realtime_ns, WALL + S(30));
	timeline_free(timeline);
	entries_fini(&script.entries);
}

static void a_boot_that_never_knew_the_time_says_so(void **state)
{
	struct script script = {0};
	struct timeline *timeline;
	int64_t observation;

	add_boot(&script, BOOT_A, -10);
	observation = add_start(&script, 0);
	add_end(&script, 90, "button");
	timeline = fold(&script, observation);
	assert_false(timeline->start.known);
	assert_int_equal(timeline->start.realtime_ns, 0);
	timeline_free(timeline);

	/* another kernel boot's clock is no help */
	add_boot(&script, BOOT_B, -900);
	add_clock(&script, -890, WALL, S(0.01), true);
	timeline = fold(&script, observation);
	assert_false(timeline->start.known);
	timeline_free(timeline);

	/* the same kernel boot's is, though the recorder was started again */
	add_boot(&script, BOOT_A, 100);
	add_clock(&script, 200, WALL + S(200), S(0.01), true);
	timeline = fold(&script, observation);
	assert_true(timeline->start.known);
	assert_int_equal(timeline->start.realtime_ns, WALL);
	timeline_free(timeline);
	entries_fini(&script.entries);
}

/* A power cut at 75 s; the next boot finishes what was torn. */
static int64_t cut_lesson(struct script *script, const char *next_boot)
{
	int64_t observation;

	add_boot(script, BOOT_A, -10);
	add_mic(script, -9, MIC_LIVE, "");
	observation = add_start(script, 0);
	add_loudness(script, 0, 600, 80);
	(void)add(script, ENTRY_PRESS, 70, "transition", 0, 0, NULL);
	script->observation = 0;
	add_boot(script, next_boot, 5000);
	script->observation = observation;
	(void)add_snippet(script, 60, 75, false, 5001);
	add_end(script, 5002, "recovered");
	return observation;
}

static void a_recovered_observation_lasts_to_its_last_sign_of_life(void **state)
{
	static const char *const boots[] = {BOOT_A, BOOT_B};
	size_t i;

	for (i = 0; i < 2; i++) {
		struct script script = {0};
		int64_t observation = cut_lesson(&script, boots[i]);
		struct timeline *timeline = fold(&script, observation);

		assert_false(timeline->running);
		assert_string_equal(timeline->end_cause, "recovered");
		assert_times(timeline->length_ns, 75);
		assert_int_equal(timeline->n_events, 1);
		assert_event(timeline, 0, "transition", 70, 75, "");
		assert_true(timeline->events[0].open);
		assert_int_equal(timeline->events[0].snippet, 0);
		assert_false(timeline->snippets[0].complete);
		assert_int_equal(timeline->n_silences, 0);
		assert_int_equal(timeline->n_loudness, 750);
		assert_int_equal(timeline->loudness[749], 255);
		timeline_free(timeline);
		entries_fini(&script.entries);
	}
}

static void a_snippet_that_left_the_box_is_told_from_one_that_stayed(void **state)
{
	struct script script = {0};
	int64_t observation, first;
	struct facts facts = {.file = "snippet.opus", .sha256 = SHA};
	struct timeline *timeline;

	add_boot(&script, BOOT_A, -1);
	observation = add_start(&script, 0);
	first = add_snippet(&script, 1, 9, true, 10);
	(void)add_snippet(&script, 20, 29, true, 30);
	add_end(&script, 3000, "button");
	(void)add(&script, ENTRY_GONE, 4000, "", first, 0, &facts);
	(void)add(&script, ENTRY_GONE, 4001, "", first, 0, &facts);
	timeline = fold(&script, observation);
	assert_int_equal(timeline->n_snippets, 2);
	assert_true(timeline->snippets[0].gone);
	assert_false(timeline->snippets[1].gone);
	timeline_free(timeline);
	entries_fini(&script.entries);
}

static void an_observation_without_an_end_is_running(void **state)
{
	struct script script = {0};
	struct timeline *timeline;
	int64_t observation;

	add_boot(&script, BOOT_A, -10);
	observation = add_start(&script, 0);
	(void)add(&script, ENTRY_PRESS, 70, "transition", 0, 0, NULL);
	(void)add_tap(&script, "engagement", 80);
	timeline = fold(&script, observation);
	assert_true(timeline->running);
	assert_string_equal(timeline->end_cause, "");
	assert_times(timeline->length_ns, 80.1);
	assert_event(timeline, 0, "transition", 70, 80.1, "");
	assert_true(timeline->events[0].open);
	timeline_free(timeline);

	/* the recorder has been started again, and has not ended it yet */
	script.observation = 0;
	add_boot(&script, BOOT_B, -900);
	timeline = fold(&script, observation);
	assert_false(timeline->running);
	assert_string_equal(timeline->end_cause, "cut off");
	assert_times(timeline->length_ns, 80.1);
	timeline_free(timeline);
	entries_fini(&script.entries);
}

static void every_way_to_be_silent_is_told_apart(void **state)
{
	struct script script = {0};
	struct timeline *timeline;
	int64_t observation;

	add_boot(&script, BOOT_A, -10);
	add_mic(&script, -9, MIC_LIVE, "");
	add_mic(&script, -8, MIC_OFF, "consent");
	observation = add_start(&script, 0);
	add_mic(&script, 10, MIC_LIVE, "");
	add_mic(&script, 20, MIC_LOST, "unplugged");
	add_mic(&script, 25, MIC_LOST, "unplugged");
	add_mic(&script, 30, MIC_LIVE, "");
	add_mic(&script, 40, MIC_FULL, "disk");
	add_mic(&script, 50, MIC_MUTED, "switch");
	add_gap(&script, -5, 3, "overrun");
	add_gap(&script, 15, 15, "overrun");
	add_end(&script, 60, "idle");
	add_mic(&script, 70, MIC_LIVE, "");
	timeline = fold(&script, observation);
	assert_int_equal(timeline->n_silences, 5);
	assert_silence(timeline, 0, SILENCE_GAP, 0, 3, "overrun");
	assert_silence(timeline, 1, SILENCE_OFF, 0, 10, "consent");
	assert_silence(timeline, 2, SILENCE_LOST, 20, 30, "unplugged");
	assert_silence(timeline, 3, SILENCE_FULL, 40, 50, "disk");
	assert_silence(timeline, 4, SILENCE_MUTED, 50, 60, "switch");
	timeline_free(timeline);
	entries_fini(&script.entries);
}

static void without_a_word_of_the_microphone_there_was_no_sound(void **state)
{
	struct script script = {0};
	struct timeline *timeline;
	int64_t observation;

	add_boot(&script, BOOT_B, -10);
	add_mic(&script, -9, MIC_LIVE, "");
	add_boot(&script, BOOT_A, -10);
	observation = add_start(&script, 0);
	add_end(&script, 60, "button");
	timeline = fold(&script, observation);
	assert_int_equal(timeline->n_silences, 1);
	assert_silence(timeline, 0, SILENCE_OFF, 0, 60, "");
	assert_int_equal(timeline->n_loudness, 0);
	assert_null(timeline->loudness);
	timeline_free(timeline);
	entries_fini(&script.entries);
}

static void an_event_is_heard_where_most_of_its_window_is(void **state)
{
	struct script script = {0};
	struct timeline *timeline;
	int64_t observation;

	add_boot(&script, BOOT_A, -10);
	observation = add_start(&script, 0);
	(void)add_tap(&script, "questioning", 100); /* window 90 to 120 */
	(void)add_tap(&script, "questioning", 200); /* at the very edge of two */
	(void)add_tap(&script, "questioning", 300);
	(void)add_snippet(&script, 99, 101, true, 130);
	(void)add_snippet(&script, 85, 118, true, 130);
	(void)add_snippet(&script, 95, 125, true, 130);
	(void)add_snippet(&script, 190, 200, true, 220);
	(void)add_snippet(&script, 200, 220, true, 230);
	(void)add_snippet(&script, 301, 320, true, 330);
	add_end(&script, 400, "button");
	timeline = fold(&script, observation);
	assert_int_equal(timeline->n_events, 3);
	assert_times(timeline->snippets[timeline->events[0].snippet].from_ns, 85);
	assert_times(timeline->snippets[timeline->events[1].snippet].from_ns, 200);
	assert_int_equal(timeline->events[2].snippet, -1);
	timeline_free(timeline);
	entries_fini(&script.entries);
}

static void observations_do_not_mix(void **state)
{
	struct script script = {0};
	struct timeline *timeline;
	int64_t first, second;

	add_boot(&script, BOOT_A, -10);
	first = add_start(&script, 0);
	(void)add_tap(&script, "questioning", 5);
	add_end(&script, 10, "button");
	second = add_start(&script, 20);
	(void)add_tap(&script, "engagement", 26);
	add_end(&script, 40, "button");
	timeline = fold(&script, first);
	assert_int_equal(timeline->n_events, 1);
	assert_event(timeline, 0, "questioning", 5, 5, "");
	assert_times(timeline->length_ns, 10);
	timeline_free(timeline);
	timeline = fold(&script, second);
	assert_int_equal(timeline->n_events, 1);
	assert_event(timeline, 0, "engagement", 6, 6, "most");
	assert_times(timeline->length_ns, 20);
	timeline_free(timeline);

	assert_int_equal(timeline_next(script.entries.list, script.entries.n, 0), first);
	assert_int_equal(timeline_next(script.entries.list, script.entries.n, first), second);
	assert_int_equal(timeline_next(script.entries.list, script.entries.n, second), 0);
	timeline = NULL;
	assert_int_equal(timeline_fold(script.entries.list, script.entries.n, first + 1, &timeline),
		-ENOENT);
	assert_int_equal(
		timeline_fold(script.entries.list, script.entries.n, 0, &timeline), -ENOENT);
	assert_int_equal(timeline_fold(NULL, 0, 1, &timeline), -ENOENT);
	assert_null(timeline);
	entries_fini(&script.entries);
}

static void a_press_with_another_boots_clock_does_not_count(void **state)
{
	struct script script = {0};
	struct timeline *timeline;
	int64_t observation;

	add_boot(&script, BOOT_A, -10);
	observation = add_start(&script, 0);
	(void)add_tap(&script, "questioning", 5);
	script.observation = 0;
	add_boot(&script, BOOT_B, -900);
	script.observation = observation;
	(void)add_tap(&script, "questioning", 7);
	timeline = fold(&script, observation);
	assert_int_equal(timeline->n_events, 1);
	timeline_free(timeline);
	entries_fini(&script.entries);
}

static void a_lost_scheme_is_replaced_and_said(void **state)
{
	static const char *const schemes[] = {"[nonsense", "", "[scheme]\n"};
	size_t i;

	for (i = 0; i < 3; i++) {
		struct facts facts = {.id = OBSERVATION_ID, .cause = "button"};
		struct entry entries[] = {
			{.seq = 1, .boot = 1, .kind = ENTRY_BOOT},
			{.seq = 2, .boot = 1, .kind = ENTRY_START, .observation = 2},
		};
		struct timeline *timeline;

		facts.scheme = strdup(schemes[i]);
		assert_int_equal(entry_set_facts(&entries[1], &facts), 0);
		assert_int_equal(timeline_fold(entries, 2, 2, &timeline), 0);
		assert_true(timeline->scheme_lost);
		assert_string_equal(timeline->scheme.name, "default");
		timeline_free(timeline);
		facts_fini(&facts);
		entry_fini(&entries[1]);
	}
}

static void order_and_repetition_of_entries_make_no_difference(void **state)
{
	struct script script = {0};
	int64_t observation = rich_lesson(&script);
	struct timeline *straight = fold(&script, observation), *mixed = NULL;
	size_t n = script.entries.n, i;
	struct entry *list = calloc(2 * n, sizeof(*list));

	assert_non_null(list);
	for (i = 0; i < n; i++) {
		list[i] = list[n + i] = script.entries.list[n - 1 - i];
	}
	assert_int_equal(timeline_fold(list, 2 * n, observation, &mixed), 0);
	assert_int_equal(mixed->n_events, straight->n_events);
	for (i = 0; i < mixed->n_events; i++) {
		assert_int_equal(mixed->events[i].seq, straight->events[i].seq);
		assert_int_equal(mixed->events[i].end_ns, straight->events[i].end_ns);
	}
	assert_int_equal(mixed->n_snippets, straight->n_snippets);
	assert_int_equal(mixed->n_silences, straight->n_silences);
	assert_int_equal(mixed->length_ns, straight->length_ns);
	assert_memory_equal(mixed->loudness, straight->loudness, straight->n_loudness);
	timeline_free(mixed);
	timeline_free(straight);
	free(list);
	entries_fini(&script.entries);
}

static void times_beyond_a_day_are_held_in_range(void **state)
{
	static const int64_t times[] = {INT64_MIN, -1, 0, S(86400 * 3), INT64_MAX};
	size_t i, j;

	for (i = 0; i < 5; i++) {
		for (j = 0; j < 5; j++) {
			struct entry entries[] = {
				{.seq = 1, .boot = 1, .kind = ENTRY_BOOT},
				{.seq = 2,
					.boot = 1,
					.kind = ENTRY_CLOCK,
					.t_ns = times[i],
					.value = times[j]},
				{.seq = 3,
					.boot = 1,
					.kind = ENTRY_START,
					.observation = 3,
					.t_ns = times[j]},
				{.seq = 4,
					.boot = 1,
					.kind = ENTRY_PRESS,
					.observation = 3,
					.t_ns = times[i],
					.code = "transition"},
				{.seq = 5,
					.boot = 1,
					.kind = ENTRY_MIC,
					.observation = 3,
					.t_ns = times[i],
					.value = times[i]},
				{.seq = 6,
					.boot = 1,
					.kind = ENTRY_END,
					.observation = 3,
					.t_ns = times[i]},
			};
			struct timeline *timeline;

			assert_int_equal(timeline_fold(entries, 6, 3, &timeline), 0);
			assert_in_range(timeline->length_ns, 0, S(86400));
			assert_int_equal(timeline->n_events, 1);
			assert_in_range(timeline->events[0].t_ns, 0, timeline->length_ns);
			assert_in_range(timeline->events[0].end_ns, timeline->events[0].t_ns,
				timeline->length_ns);
			timeline_free(timeline);
		}
	}
}

static void a_snippet_that_breaks_the_rules_is_none(void **state)
{
	struct script script = {0};
	struct timeline *timeline;
	int64_t observation;
	char *slash;

	add_boot(&script, BOOT_A, -10);
	observation = add_start(&script, 0);
	(void)add_snippet(&script, 1, 9, true, 10);
	(void)add_snippet(&script, 11, 19, true, 20);
	slash = strstr(script.entries.list[script.entries.n - 1].body, "snippet.opus");
	assert_non_null(slash);
	slash[0] = '/';
	timeline = fold(&script, observation);
	assert_int_equal(timeline->n_snippets, 1);
	assert_times(timeline->snippets[0].from_ns, 1);
	timeline_free(timeline);
	entries_fini(&script.entries);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rich_lesson_has_exactly_these_events),
		cmocka_unit_test(the_sums_are_those_of_the_list),
		cmocka_unit_test(the_nearest_trusted_clock_dates_a_moment),
		cmocka_unit_test(a_clock_that_starts_in_1970_is_put_right_later),
		cmocka_unit_test(a_boot_that_never_knew_the_time_says_so),
		cmocka_unit_test(a_recovered_observation_lasts_to_its_last_sign_of_life),
		cmocka_unit_test(a_snippet_that_left_the_box_is_told_from_one_that_stayed),
		cmocka_unit_test(an_observation_without_an_end_is_running),
		cmocka_unit_test(every_way_to_be_silent_is_told_apart),
		cmocka_unit_test(without_a_word_of_the_microphone_there_was_no_sound),
		cmocka_unit_test(an_event_is_heard_where_most_of_its_window_is),
		cmocka_unit_test(observations_do_not_mix),
		cmocka_unit_test(a_press_with_another_boots_clock_does_not_count),
		cmocka_unit_test(a_lost_scheme_is_replaced_and_said),
		cmocka_unit_test(order_and_repetition_of_entries_make_no_difference),
		cmocka_unit_test(times_beyond_a_day_are_held_in_range),
		cmocka_unit_test(a_snippet_that_breaks_the_rules_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
