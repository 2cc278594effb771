#include "app/base/config.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/test_config.XXXXXX";

static void put(const char *name, const char *text)
{
	FILE *file = fopen(name, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int erase(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static int set_up(void **state)
{
	char boards[64];

	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
	if (!mkdtemp(dir) || chdir(dir) < 0 || mkdir("boards", 0700) < 0 ||
		mkdir("c.conf.d", 0700) < 0) {
		return -1;
	}
	(void)snprintf(boards, sizeof(boards), "%s/boards", dir);
	put("boards/pi.conf",
		"[board]\ntitle = A Pi\nbuttons = gpio\nlamps = gpio\n[buttons]\n1 = GPIO5\n"
		"mute = GPIO17\n[lamps]\nred = GPIO22\n[microphone]\ncard = seeed\n");
	put("boards/sim.conf",
		"[board]\nbuttons = sim\nlamps = sim\n[buttons]\n1 = 1\n"
		"[lamps]\nred = red\n[microphone]\npcm = chalkbox_sim\n");
	put("boards/bare.conf", "[board]\nbuttons = sim\n");
	return setenv("CHALKBOX_BOARD_DIR", boards, 1);
}

static int tear_down(void **state)
{
	return chdir("/") < 0 ? -1 : nftw(dir, erase, 8, FTW_DEPTH | FTW_PHYS);
}

static void read_good(struct config *ret_config)
{
	struct error error = {""};

	if (config_read("c.conf", ret_config, &error) != 0) {
		fail_msg("refused: %s", error.text);
	}
}

static void expect_refusal(const char *message)
{
	static struct config config, untouched;
	struct error error = {""};

	memset(&config, 0x55, sizeof(config));
	memset(&untouched, 0x55, sizeof(untouched));
	assert_int_equal(config_read("c.conf", &config, &error), -EINVAL);
	assert_string_equal(error.text, message);
	assert_memory_equal(&config, &untouched, sizeof(config));
}

static void bad(const char *text, const char *message)
{
	put("c.conf", text);
	expect_refusal(message);
}

static void an_empty_file_gives_the_defaults_and_the_pi(void **state)
{
	struct config config;

	put("c.conf", "");
	read_good(&config);
	assert_true(config.name[0] != '\0');
	assert_string_equal(config.state, "/var/lib/chalkbox");
	assert_string_equal(config.runtime, "/run/chalkbox");
	assert_string_equal(config.board, "pi");
	assert_string_equal(config.scheme, "site");
	assert_string_equal(config.sync_state, "/var/lib/chalkbox-sync");
	assert_string_equal(config.ssids, "");
	assert_false(config.allow_metered);
	assert_int_equal(config.days_on_box, -1);
	assert_string_equal(config.boot_file, "");
	assert_false(config.sound);
	assert_int_equal(config.ring_s, 60);
	assert_int_equal(config.bitrate_kbit, 24);
	assert_int_equal(config.gain_db, 0);
	assert_int_equal(config.idle_min, 120);
	assert_int_equal(config.reserve_mib, 16);
	assert_int_equal(config.sound_stops_mib, 64);
	assert_string_equal(config.board_title, "A Pi");
	assert_int_equal(config.buttons_kind, BUTTONS_GPIO);
	assert_int_equal(config.lamps_kind, LAMPS_GPIO);
	assert_true(config.active_low);
	assert_true(config.pull_up);
	assert_int_equal(config.debounce_ms, 8);
	assert_int_equal(config.channel, 1);
	assert_string_equal(config.card, "seeed");
	assert_int_equal(config.buttons.n, 2);
	assert_string_equal(config_wire(&config.buttons, "1"), "GPIO5");
	assert_string_equal(config_wire(&config.lamps, "red"), "GPIO22");
	assert_null(config_wire(&config.lamps, "green"));
}

static void what_stands_later_wins(void **state)
{
	struct config config;

	put("c.conf",
		"[box]\nboard = sim\nname = One\n[sound]\nring_s = 70\nenabled = no\n"
		"[buttons]\n2 = two\n[board]\ndebounce_ms = 9\n");
	put("c.conf.d/20-b.conf", "[sound]\nring_s = 90\n[lamps]\nred = rouge\n");
	put("c.conf.d/10-a.conf", "[sound]\nring_s = 80\nenabled = yes\n[buttons]\n2 = zwei\n");
	put("c.conf.d/30.conf.bak", "nonsense");
	put("c.conf.d/.40.conf", "nonsense");
	read_good(&config);
	assert_string_equal(config.name, "One");
	assert_int_equal(config.ring_s, 90);
	assert_true(config.sound);
	assert_int_equal(config.buttons_kind, BUTTONS_SIM);
	assert_int_equal(config.debounce_ms, 9);
	assert_int_equal(config.buttons.n, 2);
	assert_string_equal(config_wire(&config.buttons, "2"), "zwei");
	assert_int_equal(config.lamps.n, 1);
	assert_string_equal(config_wire(&config.lamps, "red"), "rouge");
}

static void the_folder_may_name_the_board(void **state)
{
	struct config config;

	put("c.conf", "[box]\nboard = nowhere\n");
	put("c.conf.d/a.conf", "[box]\nboard = sim\n");
	read_good(&config);
	assert_string_equal(config.board, "sim");
	assert_string_equal(config.pcm, "chalkbox_sim");
	assert_string_equal(config.card, "");
}

static void an_absent_file_is_an_error_an_absent_folder_is_not(void **state)
{
	struct config config;
	struct error error;

	assert_int_equal(rmdir("c.conf.d"), 0);
	assert_int_equal(config_read("c.conf", &config, &error), -ENOENT);
	assert_string_equal(error.text, "c.conf: No such file or directory");
	put("c.conf", "");
	read_good(&config);
	assert_int_equal(mkdir("c.conf.d", 0700), 0);
}

static void a_path_counts_from_the_folder_of_its_file(void **state)
{
	struct config config;
	char here[PATH_MAX], expected[PATH_MAX + 32];

	assert_non_null(realpath(dir, here));
	put("c.conf", "[box]\nboard = boards/sim.conf\nscheme = my.scheme\nstate = ./var\n");
	put("c.conf.d/a.conf", "[box]\nruntime = run\n");
	read_good(&config);
	(void)snprintf(expected, sizeof(expected), "%s/boards/sim.conf", here);
	assert_string_equal(config.board, expected);
	(void)snprintf(expected, sizeof(expected), "%s/my.scheme", here);
	assert_string_equal(config.scheme, expected);
	(void)snprintf(expected, sizeof(expected), "%s/var", here);
	assert_string_equal(config.state, expected);
	(void)snprintf(expected, sizeof(expected), "%s/c.conf.d/run", here);
	assert_string_equal(config.runtime, expected);
}

static void what_nobody_knows_is_refused_with_file_and_line(void **state)
{
	bad("[sound]\nenabled = yes\n\nbitrat = 20\n",
		"c.conf:4: unknown key \"bitrat\" in [sound]; did you mean \"bitrate_kbit\"?");
	bad("[storrage]\nx = 1\n",
		"c.conf:2: unknown section \"storrage\"; did you mean \"storage\"?");
	bad("[sound]\nring_s = 60\nring_s = 70\n",
		"c.conf:3: \"ring_s\" was already set in line 2; remove one of them");
	put("c.conf", "");
	put("c.conf.d/a.conf", "[board]\nlamp = none\n");
	expect_refusal(
		"c.conf.d/a.conf:2: unknown key \"lamp\" in [board]; did you mean \"lamps\"?");
}

static void values_out_of_range_are_refused_with_their_range(void **state)
{
	static const char *const tries[][3] = {
		{"sound", "ring_s = 59", "60 to 300"},
		{"sound", "ring_s = 301", "60 to 300"},
		{"sound", "bitrate_kbit = 11", "12 to 128"},
		{"observation", "idle_min = 4", "5 to 600"},
		{"storage", "reserve_mib = 257", "4 to 256"},
		{"storage", "sound_stops_mib = 0", "1 to 4096"},
		{"board", "debounce_ms = 51", "1 to 50"},
		{"microphone", "channel = 0", "1 to 64"},
		{"microphone", "gain_db = -21", "-20 to 40"},
	};
	char text[100], message[200];

	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		(void)snprintf(text, sizeof(text), "[%s]\n%s\n", tries[i][0], tries[i][1]);
		(void)snprintf(message, sizeof(message),
			"c.conf:2: %s: must be a whole number from %s", tries[i][1], tries[i][2]);
		bad(text, message);
	}
	bad("[board]\nactive = up\n", "c.conf:2: active = up: must be low or high");
	bad("[board]\npull = down\n", "c.conf:2: pull = down: must be up or none");
	bad("[board]\nbuttons = usb\n", "c.conf:2: buttons = usb: must be gpio, evdev or sim");
	bad("[sound]\nenabled = 1\n", "c.conf:2: enabled = 1: must be yes or no");
	bad("[box]\nname =\n", "c.conf:2: name = : must not be empty; leave the line out instead");
}

static void two_uses_of_one_line_are_refused(void **state)
{
	char message[300];

	bad("[box]\nboard = sim\n[buttons]\na = x\nb = x\n",
		"c.conf:5: b = x: [buttons] a is on that line already (c.conf:4); give each its "
		"own");
	(void)snprintf(message, sizeof(message),
		"c.conf:2: green = GPIO5: [buttons] 1 is on that line already "
		"(%s/boards/pi.conf:6); "
		"give each its own",
		dir);
	bad("[lamps]\ngreen = GPIO5\n", message);
	(void)snprintf(message, sizeof(message),
		"c.conf:2: green = GPIO22: [lamps] red is on that line already "
		"(%s/boards/pi.conf:9); give each its own",
		dir);
	bad("[lamps]\ngreen = GPIO22\n", message);
}

static void a_lamp_may_be_called_as_a_key_of_another_kind(void **state)
{
	struct config config;

	put("c.conf", "[board]\nbuttons = evdev\n[lamps]\ngreen = GPIO5\n");
	read_good(&config);
	assert_string_equal(config_wire(&config.lamps, "green"), "GPIO5");
}

static void wires_need_good_names_and_a_line(void **state)
{
	bad("[buttons]\nLeft = GPIO9\n",
		"c.conf:2: Left = GPIO9: the name before the \"=\" must be of small letters, "
		"digits, "
		"- and _, at most 31");
	bad("[lamps]\ngreen =\n",
		"c.conf:2: green = : must name the line it is wired to, such as GPIO5");
}

static void a_board_without_buttons_is_refused(void **state)
{
	char message[300];

	(void)snprintf(message, sizeof(message),
		"%s/boards/bare.conf:1: there is no button; add [buttons] and under it lines such "
		"as "
		"\"1 = GPIO5\"",
		dir);
	bad("[box]\nboard = bare\n", message);
}

static void more_wires_than_there_is_room_for_are_refused(void **state)
{
	char text[1000] = "[box]\nboard = bare\n[buttons]\n";

	for (int i = 0; i <= CONFIG_LINES_MAX; i++) {
		size_t n = strlen(text);

		(void)snprintf(text + n, sizeof(text) - n, "b%d = line%d\n", i, i);
	}
	bad(text, "c.conf:28: b24 = line24: is one too many: there may be 24");
}

static void an_unknown_board_is_told_which_there_are(void **state)
{
	char message[300];
	struct config config;
	struct error error;

	(void)snprintf(message, sizeof(message),
		"c.conf:3: board = pie: there is no pie.conf in %s/boards (it has: bare, pi, sim); "
		"for a file of your own, give its path, as in ./pie.conf",
		dir);
	bad("\n[box]\nboard = pie\n", message);

	put("c.conf", "[box]\nboard = ./absent.conf\n");
	assert_int_equal(config_read("c.conf", &config, &error), -ENOENT);
	assert_non_null(strstr(error.text, "c.conf:2: board: "));
	assert_non_null(strstr(error.text, "absent.conf: No such file or directory"));
}

static void a_boards_file_speaks_only_of_the_board(void **state)
{
	char message[300], here[PATH_MAX];

	assert_non_null(realpath(dir, here));
	put("b.conf", "[buttons]\n1 = 1\n[sound]\nenabled = yes\n");
	(void)snprintf(message, sizeof(message),
		"%.100s/b.conf:4: [sound] does not belong into a board's file; put it into "
		"chalkbox.conf",
		here);
	bad("[box]\nboard = ./b.conf\n", message);
}

static void a_pcm_takes_the_place_of_the_boards_card(void **state)
{
	struct config config;

	put("c.conf", "[microphone]\npcm = plug:mine\n");
	read_good(&config);
	assert_string_equal(config.pcm, "plug:mine");
	assert_string_equal(config.card, "");
	put("c.conf.d/a.conf", "[microphone]\ncard = usb\n");
	read_good(&config);
	assert_string_equal(config.pcm, "");
	assert_string_equal(config.card, "usb");
	assert_int_equal(unlink("c.conf.d/a.conf"), 0);
	bad("[microphone]\npcm = mine\ncard = yours\n",
		"c.conf:3: card = yours: line 2 gives a pcm already; keep one of them");
}

/* Every setting away from its default, so that a forgotten one shows. */
static void what_is_printed_is_read_back_the_same(void **state)
{
	static const char *const texts[] = {
		"",
		"[box]\nboard = sim\n",
		"[box]\nname = Room 4 \xc3\xa9;x\nstate = /s\nruntime = /r\nboard = "
		"./boards/pi.conf\n"
		"scheme = x/y.scheme\n[sound]\nenabled = yes\nring_s = 299\nbitrate_kbit = 127\n"
		"[observation]\nidle_min = 6\n[storage]\nreserve_mib = 5\n"
		"sound_stops_mib = 6\n[sync]\nstate = /y\nssids = one, two\nallow_metered = "
		"yes\ndays_on_box = 7\nboot_file = /b\n[board]\ntitle = t\nbuttons = evdev\nlamps = sim\nchip = c\n"
		"input = /dev/input/x\nactive = high\npull = none\ndebounce_ms = 11\n"
		"[buttons]\n9 = KEY_9\n[lamps]\nx-y_z = v w\n[microphone]\npcm = hw:1,0\nchannel = "
		"7\ngain_db = -19\n",
		"[microphone]\ncard =\n",
		"[sync]\nboot_file =\nssids =\n[box]\nscheme = default\n",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		static struct config first, second;
		FILE *out;

		put("c.conf", texts[i]);
		memset(&first, 0, sizeof(first));
		memset(&second, 0, sizeof(second));
		read_good(&first);
		out = fopen("c.conf", "we");
		assert_non_null(out);
		config_print(&first, out);
		assert_int_equal(fclose(out), 0);
		read_good(&second);
		assert_memory_equal(&first, &second, sizeof(first));
	}
}

static void the_longest_texts_survive_printing_too(void **state)
{
	static struct config first, second;
	char text[300];
	FILE *out;

	(void)snprintf(text, sizeof(text), "[box]\nruntime = /%0186d\n", 7);
	put("c.conf", text);
	read_good(&first);
	out = fopen("c.conf", "we");
	assert_non_null(out);
	config_print(&first, out);
	assert_int_equal(fclose(out), 0);
	read_good(&second);
	assert_string_equal(first.runtime, second.runtime);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_empty_file_gives_the_defaults_and_the_pi),
		TEST(what_stands_later_wins),
		TEST(the_folder_may_name_the_board),
		TEST(an_absent_file_is_an_error_an_absent_folder_is_not),
		TEST(a_path_counts_from_the_folder_of_its_file),
		TEST(what_nobody_knows_is_refused_with_file_and_line),
		TEST(values_out_of_range_are_refused_with_their_range),
		TEST(two_uses_of_one_line_are_refused),
		TEST(a_lamp_may_be_called_as_a_key_of_another_kind),
		TEST(wires_need_good_names_and_a_line),
		TEST(a_board_without_buttons_is_refused),
		TEST(more_wires_than_there_is_room_for_are_refused),
		TEST(an_unknown_board_is_told_which_there_are),
		TEST(a_boards_file_speaks_only_of_the_board),
		TEST(a_pcm_takes_the_place_of_the_boards_card),
		TEST(what_is_printed_is_read_back_the_same),
		TEST(the_longest_texts_survive_printing_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
