#include "app/server/backoff.h"

#include "app/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const struct backoff_rule rule = {.free_tries = 3, .wait_most_s = 8, .forget_s = 100};
static const struct backoff_rule stern = {.free_tries = 3, .wait_most_s = 8};

static int set_up(void **state)
{
	struct backoff *backoff = NULL;
	int r = backoff_new(&backoff);

	*state = backoff;
	return r;
}

static int tear_down(void **state)
{
	backoff_free(*state);
	return 0;
}

static int64_t at(void *backoff, const struct backoff_rule *by, const char *who, int64_t s)
{
	return backoff_try(backoff, by, who, s * NS_PER_S);
}

static void after_the_free_tries_each_doubles_the_wait_up_to_the_most(void **state)
{
	int64_t now_s = 1000;

	assert_int_equal(at(*state, &rule, "ada", now_s), 0);
	assert_int_equal(at(*state, &rule, "ada", now_s), 0);
	assert_int_equal(at(*state, &rule, "ada", now_s), 0);
	for (int64_t wait_s = 1; wait_s <= 32; wait_s *= 2) {
		int64_t told_s = wait_s < 8 ? wait_s : 8;

		assert_int_equal(at(*state, &rule, "ada", now_s), told_s);
		assert_int_equal(at(*state, &rule, "ada", now_s), told_s);
		now_s += told_s;
		assert_int_equal(at(*state, &rule, "ada", now_s), 0);
	}
}

static void others_do_not_wait(void **state)
{
	for (int i = 0; i < 20; i++) {
		(void)at(*state, &rule, "ada", 1000);
	}
	assert_true(at(*state, &rule, "ada", 1000) > 0);
	assert_int_equal(at(*state, &rule, "grace", 1000), 0);
	assert_int_equal(at(*state, &rule, "Ada", 1000), 0);
}

static void the_right_one_forgives_all_of_it(void **state)
{
	for (int i = 0; i < 4; i++) {
		(void)at(*state, &rule, "ada", 1000);
	}
	backoff_forgive(*state, "ada", true);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(at(*state, &rule, "ada", 1000), 0);
	}
	assert_true(at(*state, &rule, "ada", 1000) > 0);
}

static void taking_back_one_leaves_the_others(void **state)
{
	for (int i = 0; i < 50; i++) { /* a school whose people sign in rightly */
		assert_int_equal(at(*state, &rule, "school", 1000), 0);
		backoff_forgive(*state, "school", false);
	}
	assert_int_equal(at(*state, &rule, "school", 1000), 0);
	assert_int_equal(at(*state, &rule, "school", 1000), 0);
	backoff_forgive(*state, "nobody", false);
	assert_int_equal(at(*state, &rule, "school", 1000), 0);
	assert_true(at(*state, &rule, "school", 1000) > 0);
}

static void time_forgets_one_by_one(void **state)
{
	int64_t now_s = 1000;

	for (int i = 0; i < 100; i++) { /* one in a hundred seconds goes on for ever */
		assert_int_equal(at(*state, &rule, "ada", now_s), 0);
		now_s += 100;
	}
	for (int i = 0; i < 3; i++) {
		(void)at(*state, &rule, "ada", now_s);
	}
	assert_true(at(*state, &rule, "ada", now_s) > 0);
	now_s += 110; /* one is forgotten: one is free */
	assert_int_equal(at(*state, &rule, "ada", now_s), 0);
	assert_true(at(*state, &rule, "ada", now_s) > 0);
}

static void an_hour_without_any_forgets_all(void **state)
{
	for (int i = 0; i < 3; i++) {
		(void)at(*state, &stern, "ada", 1000);
	}
	assert_true(at(*state, &stern, "ada", 1000) > 0);
	assert_int_equal(at(*state, &stern, "ada", 2800), 0); /* waited, not forgotten */
	assert_true(at(*state, &stern, "ada", 2800) > 0);
	assert_int_equal(at(*state, &stern, "ada", 2800 + 3602), 0);
	assert_int_equal(at(*state, &stern, "ada", 2800 + 3602), 0);
}

static void a_flood_of_names_costs_no_memory_and_breaks_nothing(void **state)
{
	char name[32];

	for (int i = 0; i < 100000; i++) {
		(void)snprintf(name, sizeof(name), "stranger %d", i);
		assert_int_equal(at(*state, &rule, name, 1000 + i / 1000), 0);
	}
	for (int i = 0; i < 3; i++) {
		(void)at(*state, &rule, "last", 2000);
	}
	assert_true(at(*state, &rule, "last", 2000) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			after_the_free_tries_each_doubles_the_wait_up_to_the_most, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(others_do_not_wait, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_right_one_forgives_all_of_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			taking_back_one_leaves_the_others, set_up, tear_down),
		cmocka_unit_test_setup_teardown(time_forgets_one_by_one, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_hour_without_any_forgets_all, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_flood_of_names_costs_no_memory_and_breaks_nothing, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
