/*
 * Who may do what, in one place. Pure: a person's roles and how they stand to the
 * thing give the answer, and the answer is a row of one table.
 */
#ifndef SERVER_ACCESS_H
#define SERVER_ACCESS_H

#include <stdbool.h>

/*
 * A person has one role or several, or-ed: what one of them may, the person may.
 * Stored: never renumber.
 */
enum role {
	ROLE_NONE = 0, /* signed out, or revoked */
	ROLE_ADMINISTRATOR = 1,
	ROLE_COACH = 2,
	ROLE_TEACHER = 4,
	ROLES_ALL = 7,
};

/* How a person stands to an observation or a box, or-ed too. */
enum relation {
	RELATION_NONE = 0,
	RELATION_COACH = 1,   /* made the observation; carries the box */
	RELATION_TEACHER = 2, /* the observation is assigned to them */
	RELATION_GUEST = 4,   /* its teacher lets them see it */
	RELATIONS_ALL = 7,
};

enum deed {
	/* anybody */
	DEED_SIGN_IN,
	DEED_TAKE_INVITATION,
	/* signed in */
	DEED_SEE_SESSION,
	DEED_SIGN_OUT,
	DEED_CHANGE_PASSWORD,
	DEED_CHECK_SCHEME,
	DEED_LIST_OBSERVATIONS,
	/* observations to come */
	DEED_PLAN,
	/* people */
	DEED_LIST_PEOPLE,
	DEED_LIST_TEACHERS,
	DEED_INVITE_ADMINISTRATOR,
	DEED_INVITE_COACH,
	DEED_INVITE_TEACHER,
	DEED_REVOKE_PERSON,
	DEED_GIVE_ROLES,
	/* boxes */
	DEED_LIST_BOXES,
	DEED_LIST_OWN_BOXES,
	DEED_PAIR_BOX,
	DEED_PAIR_BOX_FOR_OTHERS,
	DEED_NAME_BOX,
	DEED_REVOKE_BOX,
	DEED_GIVE_BOX,
	/* the site */
	DEED_SEE_SITE,
	DEED_CHANGE_SITE,
	/* one observation */
	DEED_SEE_TIMELINE,
	DEED_HEAR,
	DEED_CHANGE_OBSERVATION,
	DEED_WITHDRAW,
	DEED_SEE_LOOKS,
	DEED_RELEASE,
	DEEDS_END,
};

enum verdict {
	VERDICT_ALLOWED,
	VERDICT_SIGN_IN, /* 401: nobody is signed in */
	VERDICT_REFUSED, /* 403: not with those roles */
	VERDICT_HIDDEN, /* 404: as if it did not exist */
};

/*
 * Decides. What is no role, relation or deed is never allowed. @relations is
 * RELATION_NONE for deeds that concern no one thing.
 */
enum verdict access_decide(unsigned int roles, unsigned int relations, enum deed deed);

static inline bool access_allowed(unsigned int roles, unsigned int relations, enum deed deed)
{
	return access_decide(roles, relations, deed) == VERDICT_ALLOWED;
}

/* "administrator", "coach", "teacher"; NULL for anything but one role. Static. */
const char *role_name(enum role role);
/* ROLE_NONE for a word that is none of the three. */
enum role role_of(const char *name);

#endif
