/* What the journal, and the server's store, need around SQLite. */
#ifndef JOURNAL_SQL_H
#define JOURNAL_SQL_H

#include "app/base/error.h"

#include <sqlite3.h>
#include <stdint.h>

/*
 * Translates an SQLite result into -errno and keeps SQLite's own words: @doing
 * says what was tried. -EUCLEAN stands for every sign of a damaged database.
 */
int sql_fail(sqlite3 *db, int result, const char *doing, struct error *error);

/*
 * Makes of @text what can be shown and sent on: SQLite quotes damaged names as
 * they are, and these may be no UTF-8, or worse on a terminal.
 */
void sql_clean(char *text);

/* Runs statements that give no rows. 0 or sql_fail(). */
int sql_run(sqlite3 *db, const char *sql, const char *doing, struct error *error) MUST_CHECK;

int sql_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret_stmt,
	struct error *error) MUST_CHECK;

/* The number in the first row; a NULL or no row is 0. */
int sql_number(sqlite3 *db, const char *sql, int64_t *ret_number, struct error *error) MUST_CHECK;

/*
 * The version of the database's schema. -EUCLEAN when it cannot be one, -EPROTO
 * when it is above @known, or sql_fail().
 */
int sql_version(sqlite3 *db, int known, int *ret_version, struct error *error) MUST_CHECK;

/*
 * Brings the database from its user_version up to @n_steps: steps[v] is the SQL
 * that leads from version v to v + 1. All of it is one transaction, so that a
 * power cut leaves the old version or the new one. Errors as of sql_version().
 */
int sql_bring_up(sqlite3 *db, const char *const *steps, int n_steps,
	struct error *error) MUST_CHECK;

#endif
