/* A look at the server and the way there, for `chalkbox doctor`; changes nothing. */
#ifndef SYNC_PROBE_H
#define SYNC_PROBE_H

#include "app/base/config.h"
#include "app/base/error.h"

/*
 * Prints one JSON object, as chalkbox-sync(8) describes it, to standard output.
 * Whatever is wrong with pairing, network or server is its result, not an error;
 * 0, -ENOMEM or -EIO with an explanation. Blocks on the network, for @stall_s
 * without a byte at most. Needs no lock: a run may be at work meanwhile.
 */
int probe_run(const struct config *config, int stall_s, struct error *error) MUST_CHECK;

#endif
