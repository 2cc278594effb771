/* Files that are either whole or not there. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "app/base/error.h"

#include <stddef.h>
#include <sys/types.h>

/* Writes all of it, over short writes and EINTR. 0 or -errno. Blocks. */
int file_write(int fd, const void *bytes, size_t n) MUST_CHECK;

/*
 * Reads a whole file of at most @most bytes into memory, a NUL behind it (not
 * counted). Caller frees with free(). 0, -EFBIG or -errno; -EAGAIN for a pipe or
 * terminal that says nothing for 2 s. Blocks.
 */
int file_read(const char *path, size_t most, char **ret_bytes, size_t *ret_n) MUST_CHECK;

/*
 * Writes a file's bytes over themselves and syncs it. After a failed fsync the
 * kernel takes what it could not write for written: read again, it looks right,
 * and the next fsync says nothing. Only when written anew does it get another
 * chance. 0 (also when there is no such file) or -errno. Blocks.
 */
int file_rewrite(int dir_fd, const char *name) MUST_CHECK;

/* fsync of a folder, so that names made or changed in it last. 0 or -errno. */
int file_sync_dir(int dir_fd) MUST_CHECK;

/*
 * Makes the file @name of the folder @dir hold exactly these bytes: after a power
 * cut at any moment it is the old one or the new one, and once this returns 0 the
 * new one. Goes by way of "<name>.new". One writer a name. 0 or -errno. Blocks.
 */
int file_replace(const char *dir, const char *name, const void *bytes, size_t n,
	mode_t mode) MUST_CHECK;

/* Removes it, for good; one that is not there is no error. 0 or -errno. Blocks. */
int file_remove(const char *dir, const char *name) MUST_CHECK;

/* Makes a folder (0750) and its parents if they are missing. 0 or -errno. */
int file_make_dirs(const char *path) MUST_CHECK;

/* snprintf that says -ENAMETOOLONG when it does not fit. */
int file_path(char *ret_path, size_t room, const char *format, ...)
	__attribute__((format(printf, 3, 4), warn_unused_result));

/*
 * The SHA-256 of a file as 64 hex digits and a NUL, and its size. 0 or -errno.
 * Blocks.
 */
int file_sha256(int dir_fd, const char *name, char ret_hex[static 65], off_t *ret_bytes) MUST_CHECK;

/* The size of PATH_MAX's practical kin here: state folder plus a file name. */
#define FILE_PATH_CHARS 512

#endif
