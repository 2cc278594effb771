/* Room on the disk, and a reserve of it for events when it is full. */
#ifndef FIRMWARE_SPACE_H
#define FIRMWARE_SPACE_H

#include "app/base/config.h"
#include "app/base/error.h"

#include <stdbool.h>

/*
 * Makes the reserve file <state>/reserve if it is missing and there is room for
 * it and the snippets' limit beside it. 0, -ENOSPC, or another -errno. Blocks on
 * the disk.
 */
int space_reserve(const struct config *config) MUST_CHECK;

/*
 * Gives the reserve's room back to the file system. 0, -ENOENT when it has been
 * given before, or another -errno.
 */
int space_release(const struct config *config) MUST_CHECK;

/* Whether snippets may still be written. The reserve is never room for them. */
bool space_for_sound(const struct config *config);

#endif
