/*
 * Observations as people meet them, their sound and who looked, in the store. Any
 * thread; blocks on the disk. Codes as in store_people.h.
 */
#ifndef SERVER_STORE_OBSERVATIONS_H
#define SERVER_STORE_OBSERVATIONS_H

#include "app/base/id.h"
#include "app/journal/entry.h"
#include "app/server/store_people.h"

struct blobs;

#define OBSERVATION_TITLE_CHARS 256
#define STORE_E_OWNED 4    /* its teacher has opened it: it is theirs */
#define STORE_E_TOO_MUCH 5 /* more was sent than any lesson gives */

/* What the bodies of one observation may weigh: a day without a break, and more. */
#define OBSERVATION_BODIES_MOST ((size_t)8 << 20)

struct observation {
	char id[ID_CHARS];
	char journal[ID_CHARS];
	int64_t seq;  /* of its start, in the journal */
	int64_t kept; /* the journal is known up to here */
	char title[OBSERVATION_TITLE_CHARS];
	char coach[ID_CHARS], teacher[ID_CHARS]; /* "" for nobody */
	char coach_name[PERSON_NAME_CHARS], teacher_name[PERSON_NAME_CHARS];
	char box_name[PERSON_NAME_CHARS];
	bool guest; /* its teacher lets the person see it who was named with the question */
};

/* As that person meets it. 0, STORE_E_NONE or -errno. */
int store_observation_get(struct store *store, const char *id, const char *person,
	struct observation *ret_observation, struct error *error) MUST_CHECK;

/* Those a person made, owns or may see as a guest, in no order; caller frees the list. */
int store_observations_of(struct store *store, const char *person, struct observation **ret_list,
	size_t *ret_n, struct error *error) MUST_CHECK;

/*
 * Changes what is not NULL; "" takes the teacher away. With another teacher the guests
 * of the one before go. 0, STORE_E_NONE (no such observation), STORE_E_TAKEN (no teacher
 * of that id), STORE_E_OWNED or -errno.
 */
int store_observation_change(struct store *store, const char *id, const char *title,
	const char *teacher, struct error *error) MUST_CHECK;

/*
 * Adds what timeline_fold() needs of the journal for this one observation: its own
 * entries, what of it left the box, and everybody's starts, clocks and microphone
 * states. 0, STORE_E_TOO_MUCH or -errno.
 */
int store_observation_entries(struct store *store, const struct observation *observation,
	struct entries *entries, struct error *error) MUST_CHECK;

/*
 * Whether the journal has entries of the observation itself after that one: 1, 0 or
 * -errno.
 */
int store_observation_goes_on(struct store *store, const struct observation *observation,
	int64_t after_seq, struct error *error) MUST_CHECK;

/* --- its sound --- */

struct sound {
	int64_t seq;
	int64_t observation; /* seq of the start it belongs to */
	char sha256[65];
	int64_t bytes;
	bool kept;           /* it is here */
	int64_t withdrawn_ns;
	bool by_rule;        /* withdrawn by the site's rule, not by the teacher */
};

/* The sound of one snippet. 0, STORE_E_NONE or -errno. */
int store_sound_get(struct store *store, const char *journal, int64_t seq, struct sound *ret_sound,
	struct error *error) MUST_CHECK;

/* All of an observation, by seq; caller frees the list. */
int store_sounds_of(struct store *store, const struct observation *observation,
	struct sound **ret_list, size_t *ret_n, struct error *error) MUST_CHECK;

/*
 * Withdraws one. From then on it is shown to nobody; its file goes by
 * store_sound_drop(). 0, STORE_E_NONE (also when it was withdrawn before) or -errno.
 */
int store_sound_withdraw(struct store *store, const char *journal, int64_t seq, const char *person,
	int64_t now_ns, struct error *error) MUST_CHECK;

/* Withdraws, by the site's rule, all that was kept before @before_ns. 0 or -errno. */
int store_sounds_expire(struct store *store, int64_t before_ns, int64_t now_ns,
	struct error *error) MUST_CHECK;

/*
 * Drops sound that no snippet names any more, or none but withdrawn ones: the file
 * first, durably, then its row. A few a call: 1 when there may be more, 0 or -errno.
 */
int store_sounds_drop(struct store *store, struct blobs *blobs, struct error *error) MUST_CHECK;

/* The same of this one sound, known or not. 0, also when it is wanted, or -errno. */
int store_sound_drop(struct store *store, struct blobs *blobs, const char *sha256,
	struct error *error) MUST_CHECK;

/* --- who looked --- */

struct look {
	char person[ID_CHARS], name[PERSON_NAME_CHARS];
	unsigned int roles;
	char what[16]; /* "timeline", "audio" */
	int64_t seq;   /* of the snippet; 0 for the timeline */
	int64_t at_ns, until_ns;
};

/* Notes that one; durable when it returns 0. Otherwise -errno. */
int store_look_add(struct store *store, const char *observation, const char *person,
	const char *what, int64_t seq, int64_t now_ns, struct error *error) MUST_CHECK;

/* The latest 1,000 looks, newest first; caller frees the list. */
int store_looks_of(struct store *store, const char *observation, struct look **ret_list,
	size_t *ret_n, struct error *error) MUST_CHECK;

#endif
