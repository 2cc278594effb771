#include "app/base/clock.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define HOUR_NS (INT64_C(3600) * NS_PER_S)

static char dir[] = "/tmp/test_clock.XXXXXX";

static int64_t kernel_now_ns(void)
{
	struct timespec ts;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static void init(const char *sim, const char *wall)
{
	struct error error = {""};

	assert_int_equal(
		sim ? setenv("CHALKBOX_SIM_CLOCK", sim, 1) : unsetenv("CHALKBOX_SIM_CLOCK"), 0);
	assert_int_equal(
		wall ? setenv("CHALKBOX_SIM_WALL", wall, 1) : unsetenv("CHALKBOX_SIM_WALL"), 0);
	if (clock_init(&error) != 0) {
		fail_msg("%s", error.text);
	}
}

/* As board/sim/README.md tells it: a new file takes the old one's place. */
static void set_wall(const char *line)
{
	FILE *file = fopen("wall.new", "we");

	assert_non_null(file);
	assert_true(fputs(line, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(rename("wall.new", "wall"), 0);
}

static bool readable(int fd, int wait_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	return poll(&poll_fd, 1, wait_ms) == 1;
}

static int set_up(void **state)
{
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)unlink("wall");
	return chdir("/") == 0 && rmdir(dir) == 0 ? 0 : -1;
}

static void without_a_simulation_it_is_the_kernels_clock(void **state)
{
	int64_t before_ns = kernel_now_ns(), now_ns;

	init(NULL, NULL);
	now_ns = clock_now_ns();
	assert_true(clock_epoch_ns() >= before_ns && clock_epoch_ns() <= now_ns);
	assert_true(now_ns <= kernel_now_ns());
	assert_int_equal(clock_from_kernel_ns(12345), 12345);
	assert_int_equal(clock_to_kernel_ns(INT64_MIN), INT64_MIN);
	assert_true(clock_speed() == 1.0);
}

static void simulated_time_meets_the_kernels_at_the_epoch(void **state)
{
	init("1000 20", NULL);
	assert_int_equal(clock_epoch_ns(), 1000);
	assert_int_equal(clock_from_kernel_ns(1000), 1000);
	assert_int_equal(clock_from_kernel_ns(1001), 1020);
	assert_int_equal(clock_from_kernel_ns(999), 980);
	assert_true(clock_speed() == 20.0);
	init("1000 0.5", NULL);
	assert_int_equal(clock_from_kernel_ns(1003), 1001);
	assert_int_equal(clock_from_kernel_ns(997), 998);
	init("0 12.25", NULL);
	assert_int_equal(clock_from_kernel_ns(4), 49);
}

static void not_a_nanosecond_is_lost_in_a_month(void **state)
{
	int64_t month_ns = 30 * 24 * HOUR_NS;

	init("123456789 20", NULL);
	assert_int_equal(clock_from_kernel_ns(123456789 + month_ns + 1),
		INT64_C(123456789) + month_ns * 20 + 20);
	assert_int_equal(clock_to_kernel_ns(INT64_C(123456789) + month_ns * 20 + 20),
		INT64_C(123456789) + month_ns + 1);
}

static void a_kernel_timer_never_goes_off_too_early(void **state)
{
	static const char *const speeds[] = {"7000 1", "7000 20", "7000 0.3", "7000 33.333333"};

	for (size_t i = 0; i < 4; i++) {
		init(speeds[i], NULL);
		for (int64_t t_ns = 0; t_ns < 20000; t_ns += 7) {
			int64_t kernel_ns = clock_to_kernel_ns(t_ns);

			assert_true(clock_from_kernel_ns(kernel_ns) >= t_ns);
			assert_true(clock_from_kernel_ns(kernel_ns - 1) < t_ns);
		}
	}
}

static void the_ends_of_the_range_are_survived(void **state)
{
	init("1000 1000", NULL);
	assert_int_equal(clock_from_kernel_ns(INT64_MAX), INT64_MAX);
	assert_true(clock_from_kernel_ns(INT64_MIN) <= INT64_MIN + 1000);
	assert_true(clock_to_kernel_ns(INT64_MAX) > 0);
	assert_true(clock_to_kernel_ns(INT64_MIN) < 0);
	init("9223372036854775807 0.001", NULL);
	assert_true(clock_to_kernel_ns(INT64_MIN) <= 0);
	(void)clock_from_kernel_ns(INT64_MIN);
}

static void simulated_time_runs_at_its_speed(void **state)
{
	int64_t kernel_ns, t_ns;

	init("0 1000", NULL);
	kernel_ns = kernel_now_ns();
	t_ns = clock_now_ns();
	assert_true(t_ns >= kernel_ns * 1000);
	assert_true(t_ns <= kernel_now_ns() * 1000);
}

static void a_wrong_simulated_clock_is_refused_with_what_is_right(void **state)
{
	static const char *const wrong[] = {"x", "5", "5 ", "5 x", "5 0", "5 1001", "-5 1", "5 1 2",
		"5  1", "99999999999999999999 1", "5 1e3", "5 -1", "5 0.0000001", "5 2.0000001"};

	init("7000 3", NULL);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct error error = {""};

		assert_int_equal(setenv("CHALKBOX_SIM_CLOCK", wrong[i], 1), 0);
		assert_int_equal(clock_init(&error), -EINVAL);
		assert_non_null(strstr(error.text, "must be EPOCH_NS SPEED"));
	}
	assert_int_equal(clock_epoch_ns(), 7000); /* the old one goes on */
}

static void a_pair_brackets_the_real_wall_clock(void **state)
{
	struct clock_pair pair;
	struct timespec before, after;
	int64_t kernel_ns = kernel_now_ns();

	init(NULL, NULL);
	assert_int_equal(clock_gettime(CLOCK_REALTIME, &before), 0);
	clock_pair(&pair);
	assert_int_equal(clock_gettime(CLOCK_REALTIME, &after), 0);
	assert_true(pair.t_ns >= kernel_ns && pair.t_ns <= kernel_now_ns());
	assert_true(pair.realtime_ns >= before.tv_sec * NS_PER_S + before.tv_nsec);
	assert_true(pair.realtime_ns <= after.tv_sec * NS_PER_S + after.tv_nsec);
	assert_true(pair.uncertainty_ns > 0);
	/* adjtimex(2): the kernel's bound ends at 16 s, where trust ends */
	assert_true(!pair.trusted || pair.uncertainty_ns < 16 * NS_PER_S + NS_PER_S);
}

static void the_simulated_wall_is_read_anew_each_time(void **state)
{
	struct clock_pair pair;

	set_wall("-500 0 16000000000\n");
	init("1000 10", "wall");
	clock_pair(&pair);
	assert_int_equal(pair.realtime_ns - pair.t_ns, -500);
	assert_false(pair.trusted);
	assert_int_equal(pair.uncertainty_ns, 16000000000);

	set_wall("1700000000000000000 1 2000000\n");
	clock_pair(&pair);
	assert_int_equal(pair.realtime_ns - pair.t_ns, 1700000000000000000);
	assert_true(pair.trusted);
	assert_int_equal(pair.uncertainty_ns, 2000000);

	set_wall("half a li");
	clock_pair(&pair);
	assert_false(pair.trusted);
	assert_int_equal(unlink("wall"), 0);
	clock_pair(&pair);
	assert_false(pair.trusted);
}

static void a_wrong_wall_file_is_refused_with_what_is_right(void **state)
{
	static const char *const wrong[] = {"", "5\n", "5 1\n", "5 2 7\n", "5 1 -7\n", "5 1 7 8\n",
		"99999999999999999999 1 7\n", "x 1 7\n"};
	struct error error = {""};

	assert_int_equal(unsetenv("CHALKBOX_SIM_CLOCK"), 0);
	assert_int_equal(setenv("CHALKBOX_SIM_WALL", "wall", 1), 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		set_wall(wrong[i]);
		assert_int_equal(clock_init(&error), -EINVAL);
		assert_non_null(strstr(error.text, "wall: must hold one line, OFFSET_NS TRUSTED"));
	}
	assert_int_equal(unlink("wall"), 0);
	assert_int_equal(clock_init(&error), -EINVAL);
	assert_string_equal(error.text, "CHALKBOX_SIM_WALL: wall: No such file or directory");
}

static void a_step_of_the_simulated_wall_wakes(void **state)
{
	char path[64];
	int fd;

	set_wall("0 0 1\n");
	(void)snprintf(path, sizeof(path), "%s/wall", dir);
	for (int i = 0; i < 2; i++) {
		init(NULL, i == 0 ? "wall" : path);
		fd = clock_step_open();
		assert_true(fd >= 0);
		assert_false(readable(fd, 0));
		for (int k = 0; k < 2; k++) {
			set_wall("77 1 1\n");
			set_wall("78 1 1\n");
			assert_true(readable(fd, 5000));
			assert_int_equal(clock_step_rearm(fd), 0);
			assert_false(readable(fd, 0));
		}
		assert_int_equal(close(fd), 0);
	}
}

static void the_real_step_descriptor_sleeps_until_a_step(void **state)
{
	int fd;

	init(NULL, NULL);
	fd = clock_step_open();
	assert_true(fd >= 0);
	assert_false(readable(fd, 0));
	assert_int_equal(clock_step_rearm(fd), 0);
	assert_false(readable(fd, 0));
	assert_int_equal(close(fd), 0);
	assert_int_equal(clock_step_rearm(fd), -EBADF);
}

static void the_boot_id_is_a_uuid(void **state)
{
	char id[BOOT_ID_CHARS], again[BOOT_ID_CHARS];

	clock_boot_id(id);
	clock_boot_id(again);
	assert_string_equal(id, again);
	assert_int_equal(strlen(id), 36);
	assert_int_equal(id[8], '-');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_simulation_it_is_the_kernels_clock),
		cmocka_unit_test(simulated_time_meets_the_kernels_at_the_epoch),
		cmocka_unit_test(not_a_nanosecond_is_lost_in_a_month),
		cmocka_unit_test(a_kernel_timer_never_goes_off_too_early),
		cmocka_unit_test(the_ends_of_the_range_are_survived),
		cmocka_unit_test(simulated_time_runs_at_its_speed),
		cmocka_unit_test(a_wrong_simulated_clock_is_refused_with_what_is_right),
		cmocka_unit_test(a_pair_brackets_the_real_wall_clock),
		cmocka_unit_test(the_simulated_wall_is_read_anew_each_time),
		cmocka_unit_test(a_wrong_wall_file_is_refused_with_what_is_right),
		cmocka_unit_test(a_step_of_the_simulated_wall_wakes),
		cmocka_unit_test(the_real_step_descriptor_sleeps_until_a_step),
		cmocka_unit_test(the_boot_id_is_a_uuid),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
