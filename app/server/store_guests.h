/*
 * Guests: whom a teacher lets see an observation of theirs. Any thread; blocks on
 * the disk. Codes as in store_people.h.
 */
#ifndef SERVER_STORE_GUESTS_H
#define SERVER_STORE_GUESTS_H

#include "app/server/store_people.h"

#define GUESTS_MOST 50 /* of one observation */

struct guest {
	char person[ID_CHARS], name[PERSON_NAME_CHARS];
	unsigned int roles;
	int64_t since_ns;
};

/*
 * Lets the coach or teacher of that name see it; once more is no harm. 0 with who it
 * is; STORE_E_NONE when nobody has that name; STORE_E_TAKEN when there are GUESTS_MOST
 * already; or -errno.
 */
int store_guest_add(struct store *store, const char *observation, const char *name, int64_t now_ns,
	struct guest *ret_guest, struct error *error) MUST_CHECK;

/* 0, STORE_E_NONE or -errno. */
int store_guest_remove(struct store *store, const char *observation, const char *person,
	struct error *error) MUST_CHECK;

/* By name; caller frees the list. 0 or -errno. */
int store_guests_of(struct store *store, const char *observation, struct guest **ret_list,
	size_t *ret_n, struct error *error) MUST_CHECK;

#endif
