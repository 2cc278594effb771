/*
 * The board made of software, our end of it: buttons that come over a Unix
 * socket and lamps that are told to everybody connected (board/sim/README.md).
 * Both drivers share the one socket.
 */
#include "app/base/clock.h"
#include "app/base/file.h"
#include "firmware/buttons.h"
#include "firmware/lamps.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENTS_MAX 8
#define MESSAGE_CHARS 128
#define TIME_MOST_NS (INT64_MAX / 4) /* sums with it do not overflow */

struct simboard {
	const struct config *config;
	struct sockaddr_un address;
	int listen_fd, epoll_fd;
	int clients[CLIENTS_MAX]; /* -1: free */
	bool levels[CONFIG_LINES_MAX];
	struct {
		bool lit;
		int64_t t_ns;
	} lamps[CONFIG_LINES_MAX];
};

static void sim_close(void *self)
{
	struct simboard *board = self;
	if (!board) {
		return;
	}
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (board->clients[i] >= 0) {
			close(board->clients[i]);
		}
	}
	if (board->epoll_fd >= 0) {
		close(board->epoll_fd);
	}
	if (board->listen_fd >= 0) {
		close(board->listen_fd);
		unlink(board->address.sun_path);
	}
	free(board);
}

static int watch(const struct simboard *board, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
	return epoll_ctl(board->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int listen_at(struct simboard *board)
{
	unlink(board->address.sun_path);
	board->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	board->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (board->listen_fd < 0 || board->epoll_fd < 0 ||
		bind(board->listen_fd, (struct sockaddr *)&board->address,
			sizeof(board->address)) < 0 ||
		listen(board->listen_fd, CLIENTS_MAX) < 0) {
		return -errno;
	}
	return watch(board, board->listen_fd);
}

static int sim_open(const struct config *config, void **ret_self, int *ret_fd, struct error *error)
{
	struct simboard *board = calloc(1, sizeof(*board));
	if (!board) {
		return error_set(error, -ENOMEM, "simulated board: out of memory");
	}
	board->config = config;
	board->listen_fd = board->epoll_fd = -1;
	memset(board->clients, 0xff, sizeof(board->clients));
	board->address.sun_family = AF_UNIX;
	int r = file_make_dirs(config->runtime);
	r = r < 0 ? r : file_path(board->address.sun_path, sizeof(board->address.sun_path),
				"%s/board.sock", config->runtime);
	r = r < 0 ? r : listen_at(board);
	if (r < 0) {
		sim_close(board);
		return error_set(error, r, "%s/board.sock: %s; set runtime in [box] to a folder "
			"that can be written", config->runtime, strerror(-r));
	}
	*ret_self = board;
	*ret_fd = board->epoll_fd;
	return 0;
}

/* A client that does not read its mail is not waited for. */
static void tell(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void tell(int fd, const char *format, ...)
{
	char text[MESSAGE_CHARS];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	size_t bytes = n < MESSAGE_CHARS ? (size_t)n : MESSAGE_CHARS - 1;
	(void)!send(fd, text, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void tell_lamp(const struct simboard *board, int fd, size_t i)
{
	tell(fd, "lamp %s %d %lld", board->config->lamps.list[i].name, board->lamps[i].lit,
		(long long)board->lamps[i].t_ns);
}

static void greet(struct simboard *board)
{
	int fd = accept4(board->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	size_t place = 0;
	while (place < CLIENTS_MAX && board->clients[place] >= 0) {
		place++;
	}
	if (fd < 0 || place == CLIENTS_MAX || watch(board, fd) < 0) {
		if (fd >= 0) {
			tell(fd, "error too many are connected");
			close(fd);
		}
		return;
	}
	board->clients[place] = fd;
	for (size_t i = 0; i < board->config->lamps.n; i++) {
		tell_lamp(board, fd, i);
	}
	tell(fd, "ready");
}

static void leave(struct simboard *board, int fd)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (board->clients[i] == fd) {
			board->clients[i] = -1;
		}
	}
	close(fd);
}

/* An edge message; false when it is not understood. */
static bool parse(struct simboard *board, const char *text, struct edge *ret_edge, bool *ret_is_edge)
{
	char verb[8], line[CONFIG_NAME_CHARS];
	int level;
	long long t_ns = 0;
	int n = sscanf(text, "%7s %31s %1d %lld", verb, line, &level, &t_ns);
	bool is_edge = n == 4 && strcmp(verb, "edge") == 0;
	bool is_level = n == 3 && strcmp(verb, "level") == 0;
	if ((!is_edge && !is_level) || level < 0 || level > 1 || t_ns < 0 || t_ns > TIME_MOST_NS) {
		return false;
	}
	for (size_t i = 0; i < board->config->buttons.n; i++) {
		if (strcmp(board->config->buttons.list[i].line, line) == 0) {
			board->levels[i] = level;
			*ret_is_edge = is_edge;
			*ret_edge = (struct edge){
				.button = i, .active = level, .t_ns = t_ns ? t_ns : clock_now_ns()};
			return true;
		}
	}
	return false;
}

static int sim_read(void *self, struct edge *ret_edges, size_t room, bool *ret_lost)
{
	struct simboard *board = self;
	struct epoll_event event;
	size_t n = 0;
	*ret_lost = false;
	while (n < room && epoll_wait(board->epoll_fd, &event, 1, 0) > 0) {
		char text[MESSAGE_CHARS];
		int fd = event.data.fd;
		if (fd == board->listen_fd) {
			greet(board);
			continue;
		}
		ssize_t got = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
		if (got <= 0) {
			leave(board, fd);
			continue;
		}
		text[got] = '\0';
		bool is_edge = false;
		if (!parse(board, text, &ret_edges[n], &is_edge)) {
			tell(fd, "error not understood: %.60s", text);
		} else if (is_edge) {
			n++;
		} else {
			*ret_lost = true;
		}
	}
	return (int)n;
}

static int sim_level(void *self, size_t button)
{
	struct simboard *board = self;
	return board->levels[button];
}

static int lamps_open(const struct config *config, void *buttons, void **ret_self,
	struct error *error)
{
	if (config->buttons_kind != BUTTONS_SIM) {
		return error_set(error, -EINVAL,
			"[board] lamps = sim goes with buttons = sim only; set lamps = none");
	}
	if (!buttons) {
		return error_set(error, -ENODEV, "simulated board: no lamps without its socket");
	}
	*ret_self = buttons;
	return 0;
}

static void lamps_close(void *self)
{
	/* the button driver's */
}

static int lamps_set(void *self, size_t i, bool lit)
{
	struct simboard *board = self;
	if (board->lamps[i].lit == lit) {
		return 0; /* as everybody has been told */
	}
	board->lamps[i].lit = lit;
	board->lamps[i].t_ns = clock_now_ns();
	for (size_t client = 0; client < CLIENTS_MAX; client++) {
		if (board->clients[client] >= 0) {
			tell_lamp(board, board->clients[client], i);
		}
	}
	return 0;
}

const struct button_driver button_driver_sim = {
	.open = sim_open, .close = sim_close, .read = sim_read, .level = sim_level};
const struct lamp_driver lamp_driver_sim = {
	.open = lamps_open, .close = lamps_close, .set = lamps_set};
