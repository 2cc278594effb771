#include "app/server/retention.h"

#include "app/base/clock.h"
#include "app/server/store_observations.h"
#include "app/server/store_site.h"

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
	return days > 0 ? store_sounds_expire(server->store, now_ns - days * day_ns, now_ns, error)
			: 0;
}
