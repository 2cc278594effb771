/* The other end of the recorder's control socket: firmware/control.h. */
#ifndef CLI_RECORDERLINK_H
#define CLI_RECORDERLINK_H

#include "app/base/error.h"

#include <stdint.h>

#define RECORDER_MESSAGE_BYTES 512

struct recorderlink;

/*
 * Connects to the recorder whose socket is in the folder @runtime. 0; -ENOTCONN
 * when none runs; -EACCES; or -errno. Close with recorderlink_close(), which takes
 * NULL.
 */
int recorderlink_open(const char *runtime, struct recorderlink **ret_link) MUST_CHECK;
void recorderlink_close(struct recorderlink *link);

/*
 * The next message, asked for or not; waits for it until @deadline_ns of the
 * kernel's CLOCK_MONOTONIC. 0, -ETIMEDOUT, -EINTR, -ECONNRESET when the recorder
 * hung up, or -errno.
 */
int recorderlink_next(struct recorderlink *link, int64_t deadline_ns,
	char ret_text[static RECORDER_MESSAGE_BYTES]) MUST_CHECK;

/*
 * Asks, and waits for the answer for 5 s at most; what it tells of a trial meanwhile
 * is passed over. Errors as recorderlink_next().
 */
int recorderlink_ask(struct recorderlink *link, const char *question,
	char ret_answer[static RECORDER_MESSAGE_BYTES]) MUST_CHECK;

#endif
