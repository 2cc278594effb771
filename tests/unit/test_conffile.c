#include "app/base/conffile.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct conffile *good(const char *text)
{
	struct conffile *file = NULL;
	struct error error = {""};

	if (conffile_parse(text, strlen(text), "a.conf", &file, &error) != 0) {
		fail_msg("refused: %s", error.text);
	}
	return file;
}

static void bad_bytes(const char *text, size_t n, const char *message)
{
	struct conffile *file = NULL;
	struct error error = {""};

	assert_int_equal(conffile_parse(text, n, "a.conf", &file, &error), -EINVAL);
	assert_null(file);
	assert_string_equal(error.text, message);
}

static void bad(const char *text, const char *message)
{
	bad_bytes(text, strlen(text), message);
}

static void every_value_knows_its_line(void **state)
{
	struct conffile *file =
		good("\xef\xbb\xbf# a comment\r\n[one]\r\n\r\n  key = a value  ; more\n"
		     "\tnext: b=c;d\n; [no]\n[two] # here\nkey=\n[one]\nthird = \xc3\xa9");
	size_t n;
	const struct conf_line *lines = conffile_lines(file, &n);
	static const struct conf_line expected[] = {
		{"a.conf", 4, "one", "key", "a value"},
		{"a.conf", 5, "one", "next", "b=c;d"},
		{"a.conf", 8, "two", "key", ""},
		{"a.conf", 10, "one", "third", "\xc3\xa9"},
	};

	assert_int_equal(n, 4);
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(lines[i].file, expected[i].file);
		assert_int_equal(lines[i].line, expected[i].line);
		assert_string_equal(lines[i].section, expected[i].section);
		assert_string_equal(lines[i].key, expected[i].key);
		assert_string_equal(lines[i].value, expected[i].value);
	}
	conffile_free(file);
}

static void a_repeated_key_is_refused_with_its_line(void **state)
{
	bad("[a]\ncard = x\n[b]\ncard = x\n[a]\ncard = y\n",
		"a.conf:6: \"card\" was already set in line 2; remove one of them");
}

static void a_line_that_is_not_ini_is_refused(void **state)
{
	bad("[a]\nb = c\nwhat is this\nd = e\n",
		"a.conf:3: is neither [section] nor \"key = value\" nor a comment");
	bad("[a\n", "a.conf:1: the section's name has no ] behind it");
	bad("[a] b = c\n", "a.conf:1: after ] only a comment may follow; begin a new line");
	bad("a = b\n", "a.conf:1: \"a\" stands before the first [section]; put it under one");
	bad("[a]\n = b\n", "a.conf:2: there is no key before the \"=\"");
	bad("[a]\nb =;c\n", "a.conf:2: b: put a blank before the comment");
	/* The first thing that is wrong is told, whoever finds it. */
	bad("[a]\nnothing\nb = c\nb = d\n",
		"a.conf:2: is neither [section] nor \"key = value\" nor a comment");
	bad("[a]\nb = c\nb = d\nnothing\n",
		"a.conf:3: \"b\" was already set in line 2; remove one of them");
}

static void bytes_that_are_no_text_are_refused_with_their_place(void **state)
{
	bad_bytes(
		"[a]\nb = \0c\n", 10, "a.conf:2: byte 5 is a control character (0x00); remove it");
	bad("[a]\nb = \x1b[1m\n", "a.conf:2: byte 5 is a control character (0x1b); remove it");
	bad("[a]\nb = \xc2\x85\n", "a.conf:2: byte 5 is a control character (0x85); remove it");
	bad("[a]\nb = x\rc = y\n", "a.conf:2: byte 6 is a control character (0x0d); remove it");
	bad("[a]\nb = \xe9t\xe9\n", "a.conf:2: byte 5 is not UTF-8; save the file as UTF-8");
	bad("[a]\nb = \xc0\xaf\n", "a.conf:2: byte 5 is not UTF-8; save the file as UTF-8");
	bad("[a]\nb = \xe0\x80\xaf\n", "a.conf:2: byte 5 is not UTF-8; save the file as UTF-8");
	bad("[a]\nb = \xed\xa0\x80\n", "a.conf:2: byte 5 is not UTF-8; save the file as UTF-8");
	bad("[a]\nb = \xf4\x90\x80\x80\n", "a.conf:2: byte 5 is not UTF-8; save the file as UTF-8");
	bad("[a]\nb = \xe2\x82", "a.conf:2: byte 5 is not UTF-8; save the file as UTF-8");
	conffile_free(good("[a]\nb = \xf0\x9f\x94\x94 \xe2\x82\xac \xc3\xa9 \t x\n"));
}

static void a_line_is_read_up_to_198_bytes_and_not_beyond(void **state)
{
	char text[300];
	struct conffile *file;
	size_t n;

	(void)snprintf(text, sizeof(text), "[a]\nb = %0194d\n", 7);
	file = good(text);
	assert_int_equal(strlen(conffile_lines(file, &n)[0].value), 194);
	conffile_free(file);
	(void)snprintf(text, sizeof(text), "[a]\nb = %0195d\n", 7);
	bad(text, "a.conf:2: the line is 199 bytes long; at most 198 can be read");
	(void)snprintf(text, sizeof(text), "[a]\n# %0250d\n", 7);
	bad(text, "a.conf:2: the line is 252 bytes long; at most 198 can be read");
}

static void names_longer_than_inih_keeps_are_refused(void **state)
{
	char text[300];
	struct conffile *file;
	size_t n;

	(void)snprintf(text, sizeof(text), "[%049d]\n%049d = 1\n", 7, 8);
	file = good(text);
	assert_int_equal(strlen(conffile_lines(file, &n)[0].section), 49);
	assert_int_equal(strlen(conffile_lines(file, &n)[0].key), 49);
	conffile_free(file);
	(void)snprintf(text, sizeof(text), "[%050d]\nb = 1\n", 7);
	bad(text, "a.conf:1: the section's name is longer than 49 bytes");
	(void)snprintf(text, sizeof(text), "[a]\n%050d = 1\n", 7);
	bad(text, "a.conf:2: the key is longer than 49 bytes");
}

static void more_settings_than_anybody_writes_are_refused(void **state)
{
	char *text = calloc(1, 20000);
	size_t n = 0;

	assert_non_null(text);
	n += (size_t)snprintf(text, 20000, "[a]\n");
	for (int i = 0; i < 1001; i++) {
		n += (size_t)snprintf(text + n, 20000 - n, "k%d = 1\n", i);
	}
	bad(text, "a.conf:1002: the file has more than 1000 settings");
	free(text);
}

static void nothing_at_all_is_a_file_without_lines(void **state)
{
	static const char *const empty[] = {"", "\n", "\xef\xbb\xbf", "[a]", "# x", "\r\n\r\n"};
	size_t n = 7;

	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
		struct conffile *file = good(empty[i]);

		(void)conffile_lines(file, &n);
		assert_int_equal(n, 0);
		conffile_free(file);
	}
	conffile_free(NULL);
}

static const struct conf_line line = {"c.conf", 12, "sound", "ring_s", "20"};

static struct conf_line holding(const char *value)
{
	struct conf_line with = line;

	with.value = value;
	return with;
}

static void a_number_out_of_range_is_told_the_range(void **state)
{
	static const char *const wrong[] = {"20", "301", "", "-", "60s", "0x40", "6 0", "+60",
		"99999999999999999999", "60.0", " 60"};
	struct error error;
	struct conf_line with;
	int value = 7;

	assert_int_equal(conf_int(&line, 60, 300, &value, &error), -EINVAL);
	assert_string_equal(
		error.text, "c.conf:12: ring_s = 20: must be a whole number from 60 to 300");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		with = holding(wrong[i]);
		assert_int_equal(conf_int(&with, 60, 300, &value, &error), -EINVAL);
	}
	assert_int_equal(value, 7);
	with = holding("-20");
	assert_int_equal(conf_int(&with, -20, 40, &value, &error), 0);
	assert_int_equal(value, -20);
	with = holding("0060");
	assert_int_equal(conf_int(&with, 60, 60, &value, &error), 0);
	assert_int_equal(value, 60);
}

static void a_yes_is_a_yes_in_six_words(void **state)
{
	static const char *const words[] = {"no", "yes", "false", "true", "off", "on"};
	struct error error;
	struct conf_line with;
	bool value;

	for (size_t i = 0; i < 6; i++) {
		with = holding(words[i]);
		assert_int_equal(conf_bool(&with, &value, &error), 0);
		assert_int_equal(value, i % 2);
	}
	with = holding("maybe");
	assert_int_equal(conf_bool(&with, &value, &error), -EINVAL);
	assert_string_equal(error.text, "c.conf:12: ring_s = maybe: must be yes or no");
}

static void a_choice_is_told_what_there_is(void **state)
{
	static const char *const three[] = {"gpio", "evdev", "sim", NULL};
	static const char *const two[] = {"low", "high", NULL};
	struct error error;
	struct conf_line with = holding("sim");
	int value = 7;

	assert_int_equal(conf_choice(&with, three, &value, &error), 0);
	assert_int_equal(value, 2);
	assert_int_equal(conf_choice(&with, two, &value, &error), -EINVAL);
	assert_string_equal(error.text, "c.conf:12: ring_s = sim: must be low or high");
	with = holding("Sim");
	assert_int_equal(conf_choice(&with, three, &value, &error), -EINVAL);
	assert_string_equal(error.text, "c.conf:12: ring_s = Sim: must be gpio, evdev or sim");
	assert_int_equal(value, 2);
}

static void a_text_that_does_not_fit_is_refused(void **state)
{
	struct error error;
	struct conf_line with = holding("1234");
	char text[5] = "old";

	assert_int_equal(conf_text(&with, text, 4, &error), -EINVAL);
	assert_string_equal(error.text, "c.conf:12: ring_s = 1234: is 4 bytes long; at most 3 fit");
	assert_string_equal(text, "old");
	assert_int_equal(conf_text(&with, text, 5, &error), 0);
	assert_string_equal(text, "1234");
}

static void what_nobody_knows_is_told_the_nearest(void **state)
{
	static const char *const keys[] = {"enabled", "ring_s", "bitrate_kbit", "gain_db", NULL};
	static const char *const tries[][2] = {
		{"bitrat", "; did you mean \"bitrate_kbit\"?"},
		{"ring", "; did you mean \"ring_s\"?"},
		{"ring_ms", "; did you mean \"ring_s\"?"},
		{"eanbled", "; did you mean \"enabled\"?"},
		{"Gain_dB", "; did you mean \"gain_db\"?"},
		{"zzz", "; known are enabled, ring_s, bitrate_kbit and gain_db"},
	};
	struct error error;
	char message[200];

	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		assert_int_equal(conf_unknown(&line, "key", tries[i][0], keys, &error), -EINVAL);
		(void)snprintf(message, sizeof(message),
			"c.conf:12: unknown key \"%s\" in [sound]%s", tries[i][0], tries[i][1]);
		assert_string_equal(error.text, message);
	}
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
	char path[] = "/tmp/test_conffile.XXXXXX";
	struct conffile *file = NULL;
	struct error error;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 256 * 1024 + 1), 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(conffile_read(path, &file, &error), -EFBIG);
	assert_non_null(strstr(error.text, "larger than 256 KiB"));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(conffile_read(path, &file, &error), -ENOENT);
	assert_non_null(strstr(error.text, path));
	assert_null(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_value_knows_its_line),
		cmocka_unit_test(a_repeated_key_is_refused_with_its_line),
		cmocka_unit_test(a_line_that_is_not_ini_is_refused),
		cmocka_unit_test(bytes_that_are_no_text_are_refused_with_their_place),
		cmocka_unit_test(a_line_is_read_up_to_198_bytes_and_not_beyond),
		cmocka_unit_test(names_longer_than_inih_keeps_are_refused),
		cmocka_unit_test(more_settings_than_anybody_writes_are_refused),
		cmocka_unit_test(nothing_at_all_is_a_file_without_lines),
		cmocka_unit_test(a_number_out_of_range_is_told_the_range),
		cmocka_unit_test(a_yes_is_a_yes_in_six_words),
		cmocka_unit_test(a_choice_is_told_what_there_is),
		cmocka_unit_test(a_text_that_does_not_fit_is_refused),
		cmocka_unit_test(what_nobody_knows_is_told_the_nearest),
		cmocka_unit_test(a_file_that_cannot_be_read_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
