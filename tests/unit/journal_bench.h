/* A folder with a journal in it, for the tests of app/journal. */
#ifndef TESTS_JOURNAL_BENCH_H
#define TESTS_JOURNAL_BENCH_H

#include "app/base/file.h"
#include "app/journal/journal.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define BOOT_ID "0f5a3c1e-9d2b-4c6f-8a17-2b3c4d5e6f70"

static char dir[64];

static inline int set_up(void **state)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/test_journal.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static inline int remove_all(const char *path)
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

static inline int tear_down(void **state)
{
	return chmod(dir, 0700) == 0 && remove_all(dir) == 0 && rmdir(dir) == 0 ? 0 : -1;
}

static inline const char *in_dir(const char *name)
{
	static char path[FILE_PATH_CHARS];

	assert_int_equal(file_path(path, sizeof(path), "%s/%s", dir, name), 0);
	return path;
}

static inline void write_whole(const char *name, const char *bytes, size_t n)
{
	int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

	assert_true(fd >= 0);
	assert_int_equal(file_write(fd, bytes, n), 0);
	assert_int_equal(close(fd), 0);
}

static inline void read_whole(const char *name, char **ret_bytes, size_t *ret_n)
{
	assert_int_equal(file_read(in_dir(name), 64 << 20, ret_bytes, ret_n), 0);
}

static inline off_t size_of(const char *name)
{
	struct stat status;

	return stat(in_dir(name), &status) == 0 ? status.st_size : -1;
}

/* How many files of the folder have such a name; the last one's name. */
static inline int count_named(const char *part, char *ret_name, size_t room)
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

static inline struct journal *open_or_fail(enum journal_mode mode)
{
	struct journal *journal = NULL;
	struct error error = {""};

	if (journal_open(dir, mode, &journal, &error) != 0) {
		fail_msg("%s", error.text);
	}
	return journal;
}

/* The seq-th entry of every journal here: a boot, an observation, then presses. */
static inline void make_entry(int64_t seq, struct entry *ret_entry)
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

static inline int append_one(struct journal *journal, struct error *error)
{
	struct entry entry;
	int r;

	make_entry(journal_last(journal) + 1, &entry);
	r = journal_append(journal, &entry, 1, error);
	entry_fini(&entry);
	return r;
}

static inline void append_or_fail(struct journal *journal, int64_t n)
{
	struct error error = {""};

	for (; n > 0; n--) {
		if (append_one(journal, &error) != 0) {
			fail_msg("%s", error.text);
		}
	}
}

static inline void make_journal(int64_t n)
{
	struct journal *journal = open_or_fail(JOURNAL_WRITE);

	append_or_fail(journal, n);
	journal_close(journal);
}

/* The number of entries there, which must be the ones make_entry() makes. */
static inline int64_t count_entries(struct journal *journal)
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

static inline void say(void *data, const char *finding)
{
	(void)snprintf(data, 512, "%s", finding);
}

static inline int check(char finding[static 512])
{
	struct journal *journal = open_or_fail(JOURNAL_READ);
	struct error error;
	int r;

	finding[0] = '\0';
	r = journal_check(journal, say, finding, &error);
	journal_close(journal);
	return r;
}

static inline void run_sql(const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(in_dir("journal.db"), &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
		fail_msg("%s", sqlite3_errmsg(db));
	}
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* As count_entries(), of whatever may be there; or -errno. */
static inline int64_t quiet_count(struct journal *journal)
{
	struct entries entries = {0};
	int64_t n;
	int r = journal_read(journal, 0, 0, &entries, NULL);

	n = r < 0 ? r : (int64_t)entries.n;
	entries_fini(&entries);
	return n;
}

#endif
