#include "app/server/turns.h"

#include <errno.h>

void turns_init(struct turns *turns, int running_most, int waiting_most)
{
	*turns = (struct turns){.running_most = running_most, .waiting_most = waiting_most};
	(void)pthread_mutex_init(&turns->lock, NULL);
	(void)pthread_cond_init(&turns->free, NULL);
}

void turns_fini(struct turns *turns)
{
	(void)pthread_cond_destroy(&turns->free);
	(void)pthread_mutex_destroy(&turns->lock);
}

int turns_take(struct turns *turns)
{
	int r = 0;

	(void)pthread_mutex_lock(&turns->lock);
	if (turns->running >= turns->running_most && turns->waiting >= turns->waiting_most) {
		r = -EBUSY;
	} else {
		turns->waiting++;
		while (turns->running >= turns->running_most) {
			(void)pthread_cond_wait(&turns->free, &turns->lock);
		}
		turns->waiting--;
		turns->running++;
	}
	(void)pthread_mutex_unlock(&turns->lock);
	return r;
}

void turns_give(struct turns *turns)
{
	(void)pthread_mutex_lock(&turns->lock);
	turns->running--;
	(void)pthread_cond_signal(&turns->free);
	(void)pthread_mutex_unlock(&turns->lock);
}
