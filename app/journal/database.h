/* The SQLite file of a journal, opened and looked at; private to app/journal. */
#ifndef JOURNAL_DATABASE_H
#define JOURNAL_DATABASE_H

#include "app/journal/entry.h"
#include "app/journal/sql.h"

/* What a body may weigh: an hour of loudness is a twentieth of it. */
#define DATABASE_BODY_BYTES (1 << 20)

struct database {
	sqlite3 *db;
	char id[UUID_CHARS];
	int64_t last; /* writing: the highest seq at opening; 0 for none */
};

/*
 * Opens the file, which must be there and may be empty: makes the tables, brings
 * older ones up to date and looks for damage. 0; -EUCLEAN (-EROFS if the flipped
 * bit says "read-only") when it is damaged, -EPROTO, or another -errno. On
 * failure nothing is open. Close with database_close(). Blocks on disk.
 */
int database_open_writing(struct database *database, const char *path,
	struct error *error) MUST_CHECK;

/*
 * Opens it for reading, and only that: never writes, never checkpoints. With
 * @immutable it is read without locks and without a -shm, on the caller's word
 * that it does not change. -ENOENT when nothing is in it yet.
 */
int database_open_reading(struct database *database, const char *path, bool immutable,
	struct error *error) MUST_CHECK;

/* Entries in order of seq: parameter 1 is the first, 2 how many (-1: all). */
int database_select(struct database *database, sqlite3_stmt **ret_stmt,
	struct error *error) MUST_CHECK;

/* The row it stands at as an entry that the caller owns. 0 or -ENOMEM. */
int database_row(sqlite3_stmt *stmt, struct entry *ret_entry) MUST_CHECK;

/* Takes one that is not open. The statements must be finalized before. */
void database_close(struct database *database);

#endif
