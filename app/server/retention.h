/* Letting go of sound that is older than the site keeps. */
#ifndef SERVER_RETENTION_H
#define SERVER_RETENTION_H

#include "app/server/server.h"

/*
 * Withdraws what the site's rule keeps no longer; store_sounds_drop() removes it. 0 or
 * -errno. Blocks.
 */
int retention_sweep(struct server *server, int64_t now_ns, struct error *error) MUST_CHECK;

#endif
