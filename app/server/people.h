/* The people's side of the server: what its handlers share. */
#ifndef SERVER_PEOPLE_H
#define SERVER_PEOPLE_H

#include "app/server/access.h"
#include "app/server/backoff.h"
#include "app/server/passwords.h"
#include "app/server/server.h"
#include "app/server/store_people.h"
#include "app/server/turns.h"

#define PEOPLE_LINK_CHARS 512

struct timelines;

struct people {
	struct passwords *passwords;
	struct backoff *backoff;
	struct turns decoding; /* of sound into WAV */
	struct turns sending; /* of WAV that is in memory until the browser has taken it */
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
 * What time brings: ends old sessions and invitations, and withdraws sound that the
 * site's rule keeps no longer. Call once an hour or so; blocks. 0 or -errno.
 */
int people_sweep(struct server *server, struct error *error) MUST_CHECK;

/*
 * Whether whoever asks may do that. If not, the request is answered as
 * access_decide() says, and it returns false.
 */
bool people_may(struct request *request, unsigned int relations, enum deed deed);

/* Answers 404, 400, 409, 503; all return 0. */
int people_nothing(struct request *request);
int people_wrong(struct request *request, const char *field, const char *way_out);
int people_name_taken(struct request *request);
int people_busy(struct request *request);

/* A JSON text of one line and at most @room - 1 bytes; NULL for anything else. */
const char *people_line(const json_t *value, size_t room);

/* A person's name; false for what is none, which PEOPLE_NAME_RULE says. */
bool people_name(const json_t *value, char ret_name[static PERSON_NAME_CHARS]);
#define PEOPLE_NAME_RULE "give a name of 1 to 127 bytes in one line"

/*
 * Hashes a password that somebody chooses. 0; 1 when it has been answered, because
 * it is weak or too many are hashed already; or -errno. Blocks.
 */
int people_new_password(struct request *request, const char *password,
	char ret_hash[static PASSWORD_HASH_CHARS], struct error *error) MUST_CHECK;

/* JSON for answers; NULL when out of memory. */
json_t *people_roles_json(unsigned int roles);
json_t *people_json(const char *id, const char *name, unsigned int roles);
json_t *people_person_json(const struct person *person);

extern const struct route people_routes[];      /* people.c */
extern const struct route invitation_routes[];  /* invitations.c */
extern const struct route session_routes[];     /* sessions.c */
extern const struct route observation_routes[]; /* observations.c */
extern const struct route guest_routes[];       /* guests.c */
extern const struct route plan_routes[];        /* plans.c */
extern const struct route audio_routes[];       /* audio.c */
extern const struct route site_routes[];        /* site.c: rules and schemes */

#endif
