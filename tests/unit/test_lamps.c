#include "firmware/lamps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW_NS (1000 * NS_PER_S)

static void red_is_steady_while_the_microphone_is_live(void **state)
{
	struct lamps lamps = {.observing = true, .degraded = true};
	assert_false(lamps_lit(&lamps, "red", NOW_NS));
	lamps.mic_live = true;
	assert_true(lamps_lit(&lamps, "red", NOW_NS));
	lamps_confirm(&lamps, NOW_NS);
	assert_true(lamps_lit(&lamps, "red", NOW_NS));
	lamps.mic_live = false;
	assert_false(lamps_lit(&lamps, "red", NOW_NS));
}

static void green_is_steady_while_observing_and_blinks_once_for_an_event(void **state)
{
	struct lamps lamps = {0};
	assert_false(lamps_lit(&lamps, "green", NOW_NS));
	lamps.observing = true;
	assert_true(lamps_lit(&lamps, "green", NOW_NS));
	lamps_confirm(&lamps, NOW_NS);
	assert_false(lamps_lit(&lamps, "green", NOW_NS));
	assert_true(lamps_lit(&lamps, "vibration", NOW_NS));
	int64_t then_ns = lamps_deadline(&lamps, NOW_NS);
	assert_int_equal(then_ns, NOW_NS + LAMPS_BLINK_NS);
	assert_false(lamps_lit(&lamps, "green", then_ns - 1));
	assert_true(lamps_lit(&lamps, "green", then_ns));
	assert_false(lamps_lit(&lamps, "vibration", then_ns));
	assert_int_equal(lamps_deadline(&lamps, then_ns), INT64_MAX);
}

static void the_end_is_confirmed_by_a_flash_in_the_dark(void **state)
{
	struct lamps lamps = {0};
	lamps_confirm(&lamps, NOW_NS);
	assert_true(lamps_lit(&lamps, "green", NOW_NS));
	assert_false(lamps_lit(&lamps, "green", NOW_NS + LAMPS_BLINK_NS));
}

/* How often the lamp changes from @from_ns on, going from deadline to deadline. */
static int changes(const struct lamps *lamps, const char *name, int64_t from_ns, int64_t to_ns)
{
	bool lit = lamps_lit(lamps, name, from_ns);
	int n = 0;
	for (int64_t t_ns = from_ns; t_ns < to_ns;) {
		int64_t next_ns = lamps_deadline(lamps, t_ns);
		assert_true(next_ns > t_ns);
		next_ns = next_ns < to_ns ? next_ns : to_ns;
		/* nothing changes before the deadline */
		assert_int_equal(lamps_lit(lamps, name, next_ns - 1), lit);
		if (next_ns < to_ns && lamps_lit(lamps, name, next_ns) != lit) {
			lit = !lit;
			n++;
		}
		t_ns = next_ns;
	}
	return n;
}

static void a_prompt_blinks_twice(void **state)
{
	struct lamps lamps = {.observing = true};
	lamps_cue(&lamps, NOW_NS);
	assert_false(lamps_lit(&lamps, "green", NOW_NS));
	assert_int_equal(changes(&lamps, "green", NOW_NS, NOW_NS + 10 * NS_PER_S), 3);
	assert_int_equal(changes(&lamps, "vibration", NOW_NS, NOW_NS + 10 * NS_PER_S), 3);
	assert_true(lamps_lit(&lamps, "green", NOW_NS + 10 * NS_PER_S));
}

static void amber_is_steady_while_degraded_and_fast_while_not_saving(void **state)
{
	struct lamps lamps = {.degraded = true};
	assert_true(lamps_lit(&lamps, "amber", NOW_NS));
	assert_int_equal(lamps_deadline(&lamps, NOW_NS), INT64_MAX);
	assert_int_equal(changes(&lamps, "amber", NOW_NS, NOW_NS + 5 * NS_PER_S), 0);
	lamps.not_saving = true;
	assert_in_range(changes(&lamps, "amber", NOW_NS, NOW_NS + 5 * NS_PER_S), 38, 40);
	lamps.degraded = false;
	assert_in_range(changes(&lamps, "amber", NOW_NS, NOW_NS + 5 * NS_PER_S), 38, 40);
	lamps.not_saving = false;
	assert_false(lamps_lit(&lamps, "amber", NOW_NS));
}

static void the_lamp_of_a_code_is_lit_while_its_state_runs(void **state)
{
	struct lamps lamps = {0};
	assert_false(lamps_lit(&lamps, "transition", NOW_NS));
	for (int i = 0; i < LAMPS_RUNNING_MAX; i++) {
		snprintf(lamps.running[i], sizeof(lamps.running[i]), "state-%d", i);
	}
	for (int i = 0; i < LAMPS_RUNNING_MAX; i++) {
		assert_true(lamps_lit(&lamps, lamps.running[i], NOW_NS));
	}
	assert_false(lamps_lit(&lamps, "transition", NOW_NS));
	assert_false(lamps_lit(&lamps, "state", NOW_NS));
}

static void no_deadline_is_missed_when_everything_blinks_at_once(void **state)
{
	static const char *const names[] = {"red", "green", "vibration", "amber"};
	srand(20261121);
	for (int round = 0; round < 300; round++) {
		struct lamps lamps = {.mic_live = rand() % 2,
			.observing = rand() % 2,
			.degraded = rand() % 2,
			.not_saving = rand() % 2};
		if (rand() % 2) {
			lamps_confirm(&lamps, NOW_NS - rand() % (200 * NS_PER_MS));
		}
		if (rand() % 2) {
			lamps_cue(&lamps, NOW_NS - rand() % (400 * NS_PER_MS));
		}
		for (size_t i = 0; i < 4; i++) {
			(void)changes(&lamps, names[i], NOW_NS, NOW_NS + NS_PER_S);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(red_is_steady_while_the_microphone_is_live),
		cmocka_unit_test(green_is_steady_while_observing_and_blinks_once_for_an_event),
		cmocka_unit_test(the_end_is_confirmed_by_a_flash_in_the_dark),
		cmocka_unit_test(a_prompt_blinks_twice),
		cmocka_unit_test(amber_is_steady_while_degraded_and_fast_while_not_saving),
		cmocka_unit_test(the_lamp_of_a_code_is_lit_while_its_state_runs),
		cmocka_unit_test(no_deadline_is_missed_when_everything_blinks_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
