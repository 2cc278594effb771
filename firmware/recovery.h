/* What an earlier run left undone. */
#ifndef FIRMWARE_RECOVERY_H
#define FIRMWARE_RECOVERY_H

#include "app/journal/journal.h"
#include "firmware/recorder.h"

/*
 * Ends an observation that is still open in the journal, repairs the snippets
 * left as ".part" in the folder @dir_fd, and adds the entries for them to the
 * recorder, after its boot entry. *ret_repaired counts the snippets. 0 or -errno
 * with an explanation; a file that cannot be repaired is kept and named in the
 * explanation (a damaged one as <name>.damaged), the rest goes on. Blocks on the
 * disk.
 */
int recovery_run(struct journal *journal, int dir_fd, int64_t now_ns, struct recorder *recorder,
	int *ret_repaired, struct error *error) MUST_CHECK;

/*
 * Whether the last thing that the journal says of the microphone is that it was
 * muted; a journal that cannot be read counts as muted. Walks back from the end, so
 * it is quick however long the journal. Blocks on the disk.
 */
bool recovery_muted(struct journal *journal);

#endif
