/*
 * Three names cannot be renamed at once. The database goes first: from then on
 * "a -wal without a journal.db" tells the next start that the rest is still to
 * be moved. The other way round a cut would leave a database without its -wal,
 * that is, without its latest commits, and nothing to tell it by.
 */
#include "app/journal/aside.h"

#include "app/base/clock.h"
#include "app/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TRIES 100

static bool exists(int dir_fd, const char *name)
{
	struct stat status;

	return fstatat(dir_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A name that is free, with the time in it, in UTC. */
static int free_name(int dir_fd, char ret_name[static ASIDE_NAME_CHARS])
{
	char name[ASIDE_NAME_CHARS], wal[ASIDE_NAME_CHARS + 8], stamp[24];
	struct clock_pair now;
	struct tm utc;
	time_t seconds;
	int i, r;

	clock_pair(&now);
	seconds = (time_t)(now.realtime_ns / NS_PER_S);
	if (!gmtime_r(&seconds, &utc) ||
		strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &utc) == 0) {
		return -EOVERFLOW;
	}
	for (i = 1; i <= TRIES; i++) {
		r = i == 1 ? file_path(name, sizeof(name), ASIDE_PREFIX "%s.db", stamp)
			   : file_path(name, sizeof(name), ASIDE_PREFIX "%s-%d.db", stamp, i);
		if (r == 0) {
			r = file_path(wal, sizeof(wal), "%s-wal", name);
		}
		if (r < 0) {
			return r;
		}
		if (!exists(dir_fd, name) && !exists(dir_fd, wal)) {
			return file_path(ret_name, ASIDE_NAME_CHARS, "%s", name);
		}
	}
	return -EEXIST;
}

static int move_one(int dir_fd, const char *name, const char *suffix)
{
	char from[32], to[ASIDE_NAME_CHARS + 8];
	int r;

	r = file_path(from, sizeof(from), "journal.db%s", suffix);
	if (r == 0) {
		r = file_path(to, sizeof(to), "%s%s", name, suffix);
	}
	if (r == 0 && renameat(dir_fd, from, dir_fd, to) != 0 && errno != ENOENT) {
		r = -errno;
	}
	return r;
}

static int move_all(int dir_fd, const char *name)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	size_t i;
	int r;

	for (i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		r = move_one(dir_fd, name, suffixes[i]);
		if (r == 0) {
			r = file_sync_dir(dir_fd);
		}
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

int aside_move(int dir_fd, char ret_name[static ASIDE_NAME_CHARS])
{
	char name[ASIDE_NAME_CHARS];
	int r;

	r = free_name(dir_fd, name);
	if (r == 0) {
		r = move_all(dir_fd, name);
	}
	if (r == 0) {
		r = file_path(ret_name, ASIDE_NAME_CHARS, "%s", name);
	}
	return r;
}

int aside_resume(int dir_fd, char ret_name[static ASIDE_NAME_CHARS])
{
	int r;

	if (exists(dir_fd, "journal.db") || !exists(dir_fd, "journal.db-wal")) {
		return 0;
	}
	r = aside_move(dir_fd, ret_name);
	return r < 0 ? r : 1;
}

bool aside_kept(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	bool kept = false;

	if (!dir && fd >= 0) {
		(void)close(fd);
	}
	for (struct dirent *entry; dir && !kept && (entry = readdir(dir));) {
		kept = strncmp(entry->d_name, ASIDE_PREFIX, strlen(ASIDE_PREFIX)) == 0;
	}
	if (dir) {
		(void)closedir(dir);
	}
	return kept;
}
