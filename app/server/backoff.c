/*
 * A table of buckets with four places each. Names are kept as a keyed hash: the
 * table holds nobody's name, and nobody outside can aim at a bucket. A new name
 * takes the place whose last try is longest ago, so that a flood of names costs
 * no memory; it can push out a name, but only one that shares its bucket.
 */
#include "app/server/backoff.h"

#include "app/base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 1024
#define PLACES 4
#define FORGET_S 3600

struct place {
	uint64_t who;
	int64_t last_ns; /* of the last try; or up to when tries are forgotten */
	int64_t until_ns;
	int tries; /* 0: free */
};

struct backoff {
	pthread_mutex_t lock;
	unsigned char key[crypto_shorthash_KEYBYTES];
	struct place places[BUCKETS][PLACES];
};

int backoff_new(struct backoff **ret_backoff)
{
	struct backoff *backoff = calloc(1, sizeof(*backoff));

	if (!backoff) {
		return -ENOMEM;
	}
	(void)pthread_mutex_init(&backoff->lock, NULL);
	crypto_shorthash_keygen(backoff->key);
	*ret_backoff = backoff;
	return 0;
}

void backoff_free(struct backoff *backoff)
{
	if (!backoff) {
		return;
	}
	(void)pthread_mutex_destroy(&backoff->lock);
	free(backoff);
}

static uint64_t hash(const struct backoff *backoff, const char *who)
{
	uint64_t number;

	_Static_assert(crypto_shorthash_BYTES == sizeof(number), "libsodium's own size");
	(void)crypto_shorthash(
		(unsigned char *)&number, (const unsigned char *)who, strlen(who), backoff->key);
	return number;
}

static struct place *find(struct backoff *backoff, uint64_t who)
{
	struct place *bucket = backoff->places[who % BUCKETS];

	for (size_t i = 0; i < PLACES; i++) {
		if (bucket[i].tries > 0 && bucket[i].who == who) {
			return &bucket[i];
		}
	}
	return NULL;
}

static struct place *take(struct backoff *backoff, uint64_t who)
{
	struct place *bucket = backoff->places[who % BUCKETS], *oldest = bucket;

	for (size_t i = 0; i < PLACES; i++) {
		if (bucket[i].tries == 0) {
			oldest = &bucket[i];
			break;
		}
		if (bucket[i].last_ns < oldest->last_ns) {
			oldest = &bucket[i];
		}
	}
	*oldest = (struct place){.who = who};
	return oldest;
}

/* Forgets what time has made old. */
static void forget(struct place *place, const struct backoff_rule *rule, int64_t now_ns)
{
	int64_t passed_s = (now_ns - place->last_ns) / NS_PER_S;

	if (passed_s > FORGET_S) {
		*place = (struct place){0};
	} else if (rule->forget_s > 0 && passed_s >= rule->forget_s) {
		int64_t less = passed_s / rule->forget_s;

		place->tries = less < place->tries ? place->tries - (int)less : 0;
		place->last_ns += less * rule->forget_s * NS_PER_S;
	}
}

int64_t backoff_try(
	struct backoff *backoff, const struct backoff_rule *rule, const char *who, int64_t now_ns)
{
	uint64_t number = hash(backoff, who);
	struct place *place;
	int64_t wait_s = 0;

	(void)pthread_mutex_lock(&backoff->lock);
	place = find(backoff, number);
	if (place && place->until_ns <= now_ns) {
		forget(place, rule, now_ns);
		place = place->tries > 0 ? place : NULL;
	}
	if (place && place->until_ns > now_ns) {
		wait_s = (place->until_ns - now_ns + NS_PER_S - 1) / NS_PER_S;
	} else {
		int doubled;

		place = place ? place : take(backoff, number);
		if (place->tries++ == 0 || rule->forget_s == 0) {
			place->last_ns = now_ns;
		}
		doubled = place->tries - rule->free_tries;
		if (doubled >= 0) {
			int64_t s = doubled < 20 ? INT64_C(1) << doubled : rule->wait_most_s;

			s = s < rule->wait_most_s ? s : rule->wait_most_s;
			place->until_ns = now_ns + s * NS_PER_S;
		}
	}
	(void)pthread_mutex_unlock(&backoff->lock);
	return wait_s;
}

void backoff_forgive(struct backoff *backoff, const char *who, bool all)
{
	struct place *place;

	(void)pthread_mutex_lock(&backoff->lock);
	place = find(backoff, hash(backoff, who));
	if (place) {
		place->tries = all ? 0 : place->tries - 1;
		place->until_ns = 0;
	}
	(void)pthread_mutex_unlock(&backoff->lock);
}
