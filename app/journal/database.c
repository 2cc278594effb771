/*
 * What a start looks at is bounded, so that the buttons are not kept waiting. Up
 * to CHECK_BYTES all pages are checked, of a larger file the newest entries: a
 * power cut damages what was being written. journal_check() looks at the rest.
 *
 * Pages of 1 KiB: a commit is one page in the -wal, nearly always, and a small
 * one is what writes the fewest bytes a press.
 */
#include "app/journal/database.h"

#include "app/base/file.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define APPLICATION_ID 1128811595 /* "CHLK" */
#define TEXT_OF(number) #number
#define DIGITS_OF(number) TEXT_OF(number)
#define CHECK_BYTES (16 << 20)
#define BUSY_MS 2000
#define NEWEST " (SELECT * FROM entry ORDER BY seq DESC LIMIT 4000) "

/* steps[v] leads from version v to v + 1. What has been released stays as it is. */
static const char *const schema_steps[] = {
	"PRAGMA application_id=" DIGITS_OF(
		APPLICATION_ID) ";"
				"CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) "
				"STRICT, WITHOUT ROWID;"
				"CREATE TABLE entry ("
				" seq INTEGER PRIMARY KEY, boot INTEGER NOT NULL, t_ns INTEGER NOT "
				"NULL,"
				" kind INTEGER NOT NULL, observation INTEGER NOT NULL, code TEXT "
				"NOT NULL,"
				" ref INTEGER NOT NULL, value INTEGER NOT NULL, body TEXT) STRICT;"
				/* a UUID, RFC 9562 version 4 */
				"INSERT INTO meta VALUES ('id', lower(hex(randomblob(4)) || '-' || "
				"hex(randomblob(2)) ||"
				" '-4' || substr(hex(randomblob(2)), 2) || '-' || substr('89ab', 1 "
				"+ (random() & 3), 1) ||"
				" substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))));",
};

#define N_STEPS ((int)(sizeof(schema_steps) / sizeof(schema_steps[0])))

static int open_file(struct database *database, const char *path, int flags, struct error *error)
{
	int result;

	*database = (struct database){0};
	result = sqlite3_open_v2(path, &database->db,
		flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE,
		NULL);
	if (result != SQLITE_OK) {
		return sql_fail(database->db, result, "opening it", error);
	}
	/* A damaged file must not make us take memory without bounds, or run things. */
	(void)sqlite3_limit(database->db, SQLITE_LIMIT_LENGTH, 4 * DATABASE_BODY_BYTES);
	(void)sqlite3_db_config(database->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(database->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_busy_timeout(database->db, BUSY_MS);
	return sql_run(database->db,
		"PRAGMA mmap_size=0; PRAGMA cache_size=-512; PRAGMA temp_store=MEMORY;"
		"PRAGMA cell_size_check=ON; PRAGMA foreign_keys=ON;",
		"setting it up", error);
}

/* The text in the first row of @sql, to be freed; NULL in it is "". */
static int read_text(sqlite3 *db, const char *sql, char **ret_text, struct error *error)
{
	sqlite3_stmt *stmt = NULL;
	const char *column;
	char *text;
	int result, r;

	r = sql_prepare(db, sql, &stmt, error);
	if (r < 0) {
		return r;
	}
	result = sqlite3_step(stmt);
	if (result == SQLITE_ROW || result == SQLITE_DONE) {
		column = result == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
		text = strdup(column ? column : "");
		if (text) {
			*ret_text = text;
		} else {
			r = error_set(error, -ENOMEM, "out of memory");
		}
	} else {
		r = sql_fail(db, result, "reading", error);
	}
	(void)sqlite3_finalize(stmt);
	return r;
}

/* Whether this is a journal of ours; *ret_fresh: nothing in it yet. */
static int check_owner(sqlite3 *db, bool *ret_fresh, struct error *error)
{
	int64_t tables, mark;
	int r;

	r = sql_number(db, "SELECT count(*) FROM sqlite_schema", &tables, error);
	if (r == 0) {
		r = sql_number(db, "PRAGMA application_id", &mark, error);
	}
	if (r == 0 && tables > 0 && mark != APPLICATION_ID) {
		r = error_set(error, -EUCLEAN, "it is not marked as a journal");
	}
	if (r == 0) {
		*ret_fresh = tables == 0;
	}
	return r;
}

static int read_id(struct database *database, struct error *error)
{
	char *id;
	int r;

	r = read_text(database->db, "SELECT value FROM meta WHERE key='id'", &id, error);
	if (r < 0) {
		return r;
	}
	if (strlen(id) == UUID_CHARS - 1) {
		memcpy(database->id, id, UUID_CHARS);
	} else {
		r = error_set(error, -EUCLEAN, "it has no id");
	}
	free(id);
	return r;
}

static int check_pages(sqlite3 *db, struct error *error)
{
	char *said;
	int r;

	r = read_text(db, "PRAGMA quick_check(1)", &said, error);
	if (r < 0) {
		return r;
	}
	if (strcmp(said, "ok") != 0) {
		sql_clean(said);
		r = error_set(error, -EUCLEAN, "SQLite's check found: %s", said);
	}
	free(said);
	return r;
}

static int check_newest(struct database *database, struct error *error)
{
	int64_t length, holes;
	int r;

	/* (Asking for the bodies' lengths makes SQLite walk all of their pages.) */
	r = sql_number(database->db, "SELECT total(length(body)) FROM" NEWEST, &length, error);
	if (r == 0) {
		r = sql_number(database->db,
			"SELECT total(1) <> max(seq) - min(seq) + 1 OR min(seq) < 1 FROM" NEWEST,
			&holes, error);
	}
	if (r == 0 && holes) {
		r = error_set(error, -EUCLEAN, "its entries do not follow one another");
	}
	if (r == 0) {
		r = sql_number(database->db, "SELECT max(seq) FROM entry", &database->last, error);
	}
	return r;
}

static int check_damage(struct database *database, struct error *error)
{
	int64_t pages, page_bytes;
	int r;

	r = sql_number(database->db, "PRAGMA page_count", &pages, error);
	if (r == 0) {
		r = sql_number(database->db, "PRAGMA page_size", &page_bytes, error);
	}
	if (r == 0 && pages * page_bytes <= CHECK_BYTES) {
		r = check_pages(database->db, error);
	}
	return r == 0 ? check_newest(database, error) : r;
}

int database_open_writing(struct database *database, const char *path, struct error *error)
{
	char *mode;
	bool fresh;
	int r;

	r = open_file(database, path, SQLITE_OPEN_READWRITE, error);
	if (r == 0) {
		r = sql_run(database->db, "PRAGMA page_size=1024", "setting it up", error);
	}
	if (r == 0) {
		r = read_text(database->db, "PRAGMA journal_mode=WAL", &mode, error);
	}
	if (r == 0) {
		if (strcmp(mode, "wal") != 0) {
			r = error_set(error, -EOPNOTSUPP,
				"SQLite cannot keep a write-ahead log there (a network folder?)");
		}
		free(mode);
	}
	if (r == 0) {
		r = sql_run(database->db, "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0",
			"setting it up", error);
	}
	if (r == 0) {
		r = check_owner(database->db, &fresh, error);
	}
	if (r == 0) {
		r = sql_bring_up(database->db, schema_steps, N_STEPS, error);
	}
	if (r == 0) {
		r = read_id(database, error);
	}
	if (r == 0) {
		r = check_damage(database, error);
	}
	if (r < 0) {
		database_close(database);
	}
	return r;
}

/* A path as an SQLite URI that says that nothing changes. */
static int immutable_uri(const char *path, char *ret_uri, size_t room)
{
	char text[3 * FILE_PATH_CHARS];
	size_t n = 0;

	for (; *path; path++) {
		if (n + 4 > sizeof(text)) {
			return -ENAMETOOLONG;
		}
		if (isalnum((unsigned char)*path) || strchr("/._-", *path)) {
			text[n++] = *path;
		} else {
			n += (size_t)snprintf(text + n, 4, "%%%02X", (unsigned char)*path);
		}
	}
	text[n] = '\0';
	return file_path(ret_uri, room, "file:%s?immutable=1", text);
}

static int check_version(sqlite3 *db, struct error *error)
{
	bool fresh;
	int version, r;

	r = check_owner(db, &fresh, error);
	if (r == 0) {
		r = sql_version(db, N_STEPS, &version, error);
	}
	if (r == 0 && (fresh || version < N_STEPS)) {
		r = error_set(error, -ENOENT, "%s: start chalkboxd once, then try again",
			fresh ? "nothing is in it yet" : "made by an older Chalkbox");
	}
	return r;
}

int database_open_reading(
	struct database *database, const char *path, bool immutable, struct error *error)
{
	char uri[3 * FILE_PATH_CHARS + 24];
	int r;

	if (immutable) {
		r = immutable_uri(path, uri, sizeof(uri));
		if (r < 0) {
			return error_set(error, r, "its path is too long");
		}
		r = open_file(database, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, error);
	} else {
		r = open_file(database, path, SQLITE_OPEN_READONLY, error);
	}
	if (r == 0) {
		r = sql_run(database->db, "PRAGMA query_only=ON", "setting it up", error);
	}
	if (r == 0) {
		r = check_version(database->db, error);
	}
	if (r == 0) {
		r = read_id(database, error);
	}
	if (r < 0) {
		database_close(database);
	}
	return r;
}

int database_select(struct database *database, sqlite3_stmt **ret_stmt, struct error *error)
{
	return sql_prepare(database->db,
		"SELECT seq,boot,t_ns,kind,observation,code,ref,value,body FROM entry "
		"WHERE seq>=? ORDER BY seq LIMIT ?",
		ret_stmt, error);
}

int database_row(sqlite3_stmt *stmt, struct entry *ret_entry)
{
	const char *code = (const char *)sqlite3_column_text(stmt, 5);
	const char *body = (const char *)sqlite3_column_text(stmt, 8);
	int64_t kind = sqlite3_column_int64(stmt, 3);
	struct entry entry = {
		.seq = sqlite3_column_int64(stmt, 0),
		.boot = sqlite3_column_int64(stmt, 1),
		.t_ns = sqlite3_column_int64(stmt, 2),
		.kind = kind > 0 && kind < INT_MAX ? (enum entry_kind)kind : (enum entry_kind)0,
		.observation = sqlite3_column_int64(stmt, 4),
		.ref = sqlite3_column_int64(stmt, 6),
		.value = sqlite3_column_int64(stmt, 7),
	};

	(void)snprintf(entry.code, sizeof(entry.code), "%s", code ? code : "");
	if (body) {
		entry.body = strdup(body);
		if (!entry.body) {
			return -ENOMEM;
		}
	}
	*ret_entry = entry;
	return 0;
}

void database_close(struct database *database)
{
	(void)sqlite3_close(database->db);
	database->db = NULL;
}
