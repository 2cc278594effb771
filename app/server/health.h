/* What a box says of its health, read with care: it may be any box, or none. */
#ifndef SERVER_HEALTH_H
#define SERVER_HEALTH_H

#include "app/base/error.h"

#include <jansson.h>

/*
 * Makes of the report's "health" the text that is kept: the members that API.md
 * names, each within its range; others are left out, so that a newer box can
 * speak to an older server. "" where @said is NULL. free() it. 0, -EINVAL with a
 * sentence that names the member, or -ENOMEM. Pure.
 */
int health_read(const json_t *said, char **ret_text, struct error *error) MUST_CHECK;

#endif
