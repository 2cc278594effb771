/*
 * What a run says: on a terminal a bar that is redrawn, elsewhere one line a
 * step. Everything goes to standard error.
 */
#ifndef SYNC_PROGRESS_H
#define SYNC_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
	bool terminal; /* a bar */
	bool journal; /* lines with a priority, as journald reads them */
	bool drawn; /* the bar stands in the present line */
	int64_t drawn_ns;
	int64_t began_ns, total_bytes, done_bytes, part_bytes;
	size_t total, done; /* snippets */
};

void progress_init(struct progress *progress);

/* A line, printf-style, without its end. @priority as in syslog(3). */
void progress_say(struct progress *progress, int priority, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* From now on so many snippets of so many bytes in all. */
void progress_begin(struct progress *progress, size_t total, int64_t total_bytes);
/* So many bytes of the present snippet are out; draws, at most ten times a second. */
void progress_sent(struct progress *progress, int64_t bytes);
/* The present snippet is done. */
void progress_step(struct progress *progress, int64_t bytes);
/* Takes the bar away. */
void progress_end(struct progress *progress);

/*
 * The bar as text of at most @columns columns: "[####----] 12/40 snippets, 3.1 of
 * 9.8 MB, 410 kB/s". Pure; exposed for tests.
 */
void progress_bar(
	const struct progress *progress, int64_t now_ns, int columns, char *ret_text, size_t room);

#endif
