/* The people's side of the server: what its handlers share. */
#ifndef SERVER_PEOPLE_H
#define SERVER_PEOPLE_H

#include "app/server/access.h"
#include "app/server/backoff.h"
#include "app/server/passwords.h"
#include "app/server/server.h"
#include "app/server/turns.h"

#define PEOPLE_LINK_CHARS 512

struct timelines;

struct people {
	struct passwords *passwords;
	struct backoff *backoff;
	struct turns decoding; /* of sound into WAV */
	struct timelines *timelines; /* those that were asked for lately */
};

/*
 * Makes it; the store must be open. 0, -ENOMEM or -errno. Close with
 * people_close() after the last handler; takes NULL.
 */
int people_open(struct people **ret_people, struct error *error) MUST_CHECK;
void people_close(struct people *people);

/*
 * While no administrator has joined: a link that makes one of whoever opens it
 * first; earlier ones end. 0 with the link, 1 when there is no need, or -errno.
 * It is a secret: print it for a person, do not log it.
 */
int people_first_link(struct server *server, char ret_link[static PEOPLE_LINK_CHARS],
	struct error *error) MUST_CHECK;

/*
 * What time brings: ends old sessions and invitations, and lets go of sound that
 * the site's rule keeps no longer. Call once an hour or so; blocks. 0 or -errno.
 */
int people_sweep(struct server *server, struct error *error) MUST_CHECK;

/*
 * Whether whoever asks may do that. If not, the request is answered as
 * access_decide() says, and it returns false.
 */
bool people_may(struct request *request, enum relation relation, enum deed deed);

/* Answers 404, 400, 503; all return 0. */
int people_nothing(struct request *request);
int people_wrong(struct request *request, const char *field, const char *way_out);
int people_busy(struct request *request);

/* A JSON text of one line and at most @room - 1 bytes; NULL for anything else. */
const char *people_line(const json_t *value, size_t room);

extern const struct route people_routes[];      /* people.c */
extern const struct route session_routes[];     /* sessions.c */
extern const struct route observation_routes[]; /* observations.c */
extern const struct route guest_routes[];       /* guests.c */
extern const struct route plan_routes[];        /* plans.c */
extern const struct route audio_routes[];       /* audio.c */
extern const struct route site_routes[];        /* site.c: rules and schemes */

#endif
