#include "app/server/pages.h"

#include "app/server/server.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
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

static int send_file(struct request *request, int fd, const struct stat *stat, const char *type)
{
	const char *known = request_header(request, "If-None-Match");
	char etag[64];

	(void)snprintf(etag, sizeof(etag), "\"%llx-%llx-%lx\"", (unsigned long long)stat->st_size,
		(unsigned long long)stat->st_mtim.tv_sec, stat->st_mtim.tv_nsec);
	answer_header(request, "ETag", "%s", etag);
	answer_header(request, "Cache-Control", "no-cache");
	answer_header(request, "Content-Security-Policy", "%s", POLICY);
	answer_header(request, "Cross-Origin-Opener-Policy", "same-origin");
	if (known && strstr(known, etag)) {
		(void)close(fd);
		return answer_empty(request, 304);
	}
	return answer_file(request, fd, stat->st_size, type);
}

int pages_get(struct request *request, struct error *error)
{
	const char *path = strcmp(request->path, "/") == 0 ? "index.html" : request->path + 1;
	const char *type = type_of(path), *folder = request->server->static_dir;
	struct stat stat;
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
	return send_file(request, fd, &stat, type);
}
