/* Snippets that a power cut or a kill left behind. */
#ifndef FIRMWARE_TORN_H
#define FIRMWARE_TORN_H

#include "app/journal/entry.h"
#include "firmware/snippet.h"

#define TORN_DAMAGED ".damaged"

/*
 * Cuts the torn tail off <name>.part (a whole one stays what it is), marks the
 * last good page as the end of the stream, and puts that on disk. If what is cut
 * off holds good pages, the file as it was is kept as <name>.damaged. Fills
 * *ret_head and the facts of snippet_finish() plus to_ns and complete; the caller
 * owns the facts and, once the journal names the file, calls snippet_publish().
 * Returns 0; -ENODATA when there is no sound in it (the caller may remove it);
 * -EBADMSG when it is damaged where it begins; or another -errno. Blocks on the
 * disk.
 */
int torn_repair(int dir_fd, const char *part, struct snippet_head *ret_head,
	struct facts *ret_facts) MUST_CHECK;

#endif
