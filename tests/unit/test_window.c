#include "firmware/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define S NS_PER_S

static void assert_window(const struct windows *windows, size_t i, int64_t from_s, int64_t to_s)
{
	assert_true(i < windows->n);
	assert_int_equal(windows->list[i].from_ns, from_s * S);
	assert_int_equal(windows->list[i].to_ns, to_s * S);
}

static void windows_that_overlap_or_touch_become_one(void **state)
{
	struct windows windows = {0};
	assert_true(windows_keep(&windows, 90 * S, 120 * S));
	assert_true(windows_keep(&windows, 95 * S, 125 * S));
	assert_true(windows_keep(&windows, 125 * S, 130 * S));
	assert_true(windows_keep(&windows, 100 * S, 110 * S));
	assert_int_equal(windows.n, 1);
	assert_window(&windows, 0, 90, 130);
	assert_true(windows_keep(&windows, 131 * S, 140 * S));
	assert_int_equal(windows.n, 2);
	assert_window(&windows, 1, 131, 140);
}

static void nothing_wanted_is_nothing_kept(void **state)
{
	struct windows windows = {0};
	assert_true(windows_keep(&windows, 5 * S, 5 * S));
	assert_true(windows_keep(&windows, 6 * S, 5 * S));
	assert_int_equal(windows.n, 0);
}

static void a_look_further_back_begins_one_before_the_first(void **state)
{
	struct windows windows = {0};
	assert_true(windows_keep(&windows, 90 * S, 120 * S));
	windows.list[0].snippet = &windows;
	assert_true(windows_keep(&windows, 60 * S, 125 * S));
	assert_int_equal(windows.n, 2);
	assert_window(&windows, 0, 60, 90);
	assert_window(&windows, 1, 90, 125);
	assert_null(windows.list[0].snippet);
	assert_ptr_equal(windows.list[1].snippet, &windows);
}

static void a_hole_between_two_is_filled_without_doubling(void **state)
{
	struct windows windows = {0};
	assert_true(windows_keep(&windows, 0, 20 * S));
	assert_true(windows_keep(&windows, 30 * S, 50 * S));
	assert_true(windows_keep(&windows, 10 * S, 60 * S));
	assert_int_equal(windows.n, 2);
	assert_window(&windows, 0, 0, 30);
	assert_window(&windows, 1, 30, 60);
}

static void after_120_s_the_next_begins_at_that_very_instant(void **state)
{
	struct windows windows = {0};
	for (int t = 10; t <= 300; t += 5) {
		assert_true(windows_keep(&windows, (t - 10) * S, (t + 20) * S));
	}
	assert_int_equal(windows.n, 3);
	assert_window(&windows, 0, 0, 120);
	assert_window(&windows, 1, 120, 240);
	assert_window(&windows, 2, 240, 320);
}

static void one_long_wish_is_cut_too(void **state)
{
	struct windows windows = {0};
	assert_true(windows_keep(&windows, 0, 300 * S));
	assert_int_equal(windows.n, 3);
	assert_window(&windows, 2, 240, 300);
}

static void a_window_is_over_when_no_press_can_look_back_to_it(void **state)
{
	struct windows windows = {0};
	assert_true(windows_keep(&windows, 90 * S, 120 * S));
	assert_false(windows_over(&windows, 0, 120 * S, 10 * S));
	assert_false(windows_over(&windows, 0, 130 * S, 10 * S));
	assert_true(windows_over(&windows, 0, 130 * S + 1, 10 * S));
}

static void a_full_window_stays_until_nothing_of_it_can_be_wanted_again(void **state)
{
	struct windows windows = {0};
	assert_true(windows_keep(&windows, 0, 130 * S));
	assert_int_equal(windows.n, 2);
	assert_false(windows_over(&windows, 0, 121 * S, 10 * S));
	assert_true(windows_keep(&windows, 115 * S, 145 * S)); /* a press at 125 s */
	assert_int_equal(windows.n, 2);
	assert_window(&windows, 0, 0, 120);
	assert_window(&windows, 1, 120, 145);
}

static void what_does_not_fit_leaves_the_rest_whole(void **state)
{
	struct windows windows = {0};
	for (int i = 0; i < WINDOWS_MAX; i++) {
		assert_true(windows_keep(&windows, 10 * i * S, (10 * i + 5) * S));
	}
	assert_false(windows_keep(&windows, 100000 * S, 100001 * S));
	assert_int_equal(windows.n, WINDOWS_MAX);
	/* what needs no window of its own still is kept */
	assert_true(windows_keep(&windows, 2 * S, 8 * S));
	assert_window(&windows, 0, 0, 8);
	windows_remove(&windows, 3);
	assert_int_equal(windows.n, WINDOWS_MAX - 1);
	assert_window(&windows, 3, 40, 45);
	assert_true(windows_keep(&windows, 100000 * S, 100001 * S));
	assert_window(&windows, WINDOWS_MAX - 1, 100000, 100001);
}

/*
 * A lesson at random, in half seconds: presses look back and on, windows that
 * are over are taken out as the keeper does. Every instant somebody wanted is
 * then in exactly one window, and no other instant in any.
 */
#define HALF (S / 2)
#define LESSON 2400
#define BEFORE_MOST 30

static void count(uint8_t *kept, const struct window *window)
{
	assert_true(window->to_ns > window->from_ns);
	assert_true(window->to_ns - window->from_ns <= WINDOW_LONGEST_NS);
	for (int64_t t = window->from_ns / HALF; t < window->to_ns / HALF; t++) {
		kept[t]++;
	}
}

static void assert_in_order(const struct windows *windows)
{
	for (size_t i = 1; i < windows->n; i++) {
		assert_true(windows->list[i - 1].to_ns <= windows->list[i].from_ns);
	}
}

static void lesson(unsigned int seed)
{
	static uint8_t wanted[LESSON + 400], kept[LESSON + 400];
	struct windows windows = {0};
	int busy = rand() % 30 + 1;
	memset(wanted, 0, sizeof(wanted));
	memset(kept, 0, sizeof(kept));
	for (int now = BEFORE_MOST; now < LESSON + 200; now++) {
		if (now < LESSON && rand() % busy == 0) {
			int from = now - rand() % (BEFORE_MOST + 1), to = now + rand() % 121;
			memset(wanted + from, 1, (size_t)(to - from));
			assert_true(windows_keep(&windows, from * HALF, to * HALF));
			assert_in_order(&windows);
		}
		for (size_t i = 0; i < windows.n; i++) {
			if (windows_over(&windows, i, now * HALF, BEFORE_MOST * HALF)) {
				count(kept, &windows.list[i]);
				windows_remove(&windows, i--);
			}
		}
	}
	assert_int_equal(windows.n, 0);
	for (size_t t = 0; t < sizeof(kept); t++) {
		if (kept[t] != wanted[t]) {
			fail_msg("seed %u: half second %zu is kept %d times, wanted %d", seed, t,
				kept[t], wanted[t]);
		}
	}
}

static void every_wanted_instant_is_kept_once_and_no_other(void **state)
{
	for (unsigned int seed = 1; seed <= 500; seed++) {
		srand(seed);
		lesson(seed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_that_overlap_or_touch_become_one),
		cmocka_unit_test(nothing_wanted_is_nothing_kept),
		cmocka_unit_test(a_look_further_back_begins_one_before_the_first),
		cmocka_unit_test(a_hole_between_two_is_filled_without_doubling),
		cmocka_unit_test(after_120_s_the_next_begins_at_that_very_instant),
		cmocka_unit_test(one_long_wish_is_cut_too),
		cmocka_unit_test(a_window_is_over_when_no_press_can_look_back_to_it),
		cmocka_unit_test(a_full_window_stays_until_nothing_of_it_can_be_wanted_again),
		cmocka_unit_test(what_does_not_fit_leaves_the_rest_whole),
		cmocka_unit_test(every_wanted_instant_is_kept_once_and_no_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
