/* What every handler can reach: request->server. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "app/server/http.h"
#include "app/server/router.h"

struct backoff;
struct store;
struct blobs;
struct uploads;

struct server {
	const char *name;       /* how the server calls itself to boxes and people */
	const char *data_dir;
	const char *static_dir; /* the pages; NULL for none */
	const char *url;        /* how people reach it, for links: "https://host:8443" */
	const char *pin;        /* its key's short form, as boxes show it; "" without TLS */
	struct store *store;
	struct blobs *blobs;
	struct uploads *uploads;   /* those that are coming in now */
	int64_t upload_ns;         /* how long an unfinished one is kept */
	struct backoff *pairing;   /* who tried codes too often */
	/* the people's side; made by people_open() */
	struct people *people;
};

/* CLOCK_REALTIME now, ns: what the server's rows are stamped with. */
int64_t server_now_ns(void);

/*
 * Whether boxes may bring so much more, beside what the uploads that are coming in
 * were promised. The last SERVER_ROOM_BYTES of the disk are for people: sessions, and
 * who looked, must be noted for anything to be shown. 0, -ENOSPC or another -errno.
 */
#define SERVER_ROOM_BYTES ((int64_t)16 << 20)
int server_has_room(const struct server *server, int64_t bytes, struct error *error) MUST_CHECK;

/* The tables of routes, one a file; each ended by a row of zeros. */
extern const struct route pair_routes[];   /* pairing.c */
extern const struct route box_routes[];    /* boxes.c: what boxes ask about themselves */
extern const struct route boxes_routes[];  /* boxlist.c: what people ask about boxes */
extern const struct route entry_routes[];  /* entries.c */
extern const struct route upload_routes[]; /* uploads.c */

#endif
