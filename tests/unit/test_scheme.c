#include "app/scheme/site.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define HEAD "[scheme]\nname = t\n"
#define LESSON "[code lesson]\nkind = lesson\nbutton = 9\n"

static void expect_good(const char *text, struct scheme *ret_scheme)
{
	struct error error = {""};
	int r = scheme_parse(text, "t.scheme", ret_scheme, &error);

	if (r != 0) {
		fail_msg("refused: %s", error.text);
	}
}

/* The message must say exactly this, and the result must be left alone. */
static void expect_bad(const char *text, const char *message)
{
	static struct scheme scheme, untouched;
	struct error error = {""};

	memset(&scheme, 0x55, sizeof(scheme));
	memset(&untouched, 0x55, sizeof(untouched));
	assert_int_equal(scheme_parse(text, "t.scheme", &scheme, &error), -EINVAL);
	assert_string_equal(error.text, message);
	assert_memory_equal(&scheme, &untouched, sizeof(scheme));
}

static void the_built_in_scheme_is_the_table_of_the_design(void **state)
{
	struct scheme scheme;
	struct error error;
	char *text = NULL;
	const struct code *code;

	assert_int_equal(scheme_read("default", &scheme, &text, &error), 0);
	assert_string_equal(text, scheme_default_text());
	free(text);
	assert_string_equal(scheme.name, "default");
	assert_int_equal(scheme.n_codes, 5);
	assert_int_equal(scheme.hold_ms, 500);
	assert_int_equal(scheme.double_ms, 400);
	assert_int_equal(scheme.end_hold_ms, 2000);

	code = scheme_button(&scheme, "1");
	assert_string_equal(code->name, "questioning");
	assert_int_equal(code->kind, CODE_POINT);
	assert_string_equal(code->double_tap, "open");
	assert_string_equal(code->hold, "wait");
	assert_int_equal(code->before_s, 10);
	assert_int_equal(code->after_s, 20);

	code = scheme_code(&scheme, "engagement");
	assert_string_equal(code->button, "2");
	assert_int_equal(code->kind, CODE_SAMPLE);
	assert_int_equal(code->n_levels, 3);
	assert_string_equal(code->levels[0], "most");
	assert_string_equal(code->levels[1], "half");
	assert_string_equal(code->levels[2], "few");

	assert_int_equal(scheme_button(&scheme, "3")->kind, CODE_STATE);
	assert_int_equal(scheme_button(&scheme, "4")->kind, CODE_UNDO);
	assert_int_equal(scheme_button(&scheme, "5")->kind, CODE_LESSON);
	assert_int_equal(scheme_button(&scheme, "5")->before_s, 0);
	assert_null(scheme_button(&scheme, "6"));
	assert_null(scheme_code(&scheme, "nothing"));
}

static void the_lines_of_a_code_may_come_in_any_order(void **state)
{
	struct scheme scheme;

	expect_good("[code q]\nlevels = a ,b,  c d\nbefore = 0\nkind = sample\nafter = 60\n"
		    "cue = 300\nbutton = left\n" LESSON HEAD
		    "hold_ms = 200\ndouble_ms = 1000\nend_hold_ms = 10000\n",
		&scheme);
	assert_int_equal(scheme.n_codes, 2);
	assert_string_equal(scheme.title, "t");
	assert_string_equal(scheme.codes[0].title, "q");
	assert_string_equal(scheme.codes[0].levels[2], "c d");
	assert_int_equal(scheme.codes[0].before_s, 0);
	assert_int_equal(scheme.codes[0].after_s, 60);
	assert_int_equal(scheme.codes[0].cue_s, 300);
	assert_int_equal(scheme.hold_ms, 200);
}

static void a_key_nobody_knows_is_refused_with_the_nearest_one(void **state)
{
	expect_bad(HEAD LESSON "titel = x\n",
		"t.scheme:6: unknown key \"titel\" in [code lesson]; did you mean \"title\"?");
	expect_bad(HEAD "[codes q]\nkind = point\n",
		"t.scheme:4: unknown section \"codes q\"; did you mean \"code NAME\"?");
	expect_bad("[scheme]\nhold = 500\n",
		"t.scheme:2: unknown key \"hold\" in [scheme]; did you mean \"hold_ms\"?");
}

static void values_out_of_range_are_refused_with_their_range(void **state)
{
	expect_bad("[scheme]\nhold_ms = 199\n",
		"t.scheme:2: hold_ms = 199: must be a whole number from 200 to 2000");
	expect_bad(HEAD "double_ms = 1001\n",
		"t.scheme:3: double_ms = 1001: must be a whole number from 150 to 1000");
	expect_bad(HEAD "end_hold_ms = 10s\n",
		"t.scheme:3: end_hold_ms = 10s: must be a whole number from 1000 to 10000");
	expect_bad(HEAD "[code q]\nbefore = 46\n",
		"t.scheme:4: before = 46: must be a whole number from 0 to 45");
	expect_bad(HEAD "[code q]\nafter = 61\n",
		"t.scheme:4: after = 61: must be a whole number from 0 to 60");
	expect_bad(HEAD "[code q]\ncue = 4\n",
		"t.scheme:4: cue = 4: must be 0 for none, or a whole number of seconds from 5 to "
		"3600");
	expect_bad(HEAD "[code q]\nkind = pint\n",
		"t.scheme:4: kind = pint: must be point, state, held, sample, undo, lesson or "
		"mute");
}

static void a_code_needs_kind_and_button(void **state)
{
	expect_bad(HEAD LESSON "[code q]\nbutton = 1\n",
		"t.scheme:7: [code q] has no kind; add a line such as \"kind = point\"");
	expect_bad(HEAD LESSON "[code q]\nkind = point\n",
		"t.scheme:7: [code q] has no button; add a line such as \"button = 1\"");
	expect_bad(HEAD LESSON "[code q]\nkind = point\nbutton = Left\n",
		"t.scheme:8: button = Left: must be a button's name: small letters, digits, - and "
		"_");
}

static void two_codes_on_one_button_are_refused(void **state)
{
	expect_bad(HEAD LESSON "[code q]\nkind = point\nbutton = 9\n",
		"t.scheme:8: button = 9: is the button of [code lesson] already (line 5); give "
		"each code its own");
}

static void exactly_one_lesson_and_at_most_one_undo_and_mute(void **state)
{
	expect_bad(HEAD "[code q]\nkind = point\nbutton = 9\n",
		"t.scheme:1: no code starts and ends the observation; add [code lesson] and under "
		"it \"kind = lesson\" and \"button = ...\"");
	expect_bad(HEAD LESSON "[code m]\nkind = lesson\nbutton = 1\n",
		"t.scheme:7: kind = lesson: [code lesson] is of that kind already (line 4); a "
		"scheme has one at most");
	expect_bad(HEAD LESSON "[code a]\nkind=undo\nbutton=1\n[code b]\nkind=undo\nbutton=2\n",
		"t.scheme:10: kind = undo: [code a] is of that kind already (line 7); a scheme has "
		"one at most");
	expect_bad(HEAD LESSON "[code a]\nkind=mute\nbutton=1\n[code b]\nkind=mute\nbutton=2\n",
		"t.scheme:10: kind = mute: [code a] is of that kind already (line 7); a scheme has "
		"one at most");
}

static void each_kind_takes_only_its_own_keys(void **state)
{
	expect_bad(HEAD LESSON "[code q]\nkind = state\nbutton = 1\ndouble = x\n",
		"t.scheme:9: double = x: only a code of kind point has \"double\" and \"hold\"");
	expect_bad(HEAD LESSON "[code q]\nkind = sample\nbutton = 1\nlevels = a\nhold = x\n",
		"t.scheme:10: hold = x: only a code of kind point has \"double\" and \"hold\"");
	expect_bad(HEAD LESSON "[code q]\nkind = point\nbutton = 1\nlevels = a, b\n",
		"t.scheme:9: levels = a, b: only a code of kind sample has levels");
	expect_bad(HEAD LESSON "[code q]\nkind = held\nbutton = 1\ncue = 60\n",
		"t.scheme:9: cue = 60: only a code of kind sample or point has a cue");
	expect_bad(HEAD LESSON "before = 3\n",
		"t.scheme:6: before = 3: undo, lesson and mute keep no sound; remove the line");
}

static void levels_are_one_to_five_different_names(void **state)
{
	expect_bad(HEAD LESSON "[code q]\nkind = sample\nbutton = 1\n",
		"t.scheme:7: [code q] is a sample without levels; add a line such as \"levels = "
		"most, half, few\"");
	expect_bad(HEAD "[code q]\nlevels = a,b,c,d,e,f\n",
		"t.scheme:4: levels = a,b,c,d,e,f: must be at most 5 levels");
	expect_bad(HEAD "[code q]\nlevels = a,,b\n",
		"t.scheme:4: levels = a,,b: must be 1 to 5 names with commas between them, none "
		"empty");
	expect_bad(HEAD "[code q]\nlevels = a, b, a\n",
		"t.scheme:4: levels = a, b, a: names the same level twice; give each its own name");
	expect_bad(HEAD "[code q]\nlevels = a|b\n",
		"t.scheme:4: levels = a|b: must not hold any of ( | ) ` ~");
}

static void names_hold_nothing_that_separates_in_exports(void **state)
{
	expect_bad(HEAD "[code q(1)]\nkind = point\n",
		"t.scheme:4: [code q(1)] must name its code: [code NAME], a small letter, then "
		"small letters, digits, - and _, at most 31");
	expect_bad(HEAD "[code q]\ndouble = a~b\n",
		"t.scheme:4: double = a~b: must not hold any of ( | ) , ` ~");
	expect_bad(HEAD "[code q]\nhold =\n",
		"t.scheme:4: hold = : must be a name; leave the line out for none");
	expect_bad("[scheme]\nname = A\n",
		"t.scheme:2: name = A: must be a name: a small letter, then small letters, digits, "
		"- and _");
	expect_bad(HEAD LESSON "[code q]\nkind = point\nbutton = 1\nhold = x\ndouble = x\n",
		"t.scheme:9: hold = x: is what \"double\" is called too; give each its own name");
}

static void a_scheme_has_at_most_sixteen_codes(void **state)
{
	struct scheme scheme;
	char text[2048] = HEAD LESSON;

	for (int i = 0; i < SCHEME_CODES_MAX; i++) {
		size_t n = strlen(text);

		if (i == SCHEME_CODES_MAX - 1) {
			expect_good(text, &scheme);
			assert_int_equal(scheme.n_codes, SCHEME_CODES_MAX);
		}
		(void)snprintf(text + n, sizeof(text) - n,
			"[code c%d]\nkind = point\nbutton = b%d\n", i, i);
	}
	expect_bad(text, "t.scheme:52: [code c15] is one too many: a scheme has at most 16 codes");
}

static void a_scheme_without_a_name_is_refused(void **state)
{
	expect_bad(LESSON,
		"t.scheme:1: the scheme has no name; add [scheme] and under it \"name = ...\"");
}

static void a_scheme_file_gives_its_text_too(void **state)
{
	char path[] = "/tmp/test_scheme.XXXXXX";
	const char *text = HEAD LESSON;
	struct scheme scheme;
	struct error error = {""};
	char *got = NULL;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(close(fd), 0);
	assert_int_equal(scheme_read(path, &scheme, &got, &error), 0);
	assert_string_equal(got, text);
	assert_string_equal(scheme.name, "t");
	free(got);

	fd = open(path, O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, "\0", 1), 1);
	assert_int_equal(close(fd), 0);
	assert_int_equal(scheme_read(path, &scheme, &got, &error), -EINVAL);
	assert_non_null(strstr(error.text, ":6: byte 1 is a control character (0x00)"));

	assert_int_equal(unlink(path), 0);
	assert_int_equal(scheme_read(path, &scheme, &got, &error), -ENOENT);
	assert_non_null(strstr(error.text, path));
}

static void the_site_scheme_counts_once_it_came_and_is_whole(void **state)
{
	static struct config config = {.scheme = "site"};
	char dir[] = "/tmp/test_scheme.XXXXXX", path[64];
	struct scheme scheme;
	struct error error = {""};
	char *got = NULL;
	FILE *file;

	assert_non_null(mkdtemp(dir));
	(void)snprintf(config.state, sizeof(config.state), "%s", dir);
	(void)snprintf(path, sizeof(path), "%s/" SITE_SCHEME, dir);
	assert_int_equal(site_scheme(&config, &scheme, &got, &error), 0);
	assert_string_equal(got, scheme_default_text());
	free(got);

	assert_int_equal(site_keep(dir, "[scheme]\nname = T\n", &error), -EINVAL);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(site_keep(dir, HEAD LESSON, &error), 0);
	assert_int_equal(site_scheme(&config, &scheme, &got, &error), 0);
	assert_string_equal(got, HEAD LESSON);
	free(got);

	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs("broken", file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(site_scheme(&config, &scheme, &got, &error), SITE_E_BUILT_IN);
	assert_non_null(strstr(error.text, SITE_SCHEME ":1"));
	assert_string_equal(got, scheme_default_text());
	free(got);

	(void)snprintf(config.scheme, sizeof(config.scheme), "default");
	assert_int_equal(site_scheme(&config, &scheme, &got, &error), 0);
	free(got);
	assert_int_equal(site_forget(dir), 0);
	assert_int_equal(site_forget(dir), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void every_kind_has_its_name(void **state)
{
	assert_string_equal(code_kind_name(CODE_POINT), "point");
	assert_string_equal(code_kind_name(CODE_MUTE), "mute");
	assert_string_equal(code_kind_name((enum code_kind)77), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_built_in_scheme_is_the_table_of_the_design),
		cmocka_unit_test(the_lines_of_a_code_may_come_in_any_order),
		cmocka_unit_test(a_key_nobody_knows_is_refused_with_the_nearest_one),
		cmocka_unit_test(values_out_of_range_are_refused_with_their_range),
		cmocka_unit_test(a_code_needs_kind_and_button),
		cmocka_unit_test(two_codes_on_one_button_are_refused),
		cmocka_unit_test(exactly_one_lesson_and_at_most_one_undo_and_mute),
		cmocka_unit_test(each_kind_takes_only_its_own_keys),
		cmocka_unit_test(levels_are_one_to_five_different_names),
		cmocka_unit_test(names_hold_nothing_that_separates_in_exports),
		cmocka_unit_test(a_scheme_has_at_most_sixteen_codes),
		cmocka_unit_test(a_scheme_without_a_name_is_refused),
		cmocka_unit_test(a_scheme_file_gives_its_text_too),
		cmocka_unit_test(the_site_scheme_counts_once_it_came_and_is_whole),
		cmocka_unit_test(every_kind_has_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
