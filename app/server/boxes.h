/* What boxes ask about themselves. */
#ifndef SERVER_BOXES_H
#define SERVER_BOXES_H

#include "app/server/router.h"

/* The router's check behind WHO_BOX: a bearer token that has not been revoked. */
int boxes_check(struct request *request, struct error *error) MUST_CHECK;

/* Whether it can be a box's name: 1 to 64 bytes that a screen can show. */
bool boxes_name_ok(const char *name);

#endif
