#include "firmware/debounce.h"

#include "app/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define MS NS_PER_MS
#define QUIET_NS (5 * MS)

static void assert_change(struct debounced got, enum debounce_change change, int64_t t_ns)
{
	assert_int_equal(got.change, change);
	if (change != DEBOUNCE_NONE) {
		assert_int_equal(got.t_ns, t_ns);
		assert_false(got.estimated);
	}
}

static void assert_nothing(struct debounced got)
{
	assert_int_equal(got.change, DEBOUNCE_NONE);
}

static void a_press_is_stamped_with_the_first_edge_of_its_bounce(void **state)
{
	struct debounce d;
	debounce_init(&d, QUIET_NS, false);
	assert_int_equal(debounce_deadline(&d), INT64_MAX);
	assert_nothing(debounce_edge(&d, true, 100 * MS));
	for (int64_t t = 101; t <= 108; t++) {
		assert_nothing(debounce_edge(&d, t % 2 == 0, t * MS));
		assert_nothing(debounce_settle(&d, t % 2 == 0, t * MS + MS / 2));
	}
	assert_int_equal(debounce_deadline(&d), 108 * MS + QUIET_NS);
	assert_nothing(debounce_settle(&d, true, 108 * MS + QUIET_NS - 1));
	assert_change(debounce_settle(&d, true, 108 * MS + QUIET_NS), DEBOUNCE_PRESS, 100 * MS);
	assert_int_equal(debounce_deadline(&d), INT64_MAX);

	assert_nothing(debounce_edge(&d, false, 300 * MS));
	assert_nothing(debounce_edge(&d, true, 301 * MS));
	assert_nothing(debounce_edge(&d, false, 303 * MS));
	assert_change(debounce_settle(&d, false, 400 * MS), DEBOUNCE_RELEASE, 300 * MS);
}

static void a_spike_shorter_than_the_quiet_is_no_press(void **state)
{
	struct debounce d;
	debounce_init(&d, QUIET_NS, false);
	assert_nothing(debounce_edge(&d, true, 100 * MS));
	assert_nothing(debounce_edge(&d, false, 102 * MS));
	assert_nothing(debounce_settle(&d, false, 107 * MS));
	assert_nothing(debounce_edge(&d, true, 200 * MS));
	assert_change(debounce_settle(&d, true, 205 * MS), DEBOUNCE_PRESS, 200 * MS);
}

static void a_reader_who_comes_late_loses_no_tap(void **state)
{
	struct debounce d;
	debounce_init(&d, QUIET_NS, false);
	assert_nothing(debounce_edge(&d, true, 100 * MS));
	assert_change(debounce_edge(&d, false, 180 * MS), DEBOUNCE_PRESS, 100 * MS);
	assert_change(debounce_edge(&d, true, 260 * MS), DEBOUNCE_RELEASE, 180 * MS);
	assert_change(debounce_edge(&d, false, 340 * MS), DEBOUNCE_PRESS, 260 * MS);
	assert_change(debounce_settle(&d, false, 5000 * MS), DEBOUNCE_RELEASE, 340 * MS);
}

static void repeated_polarity_is_borne(void **state)
{
	struct debounce d;
	debounce_init(&d, QUIET_NS, false);
	assert_nothing(debounce_edge(&d, true, 100 * MS));
	assert_nothing(debounce_edge(&d, true, 101 * MS));
	assert_change(debounce_settle(&d, true, 110 * MS), DEBOUNCE_PRESS, 100 * MS);
	assert_nothing(debounce_edge(&d, true, 200 * MS));
	assert_nothing(debounce_settle(&d, true, 210 * MS));
	assert_nothing(debounce_edge(&d, false, 300 * MS));
	assert_nothing(debounce_edge(&d, false, 303 * MS));
	assert_change(debounce_settle(&d, false, 310 * MS), DEBOUNCE_RELEASE, 300 * MS);
}

static void a_lost_edge_is_made_up_for_by_the_level_read_twice(void **state)
{
	struct debounce d;
	debounce_init(&d, QUIET_NS, false);
	assert_nothing(debounce_settle(&d, true, 100 * MS));
	assert_int_equal(debounce_deadline(&d), 100 * MS + QUIET_NS);
	assert_nothing(debounce_settle(&d, true, 101 * MS));
	struct debounced got = debounce_settle(&d, true, 100 * MS + QUIET_NS);
	assert_int_equal(got.change, DEBOUNCE_PRESS);
	assert_int_equal(got.t_ns, 100 * MS);
	assert_true(got.estimated);
	assert_int_equal(debounce_deadline(&d), INT64_MAX);

	/* of two close edges of a release only the first came through */
	assert_nothing(debounce_edge(&d, false, 200 * MS));
	assert_nothing(debounce_settle(&d, true, 206 * MS));
	assert_nothing(debounce_settle(&d, true, 212 * MS));
	assert_true(d.down);
}

static void a_level_that_overtakes_its_edge_loses_no_press(void **state)
{
	struct debounce d;
	debounce_init(&d, QUIET_NS, false);
	/* the loop stood still; the release comes between reading edges and level */
	assert_nothing(debounce_edge(&d, true, 100 * MS));
	assert_nothing(debounce_settle(&d, false, 180 * MS));
	assert_change(debounce_edge(&d, false, 179 * MS), DEBOUNCE_PRESS, 100 * MS);
	assert_change(debounce_settle(&d, false, 185 * MS), DEBOUNCE_RELEASE, 179 * MS);

	/* and a press whose level is seen before its edge has its edge's time */
	assert_nothing(debounce_settle(&d, true, 300 * MS));
	assert_nothing(debounce_edge(&d, true, 299 * MS));
	assert_change(debounce_settle(&d, true, 305 * MS), DEBOUNCE_PRESS, 299 * MS);
}

static void a_button_held_at_start_gives_no_press(void **state)
{
	struct debounce d;
	debounce_init(&d, QUIET_NS, true);
	assert_nothing(debounce_settle(&d, true, 100 * MS));
	assert_nothing(debounce_edge(&d, false, 200 * MS));
	assert_change(debounce_settle(&d, false, 300 * MS), DEBOUNCE_RELEASE, 200 * MS);
	assert_nothing(debounce_edge(&d, true, 400 * MS));
	assert_change(debounce_settle(&d, true, 500 * MS), DEBOUNCE_PRESS, 400 * MS);
}

static void nothing_earlier_than_what_it_says_comes_of_a_contact(void **state)
{
	struct debounce d;
	debounce_init(&d, QUIET_NS, false);
	assert_int_equal(debounce_earliest(&d), INT64_MAX);
	assert_nothing(debounce_settle(&d, true, 50 * MS));
	assert_int_equal(debounce_earliest(&d), 50 * MS);
	assert_nothing(debounce_settle(&d, false, 60 * MS));
	assert_int_equal(debounce_earliest(&d), INT64_MAX);
	assert_nothing(debounce_edge(&d, true, 100 * MS));
	assert_nothing(debounce_edge(&d, false, 102 * MS));
	assert_int_equal(debounce_earliest(&d), 100 * MS);
	assert_nothing(debounce_settle(&d, false, 110 * MS));
	assert_int_equal(debounce_earliest(&d), INT64_MAX);
}

/* Presses and releases take turns whatever comes in. */
static void changes_alternate_for_any_edges_and_levels(void **state)
{
	srand(20261121);
	for (int round = 0; round < 200; round++) {
		struct debounce d;
		bool down = round % 2;
		int64_t t_ns = NS_PER_S;
		debounce_init(&d, QUIET_NS, down);
		for (int i = 0; i < 500; i++) {
			t_ns += rand() % (12 * MS);
			struct debounced got = rand() % 3
				? debounce_edge(&d, rand() % 2, t_ns - rand() % (4 * MS))
				: debounce_settle(&d, rand() % 2, t_ns);
			if (got.change == DEBOUNCE_NONE) {
				continue;
			}
			assert_int_equal(got.change, down ? DEBOUNCE_RELEASE : DEBOUNCE_PRESS);
			assert_true(got.t_ns <= t_ns);
			down = !down;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_press_is_stamped_with_the_first_edge_of_its_bounce),
		cmocka_unit_test(a_spike_shorter_than_the_quiet_is_no_press),
		cmocka_unit_test(a_reader_who_comes_late_loses_no_tap),
		cmocka_unit_test(repeated_polarity_is_borne),
		cmocka_unit_test(a_lost_edge_is_made_up_for_by_the_level_read_twice),
		cmocka_unit_test(a_level_that_overtakes_its_edge_loses_no_press),
		cmocka_unit_test(a_button_held_at_start_gives_no_press),
		cmocka_unit_test(nothing_earlier_than_what_it_says_comes_of_a_contact),
		cmocka_unit_test(changes_alternate_for_any_edges_and_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
