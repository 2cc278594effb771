#include "app/base/journald.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>

/* Says that the journal reads what @fd is open to. */
static void read_by_journal(int fd)
{
	char text[64];
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	(void)snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino);
	assert_int_equal(setenv("JOURNAL_STREAM", text, 1), 0);
}

static void it_is_the_very_stream_that_the_service_was_given(void **state)
{
	FILE *given = tmpfile(), *other = tmpfile();

	(void)state;
	assert_true(given && other);
	read_by_journal(fileno(given));
	assert_true(journald_reads(fileno(given)));
	assert_false(journald_reads(fileno(other)));
	assert_false(journald_reads(-1));
	assert_int_equal(fclose(given), 0);
	assert_int_equal(fclose(other), 0);
}

static void without_a_word_of_it_nothing_is_the_journal(void **state)
{
	static const char *const texts[] = {"", "1", ":", "a:b", "0:0"};
	FILE *file = tmpfile();

	(void)state;
	assert_non_null(file);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		assert_int_equal(setenv("JOURNAL_STREAM", texts[i], 1), 0);
		assert_false(journald_reads(fileno(file)));
	}
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
	assert_false(journald_reads(fileno(file)));
	assert_int_equal(fclose(file), 0);
}

static void only_the_journal_gets_a_priority(void **state)
{
	FILE *other = tmpfile();

	(void)state;
	assert_non_null(other);
	read_by_journal(STDERR_FILENO);
	assert_string_equal(journald_priority(LOG_ERR), "<3>");
	assert_string_equal(journald_priority(LOG_DEBUG), "<7>");
	read_by_journal(fileno(other));
	assert_string_equal(journald_priority(LOG_ERR), "");
	assert_int_equal(fclose(other), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_the_very_stream_that_the_service_was_given),
		cmocka_unit_test(without_a_word_of_it_nothing_is_the_journal),
		cmocka_unit_test(only_the_journal_gets_a_priority),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
