/* What people ask about boxes. */
#include "app/base/clock.h"
#include "app/base/iso.h"
#include "app/server/boxes.h"
#include "app/server/pairing.h"
#include "app/server/people.h"
#include "app/server/store_boxes.h"
#include "app/server/store_people.h"
#include "app/server/token.h"
#include "app/server/upkeep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define JSON_BYTES 2048

/* A time, or null for one that has not come. */
static json_t *time_json(int64_t realtime_ns)
{
	char text[ISO_CHARS];

	return realtime_ns ? json_string(iso_utc(realtime_ns, text)) : json_null();
}

static json_t *coach_json(const struct box_row *box)
{
	return box->coach_name[0] ? json_pack("{ss ss}", "id", box->coach, "name", box->coach_name)
				  : json_null();
}

static json_t *box_json(const struct box_row *box)
{
	json_t *faults = json_loads(box->faults, 0, NULL);
	json_t *health = json_loads(box->health, 0, NULL);
	json_t *clock_error =
		box->reported_ns ? json_integer(box->clock_error_ns / NS_PER_MS) : json_null();

	return json_pack("{ss ss so so so so sb ss sI sI so so sI sI so}", "id", box->id, "name",
		box->name, "coach", coach_json(box), "paired", time_json(box->paired_ns),
		"last_heard", time_json(box->heard_ns), "reported", time_json(box->reported_ns),
		"revoked", box->revoked_ns != 0, "version", box->version, "free_bytes",
		(json_int_t)box->free_bytes, "state_bytes", (json_int_t)box->state_bytes,
		"clock_error_ms", clock_error, "faults", faults ? faults : json_array(),
		"unsent_entries", (json_int_t)box->unsent_entries, "unsent_snippets",
		(json_int_t)box->unsent_snippets, "health", health ? health : json_null());
}

static int list_boxes(struct request *request, struct error *error)
{
	bool all = access_allowed(request->roles, RELATION_NONE, DEED_LIST_BOXES);
	struct box_row *list;
	json_t *json;
	size_t n, i;
	int r;

	if (!people_may(request, RELATION_NONE, all ? DEED_LIST_BOXES : DEED_LIST_OWN_BOXES)) {
		return 0;
	}
	r = store_box_list(request->server->store, all ? NULL : request->person, &list, &n, error);
	if (r < 0) {
		return r;
	}
	json = json_array();
	for (i = 0; json && i < n; i++) {
		if (json_array_append_new(json, box_json(&list[i])) != 0) {
			json_decref(json);
			json = NULL;
		}
	}
	box_rows_free(list, n);
	return answer_json(request, 200, json_pack("{so}", "boxes", json));
}

/* Whether there is such a coach; answers if not. 0, 1 (answered) or -errno. */
static int coach_ok(struct request *request, const char *id, struct error *error)
{
	struct person person;
	int r = store_person_get(request->server->store, id, &person, error);

	if (r < 0) {
		return r;
	}
	if (r == 0 && (person.roles & ROLE_COACH) && person.revoked_ns == 0) {
		return 0;
	}
	(void)people_wrong(
		request, "coach", "give the id of a coach, who will see the lessons of this box");
	return 1;
}

/* Whose box it will be. 0, 1 (answered) or -errno. */
static int whose(struct request *request, const char *coach, struct error *error)
{
	bool own = strcmp(coach, request->person) == 0;

	if (!people_may(request, RELATION_NONE, own ? DEED_PAIR_BOX : DEED_PAIR_BOX_FOR_OTHERS)) {
		return 1;
	}
	return coach_ok(request, coach, error);
}

static int pair_box(struct request *request, struct error *error)
{
	char code[PAIRING_CODE_CHARS], hash[TOKEN_CHARS], until[ISO_CHARS];
	const char *pin = request->server->pin;
	int64_t now_ns = server_now_ns(), expires_ns = now_ns + PAIRING_S * NS_PER_S;
	const char *coach;
	json_t *json;
	int r;

	if (request_json(request, &json) != 0) {
		return 0;
	}
	coach = json_text(json, "coach");
	coach = coach[0] ? coach : request->person;
	r = whose(request, coach, error);
	if (r == 0) {
		pairing_code_new(code);
		token_hash(code, hash);
		r = store_pairing_add(
			request->server->store, hash, coach, expires_ns, now_ns, error);
	}
	json_decref(json);
	if (r != 0) {
		return r < 0 ? r : 0;
	}
	return answer_json(request, 201,
		json_pack("{ss ss so}", "code", code, "expires", iso_utc(expires_ns, until), "pin",
			pin[0] ? json_string(pin) : json_null()));
}

/* Whether the asker may make that change; answers if not. 0, 1 or -errno. */
static int may_change(struct request *request, enum relation relation, const struct box_row *box,
	const json_t *json, struct error *error)
{
	const json_t *name = json_object_get(json, "name"), *coach = json_object_get(json, "coach");
	const json_t *revoked = json_object_get(json, "revoked");

	if ((name && !people_may(request, relation, DEED_NAME_BOX)) ||
		(revoked && !people_may(request, relation, DEED_REVOKE_BOX)) ||
		(coach && !people_may(request, relation, DEED_GIVE_BOX))) {
		return 1;
	}
	if (name && !boxes_name_ok(json_text(json, "name"))) {
		(void)people_wrong(request, "name", "give 1 to 64 bytes that a screen can show");
		return 1;
	}
	if (revoked && !json_is_true(revoked)) {
		(void)people_wrong(request, "revoked", "only true: pair the box anew instead");
		return 1;
	}
	if (coach && box->unsent_entries > 0 && strcmp(json_text(json, "coach"), box->coach) != 0) {
		(void)answer_error(request, 409, "unsent",
			"Lessons of %s wait on this box still, and would go to the next coach. Let "
			"it sync first.",
			box->coach_name[0] ? box->coach_name : "its coach");
		return 1;
	}
	return coach ? coach_ok(request, json_text(json, "coach"), error) : 0;
}

static int change(
	struct request *request, const struct box_row *box, const json_t *json, struct error *error)
{
	enum relation relation =
		strcmp(box->coach, request->person) == 0 ? RELATION_COACH : RELATION_NONE;
	bool revoked = json_object_get(json, "revoked");
	int r;

	/* whoever may not even name it does not learn that it exists */
	if (!people_may(request, relation, DEED_NAME_BOX)) {
		return 1;
	}
	r = may_change(request, relation, box, json, error);
	if (r != 0) {
		return r;
	}
	r = store_box_change(request->server->store, box->id,
		json_string_value(json_object_get(json, "name")),
		json_string_value(json_object_get(json, "coach")), revoked ? server_now_ns() : 0,
		error);
	if (r == 0 && revoked) { /* nobody can go on with what it was bringing */
		r = upkeep_end(request->server, &(struct upload_which){.box = box->id}, error);
	}
	return r;
}

static int change_box(struct request *request, struct error *error)
{
	struct store *store = request->server->store;
	struct box_row box;
	json_t *json;
	int r;

	if (request_json(request, &json) != 0) {
		return 0;
	}
	r = store_box_get(store, request->part[0], &box, error);
	if (r == STORE_E_NO_BOX) {
		json_decref(json);
		return people_nothing(request);
	}
	if (r == 0) {
		r = change(request, &box, json, error);
		box_row_fini(&box);
	}
	json_decref(json);
	if (r < 0 || request_answered(request)) {
		return r < 0 ? r : 0;
	}
	r = store_box_get(store, request->part[0], &box, error);
	if (r != 0) {
		return r < 0 ? r : people_nothing(request);
	}
	r = answer_json(request, 200, box_json(&box));
	box_row_fini(&box);
	return r;
}

const struct route boxes_routes[] = {
	{HTTP_GET, "boxes", WHO_PERSON, .handle = list_boxes},
	{HTTP_POST, "boxes", WHO_PERSON, JSON_BYTES, .handle = pair_box},
	{HTTP_PATCH, "boxes/+", WHO_PERSON, JSON_BYTES, .handle = change_box},
	{0},
};
