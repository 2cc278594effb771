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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utc_has_milliseconds_cut_not_rounded),
		cmocka_unit_test(local_time_has_the_zones_offset_and_microseconds),
		cmocka_unit_test(a_time_before_the_epoch_is_a_time),
		cmocka_unit_test(any_number_gives_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
