#include "app/cli/boardlink.h"

#include "app/base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define RETRY_MS 20

struct boardlink {
	int fd;
};

static int64_t kernel_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t boardlink_deadline(int ms)
{
	return kernel_now_ns() + ms * NS_PER_MS;
}

static int connect_to(const struct sockaddr_un *address, int *ret_fd)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0) {
		return -errno;
	}
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

static int unreachable(const char *path, int code, struct error *error)
{
	switch (code) {
	case -ENOENT:
	case -ECONNREFUSED:
		return error_set(error, code,
			"%s: no simulated board there; start chalkboxd with one, or wait with "
			"--wait",
			path);
	case -EACCES:
		return error_set(error, code,
			"%s: may not be opened; run as a member of its group, or as root", path);
	default:
		return error_set(error, code, "%s: %s", path, strerrordesc_np(-code));
	}
}

int boardlink_open(
	const char *runtime, int wait_ms, struct boardlink **ret_link, struct error *error)
{
	int64_t deadline_ns = boardlink_deadline(wait_ms);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct boardlink *link;
	int fd = -1, r;

	r = snprintf(address.sun_path, sizeof(address.sun_path), "%s/board.sock", runtime);
	if (r < 0 || (size_t)r >= sizeof(address.sun_path)) {
		return error_set(error, -ENAMETOOLONG,
			"%s/board.sock: longer than a socket's path may be; set a shorter runtime",
			runtime);
	}
	while ((r = connect_to(&address, &fd)) < 0) {
		if ((r != -ENOENT && r != -ECONNREFUSED) || kernel_now_ns() >= deadline_ns) {
			return unreachable(address.sun_path, r, error);
		}
		poll(NULL, 0, RETRY_MS);
	}
	link = malloc(sizeof(*link));
	if (link == NULL) {
		close(fd);
		return error_set(error, -ENOMEM, "out of memory");
	}
	link->fd = fd;
	*ret_link = link;
	return 0;
}

void boardlink_close(struct boardlink *link)
{
	if (link != NULL) {
		close(link->fd);
		free(link);
	}
}

int boardlink_fd(const struct boardlink *link)
{
	return link->fd;
}

static int understand(const char *message, struct board_said *ret_said)
{
	struct board_said said = {.what = BOARD_READY};
	int on, end = 0;

	if (strcmp(message, "ready") == 0) {
		*ret_said = said;
		return 0;
	}
	if (strncmp(message, "error ", 6) == 0) {
		said.what = BOARD_ERROR;
		snprintf(said.text, sizeof(said.text), "%s", message + 6);
		*ret_said = said;
		return 0;
	}
	said.what = BOARD_LAMP;
	if (sscanf(message, "lamp %31s %d %" SCNd64 "%n", said.name, &on, &said.t_ns, &end) != 3 ||
		message[end] != '\0' || (on != 0 && on != 1)) {
		return -EPROTO;
	}
	said.on = on == 1;
	*ret_said = said;
	return 0;
}

int boardlink_next(struct boardlink *link, int64_t deadline_ns, struct board_said *ret_said)
{
	struct pollfd look = {.fd = link->fd, .events = POLLIN};
	char message[BOARD_MESSAGE_BYTES];
	int64_t left_ns = deadline_ns - kernel_now_ns();
	struct timespec left;
	ssize_t n;
	int r;

	left_ns = left_ns > 0 ? left_ns : 0;
	left = (struct timespec){left_ns / NS_PER_S, left_ns % NS_PER_S};
	r = ppoll(&look, 1, &left, NULL);
	if (r < 0) {
		return -errno;
	}
	if (r == 0) {
		return -ETIMEDOUT;
	}
	n = recv(link->fd, message, sizeof(message) - 1, 0);
	if (n < 0) {
		return -errno;
	}
	if (n == 0) {
		return -ECONNRESET;
	}
	message[n] = '\0';
	return understand(message, ret_said);
}

int boardlink_edge(struct boardlink *link, const char *line, bool active, int64_t t_ns)
{
	char message[BOARD_MESSAGE_BYTES];
	int n = snprintf(message, sizeof(message), "edge %s %d %" PRId64, line, active, t_ns);

	while (send(link->fd, message, (size_t)n, MSG_NOSIGNAL) < 0) {
		if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

void boardlink_finish(struct boardlink *link)
{
	shutdown(link->fd, SHUT_WR);
}
