/* Lists that grow; for store_*.c. */
#ifndef SERVER_GROW_H
#define SERVER_GROW_H

#include "app/base/error.h"

#include <stddef.h>

/*
 * Makes room for one more than @n items of @size bytes in *list, which had *room.
 * 0 or -ENOMEM, the list as it was.
 */
int grow(void *list, size_t n, size_t *room, size_t size) MUST_CHECK;

#endif
