#include "app/base/iso.h"

#include "app/base/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define MORNING_NS (INT64_C(1747213200) * NS_PER_S) /* 2025-05-14 09:00 UTC */

static void in_zone(const char *zone)
{
	assert_int_equal(setenv("TZ", zone, 1), 0);
	tzset();
}

static void utc_has_milliseconds_cut_not_rounded(void **state)
{
	char text[ISO_CHARS];

	assert_string_equal(iso_utc(MORNING_NS + 123999999, text), "2025-05-14T09:00:00.123Z");
}

static void local_time_has_the_zones_offset_and_microseconds(void **state)
{
	char text[ISO_CHARS];

	in_zone("XXX-5:30");
	assert_string_equal(
		iso_local(MORNING_NS + 123456789, text), "2025-05-14T14:30:00.123456+05:30");
	in_zone("XXX+3:30");
	assert_string_equal(iso_local(MORNING_NS, text), "2025-05-14T05:30:00.000000-03:30");
}

static void a_time_before_the_epoch_is_a_time(void **state)
{
	char text[ISO_CHARS];

	assert_string_equal(iso_utc(-1, text), "1969-12-31T23:59:59.999Z");
}

static void any_number_gives_text(void **state)
{
	char text[ISO_CHARS];

	in_zone("UTC0");
	assert_true(iso_utc(INT64_MIN, text)[0] != '\0');
	assert_true(iso_local(INT64_MIN, text)[0] != '\0');
	assert_true(iso_utc(INT64_MAX, text)[0] != '\0');
	assert_true(iso_local(INT64_MAX, text)[0] != '\0');
}

static void a_time_is_read_in_its_zone(void **state)
{
	static const char *const same[] = {"2025-05-14T09:00:00.000Z", "2025-05-14T09:00Z",
		"2025-05-14T14:30:00+05:30", "2025-05-13T23:00:00.0-10:00"};
	int64_t ns;

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		ns = 0;
		assert_int_equal(iso_read(same[i], &ns), 0);
		assert_int_equal(ns, MORNING_NS);
	}
	assert_int_equal(iso_read("2025-05-14T09:00:00.1234567899Z", &ns), 0);
	assert_int_equal(ns, MORNING_NS + 123456789);
}

static void what_is_written_can_be_read(void **state)
{
	const int64_t times_ns[] = {86400 * NS_PER_S, MORNING_NS, MORNING_NS + 123 * NS_PER_MS};
	char text[ISO_CHARS];
	int64_t ns;

	in_zone("XXX+3:30");
	for (size_t i = 0; i < sizeof(times_ns) / sizeof(times_ns[0]); i++) {
		assert_int_equal(iso_read(iso_utc(times_ns[i], text), &ns), 0);
		assert_int_equal(ns, times_ns[i]);
		assert_int_equal(iso_read(iso_local(times_ns[i] + NS_PER_S, text), &ns), 0);
		assert_int_equal(ns, times_ns[i] + NS_PER_S);
	}
}

static void what_is_no_time_is_refused(void **state)
{
	static const char *const wrong[] = {"", "2025", "2025-05-14", "2025-05-14T09:00",
		"2025-05-14T09:00:00", "2025-05-14 09:00:00Z", "2025-5-14T09:00:00Z",
		"2025-02-29T09:00:00Z", "2025-06-31T09:00:00Z", "2025-13-01T09:00:00Z",
		"2025-00-01T09:00:00Z", "2025-01-00T09:00:00Z", "2025-05-14T24:00:00Z",
		"2025-05-14T09:60:00Z", "2025-05-14T09:00:61Z", "2025-05-14T09:00:00.Z",
		"2025-05-14T09:00:00Zz", "2025-05-14T09:00:00+1:00", "2025-05-14T09:00:00+01",
		"2025-05-14T09:00:00+24:00", "2025-05-14T09:00:00+01:60", "1969-12-31T23:59:59Z",
		"2201-01-01T00:00:00Z", "-025-05-14T09:00:00Z", "2025-05-14T-9:00:00Z"};
	int64_t ns = 7;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(iso_read(wrong[i], &ns), -EINVAL);
	}
	assert_int_equal(ns, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utc_has_milliseconds_cut_not_rounded),
		cmocka_unit_test(local_time_has_the_zones_offset_and_microseconds),
		cmocka_unit_test(a_time_before_the_epoch_is_a_time),
		cmocka_unit_test(any_number_gives_text),
		cmocka_unit_test(a_time_is_read_in_its_zone),
		cmocka_unit_test(what_is_written_can_be_read),
		cmocka_unit_test(what_is_no_time_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
