/*
 * Who writes the journal for sync: the recorder, asked over its control socket;
 * or, when none is running, this process itself, under the journal's lock. Never
 * two writers.
 */
#ifndef SYNC_WRITER_H
#define SYNC_WRITER_H

#include "app/base/config.h"
#include "app/base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct writer;

/* @config is borrowed. 0 or -ENOMEM. Close with writer_close(), which takes NULL. */
int writer_open(const struct config *config, struct writer **ret_writer) MUST_CHECK;

/* Gives the lock back, if it was taken. */
void writer_close(struct writer *writer);

/*
 * Whether a lesson is being observed at this moment. Without a recorder none is.
 * 0 or -errno with an explanation. Blocks for up to 10 s.
 */
int writer_observing(struct writer *writer, bool *ret_observing, struct error *error) MUST_CHECK;

/* Whether the recorder answered the latest question; false before the first. */
bool writer_has_recorder(const struct writer *writer);

/*
 * The server has the snippet of entry @seq, by this hash, and it may leave the
 * box: an entry says so first, then the file goes. 0 when both is on disk (or was
 * before); -EAGAIN: not now; another -errno with an explanation. Blocks.
 */
int writer_gone(
	struct writer *writer, int64_t seq, const char *sha256, struct error *error) MUST_CHECK;

/*
 * Keeps the site's scheme; NULL takes it back. It counts from the next observation
 * on. 0, -EINVAL with an explanation when it is no scheme, or -errno. Blocks.
 */
int writer_scheme(struct writer *writer, const char *text, struct error *error) MUST_CHECK;

#endif
