/*
 * On the real journal. A disk that refuses is made of a limit on the size of
 * files, a full one of a tiny file system of our own (where we may mount one).
 */
#include "firmware/saver.h"

#include "app/base/file.h"
#include "firmware/space.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define BOOT_ID "0f5a3c1e-9d2b-4c6f-8a17-2b3c4d5e6f70"
#define NOW_NS (INT64_C(5000) * NS_PER_S)

struct bench {
	struct config config;
	struct saver saver;
	int64_t next_seq;
	int64_t told[2000]; /* the seqs that were said to be on disk, in their order */
	size_t n_told;
};

static int set_up(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	assert_non_null(bench);
	snprintf(bench->config.state, sizeof(bench->config.state), "/tmp/test_saver.XXXXXX");
	assert_non_null(mkdtemp(bench->config.state));
	bench->config.reserve_mib = 4;
	bench->config.sound_stops_mib = 1;
	bench->next_seq = 1;
	assert_int_equal(saver_open(&bench->saver, &bench->config, NULL), 0);
	*state = bench;
	return 0;
}

static int empty(const char *path)
{
	DIR *dir = opendir(path);
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		(void)unlinkat(dirfd(dir), entry->d_name, 0);
	}
	return dir ? closedir(dir) : -1;
}

static int tear_down(void **state)
{
	struct bench *bench = *state;
	saver_close(&bench->saver);
	int r = empty(bench->config.state) < 0 || rmdir(bench->config.state) < 0 ? -1 : 0;
	free(bench);
	return r;
}

static void on_saved(void *data, const struct entry *entry)
{
	struct bench *bench = data;
	if (bench->n_told < sizeof(bench->told) / sizeof(bench->told[0])) {
		bench->told[bench->n_told++] = entry->seq;
	}
}

static struct entry new_entry(struct bench *bench)
{
	struct entry entry = {.seq = bench->next_seq++, .boot = 1, .t_ns = NOW_NS};
	struct facts facts = {.boot_id = BOOT_ID, .cause = "why"};
	entry.kind = entry.seq == 1 ? ENTRY_BOOT : ENTRY_FAULT;
	snprintf(entry.code, sizeof(entry.code), "%s", entry.seq == 1 ? "" : "test");
	(void)!entry_set_facts(&entry, &facts);
	return entry;
}

static void add(struct bench *bench, int n)
{
	struct entries entries = {0};
	for (int i = 0; i < n; i++) {
		struct entry entry = new_entry(bench);
		assert_int_equal(entries_add(&entries, &entry), 0);
	}
	assert_int_equal(saver_add(&bench->saver, &entries), 0);
	assert_int_equal(entries.n, 0);
	assert_null(entries.list);
}

static int save(struct bench *bench, int64_t now_ns)
{
	return saver_save(&bench->saver, now_ns, on_saved, bench);
}

/* Each of 1..n once and in order, told and kept. */
static void assert_all_in(struct bench *bench, size_t n)
{
	struct entries entries = {0};
	struct journal *journal;
	assert_int_equal(bench->n_told, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(bench->told[i], i + 1);
	}
	assert_int_equal(bench->saver.pending.n, 0);
	assert_int_equal(journal_open(bench->config.state, JOURNAL_READ, &journal, NULL), 0);
	assert_int_equal(journal_read(journal, 1, 0, &entries, NULL), 0);
	assert_int_equal(entries.n, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(entries.list[i].seq, i + 1);
		assert_int_equal(entry_check(&entries.list[i], NULL), 0);
	}
	entries_fini(&entries);
	journal_close(journal);
}

static struct rlimit limit_files(rlim_t bytes)
{
	struct rlimit before, limit;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = (struct rlimit){.rlim_cur = bytes, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	return before;
}

/* One failed attempt at @now_ns, with nothing told. */
static void fail_once(struct bench *bench, int64_t now_ns)
{
	size_t told = bench->n_told;
	struct rlimit before = limit_files(0);
	int r = save(bench, now_ns);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_true(r < 0);
	assert_int_equal(bench->n_told, told);
	assert_true(bench->saver.failing);
	assert_true(bench->saver.why.text[0]);
}

static void what_is_saved_is_told_in_order_and_once(void **state)
{
	struct bench *bench = *state;
	assert_int_equal(save(bench, NOW_NS), 0);
	add(bench, 3);
	assert_int_equal(bench->n_told, 0);
	assert_int_equal(save(bench, NOW_NS), 0);
	add(bench, 1);
	add(bench, 2);
	assert_int_equal(save(bench, NOW_NS), 0);
	assert_int_equal(save(bench, NOW_NS), 0);
	assert_int_equal(saver_deadline(&bench->saver), INT64_MAX);
	assert_all_in(bench, 6);
}

static void a_disk_that_refuses_is_asked_again_and_gets_all_once(void **state)
{
	struct bench *bench = *state;
	add(bench, 2);
	assert_int_equal(save(bench, NOW_NS), 0);
	add(bench, 5);
	fail_once(bench, NOW_NS);
	int64_t due_ns = saver_deadline(&bench->saver);
	assert_true(due_ns > NOW_NS && due_ns <= NOW_NS + 10 * NS_PER_S);
	add(bench, 4);
	assert_int_equal(save(bench, due_ns - 1), -EAGAIN);
	assert_int_equal(bench->n_told, 2);
	assert_true(bench->saver.failing);
	fail_once(bench, due_ns);
	assert_true(saver_deadline(&bench->saver) > due_ns);
	add(bench, 1);
	assert_int_equal(save(bench, saver_deadline(&bench->saver)), 0);
	assert_false(bench->saver.failing);
	assert_int_equal(saver_deadline(&bench->saver), INT64_MAX);
	assert_all_in(bench, 12);
}

/* Appends copies of the first @n pending, as a commit does that got in unseen. */
static void slip_in(struct bench *bench, size_t n, const char *code)
{
	struct journal *journal;
	assert_int_equal(journal_open(bench->config.state, JOURNAL_WRITE, &journal, NULL), 0);
	for (size_t i = 0; i < n; i++) {
		struct entry entry = bench->saver.pending.list[i];
		if (code) {
			snprintf(entry.code, sizeof(entry.code), "%s", code);
		}
		assert_int_equal(journal_append(journal, &entry, 1, NULL), 0);
	}
	journal_close(journal);
}

static void entries_that_did_get_in_are_not_written_twice(void **state)
{
	for (size_t n = 1; n <= 4; n++) {
		struct bench *bench = *state;
		add(bench, 4);
		fail_once(bench, NOW_NS);
		slip_in(bench, n, NULL);
		assert_int_equal(save(bench, NOW_NS + 5 * NS_PER_S), 0);
		assert_all_in(bench, 4 * n);
	}
}

static void another_writers_entries_are_not_taken_for_ours(void **state)
{
	struct bench *bench = *state;
	add(bench, 4);
	assert_int_equal(save(bench, NOW_NS), 0);
	add(bench, 2);
	fail_once(bench, NOW_NS);
	slip_in(bench, 1, "other");
	assert_int_equal(save(bench, NOW_NS + 5 * NS_PER_S), SAVER_E_ANOTHER);
	assert_int_equal(bench->n_told, 4);
	assert_non_null(strstr(bench->saver.why.text, "others"));
}

static void a_journal_that_lost_its_end_is_another_one(void **state)
{
	struct bench *bench = *state;
	add(bench, 4);
	assert_int_equal(save(bench, NOW_NS), 0);
	add(bench, 2);
	fail_once(bench, NOW_NS);
	assert_int_equal(empty(bench->config.state), 0);
	assert_int_equal(save(bench, NOW_NS + 5 * NS_PER_S), SAVER_E_ANOTHER);
	assert_int_equal(bench->n_told, 4);
	assert_true(bench->saver.why.text[0]);
}

static void a_damaged_journal_is_another_one(void **state)
{
	struct bench *bench = *state;
	char path[FILE_PATH_CHARS], noise[4096];
	add(bench, 4);
	assert_int_equal(save(bench, NOW_NS), 0);
	add(bench, 2);
	fail_once(bench, NOW_NS);
	memset(noise, 0xa5, sizeof(noise));
	/* (the -wal alone would make it good again) */
	assert_int_equal(
		file_path(path, sizeof(path), "%s/journal.db-wal", bench->config.state), 0);
	(void)unlink(path);
	assert_int_equal(file_path(path, sizeof(path), "%s/journal.db", bench->config.state), 0);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(file_write(fd, noise, sizeof(noise)), 0);
	close(fd);
	assert_int_equal(save(bench, NOW_NS + 5 * NS_PER_S), SAVER_E_ANOTHER);
	assert_int_equal(bench->n_told, 4);
	assert_non_null(strstr(bench->saver.why.text, "damaged"));
}

/* One that was found damaged before anything was written: nothing is missing in it. */
static void an_empty_journal_beside_a_damaged_one_is_gone_on_with(void **state)
{
	struct bench *bench = *state;
	char path[FILE_PATH_CHARS];
	assert_int_equal(file_path(path, sizeof(path), "%s/journal.damaged-20250514T090000Z.db",
		bench->config.state), 0);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
	assert_true(fd >= 0);
	close(fd);
	add(bench, 2);
	fail_once(bench, NOW_NS);
	assert_int_equal(save(bench, NOW_NS + 5 * NS_PER_S), 0);
	assert_all_in(bench, 2);
}

static void a_lock_that_is_taken_is_waited_for(void **state)
{
	struct bench *bench = *state;
	struct journal *other;
	add(bench, 2);
	fail_once(bench, NOW_NS);
	assert_int_equal(journal_open(bench->config.state, JOURNAL_WRITE, &other, NULL), 0);
	int r = save(bench, NOW_NS + 5 * NS_PER_S);
	journal_close(other);
	assert_int_equal(r, -EBUSY);
	assert_int_equal(bench->n_told, 0);
	assert_int_equal(save(bench, NOW_NS + 10 * NS_PER_S), 0);
	assert_all_in(bench, 2);
}

static void a_folder_that_cannot_be_made_says_what_to_set(void **state)
{
	struct config config = {.state = "/proc/no/such"};
	struct saver saver;
	struct error error;
	assert_true(saver_open(&saver, &config, &error) < 0);
	assert_non_null(strstr(error.text, "set state in [box]"));
	saver_close(&saver);
}

/* --- a full disk; runs in a process of its own --- */

#define CANNOT 77

static void map_user(unsigned int id)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "0 %u 1", id);
	int fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
	(void)!write(fd, text, (size_t)n);
	close(fd);
}

static bool mount_small(const char *path)
{
	unsigned int id = geteuid();
	if (unshare(CLONE_NEWNS) < 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) {
			return false;
		}
		map_user(id);
	}
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		mount("small", path, "tmpfs", 0, "size=6m") == 0;
}

/* Fills what is free. */
static void fill(const char *folder)
{
	char path[FILE_PATH_CHARS];
	char bytes[512] = {1};
	(void)!file_path(path, sizeof(path), "%s/filler", folder);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	while (write(fd, bytes, sizeof(bytes)) > 0) {
	}
	close(fd);
}

/* What went wrong, or NULL. */
static const char *live_on_a_full_disk(struct bench *bench)
{
	const char *folder = bench->config.state;
	bench->next_seq = 1;
	if (saver_open(&bench->saver, &bench->config, NULL) != 0 ||
		space_reserve(&bench->config) != 0) {
		return "cannot begin";
	}
	fill(folder);
	if (space_for_sound(&bench->config)) {
		return "there is room for sound on a full disk";
	}
	/* the reserve is given up, and there is room for thousands of events */
	for (int i = 0; i < 1000; i++) {
		struct entries entries = {0};
		struct entry entry = new_entry(bench);
		if (entries_add(&entries, &entry) < 0 || saver_add(&bench->saver, &entries) < 0 ||
			save(bench, NOW_NS + i) != 0) {
			return "an event was refused though there is a reserve";
		}
	}
	if (space_release(&bench->config) != -ENOENT) {
		return "the reserve was not used";
	}
	/* without it there is an end, which can be waited for */
	fill(folder);
	int r = 0;
	for (int i = 0; r == 0 && i < 1000; i++) {
		struct entries entries = {0};
		struct entry entry = new_entry(bench);
		(void)!entries_add(&entries, &entry);
		(void)!saver_add(&bench->saver, &entries);
		r = save(bench, NOW_NS + i);
	}
	if (r != -ENOSPC) {
		return "a full disk is not called one";
	}
	char path[FILE_PATH_CHARS];
	(void)!file_path(path, sizeof(path), "%s/filler", folder);
	unlink(path);
	if (save(bench, saver_deadline(&bench->saver)) != 0) {
		return "room again, and still refused";
	}
	for (size_t i = 0; i < bench->n_told; i++) {
		if (bench->told[i] != (int64_t)i + 1) {
			return "not each once and in order";
		}
	}
	bool all = (int64_t)bench->n_told == bench->next_seq - 1 &&
		journal_last(bench->saver.journal) == bench->next_seq - 1;
	saver_close(&bench->saver);
	return all ? NULL : "not all are in";
}

static void a_full_disk_gives_its_reserve_to_events(void **state)
{
	struct bench *bench = *state;
	int status;
	fflush(NULL);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		saver_close(&bench->saver);
		if (!mount_small(bench->config.state)) {
			_exit(CANNOT);
		}
		const char *wrong = live_on_a_full_disk(bench);
		if (wrong) {
			print_error("%s\n", wrong);
		}
		_exit(wrong ? 1 : 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == CANNOT) {
		print_message("skipped: this process may not mount a small file system\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_saved_is_told_in_order_and_once),
		TEST(a_disk_that_refuses_is_asked_again_and_gets_all_once),
		TEST(entries_that_did_get_in_are_not_written_twice),
		TEST(another_writers_entries_are_not_taken_for_ours),
		TEST(a_journal_that_lost_its_end_is_another_one),
		TEST(a_damaged_journal_is_another_one),
		TEST(an_empty_journal_beside_a_damaged_one_is_gone_on_with),
		TEST(a_lock_that_is_taken_is_waited_for),
		TEST(a_folder_that_cannot_be_made_says_what_to_set),
		TEST(a_full_disk_gives_its_reserve_to_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
