/*
 * A keypad made by the kernel (uinput). Where there is no /dev/uinput, what needs
 * one is skipped.
 */
#include "firmware/buttons.h"

#include "app/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <libevdev/libevdev-uinput.h>
#include <libevdev/libevdev.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NAME "Chalkbox test keypad"
#define WAIT_MS 5000

static const struct button_driver *const driver = &button_driver_evdev;

struct bench {
	struct config config;
	struct libevdev_uinput *keypad;
	void *keys;
	int fd;
};

static void wire(struct config *config, const char *name, const char *line)
{
	struct config_wire *wire = &config->buttons.list[config->buttons.n++];
	snprintf(wire->name, sizeof(wire->name), "%s", name);
	snprintf(wire->line, sizeof(wire->line), "%s", line);
}

static int set_up(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	assert_non_null(bench);
	bench->config.buttons_kind = BUTTONS_EVDEV;
	snprintf(bench->config.input, sizeof(bench->config.input), NAME);
	wire(&bench->config, "1", "KEY_1");
	wire(&bench->config, "2", "KEY_2");
	*state = bench;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *bench = *state;
	driver->close(bench->keys);
	if (bench->keypad) {
		libevdev_uinput_destroy(bench->keypad);
	}
	free(bench);
	return 0;
}

static void plug_in(struct bench *bench)
{
	if (access("/dev/uinput", W_OK) < 0) {
		print_message("skipped: /dev/uinput: %s\n", strerror(errno));
		skip();
	}
	struct libevdev *device = libevdev_new();
	libevdev_set_name(device, NAME);
	libevdev_enable_event_type(device, EV_KEY);
	libevdev_enable_event_code(device, EV_KEY, KEY_1, NULL);
	libevdev_enable_event_code(device, EV_KEY, KEY_2, NULL);
	int r = libevdev_uinput_create_from_device(
		device, LIBEVDEV_UINPUT_OPEN_MANAGED, &bench->keypad);
	libevdev_free(device);
	if (r < 0) {
		print_message("skipped: uinput: %s\n", strerror(-r));
		skip();
	}
}

static void open_keys(struct bench *bench)
{
	struct error error;
	int64_t until_ns = clock_now_ns() + WAIT_MS * NS_PER_MS;
	int r;
	do { /* udev may still be busy with it */
		r = driver->open(&bench->config, &bench->keys, &bench->fd, &error);
	} while (r < 0 && clock_now_ns() < until_ns && poll(NULL, 0, 20) == 0);
	if (r < 0) {
		fail_msg("%s", error.text);
	}
}

static void type(struct bench *bench, unsigned int key, int value)
{
	assert_int_equal(libevdev_uinput_write_event(bench->keypad, EV_KEY, key, value), 0);
	assert_int_equal(libevdev_uinput_write_event(bench->keypad, EV_SYN, SYN_REPORT, 0), 0);
}

static int read_edges(struct bench *bench, struct edge *edges, int room, int wanted)
{
	int n = 0;
	bool lost;
	struct pollfd fd = {.fd = bench->fd, .events = POLLIN};
	while (n < wanted && poll(&fd, 1, WAIT_MS) > 0) {
		int r = driver->read(bench->keys, edges + n, (size_t)(room - n), &lost);
		if (r < 0) {
			return r;
		}
		assert_false(lost);
		n += r;
	}
	return n;
}

static void presses_and_releases_have_the_kernels_monotonic_time(void **state)
{
	struct bench *bench = *state;
	struct edge edges[8];
	plug_in(bench);
	open_keys(bench);
	int64_t before_ns = clock_now_ns();
	type(bench, KEY_1, 1);
	type(bench, KEY_2, 1);
	type(bench, KEY_1, 2); /* auto-repeat is nothing */
	type(bench, KEY_1, 0);
	assert_int_equal(read_edges(bench, edges, 8, 3), 3);
	int64_t after_ns = clock_now_ns();
	static const struct {
		size_t button;
		bool active;
	} wanted[] = {{0, true}, {1, true}, {0, false}};
	for (int i = 0; i < 3; i++) {
		assert_int_equal(edges[i].button, wanted[i].button);
		assert_int_equal(edges[i].active, wanted[i].active);
		assert_in_range(edges[i].t_ns, before_ns - NS_PER_MS, after_ns);
		assert_true(i == 0 || edges[i].t_ns >= edges[i - 1].t_ns);
	}
	assert_int_equal(driver->level(bench->keys, 0), 0);
	assert_int_equal(driver->level(bench->keys, 1), 1);
}

/* The kernel keeps some dozens of events for a reader, and drops them all with one more. */
static void a_reader_that_came_too_late_is_told_and_the_levels_are_right(void **state)
{
	struct bench *bench = *state;
	struct edge edges[8];
	bool lost = false, any_lost = false;
	int n = 0, r = 8;
	plug_in(bench);
	open_keys(bench);
	for (int i = 0; i < 200; i++) {
		type(bench, KEY_1, 1);
		type(bench, KEY_1, 0);
	}
	type(bench, KEY_2, 1);
	while (r == 8) {
		r = driver->read(bench->keys, edges, 8, &lost);
		assert_true(r >= 0);
		any_lost |= lost;
		n += r;
	}
	assert_true(any_lost);
	assert_true(n < 401);
	assert_int_equal(driver->level(bench->keys, 0), 0);
	assert_int_equal(driver->level(bench->keys, 1), 1);
	/* from here on as ever */
	type(bench, KEY_1, 1);
	type(bench, KEY_2, 0);
	assert_int_equal(read_edges(bench, edges, 8, 2), 2);
	assert_int_equal(edges[0].button, 0);
	assert_int_equal(edges[0].active, true);
	assert_int_equal(edges[1].button, 1);
	assert_int_equal(edges[1].active, false);
}

static void a_key_that_is_down_at_open_is_seen_by_its_level(void **state)
{
	struct bench *bench = *state;
	plug_in(bench);
	type(bench, KEY_2, 1);
	open_keys(bench);
	assert_int_equal(driver->level(bench->keys, 0), 0);
	assert_int_equal(driver->level(bench->keys, 1), 1);
}

static void the_keys_reach_nobody_else(void **state)
{
	struct bench *bench = *state;
	struct error error;
	void *second = NULL;
	int fd;
	plug_in(bench);
	open_keys(bench);
	assert_int_equal(driver->open(&bench->config, &second, &fd, &error), -EBUSY);
	assert_non_null(strstr(error.text, "another program"));
	assert_null(second);
}

static void a_device_is_found_by_its_path_too(void **state)
{
	struct bench *bench = *state;
	char link[] = "/tmp/test_evdev.XXXXXX";
	plug_in(bench);
	assert_non_null(mkdtemp(link));
	snprintf(bench->config.input, sizeof(bench->config.input), "%s/by-id", link);
	assert_int_equal(
		symlink(libevdev_uinput_get_devnode(bench->keypad), bench->config.input), 0);
	open_keys(bench);
	unlink(bench->config.input);
	rmdir(link);
}

static void unplugged_is_told(void **state)
{
	struct bench *bench = *state;
	struct edge edges[8];
	plug_in(bench);
	open_keys(bench);
	libevdev_uinput_destroy(bench->keypad);
	bench->keypad = NULL;
	assert_int_equal(read_edges(bench, edges, 8, 1), -ENODEV);
}

static void a_name_that_is_no_keys_is_refused_with_what_would_be(void **state)
{
	struct bench *bench = *state;
	struct error error;
	wire(&bench->config, "3", "GPIO5");
	assert_int_equal(driver->open(&bench->config, &bench->keys, &bench->fd, &error), -EINVAL);
	assert_non_null(strstr(error.text, "3 = GPIO5"));
	assert_non_null(strstr(error.text, "KEY_1"));
	assert_null(bench->keys);
}

static void a_device_that_is_not_there_is_named(void **state)
{
	struct bench *bench = *state;
	struct error error;
	snprintf(bench->config.input, sizeof(bench->config.input), "No such keypad");
	int r = driver->open(&bench->config, &bench->keys, &bench->fd, &error);
	assert_true(r == -ENODEV || r == -EACCES);
	assert_true(r == -EACCES || strstr(error.text, "No such keypad"));
	assert_null(bench->keys);
	driver->close(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(presses_and_releases_have_the_kernels_monotonic_time),
		TEST(a_reader_that_came_too_late_is_told_and_the_levels_are_right),
		TEST(a_key_that_is_down_at_open_is_seen_by_its_level),
		TEST(the_keys_reach_nobody_else),
		TEST(a_device_is_found_by_its_path_too),
		TEST(unplugged_is_told),
		TEST(a_name_that_is_no_keys_is_refused_with_what_would_be),
		TEST(a_device_that_is_not_there_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
