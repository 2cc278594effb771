/*
 * Presses a button of a simulated board and writes a bare block, in turn:
 *
 *	press ----> lamp    release    bare write + fdatasync    lamp off    press
 *	     |<---->|                 |<------------------->|
 *	     "confirm"                "bare"
 *
 * So both meet the same disk in the same minute, on the same terms: the block
 * lies in a file that is written already, as the journal's log mostly does, and
 * the file system keeps no journal of its own for it. The next press comes when
 * the blink is over, and a little later each time, so that it keeps no step with
 * what the recorder does every second.
 *
 * Prints a line for each press: nanoseconds until the lamp's message is here,
 * until the lamp was set by its own stamp, and of the bare write.
 */
#include "app/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BLOCK_BYTES 4096
#define BLOCKS 256
#define ANSWER_MS 10000
#define HELD_NS (40 * NS_PER_MS)
#define PAUSE_NS (30 * NS_PER_MS)
#define STAGGER_NS (NS_PER_MS * 7 / 10)
#define STAGGERS 40

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void sleep_until(int64_t t_ns)
{
	struct timespec until = {.tv_sec = t_ns / NS_PER_S, .tv_nsec = t_ns % NS_PER_S};
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {
	}
}

static int board_connect(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address.sun_path)) {
		return -ENAMETOOLONG;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		return -errno;
	}
	return fd;
}

/*
 * Waits for a message that begins with @begin. *ret_here_ns is when it came,
 * *ret_stamp_ns the number at its end.
 */
static int board_wait(int fd, const char *begin, int64_t *ret_here_ns, int64_t *ret_stamp_ns)
{
	char text[128];
	for (;;) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
		if (poll(&poll_fd, 1, ANSWER_MS) <= 0) {
			return -ETIMEDOUT;
		}
		ssize_t n = recv(fd, text, sizeof(text) - 1, 0);
		int64_t here_ns = now_ns();
		if (n <= 0) {
			return -ECONNRESET;
		}
		text[n] = '\0';
		if (strncmp(text, begin, strlen(begin)) == 0) {
			const char *last = strrchr(text, ' ');
			*ret_here_ns = here_ns;
			*ret_stamp_ns = last ? strtoll(last, NULL, 10) : 0;
			return 0;
		}
	}
}

static int board_edge(int fd, int level, int64_t t_ns)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "edge 1 %d %lld", level, (long long)t_ns);
	return send(fd, text, (size_t)n, MSG_NOSIGNAL) == n ? 0 : -errno;
}

static int bare_open(const char *path)
{
	static const char block[BLOCK_BYTES];
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	for (int i = 0; fd >= 0 && i < BLOCKS; i++) {
		if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block)) {
			return -EIO;
		}
	}
	return fd < 0 || fsync(fd) < 0 ? -errno : fd;
}

static int bare_write(int fd, int i, int64_t *ret_ns)
{
	char block[BLOCK_BYTES];
	memset(block, 'a' + i % 26, sizeof(block));
	int64_t begin_ns = now_ns();
	if (pwrite(fd, block, sizeof(block), (off_t)(i % BLOCKS) * BLOCK_BYTES) !=
			(ssize_t)sizeof(block) ||
		fdatasync(fd) < 0) {
		return -EIO;
	}
	*ret_ns = now_ns() - begin_ns;
	return 0;
}

static int round_once(int board_fd, int bare_fd, int i)
{
	int64_t here_ns, stamp_ns, bare_ns, unused_ns;
	int64_t press_ns = now_ns();
	int r = board_edge(board_fd, 1, press_ns);
	r = r < 0 ? r : board_wait(board_fd, "lamp vibration 1", &here_ns, &stamp_ns);
	if (r < 0) {
		return r;
	}
	sleep_until(press_ns + HELD_NS);
	r = board_edge(board_fd, 0, now_ns());
	sleep_until(press_ns + HELD_NS + PAUSE_NS);
	r = r < 0 ? r : bare_write(bare_fd, i, &bare_ns);
	if (r < 0) {
		return r;
	}
	printf("%lld %lld %lld\n", (long long)(here_ns - press_ns),
		(long long)(stamp_ns - press_ns), (long long)bare_ns);
	r = board_wait(board_fd, "lamp vibration 0", &unused_ns, &unused_ns);
	sleep_until(now_ns() + i % STAGGERS * STAGGER_NS);
	return r;
}

int main(int argc, char **argv)
{
	int64_t unused_ns;
	int presses = argc == 4 ? (int)strtol(argv[3], NULL, 10) : 0;
	if (presses < 1) {
		fprintf(stderr, "presses BOARD_SOCKET FILE PRESSES\n");
		return 2;
	}
	int board_fd = board_connect(argv[1]);
	int bare_fd = bare_open(argv[2]);
	int r = board_fd < 0 ? board_fd : bare_fd < 0 ? bare_fd : 0;
	r = r < 0 ? r : board_wait(board_fd, "ready", &unused_ns, &unused_ns);
	for (int i = 0; r == 0 && i < presses; i++) {
		r = round_once(board_fd, bare_fd, i);
	}
	if (r < 0) {
		fprintf(stderr, "presses: %s\n", strerror(-r));
	}
	return r < 0 ? 1 : 0;
}
