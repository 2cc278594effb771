/*
 * One connection writes and checkpoints, under a lock file; everybody else opens
 * read-only, and a read-only connection never checkpoints. That keeps clear of
 * what goes wrong in SQLite when two connections write or checkpoint at once.
 *
 * A commit appends to the -wal and syncs it. The database file itself changes
 * only in a checkpoint, every CHECKPOINT_FRAMES frames, after which the -wal is
 * used from its beginning again: a file that does not grow costs the file system
 * no journal of its own. Rarer checkpoints would save little, and let the -wal
 * and a start after a power cut grow.
 */
#include "app/journal/journal.h"

#include "app/base/file.h"
#include "app/journal/aside.h"
#include "app/journal/check.h"
#include "app/journal/database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHECKPOINT_FRAMES 256
#define REREADS_MOST 5

/* How the file looks from outside: whether one read as immutable did change. */
struct glance {
	struct timespec changed;
	off_t bytes;
	bool wal;
};

struct journal {
	enum journal_mode mode;
	int dir_fd, lock_fd;
	char path[FILE_PATH_CHARS];
	struct database base;
	sqlite3_stmt *begin, *insert, *commit, *select;
	int64_t last; /* writing: the highest seq on disk */
	bool stale; /* an append failed: nothing more on this handle */
	int sick; /* a checkpoint failed: what the next append returns */
	int wal_frames; /* after the latest commit */
	int checkpoint_at; /* when the next one is due, in frames */
	bool frozen; /* read as immutable: nobody was writing */
	struct glance glance;
};

/* --- opening --- */

static void detach(struct journal *journal)
{
	(void)sqlite3_finalize(journal->begin);
	(void)sqlite3_finalize(journal->insert);
	(void)sqlite3_finalize(journal->commit);
	(void)sqlite3_finalize(journal->select);
	journal->begin = journal->insert = journal->commit = journal->select = NULL;
	database_close(&journal->base);
}

/* Called at each commit, with the length of the -wal. */
static int note_frames(void *data, sqlite3 *db, const char *schema, int frames)
{
	struct journal *journal = data;

	if (frames < journal->wal_frames) {
		journal->checkpoint_at = CHECKPOINT_FRAMES;
	}
	journal->wal_frames = frames;
	return SQLITE_OK;
}

static int attach_writing(struct journal *journal, struct error *error)
{
	sqlite3 *db;
	int r;

	r = database_open_writing(&journal->base, journal->path, error);
	if (r < 0) {
		return r;
	}
	db = journal->base.db;
	r = sql_prepare(db, "BEGIN IMMEDIATE", &journal->begin, error);
	if (r == 0) {
		r = sql_prepare(db, "INSERT INTO entry VALUES (?,?,?,?,?,?,?,?,?)",
			&journal->insert, error);
	}
	if (r == 0) {
		r = sql_prepare(db, "COMMIT", &journal->commit, error);
	}
	if (r == 0) {
		r = database_select(&journal->base, &journal->select, error);
	}
	if (r < 0) {
		detach(journal);
		return r;
	}
	journal->last = journal->base.last;
	journal->checkpoint_at = CHECKPOINT_FRAMES;
	(void)sqlite3_wal_hook(db, note_frames, journal);
	return 0;
}

static void glance_at(const struct journal *journal, struct glance *ret_glance)
{
	struct glance glance = {0};
	struct stat status;

	if (fstatat(journal->dir_fd, "journal.db", &status, 0) == 0) {
		glance.changed = status.st_mtim;
		glance.bytes = status.st_size;
	}
	glance.wal = fstatat(journal->dir_fd, "journal.db-wal", &status, 0) == 0;
	*ret_glance = glance;
}

static bool glance_same(const struct glance *a, const struct glance *b)
{
	return a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec &&
		a->bytes == b->bytes && a->wal == b->wal;
}

/*
 * A -wal database needs its -shm, which a reader may not be allowed to make. With
 * no -wal there, nobody writes and the file holds everything: it can be read as
 * it is, as long as it does not change (see journal_read()).
 */
static int attach_reading(struct journal *journal, struct error *error)
{
	int r;

	journal->frozen = false;
	r = database_open_reading(&journal->base, journal->path, false, error);
	if (r == -EACCES || r == -EROFS || r == -EIO) {
		glance_at(journal, &journal->glance);
		if (journal->glance.wal) {
			return error_set(error, -EACCES,
				"a start of the recorder was cut short and this user may not put "
				"it right: start chalkboxd, or read as the user who runs it");
		}
		r = database_open_reading(&journal->base, journal->path, true, error);
		journal->frozen = r == 0;
	}
	if (r == 0) {
		r = database_select(&journal->base, &journal->select, error);
	}
	if (r < 0) {
		detach(journal);
	}
	return r;
}

static int take_lock(struct journal *journal, const char *dir, struct error *error)
{
	journal->lock_fd = openat(
		journal->dir_fd, "journal.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (journal->lock_fd < 0) {
		return error_set(error, -errno, "%s/journal.lock: %s", dir, strerror(errno));
	}
	if (flock(journal->lock_fd, LOCK_EX | LOCK_NB) == 0) {
		return 0;
	}
	if (errno != EWOULDBLOCK) {
		return error_set(error, -errno, "%s/journal.lock: %s", dir, strerror(errno));
	}
	return error_set(error, -EBUSY,
		"another program (chalkboxd, most likely) writes the journal in %s: let it do the "
		"work, or stop it first (systemctl stop chalkboxd)",
		dir);
}

/* SQLite makes files 0644 by itself; what is heard in a class is not for all. */
static int make_file(struct journal *journal, struct error *error)
{
	int fd = openat(journal->dir_fd, "journal.db", O_RDWR | O_CREAT | O_CLOEXEC, 0640);

	if (fd < 0) {
		return error_set(error, -errno, "%s", strerror(errno));
	}
	(void)close(fd);
	return 0;
}

static int open_writing(struct journal *journal, struct error *error)
{
	char name[ASIDE_NAME_CHARS];
	struct error damage;
	bool resumed;
	int r, aside;

	r = aside_resume(journal->dir_fd, name);
	if (r < 0) {
		return error_set(error, r, "moving a damaged one out of the way: %s", strerror(-r));
	}
	resumed = r > 0;
	r = make_file(journal, error);
	if (r < 0) {
		return r;
	}
	/* What an earlier handle could not sync must not be taken for safe. */
	r = file_rewrite(journal->dir_fd, "journal.db-wal");
	if (r < 0) {
		return error_set(error, r, "its write-ahead log: %s", strerror(-r));
	}
	r = attach_writing(journal, error ? error : &damage);
	if (r == 0) {
		r = file_sync_dir(journal->dir_fd);
		if (r == 0 && resumed) {
			return error_set(error, JOURNAL_E_SET_ASIDE,
				"damaged: what was left of it is kept as %s-wal beside a new, "
				"empty journal", name);
		}
		if (r == 0 && journal->last == 0 && aside_kept(journal->dir_fd)) {
			return error_set(error, JOURNAL_E_SET_ASIDE,
				"damaged: the old one is kept as " ASIDE_PREFIX "*.db beside this "
				"new, empty journal");
		}
		return r;
	}
	/* -EROFS: we could open it for writing just now, so the file says it wrongly. */
	if (r != -EUCLEAN && r != -EROFS) {
		return r;
	}
	if (error) {
		damage = *error;
	}
	aside = aside_move(journal->dir_fd, name);
	if (aside < 0) {
		return error_set(error, aside, "damaged (%s), and cannot be renamed: %s",
			damage.text, strerror(-aside));
	}
	r = make_file(journal, error);
	if (r == 0) {
		r = attach_writing(journal, error);
	}
	if (r == 0) {
		r = file_sync_dir(journal->dir_fd);
	}
	if (r < 0) {
		return r;
	}
	return error_set(error, JOURNAL_E_SET_ASIDE,
		"damaged (%.240s): it is kept as %s beside a new, empty journal", damage.text,
		name);
}

static int open_reading(struct journal *journal, const char *dir, struct error *error)
{
	struct stat status;

	if (fstatat(journal->dir_fd, "journal.db", &status, 0) != 0) {
		return error_set(error, -errno,
			"%s: nothing has been recorded in that folder, or it is another one",
			strerror(errno));
	}
	return attach_reading(journal, error);
}

int journal_open(
	const char *dir, enum journal_mode mode, struct journal **ret_journal, struct error *error)
{
	struct journal *journal;
	int r;

	journal = calloc(1, sizeof(*journal));
	if (!journal) {
		return error_set(error, -ENOMEM, "out of memory");
	}
	journal->mode = mode;
	journal->lock_fd = journal->dir_fd = -1;
	r = file_path(journal->path, sizeof(journal->path), "%s/journal.db", dir);
	if (r == 0 && mode == JOURNAL_WRITE) {
		r = file_make_dirs(dir);
	}
	if (r < 0) {
		(void)error_set(error, r, "%s: %s", dir, strerror(-r));
		goto fail;
	}
	journal->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (journal->dir_fd < 0) {
		r = error_set(error, -errno, "%s: %s", dir, strerror(errno));
		goto fail;
	}
	if (mode == JOURNAL_WRITE) {
		r = take_lock(journal, dir, error);
		if (r < 0) {
			goto fail;
		}
		r = open_writing(journal, error);
	} else {
		r = open_reading(journal, dir, error);
		if (r == -EUCLEAN) {
			r = error_prefix(
				error, r, "damaged (chalkboxd sets it aside at its start)");
		}
	}
	if (r != 0) {
		(void)error_prefix(error, r, "%s", journal->path);
	}
	if (r < 0) {
		goto fail;
	}
	*ret_journal = journal;
	return r;

fail:
	journal_close(journal);
	return r;
}

void journal_close(struct journal *journal)
{
	if (!journal) {
		return;
	}
	detach(journal);
	if (journal->lock_fd >= 0) {
		(void)close(journal->lock_fd);
	}
	if (journal->dir_fd >= 0) {
		(void)close(journal->dir_fd);
	}
	free(journal);
}

const char *journal_id(const struct journal *journal)
{
	return journal->base.id;
}

int64_t journal_last(const struct journal *journal)
{
	int64_t last;

	if (journal->mode == JOURNAL_WRITE || !journal->base.db ||
		sql_number(journal->base.db, "SELECT max(seq) FROM entry", &last, NULL) < 0) {
		return journal->last;
	}
	return last;
}

/* --- appending --- */

static int check_new(
	const struct journal *journal, const struct entry *entries, size_t n, struct error *error)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (entries[i].seq < 1 || entries[i].seq - 1 != journal->last + (int64_t)i) {
			return error_set(error, -EINVAL,
				"entry %lld does not follow %lld, the journal's last",
				(long long)entries[i].seq, (long long)(journal->last + (int64_t)i));
		}
		if (entries[i].body &&
			strnlen(entries[i].body, DATABASE_BODY_BYTES) == DATABASE_BODY_BYTES) {
			return error_set(error, -EINVAL, "entry %lld: body of 1 MiB or more",
				(long long)entries[i].seq);
		}
	}
	return 0;
}

static int step(sqlite3_stmt *stmt)
{
	int result = sqlite3_step(stmt);

	/* (sqlite3_reset() repeats the result of the step.) */
	return result == SQLITE_DONE ? sqlite3_reset(stmt) : result;
}

static int insert(sqlite3_stmt *stmt, const struct entry *entry)
{
	const int64_t numbers[] = {entry->seq, entry->boot, entry->t_ns, (int64_t)entry->kind,
		entry->observation, 0, entry->ref, entry->value};
	int i, result = SQLITE_OK;

	for (i = 0; i < 8 && result == SQLITE_OK; i++) {
		result = i == 5
			? sqlite3_bind_text(stmt, 6, entry->code,
				  (int)strnlen(entry->code, sizeof(entry->code)), SQLITE_STATIC)
			: sqlite3_bind_int64(stmt, i + 1, numbers[i]);
	}
	if (result == SQLITE_OK) {
		result = sqlite3_bind_text(stmt, 9, entry->body, -1, SQLITE_STATIC);
	}
	return result == SQLITE_OK ? step(stmt) : result;
}

/*
 * What has been committed is safe whatever becomes of this; a full disk is no
 * failure either, the -wal just goes on growing. But after a failed fsync the
 * file must not be trusted any longer, and the next append says so.
 */
static void checkpoint(struct journal *journal)
{
	int result;

	result = sqlite3_wal_checkpoint_v2(
		journal->base.db, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	journal->checkpoint_at = journal->wal_frames + CHECKPOINT_FRAMES;
	if (result != SQLITE_OK) {
		int r = sql_fail(journal->base.db, result, "", NULL);

		journal->sick = r == -ENOSPC || r == -EBUSY ? 0 : r;
	}
}

int journal_append(
	struct journal *journal, const struct entry *entries, size_t n, struct error *error)
{
	sqlite3 *db = journal->base.db;
	int result, r;
	size_t i;

	if (journal->mode != JOURNAL_WRITE) {
		return error_set(error, -EBADF, "%s: opened for reading only", journal->path);
	}
	if (journal->stale) {
		return error_set(error, -ESTALE,
			"%s: writing has failed before; it must be opened anew", journal->path);
	}
	r = check_new(journal, entries, n, error);
	if (r < 0 || n == 0) {
		return r < 0 ? error_prefix(error, r, "%s", journal->path) : 0;
	}
	if (journal->sick < 0) {
		journal->stale = true;
		return error_set(
			error, journal->sick, "%s: its last checkpoint failed", journal->path);
	}

	result = step(journal->begin);
	for (i = 0; i < n && result == SQLITE_OK; i++) {
		result = insert(journal->insert, &entries[i]);
	}
	if (result == SQLITE_OK) {
		result = step(journal->commit);
	}
	if (result != SQLITE_OK) {
		journal->stale = true;
		r = sql_fail(db, result, "appending", error);
		(void)sqlite3_reset(journal->begin);
		(void)sqlite3_reset(journal->insert);
		(void)sqlite3_reset(journal->commit);
		if (!sqlite3_get_autocommit(db)) {
			(void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
		}
		return error_prefix(error, r, "%s", journal->path);
	}
	journal->last += (int64_t)n;
	if (journal->wal_frames >= journal->checkpoint_at) {
		checkpoint(journal);
	}
	return 0;
}

/* --- reading --- */

static int read_rows(struct journal *journal, int64_t from_seq, size_t most,
	struct entries *entries, struct error *error)
{
	sqlite3_stmt *stmt = journal->select;
	struct entry entry;
	int result, r = 0;

	if (!stmt) {
		return error_set(error, -ESTALE, "it could not be opened again");
	}
	(void)sqlite3_bind_int64(stmt, 1, from_seq);
	(void)sqlite3_bind_int64(
		stmt, 2, most == 0 || most > (size_t)INT64_MAX ? -1 : (int64_t)most);
	while ((result = sqlite3_step(stmt)) == SQLITE_ROW) {
		r = database_row(stmt, &entry);
		if (r == 0) {
			r = entries_add(entries, &entry);
		}
		if (r < 0) {
			(void)error_set(error, r, "out of memory");
			break;
		}
	}
	if (r == 0 && result != SQLITE_DONE) {
		r = sql_fail(journal->base.db, result, "reading entries", error);
	}
	(void)sqlite3_reset(stmt);
	return r;
}

int journal_read(struct journal *journal, int64_t from_seq, size_t most, struct entries *entries,
	struct error *error)
{
	size_t n = entries->n;
	struct glance now;
	int i, r;

	for (i = 0;; i++) {
		r = read_rows(journal, from_seq, most, entries, error);
		if (!journal->frozen) {
			break;
		}
		glance_at(journal, &now);
		if (glance_same(&now, &journal->glance)) {
			break;
		}
		/* Somebody has begun to write under our feet: what we read may be mixed. */
		while (entries->n > n) {
			entry_fini(&entries->list[--entries->n]);
		}
		detach(journal);
		if (i == REREADS_MOST) {
			r = error_set(error, -EBUSY, "it changes all the time: try again");
			break;
		}
		r = attach_reading(journal, error);
		if (r < 0) {
			break;
		}
	}
	return r < 0 ? error_prefix(error, r, "%s", journal->path) : 0;
}

int journal_check(struct journal *journal, void (*say)(void *data, const char *finding), void *data,
	struct error *error)
{
	int r;

	if (!journal->base.db) {
		return error_set(error, -ESTALE, "%s: it could not be opened again", journal->path);
	}
	r = check_database(&journal->base, say, data, error);
	return r < 0 ? error_prefix(error, r, "%s", journal->path) : r;
}
