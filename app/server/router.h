/* Which request goes to whom: an allow-list. What is in no table is 404. */
#ifndef SERVER_ROUTER_H
#define SERVER_ROUTER_H

#include "app/server/http.h"

enum who {
	WHO_ANYBODY = 1,
	WHO_BOX,    /* a bearer token; request->box is set */
	WHO_PERSON, /* a session; request->person, roles, session are set; for a method that
	               changes something the anti-forgery token and Origin are checked too */
};

/*
 * One row. Handlers return 0 when they have answered; -ENOSPC becomes 507 "full",
 * -ENOMEM and -EBUSY 503 "busy", another -errno 500 "broken", with @error told to
 * the program's log and not to the peer. Nothing in the log may be a secret.
 */
struct route {
	int methods;         /* enum http_method, or-ed; a GET answers HEAD too */
	const char *pattern; /* below "/api/v1/": "observations/+/timeline"; a part that is "+"
	                        matches one part and is request->part[] */
	enum who who;
	size_t body_most;    /* a longer body is 413; 0: no body at all */
	int (*handle)(struct request *request, struct error *error);
	/*
	 * A body that is not kept in memory: begin() once the headers are in and the
	 * asker is known, take() for each piece, then handle(). Any of them may answer:
	 * the rest of the body is then not asked for. end() always comes, last, once
	 * begin() was called: with @whole false when the peer went away in the middle.
	 */
	int (*begin)(struct request *request, struct error *error);
	int (*take)(struct request *request, const void *bytes, size_t n, struct error *error);
	void (*end)(struct request *request, bool whole);
	const char *header, *header_value; /* goes out with every answer; may be NULL */
};

/* Answers the request (401, 403) or leaves it and fills in who asks. 0 or -errno. */
typedef int router_check(struct request *request, struct error *error);

struct router {
	const struct route *const *tables; /* ended by NULL; each table by a row of zeros */
	router_check *box, *person;        /* behind WHO_BOX and WHO_PERSON */
	/* everything outside /api/: the pages; GET and HEAD only */
	int (*page)(struct request *request, struct error *error);
};

/*
 * The row for the request's method and a path: what follows "/api/v1/", cut into
 * @parts that each end with a NUL, an empty one after the last. Points the
 * request's part[] into them. NULL with *ret_methods 0 when there is no such path,
 * or with the methods it knows (for 405).
 */
const struct route *router_find(const struct router *router, struct request *request,
	const char *parts, int *ret_methods);

#endif
