/*
 * Sound must be on the disk before it is confirmed, and nobody reads it soon. So it
 * goes there past the kernel's cache (O_DIRECT): that saves more of the processor than
 * hashing takes. It asks for whole blocks of the disk and of memory; what is no whole
 * block, and all of it where a file system does not know the way, is written as usual.
 */
#include "app/server/part.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_BYTES 4096 /* of any disk's, or a multiple */
#define PART_BYTES (128 << 10)
#define HASH_BYTES 32

/* How much of it went; errno says what stopped it. */
static size_t write_at(int fd, const unsigned char *bytes, size_t n, off_t at)
{
	size_t done = 0;
	ssize_t wrote;

	while (done < n) {
		wrote = pwrite(fd, bytes + done, n - done, at + (off_t)done);
		if (wrote > 0) {
			done += (size_t)wrote;
		} else if (wrote == 0 || errno != EINTR) {
			break;
		}
	}
	return done;
}

/* The same for the whole blocks of it, past the cache. */
static size_t write_direct(int fd, const unsigned char *bytes, size_t n, off_t at)
{
	size_t done;

	n -= n % BLOCK_BYTES;
	if (n == 0 || at % BLOCK_BYTES != 0 || fcntl(fd, F_SETFL, O_DIRECT) < 0) {
		return 0;
	}
	done = write_at(fd, bytes, n, at);
	(void)fcntl(fd, F_SETFL, 0);
	return done;
}

int part_flush(struct part *part)
{
	off_t at = part->offset - (off_t)part->gathered;
	size_t done = write_direct(part->fd, part->buffer, part->gathered, at);

	if (done < part->gathered) {
		done += write_at(
			part->fd, part->buffer + done, part->gathered - done, at + (off_t)done);
	}
	if (done < part->gathered) {
		return errno ? -errno : -EIO;
	}
	part->gathered = 0;
	return 0;
}

static int begin(struct part *part)
{
	if (part->offset == 0 && gnutls_hash_init(&part->hash, GNUTLS_DIG_SHA256) < 0) {
		return -ENOMEM;
	}
	part->buffer = aligned_alloc(BLOCK_BYTES, PART_BYTES);
	return part->buffer ? 0 : -ENOMEM;
}

int part_write(struct part *part, const void *bytes, size_t n)
{
	const unsigned char *from = bytes;
	size_t most;
	int r = part->buffer ? 0 : begin(part);

	if (r == 0 && part->hash && gnutls_hash(part->hash, bytes, n) < 0) {
		r = -EIO;
	}
	while (r == 0 && n > 0) {
		most = PART_BYTES - part->gathered;
		most = n < most ? n : most;
		memcpy(part->buffer + part->gathered, from, most);
		part->gathered += most;
		part->offset += (off_t)most;
		from += most;
		n -= most;
		r = part->gathered == PART_BYTES ? part_flush(part) : 0;
	}
	return r;
}

int part_sha256(struct part *part, char ret_hex[static 65])
{
	unsigned char digest[HASH_BYTES];

	if (!part->hash) {
		return -ENODATA;
	}
	gnutls_hash_deinit(part->hash, digest);
	part->hash = NULL;
	(void)sodium_bin2hex(ret_hex, 65, digest, sizeof(digest));
	return 0;
}

void part_close(struct part *part)
{
	if (part->hash) {
		gnutls_hash_deinit(part->hash, NULL);
	}
	free(part->buffer);
	if (part->fd >= 0) {
		(void)close(part->fd);
	}
	*part = PART_NONE;
}
