#include "app/server/store_observations.h"

#include "app/server/store_sql.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OBSERVATION                                                                                \
	"o.id, o.journal, o.seq, coalesce(j.kept, 0), o.title, o.coach, o.teacher, "               \
	"coalesce(c.name, ''), coalesce(t.name, ''), coalesce(b.name, ''), "                       \
	"EXISTS(SELECT 1 FROM guest g WHERE g.observation = o.id AND g.person = $1) "              \
	"FROM observation o LEFT JOIN journal j ON j.id = o.journal "                              \
	"LEFT JOIN person c ON c.id = o.coach LEFT JOIN person t ON t.id = o.teacher "             \
	"LEFT JOIN box b ON b.id = o.box "

static void observation_row(sqlite3_stmt *stmt, void *item)
{
	struct observation *o = item;

	*o = (struct observation){
		.seq = sqlite3_column_int64(stmt, 2),
		.kept = sqlite3_column_int64(stmt, 3),
		.guest = sqlite3_column_int(stmt, 10) != 0,
	};
	sql_text(stmt, 0, o->id, sizeof(o->id));
	sql_text(stmt, 1, o->journal, sizeof(o->journal));
	sql_text(stmt, 4, o->title, sizeof(o->title));
	sql_text(stmt, 5, o->coach, sizeof(o->coach));
	sql_text(stmt, 6, o->teacher, sizeof(o->teacher));
	sql_text(stmt, 7, o->coach_name, sizeof(o->coach_name));
	sql_text(stmt, 8, o->teacher_name, sizeof(o->teacher_name));
	sql_text(stmt, 9, o->box_name, sizeof(o->box_name));
}

struct query {
	const char *key, *person, *journal;
	int64_t seq, after_seq;
	struct observation *observation;
	struct entries *entries;
	size_t bytes;
	struct sql_list list;
};

/* --- finding --- */

static int get(struct store_db *db, void *arg, struct error *error)
{
	struct query *query = arg;
	sqlite3_stmt *stmt;
	int r;

	r = sql_begin(db, &stmt, error, "SELECT " OBSERVATION "WHERE o.id = $2", "tt",
		query->person, query->key);
	return r < 0 ? r : sql_one(db, stmt, observation_row, query->observation, error);
}

int store_observation_get(struct store *store, const char *id, const char *person,
	struct observation *ret_observation, struct error *error)
{
	struct query query = {.key = id, .person = person, .observation = ret_observation};

	return store_read(store, get, &query, error);
}

static int list(struct store_db *db, void *arg, struct error *error)
{
	struct query *query = arg;
	sqlite3_stmt *stmt;
	int r;

	r = sql_begin(db, &stmt, error,
		"SELECT " OBSERVATION "WHERE o.coach = $1 OR o.teacher = $1 OR o.id IN "
		"(SELECT observation FROM guest WHERE person = $1)",
		"t", query->person);
	return r < 0 ? r
		     : sql_all(db, stmt, observation_row, sizeof(struct observation), &query->list,
			       error);
}

int store_observations_of(struct store *store, const char *person, struct observation **ret_list,
	size_t *ret_n, struct error *error)
{
	struct query query = {.person = person};
	int r = store_read(store, list, &query, error);

	if (r == 0) {
		*ret_list = query.list.items;
		*ret_n = query.list.n;
	}
	return r;
}

/* --- changing --- */

struct change {
	const char *id, *title, *teacher;
};

/* Whether a statement has a row. 1, 0 or -errno. */
static int any(struct store_db *db, sqlite3_stmt *stmt, struct error *error)
{
	int r = sql_next(db, stmt, error);

	sql_done(stmt);
	return r;
}

/* Whether the observation may go to that teacher. 0, a STORE_E_* or -errno. */
static int may_assign(struct store_db *db, const struct change *change,
	const struct observation *observation, struct error *error)
{
	sqlite3_stmt *stmt;
	int r;

	r = sql_begin(db, &stmt, error,
		"SELECT 1 FROM look WHERE observation = $1 AND person = $2 LIMIT 1", "tt",
		change->id, observation->teacher);
	if (r == 0) {
		r = any(db, stmt, error);
	}
	if (r != 0) {
		return r < 0 ? r : STORE_E_OWNED;
	}
	if (*change->teacher == '\0') {
		return 0;
	}
	r = sql_begin(db, &stmt, error,
		"SELECT 1 FROM person WHERE id = $1 AND (roles & $2) <> 0 AND revoked_ns = 0", "ti",
		change->teacher, (int64_t)ROLE_TEACHER);
	if (r == 0) {
		r = any(db, stmt, error);
	}
	return r < 0 ? r : r == 1 ? 0 : STORE_E_TAKEN;
}

static int change(struct store_db *db, void *arg, struct error *error)
{
	const struct change *change = arg;
	struct observation observation;
	struct query query = {.key = change->id, .person = "", .observation = &observation};
	int r;

	r = get(db, &query, error);
	if (r == 0 && change->teacher && strcmp(change->teacher, observation.teacher) != 0) {
		r = may_assign(db, change, &observation, error);
		if (r == 0) {
			r = sql_do(db, NULL, error,
				"UPDATE observation SET teacher = $1 WHERE id = $2", "tt",
				change->teacher, change->id);
		}
		if (r == 0) {
			r = sql_do(db, NULL, error, "DELETE FROM guest WHERE observation = $1", "t",
				change->id);
		}
	}
	if (r == 0 && change->title) {
		r = sql_do(db, NULL, error, "UPDATE observation SET title = $1 WHERE id = $2", "tt",
			change->title, change->id);
	}
	return r;
}

int store_observation_change(struct store *store, const char *id, const char *title,
	const char *teacher, struct error *error)
{
	struct change what = {id, title, teacher};

	return store_write(store, change, &what, error);
}

/* --- what the fold reads --- */

static int entry_row(sqlite3_stmt *stmt, struct query *query)
{
	struct entry entry = {
		.seq = sqlite3_column_int64(stmt, 0),
		.boot = sqlite3_column_int64(stmt, 1),
		.t_ns = sqlite3_column_int64(stmt, 2),
		.kind = (enum entry_kind)sqlite3_column_int(stmt, 3),
		.observation = sqlite3_column_int64(stmt, 4),
		.ref = sqlite3_column_int64(stmt, 6),
		.value = sqlite3_column_int64(stmt, 7),
	};

	sql_text(stmt, 5, entry.code, sizeof(entry.code));
	if (sqlite3_column_type(stmt, 8) != SQLITE_NULL) {
		query->bytes += (size_t)sqlite3_column_bytes(stmt, 8);
		if (query->bytes > OBSERVATION_BODIES_MOST) {
			return STORE_E_TOO_MUCH;
		}
		entry.body = sql_text_new(stmt, 8);
		if (!entry.body) {
			return -ENOMEM;
		}
	}
	return entries_add(query->entries, &entry);
}

/* Word by word as the index has it: what other entries than its own tell about an observation. */
#define CONTEXT "(kind = 1 OR kind = 2 OR kind = 3 OR kind = 8 OR kind = 14)"
_Static_assert(ENTRY_BOOT == 1 && ENTRY_CLOCK == 2 && ENTRY_START == 3 && ENTRY_MIC == 8 &&
		ENTRY_GONE == 14,
	"never renumbered");

static int read_entries(struct store_db *db, void *arg, struct error *error)
{
	struct query *query = arg;
	sqlite3_stmt *stmt;
	int r;

	/*
	 * of the other starts only that they were counts: their schemes stay behind; of
	 * what left the box only its own
	 */
	r = sql_begin(db, &stmt, error,
		"SELECT seq, boot, t_ns, kind, observation, code, ref, value, body FROM entry "
		"WHERE journal = $1 AND observation = $2 UNION ALL "
		"SELECT seq, boot, t_ns, kind, observation, code, ref, value, "
		"CASE WHEN kind = 3 THEN NULL ELSE body END FROM entry "
		"WHERE journal = $1 AND observation <> $2 AND " CONTEXT
		" AND (kind <> 14 OR ref IN (SELECT seq FROM snippet "
		"WHERE journal = $1 AND observation = $2)) ORDER BY seq",
		"ti", query->journal, query->seq);
	if (r < 0) {
		return r;
	}
	while ((r = sql_next(db, stmt, error)) == 1) {
		r = entry_row(stmt, query);
		if (r != 0) {
			break;
		}
	}
	sql_done(stmt);
	return r;
}

int store_observation_entries(struct store *store, const struct observation *observation,
	struct entries *entries, struct error *error)
{
	struct query query = {
		.journal = observation->journal, .seq = observation->seq, .entries = entries};

	return store_read(store, read_entries, &query, error);
}

static int goes_on(struct store_db *db, void *arg, struct error *error)
{
	const struct query *query = arg;
	sqlite3_stmt *stmt;
	int r;

	r = sql_begin(db, &stmt, error,
		"SELECT 1 FROM entry WHERE journal = $1 AND observation = $2 "
		"AND seq > $3 LIMIT 1",
		"tii", query->journal, query->seq, query->after_seq);
	return r < 0 ? r : any(db, stmt, error);
}

int store_observation_goes_on(struct store *store, const struct observation *observation,
	int64_t after_seq, struct error *error)
{
	struct query query = {
		.journal = observation->journal, .seq = observation->seq, .after_seq = after_seq};

	return store_read(store, goes_on, &query, error);
}

/* --- who looked --- */

#define LOOK_JOINS_S 600 /* looks closer than that are one */
#define LOOK_STAYS_S 60 /* and closer than that not worth a write */
#define SECOND_NS INT64_C(1000000000)

struct looking {
	const char *observation, *person, *what;
	int64_t seq, now_ns;
};

static int look_is_fresh(struct store_db *db, void *arg, struct error *error)
{
	const struct looking *looking = arg;
	sqlite3_stmt *stmt;
	int r;

	r = sql_begin(db, &stmt, error,
		"SELECT 1 FROM look WHERE observation = $1 AND person = $2 AND what = $3 "
		"AND seq = $4 AND until_ns > $5 AND until_ns <= $6",
		"tttiii", looking->observation, looking->person, looking->what, looking->seq,
		looking->now_ns - LOOK_STAYS_S * SECOND_NS, looking->now_ns);
	return r < 0 ? r : any(db, stmt, error);
}

static int look_add(struct store_db *db, void *arg, struct error *error)
{
	const struct looking *looking = arg;
	char id[ID_CHARS];
	int joined = 0, r;

	r = sql_do(db, &joined, error,
		"UPDATE look SET until_ns = $1 WHERE observation = $2 AND person = $3 AND "
		"what = $4 AND seq = $5 AND until_ns > $6 AND until_ns <= $1",
		"itttii", looking->now_ns, looking->observation, looking->person, looking->what,
		looking->seq, looking->now_ns - LOOK_JOINS_S * SECOND_NS);
	if (r < 0 || joined > 0) {
		return r;
	}
	id_new(id);
	return sql_do(db, NULL, error,
		"INSERT INTO look(id, observation, person, what, seq, at_ns, until_ns) "
		"VALUES($1, $2, $3, $4, $5, $6, $6)",
		"ttttii", id, looking->observation, looking->person, looking->what, looking->seq,
		looking->now_ns);
}

int store_look_add(struct store *store, const char *observation, const char *person,
	const char *what, int64_t seq, int64_t now_ns, struct error *error)
{
	struct looking looking = {observation, person, what, seq, now_ns};
	int r = store_read(store, look_is_fresh, &looking, error);

	return r < 0 ? r : r == 1 ? 0 : store_write(store, look_add, &looking, error);
}

static void look_row(sqlite3_stmt *stmt, void *item)
{
	struct look *look = item;

	*look = (struct look){
		.roles = (unsigned int)sqlite3_column_int(stmt, 2),
		.seq = sqlite3_column_int64(stmt, 4),
		.at_ns = sqlite3_column_int64(stmt, 5),
		.until_ns = sqlite3_column_int64(stmt, 6),
	};
	sql_text(stmt, 0, look->person, sizeof(look->person));
	sql_text(stmt, 1, look->name, sizeof(look->name));
	sql_text(stmt, 3, look->what, sizeof(look->what));
}

static int looks(struct store_db *db, void *arg, struct error *error)
{
	struct query *query = arg;
	sqlite3_stmt *stmt;
	int r;

	r = sql_begin(db, &stmt, error,
		"SELECT l.person, coalesce(p.name, ''), coalesce(p.roles, 0), l.what, l.seq, "
		"l.at_ns, l.until_ns FROM look l LEFT JOIN person p ON p.id = l.person "
		"WHERE l.observation = $1 ORDER BY l.until_ns DESC, l.id LIMIT 1000",
		"t", query->key);
	return r < 0 ? r : sql_all(db, stmt, look_row, sizeof(struct look), &query->list, error);
}

int store_looks_of(struct store *store, const char *observation, struct look **ret_list,
	size_t *ret_n, struct error *error)
{
	struct query query = {.key = observation};
	int r = store_read(store, looks, &query, error);

	if (r == 0) {
		*ret_list = query.list.items;
		*ret_n = query.list.n;
	}
	return r;
}
