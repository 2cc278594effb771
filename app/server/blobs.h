/*
 * Sound on the disk: whole and verified in blobs/ab/ under its SHA-256, or on its
 * way in uploads/ under the upload's id. Which of them there are, the store knows;
 * a file that no row names is shown to nobody. Any thread; everything blocks on the
 * disk.
 */
#ifndef SERVER_BLOBS_H
#define SERVER_BLOBS_H

#include "app/base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct blobs;
struct part;

/* Opens <dir>/blobs and <dir>/uploads, making what is missing. 0 or -errno. */
int blobs_open(const char *dir, struct blobs **ret_blobs, struct error *error) MUST_CHECK;
void blobs_close(struct blobs *blobs);

/* Opens a kept sound for reading. 0, -ENOENT or another -errno. Close the fd. */
int blobs_read(struct blobs *blobs, const char *sha256, int *ret_fd, off_t *ret_bytes,
	struct error *error) MUST_CHECK;

/*
 * Removes a kept sound from the disk, durably. Call it within the transaction that
 * deletes its row, so that none can be kept anew in between. 0, also when there is
 * none, or -errno.
 */
int blobs_remove(struct blobs *blobs, const char *sha256, struct error *error) MUST_CHECK;

/* --- on its way; for uploads.c --- */

/* Makes an empty file for the upload. 0, or -errno. */
int blobs_part_new(
	struct blobs *blobs, const char *id, int *ret_fd, struct error *error) MUST_CHECK;

/* Opens it for writing. 0, -ENOENT or another -errno. */
int blobs_part_open(struct blobs *blobs, const char *id, int *ret_fd, off_t *ret_bytes,
	struct error *error) MUST_CHECK;

/* Removes it, if it is there. */
void blobs_part_remove(struct blobs *blobs, const char *id);

#define BLOBS_E_WRONG_HASH 1

/*
 * Makes the upload a kept sound: it must have that hash; when it returns 0, the bytes
 * and the name are on the disk. BLOBS_E_WRONG_HASH or -errno otherwise.
 */
int blobs_keep(struct blobs *blobs, const char *id, struct part *part, const char *sha256,
	struct error *error) MUST_CHECK;

/* Whether it is there; for the transaction that makes its row. */
bool blobs_has(struct blobs *blobs, const char *sha256);

/*
 * Whether a file that no row names is that sound, of so many bytes, and on the disk to
 * stay: 1, 0 or -errno.
 */
int blobs_verify(
	struct blobs *blobs, const char *sha256, int64_t bytes, struct error *error) MUST_CHECK;

#define BLOBS_LOST 2

/*
 * Removes the files that @known says no to (1: known, 0: not, BLOBS_LOST: not, but
 * wanted perhaps, so that it stays for 30 days after it came, or -errno, which ends
 * it); before anybody else works here. 0 or -errno.
 */
int blobs_sweep(struct blobs *blobs, int (*known)(void *data, bool upload, const char *name),
	void *data, struct error *error) MUST_CHECK;

#endif
