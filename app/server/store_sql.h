/* SQL for store_*.c, and for nobody else. */
#ifndef SERVER_STORE_SQL_H
#define SERVER_STORE_SQL_H

#include "app/server/store.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store_db; /* a connection with its prepared statements */

/*
 * A piece of work on the database; @arg is the caller's. What it returns is what
 * store_write() and store_read() return: 0, a positive code of the caller's, or
 * -errno. It may run in another thread, while its caller waits.
 */
typedef int store_job(struct store_db *db, void *arg, struct error *error);

/*
 * Runs the job inside a transaction and makes it durable: after 0 it is on disk.
 * After anything else nothing of the job is in. Jobs that wait at one time share
 * a transaction and its fsync, each in a savepoint of its own. A job must not
 * block on anything but the database, nor call store_write() or store_read().
 */
int store_write(struct store *store, store_job *job, void *arg, struct error *error) MUST_CHECK;

/* Runs the job on one consistent view of the database, read-only. */
int store_read(struct store *store, store_job *job, void *arg, struct error *error) MUST_CHECK;

/*
 * A statement with its parameters $1, $2, ... bound by @types: 't' const char *
 * (NULL is SQL's NULL), 'i' int64_t (write (int64_t)x for others). Prepared once
 * a connection and kept: @sql must be a literal. Texts are borrowed until
 * sql_done().
 */
int sql_begin(struct store_db *db, sqlite3_stmt **ret_stmt, struct error *error, const char *sql,
	const char *types, ...) MUST_CHECK;

/* 1 at a row, 0 after the last, or -errno. */
int sql_next(struct store_db *db, sqlite3_stmt *stmt, struct error *error) MUST_CHECK;

/* Gives the statement back; must follow sql_begin(), also after an error. */
void sql_done(sqlite3_stmt *stmt);

/* sql_begin() to sql_done() for a statement without rows; *ret_changed may be NULL. */
int sql_do(struct store_db *db, int *ret_changed, struct error *error, const char *sql,
	const char *types, ...) MUST_CHECK;

/* Fills in *item from the row at which the statement stands. */
typedef void sql_row(sqlite3_stmt *stmt, void *item);

/*
 * The first row; gives the statement back. 0, STORE_E_NONE when there is none, or
 * -errno.
 */
int sql_one(struct store_db *db, sqlite3_stmt *stmt, sql_row *row, void *item,
	struct error *error) MUST_CHECK;

/* The number in the first row, 0 without one; gives the statement back. 0 or -errno. */
int sql_count(struct store_db *db, sqlite3_stmt *stmt, int64_t *ret_number,
	struct error *error) MUST_CHECK;

struct sql_list {
	void *items; /* from malloc() */
	size_t n, room;
};

/*
 * Adds every row to the list, as an item of @size bytes; gives the statement back. 0,
 * or -errno with the list freed and empty.
 */
int sql_all(struct store_db *db, sqlite3_stmt *stmt, sql_row *row, size_t size,
	struct sql_list *list, struct error *error) MUST_CHECK;

/* A column's text into the caller's memory, cut to @room; NULL is "". */
void sql_text(sqlite3_stmt *stmt, int column, char *ret_text, size_t room);

/* A column's text as memory of the caller's, or NULL when out of it; NULL is "". */
char *sql_text_new(sqlite3_stmt *stmt, int column);

#endif
