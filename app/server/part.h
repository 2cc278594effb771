/*
 * The file of an upload that is on its way: bytes are hashed as they come, gathered,
 * and written in large pieces. One thread at a time; blocks on the disk.
 */
#ifndef SERVER_PART_H
#define SERVER_PART_H

#include "app/base/error.h"

#include <gnutls/crypto.h>
#include <stddef.h>
#include <sys/types.h>

struct part {
	int fd; /* -1 for none */
	off_t offset; /* of the next byte to come */
	size_t gathered; /* the last of these are not in the file yet */
	unsigned char *buffer; /* NULL until bytes come */
	gnutls_hash_hd_t hash; /* of all of them; NULL when some were there before */
};

#define PART_NONE ((struct part){.fd = -1})

/* Takes the bytes behind those that came before. 0 or -errno. */
int part_write(struct part *part, const void *bytes, size_t n) MUST_CHECK;

/* Brings what is gathered into the file; syncs nothing. 0 or -errno. */
int part_flush(struct part *part) MUST_CHECK;

/*
 * The SHA-256 of all bytes, as 64 hex digits and a NUL; once, after the last of them.
 * -ENODATA when they did not all come by part_write().
 */
int part_sha256(struct part *part, char ret_hex[static 65]) MUST_CHECK;

/* Closes the file; what is gathered is lost. */
void part_close(struct part *part);

#endif
