#include "tests/unit/journal_bench.h"

#include <errno.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define FRAME_BYTES (1024 + 24)
#define NOBODY 65534

/* --- keeping and reading --- */

static void a_new_journal_is_empty_and_has_an_id_that_stays(void **state)
{
	struct journal *journal = open_or_fail(JOURNAL_WRITE);
	char id[UUID_CHARS];
	struct stat status;

	assert_int_equal(journal_last(journal), 0);
	assert_int_equal(strlen(journal_id(journal)), UUID_CHARS - 1);
	assert_int_equal(journal_id(journal)[14], '4');
	memcpy(id, journal_id(journal), sizeof(id));
	assert_int_equal(count_entries(journal), 0);
	journal_close(journal);
	assert_int_equal(stat(in_dir("journal.db"), &status), 0);
	assert_int_equal(status.st_mode & 0777, 0640);
	journal = open_or_fail(JOURNAL_READ);
	assert_string_equal(journal_id(journal), id);
	journal_close(journal);
	journal_close(NULL);
}

static void an_entry_is_read_back_as_it_was_written(void **state)
{
	struct journal *journal = open_or_fail(JOURNAL_WRITE);
	struct entry list[2] = {
		{.seq = 1,
			.boot = INT64_MAX,
			.t_ns = INT64_MIN,
			.kind = ENTRY_FAULT,
			.observation = -1,
			.ref = INT64_MAX,
			.value = INT64_MIN,
			.code = "abcdefghijklmnopqrstuvwxyz01234",
			.body = NULL},
		{.seq = 2, .kind = ENTRY_BOOT, .body = (char[]){"{\"box\":\"ü '\\\"\"}"}},
	};
	struct entries back = {0};

	assert_int_equal(journal_append(journal, list, 2, NULL), 0);
	assert_int_equal(journal_last(journal), 2);
	journal_close(journal);
	journal = open_or_fail(JOURNAL_WRITE);
	assert_int_equal(journal_last(journal), 2);
	assert_int_equal(journal_read(journal, 0, 0, &back, NULL), 0);
	assert_int_equal(back.n, 2);
	assert_true(back.list[0].boot == INT64_MAX && back.list[0].t_ns == INT64_MIN);
	assert_true(back.list[0].ref == INT64_MAX && back.list[0].value == INT64_MIN);
	assert_int_equal(back.list[0].observation, -1);
	assert_int_equal(back.list[0].kind, ENTRY_FAULT);
	assert_string_equal(back.list[0].code, list[0].code);
	assert_null(back.list[0].body);
	assert_string_equal(back.list[1].body, list[1].body);
	entries_fini(&back);
	journal_close(journal);
}

static void reading_begins_and_stops_where_it_is_told(void **state)
{
	struct entries entries = {0};
	struct journal *journal;

	make_journal(20);
	journal = open_or_fail(JOURNAL_READ);
	assert_int_equal(journal_read(journal, 5, 3, &entries, NULL), 0);
	assert_int_equal(entries.n, 3);
	assert_int_equal(entries.list[0].seq, 5);
	assert_int_equal(journal_read(journal, 19, 0, &entries, NULL), 0);
	assert_int_equal(entries.n, 5);
	assert_int_equal(entries.list[4].seq, 20);
	assert_int_equal(journal_read(journal, 21, 0, &entries, NULL), 0);
	assert_int_equal(entries.n, 5);
	entries_fini(&entries);
	journal_close(journal);
}

static void a_hole_or_a_repetition_is_refused(void **state)
{
	struct journal *journal = open_or_fail(JOURNAL_WRITE);
	struct entry list[3];
	struct error error;
	int i;

	append_or_fail(journal, 3);
	for (i = 0; i < 3; i++) {
		make_entry(4 + i, &list[i]);
	}
	list[2].seq = 7;
	assert_int_equal(journal_append(journal, list, 3, &error), -EINVAL);
	assert_non_null(strstr(error.text, "entry 7"));
	list[0].seq = 3;
	assert_int_equal(journal_append(journal, list, 1, &error), -EINVAL);
	list[0].seq = INT64_MIN;
	assert_int_equal(journal_append(journal, list, 1, &error), -EINVAL);
	assert_int_equal(count_entries(journal), 3);
	append_or_fail(journal, 1); /* a caller's mistake breaks nothing */
	assert_int_equal(count_entries(journal), 4);
	journal_close(journal);
}

static void several_entries_are_one_commit(void **state)
{
	struct journal *journal = open_or_fail(JOURNAL_WRITE);
	off_t before;
	struct entry list[3];
	int i;

	append_or_fail(journal, 2);
	before = size_of("journal.db-wal");
	for (i = 0; i < 3; i++) {
		make_entry(3 + i, &list[i]);
	}
	assert_int_equal(journal_append(journal, list, 3, NULL), 0);
	assert_int_equal(size_of("journal.db-wal") - before, FRAME_BYTES);
	assert_int_equal(journal_append(journal, list, 0, NULL), 0);
	journal_close(journal);
}

static void a_press_is_one_small_page_in_the_log(void **state)
{
	struct journal *journal = open_or_fail(JOURNAL_WRITE);
	off_t before;

	append_or_fail(journal, 2);
	before = size_of("journal.db-wal");
	append_or_fail(journal, 10);
	assert_int_equal(size_of("journal.db-wal") - before, 10 * FRAME_BYTES);
	journal_close(journal);
}

static void the_log_stays_short_however_much_is_written(void **state)
{
	struct journal *journal = open_or_fail(JOURNAL_WRITE);
	char finding[512];

	append_or_fail(journal, 1500);
	assert_in_range(size_of("journal.db-wal"), 1, 300 * FRAME_BYTES);
	assert_int_equal(count_entries(journal), 1500);
	journal_close(journal);
	assert_int_equal(size_of("journal.db-wal"), -1);
	assert_int_equal(check(finding), 0);
}

static void what_was_committed_survives_a_cut(void **state)
{
	struct journal *journal = open_or_fail(JOURNAL_WRITE);
	char *db, *wal;
	size_t n_db, n_wal;

	append_or_fail(journal, 300);
	read_whole("journal.db", &db, &n_db);
	read_whole("journal.db-wal", &wal, &n_wal);
	journal_close(journal);
	assert_int_equal(remove_all(dir), 0);
	write_whole("journal.db", db, n_db);
	write_whole("journal.db-wal", wal, n_wal);
	journal = open_or_fail(JOURNAL_WRITE);
	assert_int_equal(journal_last(journal), 300);
	assert_int_equal(count_entries(journal), 300);
	append_or_fail(journal, 1);
	journal_close(journal);
	free(db);
	free(wal);
}

/* --- who may write, who may read --- */

static void a_second_writer_is_refused_with_the_way_out(void **state)
{
	struct journal *journal = open_or_fail(JOURNAL_WRITE), *second = NULL;
	struct error error;

	assert_int_equal(journal_open(dir, JOURNAL_WRITE, &second, &error), -EBUSY);
	assert_non_null(strstr(error.text, "systemctl stop chalkboxd"));
	assert_non_null(strstr(error.text, dir));
	assert_null(second);
	append_or_fail(journal, 1);
	journal_close(journal);
	journal_close(open_or_fail(JOURNAL_WRITE));
}

static void a_reader_sees_each_commit_of_a_running_writer(void **state)
{
	struct journal *writer = open_or_fail(JOURNAL_WRITE);
	struct journal *reader = open_or_fail(JOURNAL_READ);
	struct entry entry;
	int64_t i;

	for (i = 1; i <= 600; i++) {
		append_or_fail(writer, 1);
		assert_int_equal(journal_last(reader), i);
	}
	assert_int_equal(count_entries(reader), 600);
	make_entry(601, &entry);
	assert_int_equal(journal_append(reader, &entry, 1, NULL), -EBADF);
	journal_close(writer);
	assert_int_equal(count_entries(reader), 600);
	journal_close(reader);
	writer = open_or_fail(JOURNAL_WRITE);
	assert_int_equal(journal_last(writer), 600);
	journal_close(writer);
}

/* After a cut nobody writes; a reader could, and must not, empty the log. */
static void a_reader_leaves_the_database_and_its_log_alone(void **state)
{
	struct journal *journal = open_or_fail(JOURNAL_WRITE);
	char *db, *wal, *db_after, *wal_after;
	size_t n_db, n_wal, n;

	append_or_fail(journal, 30);
	read_whole("journal.db", &db, &n_db);
	read_whole("journal.db-wal", &wal, &n_wal);
	journal_close(journal);
	assert_int_equal(remove_all(dir), 0);
	write_whole("journal.db", db, n_db);
	write_whole("journal.db-wal", wal, n_wal);
	journal = open_or_fail(JOURNAL_READ);
	assert_int_equal(count_entries(journal), 30);
	journal_close(journal);
	read_whole("journal.db", &db_after, &n);
	assert_int_equal(n, n_db);
	assert_memory_equal(db_after, db, n);
	read_whole("journal.db-wal", &wal_after, &n);
	assert_int_equal(n, n_wal);
	assert_memory_equal(wal_after, wal, n);
	free(db);
	free(wal);
	free(db_after);
	free(wal_after);
}

static void reading_where_nothing_was_recorded_is_no_entry(void **state)
{
	struct journal *journal = NULL;
	struct error error;

	assert_int_equal(journal_open(dir, JOURNAL_READ, &journal, &error), -ENOENT);
	assert_non_null(strstr(error.text, "journal.db"));
	write_whole("journal.db", "", 0);
	assert_int_equal(journal_open(dir, JOURNAL_READ, &journal, &error), -ENOENT);
	assert_int_equal(journal_open("/nonexistent/x", JOURNAL_READ, &journal, &error), -ENOENT);
	assert_non_null(strstr(error.text, "/nonexistent/x"));
}

/*
 * Runs @child as a user who may read the folder and change nothing in it, and
 * returns what it returns. A pipe in either direction joins it to @meanwhile.
 */
static int as_a_stranger(int (*child)(int from, int to), void (*meanwhile)(int from, int to))
{
	int to_child[2], to_parent[2], status = 0;
	pid_t pid;

	assert_int_equal(chmod(in_dir("journal.db"), 0644), 0);
	assert_int_equal(chmod(dir, geteuid() == 0 ? 0755 : 0555), 0);
	assert_int_equal(pipe2(to_child, O_CLOEXEC), 0);
	assert_int_equal(pipe2(to_parent, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(to_child[1]); /* so that it ends when the parent does */
		(void)close(to_parent[0]);
		if (geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)) {
			_exit(99);
		}
		_exit(child(to_child[0], to_parent[1]));
	}
	if (meanwhile) {
		meanwhile(to_parent[0], to_child[1]);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	(void)close(to_child[0]);
	(void)close(to_child[1]);
	(void)close(to_parent[0]);
	(void)close(to_parent[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

static int reads_fifty(int from, int to)
{
	struct journal *journal = NULL;
	int64_t n;

	if (journal_open(dir, JOURNAL_READ, &journal, NULL) != 0) {
		return 1;
	}
	n = quiet_count(journal);
	journal_close(journal);
	return n == 50 ? 0 : 2;
}

static void a_reader_who_may_write_nothing_reads_with_no_writer_there(void **state)
{
	make_journal(50);
	assert_int_equal(size_of("journal.db-wal"), -1);
	assert_int_equal(as_a_stranger(reads_fifty, NULL), 0);
}

static void a_reader_who_may_write_nothing_reads_beside_a_writer(void **state)
{
	struct journal *writer;

	make_journal(10);
	assert_int_equal(chmod(in_dir("journal.db"), 0644), 0);
	writer = open_or_fail(JOURNAL_WRITE);
	append_or_fail(writer, 40);
	assert_int_equal(as_a_stranger(reads_fifty, NULL), 0);
	journal_close(writer);
}

static int reads_on_while_it_changes(int from, int to)
{
	struct journal *journal = NULL;
	char byte = 'x';
	int64_t n, m;

	if (journal_open(dir, JOURNAL_READ, &journal, NULL) != 0) {
		return 1;
	}
	n = quiet_count(journal);
	if (write(to, &byte, 1) != 1 || read(from, &byte, 1) != 1) {
		return 3;
	}
	m = quiet_count(journal);
	journal_close(journal);
	return n != 50 ? 2 : m != 1050 ? 4 : 0;
}

static void writes_on(int from, int to)
{
	struct journal *journal;
	char byte;

	assert_int_equal(read(from, &byte, 1), 1);
	if (geteuid() != 0) {
		assert_int_equal(chmod(dir, 0755), 0);
	}
	journal = open_or_fail(JOURNAL_WRITE);
	append_or_fail(journal, 1000);
	assert_int_equal(write(to, "x", 1), 1);
	journal_close(journal);
}

static void a_reader_notices_that_somebody_began_to_write(void **state)
{
	make_journal(50);
	assert_int_equal(as_a_stranger(reads_on_while_it_changes, writes_on), 0);
}

/* --- when writing fails --- */

static void nothing_is_taken_after_a_failed_append(void **state)
{
	struct rlimit limit, low;
	struct journal *journal = open_or_fail(JOURNAL_WRITE);
	struct error error = {""};
	int r;

	append_or_fail(journal, 10);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	low = limit;
	low.rlim_cur = (rlim_t)size_of("journal.db-wal") + 100; /* in the middle of a frame */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	r = append_one(journal, &error);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(r, -EIO);
	assert_non_null(strstr(error.text, "SQLite says"));
	assert_int_equal(journal_last(journal), 10);
	assert_int_equal(append_one(journal, &error), -ESTALE); /* though there is room now */
	assert_non_null(strstr(error.text, "opened anew"));
	assert_int_equal(count_entries(journal), 10);
	journal_close(journal);

	journal = open_or_fail(JOURNAL_WRITE);
	assert_int_equal(journal_last(journal), 10);
	append_or_fail(journal, 5);
	assert_int_equal(count_entries(journal), 15);
	journal_close(journal);
}

static void wherever_writing_stops_what_was_confirmed_is_there(void **state)
{
	struct rlimit limit, low;
	char finding[512];
	int64_t confirmed;
	rlim_t bytes;
	int r;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	for (bytes = 20000; bytes < 320000; bytes += 14983) {
		struct journal *journal;

		assert_int_equal(remove_all(dir), 0);
		journal = open_or_fail(JOURNAL_WRITE);
		low = limit;
		low.rlim_cur = bytes;
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
		do {
			r = append_one(journal, NULL);
		} while (r == 0 && journal_last(journal) < 2000);
		confirmed = journal_last(journal);
		journal_close(journal);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
		assert_true(r < 0 || confirmed == 2000);
		journal = open_or_fail(JOURNAL_WRITE);
		assert_int_equal(journal_last(journal), confirmed);
		assert_int_equal(count_entries(journal), confirmed);
		append_or_fail(journal, 1);
		journal_close(journal);
		assert_int_equal(check(finding), 0);
	}
}

static int on_a_full_disk(int from, int to)
{
	struct journal *journal = NULL;
	int64_t confirmed;
	char zeros[4096] = {0};
	int fd, r;

	fd = open(in_dir("filler"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || journal_open(dir, JOURNAL_WRITE, &journal, NULL) != 0) {
		return 1;
	}
	while (write(fd, zeros, sizeof(zeros)) > 0) {
	}
	if (ftruncate(fd, lseek(fd, 0, SEEK_END) - 40960) != 0) {
		return 2;
	}
	do {
		r = append_one(journal, NULL);
	} while (r == 0);
	confirmed = journal_last(journal);
	if (r != -ENOSPC || append_one(journal, NULL) != -ESTALE || confirmed < 3) {
		return 3;
	}
	journal_close(journal);
	if (ftruncate(fd, 0) != 0 || journal_open(dir, JOURNAL_WRITE, &journal, NULL) != 0) {
		return 4;
	}
	if (journal_last(journal) != confirmed || quiet_count(journal) != confirmed ||
		append_one(journal, NULL) != 0) {
		return 5;
	}
	journal_close(journal);
	(void)close(fd);
	return 0;
}

static void a_full_disk_is_said_and_loses_nothing(void **state)
{
	int status = 0, r;

	if (mount("none", dir, "tmpfs", 0, "size=400k,mode=0755") != 0) {
		print_message(
			"skipped: no small file system to be had here (%s)\n", strerror(errno));
		skip();
	}
	r = on_a_full_disk(0, 0);
	status = umount2(dir, MNT_DETACH);
	assert_int_equal(r, 0);
	assert_int_equal(status, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_new_journal_is_empty_and_has_an_id_that_stays),
		TEST(an_entry_is_read_back_as_it_was_written),
		TEST(reading_begins_and_stops_where_it_is_told),
		TEST(a_hole_or_a_repetition_is_refused),
		TEST(several_entries_are_one_commit),
		TEST(a_press_is_one_small_page_in_the_log),
		TEST(the_log_stays_short_however_much_is_written),
		TEST(what_was_committed_survives_a_cut),
		TEST(a_second_writer_is_refused_with_the_way_out),
		TEST(a_reader_sees_each_commit_of_a_running_writer),
		TEST(a_reader_leaves_the_database_and_its_log_alone),
		TEST(reading_where_nothing_was_recorded_is_no_entry),
		TEST(a_reader_who_may_write_nothing_reads_with_no_writer_there),
		TEST(a_reader_who_may_write_nothing_reads_beside_a_writer),
		TEST(a_reader_notices_that_somebody_began_to_write),
		TEST(nothing_is_taken_after_a_failed_append),
		TEST(wherever_writing_stops_what_was_confirmed_is_there),
		TEST(a_full_disk_is_said_and_loses_nothing),
	};

	(void)signal(SIGXFSZ, SIG_IGN);
	if (clock_init(NULL) != 0) {
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
