/* Entries as lines of NDJSON, as many as one request may carry. Pure. */
#ifndef SYNC_BATCH_H
#define SYNC_BATCH_H

#include "app/journal/entry.h"

#define BATCH_LINES_MAX 500
#define BATCH_BYTES_MAX (256 << 10)

struct batch {
	char *text; /* owned; the lines, each with its line's end */
	size_t bytes, lines;
	int64_t last; /* the seq of the last line */
};

/*
 * Writes the first entries of the list, at most @most_lines of them and at most
 * @most_bytes, but at least one. 0; -EINVAL when the first entry's body is not a
 * JSON object, so that nobody could read the line; -ENOMEM. On success the caller
 * calls batch_fini().
 */
int batch_make(const struct entry *entries, size_t n, size_t most_lines, size_t most_bytes,
	struct batch *ret_batch, struct error *error) MUST_CHECK;
void batch_fini(struct batch *batch);

#endif
