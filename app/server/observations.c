#include "app/server/observations.h"

#include "app/base/clock.h"
#include "app/base/iso.h"
#include "app/server/people.h"
#include "app/server/plans.h"
#include "app/server/timelines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define JSON_MOST 4096

static unsigned int relations_to(
	const struct observation *observation, const struct request *request)
{
	if (*request->person == '\0') {
		return RELATION_NONE;
	}
	return (strcmp(observation->coach, request->person) == 0 ? RELATION_COACH : 0) |
		(strcmp(observation->teacher, request->person) == 0 ? RELATION_TEACHER : 0) |
		(observation->guest ? RELATION_GUEST : 0);
}

int observation_for(struct request *request, enum deed deed, struct observation *ret_observation,
	struct error *error)
{
	unsigned int relations = RELATION_NONE;
	int r;

	r = store_observation_get(
		request->server->store, request->part[0], request->person, ret_observation, error);
	if (r < 0) {
		return r;
	}
	if (r == 0) {
		relations = relations_to(ret_observation, request);
	}
	/* what there is not and what is not theirs goes the same way */
	return people_may(request, relations, deed) ? 0 : 1;
}

static json_t *person_or_null(const char *id, const char *name)
{
	return *id ? json_pack("{s:s, s:s}", "id", id, "name", name) : json_null();
}

static json_t *summary_json(const struct observation *observation, const struct summary *summary)
{
	const struct moment *start = &summary->start;
	char iso[ISO_CHARS];

	return json_pack("{s:s, s:s, s:o, s:o, s:f, s:b, s:I, s:I, s:o, s:o, s:s, s:b}", "id",
		observation->id, "title", observation->title, "start",
		start->known ? json_string(iso_utc(start->realtime_ns, iso)) : json_null(),
		"start_uncertainty_ms",
		start->known ? json_real((double)start->uncertainty_ns / 1e6) : json_null(),
		"length_s", (double)summary->length_ns / 1e9, "running", summary->running, "events",
		(json_int_t)summary->events, "snippets", (json_int_t)summary->snippets, "coach",
		person_or_null(observation->coach, observation->coach_name), "teacher",
		person_or_null(observation->teacher, observation->teacher_name), "box",
		observation->box_name, "guest", observation->guest);
}

/* Why there is an observation, but nothing of it to show. */
static int not_shown(struct request *request, int why)
{
	return why == STORE_E_TOO_MUCH
		? answer_error(request, 422, "too-much",
			  "The box sent more than a lesson can hold; it cannot be shown.")
		: people_nothing(request);
}

static int answer_observation(struct request *request, const char *id, struct error *error)
{
	struct server *server = request->server;
	struct observation observation;
	struct summary summary;
	int r;

	r = store_observation_get(server->store, id, request->person, &observation, error);
	if (r == 0) {
		r = timelines_summary(
			server->people->timelines, server->store, &observation, &summary, error);
	}
	if (r != 0) {
		return r < 0 ? r : not_shown(request, r);
	}
	return answer_json(request, 200, summary_json(&observation, &summary));
}

/* --- all of them --- */

struct item {
	const struct observation *observation;
	struct summary summary;
};

/* The newest first; those whose time nobody knows last. */
static int newest_first(const void *left, const void *right)
{
	const struct item *a = left, *b = right;
	const struct moment *x = &a->summary.start, *y = &b->summary.start;

	if (x->known != y->known) {
		return x->known ? -1 : 1;
	}
	if (x->known && x->realtime_ns != y->realtime_ns) {
		return x->realtime_ns > y->realtime_ns ? -1 : 1;
	}
	if (a->observation->seq != b->observation->seq) {
		return a->observation->seq > b->observation->seq ? -1 : 1;
	}
	return strcmp(a->observation->id, b->observation->id);
}

static json_t *items_json(struct item *items, size_t n)
{
	json_t *json = json_array();

	qsort(items, n, sizeof(*items), newest_first);
	for (size_t i = 0; i < n; i++) {
		if (json_array_append_new(
			    json, summary_json(items[i].observation, &items[i].summary)) < 0) {
			json_decref(json);
			return NULL;
		}
	}
	return json_pack("{s:o}", "observations", json);
}

static int list(struct request *request, struct error *error)
{
	struct server *server = request->server;
	struct observation *found;
	struct item *items = NULL;
	size_t n, n_items = 0, i;
	int r;

	if (!people_may(request, RELATION_NONE, DEED_LIST_OBSERVATIONS)) {
		return 0;
	}
	r = plans_settle(server, request->person, error);
	if (r == 0 || r == -ENOSPC) { /* plans wait for room, people need not */
		r = store_observations_of(server->store, request->person, &found, &n, error);
	}
	if (r < 0) {
		return r;
	}
	items = calloc(n + 1, sizeof(*items));
	for (i = 0; items && i < n; i++) {
		struct item *item = &items[n_items];

		item->observation = &found[i];
		if (!access_allowed(
			    request->roles, relations_to(&found[i], request), DEED_SEE_TIMELINE)) {
			continue;
		}
		r = timelines_summary(
			server->people->timelines, server->store, &found[i], &item->summary, error);
		if (r < 0) {
			break;
		}
		n_items += r == 0;
		r = 0;
	}
	if (r == 0) {
		r = items ? answer_json(request, 200, items_json(items, n_items)) : -ENOMEM;
	}
	free(items);
	free(found);
	return r;
}

/* --- one of them --- */

static int see(struct request *request, struct error *error)
{
	struct observation observation;
	int r = observation_for(request, DEED_SEE_TIMELINE, &observation, error);

	return r != 0 ? (r < 0 ? r : 0) : answer_observation(request, observation.id, error);
}

static int change_by(struct request *request, const struct observation *observation,
	const json_t *json, struct error *error)
{
	const json_t *title = json_object_get(json, "title");
	const json_t *teacher = json_object_get(json, "teacher");
	const char *new_title = people_line(title, OBSERVATION_TITLE_CHARS);
	const char *new_teacher = json_is_null(teacher) ? "" : people_line(teacher, ID_CHARS);
	int r;

	if (title && !new_title) {
		return people_wrong(
			request, "title", "give a text of at most 255 bytes in one line");
	}
	if (teacher && !new_teacher) {
		return people_wrong(request, "teacher", "give a teacher's id, or null for nobody");
	}
	r = store_observation_change(
		request->server->store, observation->id, new_title, new_teacher, error);
	switch (r) {
	case 0:
		return answer_observation(request, observation->id, error);
	case STORE_E_OWNED:
		return answer_error(request, 409, "owned",
			"Its teacher has opened it: it is theirs, and stays with them.");
	case STORE_E_TAKEN:
		return people_wrong(request, "teacher", "no teacher has that id");
	case STORE_E_NONE:
		return people_nothing(request);
	default:
		return r;
	}
}

static int change(struct request *request, struct error *error)
{
	struct observation observation;
	json_t *json;
	int r;

	r = observation_for(request, DEED_CHANGE_OBSERVATION, &observation, error);
	if (r != 0) {
		return r < 0 ? r : 0;
	}
	if (request_json(request, &json) != 0) {
		return 0;
	}
	r = change_by(request, &observation, json, error);
	json_decref(json);
	return r;
}

static int see_timeline(struct request *request, struct error *error)
{
	struct server *server = request->server;
	struct observation observation;
	char *text;
	int r;

	r = observation_for(request, DEED_SEE_TIMELINE, &observation, error);
	if (r != 0) {
		return r < 0 ? r : 0;
	}
	/* noted before it is shown: a look that cannot be noted is not given */
	r = store_look_add(server->store, observation.id, request->person, "timeline", 0,
		server_now_ns(), error);
	if (r == 0) {
		r = timelines_json(
			server->people->timelines, server->store, &observation, &text, error);
	}
	if (r != 0) {
		return r < 0 ? r : not_shown(request, r);
	}
	return answer_text(request, 200, text);
}

static json_t *look_json(const struct look *look)
{
	char at[ISO_CHARS], until[ISO_CHARS];

	return json_pack("{s:o, s:s, s:o, s:s, s:s}", "person",
		people_json(look->person, look->name, look->roles), "what", look->what, "seq",
		look->seq > 0 ? json_integer(look->seq) : json_null(), "at",
		iso_utc(look->at_ns, at), "until", iso_utc(look->until_ns, until));
}

static int see_looks(struct request *request, struct error *error)
{
	struct observation observation;
	struct look *looks;
	json_t *json;
	size_t n;
	int r;

	r = observation_for(request, DEED_SEE_LOOKS, &observation, error);
	if (r != 0) {
		return r < 0 ? r : 0;
	}
	r = store_looks_of(request->server->store, observation.id, &looks, &n, error);
	if (r < 0) {
		return r;
	}
	json = json_array();
	for (size_t i = 0; i < n; i++) {
		if (json_array_append_new(json, look_json(&looks[i])) < 0) {
			json_decref(json);
			json = NULL;
		}
	}
	free(looks);
	return answer_json(request, 200, json_pack("{s:o}", "looks", json));
}

const struct route observation_routes[] = {
	{HTTP_GET, "observations", WHO_PERSON, 0, .handle = list},
	{HTTP_GET, "observations/+", WHO_PERSON, 0, .handle = see},
	{HTTP_PATCH, "observations/+", WHO_PERSON, JSON_MOST, .handle = change},
	{HTTP_GET, "observations/+/timeline", WHO_PERSON, 0, .handle = see_timeline},
	{HTTP_GET, "observations/+/looks", WHO_PERSON, 0, .handle = see_looks},
	{0},
};
