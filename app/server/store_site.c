#include "app/server/store_site.h"

#include "app/server/store_sql.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int get(struct store_db *db, void *arg, struct error *error)
{
	struct site *site = arg;
	sqlite3_stmt *stmt;
	int r;

	r = sql_begin(db, &stmt, error,
		"SELECT scheme, days_on_box, days_on_server FROM site WHERE id = 1", "");
	if (r < 0) {
		return r;
	}
	r = sql_next(db, stmt, error);
	if (r == 1) {
		site->scheme = sql_text_new(stmt, 0);
		site->days_on_box = sqlite3_column_int64(stmt, 1);
		site->days_on_server = sqlite3_column_int64(stmt, 2);
		r = 0;
	} else if (r == 0) {
		site->scheme = strdup("");
		site->days_on_box = SITE_DAYS_ON_BOX;
		site->days_on_server = SITE_DAYS_ON_SERVER;
	}
	sql_done(stmt);
	return r < 0 ? r : site->scheme ? 0 : -ENOMEM;
}

int store_site_get(struct store *store, struct site *ret_site, struct error *error)
{
	struct site site = {0};
	int r = store_read(store, get, &site, error);

	if (r != 0) {
		site_fini(&site);
		return r;
	}
	*ret_site = site;
	return 0;
}

static int set(struct store_db *db, void *arg, struct error *error)
{
	const struct site *site = arg;

	return sql_do(db, NULL, error,
		"INSERT INTO site(id, scheme, days_on_box, days_on_server) VALUES(1, $1, $2, $3) "
		"ON CONFLICT(id) DO UPDATE SET scheme = excluded.scheme, "
		"days_on_box = excluded.days_on_box, days_on_server = excluded.days_on_server",
		"tii", site->scheme, site->days_on_box, site->days_on_server);
}

int store_site_set(struct store *store, const struct site *site, struct error *error)
{
	struct site copy = *site;

	return store_write(store, set, &copy, error);
}

void site_fini(struct site *site)
{
	free(site->scheme);
	site->scheme = NULL;
}
