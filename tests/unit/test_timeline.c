#include "tests/unit/timeline_bench.h"

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
		cmocka_unit_test(a_snippet_that_left_the_box_is_told_from_one_that_stayed),
		cmocka_unit_test(an_observation_without_an_end_is_running),
		cmocka_unit_test(every_way_to_be_silent_is_told_apart),
		cmocka_unit_test(without_a_word_of_the_microphone_there_was_no_sound),
		cmocka_unit_test(an_event_is_heard_where_most_of_its_window_is),
		cmocka_unit_test(observations_do_not_mix),
		cmocka_unit_test(a_lost_scheme_is_replaced_and_said),
		cmocka_unit_test(order_and_repetition_of_entries_make_no_difference),
		cmocka_unit_test(a_snippet_that_breaks_the_rules_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
