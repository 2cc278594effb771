/* Putting a damaged database out of the way; private to app/journal. */
#ifndef JOURNAL_ASIDE_H
#define JOURNAL_ASIDE_H

#include "app/base/error.h"

#include <stdbool.h>
#include <stddef.h>

#define ASIDE_PREFIX "journal.damaged-"
#define ASIDE_NAME_CHARS 64

/*
 * Renames journal.db and its -wal and -shm in the folder to
 * journal.damaged-<UTC time>.db and so on, and makes that last. 0 with the new
 * name, or -errno. Blocks on disk. Nobody may have the database open.
 */
int aside_move(int dir_fd, char ret_name[static ASIDE_NAME_CHARS]) MUST_CHECK;

/*
 * Goes on with an aside_move() that a power cut interrupted: without it, the old
 * -wal would be taken for the new database's. 0 when there is nothing to do, 1
 * with the name when there was, or -errno.
 */
int aside_resume(int dir_fd, char ret_name[static ASIDE_NAME_CHARS]) MUST_CHECK;

/* Whether one that was set aside is kept in the folder. */
bool aside_kept(int dir_fd);

#endif
