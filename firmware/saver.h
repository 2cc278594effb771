/*
 * Entries on their way into the journal. What cannot be written now is held in
 * memory and tried again on a freshly opened journal: after a failed fsync the
 * kernel's copy of a file proves nothing.
 */
#ifndef FIRMWARE_SAVER_H
#define FIRMWARE_SAVER_H

#include "app/base/config.h"
#include "app/journal/journal.h"

#include <stdint.h>

struct saver {
	const struct config *config;
	struct journal *journal; /* NULL while it is failing */
	struct entries pending;
	int64_t retry_ns;
	bool failing;
	struct error why; /* of the failure */
};

/* saver_save(): the journal is not the one the entries were numbered for (->why). */
#define SAVER_E_ANOTHER 1

/*
 * Opens the journal of config->state (borrowed, made if missing) for writing.
 * Results as journal_open(). Blocks on the disk, as all of it does. One thread.
 */
int saver_open(struct saver *saver, const struct config *config, struct error *error) MUST_CHECK;
void saver_close(struct saver *saver);

/* Takes the entries over; @entries is empty afterwards. 0 or -ENOMEM. */
int saver_add(struct saver *saver, struct entries *entries) MUST_CHECK;

/* Told of each entry, in order, once it is on disk; borrowed during the call. */
typedef void saver_saved(void *data, const struct entry *entry);

/*
 * Writes all that is pending. 0: everything is on disk. Negative: it is not, the
 * explanation is in saver->why, and saver_deadline() says when to try again. A
 * full disk is first made less full by giving up the reserve. SAVER_E_ANOTHER:
 * the journal was damaged and set aside, or is another one now; start over.
 */
int saver_save(struct saver *saver, int64_t now_ns, saver_saved *saved, void *data) MUST_CHECK;

/* When a retry is due; INT64_MAX for never. */
int64_t saver_deadline(const struct saver *saver);

#endif
