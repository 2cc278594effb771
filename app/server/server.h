/* What every handler can reach: request->server. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "app/server/http.h"
#include "app/server/router.h"

struct store;
struct blobs;

struct server {
	const char *name;       /* how the server calls itself to boxes and people */
	const char *data_dir;
	const char *static_dir; /* the pages; NULL for none */
	const char *url;        /* how people reach it, for links: "https://host:8443" */
	struct store *store;
	struct blobs *blobs;
	/* the people's side; made by people_open() */
	struct people *people;
};

/* CLOCK_REALTIME now, ns: what the server's rows are stamped with. */
int64_t server_now_ns(void);

/* "2026-03-01T08:00:00.000Z" of a time in ns. */
#define SERVER_TIME_CHARS 32
void server_time_text(int64_t realtime_ns, char ret_text[static SERVER_TIME_CHARS]);

/* The tables of routes, one a file; each ended by a row of zeros. */
extern const struct route box_routes[];    /* boxes.c: pairing, report, configuration */
extern const struct route entry_routes[];  /* entries.c */
extern const struct route upload_routes[]; /* uploads.c */

#endif
