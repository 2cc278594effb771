/* Signing in, and knowing who asks. */
#ifndef SERVER_SESSIONS_H
#define SERVER_SESSIONS_H

#include "app/server/router.h"
#include "app/server/store_people.h"

/*
 * The router's check behind WHO_PERSON: the session's cookie and, for a request
 * that changes something, Origin and the anti-forgery token.
 */
int sessions_check(struct request *request, struct error *error) MUST_CHECK;

/*
 * For a request without a session that changes something: whether its Origin is
 * the server itself. Answers 403 and returns false if not.
 */
bool sessions_same_origin(struct request *request);

/* A session about to begin. */
struct session_start {
	char secret[65], hash[65];
	struct store_key key; /* points at hash: do not copy */
};
void session_start_init(struct session_start *start, int64_t now_ns);

/*
 * Answers @status with the person, the anti-forgery token and the cookie of a
 * session that is in the store.
 */
int session_answer(struct request *request, int status, const struct session_start *start,
	const struct person *person);

#endif
