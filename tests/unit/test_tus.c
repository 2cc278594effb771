#include "app/server/tus.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define JOURNAL "journal MGY1YTNjMWUtOWQyYi00YzZmLThhMTctMmIzYzRkNWU2Zjcw"
#define SHA                                                                                        \
	"sha256 "                                                                                  \
	"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZg=="

static int parse(const char *header, struct tus_metadata *ret_metadata, struct error *error)
{
	return tus_metadata_parse(header, ret_metadata, error);
}

static void refused(const char *header, const char *word)
{
	struct tus_metadata metadata;
	struct error error = {""};

	assert_int_equal(parse(header, &metadata, &error), -EINVAL);
	assert_non_null(strstr(error.text, word));
}

static void metadata_names_a_sound(void **state)
{
	struct tus_metadata metadata;
	struct error error;

	assert_int_equal(
		parse(JOURNAL ",seq MTI=, " SHA ",filename eA==,is_good", &metadata, &error), 0);
	assert_string_equal(metadata.journal, "0f5a3c1e-9d2b-4c6f-8a17-2b3c4d5e6f70");
	assert_int_equal(metadata.seq, 12);
	assert_string_equal(metadata.sha256,
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
}

static void each_of_the_three_must_be_there(void **state)
{
	refused(NULL, "must name");
	refused("", "must name");
	refused(JOURNAL ",seq MTI=", "must name");
	refused(SHA ",seq MTI=", "must name");
	refused(SHA "," JOURNAL, "must name");
}

static void a_value_of_the_wrong_form_is_named(void **state)
{
	refused("journal eA==", "journal is not a UUID");
	refused("seq MA==", "seq");
	refused("seq LTE=", "seq");
	refused("seq MQA=", "seq"); /* "1" and a NUL */
	refused("seq", "seq");
	refused("sha256 eA==", "sha256");
	refused("seq M", "not base64");
	refused("seq MTI= x", "not base64");
	refused("seq  MTI=", "not base64");
}

static void keys_come_once_and_are_words(void **state)
{
	refused("seq MTI=,seq MTI=", "twice");
	refused("x,x", "twice");
	refused(",seq MTI=", "key is missing");
	refused("\xc3\xa4 MTI=", "key is missing");
	refused("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", "too many");
	refused("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa MTI=",
		"key is missing");
}

static void numbers_are_digits_up_to_what_javascript_counts(void **state)
{
	static const char *const wrong[] = {
		"", "-1", "+1", " 1", "1 ", "1.0", "0x1", "9007199254740993", "99999999999999999"};
	size_t i;

	assert_int_equal(tus_number("0"), 0);
	assert_int_equal(tus_number("9007199254740992"), INT64_C(9007199254740992));
	assert_int_equal(tus_number(NULL), -EINVAL);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(tus_number(wrong[i]), -EINVAL);
	}
}

static void dates_are_written_as_http_writes_them(void **state)
{
	char text[TUS_DATE_CHARS];

	tus_date(INT64_C(784111777000000000), text);
	assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
	tus_date(0, text);
	assert_string_equal(text, "Thu, 01 Jan 1970 00:00:00 GMT");
}

static void text_goes_out_as_base64_that_fits(void **state)
{
	char text[9];

	tus_base64("abc", text, sizeof(text));
	assert_string_equal(text, "YWJj");
	tus_base64("abcdefghijkl", text, sizeof(text));
	assert_string_equal(text, "YWJjZGVm");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(metadata_names_a_sound),
		cmocka_unit_test(each_of_the_three_must_be_there),
		cmocka_unit_test(a_value_of_the_wrong_form_is_named),
		cmocka_unit_test(keys_come_once_and_are_words),
		cmocka_unit_test(numbers_are_digits_up_to_what_javascript_counts),
		cmocka_unit_test(dates_are_written_as_http_writes_them),
		cmocka_unit_test(text_goes_out_as_base64_that_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
