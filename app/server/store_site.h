/* The site's rules, in the store. Any thread; blocks on the disk. */
#ifndef SERVER_STORE_SITE_H
#define SERVER_STORE_SITE_H

#include "app/server/store.h"

#include <stdint.h>

#define SITE_DAYS_ON_BOX 14
#define SITE_DAYS_ON_SERVER 365
#define SITE_DAYS_MOST 3650

struct site {
	char *scheme; /* owned; "" when each box keeps its own */
	int64_t days_on_box; /* 0: sound leaves the box once the server has it */
	int64_t days_on_server; /* 0: for good */
};

/* The rules in force: the ones above before anybody set them. 0 or -errno. */
int store_site_get(struct store *store, struct site *ret_site, struct error *error) MUST_CHECK;

/* Sets them, durably. 0 or -errno. */
int store_site_set(struct store *store, const struct site *site, struct error *error) MUST_CHECK;

void site_fini(struct site *site);

#endif
