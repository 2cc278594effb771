#include "app/server/store_plans.h"

#include "app/server/store_sql.h"

#define PLAN_WAITS_NS (60 * 24 * 3600 * INT64_C(1000000000))

#define PLAN                                                                                       \
	"p.id, p.coach, p.teacher, coalesce(t.name, ''), p.title, p.from_ns, p.to_ns, "            \
	"p.observation FROM plan p LEFT JOIN person t ON t.id = p.teacher "

struct query {
	const char *id, *person, *observation;
	int64_t now_ns;
	const struct plan *plan;
	struct sql_list list;
};

static int may_add(struct store_db *db, const struct plan *plan, struct error *error)
{
	int64_t teachers = 0, open = 0;
	sqlite3_stmt *stmt;
	int r;

	r = sql_begin(db, &stmt, error,
		"SELECT count(*) FROM person WHERE id = $1 AND (roles & $2) <> 0 AND revoked_ns = "
		"0",
		"ti", plan->teacher, (int64_t)ROLE_TEACHER);
	if (r == 0) {
		r = sql_count(db, stmt, &teachers, error);
	}
	if (r == 0) {
		r = sql_begin(db, &stmt, error,
			"SELECT count(*) FROM plan WHERE coach = $1 AND observation = ''", "t",
			plan->coach);
	}
	if (r == 0) {
		r = sql_count(db, stmt, &open, error);
	}
	return r < 0 ? r : teachers == 0 ? STORE_E_TAKEN : open >= PLANS_MOST ? STORE_E_FULL : 0;
}

static int add(struct store_db *db, void *arg, struct error *error)
{
	const struct plan *plan = arg;
	int r = may_add(db, plan, error);

	return r != 0 ? r
		      : sql_do(db, NULL, error,
				"INSERT INTO plan(id, coach, teacher, title, from_ns, to_ns) "
				"VALUES($1, $2, $3, $4, $5, $6)",
				"ttttii", plan->id, plan->coach, plan->teacher, plan->title,
				plan->from_ns, plan->to_ns);
}

int store_plan_add(struct store *store, struct plan *plan, struct error *error)
{
	id_new(plan->id);
	return store_write(store, add, plan, error);
}

static int take_away(struct store_db *db, void *arg, struct error *error)
{
	const struct query *query = arg;
	int changed = 0;
	int r = sql_do(db, &changed, error, "DELETE FROM plan WHERE id = $1 AND coach = $2", "tt",
		query->id, query->person);

	return r < 0 ? r : changed > 0 ? 0 : STORE_E_NONE;
}

int store_plan_remove(struct store *store, const char *id, const char *coach, struct error *error)
{
	struct query query = {.id = id, .person = coach};

	return store_write(store, take_away, &query, error);
}

static void plan_row(sqlite3_stmt *stmt, void *item)
{
	struct plan *plan = item;

	*plan = (struct plan){
		.from_ns = sqlite3_column_int64(stmt, 5),
		.to_ns = sqlite3_column_int64(stmt, 6),
	};
	sql_text(stmt, 0, plan->id, sizeof(plan->id));
	sql_text(stmt, 1, plan->coach, sizeof(plan->coach));
	sql_text(stmt, 2, plan->teacher, sizeof(plan->teacher));
	sql_text(stmt, 3, plan->teacher_name, sizeof(plan->teacher_name));
	sql_text(stmt, 4, plan->title, sizeof(plan->title));
	sql_text(stmt, 7, plan->observation, sizeof(plan->observation));
}

static int of_coach(struct store_db *db, void *arg, struct error *error)
{
	struct query *query = arg;
	sqlite3_stmt *stmt;
	int r = sql_begin(db, &stmt, error,
		"SELECT " PLAN "WHERE p.coach = $1 ORDER BY p.from_ns DESC, p.id LIMIT 1000", "t",
		query->person);

	return r < 0 ? r : sql_all(db, stmt, plan_row, sizeof(struct plan), &query->list, error);
}

static int begun(struct store_db *db, void *arg, struct error *error)
{
	struct query *query = arg;
	sqlite3_stmt *stmt;
	int r = sql_begin(db, &stmt, error,
		"SELECT " PLAN "WHERE (p.coach = $1 OR p.teacher = $1) AND p.observation = '' "
		"AND p.from_ns <= $2 AND p.to_ns > $3 AND t.revoked_ns = 0 "
		"ORDER BY p.coach, p.from_ns, p.id",
		"tii", query->person, query->now_ns, query->now_ns - PLAN_WAITS_NS);

	return r < 0 ? r : sql_all(db, stmt, plan_row, sizeof(struct plan), &query->list, error);
}

static int read_list(struct store *store, store_job *job, struct query *query,
	struct plan **ret_list, size_t *ret_n, struct error *error)
{
	int r = store_read(store, job, query, error);

	if (r == 0) {
		*ret_list = query->list.items;
		*ret_n = query->list.n;
	}
	return r;
}

int store_plans_of(struct store *store, const char *coach, struct plan **ret_list, size_t *ret_n,
	struct error *error)
{
	struct query query = {.person = coach};

	return read_list(store, of_coach, &query, ret_list, ret_n, error);
}

int store_plans_open(struct store *store, const char *person, int64_t now_ns,
	struct plan **ret_list, size_t *ret_n, struct error *error)
{
	struct query query = {.person = person, .now_ns = now_ns};

	return read_list(store, begun, &query, ret_list, ret_n, error);
}

static int fulfil(struct store_db *db, void *arg, struct error *error)
{
	const struct query *query = arg;
	const struct plan *plan = query->plan;
	int changed = 0;
	int r = sql_do(db, &changed, error,
		"UPDATE plan SET observation = $1 WHERE id = $2 AND observation = ''", "tt",
		query->observation, plan->id);

	if (r == 0 && changed > 0) {
		r = sql_do(db, &changed, error,
			"UPDATE observation SET teacher = $1, "
			"title = CASE WHEN title = '' THEN $2 ELSE title END "
			"WHERE id = $3 AND coach = $4 AND teacher = ''",
			"tttt", plan->teacher, plan->title, query->observation, plan->coach);
	}
	return r < 0 ? r : changed > 0 ? 0 : STORE_E_NONE;
}

int store_plan_fulfil(
	struct store *store, const struct plan *plan, const char *observation, struct error *error)
{
	struct query query = {.plan = plan, .observation = observation};

	return store_write(store, fulfil, &query, error);
}
