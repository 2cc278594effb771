/*
 * A plan says: the lesson that I observe in this time is this teacher's. A box knows
 * nothing of it; what it brings is matched here, when somebody looks: the first
 * observation of the coach that begins in that time and belongs to nobody. One
 * whose time nobody knows yet is not matched; it may be later.
 */
#include "app/server/plans.h"

#include "app/base/clock.h"
#include "app/base/iso.h"
#include "app/server/people.h"
#include "app/server/store_plans.h"
#include "app/server/timelines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_MOST 4096
#define SPAN_MOST_NS (24 * 3600 * NS_PER_S)

/* --- matching --- */

/* Whether the observation is nobody's and begins in the plan's time: 1, 0 or -errno. */
static int fits(struct server *server, const struct plan *plan,
	const struct observation *observation, int64_t *ret_start_ns, struct error *error)
{
	struct summary summary;
	int r;

	if (*observation->teacher != '\0' || strcmp(observation->coach, plan->coach) != 0) {
		return 0;
	}
	r = timelines_summary(
		server->people->timelines, server->store, observation, &summary, error);
	if (r != 0) {
		return r < 0 ? r : 0;
	}
	*ret_start_ns = summary.start.realtime_ns;
	return summary.start.known && summary.start.realtime_ns >= plan->from_ns &&
		summary.start.realtime_ns <= plan->to_ns;
}

/* A coach's observations, loaded once for all plans. */
struct pool {
	char coach[ID_CHARS];
	struct observation *list;
	size_t n;
};

static int fill(struct server *server, const char *coach, struct pool *pool, struct error *error)
{
	int r;

	if (strcmp(pool->coach, coach) == 0) {
		return 0;
	}
	free(pool->list);
	*pool = (struct pool){0};
	r = store_observations_of(server->store, coach, &pool->list, &pool->n, error);
	if (r == 0) {
		(void)snprintf(pool->coach, sizeof(pool->coach), "%s", coach);
	}
	return r;
}

static int settle_one(
	struct server *server, const struct plan *plan, struct pool *pool, struct error *error)
{
	struct observation *first = NULL;
	int64_t start_ns = 0, first_ns = 0;
	int r = fill(server, plan->coach, pool, error);

	for (size_t i = 0; r >= 0 && i < pool->n; i++) {
		r = fits(server, plan, &pool->list[i], &start_ns, error);
		if (r == 1 && (!first || start_ns < first_ns)) {
			first = &pool->list[i];
			first_ns = start_ns;
		}
	}
	if (r < 0 || !first) {
		return r < 0 ? r : 0;
	}
	r = store_plan_fulfil(server->store, plan, first->id, error);
	if (r == 0) {
		memcpy(first->teacher, plan->teacher, sizeof(first->teacher));
	}
	return r < 0 ? r : 0;
}

int plans_settle(struct server *server, const char *person, struct error *error)
{
	struct pool pool = {0};
	struct plan *list;
	size_t n, i;
	int r;

	r = store_plans_open(server->store, person, server_now_ns(), &list, &n, error);
	if (r < 0) {
		return r;
	}
	for (i = 0; r == 0 && i < n; i++) {
		r = settle_one(server, &list[i], &pool, error);
	}
	free(pool.list);
	free(list);
	return r;
}

/* --- requests --- */

static json_t *plan_json(const struct plan *plan)
{
	char from[ISO_CHARS], to[ISO_CHARS];

	return json_pack("{s:s, s:s, s:{s:s, s:s}, s:s, s:s, s:o}", "id", plan->id, "title",
		plan->title, "teacher", "id", plan->teacher, "name", plan->teacher_name, "from",
		iso_utc(plan->from_ns, from), "to", iso_utc(plan->to_ns, to), "observation",
		*plan->observation ? json_string(plan->observation) : json_null());
}

static int list_plans(struct request *request, struct error *error)
{
	struct plan *list;
	json_t *json;
	size_t n, i;
	int r;

	if (!people_may(request, RELATION_NONE, DEED_PLAN)) {
		return 0;
	}
	r = plans_settle(request->server, request->person, error);
	if (r == 0) {
		r = store_plans_of(request->server->store, request->person, &list, &n, error);
	}
	if (r < 0) {
		return r;
	}
	json = json_array();
	for (i = 0; i < n; i++) {
		if (json_array_append_new(json, plan_json(&list[i])) < 0) {
			json_decref(json);
			json = NULL;
		}
	}
	free(list);
	return answer_json(request, 200, json_pack("{s:o}", "plans", json));
}

/* 0, or 1 when it has been answered. */
static int read_plan(struct request *request, const json_t *json, struct plan *plan)
{
	const char *teacher = json_text(json, "teacher");
	const char *title = people_line(json_object_get(json, "title"), sizeof(plan->title));

	if (iso_read(json_text(json, "from"), &plan->from_ns) < 0 ||
		iso_read(json_text(json, "to"), &plan->to_ns) < 0) {
		(void)people_wrong(request, "from, to",
			"give times with their zone, as in 2026-03-02T09:00:00Z");
		return 1;
	}
	if (plan->to_ns < plan->from_ns || plan->to_ns - plan->from_ns > SPAN_MOST_NS) {
		(void)people_wrong(request, "to", "give a time up to a day after `from`");
		return 1;
	}
	if (json_object_get(json, "title") && !title) {
		(void)people_wrong(
			request, "title", "give a text of at most 255 bytes in one line");
		return 1;
	}
	if (strlen(teacher) >= sizeof(plan->teacher)) {
		teacher = "";
	}
	memcpy(plan->teacher, teacher, strlen(teacher) + 1);
	title = title ? title : "";
	memcpy(plan->title, title, strlen(title) + 1);
	memcpy(plan->coach, request->person, sizeof(plan->coach));
	return 0;
}

static int add_plan(struct request *request, struct error *error)
{
	struct plan plan = {0};
	struct person teacher;
	json_t *json;
	int r;

	if (!people_may(request, RELATION_NONE, DEED_PLAN) || request_json(request, &json) != 0) {
		return 0;
	}
	r = read_plan(request, json, &plan);
	json_decref(json);
	if (r != 0) {
		return 0;
	}
	r = store_plan_add(request->server->store, &plan, error);
	if (r == STORE_E_TAKEN) {
		return people_wrong(request, "teacher", "no teacher has that id");
	}
	if (r == STORE_E_FULL) {
		return answer_error(request, 409, "too-many-plans",
			"There are %d open plans. Remove some that did not come true.", PLANS_MOST);
	}
	if (r == 0) {
		r = store_person_get(request->server->store, plan.teacher, &teacher, error);
	}
	if (r != 0) {
		return r < 0 ? r : people_nothing(request);
	}
	memcpy(plan.teacher_name, teacher.name, sizeof(plan.teacher_name));
	return answer_json(request, 201, plan_json(&plan));
}

static int remove_plan(struct request *request, struct error *error)
{
	int r;

	if (!people_may(request, RELATION_NONE, DEED_PLAN)) {
		return 0;
	}
	r = store_plan_remove(request->server->store, request->part[0], request->person, error);
	return r < 0 ? r : r > 0 ? people_nothing(request) : answer_empty(request, 204);
}

const struct route plan_routes[] = {
	{HTTP_GET, "plans", WHO_PERSON, 0, .handle = list_plans},
	{HTTP_POST, "plans", WHO_PERSON, JSON_MOST, .handle = add_plan},
	{HTTP_DELETE, "plans/+", WHO_PERSON, 0, .handle = remove_plan},
	{0},
};
