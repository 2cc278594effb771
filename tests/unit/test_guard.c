#include "app/server/guard.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct header {
	const char *name, *value;
};

/* The status of a request with these headers, and a good Host unless they have one. */
static int status_of(const struct header *headers, bool host)
{
	struct guard guard = {0};

	if (host) {
		guard_see(&guard, "Host", "localhost:8443");
	}
	for (; headers->name; headers++) {
		guard_see(&guard, headers->name, headers->value);
	}
	return guard_end(&guard);
}

#define STATUS(...) status_of((const struct header[]){__VA_ARGS__, {NULL, NULL}}, true)

static void an_ordinary_request_passes(void **state)
{
	struct guard guard = {0};

	guard_see(&guard, "Host", "[::1]:8443");
	guard_see(&guard, "Content-Length", "000123");
	guard_see(&guard, "Accept", "a");
	guard_see(&guard, "accept", "b");
	assert_int_equal(guard_end(&guard), 0);
	assert_int_equal(guard.length, 123);
	assert_false(guard.chunked);
	assert_int_equal(STATUS({"Transfer-Encoding", "Chunked"}), 0);
}

static void two_lengths_or_two_ways_to_end_are_refused(void **state)
{
	assert_int_equal(STATUS({"Content-Length", "5"}, {"content-length", "5"}), 400);
	assert_int_equal(STATUS({"Content-Length", "5"}, {"Transfer-Encoding", "chunked"}), 400);
	assert_int_equal(STATUS({"Transfer-Encoding", "chunked"}, {"Content-Length", "0"}), 400);
	assert_int_equal(
		STATUS({"Transfer-Encoding", "chunked"}, {"TRANSFER-ENCODING", "chunked"}), 400);
}

static void a_length_is_digits_and_nothing_else(void **state)
{
	static const char *const wrong[] = {"", "+5", "-5", " 5", "5 ", "0x5", "5,5", "5.0",
		"99999999999999999999", "\xd9\xa5"};
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(STATUS({"Content-Length", wrong[i]}), 400);
	}
}

static void transfer_encodings_other_than_chunked_are_refused(void **state)
{
	assert_int_equal(STATUS({"Transfer-Encoding", "gzip, chunked"}), 501);
	assert_int_equal(STATUS({"Transfer-Encoding", "xchunked"}), 501);
	assert_int_equal(STATUS({"Transfer-Encoding", ""}), 501);
}

static void there_is_exactly_one_host_and_it_is_one(void **state)
{
	assert_int_equal(status_of((const struct header[]){{NULL, NULL}}, false), 400);
	assert_int_equal(STATUS({"Host", "localhost"}), 400);
	assert_int_equal(
		status_of((const struct header[]){{"Host", ""}, {NULL, NULL}}, false), 400);
	assert_int_equal(
		status_of((const struct header[]){{"Host", "a/b"}, {NULL, NULL}}, false), 400);
	assert_int_equal(
		status_of((const struct header[]){{"Host", "a@b"}, {NULL, NULL}}, false), 400);
}

static void a_header_that_is_read_comes_once(void **state)
{
	assert_int_equal(STATUS({"Authorization", "a"}, {"authorization", "a"}), 400);
	assert_int_equal(STATUS({"Cookie", "a"}, {"Cookie", "b"}), 400);
	assert_int_equal(STATUS({"X-Forwarded-For", "a"}, {"X-Forwarded-For", "b"}), 400);
	assert_int_equal(STATUS({"Upload-Offset", "1"}, {"Upload-Offset", "1"}), 400);
}

static void names_and_values_are_made_of_what_they_may_be(void **state)
{
	assert_int_equal(STATUS({"Content-Length ", "5"}), 400);
	assert_int_equal(STATUS({"", "5"}), 400);
	assert_int_equal(STATUS({"X\tY", "5"}), 400);
	assert_int_equal(STATUS({"X", "a\rb"}), 400);
	assert_int_equal(STATUS({"X", "a\tb"}), 0);
	assert_int_equal(STATUS({"X", NULL}), 0);
}

static void headers_have_an_end(void **state)
{
	static char names[GUARD_HEADERS_MOST + 1][16], long_value[GUARD_BYTES_MOST + 1];
	struct guard guard = {0};
	size_t i;

	memset(long_value, 'a', GUARD_BYTES_MOST);
	assert_int_equal(STATUS({"X", long_value}), 431);
	guard_see(&guard, "Host", "x");
	for (i = 0; i <= GUARD_HEADERS_MOST; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "X-%zu", i);
		guard_see(&guard, names[i], "y");
	}
	assert_int_equal(guard_end(&guard), 431);
}

static void paths_are_parts_that_lead_down(void **state)
{
	static const char *const good[] = {
		"/", "/a", "/api/v1/box", "/a.b/c_d~e-F9", "/...", "/.a"};
	static const char *const wrong[] = {"", "a", "//", "/a/", "/a//b", "/.", "/..", "/a/../b",
		"/a/..", "/a%2fb", "/a b", "/a\\b", "/a?b", "/\xc3\xa4", "/a\x01"};
	static char longest[2000];
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(guard_path(good[i]));
	}
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_false(guard_path(wrong[i]));
	}
	memset(longest, 'a', sizeof(longest) - 1);
	longest[0] = '/';
	assert_false(guard_path(longest));
}

static void only_utf_8_without_a_nul_is_text(void **state)
{
	static const char *const good[] = {"", "abc", "\xc3\xa4", "\xe2\x82\xac",
		"\xf0\x9f\x96\x8d", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf", "\xee\x80\x80"};
	static const char *const wrong[] = {"\x80", "\xc3", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80",
		"\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf0\x9f\x96", "a\xff",
		"\xc3\x28", "\xe2\x28\xa1"};
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(guard_utf8(good[i], strlen(good[i])));
	}
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_false(guard_utf8(wrong[i], strlen(wrong[i])));
	}
	assert_false(guard_utf8("a\0b", 3));
}

static void percent_signs_are_decoded_once(void **state)
{
	char text[8];

	assert_int_equal(guard_decode("a%20b%C3%a4", text, sizeof(text)), 0);
	assert_string_equal(text, "a b\xc3\xa4");
	assert_int_equal(guard_decode("%2525", text, sizeof(text)), 0);
	assert_string_equal(text, "%25");
	assert_int_equal(guard_decode("%00", text, sizeof(text)), -EINVAL);
	assert_int_equal(guard_decode("%ff", text, sizeof(text)), -EINVAL);
	assert_int_equal(guard_decode("%2", text, sizeof(text)), -EINVAL);
	assert_int_equal(guard_decode("%g0", text, sizeof(text)), -EINVAL);
	assert_int_equal(guard_decode("1234567", text, sizeof(text)), 0);
	assert_int_equal(guard_decode("12345678", text, sizeof(text)), -EINVAL);
}

static void brackets_within_strings_are_not_depth(void **state)
{
	assert_int_equal(guard_depth("{\"a\":[1,[2]]}", 13), 3);
	assert_int_equal(guard_depth("\"[[[[\\\"[[\"", 10), 0);
	assert_int_equal(guard_depth("]]]]{", 5), 1);
}

static void check_range(const char *header, int64_t size, int expected, int64_t from, int64_t n)
{
	int64_t ret_from = -1, ret_n = -1;

	assert_int_equal(guard_range(header, size, &ret_from, &ret_n), expected);
	if (expected == 1) {
		assert_int_equal(ret_from, from);
		assert_int_equal(ret_n, n);
	}
}

static void a_range_gives_what_it_asks_for(void **state)
{
	check_range("bytes=0-0", 10, 1, 0, 1);
	check_range("bytes=0-", 10, 1, 0, 10);
	check_range("bytes=3-5", 10, 1, 3, 3);
	check_range("bytes=3-99", 10, 1, 3, 7);
	check_range("bytes=9-", 10, 1, 9, 1);
	check_range("bytes=-4", 10, 1, 6, 4);
	check_range("bytes=-99", 10, 1, 0, 10);
	check_range("BYTES=0-1", 10, 1, 0, 2);
}

static void a_range_of_nothing_cannot_be_met(void **state)
{
	check_range("bytes=10-", 10, -ERANGE, 0, 0);
	check_range("bytes=99-100", 10, -ERANGE, 0, 0);
	check_range("bytes=-0", 10, -ERANGE, 0, 0);
	check_range("bytes=0-", 0, -ERANGE, 0, 0);
	check_range("bytes=-1", 0, -ERANGE, 0, 0);
}

static void a_range_that_is_none_is_passed_over(void **state)
{
	static const char *const wrong[] = {"", "bytes", "bytes=", "bytes=-", "bytes=a-b",
		"bytes=5-3", "bytes=0-1,3-4", "seconds=0-1", "bytes=0-1 ", "bytes= 0-1",
		"bytes=--1", "bytes=99999999999999999999-", "bytes=1-2-3"};
	size_t i;

	check_range(NULL, 10, 0, 0, 0);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		check_range(wrong[i], 10, 0, 0, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ordinary_request_passes),
		cmocka_unit_test(two_lengths_or_two_ways_to_end_are_refused),
		cmocka_unit_test(a_length_is_digits_and_nothing_else),
		cmocka_unit_test(transfer_encodings_other_than_chunked_are_refused),
		cmocka_unit_test(there_is_exactly_one_host_and_it_is_one),
		cmocka_unit_test(a_header_that_is_read_comes_once),
		cmocka_unit_test(names_and_values_are_made_of_what_they_may_be),
		cmocka_unit_test(headers_have_an_end),
		cmocka_unit_test(paths_are_parts_that_lead_down),
		cmocka_unit_test(only_utf_8_without_a_nul_is_text),
		cmocka_unit_test(percent_signs_are_decoded_once),
		cmocka_unit_test(brackets_within_strings_are_not_depth),
		cmocka_unit_test(a_range_gives_what_it_asks_for),
		cmocka_unit_test(a_range_of_nothing_cannot_be_met),
		cmocka_unit_test(a_range_that_is_none_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
