#include "app/server/retention.h"

#include "app/base/clock.h"
#include "app/server/store_observations.h"
#include "app/server/store_site.h"

int retention_drop(struct server *server, struct error *error)
{
	size_t n;
	int r;

	do {
		r = store_sounds_drop(server->store, server->blobs, &n, error);
	} while (r == 0 && n > 0);
	return r;
}

int retention_sweep(struct server *server, int64_t now_ns, struct error *error)
{
	const int64_t day_ns = 24 * 3600 * NS_PER_S;
	struct site site;
	int64_t days;
	int r;

	r = store_site_get(server->store, &site, error);
	if (r < 0) {
		return r;
	}
	days = site.days_on_server;
	site_fini(&site);
	if (days > 0) {
		r = store_sounds_expire(server->store, now_ns - days * day_ns, now_ns, error);
	}
	return r < 0 ? r : retention_drop(server, error);
}
