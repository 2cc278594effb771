#include "app/server/ndjson.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PRESS "{\"seq\":2,\"boot\":1,\"t_ns\":5,\"kind\":\"press\",\"code\":\"questioning\"}"

static int parse(const char *text, struct ndjson *ret_lines, struct error *error)
{
	return ndjson_parse(text, strlen(text), ret_lines, error);
}

static void lines_become_entries(void **state)
{
	struct ndjson lines;
	struct error error;

	assert_int_equal(parse("\n" PRESS "\n\n{\"seq\":3,\"boot\":1,\"kind\":\"mic\",\"value\":1,"
			       "\"body\":{\"card\":\"usb\",\"rate_hz\":48000}}",
				 &lines, &error),
		0);
	assert_int_equal(lines.entries.n, 2);
	assert_null(lines.wrong[0]);
	assert_null(lines.wrong[1]);
	assert_int_equal(lines.entries.list[0].kind, ENTRY_PRESS);
	assert_string_equal(lines.entries.list[0].code, "questioning");
	assert_int_equal(lines.entries.list[1].value, 1);
	assert_string_equal(lines.entries.list[1].body, "{\"card\":\"usb\",\"rate_hz\":48000}");
	ndjson_fini(&lines);
}

static void an_empty_body_says_as_much_as_none(void **state)
{
	struct ndjson lines;
	struct error error;

	assert_int_equal(
		parse("{\"seq\":3,\"boot\":1,\"kind\":\"mic\",\"body\":{}}", &lines, &error), 0);
	assert_null(lines.entries.list[0].body);
	ndjson_fini(&lines);
}

static void wrong(const char *line, const char *word)
{
	struct ndjson lines;
	struct error error;

	assert_int_equal(parse(line, &lines, &error), 0);
	assert_int_equal(lines.entries.n, 1);
	assert_int_equal(lines.entries.list[0].seq, 2);
	assert_non_null(lines.wrong[0]);
	assert_non_null(strstr(lines.wrong[0], word));
	ndjson_fini(&lines);
}

static void an_entry_that_breaks_a_rule_is_there_with_the_reason(void **state)
{
	wrong("{\"seq\":2}", "kind");
	wrong("{\"seq\":2,\"kind\":5}", "kind");
	wrong("{\"seq\":2,\"kind\":\"?\"}", "kind");
	wrong("{\"seq\":2,\"kind\":\"press\",\"boot\":\"1\"}", "boot");
	wrong("{\"seq\":2,\"kind\":\"press\",\"t_ns\":1.0}", "t_ns");
	wrong("{\"seq\":2,\"kind\":\"press\",\"observation\":true}", "observation");
	wrong("{\"seq\":2,\"kind\":\"press\",\"ref\":null}", "ref");
	wrong("{\"seq\":2,\"kind\":\"press\",\"value\":[]}", "value");
	wrong("{\"seq\":2,\"kind\":\"press\",\"code\":1}", "code");
	wrong("{\"seq\":2,\"kind\":\"press\",\"code\":\"01234567890123456789012345678901\"}",
		"code");
	wrong("{\"seq\":2,\"kind\":\"press\",\"code\":\"x\",\"boot\":1,\"body\":\"x\"}", "body");
	wrong("{\"seq\":2,\"kind\":\"press\",\"boot\":1}", "code is not");
}

static void refused(const char *text, const char *word)
{
	struct ndjson lines;
	struct error error = {""};

	assert_int_equal(parse(text, &lines, &error), -EINVAL);
	assert_non_null(strstr(error.text, word));
}

static void a_line_that_is_no_entry_is_refused_with_its_number(void **state)
{
	refused("{", "Line 1");
	refused(PRESS "\n\nx", "Line 3");
	refused("[]", "Line 1");
	refused("{\"seq\":0}", "seq");
	refused("{\"seq\":1,\"seq\":1}", "Line 1");
	refused("{\"seq\":1,\"code\":\"\xff\"}", "Line 1");
	refused("{\"seq\":1,\"body\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "too deep");
}

static void a_batch_has_an_end(void **state)
{
	static char text[(NDJSON_LINES_MOST + 1) * sizeof(PRESS) + 1];
	struct ndjson lines;
	struct error error;
	size_t i, n = 0;

	for (i = 0; i < NDJSON_LINES_MOST; i++) {
		n += (size_t)snprintf(text + n, sizeof(text) - n, PRESS "\n");
	}
	assert_int_equal(parse(text, &lines, &error), 0);
	assert_int_equal(lines.entries.n, NDJSON_LINES_MOST);
	ndjson_fini(&lines);
	(void)snprintf(text + n, sizeof(text) - n, PRESS);
	assert_int_equal(parse(text, &lines, &error), -E2BIG);
}

static void no_lines_are_no_entries(void **state)
{
	struct ndjson lines;
	struct error error;

	assert_int_equal(parse("", &lines, &error), 0);
	assert_int_equal(lines.entries.n, 0);
	ndjson_fini(&lines);
	assert_int_equal(parse("\n\n\n", &lines, &error), 0);
	assert_int_equal(lines.entries.n, 0);
	ndjson_fini(&lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_become_entries),
		cmocka_unit_test(an_empty_body_says_as_much_as_none),
		cmocka_unit_test(an_entry_that_breaks_a_rule_is_there_with_the_reason),
		cmocka_unit_test(a_line_that_is_no_entry_is_refused_with_its_number),
		cmocka_unit_test(a_batch_has_an_end),
		cmocka_unit_test(no_lines_are_no_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
