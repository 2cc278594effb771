#include "app/base/file.h"
#include "app/journal/journal.h"
#include "app/journal/sql.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define BOOT_ID "0f5a3c1e-9d2b-4c6f-8a17-2b3c4d5e6f70"
#define FRAME_BYTES (1024 + 24)
#define NOBODY 65534

static char dir[64];

static int set_up(void **state)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/test_journal.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_all(const char *path)
{
	struct dirent *item;
	DIR *folder = opendir(path);

	if (!folder) {
		return -1;
	}
	while ((item = readdir(folder))) {
		if (strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0) {
			(void)unlinkat(dirfd(folder), item->d_name, 0);
		}
	}
	(void)closedir(folder);
	return 0;
}

static int tear_down(void **state)
{
	return chmod(dir, 0700) == 0 && remove_all(dir) == 0 && rmdir(dir) == 0 ? 0 : -1;
}

static const char *in_dir(const char *name)
{
	static char path[FILE_PATH_CHARS];

	assert_int_equal(file_path(path, sizeof(path), "%s/%s", dir, name), 0);
	return path;
}

static void write_whole(const char *name, const char *bytes, size_t n)
{
	int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

	assert_true(fd >= 0);
	assert_int_equal(file_write(fd, bytes, n), 0);
	assert_int_equal(close(fd), 0);
}

static void read_whole(const char *name, char **ret_bytes, size_t *ret_n)
{
	assert_int_equal(file_read(in_dir(name), 64 << 20, ret_bytes, ret_n), 0);
}

static off_t size_of(const char *name)
{
	struct stat status;

	return stat(in_dir(name), &status) == 0 ? status.st_size : -1;
}

/* How many files of the folder have such a name; the last one's name. */
static int count_named(const char *part, char *ret_name, size_t room)
{
	DIR *folder = opendir(dir);
	struct dirent *item;
	int n = 0;

	assert_non_null(folder);
	while ((item = readdir(folder))) {
		if (strstr(item->d_name, part)) {
			n++;
			if (ret_name) {
				(void)snprintf(ret_name, room, "%s", item->d_name);
			}
		}
	}
	(void)closedir(folder);
	return n;
}

static struct journal *open_or_fail(enum journal_mode mode)
{
	struct journal *journal = NULL;
	struct error error = {""};

	if (journal_open(dir, mode, &journal, &error) != 0) {
		fail_msg("%s", error.text);
	}
	return journal;
}

/* The seq-th entry of every journal here: a boot, an observation, then presses. */
static void make_entry(int64_t seq, struct entry *ret_entry)
{
	struct entry entry = {.seq = seq,
		.boot = 1,
		.t_ns = seq * NS_PER_S,
		.kind = ENTRY_PRESS,
		.observation = 2,
		.code = "questioning"};

	if (seq == 1) {
		entry.kind = ENTRY_BOOT;
		entry.observation = 0;
		entry.code[0] = '\0';
		entry.body = strdup("{\"boot_id\":\"" BOOT_ID "\"}");
	} else if (seq == 2) {
		entry.kind = ENTRY_START;
		entry.code[0] = '\0';
		entry.body =
			strdup("{\"id\":\"" BOOT_ID "\",\"cause\":\"button\",\"scheme\":\"x\"}");
	}
	*ret_entry = entry;
}

static int append_one(struct journal *journal, struct error *error)
{
	struct entry entry;
	int r;

	make_entry(journal_last(journal) + 1, &entry);
	r = journal_append(journal, &entry, 1, error);
	entry_fini(&entry);
	return r;
}

static void append_or_fail(struct journal *journal, int64_t n)
{
	struct error error = {""};

	for (; n > 0; n--) {
		if (append_one(journal, &error) != 0) {
			fail_msg("%s", error.text);
		}
	}
}

static void make_journal(int64_t n)
{
	struct journal *journal = open_or_fail(JOURNAL_WRITE);

	append_or_fail(journal, n);
	journal_close(journal);
}

/* The number of entries there, which must be the ones make_entry() makes. */
static int64_t count_entries(struct journal *journal)
{
	struct entries entries = {0};
	struct error error = {""};
	int64_t n;
	size_t i;

	if (journal_read(journal, 0, 0, &entries, &error) != 0) {
		fail_msg("%s", error.text);
	}
	for (i = 0; i < entries.n; i++) {
		assert_int_equal(entries.list[i].seq, i + 1);
		assert_int_equal(entries.list[i].t_ns, (int64_t)(i + 1) * NS_PER_S);
	}
	n = (int64_t)entries.n;
	entries_fini(&entries);
	return n;
}

static void say(void *data, const char *finding)
{
	(void)snprintf(data, 512, "%s", finding);
}

static int check(char finding[static 512])
{
	struct journal *journal = open_or_fail(JOURNAL_READ);
	struct error error;
	int r;

	finding[0] = '\0';
	r = journal_check(journal, say, finding, &error);
	journal_close(journal);
	return r;
}

static void run_sql(const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(in_dir("journal.db"), &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
		fail_msg("%s", sqlite3_errmsg(db));
	}
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

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

static int64_t quiet_count(struct journal *journal)
{
	struct entries entries = {0};
	int64_t n;
	int r = journal_read(journal, 0, 0, &entries, NULL);

	n = r < 0 ? r : (int64_t)entries.n;
	entries_fini(&entries);
	return n;
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

/* --- damage --- */

/* Opens whatever is there for writing; it must come to work. Counts what went aside. */
static bool opens_or_goes_aside(const char *what, int64_t *ret_last)
{
	struct journal *journal = NULL;
	struct error error = {""};
	int r;

	r = journal_open(dir, JOURNAL_WRITE, &journal, &error);
	if (r != 0 && r != JOURNAL_E_SET_ASIDE) {
		fail_msg("%s: %d, %s", what, r, error.text);
	}
	if (r == JOURNAL_E_SET_ASIDE) {
		assert_int_equal(journal_last(journal), 0);
		assert_int_equal(count_named("journal.damaged-", NULL, 0) > 0, 1);
		assert_non_null(strstr(error.text, "journal.damaged-"));
	}
	*ret_last = journal_last(journal);
	(void)quiet_count(journal);
	if (append_one(journal, &error) != 0 && r == JOURNAL_E_SET_ASIDE) {
		fail_msg("%s: %s", what, error.text);
	}
	journal_close(journal);
	return r == JOURNAL_E_SET_ASIDE;
}

static void read_what_is_damaged(void)
{
	struct journal *journal = NULL;
	char finding[512];

	if (journal_open(dir, JOURNAL_READ, &journal, NULL) == 0) {
		(void)quiet_count(journal);
		if (journal_check(journal, say, finding, NULL) < 0) {
			finding[0] = '\0';
		}
		journal_close(journal);
	}
}

static void a_database_cut_off_anywhere_is_opened_or_set_aside(void **state)
{
	char *db, name[128], what[64], *kept;
	size_t n, n_kept, bytes;
	int64_t last;
	int aside = 0, tried = 0;

	make_journal(400);
	read_whole("journal.db", &db, &n);
	for (bytes = 0; bytes < n; bytes += bytes % 1024 == 0 ? 511 : bytes % 512 == 0 ? 512 : 1) {
		(void)snprintf(what, sizeof(what), "cut to %zu bytes", bytes);
		assert_int_equal(remove_all(dir), 0);
		write_whole("journal.db", db, bytes);
		read_what_is_damaged();
		if (opens_or_goes_aside(what, &last)) {
			aside++;
			assert_int_equal(count_named("journal.damaged-", name, sizeof(name)), 1);
			read_whole(name, &kept, &n_kept);
			assert_int_equal(n_kept, bytes);
			assert_memory_equal(kept, db, bytes);
			free(kept);
		}
		tried++;
	}
	assert_true(tried >= 30);
	assert_int_equal(aside, tried - 1); /* an empty file is a new journal */
	free(db);
}

static void a_flipped_bit_anywhere_does_no_harm(void **state)
{
	char *db, what[64];
	size_t n, i, at;
	uint32_t dice = 1;
	int64_t last;
	int aside = 0;

	make_journal(120);
	read_whole("journal.db", &db, &n);
	for (i = 0; i < 320; i++) {
		dice = dice * 1664525 + 1013904223;
		at = i < 108 ? i : (dice >> 8) % n;
		if (at >= 60 && at < 64) {
			continue; /* the version: a higher one is left alone */
		}
		(void)snprintf(what, sizeof(what), "bit %u of byte %zu", dice >> 29, at);
		db[at] = (char)(db[at] ^ (1 << (dice >> 29)));
		assert_int_equal(remove_all(dir), 0);
		write_whole("journal.db", db, n);
		read_what_is_damaged();
		aside += opens_or_goes_aside(what, &last);
		db[at] = (char)(db[at] ^ (1 << (dice >> 29)));
	}
	assert_true(aside > 20);
	free(db);
}

static void a_torn_log_keeps_the_commits_before_the_tear(void **state)
{
	struct journal *journal = open_or_fail(JOURNAL_WRITE);
	char *db, *wal, what[64];
	size_t n_db, n_wal, at;
	int64_t last, before = 0;

	append_or_fail(journal, 100);
	read_whole("journal.db", &db, &n_db);
	read_whole("journal.db-wal", &wal, &n_wal);
	journal_close(journal);
	for (at = 0; at <= n_wal; at += 1777) {
		(void)snprintf(what, sizeof(what), "log cut to %zu bytes", at);
		assert_int_equal(remove_all(dir), 0);
		write_whole("journal.db", db, n_db);
		write_whole("journal.db-wal", wal, at);
		assert_false(opens_or_goes_aside(what, &last));
		assert_in_range(last, before, 100);
		before = last;
	}
	assert_true(before > 90);
	for (at = 40; at < n_wal; at += 2531) {
		(void)snprintf(what, sizeof(what), "byte %zu of the log", at);
		assert_int_equal(remove_all(dir), 0);
		wal[at] = (char)(wal[at] ^ 0x10);
		write_whole("journal.db", db, n_db);
		write_whole("journal.db-wal", wal, n_wal);
		wal[at] = (char)(wal[at] ^ 0x10);
		(void)opens_or_goes_aside(what, &last);
		assert_in_range(last, 0, 99);
	}
	free(db);
	free(wal);
}

static void what_is_no_database_is_set_aside_and_kept(void **state)
{
	char name[128], *kept;
	size_t n;
	int64_t last;

	write_whole("journal.db",
		"Dear diary, today a bit fell over. And then another one did. "
		"It was as if somebody had written this on purpose, bit by bit.",
		124);
	assert_true(opens_or_goes_aside("a diary", &last));
	assert_int_equal(count_named(".db-wal", NULL, 0), 0);
	assert_int_equal(count_named("journal.damaged-", name, sizeof(name)), 1);
	read_whole(name, &kept, &n);
	assert_int_equal(n, 124);
	free(kept);
	/* twice within a second: both are kept */
	write_whole("journal.db", "Dear diary", 10);
	assert_true(opens_or_goes_aside("a diary", &last));
	assert_int_equal(count_named("journal.damaged-", NULL, 0), 2);
}

static void somebody_elses_database_is_not_written_into(void **state)
{
	int64_t last;

	run_sql("CREATE TABLE entry (seq INTEGER PRIMARY KEY, boot)");
	assert_true(opens_or_goes_aside("another program's", &last));
}

static void an_interrupted_setting_aside_is_gone_on_with(void **state)
{
	struct journal *journal = open_or_fail(JOURNAL_WRITE);
	struct error error;
	char *wal;
	size_t n;

	append_or_fail(journal, 100);
	read_whole("journal.db-wal", &wal, &n);
	journal_close(journal);
	assert_int_equal(remove_all(dir), 0);
	write_whole("journal.db-wal", wal, n); /* the database has its new name already */
	assert_int_equal(
		journal_open(dir, JOURNAL_WRITE, &journal, &error), JOURNAL_E_SET_ASIDE);
	assert_non_null(strstr(error.text, "journal.damaged-"));
	assert_int_equal(journal_last(journal), 0);
	append_or_fail(journal, 3);
	journal_close(journal);
	assert_int_equal(count_named("journal.damaged-", NULL, 0), 1);
	free(wal);
}

static void a_hole_in_the_newest_entries_is_damage(void **state)
{
	int64_t last;

	make_journal(50);
	run_sql("DELETE FROM entry WHERE seq=40");
	assert_true(opens_or_goes_aside("a hole", &last));
}

static void what_the_server_had_may_be_gone_from_the_front(void **state)
{
	struct journal *journal;
	char finding[512];

	make_journal(50);
	run_sql("DELETE FROM entry WHERE seq<10");
	journal = open_or_fail(JOURNAL_WRITE);
	assert_int_equal(journal_last(journal), 50);
	journal_close(journal);
	assert_int_equal(check(finding), 0);
}

/* --- versions --- */

static void a_journal_of_a_newer_version_is_left_alone(void **state)
{
	struct journal *journal = NULL;
	struct error error;

	make_journal(5);
	run_sql("PRAGMA user_version=2");
	assert_int_equal(journal_open(dir, JOURNAL_WRITE, &journal, &error), -EPROTO);
	assert_non_null(strstr(error.text, "made by a newer Chalkbox"));
	assert_non_null(strstr(error.text, "update this one"));
	assert_int_equal(journal_open(dir, JOURNAL_READ, &journal, &error), -EPROTO);
	assert_int_equal(count_named("journal.damaged-", NULL, 0), 0);
	run_sql("PRAGMA user_version=1");
	journal = open_or_fail(JOURNAL_READ);
	assert_int_equal(count_entries(journal), 5);
	journal_close(journal);
}

static const char *const later_steps[] = {
	"CREATE TABLE entry (seq INTEGER PRIMARY KEY)",
	"ALTER TABLE entry ADD COLUMN note TEXT; UPDATE entry SET note='old'",
	"CREATE TABLE other (x); INSERT INTO other SELECT count(*) FROM entry",
	"CREATE TABLE half (x); INSERT INTO nowhere VALUES (1)",
};

static int64_t number(sqlite3 *db, const char *sql)
{
	int64_t result = -1;

	assert_int_equal(sql_number(db, sql, &result, NULL), 0);
	return result;
}

static void an_older_version_is_brought_up_step_by_step(void **state)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(in_dir("old.db"), &db), SQLITE_OK);
	assert_int_equal(sql_bring_up(db, later_steps, 1, NULL), 0);
	assert_int_equal(sql_run(db, "INSERT INTO entry VALUES (1), (2)", "", NULL), 0);
	assert_int_equal(sql_bring_up(db, later_steps, 3, NULL), 0);
	assert_int_equal(number(db, "PRAGMA user_version"), 3);
	assert_int_equal(number(db, "SELECT count(*) FROM entry WHERE note='old'"), 2);
	assert_int_equal(number(db, "SELECT x FROM other"), 2);
	assert_int_equal(sql_bring_up(db, later_steps, 3, NULL), 0); /* once */
	assert_int_equal(number(db, "SELECT count(*) FROM other"), 1);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void a_step_that_fails_leaves_the_old_version_whole(void **state)
{
	struct error error;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(in_dir("old.db"), &db), SQLITE_OK);
	assert_int_equal(sql_bring_up(db, later_steps, 1, NULL), 0);
	assert_true(sql_bring_up(db, later_steps, 4, &error) < 0);
	assert_non_null(strstr(error.text, "bringing it up to date"));
	assert_int_equal(number(db, "PRAGMA user_version"), 1);
	assert_int_equal(number(db, "SELECT count(*) FROM sqlite_schema"), 1);
	assert_true(sqlite3_get_autocommit(db));
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void a_journal_cut_off_while_it_was_made_is_made(void **state)
{
	run_sql("PRAGMA page_size=1024; PRAGMA journal_mode=WAL");
	assert_true(size_of("journal.db") > 0);
	make_journal(3);
	assert_int_equal(count_named("journal.damaged-", NULL, 0), 0);
}

/* --- the check --- */

static void the_check_finds_nothing_in_a_good_journal(void **state)
{
	char finding[512];

	make_journal(30);
	if (check(finding) != 0) {
		fail_msg("%s", finding);
	}
}

static void the_check_finds_what_is_wrong_and_names_the_entry(void **state)
{
	static const struct {
		const char *sql, *finding;
	} cases[] = {
		{"DELETE FROM entry WHERE seq=10", "between entry 9 and entry 11"},
		{"UPDATE entry SET body='[' WHERE seq=11", "entry 11 (press): body"},
		{"UPDATE entry SET t_ns=-1 WHERE seq=12", "entry 12 (press): t_ns"},
		{"UPDATE entry SET boot=3 WHERE seq=13", "entry 13: boot 3"},
		{"UPDATE entry SET observation=5 WHERE seq=14", "entry 14: observation 5"},
		{"UPDATE entry SET kind=7, ref=2, code='', body=NULL WHERE seq=15",
			"entry 15: ref 2"},
		{"UPDATE entry SET kind=6, ref=9, code='transition' WHERE seq=16",
			"entry 16: ref 9"},
		{"UPDATE entry SET kind=99 WHERE seq=17", "entry 17: kind 99"},
	};
	char finding[512];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(remove_all(dir), 0);
		make_journal(30);
		run_sql(cases[i].sql);
		assert_int_equal(check(finding), 1);
		if (!strstr(finding, cases[i].finding)) {
			fail_msg("\"%s\" instead of \"%s\"", finding, cases[i].finding);
		}
	}
}

static void the_check_finds_a_damaged_page(void **state)
{
	char finding[512], *db;
	size_t n;

	make_journal(400);
	read_whole("journal.db", &db, &n);
	memset(db + 5 * 1024, 0x5a, 600);
	write_whole("journal.db", db, n);
	assert_true(check(finding) > 0);
	assert_non_null(strstr(finding, "damaged"));
	free(db);
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
		TEST(a_database_cut_off_anywhere_is_opened_or_set_aside),
		TEST(a_flipped_bit_anywhere_does_no_harm),
		TEST(a_torn_log_keeps_the_commits_before_the_tear),
		TEST(what_is_no_database_is_set_aside_and_kept),
		TEST(somebody_elses_database_is_not_written_into),
		TEST(an_interrupted_setting_aside_is_gone_on_with),
		TEST(a_hole_in_the_newest_entries_is_damage),
		TEST(what_the_server_had_may_be_gone_from_the_front),
		TEST(a_journal_of_a_newer_version_is_left_alone),
		TEST(an_older_version_is_brought_up_step_by_step),
		TEST(a_step_that_fails_leaves_the_old_version_whole),
		TEST(a_journal_cut_off_while_it_was_made_is_made),
		TEST(the_check_finds_nothing_in_a_good_journal),
		TEST(the_check_finds_what_is_wrong_and_names_the_entry),
		TEST(the_check_finds_a_damaged_page),
	};

	(void)signal(SIGXFSZ, SIG_IGN);
	if (clock_init(NULL) != 0) {
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
