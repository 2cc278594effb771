/* Press scripts: what is read, and how a wrong line is told of. */
#include "app/base/clock.h"
#include "app/cli/pressscript.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int parse(const char *text, struct pressscript *script, struct error *error)
{
	return pressscript_parse(text, strlen(text), "day.press", script, error);
}

static void refused(const char *text, const char *explanation)
{
	struct pressscript script = {0};
	struct error error = {""};

	assert_int_equal(parse(text, &script, &error), -EINVAL);
	assert_string_equal(error.text, explanation);
	assert_null(script.list);
}

static void lines_become_steps_in_their_order(void **state)
{
	struct pressscript script;
	struct error error;

	assert_int_equal(parse("0 lesson press\n0.1\tlesson  release\n12.000000001 5 press",
				 &script, &error),
		0);
	assert_int_equal(script.n, 3);
	assert_int_equal(script.list[0].t_ns, 0);
	assert_string_equal(script.list[0].line, "lesson");
	assert_true(script.list[0].press);
	assert_int_equal(script.list[0].number, 1);
	assert_int_equal(script.list[1].t_ns, 100 * NS_PER_MS);
	assert_false(script.list[1].press);
	assert_int_equal(script.list[2].t_ns, 12 * NS_PER_S + 1);
	assert_string_equal(script.list[2].line, "5");
	assert_int_equal(script.list[2].number, 3);
	pressscript_fini(&script);
}

static void comments_blanks_and_empty_lines_are_left_out(void **state)
{
	struct pressscript script;
	struct error error;

	assert_int_equal(
		parse("# a day\n\n  \t\r\n1 a press # down\r\n#2 a release\n2 a release#up\n",
			&script, &error),
		0);
	assert_int_equal(script.n, 2);
	assert_int_equal(script.list[0].number, 4);
	assert_int_equal(script.list[1].number, 6);
	assert_false(script.list[1].press);
	pressscript_fini(&script);
}

static void an_empty_script_has_no_steps(void **state)
{
	struct pressscript script;
	struct error error;

	assert_int_equal(parse("", &script, &error), 0);
	assert_int_equal(script.n, 0);
	pressscript_fini(&script);
}

static void many_lines_are_all_kept(void **state)
{
	struct pressscript script;
	struct error error;
	char *text = NULL;
	size_t bytes;
	FILE *stream = open_memstream(&text, &bytes);

	for (int i = 0; i < 5000; i++) {
		fprintf(stream, "%d.5 a %s\n", i, i % 2 == 0 ? "press" : "release");
	}
	fclose(stream);
	assert_int_equal(parse(text, &script, &error), 0);
	assert_int_equal(script.n, 5000);
	assert_int_equal(script.list[4999].t_ns, 4999 * NS_PER_S + 500 * NS_PER_MS);
	pressscript_fini(&script);
	free(text);
}

static void a_wrong_line_is_named_with_what_would_be_right(void **state)
{
	refused("1 a press\n2 a\n",
		"day.press:2: has 2 words; a line is `SECONDS LINE press|release`");
	refused("1 a press now",
		"day.press:1: has 4 words; a line is `SECONDS LINE press|release`");
	refused("1 a push", "day.press:1: `push` is neither `press` nor `release`");
	refused("\n\n-1 a press",
		"day.press:3: `-1` is no time; write seconds from 0 to 1000000, as in 12 or "
		"12.345");
	refused("1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa press",
		"day.press:1: `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa` is too long for a line; 31 "
		"letters are "
		"most");
}

static void time_never_goes_back(void **state)
{
	refused("5 a press\n# rest\n4.9 a release",
		"day.press:3: `4.9` lies before line 1; order the lines by their seconds");
}

static void control_characters_and_nul_are_refused(void **state)
{
	static const char nul[] = "1 a\0b press";
	struct pressscript script = {0};
	struct error error;

	refused("1 a\033[2J press",
		"day.press:1: holds a control character; a line is `SECONDS LINE press|release`");
	assert_int_equal(pressscript_parse(nul, sizeof(nul) - 1, "s", &script, &error), -EINVAL);
	assert_null(script.list);
}

static void seconds_are_exact_to_the_nanosecond(void **state)
{
	int64_t ns;

	assert_int_equal(press_seconds("0.000000001", &ns), 0);
	assert_int_equal(ns, 1);
	assert_int_equal(press_seconds("999999.999999999", &ns), 0);
	assert_int_equal(ns, INT64_C(999999999999999));
	assert_int_equal(press_seconds("1000000", &ns), 0);
	assert_int_equal(ns, 1000000 * NS_PER_S);
}

static void what_is_no_number_of_seconds_is_refused(void **state)
{
	static const char *const wrong[] = {"", ".", ".5", "5.", "+5", "1e3", "0x10", " 1", "1 ",
		"1,5", "1000000.1", "1000001", "99999999999999999999999999", "0.0000000001", "nan",
		"inf"};
	int64_t ns = 7;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(press_seconds(wrong[i], &ns), -EINVAL);
	}
	assert_int_equal(ns, 7);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_become_steps_in_their_order),
		cmocka_unit_test(comments_blanks_and_empty_lines_are_left_out),
		cmocka_unit_test(an_empty_script_has_no_steps),
		cmocka_unit_test(many_lines_are_all_kept),
		cmocka_unit_test(a_wrong_line_is_named_with_what_would_be_right),
		cmocka_unit_test(time_never_goes_back),
		cmocka_unit_test(control_characters_and_nul_are_refused),
		cmocka_unit_test(seconds_are_exact_to_the_nanosecond),
		cmocka_unit_test(what_is_no_number_of_seconds_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
