/* Uploads and the sound they became, in the store. Any thread; blocks on the disk. */
#ifndef SERVER_STORE_UPLOADS_H
#define SERVER_STORE_UPLOADS_H

#include "app/base/id.h"
#include "app/server/store.h"
#include "app/server/tus.h"

#include <stdbool.h>
#include <stdint.h>

#define STORE_E_NO_SNIPPET 20 /* no such snippet in a journal of this box */
#define STORE_E_DIFFERS 21    /* it has another hash or length */
#define STORE_E_KEPT 22       /* its sound is kept already */
#define STORE_E_NO_UPLOAD 23  /* no such upload of this box, or not any more */
#define STORE_E_WITHDRAWN 24  /* its sound was withdrawn: nobody wants it any more */

struct upload_row {
	char id[ID_CHARS], box[ID_CHARS];
	struct tus_metadata of;
	int64_t bytes, expires_ns;
	bool kept; /* its sound is complete and known */
};

/* Whether the snippet wants sound. 0 when so, STORE_E_* as above, or -errno. */
int store_upload_check(
	struct store *store, const struct upload_row *upload, struct error *error) MUST_CHECK;

/*
 * Notes a new upload. An earlier one of the same snippet ends: its id is in
 * ret_ended ("" for none), its file the caller's to remove. Results as of
 * store_upload_check().
 */
int store_upload_add(struct store *store, const struct upload_row *upload,
	char ret_ended[static ID_CHARS], struct error *error) MUST_CHECK;

/*
 * The sound of an upload, noted before or not, is kept from now on; @there is asked
 * within the transaction whether the file is where it belongs (-EAGAIN if not).
 * Results as of store_upload_add().
 */
int store_upload_done(struct store *store, const struct upload_row *upload, int64_t now_ns,
	bool (*there)(void *data, const char *sha256), void *data,
	char ret_ended[static ID_CHARS], struct error *error) MUST_CHECK;

/* 0, STORE_E_NO_UPLOAD or -errno. */
int store_upload_get(struct store *store, const char *id, const char *box,
	struct upload_row *ret_upload, struct error *error) MUST_CHECK;

int store_upload_extend(
	struct store *store, const char *id, int64_t expires_ns, struct error *error) MUST_CHECK;
int store_upload_remove(struct store *store, const char *id, struct error *error) MUST_CHECK;

/* Removes one whose time is over and gives its id. 0, STORE_E_NO_UPLOAD or -errno. */
int store_upload_expire(struct store *store, int64_t now_ns, char ret_id[static ID_CHARS],
	struct error *error) MUST_CHECK;

/* Which uploads: all of a box, or those of one snippet. */
struct upload_which {
	const char *box;     /* NULL: of the snippet */
	const char *journal;
	int64_t seq;
};

/*
 * Removes those. Their ids: *ret_n texts of ID_CHARS each, for the caller to free;
 * their files the caller's to remove. 0 or -errno.
 */
int store_uploads_end(struct store *store, const struct upload_which *which, char **ret_ids,
	size_t *ret_n, struct error *error) MUST_CHECK;

/*
 * Whether there is an upload of that id that somebody wants, a blob of that hash: 1, 0
 * or -errno.
 */
int store_upload_known(struct store *store, const char *id, struct error *error) MUST_CHECK;
int store_blob_known(struct store *store, const char *sha256, struct error *error) MUST_CHECK;

/* Whether there are snippets of that hash, and all are withdrawn: 1, 0 or -errno. */
int store_blob_withdrawn(struct store *store, const char *sha256, struct error *error) MUST_CHECK;

#endif
