/*
 * Letting a snippet's file go: first the journal says so, then the file goes. A
 * power cut between the two leaves the file; asking again removes it.
 */
#ifndef JOURNAL_GONE_H
#define JOURNAL_GONE_H

#include "app/journal/journal.h"

/* gone_check(): there is no file any more, so there is nothing to do. */
#define GONE_E_ALREADY 1

/*
 * Whether entry @seq is a snippet of that hash (64 hex digits), so that its file
 * in the folder @dir_fd may go. 0 with the entry that must be written first: its
 * seq, boot and t_ns are left 0 for the caller to fill in; its body is the
 * caller's, freed by entry_fini(). GONE_E_ALREADY, -EINVAL with an explanation
 * (no snippet, another hash), or -errno. Blocks on the disk.
 */
int gone_check(struct journal *journal, int dir_fd, int64_t seq, const char *sha256,
	struct entry *ret_entry, struct error *error) MUST_CHECK;

/*
 * Removes the file that a written ENTRY_GONE names; one that is not there is no
 * error. 0 or -errno. Blocks on the disk.
 */
int gone_remove(int dir_fd, const struct entry *entry) MUST_CHECK;

#endif
