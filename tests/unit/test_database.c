/* What stands under the journal: a database that may be damaged, or of another version. */
#include "tests/unit/journal_bench.h"

#include "app/journal/sql.h"

#include <errno.h>
#include <signal.h>

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

static void damage_is_said_until_the_new_journal_holds_something(void **state)
{
	struct journal *journal;
	struct error error;

	write_whole("journal.db", "Dear diary", 10);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
			journal_open(dir, JOURNAL_WRITE, &journal, &error), JOURNAL_E_SET_ASIDE);
		assert_non_null(strstr(error.text, "journal.damaged-"));
		assert_int_equal(count_named("journal.damaged-", NULL, 0), 1);
		if (i == 2) {
			append_or_fail(journal, 1);
		}
		journal_close(journal);
	}
	journal_close(open_or_fail(JOURNAL_WRITE));
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
		TEST(a_database_cut_off_anywhere_is_opened_or_set_aside),
		TEST(a_flipped_bit_anywhere_does_no_harm),
		TEST(a_torn_log_keeps_the_commits_before_the_tear),
		TEST(what_is_no_database_is_set_aside_and_kept),
		TEST(somebody_elses_database_is_not_written_into),
		TEST(an_interrupted_setting_aside_is_gone_on_with),
		TEST(damage_is_said_until_the_new_journal_holds_something),
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
