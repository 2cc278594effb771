/*
 * A sound becomes kept in this order: it is hashed, the file is renamed to its
 * hash, file and folder are synced; then the store's row makes it known. A name
 * that is on the disk before its bytes are does no harm: without a row it is shown to
 * nobody, is hashed once more before it gets one, and the box sends it again. Only
 * where the name is taken already, perhaps by a sound that is known, the bytes are
 * synced before they replace it. Together the two syncs cost a journalling file
 * system one commit.
 *
 * Files without a row are not removed at once: after a start on an older copy of the
 * database they may be all there is of what boxes were told is kept.
 */
#include "app/server/blobs.h"

#include "app/base/file.h"
#include "app/server/part.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FOLDERS 256
#define HASH_CHARS 64
#define LOST_S (30 * 24 * 3600)

struct blobs {
	int uploads;
	int folders[FOLDERS]; /* one for each first byte of a hash */
};

static int fail(struct error *error, int r, const char *what)
{
	return error_set(error, r, "%s: %s", what, strerror(-r));
}

static int open_folder(int at, const char *name)
{
	int fd;

	if (mkdirat(at, name, 0750) < 0 && errno != EEXIST) {
		return -errno;
	}
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int open_all(struct blobs *blobs, int at)
{
	char name[3];
	int top, i, r = 0;

	blobs->uploads = open_folder(at, "uploads");
	if (blobs->uploads < 0) {
		return blobs->uploads;
	}
	top = open_folder(at, "blobs");
	if (top < 0) {
		return top;
	}
	for (i = 0; i < FOLDERS && r >= 0; i++) {
		(void)snprintf(name, sizeof(name), "%02x", (unsigned int)i & 0xff);
		r = open_folder(top, name);
		blobs->folders[i] = r;
	}
	r = r < 0 ? r : file_sync_dir(top);
	(void)close(top);
	return r < 0 ? r : file_sync_dir(at);
}

int blobs_open(const char *dir, struct blobs **ret_blobs, struct error *error)
{
	struct blobs *blobs = malloc(sizeof(*blobs));
	int at, i, r;

	if (!blobs) {
		return error_set(error, -ENOMEM, "out of memory");
	}
	blobs->uploads = -1;
	for (i = 0; i < FOLDERS; i++) {
		blobs->folders[i] = -1;
	}
	at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = at < 0 ? -errno : open_all(blobs, at);
	if (at >= 0) {
		(void)close(at);
	}
	if (r < 0) {
		blobs_close(blobs);
		return fail(error, r, dir);
	}
	*ret_blobs = blobs;
	return 0;
}

void blobs_close(struct blobs *blobs)
{
	int i;

	if (!blobs) {
		return;
	}
	for (i = 0; i < FOLDERS; i++) {
		if (blobs->folders[i] >= 0) {
			(void)close(blobs->folders[i]);
		}
	}
	if (blobs->uploads >= 0) {
		(void)close(blobs->uploads);
	}
	free(blobs);
}

/* The folder of a hash, or -EINVAL when it is none. */
static int folder(const struct blobs *blobs, const char *sha256)
{
	unsigned int first;

	if (strlen(sha256) != HASH_CHARS || strspn(sha256, "0123456789abcdef") != HASH_CHARS ||
		sscanf(sha256, "%2x", &first) != 1) {
		return -EINVAL;
	}
	return blobs->folders[first & 0xff];
}

static int open_file(
	int at, const char *name, int flags, int *ret_fd, off_t *ret_bytes, struct error *error)
{
	struct stat stat;
	int fd, r;

	fd = openat(at, name, flags | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		return fail(error, -errno, name);
	}
	if (fstat(fd, &stat) < 0) {
		r = -errno;
		(void)close(fd);
		return fail(error, r, name);
	}
	*ret_fd = fd;
	*ret_bytes = stat.st_size;
	return 0;
}

int blobs_read(
	struct blobs *blobs, const char *sha256, int *ret_fd, off_t *ret_bytes, struct error *error)
{
	int at = folder(blobs, sha256);

	return at < 0 ? fail(error, at, sha256)
		      : open_file(at, sha256, O_RDONLY, ret_fd, ret_bytes, error);
}

int blobs_remove(struct blobs *blobs, const char *sha256, struct error *error)
{
	int at = folder(blobs, sha256), r;

	if (at < 0) {
		return fail(error, at, sha256);
	}
	if (unlinkat(at, sha256, 0) < 0) {
		return errno == ENOENT ? 0 : fail(error, -errno, sha256);
	}
	r = file_sync_dir(at);
	return r < 0 ? fail(error, r, sha256) : 0;
}

bool blobs_has(struct blobs *blobs, const char *sha256)
{
	int at = folder(blobs, sha256);

	return at >= 0 && faccessat(at, sha256, F_OK, 0) == 0;
}

int blobs_part_new(struct blobs *blobs, const char *id, int *ret_fd, struct error *error)
{
	int fd = openat(blobs->uploads, id, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

	if (fd < 0) {
		return fail(error, -errno, id);
	}
	*ret_fd = fd;
	return 0;
}

int blobs_part_open(
	struct blobs *blobs, const char *id, int *ret_fd, off_t *ret_bytes, struct error *error)
{
	return open_file(blobs->uploads, id, O_RDWR, ret_fd, ret_bytes, error);
}

void blobs_part_remove(struct blobs *blobs, const char *id)
{
	(void)unlinkat(blobs->uploads, id, 0);
}

/* Gives the file its name, and makes both last. */
static int name_and_sync(int uploads, const char *id, int fd, int at, const char *sha256)
{
	if (renameat2(uploads, id, at, sha256, RENAME_NOREPLACE) < 0) {
		if (errno != EEXIST) {
			return -errno;
		}
		if (fsync(fd) < 0 || renameat(uploads, id, at, sha256) < 0) {
			return -errno;
		}
	}
	return fsync(fd) < 0 ? -errno : file_sync_dir(at);
}

int blobs_keep(struct blobs *blobs, const char *id, struct part *part, const char *sha256,
	struct error *error)
{
	char is[HASH_CHARS + 1];
	int at = folder(blobs, sha256), r;
	off_t bytes;

	if (at < 0) {
		return fail(error, at, sha256);
	}
	r = part_flush(part);
	if (r == 0) {
		r = part_sha256(part, is);
		r = r == -ENODATA ? file_sha256(blobs->uploads, id, is, &bytes) : r;
	}
	if (r < 0) {
		return fail(error, r, id);
	}
	if (strcmp(is, sha256) != 0) {
		return error_set(error, BLOBS_E_WRONG_HASH, "it hashes to %s", is);
	}
	r = name_and_sync(blobs->uploads, id, part->fd, at, sha256);
	return r < 0 ? fail(error, r, id) : 0;
}

int blobs_verify(struct blobs *blobs, const char *sha256, int64_t bytes, struct error *error)
{
	int at = folder(blobs, sha256), fd = -1, r;
	char is[HASH_CHARS + 1];
	off_t size;

	r = at < 0 ? at : file_sha256(at, sha256, is, &size);
	if (r == -ENOENT || (r == 0 && (size != bytes || strcmp(is, sha256) != 0))) {
		return 0;
	}
	if (r == 0) {
		r = open_file(at, sha256, O_RDONLY, &fd, &size, error);
	}
	if (r == 0) {
		r = fsync(fd) < 0 ? -errno : file_sync_dir(at);
		(void)close(fd);
	}
	return r < 0 ? fail(error, r, sha256) : 1;
}

/* Whether a file that no row names is as old as that. */
static bool lost_long(int at, const char *name)
{
	struct stat stat;

	return fstatat(at, name, &stat, AT_SYMLINK_NOFOLLOW) == 0 &&
		time(NULL) - stat.st_mtime > LOST_S;
}

static int sweep(
	int at, bool uploads, int (*known)(void *data, bool upload, const char *name), void *data)
{
	const struct dirent *entry;
	int fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		r = -errno;
		if (fd >= 0) {
			(void)close(fd);
		}
		return r;
	}
	while (r >= 0 && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.') {
			continue;
		}
		r = known(data, uploads, entry->d_name);
		if (r == BLOBS_LOST && lost_long(at, entry->d_name)) {
			r = 0;
		}
		if (r == 0 && unlinkat(at, entry->d_name, 0) < 0) {
			r = -errno;
		}
	}
	(void)closedir(dir);
	return r < 0 ? r : 0;
}

int blobs_sweep(struct blobs *blobs, int (*known)(void *data, bool upload, const char *name),
	void *data, struct error *error)
{
	int i, r = sweep(blobs->uploads, true, known, data);

	for (i = 0; i < FOLDERS && r == 0; i++) {
		r = sweep(blobs->folders[i], false, known, data);
	}
	return r < 0 ? fail(error, r, "looking through the sound that is kept") : 0;
}
