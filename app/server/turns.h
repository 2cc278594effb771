/* So many at one time; some wait for their turn, more are sent away. */
#ifndef SERVER_TURNS_H
#define SERVER_TURNS_H

#include "app/base/error.h"

#include <pthread.h>

struct turns {
	pthread_mutex_t lock;
	pthread_cond_t free;
	int running, waiting;
	int running_most, waiting_most;
};

void turns_init(struct turns *turns, int running_most, int waiting_most);
void turns_fini(struct turns *turns);

/* Waits for a turn. 0, or -EBUSY at once when too many wait. Any thread. */
int turns_take(struct turns *turns) MUST_CHECK;

/* Any thread, not only the one that took it. */
void turns_give(struct turns *turns);

#endif
