#include "app/health/health.h"

#include "app/base/file.h"
#include "app/server/health.h"

#include <errno.h>
#include <ftw.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* --- a machine in a folder --- */

struct bench {
	char root[64];
};

static int set_up(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	assert_non_null(bench);
	(void)snprintf(bench->root, sizeof(bench->root), "/tmp/test_health.XXXXXX");
	assert_non_null(mkdtemp(bench->root));
	*state = bench;
	return 0;
}

static int erase(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static int tear_down(void **state)
{
	struct bench *bench = *state;

	if (nftw(bench->root, erase, 8, FTW_DEPTH | FTW_PHYS) != 0) {
		assert_int_equal(errno, ENOENT); /* a test took it away itself */
	}
	free(bench);
	return 0;
}

static void put(const struct bench *bench, const char *dir, const char *name, const char *text)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s%s", bench->root, dir);
	assert_int_equal(file_make_dirs(path), 0);
	assert_int_equal(file_replace(path, name, text, strlen(text), 0644), 0);
}

static enum power_state power_of(const struct bench *bench, bool *ret_hot)
{
	struct power power;

	power_look(bench->root, &power);
	*ret_hot = power.hot;
	return power.state;
}

static void a_board_that_does_not_measure_its_power_is_unknown(void **state)
{
	bool hot;

	assert_int_equal(power_of(*state, &hot), POWER_UNKNOWN);
	put(*state, "/sys/devices/platform/soc/soc:firmware", "get_throttled", "what\n");
	assert_int_equal(power_of(*state, &hot), POWER_UNKNOWN);
	assert_false(hot);
}

static void a_pi_tells_of_low_power_now_and_before_and_of_heat(void **state)
{
	static const char dir[] = "/sys/devices/platform/soc/soc:firmware";
	bool hot;

	put(*state, dir, "get_throttled", "0\n");
	assert_int_equal(power_of(*state, &hot), POWER_GOOD);
	assert_false(hot);
	put(*state, dir, "get_throttled", "50000\n");
	assert_int_equal(power_of(*state, &hot), POWER_LOW_BEFORE);
	assert_true(hot);
	put(*state, dir, "get_throttled", "0x10001\n");
	assert_int_equal(power_of(*state, &hot), POWER_LOW);
	assert_false(hot);
}

static void a_pi_of_another_kernel_tells_by_its_alarm(void **state)
{
	bool hot;

	put(*state, "/sys/class/hwmon/hwmon1", "in0_lcrit_alarm", "1\n");
	assert_int_equal(power_of(*state, &hot), POWER_LOW);
	put(*state, "/sys/class/hwmon/hwmon1", "in0_lcrit_alarm", "0\n");
	assert_int_equal(power_of(*state, &hot), POWER_GOOD);
}

static void the_machine_says_what_it_is_in_one_line(void **state)
{
	struct bench *bench = *state;
	struct machine machine;

	put(bench, "/sys/firmware/devicetree/base", "model", "Raspberry Pi 4 \033[31mModel B  \n");
	put(bench, "/etc", "os-release",
		"NAME=\"x\"\nPRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\n");
	machine_look(bench->root, &machine);
	assert_string_equal(machine.model, "Raspberry Pi 4 [31mModel B");
	assert_string_equal(machine.system, "Debian GNU/Linux 13 (trixie)");
	assert_true(machine.kernel[0] != '\0');
	assert_true(machine.uptime_s >= 0);
}

/* --- the card --- */

static void the_median_and_the_slowest_writes_are_told_apart(void **state)
{
	int64_t list[100], one[] = {7}, two[] = {9, 3};
	struct card_speed speed;

	for (int i = 0; i < 100; i++) {
		list[i] = 100 - i;
	}
	card_rank(list, 100, &speed);
	assert_int_equal(speed.median_ns, 50);
	assert_int_equal(speed.p99_ns, 99);
	assert_int_equal(speed.writes, 100);
	card_rank(one, 1, &speed);
	assert_int_equal(speed.median_ns, 7);
	assert_int_equal(speed.p99_ns, 7);
	card_rank(two, 2, &speed);
	assert_int_equal(speed.median_ns, 3);
	assert_int_equal(speed.p99_ns, 9);
}

static void measuring_the_card_leaves_nothing_behind(void **state)
{
	struct bench *bench = *state;
	struct card_speed speed;
	struct card_room room;

	assert_int_equal(card_time(bench->root, 5, NS_PER_S, &speed), 0);
	assert_in_range(speed.writes, 1, 5);
	assert_true(speed.median_ns > 0 && speed.p99_ns >= speed.median_ns);
	assert_int_equal(rmdir(bench->root), 0);
	assert_int_equal(card_time(bench->root, 5, NS_PER_S, &speed), -ENOENT);
	assert_int_equal(card_room(bench->root, &room), -ENOENT);
	assert_int_equal(card_room("/tmp", &room), 0);
	assert_true(room.total_bytes >= room.free_bytes);
}

/* --- what the journal tells --- */

static void tell(struct told *told, enum entry_kind kind, int64_t observation, const char *code,
	int64_t value, const struct facts *facts)
{
	struct entry entry = {.kind = kind, .observation = observation, .value = value};

	(void)snprintf(entry.code, sizeof(entry.code), "%s", code);
	told_take(told, &entry, facts);
}

static void only_what_the_last_run_raised_and_did_not_end_is_broken(void **state)
{
	struct told told = {.n_faults = 0};
	struct facts why = {.cause = "gone"}, none = {.bytes = 0};

	tell(&told, ENTRY_FAULT, 0, "old", 1, &why);
	tell(&told, ENTRY_BOOT, 0, "", 0, NULL);
	tell(&told, ENTRY_FAULT, 0, "buttons", 1, &why);
	tell(&told, ENTRY_FAULT, 0, "lamps", 1, &why);
	tell(&told, ENTRY_FAULT, 0, "buttons", 0, &none);
	assert_int_equal(told.n_faults, 1);
	assert_string_equal(told.faults[0].code, "lamps");
	for (int i = 0; i < 2 * TOLD_FAULTS_MAX; i++) {
		char code[8];

		(void)snprintf(code, sizeof(code), "f%d", i);
		tell(&told, ENTRY_FAULT, 0, code, 1, &why);
	}
	assert_int_equal(told.n_faults, TOLD_FAULTS_MAX);
}

static void the_microphone_is_as_the_last_run_left_it(void **state)
{
	struct told told = {.n_faults = 0};
	struct facts card = {.card = "hw:CARD=usb"};

	assert_false(told.mic_known);
	tell(&told, ENTRY_MIC, 0, "", MIC_LIVE, &card);
	assert_true(told.mic_known);
	assert_int_equal(told.mic, MIC_LIVE);
	assert_string_equal(told.mic_card, "hw:CARD=usb");
	tell(&told, ENTRY_MIC, 0, "", 77, &card); /* a newer recorder's */
	assert_int_equal(told.mic, MIC_LIVE);
	tell(&told, ENTRY_BOOT, 0, "", 0, NULL);
	assert_false(told.mic_known);
}

static void loudness_and_clipping_are_those_of_the_newest_lesson(void **state)
{
	uint8_t loud[] = {40, 40, 40, 40, 40, 40, 40, 40, 60, 100}, quiet[] = {120, 120, 255, 254};
	uint8_t peaks[] = {10, 255, 20, 254};
	struct facts levels = {.levels = loud, .n_levels = sizeof(loud)};
	struct facts snippet = {.levels = peaks, .n_levels = sizeof(peaks)};
	struct told told = {.n_faults = 0};

	tell(&told, ENTRY_LOUDNESS, 5, "", 0, &levels);
	tell(&told, ENTRY_SNIPPET, 5, "", 0, &snippet);
	assert_true(fabs(told_level(&told, 90) - -20) < 0.01);
	assert_true(fabs(told_level(&told, 10) - -50) < 0.01);
	assert_int_equal(told.n_clipped, 2);
	assert_int_equal(told.n_peaks, 4);
	levels = (struct facts){.levels = quiet, .n_levels = sizeof(quiet)};
	tell(&told, ENTRY_LOUDNESS, 9, "", 0, &levels);
	assert_int_equal(told.n_levels, 3); /* 255 is "not heard" */
	assert_true(fabs(told_level(&told, 90) - -60) < 0.01);
	assert_int_equal(told.n_peaks, 0);
}

/* --- to the server and there --- */

static void what_a_box_says_the_server_takes_as_it_is(void **state)
{
	uint8_t loud[] = {40, 41};
	struct facts mic = {.card = "caf\xe9 \"USB\""};
	struct facts levels = {.levels = loud, .n_levels = sizeof(loud)};
	struct told told = {.n_faults = 0};
	struct health health = {.told = &told, .wiring = "F\xc3\xbcnf Tasten", .recorder = true};
	json_t *json, *kept;
	char *text;

	tell(&told, ENTRY_MIC, 0, "", MIC_FULL, &mic);
	tell(&told, ENTRY_LOUDNESS, 5, "", 0, &levels);
	tell(&told, ENTRY_SNIPPET, 5, "", 0, &levels);
	health_look(&health, "/tmp", "/tmp");
	json = health_json(&health);
	assert_non_null(json);
	assert_int_equal(health_read(json, &text, NULL), 0);
	assert_in_range(strlen(text), 100, 2048);
	kept = json_loads(text, 0, NULL);
	assert_true(json_equal(json, kept));
	assert_string_equal(json_string_value(json_object_get(kept, "microphone")), "full");
	assert_int_equal(json_integer_value(json_object_get(kept, "loud_db")), -20);
	json_decref(kept);
	json_decref(json);
	free(text);
}

static void a_box_that_says_nothing_of_its_health_is_taken_too(void **state)
{
	char *text;

	assert_int_equal(health_read(NULL, &text, NULL), 0);
	assert_string_equal(text, "");
	free(text);
}

#define WITH_ROOT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ROOT(a_board_that_does_not_measure_its_power_is_unknown),
		WITH_ROOT(a_pi_tells_of_low_power_now_and_before_and_of_heat),
		WITH_ROOT(a_pi_of_another_kernel_tells_by_its_alarm),
		WITH_ROOT(the_machine_says_what_it_is_in_one_line),
		cmocka_unit_test(the_median_and_the_slowest_writes_are_told_apart),
		WITH_ROOT(measuring_the_card_leaves_nothing_behind),
		cmocka_unit_test(only_what_the_last_run_raised_and_did_not_end_is_broken),
		cmocka_unit_test(the_microphone_is_as_the_last_run_left_it),
		cmocka_unit_test(loudness_and_clipping_are_those_of_the_newest_lesson),
		cmocka_unit_test(what_a_box_says_the_server_takes_as_it_is),
		cmocka_unit_test(a_box_that_says_nothing_of_its_health_is_taken_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
