/* Uploads and sound that come to an end, or come back, without a box that brings them. */
#ifndef SERVER_UPKEEP_H
#define SERVER_UPKEEP_H

#include "app/server/server.h"
#include "app/server/store_uploads.h"

/*
 * Ends uploads whose time is over, a few a call: 1 when there may be more, 0 or -errno.
 * Any thread; blocks on the disk.
 */
int upkeep_expire(struct server *server, struct error *error) MUST_CHECK;

/*
 * The sound of a snippet that is missing: if its file is here, as when the database is
 * an older one than the files, it is kept from now on as if the box had brought it. 1
 * then, 0 or -errno. Blocks.
 */
int upkeep_adopt(
	struct request *request, const char *journal, int64_t seq, struct error *error) MUST_CHECK;

/*
 * Ends what is on its way and is wanted no more: its bytes leave the disk, also of a
 * request that is still bringing them. Any thread; blocks on the disk. 0 or -errno.
 */
int upkeep_end(
	struct server *server, const struct upload_which *which, struct error *error) MUST_CHECK;

/* Removes files that nobody knows; before the first request. 0 or -errno. */
int upkeep_sweep(struct server *server, struct error *error) MUST_CHECK;

#endif
