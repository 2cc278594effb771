/* Letting go of sound: taken back by its teacher, or older than the site keeps. */
#ifndef SERVER_RETENTION_H
#define SERVER_RETENTION_H

#include "app/server/server.h"

/* Removes the files of all that is withdrawn. 0 or -errno. Blocks. */
int retention_drop(struct server *server, struct error *error) MUST_CHECK;

/* Withdraws what the site's rule keeps no longer, and removes it. 0 or -errno. */
int retention_sweep(struct server *server, int64_t now_ns, struct error *error) MUST_CHECK;

#endif
