/*
 * Plans: whose the lesson will be that a coach observes in that time. Any thread;
 * blocks on the disk. Codes as in store_people.h.
 */
#ifndef SERVER_STORE_PLANS_H
#define SERVER_STORE_PLANS_H

#include "app/server/store_observations.h"

#define PLANS_MOST 500 /* open ones a coach */
#define STORE_E_FULL 6 /* so many are open already */

struct plan {
	char id[ID_CHARS];
	char coach[ID_CHARS], teacher[ID_CHARS];
	char teacher_name[PERSON_NAME_CHARS];
	char title[OBSERVATION_TITLE_CHARS];
	int64_t from_ns, to_ns;     /* when the lesson begins */
	char observation[ID_CHARS]; /* what it became; "" while it is open */
};

/* Adds one; its id is made. 0, STORE_E_TAKEN (no such teacher), STORE_E_FULL, -errno. */
int store_plan_add(struct store *store, struct plan *plan, struct error *error) MUST_CHECK;

/* Removes one of a coach's. 0, STORE_E_NONE or -errno. */
int store_plan_remove(
	struct store *store, const char *id, const char *coach, struct error *error) MUST_CHECK;

/* A coach's plans by time, the latest first; caller frees the list. */
int store_plans_of(struct store *store, const char *coach, struct plan **ret_list, size_t *ret_n,
	struct error *error) MUST_CHECK;

/*
 * Open ones, a coach's together and by time, that concern a person, as coach or as
 * teacher. They have begun, and ended less than 60 days ago: no box waits longer.
 */
int store_plans_open(struct store *store, const char *person, int64_t now_ns,
	struct plan **ret_list, size_t *ret_n, struct error *error) MUST_CHECK;

/*
 * Makes the observation the plan's: it gets the teacher, and the title if it has
 * none. 0; STORE_E_NONE when either is not open any more; or -errno.
 */
int store_plan_fulfil(struct store *store, const struct plan *plan, const char *observation,
	struct error *error) MUST_CHECK;

#endif
