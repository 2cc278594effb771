#include "app/journal/sql.h"

#include <errno.h>
#include <stdio.h>

/* No version of ours will ever be as high: a bit has flipped in the header. */
#define VERSION_MOST 9999

static int translate(sqlite3 *db, int result)
{
	int system = db ? sqlite3_system_errno(db) : 0;

	switch (result & 0xff) {
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_IOERR:
		if (result == SQLITE_IOERR_NOMEM) {
			return -ENOMEM;
		}
		return system == ENOSPC || system == EDQUOT ? -ENOSPC : -EIO;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_CANTOPEN:
		return system > 0 ? -system : -EACCES;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_ERROR:
	case SQLITE_FORMAT:
	case SQLITE_SCHEMA:
	case SQLITE_MISMATCH:
	case SQLITE_CONSTRAINT:
	case SQLITE_TOOBIG:
	case SQLITE_RANGE:
		return -EUCLEAN;
	default:
		return -EIO;
	}
}

void sql_clean(char *text)
{
	for (; *text; text++) {
		if (*text < ' ' || *text > '~') {
			*text = '?';
		}
	}
}

int sql_fail(sqlite3 *db, int result, const char *doing, struct error *error)
{
	char said[256];

	(void)snprintf(said, sizeof(said), "%s", db ? sqlite3_errmsg(db) : sqlite3_errstr(result));
	sql_clean(said);
	return error_set(error, translate(db, result), "%s: SQLite says \"%s\" (%d)", doing, said,
		result);
}

int sql_run(sqlite3 *db, const char *sql, const char *doing, struct error *error)
{
	int result = sqlite3_exec(db, sql, NULL, NULL, NULL);

	return result == SQLITE_OK ? 0 : sql_fail(db, result, doing, error);
}

int sql_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret_stmt, struct error *error)
{
	sqlite3_stmt *stmt = NULL;
	int result;

	result = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
	if (result != SQLITE_OK) {
		return sql_fail(db, result, "preparing a statement", error);
	}
	*ret_stmt = stmt;
	return 0;
}

int sql_number(sqlite3 *db, const char *sql, int64_t *ret_number, struct error *error)
{
	sqlite3_stmt *stmt = NULL;
	int64_t number = 0;
	int result, r;

	r = sql_prepare(db, sql, &stmt, error);
	if (r < 0) {
		return r;
	}
	result = sqlite3_step(stmt);
	if (result == SQLITE_ROW) {
		number = sqlite3_column_int64(stmt, 0);
		result = sqlite3_step(stmt);
	}
	if (result != SQLITE_DONE && result != SQLITE_ROW) {
		r = sql_fail(db, result, "reading", error);
	}
	(void)sqlite3_finalize(stmt);
	if (r == 0) {
		*ret_number = number;
	}
	return r;
}

int sql_version(sqlite3 *db, int known, int *ret_version, struct error *error)
{
	int64_t version;
	int r;

	r = sql_number(db, "PRAGMA user_version", &version, error);
	if (r < 0) {
		return r;
	}
	if (version < 0 || version > VERSION_MOST) {
		return error_set(
			error, -EUCLEAN, "its version is given as %lld", (long long)version);
	}
	if (version > known) {
		return error_set(error, -EPROTO,
			"made by a newer Chalkbox (its version is %lld, this one knows %d): "
			"update this one",
			(long long)version, known);
	}
	*ret_version = (int)version;
	return 0;
}

static int climb(sqlite3 *db, const char *const *steps, int n_steps, struct error *error)
{
	char text[64];
	int version, r;

	r = sql_version(db, n_steps, &version, error);
	if (r < 0 || version == n_steps) {
		return r;
	}
	for (; version < n_steps; version++) {
		r = sql_run(db, steps[version], "bringing it up to date", error);
		if (r < 0) {
			return r;
		}
	}
	(void)snprintf(text, sizeof(text), "PRAGMA user_version=%d", n_steps);
	return sql_run(db, text, "bringing it up to date", error);
}

int sql_bring_up(sqlite3 *db, const char *const *steps, int n_steps, struct error *error)
{
	int r;

	r = sql_run(db, "BEGIN IMMEDIATE", "beginning to write", error);
	if (r < 0) {
		return r;
	}
	r = climb(db, steps, n_steps, error);
	if (r == 0) {
		r = sql_run(db, "COMMIT", "bringing it up to date", error);
	}
	if (r < 0 && !sqlite3_get_autocommit(db)) {
		(void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	}
	return r;
}
