/*
 * An observation belongs to its teacher; the coach who made it sees it; nobody
 * else does unless the teacher lets them, and nobody ever as an administrator. So
 * what concerns an observation hangs on the relation to it, never on the role alone,
 * and a person without one is told what a person is told who guesses: there is no
 * such thing.
 */
#include "app/server/access.h"

#include <stddef.h>
#include <string.h>

enum {
	ANYBODY = 1 << 0,
	ADMINISTRATOR = 1 << 1,
	COACH = 1 << 2, /* any coach */
	TEACHER = 1 << 3, /* any teacher */
	ITS_COACH = 1 << 4, /* the coach who made it, who carries it */
	ITS_TEACHER = 1 << 5, /* the teacher it is assigned to */
	SIGNED_IN = ADMINISTRATOR | COACH | TEACHER,
	HIDDEN = 1 << 6, /* refused as if it did not exist */
	ITS_GUEST = 1 << 7, /* whom its teacher lets see it */
};

static const unsigned char table[DEEDS_END] = {
	[DEED_SIGN_IN] = ANYBODY,
	[DEED_TAKE_INVITATION] = ANYBODY,

	[DEED_SEE_SESSION] = SIGNED_IN,
	[DEED_SIGN_OUT] = SIGNED_IN,
	[DEED_CHANGE_PASSWORD] = SIGNED_IN, /* their own */
	[DEED_CHECK_SCHEME] = SIGNED_IN,
	[DEED_LIST_OBSERVATIONS] = SIGNED_IN, /* those they have a relation to */

	[DEED_PLAN] = COACH, /* their own plans, for their own boxes */

	[DEED_LIST_PEOPLE] = ADMINISTRATOR,
	[DEED_LIST_TEACHERS] = ADMINISTRATOR | COACH,
	[DEED_INVITE_ADMINISTRATOR] = ADMINISTRATOR,
	[DEED_INVITE_COACH] = ADMINISTRATOR,
	[DEED_INVITE_TEACHER] = ADMINISTRATOR | COACH,
	[DEED_REVOKE_PERSON] = ADMINISTRATOR,
	[DEED_GIVE_ROLES] = ADMINISTRATOR,

	[DEED_LIST_BOXES] = ADMINISTRATOR,
	[DEED_LIST_OWN_BOXES] = ADMINISTRATOR | COACH,
	[DEED_PAIR_BOX] = ADMINISTRATOR | COACH,
	[DEED_PAIR_BOX_FOR_OTHERS] = ADMINISTRATOR,
	[DEED_NAME_BOX] = ADMINISTRATOR | ITS_COACH | HIDDEN,
	[DEED_REVOKE_BOX] = ADMINISTRATOR | ITS_COACH | HIDDEN,
	[DEED_GIVE_BOX] = ADMINISTRATOR,

	[DEED_SEE_SITE] = ADMINISTRATOR,
	[DEED_CHANGE_SITE] = ADMINISTRATOR,

	[DEED_SEE_TIMELINE] = ITS_COACH | ITS_TEACHER | ITS_GUEST | HIDDEN,
	[DEED_HEAR] = ITS_COACH | ITS_TEACHER | ITS_GUEST | HIDDEN,
	[DEED_CHANGE_OBSERVATION] = ITS_COACH | HIDDEN,
	[DEED_WITHDRAW] = ITS_TEACHER | HIDDEN,
	[DEED_SEE_LOOKS] = ITS_TEACHER | HIDDEN,
	[DEED_RELEASE] = ITS_TEACHER | HIDDEN,
};

/* A relation counts only for the role it belongs to. */
static unsigned int standing(unsigned int roles, unsigned int relations)
{
	unsigned int standing = ANYBODY;

	if (roles & ROLE_ADMINISTRATOR) {
		standing |= ADMINISTRATOR;
	}
	if (roles & ROLE_COACH) {
		standing |= COACH | (relations & RELATION_COACH ? ITS_COACH : 0);
	}
	if (roles & ROLE_TEACHER) {
		standing |= TEACHER | (relations & RELATION_TEACHER ? ITS_TEACHER : 0);
	}
	if (roles & (ROLE_COACH | ROLE_TEACHER)) {
		standing |= relations & RELATION_GUEST ? ITS_GUEST : 0;
	}
	return standing;
}

enum verdict access_decide(unsigned int roles, unsigned int relations, enum deed deed)
{
	unsigned int rule = (unsigned int)deed < DEEDS_END ? table[deed] : HIDDEN;

	if ((roles & ~ROLES_ALL) || (relations & ~RELATIONS_ALL)) {
		roles = ROLE_NONE;
	}
	if (rule & standing(roles, relations)) {
		return VERDICT_ALLOWED;
	}
	if (roles == ROLE_NONE) {
		return VERDICT_SIGN_IN;
	}
	return rule & HIDDEN ? VERDICT_HIDDEN : VERDICT_REFUSED;
}

const char *role_name(enum role role)
{
	switch (role) {
	case ROLE_ADMINISTRATOR:
		return "administrator";
	case ROLE_COACH:
		return "coach";
	case ROLE_TEACHER:
		return "teacher";
	default:
		return NULL;
	}
}

enum role role_of(const char *name)
{
	for (enum role role = ROLE_ADMINISTRATOR; role < ROLES_ALL; role <<= 1) {
		if (strcmp(name, role_name(role)) == 0) {
			return role;
		}
	}
	return ROLE_NONE;
}
