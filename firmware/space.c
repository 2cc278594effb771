#include "firmware/space.h"

#include "app/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MIB INT64_C(1048576)

static int reserve_path(const struct config *config, char *ret_path, size_t room)
{
	return file_path(ret_path, room, "%s/reserve", config->state);
}

static int64_t free_bytes(const struct config *config)
{
	struct statvfs fs;
	return statvfs(config->state, &fs) < 0 ? 0 : (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
}

int space_reserve(const struct config *config)
{
	char path[FILE_PATH_CHARS];
	int64_t bytes = config->reserve_mib * MIB;
	int r = reserve_path(config, path, sizeof(path));
	if (r < 0 || access(path, F_OK) == 0) {
		return r;
	}
	if (free_bytes(config) < bytes + config->sound_stops_mib * MIB) {
		return -ENOSPC;
	}
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0) {
		return -errno;
	}
	/* blocks of our own, not a promise of the file's length */
	r = -posix_fallocate(fd, 0, bytes);
	r = r < 0 ? r : fsync(fd) < 0 ? -errno : 0;
	close(fd);
	if (r < 0) {
		unlink(path);
	}
	return r;
}

int space_release(const struct config *config)
{
	char path[FILE_PATH_CHARS];
	int r = reserve_path(config, path, sizeof(path));
	return r < 0 ? r : unlink(path) < 0 ? -errno : 0;
}

bool space_for_sound(const struct config *config)
{
	char path[FILE_PATH_CHARS];
	int64_t bytes = config->sound_stops_mib * MIB;
	/* a reserve given up for events is made anew before sound is kept again */
	if (reserve_path(config, path, sizeof(path)) == 0 && access(path, F_OK) < 0) {
		bytes += config->reserve_mib * MIB;
	}
	return free_bytes(config) >= bytes;
}
