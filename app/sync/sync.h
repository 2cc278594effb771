/* One run of sync: everything the server has not confirmed, and its rules down. */
#ifndef SYNC_SYNC_H
#define SYNC_SYNC_H

#include "app/base/config.h"
#include "app/sync/talk.h"

#include <stdbool.h>
#include <stdint.h>

struct sync_options {
	bool now; /* during an observation, on any network */
	bool dry_run; /* say what would go; send nothing, change nothing here */
	int patience_s; /* what the run may wait in sum before trying again */
	int stall_s; /* so long without a byte, and a connection is dead */
};

/*
 * Runs. Says what it does through @progress; returns a sync_result with an
 * explanation in @error, or -errno. Blocks on network and disk.
 */
int sync_run(const struct config *config, const struct sync_options *options,
	struct progress *progress, struct error *error) MUST_CHECK;

/*
 * Pairs the box with the server at @url by a code. @pin, if not "", is the key
 * that the server must have, whole or in its short form. 0, SYNC_E_LATER, SYNC_E_PERSON, or
 * -errno with an explanation.
 */
int sync_pair(const struct config *config, const char *url, const char *code, const char *pin,
	struct progress *progress, struct error *error) MUST_CHECK;

/*
 * Looks for the file that a box without a screen is paired by, pairs, and takes
 * the file away. 0; -ENOENT when there is none (or it was used before); results as
 * sync_pair().
 */
int sync_pair_by_file(
	const struct config *config, struct progress *progress, struct error *error) MUST_CHECK;

#endif
