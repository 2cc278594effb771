/*
 * Beside PAGE may lie PAGE.gz, the same compressed when it was made. Whether there is
 * a page, and of which type, PAGE alone says; PAGE.gz is only how it travels to those
 * who accept that, and nobody can ask for it by its name.
 */
#include "app/server/pages.h"

#include "app/server/gzip.h"
#include "app/server/server.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define POLICY                                                                                     \
	"default-src 'self'; img-src 'self' data:; media-src 'self' blob:; object-src 'none'; "    \
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

static const char *type_of(const char *path)
{
	static const char *const types[][2] = {
		{".html", "text/html; charset=utf-8"},
		{".js", "text/javascript; charset=utf-8"},
		{".mjs", "text/javascript; charset=utf-8"},
		{".css", "text/css; charset=utf-8"},
		{".json", "application/json"},
		{".svg", "image/svg+xml"},
		{".png", "image/png"},
		{".ico", "image/vnd.microsoft.icon"},
		{".woff2", "font/woff2"},
		{".txt", "text/plain; charset=utf-8"},
	};
	const char *dot = strrchr(path, '.');
	size_t i;

	for (i = 0; dot && i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(dot, types[i][0]) == 0) {
			return types[i][1];
		}
	}
	return NULL;
}

/* The file below the folder, whatever links there are. Its fd or -errno. */
static int open_below(const char *folder, const char *path)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
	int at = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	long fd;

	if (at < 0) {
		return -errno;
	}
	fd = syscall(SYS_openat2, at, path, &how, sizeof(how));
	fd = fd < 0 ? -errno : fd;
	(void)close(at);
	return (int)fd;
}

static int nothing(struct request *request)
{
	return answer_error(request, 404, "not-found", "There is no such page.");
}

/* The compressed page in the place of *fd and *stat, if there is one. */
static bool compressed(const char *folder, const char *path, int *fd, struct stat *stat)
{
	char beside[PATH_MAX];
	struct stat other;
	int n = snprintf(beside, sizeof(beside), "%s.gz", path);
	int gz = n < (int)sizeof(beside) ? open_below(folder, beside) : -ENAMETOOLONG;

	if (gz < 0) {
		return false;
	}
	if (fstat(gz, &other) < 0 || !S_ISREG(other.st_mode)) {
		(void)close(gz);
		return false;
	}
	(void)close(*fd);
	*fd = gz;
	*stat = other;
	return true;
}

static int send_file(
	struct request *request, int fd, const struct stat *stat, const char *type, bool gzip)
{
	const char *known = request_header(request, "If-None-Match");
	char etag[64];

	(void)snprintf(etag, sizeof(etag), "\"%llx-%llx-%lx%s\"", (unsigned long long)stat->st_size,
		(unsigned long long)stat->st_mtim.tv_sec, stat->st_mtim.tv_nsec, gzip ? "-gz" : "");
	answer_header(request, "ETag", "%s", etag);
	answer_header(request, "Vary", "Accept-Encoding");
	answer_header(request, "Cache-Control", "no-cache");
	answer_header(request, "Content-Security-Policy", "%s", POLICY);
	answer_header(request, "Cross-Origin-Opener-Policy", "same-origin");
	if (known && strstr(known, etag)) {
		(void)close(fd);
		return answer_empty(request, 304);
	}
	if (gzip) {
		answer_header(request, "Content-Encoding", "gzip");
	}
	return answer_file(request, fd, stat->st_size, type);
}

int pages_get(struct request *request, struct error *error)
{
	const char *path = strcmp(request->path, "/") == 0 ? "index.html" : request->path + 1;
	const char *type = type_of(path), *folder = request->server->static_dir;
	struct stat stat;
	bool gzip;
	int fd;

	if (!folder || !type || path[0] == '.' || strstr(path, "/.")) {
		return nothing(request);
	}
	fd = open_below(folder, path);
	if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM) {
		return error_set(error, -EBUSY, "%s: %s", path, strerror(-fd));
	}
	if (fd < 0) {
		return nothing(request);
	}
	if (fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode)) {
		(void)close(fd);
		return nothing(request);
	}
	gzip = gzip_taken(request_header(request, "Accept-Encoding")) &&
		compressed(folder, path, &fd, &stat);
	return send_file(request, fd, &stat, type, gzip);
}
