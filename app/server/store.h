/*
 * Everything the server knows, in one SQLite database (WAL, synchronous=FULL).
 * All SQL lives in store.c, schema.c and store_*.c, one noun a file, in the
 * subset that PostgreSQL speaks too: UUID keys, $1 parameters, ON CONFLICT DO
 * NOTHING, no triggers, no rowids. Handlers call functions of store_NOUN.h that
 * speak C; they are safe from any thread and block on the disk.
 */
#ifndef SERVER_STORE_H
#define SERVER_STORE_H

#include "app/base/error.h"

#define STORE_E_NONE 1 /* there is no such thing, or not any more */

struct store;

/*
 * Opens <dir>/server.db, making it or bringing it up to date. 0; -EBUSY when
 * another server has it; -EPROTO when a newer one made it; -EUCLEAN when it is
 * damaged; or -errno. Close with store_close(), after the last handler; takes NULL.
 */
int store_open(const char *dir, struct store **ret_store, struct error *error) MUST_CHECK;
void store_close(struct store *store);

#endif
