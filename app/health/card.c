/*
 * What a confirmation costs: the recorder blinks only after its commit is on the
 * card, and a commit is a write and an fdatasync. A worn or false card shows here
 * first, in its slowest writes; so the 99th percentile stands beside the median.
 */
#include "app/health/card.h"

#include "app/base/clock.h"
#include "app/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define WRITE_BYTES 4096

int card_room(const char *dir, struct card_room *ret_room)
{
	struct statvfs fs;

	if (statvfs(dir, &fs) < 0) {
		return -errno;
	}
	*ret_room = (struct card_room){
		.free_bytes = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize,
		.total_bytes = (int64_t)fs.f_blocks * (int64_t)fs.f_frsize,
		.read_only = (fs.f_flag & ST_RDONLY) != 0,
	};
	return 0;
}

static int compare(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return left < right ? -1 : left > right;
}

void card_rank(int64_t *list, int n, struct card_speed *ret_speed)
{
	qsort(list, (size_t)n, sizeof(*list), compare);
	/* nearest rank: the smallest that so many are not above */
	*ret_speed = (struct card_speed){.median_ns = list[(n + 1) / 2 - 1],
		.p99_ns = list[(n * 99 + 99) / 100 - 1],
		.writes = n};
}

/* A file without a name; where the file system has none, one that loses it at once. */
static int open_nameless(const char *dir)
{
	char path[FILE_PATH_CHARS];
	int fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR)) {
		return fd < 0 ? -errno : fd;
	}
	if (file_path(path, sizeof(path), "%s/.speed.XXXXXX", dir) < 0) {
		return -ENAMETOOLONG;
	}
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0) {
		return -errno;
	}
	(void)unlink(path);
	return fd;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now); /* the card knows no simulated time */
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

int card_time(const char *dir, int writes, int64_t most_ns, struct card_speed *ret_speed)
{
	static const char bytes[WRITE_BYTES];
	int64_t *list = calloc((size_t)writes, sizeof(*list));
	int64_t began_ns = now_ns(), at_ns = began_ns;
	int fd = -1, n = 0, r = list ? 0 : -ENOMEM;

	if (r == 0) {
		fd = open_nameless(dir);
		r = fd < 0 ? fd : 0;
	}
	while (r == 0 && n < writes && (n == 0 || at_ns - began_ns < most_ns)) {
		int64_t before_ns = at_ns = now_ns();

		r = file_write(fd, bytes, sizeof(bytes));
		if (r == 0 && fdatasync(fd) < 0) {
			r = -errno;
		}
		at_ns = now_ns();
		list[n++] = at_ns - before_ns;
	}
	if (fd >= 0) {
		(void)close(fd);
	}
	if (r == 0) {
		card_rank(list, n, ret_speed);
	}
	free(list);
	return r;
}
