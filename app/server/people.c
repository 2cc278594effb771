#include "app/server/people.h"

#include "app/base/iso.h"
#include "app/server/invitations.h"
#include "app/server/retention.h"
#include "app/server/sessions.h"
#include "app/server/store_people.h"
#include "app/server/timelines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_MOST 4096
#define DECODING_MOST 2
#define DECODING_WAIT_MOST 8
#define SENDING_MOST 12 /* of 29 MB at most */

int people_open(struct people **ret_people, struct error *error)
{
	struct people *people = calloc(1, sizeof(*people));
	int r;

	if (!people) {
		return error_set(error, -ENOMEM, "out of memory");
	}
	turns_init(&people->decoding, DECODING_MOST, DECODING_WAIT_MOST);
	turns_init(&people->sending, SENDING_MOST, 0);
	r = passwords_new(&people->passwords);
	if (r == 0) {
		r = backoff_new(&people->backoff);
	}
	if (r == 0) {
		r = timelines_new(&people->timelines);
	}
	if (r < 0) {
		people_close(people);
		return error_set(error, r, "making ready for people: %s", strerrordesc_np(-r));
	}
	*ret_people = people;
	return 0;
}

void people_close(struct people *people)
{
	if (!people) {
		return;
	}
	timelines_free(people->timelines);
	backoff_free(people->backoff);
	passwords_free(people->passwords);
	turns_fini(&people->sending);
	turns_fini(&people->decoding);
	free(people);
}

int people_sweep(struct server *server, struct error *error)
{
	int r = store_people_sweep(server->store, server_now_ns(), error);

	return r < 0 ? r : retention_sweep(server, server_now_ns(), error);
}

bool people_may(struct request *request, unsigned int relations, enum deed deed)
{
	switch (access_decide(request->roles, relations, deed)) {
	case VERDICT_ALLOWED:
		return true;
	case VERDICT_SIGN_IN:
		answer_error(request, 401, "sign-in", "Sign in first.");
		return false;
	case VERDICT_REFUSED:
		answer_error(request, 403, "refused", "That is for others here, not for you.");
		return false;
	default:
		people_nothing(request);
		return false;
	}
}

int people_nothing(struct request *request)
{
	return answer_error(
		request, 404, "nothing", "There is nothing here, or nothing for you to see.");
}

int people_wrong(struct request *request, const char *field, const char *way_out)
{
	return answer_error(request, 400, "wrong-value", "%s: %s", field, way_out);
}

int people_busy(struct request *request)
{
	answer_header(request, "Retry-After", "2");
	return answer_error(request, 503, "busy", "Too much at once. Try again in a moment.");
}

const char *people_line(const json_t *value, size_t room)
{
	const char *text = json_string_value(value);

	if (!text || strlen(text) >= room) {
		return NULL;
	}
	for (const char *c = text; *c != '\0'; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f) {
			return NULL;
		}
	}
	return text;
}

bool people_name(const json_t *value, char ret_name[static PERSON_NAME_CHARS])
{
	const char *name = people_line(value, PERSON_NAME_CHARS);
	size_t n = name ? strlen(name) : 0;

	if (n == 0 || name[0] == ' ' || name[n - 1] == ' ') {
		return false;
	}
	memcpy(ret_name, name, n + 1);
	return true;
}

int people_name_taken(struct request *request)
{
	return answer_error(request, 409, "name-taken",
		"Somebody has that name already. Choose one that tells them apart.");
}

int people_new_password(struct request *request, const char *password,
	char ret_hash[static PASSWORD_HASH_CHARS], struct error *error)
{
	int r = password_check(password, error);

	if (r < 0) {
		(void)answer_error(request, 400, "weak-password", "%s", error->text);
		return 1;
	}
	r = passwords_hash(request->server->people->passwords, password, ret_hash);
	if (r == -EBUSY) {
		(void)people_busy(request);
		return 1;
	}
	return r;
}

/* --- roles --- */

json_t *people_roles_json(unsigned int roles)
{
	json_t *json = json_array();

	for (enum role role = ROLE_ADMINISTRATOR; json && role < ROLES_ALL; role <<= 1) {
		if ((roles & role) &&
			json_array_append_new(json, json_string(role_name(role))) < 0) {
			json_decref(json);
			json = NULL;
		}
	}
	return json;
}

json_t *people_json(const char *id, const char *name, unsigned int roles)
{
	return json_pack(
		"{s:s, s:s, s:o}", "id", id, "name", name, "roles", people_roles_json(roles));
}

/* A list of roles; ROLE_NONE for what is none, or names one twice. */
static unsigned int roles_of(const json_t *list)
{
	unsigned int roles = ROLE_NONE;
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		const char *name = json_string_value(item);
		enum role role = name ? role_of(name) : ROLE_NONE;

		if (role == ROLE_NONE || (roles & role)) {
			return ROLE_NONE;
		}
		roles |= role;
	}
	return roles;
}

/* --- people --- */

json_t *people_person_json(const struct person *person)
{
	json_t *json = people_json(person->id, person->name, person->roles);
	char invited[ISO_CHARS];

	if (json &&
		json_object_update_new(json,
			json_pack("{s:b, s:b, s:s}", "joined", person->joined, "revoked",
				person->revoked_ns > 0, "invited",
				iso_utc(person->invited_ns, invited))) < 0) {
		json_decref(json);
		json = NULL;
	}
	return json;
}

static int list_people(struct request *request, struct error *error)
{
	bool all = access_allowed(request->roles, RELATION_NONE, DEED_LIST_PEOPLE);
	struct person *list;
	json_t *json;
	size_t n, i;
	int r;

	if (!people_may(request, RELATION_NONE, all ? DEED_LIST_PEOPLE : DEED_LIST_TEACHERS)) {
		return 0;
	}
	r = store_people_list(request->server->store, !all, &list, &n, error);
	if (r < 0) {
		return r;
	}
	json = json_array();
	for (i = 0; i < n; i++) {
		if (json_array_append_new(json, people_person_json(&list[i])) < 0) {
			json_decref(json);
			json = NULL;
		}
	}
	free(list);
	return answer_json(request, 200, json_pack("{s:o}", "people", json));
}

static bool may_invite(struct request *request, unsigned int roles)
{
	return (!(roles & ROLE_ADMINISTRATOR) ||
		       people_may(request, RELATION_NONE, DEED_INVITE_ADMINISTRATOR)) &&
		(!(roles & ROLE_COACH) || people_may(request, RELATION_NONE, DEED_INVITE_COACH)) &&
		(!(roles & ROLE_TEACHER) ||
			people_may(request, RELATION_NONE, DEED_INVITE_TEACHER));
}

static int wrong_roles(struct request *request)
{
	return people_wrong(
		request, "roles", "give a list of administrator, coach and teacher, one at least");
}

static int invite(struct request *request, struct error *error)
{
	struct person person = {.invited_ns = server_now_ns()};
	struct invitation invitation;
	json_t *json;
	bool good;
	int r;

	if (!people_may(request, RELATION_NONE, DEED_INVITE_TEACHER) ||
		request_json(request, &json) != 0) {
		return 0;
	}
	person.roles = roles_of(json_object_get(json, "roles"));
	good = people_name(json_object_get(json, "name"), person.name);
	json_decref(json);
	if (person.roles == ROLE_NONE) {
		return wrong_roles(request);
	}
	if (!may_invite(request, person.roles)) {
		return 0;
	}
	if (!good) {
		return people_wrong(request, "name", PEOPLE_NAME_RULE);
	}
	invitation_init(&invitation, person.invited_ns);
	r = store_person_add(
		request->server->store, &person, request->person, &invitation.key, error);
	if (r == STORE_E_TAKEN) {
		return people_name_taken(request);
	}
	return r < 0 ? r : invitation_answer(request, &person, &invitation);
}

/* Reads what is to change; answers if it is wrong or not theirs to change. */
static bool read_change(struct request *request, const json_t *json, struct person_change *change)
{
	const json_t *revoked = json_object_get(json, "revoked"),
		     *roles = json_object_get(json, "roles");

	*change = (struct person_change){
		.revoke = json_is_true(revoked),
		.take_back = json_is_false(revoked),
		.roles = roles_of(roles),
		.now_ns = server_now_ns(),
	};
	if (roles && !people_may(request, RELATION_NONE, DEED_GIVE_ROLES)) {
		return false;
	}
	if (revoked ? !json_is_boolean(revoked) : !roles) {
		(void)people_wrong(request, "revoked", "give true or false");
		return false;
	}
	if (roles && change->roles == ROLE_NONE) {
		(void)wrong_roles(request);
		return false;
	}
	return true;
}

static int change_person(struct request *request, struct error *error)
{
	struct person_change change;
	struct person person;
	json_t *json;
	bool good;
	int r;

	if (!people_may(request, RELATION_NONE, DEED_REVOKE_PERSON) ||
		request_json(request, &json) != 0) {
		return 0;
	}
	good = read_change(request, json, &change);
	json_decref(json);
	if (!good) {
		return 0;
	}
	r = store_person_change(request->server->store, request->part[0], &change, &person, error);
	if (r == STORE_E_NONE) {
		return people_nothing(request);
	}
	if (r == STORE_E_LAST) {
		return answer_error(request, 409, "last-administrator",
			"Nobody else could let people in. Invite another administrator first.");
	}
	return r < 0 ? r : answer_json(request, 200, people_person_json(&person));
}

/* For who lost their password, or never got the first link. */
static int invite_again(struct request *request, struct error *error)
{
	struct invitation invitation;
	struct person person;
	int r;

	if (!people_may(request, RELATION_NONE, DEED_REVOKE_PERSON)) {
		return 0;
	}
	invitation_init(&invitation, server_now_ns());
	r = store_person_get(request->server->store, request->part[0], &person, error);
	if (r == 0) {
		r = store_person_invite(request->server->store, person.id, &invitation.key, error);
	}
	if (r != 0) {
		return r == STORE_E_NONE ? people_nothing(request) : r;
	}
	return invitation_answer(request, &person, &invitation);
}

const struct route people_routes[] = {
	{HTTP_GET, "people", WHO_PERSON, 0, .handle = list_people},
	{HTTP_POST, "people", WHO_PERSON, JSON_MOST, .handle = invite},
	{HTTP_PATCH, "people/+", WHO_PERSON, JSON_MOST, .handle = change_person},
	{HTTP_POST, "people/+/invitation", WHO_PERSON, 0, .handle = invite_again},
	{0},
};
