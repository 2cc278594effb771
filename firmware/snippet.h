/*
 * One snippet of sound on disk, Ogg Opus (RFC 7845): written under "<name>.part"
 * as the sound comes, then made whole. Its head carries what is needed to
 * journal it after a power cut.
 */
#ifndef FIRMWARE_SNIPPET_H
#define FIRMWARE_SNIPPET_H

#include "app/journal/entry.h"

#include <stdbool.h>
#include <stdint.h>

#define SNIPPET_PEAK_MS 50
#define SNIPPET_PART ".part"

struct snippet;

/* What the file says about itself, in its Opus tags. */
struct snippet_head {
	char boot_id[BOOT_ID_CHARS];
	int64_t boot;        /* seq of the boot entry of the run that made it */
	int64_t observation; /* 0 for none */
	int64_t from_ns;     /* CLOCK_MONOTONIC of the first frame */
};

/*
 * Begins a file in the folder @dir_fd (borrowed until the snippet is closed).
 * 0 or -errno with an explanation. Blocks on the disk, as do all functions here.
 */
int snippet_open(int dir_fd, const struct snippet_head *head, int rate_hz, int bitrate_kbit,
	struct snippet **ret_snippet, struct error *error) MUST_CHECK;

/* Adds mono frames. 0, -ENOSPC, or another -errno: close it then. */
int snippet_write(struct snippet *snippet, const int16_t *frames, size_t n) MUST_CHECK;

/* Puts on disk what the encoder has given so far. 0 or -errno. */
int snippet_sync(struct snippet *snippet) MUST_CHECK;

/*
 * Makes it whole and durable, still under its ".part" name: first the journal
 * must name it, then snippet_publish(). Fills file, codec, from_ns, bytes,
 * sha256, peaks and step_ms; the caller owns the facts. 0 or -errno.
 */
int snippet_finish(struct snippet *snippet, struct facts *ret_facts) MUST_CHECK;

/* Frees it; an unfinished file stays as it is, for snippet_recover(). */
void snippet_close(struct snippet *snippet);

/* How many frames it holds, and the moment of the first one. */
int64_t snippet_frames(const struct snippet *snippet);
int64_t snippet_from_ns(const struct snippet *snippet);

/* Gives a journalled file its name for good. 0 (also if it has it) or -errno. */
int snippet_publish(int dir_fd, const char *name) MUST_CHECK;

#endif
