#include "app/server/blobs.h"
#include "app/server/store.h"
#include "app/server/store_boxes.h"
#include "app/server/store_entries.h"
#include "app/server/store_observations.h"
#include "app/server/store_people.h"
#include "app/server/store_sql.h"
#include "app/server/store_uploads.h"

#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define JOURNAL "0f5a3c1e-9d2b-4c6f-8a17-2b3c4d5e6f70"
#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER_SHA "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define THREADS 8
#define JOBS 50

struct fixture {
	char dir[64];
	struct store *store;
	struct error error;
};

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *ftw)
{
	return remove(path);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/test-store-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(store_open(f->dir, &f->store, &f->error), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	store_close(f->store);
	(void)nftw(f->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(f);
	return 0;
}

static void reopen(struct fixture *f)
{
	store_close(f->store);
	f->store = NULL;
	assert_int_equal(store_open(f->dir, &f->store, &f->error), 0);
}

/* A paired box of that name; its id is the name. */
static void make_box(struct fixture *f, const char *name, const char *coach)
{
	struct box_row box = {0};

	(void)snprintf(box.id, sizeof(box.id), "%s", name);
	(void)snprintf(box.name, sizeof(box.name), "%s", name);
	assert_int_equal(store_pairing_add(f->store, name, coach, 1000, 1, &f->error), 0);
	assert_int_equal(store_pairing_take(f->store, name, &box, name, 2, &f->error), 0);
}

static int64_t count(struct fixture *f, const char *sql);

struct counting {
	const char *sql;
	int64_t n;
};

static int count_job(struct store_db *db, void *arg, struct error *error)
{
	struct counting *counting = arg;
	sqlite3_stmt *stmt;
	int r = sql_begin(db, &stmt, error, counting->sql, "");

	if (r < 0) {
		return r;
	}
	r = sql_next(db, stmt, error);
	counting->n = r > 0 ? sqlite3_column_int64(stmt, 0) : -1;
	sql_done(stmt);
	return r < 0 ? r : 0;
}

static int64_t count(struct fixture *f, const char *sql)
{
	struct counting counting = {.sql = sql};

	assert_int_equal(store_read(f->store, count_job, &counting, &f->error), 0);
	return counting.n;
}

/* --- jobs --- */

static int note_job(struct store_db *db, void *arg, struct error *error)
{
	const int64_t *value = arg;

	return sql_do(db, NULL, error,
		"INSERT INTO pairing(expires_ns, coach, code) VALUES($3, $2, $1)", "tti",
		*value % 2 ? "odd" : "even", "coach", *value);
}

/* Writes, and then says that it went wrong. */
static int failing_job(struct store_db *db, void *arg, struct error *error)
{
	int r = sql_do(db, NULL, error,
		"INSERT INTO pairing(code, coach, expires_ns) VALUES('failed', 'x', 1)", "");

	return r < 0 ? r : 7;
}

static void parameters_are_bound_by_their_number(void **state)
{
	struct fixture *f = *state;
	int64_t value = 12;

	assert_int_equal(store_write(f->store, note_job, &value, &f->error), 0);
	assert_int_equal(count(f, "SELECT expires_ns FROM pairing WHERE code = 'even'"), 12);
}

static void a_job_that_fails_leaves_nothing(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(store_write(f->store, failing_job, NULL, &f->error), 7);
	assert_int_equal(count(f, "SELECT COUNT(*) FROM pairing"), 0);
}

static void a_job_that_breaks_a_rule_of_the_tables_fails_alone(void **state)
{
	struct fixture *f = *state;
	int64_t value = 12;

	assert_int_equal(store_write(f->store, note_job, &value, &f->error), 0);
	assert_true(store_write(f->store, note_job, &value, &f->error) < 0);
	value = 13;
	assert_int_equal(store_write(f->store, note_job, &value, &f->error), 0);
	assert_int_equal(count(f, "SELECT COUNT(*) FROM pairing"), 2);
}

struct writer {
	struct fixture *f;
	int number, ok, failed;
};

static int add_job(struct store_db *db, void *arg, struct error *error)
{
	const char *code = arg;
	int r = sql_do(db, NULL, error,
		"INSERT INTO pairing(code, coach, expires_ns) VALUES($1, 'x', 1)", "t", code);

	return r < 0 ? r : code[strlen(code) - 1] == '7' ? 7 : 0;
}

static void *write_many(void *data)
{
	struct writer *writer = data;
	struct error error;
	char code[32];
	int i, r;

	for (i = 0; i < JOBS; i++) {
		(void)snprintf(code, sizeof(code), "%d-%d", writer->number, i);
		r = store_write(writer->f->store, add_job, code, &error);
		writer->ok += r == 0;
		writer->failed += r == 7;
		/* a reader sees what this thread was told is kept */
		if (count(writer->f, "SELECT COUNT(*) FROM pairing") < writer->ok) {
			writer->ok = -1000000;
		}
	}
	return NULL;
}

static void many_threads_share_commits_and_only_failing_jobs_fail(void **state)
{
	struct fixture *f = *state;
	struct writer writers[THREADS];
	pthread_t threads[THREADS];
	int i;

	for (i = 0; i < THREADS; i++) {
		writers[i] = (struct writer){.f = f, .number = i};
		assert_int_equal(pthread_create(&threads[i], NULL, write_many, &writers[i]), 0);
	}
	for (i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(writers[i].ok, JOBS - JOBS / 10);
		assert_int_equal(writers[i].failed, JOBS / 10);
	}
	reopen(f);
	assert_int_equal(count(f, "SELECT COUNT(*) FROM pairing"), THREADS * (JOBS - JOBS / 10));
}

static void readers_cannot_write(void **state)
{
	struct fixture *f = *state;
	char code[] = "x";

	assert_true(store_read(f->store, add_job, code, &f->error) < 0);
	assert_int_equal(count(f, "SELECT COUNT(*) FROM pairing"), 0);
}

/* --- opening --- */

static void a_folder_has_one_store_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct store *second;

	assert_int_equal(store_open(f->dir, &second, &f->error), -EBUSY);
	assert_non_null(strstr(f->error.text, "another chalkbox-server"));
}

static int newer_job(struct store_db *db, void *arg, struct error *error)
{
	return sql_do(db, NULL, error, "PRAGMA user_version = 999", "");
}

static void a_store_of_a_newer_version_is_left_alone(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(store_write(f->store, newer_job, NULL, &f->error), 0);
	store_close(f->store);
	f->store = NULL;
	assert_int_equal(store_open(f->dir, &f->store, &f->error), -EPROTO);
	assert_non_null(strstr(f->error.text, "newer"));
}

static void a_file_that_is_no_database_is_named(void **state)
{
	struct fixture *f = *state;
	char path[128];
	FILE *file;

	store_close(f->store);
	f->store = NULL;
	(void)snprintf(path, sizeof(path), "%s/server.db", f->dir);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs("this is not a database, and long enough to be looked at\n", file) > 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(store_open(f->dir, &f->store, &f->error), -EUCLEAN);
	assert_non_null(strstr(f->error.text, "server.db"));
}

/* --- boxes --- */

static void a_pairing_code_works_once_and_in_its_time(void **state)
{
	struct fixture *f = *state;
	struct box_row box = {.id = "b", .name = "b"};

	make_box(f, "a", "coach");
	assert_int_equal(
		store_pairing_take(f->store, "a", &box, "t", 3, &f->error), STORE_E_CODE_GONE);
	assert_int_equal(
		store_pairing_take(f->store, "x", &box, "t", 3, &f->error), STORE_E_NO_CODE);
	assert_int_equal(store_pairing_add(f->store, "c", "coach", 10, 1, &f->error), 0);
	assert_int_equal(
		store_pairing_take(f->store, "c", &box, "t", 11, &f->error), STORE_E_CODE_GONE);
	assert_int_equal(store_box_by_token(f->store, "t", &box, &f->error), STORE_E_NO_BOX);
}

static void a_revoked_box_is_no_box(void **state)
{
	struct fixture *f = *state;
	struct box_row box;

	make_box(f, "a", "coach");
	assert_int_equal(store_box_by_token(f->store, "a", &box, &f->error), 0);
	assert_string_equal(box.coach, "coach");
	assert_int_equal(store_box_change(f->store, "a", NULL, NULL, 5, &f->error), 0);
	assert_int_equal(store_box_by_token(f->store, "a", &box, &f->error), STORE_E_NO_BOX);
	/* and stays one */
	assert_int_equal(store_box_change(f->store, "a", "new name", NULL, 0, &f->error), 0);
	assert_int_equal(store_box_by_token(f->store, "a", &box, &f->error), STORE_E_NO_BOX);
	assert_int_equal(store_box_change(f->store, "x", NULL, NULL, 5, &f->error), STORE_E_NO_BOX);
}

/* --- entries and sound --- */

static void add_entries(struct fixture *f, const char *box, int64_t from, size_t n,
	const char *sha256, struct entry_batch *ret_batch)
{
	static struct entry list[16];
	static const char *wrong[16];
	static struct entry_refusal refused[16];
	static char body[512];
	size_t i;

	(void)snprintf(body, sizeof(body),
		"{\"file\":\"a.opus\",\"codec\":\"opus\",\"from_ns\":1,\"to_ns\":2,\"bytes\":3,"
		"\"sha256\":\"%s\"}",
		sha256);
	for (i = 0; i < n; i++) {
		list[i] = (struct entry){
			.seq = from + (int64_t)i, .boot = 1, .kind = ENTRY_SNIPPET, .body = body};
		wrong[i] = NULL;
	}
	*ret_batch = (struct entry_batch){.journal = JOURNAL,
		.box = box,
		.coach = "coach",
		.list = list,
		.wrong = wrong,
		.n = n,
		.refused = refused};
	assert_int_equal(store_entries_add(f->store, ret_batch, &f->error), 0);
}

static void entries_are_kept_without_a_hole_and_once(void **state)
{
	struct fixture *f = *state;
	struct entry_batch batch;

	make_box(f, "a", "coach");
	add_entries(f, "a", 2, 3, SHA, &batch);
	assert_int_equal(batch.kept, 0);
	assert_int_equal(batch.n_refused, 3);
	assert_string_equal(batch.refused[0].reason, "hole");
	add_entries(f, "a", 1, 3, SHA, &batch);
	assert_int_equal(batch.kept, 3);
	add_entries(f, "a", 2, 4, SHA, &batch);
	assert_int_equal(batch.kept, 5);
	assert_int_equal(batch.n_refused, 0);
	add_entries(f, "a", 5, 2, OTHER_SHA, &batch);
	assert_int_equal(batch.kept, 6);
	assert_int_equal(batch.n_refused, 1);
	assert_string_equal(batch.refused[0].reason, "differs");
	assert_int_equal(count(f, "SELECT COUNT(*) FROM entry"), 6);
	assert_int_equal(count(f, "SELECT COUNT(*) FROM snippet"), 6);
}

static void a_journal_moves_only_when_its_box_lets_go(void **state)
{
	struct fixture *f = *state;
	int64_t kept = -1;

	make_box(f, "a", "coach");
	make_box(f, "b", "coach");
	make_box(f, "c", "other");
	assert_int_equal(store_journal_claim(f->store, JOURNAL, "a", &kept, &f->error), 0);
	assert_int_equal(kept, 0);
	assert_int_equal(
		store_journal_claim(f->store, JOURNAL, "c", &kept, &f->error), STORE_E_OTHERS);
	assert_int_equal(store_journal_claim(f->store, JOURNAL, "b", &kept, &f->error), 0);
	assert_int_equal(store_box_change(f->store, "b", NULL, NULL, 5, &f->error), 0);
	assert_int_equal(store_journal_claim(f->store, JOURNAL, "c", &kept, &f->error), 0);
}

static bool is_there(void *data, const char *sha256)
{
	return *(const bool *)data;
}

static void sound_is_missing_until_it_is_there_and_noted(void **state)
{
	struct fixture *f = *state;
	struct upload_row upload = {.id = "u",
		.box = "a",
		.of = {.journal = JOURNAL, .seq = 1, .sha256 = SHA},
		.bytes = 3,
		.expires_ns = 10};
	struct entry_batch batch;
	char ended[ID_CHARS];
	bool there = false;
	int64_t seqs[4];
	size_t n;

	make_box(f, "a", "coach");
	assert_int_equal(store_upload_check(f->store, &upload, &f->error), STORE_E_NO_SNIPPET);
	add_entries(f, "a", 1, 1, SHA, &batch);
	assert_int_equal(store_upload_check(f->store, &upload, &f->error), 0);
	upload.bytes = 4;
	assert_int_equal(store_upload_check(f->store, &upload, &f->error), STORE_E_DIFFERS);
	upload.bytes = 3;
	assert_int_equal(
		store_upload_done(f->store, &upload, 5, is_there, &there, ended, &f->error),
		-EAGAIN);
	assert_int_equal(store_snippets_missing(f->store, JOURNAL, seqs, 4, &n, &f->error), 0);
	assert_int_equal(n, 1);
	there = true;
	assert_int_equal(
		store_upload_done(f->store, &upload, 5, is_there, &there, ended, &f->error), 0);
	assert_int_equal(store_snippets_missing(f->store, JOURNAL, seqs, 4, &n, &f->error), 0);
	assert_int_equal(n, 0);
	assert_int_equal(store_upload_check(f->store, &upload, &f->error), STORE_E_KEPT);
}

static void a_new_upload_ends_the_snippets_earlier_one(void **state)
{
	struct fixture *f = *state;
	struct upload_row upload = {.id = "u",
		.box = "a",
		.of = {.journal = JOURNAL, .seq = 1, .sha256 = SHA},
		.bytes = 3,
		.expires_ns = 10};
	struct entry_batch batch;
	char id[ID_CHARS];

	make_box(f, "a", "coach");
	add_entries(f, "a", 1, 1, SHA, &batch);
	assert_int_equal(store_upload_add(f->store, &upload, id, &f->error), 0);
	assert_string_equal(id, "");
	upload.id[0] = 'v';
	assert_int_equal(store_upload_add(f->store, &upload, id, &f->error), 0);
	assert_string_equal(id, "u");
	assert_int_equal(store_upload_known(f->store, "u", &f->error), 0);
	assert_int_equal(store_upload_known(f->store, "v", &f->error), 1);
	assert_int_equal(store_upload_expire(f->store, 10, id, &f->error), STORE_E_NO_UPLOAD);
	assert_int_equal(store_upload_expire(f->store, 11, id, &f->error), 0);
	assert_string_equal(id, "v");
	assert_int_equal(store_upload_known(f->store, "v", &f->error), 0);
}

static void make_file(struct fixture *f, const char *sha256)
{
	char path[192];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/blobs/%.2s/%s", f->dir, sha256, sha256);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fclose(file), 0);
}

static void a_sound_is_dropped_when_nobody_wants_it_and_no_other_with_it(void **state)
{
	struct fixture *f = *state;
	struct entry_batch batch;
	struct blobs *blobs;

	assert_int_equal(blobs_open(f->dir, &blobs, &f->error), 0);
	make_box(f, "a", "coach");
	add_entries(f, "a", 1, 1, SHA, &batch);
	make_file(f, SHA);
	make_file(f, OTHER_SHA); /* no snippet names it */
	assert_int_equal(store_sound_drop(f->store, blobs, SHA, &f->error), 0);
	assert_true(blobs_has(blobs, SHA));
	assert_int_equal(store_sound_withdraw(f->store, JOURNAL, 1, "teacher", 9, &f->error), 0);
	assert_int_equal(store_sound_drop(f->store, blobs, SHA, &f->error), 0);
	assert_false(blobs_has(blobs, SHA));
	assert_true(blobs_has(blobs, OTHER_SHA));
	blobs_close(blobs);
}

/* Somebody with an invitation of that code. */
static struct person make_person(
	struct fixture *f, const char *name, unsigned int roles, const char *code)
{
	struct person person = {.roles = roles, .invited_ns = 1};
	struct store_key key = {code, 1000};

	(void)snprintf(person.name, sizeof(person.name), "%s", name);
	assert_int_equal(store_person_add(f->store, &person, "someone", &key, &f->error), 0);
	return person;
}

static void an_invitation_gives_the_roles_of_now(void **state)
{
	struct fixture *f = *state;
	struct person_change other = {.roles = ROLE_TEACHER, .now_ns = 2};
	struct store_key key = {"session", 1000};
	struct person invited, now;

	(void)make_person(f, "ada", ROLE_COACH | ROLE_ADMINISTRATOR, "code");
	(void)make_person(f, "admin", ROLE_ADMINISTRATOR, "other"); /* one has to stay */
	assert_int_equal(store_invitation_get(f->store, "code", 2, &invited, &f->error), 0);
	assert_int_equal(store_invitation_get(f->store, "other", 2, &now, &f->error), 0);
	assert_int_equal(
		store_invitation_take(f->store, "other", "hash", &key, 2, &now, &f->error), 0);
	/* between the look at the invitation and its use somebody takes roles away */
	assert_int_equal(store_person_change(f->store, invited.id, &other, &now, &f->error), 0);
	key.hash = "session of ada";
	assert_int_equal(
		store_invitation_take(f->store, "code", "hash", &key, 3, &invited, &f->error), 0);
	assert_int_equal(invited.roles, ROLE_TEACHER);
	assert_int_equal(store_person_get(f->store, invited.id, &now, &f->error), 0);
	assert_int_equal(now.roles, ROLE_TEACHER);
	assert_true(now.joined);
}

static void a_session_needs_the_password_of_now(void **state)
{
	struct fixture *f = *state;
	struct person_change revoke = {.revoke = true, .now_ns = 5};
	struct store_key key = {"first", 1000};
	struct person person = make_person(f, "ada", ROLE_TEACHER, "code"), now;

	assert_int_equal(
		store_invitation_take(f->store, "code", "old", &key, 2, &person, &f->error), 0);
	key.hash = "second";
	assert_int_equal(store_session_add(f->store, &key, person.id, "old", 3, &f->error), 0);
	key.hash = "third";
	assert_int_equal(
		store_password_change(f->store, &person, "old", "new", &key, 4, &f->error), 0);
	key.hash = "fourth"; /* it was verified against the password before */
	assert_int_equal(
		store_session_add(f->store, &key, person.id, "old", 4, &f->error), STORE_E_NONE);
	assert_int_equal(count(f, "SELECT count(*) FROM session"), 1);
	assert_int_equal(store_person_change(f->store, person.id, &revoke, &now, &f->error), 0);
	assert_int_equal(
		store_session_add(f->store, &key, person.id, "new", 6, &f->error), STORE_E_NONE);
	assert_int_equal(count(f, "SELECT count(*) FROM session"), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(parameters_are_bound_by_their_number),
		TEST(a_job_that_fails_leaves_nothing),
		TEST(a_job_that_breaks_a_rule_of_the_tables_fails_alone),
		TEST(many_threads_share_commits_and_only_failing_jobs_fail),
		TEST(readers_cannot_write),
		TEST(a_folder_has_one_store_at_a_time),
		TEST(a_store_of_a_newer_version_is_left_alone),
		TEST(a_file_that_is_no_database_is_named),
		TEST(a_pairing_code_works_once_and_in_its_time),
		TEST(a_revoked_box_is_no_box),
		TEST(entries_are_kept_without_a_hole_and_once),
		TEST(a_journal_moves_only_when_its_box_lets_go),
		TEST(sound_is_missing_until_it_is_there_and_noted),
		TEST(a_new_upload_ends_the_snippets_earlier_one),
		TEST(a_sound_is_dropped_when_nobody_wants_it_and_no_other_with_it),
		TEST(an_invitation_gives_the_roles_of_now),
		TEST(a_session_needs_the_password_of_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
