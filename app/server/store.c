/*
 * One connection writes, others read.
 *
 * Writers queue. Whoever finds nobody leading takes the whole queue, runs its jobs
 * in one transaction, each in a savepoint, commits once and wakes the others:
 *
 *	thread A   [ jobs A             commit ][ -          ]
 *	thread B      wait ................... [ jobs B C D   commit ]
 *	thread C          wait ................................... done
 *	thread D             wait ................................ done
 *
 * So an fsync is shared by all that came while the last one ran, and nobody is
 * told "kept" before the commit that keeps it. There is one writing connection in
 * the whole process because SQLite's WAL before 3.51.3 can lose a reset when two
 * write or checkpoint at one instant; readers are opened read-only and never
 * checkpoint.
 */
#include "app/server/store.h"

#include "app/base/file.h"
#include "app/journal/sql.h"
#include "app/server/schema.h"
#include "app/server/store_sql.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define STATEMENTS_MOST 128
#define BATCH_MOST 64
#define PARAMETERS_MOST 16
#define BUSY_MS 5000

struct kept_statement {
	const char *sql;
	sqlite3_stmt *stmt;
	int index[PARAMETERS_MOST]; /* where parameter $1, $2, ... stands */
};

struct store_db {
	sqlite3 *db;
	struct kept_statement kept[STATEMENTS_MOST];
	size_t n_kept;
	struct store_db *next; /* in the list of readers that rest */
};

struct waiting {
	store_job *job;
	void *arg;
	struct error *error;
	int r;
	bool done;
	pthread_cond_t turn; /* done, or to lead */
	struct waiting *next;
};

struct store {
	char path[FILE_PATH_CHARS];
	int lock_fd;
	struct store_db *writer;
	pthread_mutex_t lock; /* of all below */
	bool leading;
	struct waiting *first, **last;
	struct store_db *resting;
};

/* --- connections --- */

static void db_close(struct store_db *db)
{
	size_t i;

	if (!db) {
		return;
	}
	for (i = 0; i < db->n_kept; i++) {
		(void)sqlite3_finalize(db->kept[i].stmt);
	}
	(void)sqlite3_close(db->db);
	free(db);
}

static int db_open(const char *path, bool writing, struct store_db **ret_db, struct error *error)
{
	static const char writer_rules[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
					   "PRAGMA foreign_keys=ON; PRAGMA mmap_size=0;"
					   "PRAGMA journal_size_limit=67108864";
	static const char reader_rules[] = "PRAGMA query_only=ON; PRAGMA wal_autocheckpoint=0;"
					   "PRAGMA mmap_size=0";
	int flags = writing ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
	struct store_db *db = calloc(1, sizeof(*db));
	int result, r;

	if (!db) {
		return error_set(error, -ENOMEM, "out of memory");
	}
	result = sqlite3_open_v2(path, &db->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
	if (result != SQLITE_OK) {
		r = sql_fail(db->db, result, path, error);
		goto fail;
	}
	(void)sqlite3_extended_result_codes(db->db, 1);
	(void)sqlite3_busy_timeout(db->db, BUSY_MS);
	r = sql_run(db->db, writing ? writer_rules : reader_rules, path, error);
	if (r == 0 && writing) {
		r = sql_bring_up(db->db, schema_steps, schema_n_steps, error);
		if (r < 0) {
			(void)error_prefix(error, r, "%s", path);
		}
	}
	if (r < 0) {
		goto fail;
	}
	*ret_db = db;
	return 0;

fail:
	db_close(db);
	return r;
}

static int take_lock(const char *dir, int *ret_fd, struct error *error)
{
	char path[FILE_PATH_CHARS];
	int fd, r;

	r = file_path(path, sizeof(path), "%s/lock", dir);
	if (r < 0) {
		return error_set(error, r, "%s: the path is too long", dir);
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (fd < 0) {
		return error_set(error, -errno, "%s: %s", path, strerror(errno));
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		r = errno == EWOULDBLOCK ? -EBUSY : -errno;
		(void)close(fd);
		return error_set(error, r, "%s: %s", dir,
			r == -EBUSY ? "another chalkbox-server works in this folder"
				    : strerror(-r));
	}
	*ret_fd = fd;
	return 0;
}

int store_open(const char *dir, struct store **ret_store, struct error *error)
{
	struct store *store = calloc(1, sizeof(*store));
	int r;

	if (!store) {
		return error_set(error, -ENOMEM, "out of memory");
	}
	/* counting memory would have all threads meet at one lock; no harm if too late */
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	store->lock_fd = -1;
	store->last = &store->first;
	(void)pthread_mutex_init(&store->lock, NULL);
	r = file_path(store->path, sizeof(store->path), "%s/server.db", dir);
	if (r < 0) {
		(void)error_set(error, r, "%s: the path is too long", dir);
		goto fail;
	}
	r = take_lock(dir, &store->lock_fd, error);
	if (r == 0) {
		r = db_open(store->path, true, &store->writer, error);
	}
	if (r < 0) {
		goto fail;
	}
	*ret_store = store;
	return 0;

fail:
	store_close(store);
	return r;
}

void store_close(struct store *store)
{
	struct store_db *db;

	if (!store) {
		return;
	}
	while ((db = store->resting)) {
		store->resting = db->next;
		db_close(db);
	}
	db_close(store->writer); /* last: it may checkpoint */
	if (store->lock_fd >= 0) {
		(void)close(store->lock_fd);
	}
	(void)pthread_mutex_destroy(&store->lock);
	free(store);
}

/* --- writing --- */

static int plain(struct store_db *db, const char *sql, struct error *error)
{
	return sql_do(db, NULL, error, sql, "");
}

/* Runs one job so that a failing one leaves nothing behind. */
static int run_one(struct store_db *db, struct waiting *w)
{
	struct error *error = w->error;
	int r = plain(db, "SAVEPOINT job", error), undo;

	if (r < 0) {
		return r;
	}
	r = w->job(db, w->arg, error);
	if (r != 0 && sqlite3_get_autocommit(db->db)) {
		return r; /* SQLite has rolled back everything by itself */
	}
	undo = r != 0 ? plain(db, "ROLLBACK TO job", NULL) : 0;
	if (undo == 0) {
		undo = plain(db, "RELEASE job", NULL);
	}
	return r == 0 && undo < 0 ? error_set(error, undo, "ending a piece of work failed") : r;
}

/* All of the list has failed that has not failed on its own already. */
static void fail_rest(struct waiting *list, int r, const struct error *error)
{
	for (; list; list = list->next) {
		if (list->r == 0) {
			list->r = error_set(list->error, r, "%s", error->text);
		}
	}
}

static void run_batch(struct store_db *db, struct waiting *list)
{
	struct error error = {""};
	struct waiting *w;
	int r = plain(db, "BEGIN IMMEDIATE", &error);

	for (w = list; r == 0 && w; w = w->next) {
		w->r = run_one(db, w);
		if (sqlite3_get_autocommit(db->db)) {
			r = error_set(
				&error, w->r < 0 ? w->r : -EIO, "SQLite gave the transaction up");
		}
	}
	if (r == 0) {
		r = plain(db, "COMMIT", &error);
	}
	if (r < 0) {
		if (!sqlite3_get_autocommit(db->db)) {
			(void)plain(db, "ROLLBACK", NULL);
		}
		fail_rest(list, r, &error);
	}
}

/* Takes up to BATCH_MOST from the queue; under the lock. */
static struct waiting *take_batch(struct store *store)
{
	struct waiting *list = store->first, **end = &store->first;
	size_t n;

	for (n = 0; *end && n < BATCH_MOST; n++) {
		end = &(*end)->next;
	}
	store->first = *end;
	*end = NULL;
	if (!store->first) {
		store->last = &store->first;
	}
	return list;
}

static void lead(struct store *store)
{
	struct waiting *list = take_batch(store), *next;

	store->leading = true;
	(void)pthread_mutex_unlock(&store->lock);
	run_batch(store->writer, list);
	(void)pthread_mutex_lock(&store->lock);
	store->leading = false;
	for (; list; list = next) {
		next = list->next; /* once the lock is given up, it may be gone */
		list->done = true;
		(void)pthread_cond_signal(&list->turn);
	}
	if (store->first) {
		(void)pthread_cond_signal(&store->first->turn);
	}
}

int store_write(struct store *store, store_job *job, void *arg, struct error *error)
{
	struct waiting mine = {.job = job, .arg = arg, .error = error};

	(void)pthread_cond_init(&mine.turn, NULL);
	(void)pthread_mutex_lock(&store->lock);
	*store->last = &mine;
	store->last = &mine.next;
	while (!mine.done) {
		if (store->leading) {
			(void)pthread_cond_wait(&mine.turn, &store->lock);
		} else {
			lead(store);
		}
	}
	(void)pthread_mutex_unlock(&store->lock);
	(void)pthread_cond_destroy(&mine.turn);
	return mine.r;
}

/* --- reading --- */

static int reader_take(struct store *store, struct store_db **ret_db, struct error *error)
{
	struct store_db *db;

	(void)pthread_mutex_lock(&store->lock);
	db = store->resting;
	if (db) {
		store->resting = db->next;
	}
	(void)pthread_mutex_unlock(&store->lock);
	if (!db) {
		return db_open(store->path, false, ret_db, error);
	}
	*ret_db = db;
	return 0;
}

int store_read(struct store *store, store_job *job, void *arg, struct error *error)
{
	struct store_db *db;
	int r = reader_take(store, &db, error);

	if (r < 0) {
		return r;
	}
	r = plain(db, "BEGIN", error);
	if (r == 0) {
		r = job(db, arg, error);
		if (plain(db, "COMMIT", NULL) < 0) {
			(void)plain(db, "ROLLBACK", NULL);
		}
	}
	if (!sqlite3_get_autocommit(db->db)) {
		db_close(db); /* stuck in its view: the next one opens anew */
		return r;
	}
	(void)pthread_mutex_lock(&store->lock);
	db->next = store->resting;
	store->resting = db;
	(void)pthread_mutex_unlock(&store->lock);
	return r;
}

/* --- statements --- */

/*
 * To SQLite "$1" is a name, whose index is where it first stands in the text: it
 * is looked up once.
 */
static void find_parameters(struct kept_statement *kept)
{
	char name[16];
	int number;

	for (number = 1; number <= PARAMETERS_MOST; number++) {
		(void)snprintf(name, sizeof(name), "$%d", number);
		kept->index[number - 1] = sqlite3_bind_parameter_index(kept->stmt, name);
	}
}

static int statement(struct store_db *db, const char *sql, const struct kept_statement **ret_kept,
	struct error *error)
{
	struct kept_statement *kept;
	size_t i;
	int r;

	for (i = 0; i < db->n_kept; i++) {
		if (db->kept[i].sql == sql) {
			*ret_kept = &db->kept[i];
			return 0;
		}
	}
	assert(db->n_kept < STATEMENTS_MOST);
	kept = &db->kept[db->n_kept];
	r = sql_prepare(db->db, sql, &kept->stmt, error);
	if (r < 0) {
		return r;
	}
	kept->sql = sql;
	find_parameters(kept);
	db->n_kept++;
	*ret_kept = kept;
	return 0;
}

static int bind_all(const struct kept_statement *kept, const char *types, va_list args)
{
	int result = SQLITE_OK, i;

	for (i = 0; types[i] && result == SQLITE_OK; i++) {
		assert(i < PARAMETERS_MOST && kept->index[i] > 0);
		if (types[i] == 't') {
			result = sqlite3_bind_text(kept->stmt, kept->index[i],
				va_arg(args, const char *), -1, SQLITE_STATIC);
		} else {
			assert(types[i] == 'i');
			result = sqlite3_bind_int64(
				kept->stmt, kept->index[i], va_arg(args, int64_t));
		}
	}
	return result;
}

static int begin(struct store_db *db, sqlite3_stmt **ret_stmt, struct error *error, const char *sql,
	const char *types, va_list args)
{
	const struct kept_statement *kept;
	int result, r;

	r = statement(db, sql, &kept, error);
	if (r < 0) {
		return r;
	}
	result = bind_all(kept, types, args);
	if (result != SQLITE_OK) {
		r = sql_fail(db->db, result, "binding parameters", error);
		sql_done(kept->stmt);
		return r;
	}
	*ret_stmt = kept->stmt;
	return 0;
}

int sql_begin(struct store_db *db, sqlite3_stmt **ret_stmt, struct error *error, const char *sql,
	const char *types, ...)
{
	va_list args;
	int r;

	va_start(args, types);
	r = begin(db, ret_stmt, error, sql, types, args);
	va_end(args);
	return r;
}

int sql_next(struct store_db *db, sqlite3_stmt *stmt, struct error *error)
{
	int result = sqlite3_step(stmt);

	if (result == SQLITE_ROW) {
		return 1;
	}
	return result == SQLITE_DONE ? 0 : sql_fail(db->db, result, "the server's database", error);
}

void sql_done(sqlite3_stmt *stmt)
{
	(void)sqlite3_reset(stmt);
	(void)sqlite3_clear_bindings(stmt);
}

int sql_do(struct store_db *db, int *ret_changed, struct error *error, const char *sql,
	const char *types, ...)
{
	sqlite3_stmt *stmt;
	va_list args;
	int r;

	va_start(args, types);
	r = begin(db, &stmt, error, sql, types, args);
	va_end(args);
	if (r < 0) {
		return r;
	}
	do {
		r = sql_next(db, stmt, error);
	} while (r > 0);
	if (r == 0 && ret_changed) {
		*ret_changed = sqlite3_changes(db->db);
	}
	sql_done(stmt);
	return r;
}

void sql_text(sqlite3_stmt *stmt, int column, char *ret_text, size_t room)
{
	const char *text = (const char *)sqlite3_column_text(stmt, column);
	size_t n = text ? strnlen(text, room - 1) : 0;

	memcpy(ret_text, text ? text : "", n);
	ret_text[n] = '\0';
}

char *sql_text_new(sqlite3_stmt *stmt, int column)
{
	const char *text = (const char *)sqlite3_column_text(stmt, column);

	return strdup(text ? text : "");
}
