/* The mute switch behind the panel: buttons that can be had, read, or not. */
#include "firmware/panel.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#define LATER_NS (3 * NS_PER_S) /* gone buttons have been tried again by then */
#define LESSON "[code lesson]\ntitle = Lesson\nbutton = 5\nkind = lesson\n"

static const char plain[] = "[scheme]\nname = plain\ntitle = Plain\n" LESSON;
static const char mutes[] = "[scheme]\nname = mutes\ntitle = Mutes\n" LESSON
			    "[code quiet]\ntitle = Quiet\nbutton = 2\nkind = mute\n";

struct bench {
	struct config config;
	struct scheme scheme;
	struct recorder recorder;
	sd_event *event;
	struct panel panel;
};

/* --- buttons that read what the test says --- */

static int fake_level;

static int fake_open(const struct config *config, void **ret_self, int *ret_fd, struct error *error)
{
	static int fd;
	fd = eventfd(0, EFD_CLOEXEC);
	*ret_self = &fd;
	*ret_fd = fd;
	return fd < 0 ? -errno : 0;
}

static void fake_close(void *self)
{
	if (self) {
		close(*(int *)self);
	}
}

static int fake_read(void *self, struct edge *ret_edges, size_t room, bool *ret_lost)
{
	*ret_lost = false;
	return 0;
}

static int fake_level_of(void *self, size_t button)
{
	return fake_level;
}

static const struct button_driver fake = {
	.open = fake_open, .close = fake_close, .read = fake_read, .level = fake_level_of};

static void new_id(char ret_id[static UUID_CHARS])
{
	memset(ret_id, 0, UUID_CHARS);
}

static void take_scheme(struct bench *bench, const char *text)
{
	assert_int_equal(scheme_parse(text, "test", &bench->scheme, NULL), 0);
}

static int set_up(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	assert_non_null(bench);
	/* at first the buttons cannot be had: nothing can be made in there */
	bench->config.buttons_kind = BUTTONS_SIM;
	snprintf(bench->config.runtime, sizeof(bench->config.runtime), "/proc/none");
	bench->config.buttons = (struct config_wires){.n = 1, .list = {{"mute", "m"}}};
	bench->config.debounce_ms = 8;
	take_scheme(bench, plain);
	recorder_init(&bench->recorder, &bench->scheme, plain, 3600 * NS_PER_S, 0, new_id);
	assert_true(sd_event_new(&bench->event) >= 0);
	fake_level = 0;
	*state = bench;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *bench = *state;
	panel_close(&bench->panel);
	sd_event_unref(bench->event);
	recorder_fini(&bench->recorder);
	free(bench);
	return 0;
}

static void start(struct bench *bench)
{
	panel_open(&bench->panel, &bench->config, &bench->scheme, bench->event, &bench->recorder);
	bench->panel.button_driver = &fake;
}

/* A turn of the loop, long enough after the last. */
static void turn(struct bench *bench, int n)
{
	panel_take(&bench->panel, clock_now_ns() + n * LATER_NS, &bench->recorder);
}

static void a_mute_switch_that_cannot_be_read_mutes(void **state)
{
	struct bench *bench = *state;
	start(bench);
	assert_true(bench->recorder.mute_wanted);
	fake_level = -EIO;
	turn(bench, 1);
	assert_true(bench->recorder.mute_wanted);
	fake_level = 0;
	turn(bench, 2);
	assert_false(bench->recorder.mute_wanted);
	fake_level = -EIO; /* from now on: its last word stands */
	turn(bench, 3);
	assert_false(bench->recorder.mute_wanted);
}

static void an_earlier_runs_mute_stands_where_a_button_can_end_it(void **state)
{
	struct bench *bench = *state;
	bench->config.buttons = (struct config_wires){.n = 1, .list = {{"2", "2"}}};
	take_scheme(bench, mutes);
	recorder_mute(&bench->recorder, true);
	start(bench);
	turn(bench, 1);
	assert_true(bench->recorder.mute_wanted);
	panel_close(&bench->panel);
	take_scheme(bench, plain);
	start(bench);
	assert_false(bench->recorder.mute_wanted);
}

static void a_switch_says_what_an_earlier_run_cannot(void **state)
{
	struct bench *bench = *state;
	take_scheme(bench, mutes);
	recorder_mute(&bench->recorder, true);
	start(bench);
	turn(bench, 1);
	assert_false(bench->recorder.mute_wanted);
}

static void without_a_code_that_mutes_the_switch_alone_counts(void **state)
{
	struct bench *bench = *state;
	take_scheme(bench, mutes);
	start(bench);
	turn(bench, 1);
	recorder_mute(&bench->recorder, true); /* by its button */
	panel_follow(&bench->panel, &bench->recorder);
	assert_true(bench->recorder.mute_wanted);
	take_scheme(bench, plain);
	panel_follow(&bench->panel, &bench->recorder);
	assert_false(bench->recorder.mute_wanted);
	fake_level = 1;
	turn(bench, 2);
	turn(bench, 3);
	assert_true(bench->recorder.mute_wanted);
	panel_follow(&bench->panel, &bench->recorder);
	assert_true(bench->recorder.mute_wanted);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_mute_switch_that_cannot_be_read_mutes),
		TEST(an_earlier_runs_mute_stands_where_a_button_can_end_it),
		TEST(a_switch_says_what_an_earlier_run_cannot),
		TEST(without_a_code_that_mutes_the_switch_alone_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
