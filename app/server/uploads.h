/* Sound from the boxes, by tus 1.0.0. */
#ifndef SERVER_UPLOADS_H
#define SERVER_UPLOADS_H

#include "app/server/server.h"
#include "app/server/store_uploads.h"

#define UPLOAD_BYTES_MOST (32 << 20)

/* 0 or -ENOMEM. uploads_free() after the last request; takes NULL. */
int uploads_new(struct uploads **ret_uploads) MUST_CHECK;
void uploads_free(struct uploads *uploads);

/*
 * Ends uploads whose time is over, a few a call: 1 when there may be more, 0 or -errno.
 * Any thread; blocks on the disk.
 */
int uploads_expire(struct server *server, struct error *error) MUST_CHECK;

/*
 * The sound of a snippet that is missing: if its file is here, as when the database is
 * an older one than the files, it is kept from now on as if the box had brought it. 1
 * then, 0 or -errno. Blocks.
 */
int uploads_adopt(
	struct request *request, const char *journal, int64_t seq, struct error *error) MUST_CHECK;

/*
 * Ends what is on its way and is wanted no more: its bytes leave the disk, also of a
 * request that is still bringing them. Any thread; blocks on the disk. 0 or -errno.
 */
int uploads_end(
	struct server *server, const struct upload_which *which, struct error *error) MUST_CHECK;

/* Removes files that nobody knows; before the first request. 0 or -errno. */
int uploads_sweep(struct server *server, struct error *error) MUST_CHECK;

#endif
