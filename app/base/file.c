#include "app/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_BYTES 16384
#define SILENCE_MS 2000 /* of a pipe or a terminal that was named as a file */

int file_write(int fd, const void *bytes, size_t n)
{
	const char *from = bytes;

	while (n > 0) {
		ssize_t done = write(fd, from, n);

		if (done < 0) {
			if (errno == EINTR) {
				continue;
			}
			return -errno;
		}
		if (done == 0) {
			return -EIO;
		}
		from += done;
		n -= (size_t)done;
	}
	return 0;
}

/* One read() over EINTR: the bytes read, 0 at the end, or -errno; -EAGAIN after a long silence. */
static ssize_t read_some(int fd, void *bytes, size_t n)
{
	struct pollfd readable = {.fd = fd, .events = POLLIN};

	for (;;) {
		ssize_t got = read(fd, bytes, n);

		if (got >= 0) {
			return got;
		}
		if (errno == EAGAIN && poll(&readable, 1, SILENCE_MS) == 0) {
			return -EAGAIN;
		}
		if (errno != EINTR && errno != EAGAIN) {
			return -errno;
		}
	}
}

/* Files of /proc have no size of their own: read to the end, whatever it says. */
static int read_all(int fd, size_t most, char **ret_bytes, size_t *ret_n)
{
	char *bytes = NULL;
	size_t n = 0, room = 0;

	for (;;) {
		ssize_t got;

		if (room - n < CHUNK_BYTES + 1) {
			char *more;

			room += room / 2 + CHUNK_BYTES + 1;
			more = realloc(bytes, room);
			if (!more) {
				free(bytes);
				return -ENOMEM;
			}
			bytes = more;
		}

		got = read_some(fd, bytes + n, CHUNK_BYTES);
		if (got < 0) {
			free(bytes);
			return (int)got;
		}
		if (got == 0) {
			break;
		}
		n += (size_t)got;
		if (n > most) {
			free(bytes);
			return -EFBIG;
		}
	}

	bytes[n] = '\0';
	*ret_bytes = bytes;
	*ret_n = n;
	return 0;
}

int file_read(const char *path, size_t most, char **ret_bytes, size_t *ret_n)
{
	int fd, r;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) {
		return -errno;
	}
	r = read_all(fd, most, ret_bytes, ret_n);
	(void)close(fd);
	return r;
}

static int rewrite(int fd)
{
	char chunk[CHUNK_BYTES];
	off_t at = 0;

	for (;;) {
		ssize_t got = pread(fd, chunk, sizeof(chunk), at);

		if (got < 0) {
			return -errno;
		}
		if (got == 0) {
			return fdatasync(fd) < 0 ? -errno : 0;
		}
		for (ssize_t done = 0; done < got;) {
			ssize_t put = pwrite(fd, chunk + done, (size_t)(got - done), at);

			if (put <= 0) {
				return put < 0 ? -errno : -EIO;
			}
			done += put;
			at += put;
		}
	}
}

int file_rewrite(int dir_fd, const char *name)
{
	int fd, r;

	fd = openat(dir_fd, name, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW);
	if (fd < 0) {
		return errno == ENOENT ? 0 : -errno;
	}
	r = rewrite(fd);
	(void)close(fd);
	return r;
}

int file_sync_dir(int dir_fd)
{
	return fsync(dir_fd) < 0 ? -errno : 0;
}

static int open_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int write_new(int dir_fd, const char *name, const void *bytes, size_t n, mode_t mode)
{
	int fd, r;

	/* One that is left from a cut may have another mode. */
	if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT) {
		return -errno;
	}
	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0) {
		return -errno;
	}
	r = file_write(fd, bytes, n);
	if (r == 0 && fsync(fd) < 0) {
		r = -errno;
	}
	if (close(fd) < 0 && r == 0) {
		r = -errno;
	}
	return r;
}

int file_replace(const char *dir, const char *name, const void *bytes, size_t n, mode_t mode)
{
	char new_name[FILE_PATH_CHARS];
	int dir_fd, r;

	r = file_path(new_name, sizeof(new_name), "%s.new", name);
	if (r < 0) {
		return r;
	}
	dir_fd = open_dir(dir);
	if (dir_fd < 0) {
		return dir_fd;
	}
	r = write_new(dir_fd, new_name, bytes, n, mode);
	if (r == 0 && renameat(dir_fd, new_name, dir_fd, name) < 0) {
		r = -errno;
	}
	if (r == 0) {
		r = file_sync_dir(dir_fd);
	}
	(void)close(dir_fd);
	return r;
}

int file_remove(const char *dir, const char *name)
{
	int dir_fd = open_dir(dir), r;

	if (dir_fd < 0) {
		return dir_fd;
	}
	if (unlinkat(dir_fd, name, 0) == 0) {
		r = file_sync_dir(dir_fd);
	} else {
		r = errno == ENOENT ? 0 : -errno;
	}
	(void)close(dir_fd);
	return r;
}

/* Makes one folder in the folder above it, and makes its name there last. */
static int make_dir(const char *path)
{
	char above[FILE_PATH_CHARS];
	const char *slash;
	int fd, r;

	if (mkdir(path, 0750) < 0) {
		struct stat st;

		if (errno != EEXIST) {
			return -errno;
		}
		if (stat(path, &st) < 0) {
			return -errno;
		}
		return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
	}

	slash = strrchr(path, '/');
	if (!slash) {
		r = file_path(above, sizeof(above), ".");
	} else {
		r = file_path(above, sizeof(above), "%.*s/", (int)(slash - path), path);
	}
	if (r < 0) {
		return r;
	}
	fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		/* A folder we may pass through and not list: made, and no more to do. */
		return errno == EACCES ? 0 : -errno;
	}
	r = file_sync_dir(fd);
	(void)close(fd);
	return r;
}

int file_make_dirs(const char *path)
{
	char part[FILE_PATH_CHARS];
	size_t n;
	int r;

	r = file_path(part, sizeof(part), "%s", path);
	if (r < 0) {
		return r;
	}
	n = strlen(part);
	while (n > 1 && part[n - 1] == '/') {
		part[--n] = '\0';
	}
	if (n == 0) {
		return -ENOENT;
	}

	for (size_t i = 1; i <= n; i++) {
		if ((part[i] != '/' && part[i] != '\0') || part[i - 1] == '/') {
			continue;
		}
		part[i] = '\0';
		r = make_dir(part);
		if (r < 0) {
			return r;
		}
		if (i < n) {
			part[i] = '/';
		}
	}
	return 0;
}

int file_path(char *ret_path, size_t room, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(ret_path, room, format, args);
	va_end(args);
	if (n < 0) {
		return -EINVAL;
	}
	return (size_t)n < room ? 0 : -ENAMETOOLONG;
}

int file_sha256(int dir_fd, const char *name, char ret_hex[static 65], off_t *ret_bytes)
{
	unsigned char chunk[CHUNK_BYTES], hash[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_state state;
	off_t bytes = 0;
	ssize_t got;
	int fd;

	fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		return -errno;
	}

	(void)crypto_hash_sha256_init(&state);
	while ((got = read_some(fd, chunk, sizeof(chunk))) > 0) {
		(void)crypto_hash_sha256_update(&state, chunk, (unsigned long long)got);
		bytes += got;
	}
	(void)close(fd);
	if (got < 0) {
		return (int)got;
	}

	(void)crypto_hash_sha256_final(&state, hash);
	(void)sodium_bin2hex(ret_hex, 65, hash, sizeof(hash));
	*ret_bytes = bytes;
	return 0;
}
