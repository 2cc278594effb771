#include "firmware/sound.h"

#include "app/base/id.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define BOOT_ID "0f5a3c1e-9d2b-4c6f-8a17-2b3c4d5e6f70"
#define NOW_NS (INT64_C(5000) * NS_PER_S)
#define NO_DISK_HAS_IT (1 << 30) /* MiB */

struct bench {
	struct config config;
	struct scheme scheme;
	struct recorder recorder;
	struct sound sound;
};

static int set_up(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	struct error error;
	assert_non_null(bench);
	snprintf(bench->config.state, sizeof(bench->config.state), "/tmp/test_sound.XXXXXX");
	assert_non_null(mkdtemp(bench->config.state));
	bench->config.reserve_mib = 4;
	recorder_init(&bench->recorder, &bench->scheme, "", NS_PER_S, 0, id_new);
	/* sound is off: no card is needed for what is looked at here */
	assert_int_equal(
		sound_open(&bench->sound, &bench->config, &bench->scheme, BOOT_ID, &error), 0);
	*state = bench;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *bench = *state;
	sound_close(&bench->sound);
	recorder_fini(&bench->recorder);
	int dir_fd = open(bench->config.state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)unlinkat(dir_fd, "reserve", 0);
	(void)unlinkat(dir_fd, "snippets", AT_REMOVEDIR);
	close(dir_fd);
	int r = rmdir(bench->config.state);
	free(bench);
	return r;
}

/* Looks then, and says how many faults were raised or ended by it. */
static size_t look(struct bench *bench, int64_t now_ns, int stops_mib)
{
	size_t before = bench->recorder.out.entries.n;
	bench->config.sound_stops_mib = stops_mib;
	sound_look_at_space(&bench->sound, now_ns, &bench->recorder);
	return bench->recorder.out.entries.n - before;
}

static void little_room_is_said_once_and_when_it_is_over(void **state)
{
	struct bench *bench = *state;
	assert_int_equal(look(bench, NOW_NS, 1), 0);
	assert_false(bench->sound.no_room);
	assert_int_equal(look(bench, NOW_NS, NO_DISK_HAS_IT), 1);
	assert_true(bench->sound.no_room);
	assert_int_equal(look(bench, NOW_NS + 10 * NS_PER_S, NO_DISK_HAS_IT), 0);
	assert_int_equal(look(bench, NOW_NS + 20 * NS_PER_S, 1), 1);
	assert_false(bench->sound.no_room);
	const struct entry *list = bench->recorder.out.entries.list;
	assert_string_equal(list[0].code, "snippets");
	assert_int_equal(list[0].value, 1);
	assert_int_equal(list[1].value, 0);
}

static void a_fault_lasts_long_enough_to_be_seen(void **state)
{
	struct bench *bench = *state;
	assert_int_equal(look(bench, NOW_NS, NO_DISK_HAS_IT), 1);
	assert_int_equal(look(bench, NOW_NS, 1), 0);
	assert_int_equal(look(bench, NOW_NS + NS_PER_S, 1), 0);
	assert_true(bench->sound.no_room);
	assert_int_equal(look(bench, NOW_NS + 2 * NS_PER_S, 1), 1);
	assert_false(bench->sound.no_room);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(little_room_is_said_once_and_when_it_is_over),
		TEST(a_fault_lasts_long_enough_to_be_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
