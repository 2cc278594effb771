#include "app/journal/check.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct check {
	struct database *base;
	void (*say)(void *data, const char *finding);
	void *data;
	int findings;
};

static void say(struct check *check, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct check *check, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	sql_clean(text);
	check->say(check->data, text);
	if (check->findings < INT_MAX) {
		check->findings++;
	}
}

/*
 * Runs a statement, giving each row to @row. A database too broken to be read on
 * is a finding like others, not a failure of the check.
 */
static int each_row(struct check *check, sqlite3_stmt *stmt,
	int (*row)(struct check *check, sqlite3_stmt *stmt, void *state), void *state,
	struct error *error)
{
	struct error why;
	int result, r = 0;

	while ((result = sqlite3_step(stmt)) == SQLITE_ROW) {
		r = row(check, stmt, state);
		if (r < 0) {
			(void)error_set(error, r, "out of memory");
			break;
		}
	}
	if (r == 0 && result != SQLITE_DONE) {
		r = sql_fail(check->base->db, result, "reading", &why);
		if (r == -EUCLEAN) {
			say(check, "the database is damaged: %s", why.text);
			r = 0;
		} else {
			(void)error_set(error, r, "%s", why.text);
		}
	}
	(void)sqlite3_finalize(stmt);
	return r;
}

static int integrity_row(struct check *check, sqlite3_stmt *stmt, void *state)
{
	const char *text = (const char *)sqlite3_column_text(stmt, 0);

	if (!text || strcmp(text, "ok") != 0) {
		say(check, "the database is damaged: %s", text ? text : "?");
	}
	return 0;
}

static int entry_row(struct check *check, sqlite3_stmt *stmt, void *state)
{
	int64_t *last = state;
	struct entry entry;
	struct error why;
	int r;

	r = database_row(stmt, &entry);
	if (r < 0) {
		return r;
	}
	if (*last != 0 && entry.seq - 1 != *last) {
		say(check, "between entry %lld and entry %lld some are missing", (long long)*last,
			(long long)entry.seq);
	}
	*last = entry.seq;
	r = entry_check(&entry, &why);
	entry_fini(&entry);
	if (r == -EINVAL) {
		say(check, "%s", why.text);
	}
	return r == -EINVAL ? 0 : r;
}

static int reference_row(struct check *check, sqlite3_stmt *stmt, void *state)
{
	const char *what = (const char *)sqlite3_column_text(stmt, 1);
	long long seq = sqlite3_column_int64(stmt, 0), to = sqlite3_column_int64(stmt, 2);

	say(check, "entry %lld: %s %lld is not what it should be", seq, what ? what : "?", to);
	return 0;
}

/*
 * What an entry points at must be there and of the right kind. What lies before
 * the first entry has been deleted after the server had it, and counts as right.
 */
#define BACK " FROM entry e LEFT JOIN entry r ON r.seq="
#define KEPT " (SELECT min(seq) FROM entry) "

static const char reference_sql[] =
	"SELECT e.seq, 'boot', e.boot" BACK "e.boot WHERE e.boot >=" KEPT "AND r.kind IS NOT ?1"
	" UNION ALL SELECT e.seq, 'observation', e.observation" BACK "e.observation"
	" WHERE e.observation >=" KEPT "AND e.observation <> 0 AND r.kind IS NOT ?2"
	" UNION ALL SELECT e.seq, 'ref', e.ref" BACK "e.ref"
	" WHERE e.ref >=" KEPT "AND e.ref <> 0 AND e.kind <> ?5 AND (r.kind IS NOT ?3"
	"  OR r.observation <> e.observation OR (e.kind = ?4 AND r.code <> e.code))"
	" UNION ALL SELECT e.seq, 'ref', e.ref" BACK "e.ref"
	" WHERE e.ref >=" KEPT "AND e.kind = ?5 AND r.kind IS NOT ?6";

int check_database(struct database *database, void (*say_it)(void *data, const char *finding),
	void *data, struct error *error)
{
	struct check check = {database, say_it, data, 0};
	sqlite3_stmt *stmt = NULL;
	int64_t last = 0;
	int r;

	r = sql_prepare(database->db, "PRAGMA integrity_check(20)", &stmt, error);
	if (r == 0) {
		r = each_row(&check, stmt, integrity_row, NULL, error);
	}
	if (r == 0) {
		r = database_select(database, &stmt, error);
	}
	if (r == 0) {
		(void)sqlite3_bind_int64(stmt, 1, INT64_MIN);
		(void)sqlite3_bind_int64(stmt, 2, -1);
		r = each_row(&check, stmt, entry_row, &last, error);
	}
	if (r == 0) {
		r = sql_prepare(database->db, reference_sql, &stmt, error);
	}
	if (r == 0) {
		(void)sqlite3_bind_int(stmt, 1, ENTRY_BOOT);
		(void)sqlite3_bind_int(stmt, 2, ENTRY_START);
		(void)sqlite3_bind_int(stmt, 3, ENTRY_PRESS);
		(void)sqlite3_bind_int(stmt, 4, ENTRY_RELEASE);
		(void)sqlite3_bind_int(stmt, 5, ENTRY_GONE);
		(void)sqlite3_bind_int(stmt, 6, ENTRY_SNIPPET);
		r = each_row(&check, stmt, reference_row, NULL, error);
	}
	return r < 0 ? r : check.findings;
}
