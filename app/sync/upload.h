/* One file to the server by tus 1.0.0, from wherever an earlier try was cut. */
#ifndef SYNC_UPLOAD_H
#define SYNC_UPLOAD_H

#include "app/base/id.h"
#include "app/sync/talk.h"

/* A file and what its hash must be. */
struct upload {
	const char *dir; /* sync's state folder, for the note of where it goes on */
	const char *journal; /* its id */
	int64_t seq;
	const char *sha256;
	int fd;
	int64_t bytes;
};

/* The server does not want this one; others may go on. */
#define UPLOAD_E_REFUSED 100

/*
 * Brings it over. 0: the server says that it has the whole of it, verified and
 * durable. UPLOAD_E_REFUSED, another sync_result, or -errno, with an explanation.
 * Blocks.
 */
int upload_send(struct talk *talk, const struct upload *upload, struct error *error) MUST_CHECK;

#define UPLOAD_AT_ONCE_BYTES (256 << 10) /* smaller ones go in one request */

/*
 * Tries to bring several small ones at a time, each in one request: ret_done[i]
 * tells which the server has. Whatever failed is for upload_send(), which goes
 * about it with patience. -ENOMEM.
 */
int upload_burst(struct talk *talk, const struct upload *uploads, size_t n, bool *ret_done,
	struct error *error) MUST_CHECK;

/*
 * Asks whether the server has that snippet, by its hash: a creation that it
 * answers with the hash it keeps. *ret_kept is false too when the server began an
 * upload instead, which is then taken back. Results as upload_send().
 */
int upload_ask(struct talk *talk, const struct upload *upload, bool *ret_kept,
	struct error *error) MUST_CHECK;

#endif
