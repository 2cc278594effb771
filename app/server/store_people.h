/*
 * People, their invitations and their sessions, in the store. What is given as a
 * secret's hash is what token_hash() makes. Any thread; blocks on the disk.
 */
#ifndef SERVER_STORE_PEOPLE_H
#define SERVER_STORE_PEOPLE_H

#include "app/base/id.h"
#include "app/server/access.h"
#include "app/server/passwords.h"
#include "app/server/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PERSON_NAME_CHARS 128

#define STORE_E_TAKEN 2 /* the name is somebody's */
#define STORE_E_LAST 3 /* the last administrator must stay */

struct person {
	char id[ID_CHARS];
	char name[PERSON_NAME_CHARS];
	unsigned int roles;
	bool joined; /* has chosen a password */
	bool first;  /* invited by the server itself, and not joined yet */
	int64_t invited_ns, revoked_ns;
};

/* A secret that opens something until then. */
struct store_key {
	const char *hash;
	int64_t expires_ns;
};

/*
 * Adds a person (name, roles and invited_ns are read; the id is made) and the
 * invitation. Names differ by more than upper and lower case. 0, STORE_E_TAKEN or
 * -errno.
 */
int store_person_add(struct store *store, struct person *person, const char *invited_by,
	const struct store_key *invitation, struct error *error) MUST_CHECK;

/* Everybody, or the teachers that are not revoked, by name; caller frees the list. */
int store_people_list(struct store *store, bool teachers_only, struct person **ret_list,
	size_t *ret_n, struct error *error) MUST_CHECK;

/* 0, STORE_E_NONE or -errno. */
int store_person_get(struct store *store, const char *id, struct person *ret_person,
	struct error *error) MUST_CHECK;

/* The person of that name who may sign in, and their password's hash. As above. */
int store_person_by_name(struct store *store, const char *name, struct person *ret_person,
	char ret_hash[static PASSWORD_HASH_CHARS], struct error *error) MUST_CHECK;

/* Whether there is an administrator who has joined. 0 or -errno. */
int store_has_administrator(struct store *store, bool *ret_has, struct error *error) MUST_CHECK;

struct person_change {
	unsigned int roles;     /* ROLE_NONE: as they are */
	bool revoke, take_back; /* who is revoked is signed out everywhere */
	int64_t now_ns;
};

/* 0 with the person as they are now, STORE_E_NONE, STORE_E_LAST or -errno. */
int store_person_change(struct store *store, const char *id, const struct person_change *what,
	struct person *ret_person, struct error *error) MUST_CHECK;

/* Another invitation; earlier ones end. 0, STORE_E_NONE or -errno. */
int store_person_invite(struct store *store, const char *id, const struct store_key *invitation,
	struct error *error) MUST_CHECK;

/* Whom an invitation that still holds is for. 0, STORE_E_NONE or -errno. */
int store_invitation_get(struct store *store, const char *hash, int64_t now_ns,
	struct person *ret_person, struct error *error) MUST_CHECK;

/*
 * Uses it up for the person whom store_invitation_get() gave: the password is set;
 * earlier sessions end, a new one begins. The first administrator also gets the name
 * and what roles are added in @person; for everybody else @person becomes what they
 * are now. 0, STORE_E_NONE (also when somebody else was faster), STORE_E_TAKEN or
 * -errno.
 */
int store_invitation_take(struct store *store, const char *hash, const char *password_hash,
	const struct store_key *session, int64_t now_ns, struct person *person,
	struct error *error) MUST_CHECK;

/*
 * Another password, if the one before is still that: all their sessions end, a new
 * one begins. 0, STORE_E_NONE or -errno.
 */
int store_password_change(struct store *store, struct person *person, const char *old_hash,
	const char *new_hash, const struct store_key *session, int64_t now_ns,
	struct error *error) MUST_CHECK;

/*
 * Begins a session, if the person may still sign in and the password is still that.
 * 0, STORE_E_NONE or -errno.
 */
int store_session_add(struct store *store, const struct store_key *session, const char *person,
	const char *password_hash, int64_t now_ns, struct error *error) MUST_CHECK;

/*
 * Whose session it is, when it was seen later than @idle_since_ns and its person is
 * not revoked. 0, STORE_E_NONE or -errno.
 */
int store_session_get(struct store *store, const char *hash, int64_t now_ns, int64_t idle_since_ns,
	struct person *ret_person, int64_t *ret_seen_ns, struct error *error) MUST_CHECK;

int store_session_seen(
	struct store *store, const char *hash, int64_t now_ns, struct error *error) MUST_CHECK;
int store_session_end(struct store *store, const char *hash, struct error *error) MUST_CHECK;

/* Drops sessions and invitations that are over. 0 or -errno. */
int store_people_sweep(struct store *store, int64_t now_ns, struct error *error) MUST_CHECK;

#endif
