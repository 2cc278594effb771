/* The other end of the simulated board's socket: board/sim/README.md. */
#ifndef CLI_BOARDLINK_H
#define CLI_BOARDLINK_H

#include "app/base/config.h"
#include "app/base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define BOARD_MESSAGE_BYTES 256

/* One message of the board. */
struct board_said {
	enum { BOARD_LAMP, BOARD_READY, BOARD_ERROR } what;
	char name[CONFIG_NAME_CHARS]; /* of the lamp */
	bool on;
	int64_t t_ns;
	char text[BOARD_MESSAGE_BYTES]; /* of the error */
};

struct boardlink;

/*
 * Connects to the board whose socket is in the folder @runtime; waits up to
 * @wait_ms (real time) for it to appear. 0, or -errno with an explanation. Close
 * with boardlink_close(), which takes NULL.
 */
int boardlink_open(const char *runtime, int wait_ms, struct boardlink **ret_link,
	struct error *error) MUST_CHECK;
void boardlink_close(struct boardlink *link);

/* The descriptor to poll for input; borrowed. */
int boardlink_fd(const struct boardlink *link);

/*
 * The next message; waits for it until @deadline_ns of the kernel's
 * CLOCK_MONOTONIC. 0, -ETIMEDOUT, -ECONNRESET when the board hung up, -EINTR,
 * -EPROTO for a message nobody knows, or -errno.
 */
int boardlink_next(
	struct boardlink *link, int64_t deadline_ns, struct board_said *ret_said) MUST_CHECK;

/* A line became active or inactive, at a time of the program's clock. 0 or -errno. */
int boardlink_edge(struct boardlink *link, const char *line, bool active, int64_t t_ns) MUST_CHECK;

/* Nothing more will be sent; the board hangs up when it has read everything. */
void boardlink_finish(struct boardlink *link);

/* CLOCK_MONOTONIC of the kernel now, plus so many milliseconds. */
int64_t boardlink_deadline(int ms);

#endif
