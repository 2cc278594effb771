#include "app/server/part.h"

#include "app/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MOST (400 << 10)

/* One upload's file, beside what it is to hold. */
struct upload {
	struct part part;
	char name[40];
	unsigned char bytes[MOST];
};

/* In a folder of a disk's; in another, where O_DIRECT may be unknown. */
static void open_in(struct upload *upload, const char *folder)
{
	size_t i;

	assert_true(snprintf(upload->name, sizeof(upload->name), "%s/cb-part-XXXXXX", folder) > 0);
	upload->part = PART_NONE;
	upload->part.fd = mkstemp(upload->name);
	assert_true(upload->part.fd >= 0);
	for (i = 0; i < MOST; i++) {
		upload->bytes[i] = (unsigned char)(i * 2654435761U >> 13);
	}
}

static int set_up(void **state)
{
	struct upload *upload = malloc(sizeof(*upload));

	open_in(upload, "/var/tmp");
	*state = upload;
	return 0;
}

static int set_up_in_memory(void **state)
{
	struct upload *upload = malloc(sizeof(*upload));

	open_in(upload, "/dev/shm");
	*state = upload;
	return 0;
}

static int tear_down(void **state)
{
	struct upload *upload = *state;

	part_close(&upload->part);
	assert_int_equal(unlink(upload->name), 0);
	free(upload);
	return 0;
}

/* The first @n bytes, from the @from-th on, in steps of that many. */
static void bring(struct upload *upload, size_t from, size_t n, size_t step)
{
	size_t now;

	for (; from < n; from += now) {
		now = n - from < step ? n - from : step;
		assert_int_equal(part_write(&upload->part, upload->bytes + from, now), 0);
	}
	assert_int_equal(upload->part.offset, n);
}

static void assert_holds(const struct upload *upload, size_t n)
{
	char *is;
	size_t is_n;

	assert_int_equal(file_read(upload->name, MOST, &is, &is_n), 0);
	assert_int_equal(is_n, n);
	assert_memory_equal(is, upload->bytes, n);
	free(is);
}

static void assert_hash(struct upload *upload)
{
	char is[65], want[65];
	off_t bytes;

	assert_int_equal(part_sha256(&upload->part, is), 0);
	assert_int_equal(file_sha256(AT_FDCWD, upload->name, want, &bytes), 0);
	assert_string_equal(is, want);
}

static void sizes(struct upload *upload, const size_t *list, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		assert_int_equal(ftruncate(upload->part.fd, 0), 0);
		upload->part.offset = 0;
		bring(upload, 0, list[i], 7001);
		assert_int_equal(part_flush(&upload->part), 0);
		assert_holds(upload, list[i]);
		assert_hash(upload);
		part_close(&upload->part);
		upload->part.fd = open(upload->name, O_RDWR);
		assert_true(upload->part.fd >= 0);
	}
}

static const size_t odd[] = {1, 4095, 4096, 4097, 100001, 131071, 131072, 131073, 262144, 300000};

static void each_size_comes_whole(void **state)
{
	sizes(*state, odd, sizeof(odd) / sizeof(*odd));
}

static void nothing_is_written_before_a_piece_is_full(void **state)
{
	struct upload *upload = *state;

	bring(upload, 0, 100000, 100000);
	assert_holds(upload, 0);
	assert_int_equal(upload->part.gathered, 100000);
	bring(upload, 100000, 150000, 50000);
	assert_holds(upload, 131072);
	assert_int_equal(upload->part.gathered, 150000 - 131072);
}

static void what_is_flushed_in_between_changes_nothing(void **state)
{
	struct upload *upload = *state;
	size_t from = 0, n;

	for (n = 1; n < MOST; n = n * 3 + 5) {
		bring(upload, from, n, 9999);
		assert_int_equal(part_flush(&upload->part), 0);
		assert_holds(upload, n);
		from = n;
	}
	assert_hash(upload);
}

static void what_was_there_before_is_gone_on_with(void **state)
{
	struct upload *upload = *state;
	char is[65];

	bring(upload, 0, 100001, 100001);
	assert_int_equal(part_flush(&upload->part), 0);
	part_close(&upload->part);
	upload->part.fd = open(upload->name, O_RDWR);
	upload->part.offset = 100001;
	bring(upload, 100001, 300000, 5000);
	assert_int_equal(part_flush(&upload->part), 0);
	assert_holds(upload, 300000);
	assert_int_equal(part_sha256(&upload->part, is), -ENODATA);
}

static void a_disk_that_takes_no_more_is_said_and_may_take_the_rest_later(void **state)
{
	struct upload *upload = *state;
	struct rlimit whole, few = {.rlim_cur = 50000};
	int r;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &whole), 0);
	few.rlim_max = whole.rlim_max;
	bring(upload, 0, 100000, 100000);
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &few), 0);
	r = part_flush(&upload->part);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &whole), 0);
	assert_int_equal(r, -EFBIG);
	assert_int_equal(upload->part.gathered, 100000);
	assert_int_equal(part_flush(&upload->part), 0);
	assert_holds(upload, 100000);
	assert_hash(upload);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_size_comes_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(each_size_comes_whole, set_up_in_memory, tear_down),
		cmocka_unit_test_setup_teardown(
			nothing_is_written_before_a_piece_is_full, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_is_flushed_in_between_changes_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_was_there_before_is_gone_on_with, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_disk_that_takes_no_more_is_said_and_may_take_the_rest_later, set_up,
			tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
