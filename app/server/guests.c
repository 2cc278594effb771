/* A teacher lets somebody see an observation of theirs, and takes it back. */
#include "app/base/iso.h"
#include "app/server/observations.h"
#include "app/server/people.h"
#include "app/server/store_guests.h"

#include <stdlib.h>

#define JSON_MOST 2048

static json_t *guest_json(const struct guest *guest)
{
	json_t *json = people_json(guest->person, guest->name, guest->roles);
	char since[ISO_CHARS];

	if (json &&
		json_object_set_new(json, "since", json_string(iso_utc(guest->since_ns, since))) <
			0) {
		json_decref(json);
		json = NULL;
	}
	return json;
}

static int list_guests(struct request *request, struct error *error)
{
	struct observation observation;
	struct guest *list;
	json_t *json;
	size_t n, i;
	int r;

	r = observation_for(request, DEED_RELEASE, &observation, error);
	if (r != 0) {
		return r < 0 ? r : 0;
	}
	r = store_guests_of(request->server->store, observation.id, &list, &n, error);
	if (r < 0) {
		return r;
	}
	json = json_array();
	for (i = 0; i < n; i++) {
		if (json_array_append_new(json, guest_json(&list[i])) < 0) {
			json_decref(json);
			json = NULL;
		}
	}
	free(list);
	return answer_json(request, 200, json_pack("{s:o}", "guests", json));
}

static int let_see(struct request *request, struct error *error)
{
	struct observation observation;
	struct guest guest;
	json_t *json;
	int r;

	r = observation_for(request, DEED_RELEASE, &observation, error);
	if (r != 0) {
		return r < 0 ? r : 0;
	}
	if (request_json(request, &json) != 0) {
		return 0;
	}
	r = store_guest_add(request->server->store, observation.id, json_text(json, "name"),
		server_now_ns(), &guest, error);
	json_decref(json);
	switch (r) {
	case 0:
		return answer_json(request, 201, guest_json(&guest));
	case STORE_E_NONE:
		return people_wrong(request, "name", "no coach or teacher here has that name");
	case STORE_E_TAKEN:
		return answer_error(request, 409, "too-many-guests",
			"%d people may see it already. Take it back from somebody first.",
			GUESTS_MOST);
	default:
		return r;
	}
}

static int take_back(struct request *request, struct error *error)
{
	struct observation observation;
	int r;

	r = observation_for(request, DEED_RELEASE, &observation, error);
	if (r != 0) {
		return r < 0 ? r : 0;
	}
	r = store_guest_remove(request->server->store, observation.id, request->part[1], error);
	return r < 0 ? r : r > 0 ? people_nothing(request) : answer_empty(request, 204);
}

const struct route guest_routes[] = {
	{HTTP_GET, "observations/+/guests", WHO_PERSON, 0, .handle = list_guests},
	{HTTP_POST, "observations/+/guests", WHO_PERSON, JSON_MOST, .handle = let_see},
	{HTTP_DELETE, "observations/+/guests/+", WHO_PERSON, 0, .handle = take_back},
	{0},
};
