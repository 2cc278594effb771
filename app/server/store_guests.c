#include "app/server/store_guests.h"

#include "app/server/store_sql.h"

struct query {
	const char *observation, *person, *name;
	int64_t now_ns;
	struct guest *guest;
	struct sql_list list;
};

static void guest_row(sqlite3_stmt *stmt, void *item)
{
	struct guest *guest = item;

	*guest = (struct guest){
		.roles = (unsigned int)sqlite3_column_int(stmt, 2),
		.since_ns = sqlite3_column_int64(stmt, 3),
	};
	sql_text(stmt, 0, guest->person, sizeof(guest->person));
	sql_text(stmt, 1, guest->name, sizeof(guest->name));
}

/* Who has that name, as a guest since now. 0, STORE_E_NONE or -errno. */
static int find(struct store_db *db, const struct query *query, struct error *error)
{
	sqlite3_stmt *stmt;
	int r;

	r = sql_begin(db, &stmt, error,
		"SELECT id, name, roles, $1 FROM person WHERE lower(name) = lower($2) "
		"AND (roles & $3) <> 0 AND revoked_ns = 0",
		"iti", query->now_ns, query->name, (int64_t)(ROLE_COACH | ROLE_TEACHER));
	return r < 0 ? r : sql_one(db, stmt, guest_row, query->guest, error);
}

static int has_room(struct store_db *db, const struct query *query, struct error *error)
{
	sqlite3_stmt *stmt;
	int64_t n = 0;
	int r;

	r = sql_begin(db, &stmt, error, "SELECT count(*) FROM guest WHERE observation = $1", "t",
		query->observation);
	if (r == 0) {
		r = sql_count(db, stmt, &n, error);
	}
	return r < 0 ? r : n < GUESTS_MOST ? 0 : STORE_E_TAKEN;
}

static int add(struct store_db *db, void *arg, struct error *error)
{
	const struct query *query = arg;
	int r = find(db, query, error);

	if (r == 0) {
		r = has_room(db, query, error);
	}
	return r != 0 ? r
		      : sql_do(db, NULL, error,
				"INSERT INTO guest(observation, person, since_ns) "
				"VALUES($1, $2, $3) ON CONFLICT DO NOTHING",
				"tti", query->observation, query->guest->person, query->now_ns);
}

int store_guest_add(struct store *store, const char *observation, const char *name, int64_t now_ns,
	struct guest *ret_guest, struct error *error)
{
	struct query query = {
		.observation = observation, .name = name, .now_ns = now_ns, .guest = ret_guest};

	return store_write(store, add, &query, error);
}

static int take_away(struct store_db *db, void *arg, struct error *error)
{
	const struct query *query = arg;
	int changed = 0;
	int r = sql_do(db, &changed, error,
		"DELETE FROM guest WHERE observation = $1 AND person = $2", "tt",
		query->observation, query->person);

	return r < 0 ? r : changed > 0 ? 0 : STORE_E_NONE;
}

int store_guest_remove(
	struct store *store, const char *observation, const char *person, struct error *error)
{
	struct query query = {.observation = observation, .person = person};

	return store_write(store, take_away, &query, error);
}

static int list(struct store_db *db, void *arg, struct error *error)
{
	struct query *query = arg;
	sqlite3_stmt *stmt;
	int r;

	r = sql_begin(db, &stmt, error,
		"SELECT p.id, p.name, p.roles, g.since_ns FROM guest g JOIN person p ON p.id = "
		"g.person WHERE g.observation = $1 ORDER BY lower(p.name), p.name",
		"t", query->observation);
	return r < 0 ? r : sql_all(db, stmt, guest_row, sizeof(struct guest), &query->list, error);
}

int store_guests_of(struct store *store, const char *observation, struct guest **ret_list,
	size_t *ret_n, struct error *error)
{
	struct query query = {.observation = observation};
	int r = store_read(store, list, &query, error);

	if (r == 0) {
		*ret_list = query.list.items;
		*ret_n = query.list.n;
	}
	return r;
}
