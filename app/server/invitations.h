/* Links by which people get in. */
#ifndef SERVER_INVITATIONS_H
#define SERVER_INVITATIONS_H

#include "app/server/http.h"
#include "app/server/store_people.h"
#include "app/server/token.h"

/* A link about to be given. */
struct invitation {
	char secret[TOKEN_CHARS], hash[TOKEN_CHARS];
	struct store_key key; /* points at hash: do not copy */
};
void invitation_init(struct invitation *invitation, int64_t now_ns);

/* Answers 201 with the person and the link of an invitation that is in the store. */
int invitation_answer(struct request *request, const struct person *person,
	const struct invitation *invitation);

#endif
