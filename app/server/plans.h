/* Plans: whose the lesson will be that a coach observes in that time. */
#ifndef SERVER_PLANS_H
#define SERVER_PLANS_H

#include "app/server/server.h"

/*
 * Gives observations that have come in to the teachers they were planned for, as far
 * as that concerns the person, coach or teacher. 0 or -errno. Blocks.
 */
int plans_settle(struct server *server, const char *person, struct error *error) MUST_CHECK;

#endif
