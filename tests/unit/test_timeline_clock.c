/* What the moments of an observation are called, and when it was over. */
#include "tests/unit/timeline_bench.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_nearest_trusted_clock_dates_a_moment),
		cmocka_unit_test(a_clock_that_starts_in_1970_is_put_right_later),
		cmocka_unit_test(a_boot_that_never_knew_the_time_says_so),
		cmocka_unit_test(a_recovered_observation_lasts_to_its_last_sign_of_life),
		cmocka_unit_test(a_press_with_another_boots_clock_does_not_count),
		cmocka_unit_test(times_beyond_a_day_are_held_in_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
