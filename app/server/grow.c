#include "app/server/grow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int grow(void *list, size_t n, size_t *room, size_t size)
{
	size_t more = *room ? *room * 2 : 32;
	void *old, *grown;

	if (n < *room) {
		return 0;
	}
	memcpy(&old, list, sizeof(old)); /* a pointer to a pointer of any kind */
	grown = reallocarray(old, more, size);
	if (!grown) {
		return -ENOMEM;
	}
	memcpy(list, &grown, sizeof(grown));
	*room = more;
	return 0;
}
