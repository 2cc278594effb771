#include "app/server/people.h"

#include "app/base/clock.h"
#include "app/base/iso.h"
#include "app/server/retention.h"
#include "app/server/sessions.h"
#include "app/server/store_people.h"
#include "app/server/timelines.h"
#include "app/server/token.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INVITATION_S (7 * 24 * 3600)
#define JSON_MOST 4096
#define DECODING_MOST 2
#define DECODING_WAIT_MOST 8
#define FIRST_NAME "administrator"

int people_open(struct people **ret_people, struct error *error)
{
	struct people *people = calloc(1, sizeof(*people));
	int r;

	if (!people) {
		return error_set(error, -ENOMEM, "out of memory");
	}
	turns_init(&people->decoding, DECODING_MOST, DECODING_WAIT_MOST);
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
	turns_fini(&people->decoding);
	free(people);
}

int people_sweep(struct server *server, struct error *error)
{
	int r = store_people_sweep(server->store, server_now_ns(), error);

	return r < 0 ? r : retention_sweep(server, server_now_ns(), error);
}

bool people_may(struct request *request, enum relation relation, enum deed deed)
{
	switch (access_decide(request->role, relation, deed)) {
	case VERDICT_ALLOWED:
		return true;
	case VERDICT_SIGN_IN:
		answer_error(request, 401, "sign-in", "Sign in first.");
		return false;
	case VERDICT_REFUSED:
		answer_error(
			request, 403, "refused", "That is not for %ss.", role_name(request->role));
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

/* --- invitations --- */

struct invitation {
	char secret[TOKEN_CHARS], hash[TOKEN_CHARS];
	struct store_key key; /* points at hash */
};

static void invitation_init(struct invitation *invitation, int64_t now_ns)
{
	token_new(invitation->secret);
	token_hash(invitation->secret, invitation->hash);
	invitation->key.hash = invitation->hash;
	invitation->key.expires_ns = now_ns + INVITATION_S * NS_PER_S;
}

/* The code stands in the fragment: browsers send that to nobody. */
static int link_text(const char *url, const char *secret, char ret_link[static PEOPLE_LINK_CHARS])
{
	int n = snprintf(ret_link, PEOPLE_LINK_CHARS, "%s/#/welcome/%s", url, secret);

	return n < PEOPLE_LINK_CHARS ? 0 : -ENAMETOOLONG;
}

int people_first_link(
	struct server *server, char ret_link[static PEOPLE_LINK_CHARS], struct error *error)
{
	struct person first = {.name = FIRST_NAME, .role = ROLE_ADMINISTRATOR};
	struct invitation invitation;
	struct person *list;
	size_t n, i;
	bool has;
	int r;

	r = store_has_administrator(server->store, &has, error);
	if (r < 0 || has) {
		return r < 0 ? r : 1;
	}
	r = store_people_list(server->store, false, &list, &n, error);
	if (r < 0) {
		return r;
	}
	for (i = 0; i < n && list[i].role != ROLE_ADMINISTRATOR; i++) {
	}
	first.invited_ns = server_now_ns();
	invitation_init(&invitation, first.invited_ns);
	r = i < n ? store_person_invite(server->store, list[i].id, &invitation.key, error)
		  : store_person_add(server->store, &first, "", &invitation.key, error);
	free(list);
	if (r != 0) {
		return r < 0 ? r : error_set(error, -EEXIST, "the first administrator: %d", r);
	}
	return link_text(server->url, invitation.secret, ret_link);
}

static json_t *person_json(const struct person *person)
{
	char invited[ISO_CHARS];

	return json_pack("{s:s, s:s, s:s, s:b, s:b, s:s}", "id", person->id, "name", person->name,
		"role", role_name(person->role), "joined", person->joined, "revoked",
		person->revoked_ns > 0, "invited", iso_utc(person->invited_ns, invited));
}

static int answer_link(
	struct request *request, const struct person *person, const struct invitation *invitation)
{
	char link[PEOPLE_LINK_CHARS], expires[ISO_CHARS];
	int r = link_text(request->server->url, invitation->secret, link);

	if (r < 0) {
		return r;
	}
	return answer_json(request, 201,
		json_pack("{s:o, s:s, s:s}", "person", person_json(person), "link", link, "expires",
			iso_utc(invitation->key.expires_ns, expires)));
}

static int no_invitation(struct request *request)
{
	return answer_error(request, 404, "no-invitation",
		"This invitation was used already, or is too old. Ask for another one.");
}

static int see_invitation(struct request *request, struct error *error)
{
	char hash[TOKEN_CHARS];
	struct person person;
	int r;

	token_hash(request->part[0], hash);
	r = store_invitation_get(request->server->store, hash, server_now_ns(), &person, error);
	if (r != 0) {
		return r == STORE_E_NONE ? no_invitation(request) : r;
	}
	return answer_json(request, 200,
		json_pack("{s:s, s:s, s:s}", "name", person.name, "role", role_name(person.role),
			"server", request->server->name));
}

/* The password of the body, hashed. 0; 1 when it has been answered; or -errno. */
static int new_password(
	struct request *request, char ret_hash[static PASSWORD_HASH_CHARS], struct error *error)
{
	const char *password;
	json_t *json;
	int r;

	if (request_json(request, &json) != 0) {
		return 1;
	}
	password = json_text(json, "password");
	r = password_check(password, error);
	if (r < 0) {
		(void)answer_error(request, 400, "weak-password", "%s", error->text);
		r = 1;
	} else {
		r = passwords_hash(request->server->people->passwords, password, ret_hash);
	}
	json_decref(json);
	if (r == -EBUSY) {
		(void)people_busy(request);
		r = 1;
	}
	return r;
}

static int take_invitation(struct request *request, struct error *error)
{
	struct store *store = request->server->store;
	char hash[TOKEN_CHARS], password_hash[PASSWORD_HASH_CHARS];
	int64_t now_ns = server_now_ns();
	struct session_start start;
	struct person person;
	int r;

	if (!sessions_same_origin(request)) {
		return 0;
	}
	token_hash(request->part[0], hash);
	r = store_invitation_get(store, hash, now_ns, &person, error);
	if (r == 0) { /* nobody without an invitation costs us a hashing */
		r = new_password(request, password_hash, error);
		if (r != 0) {
			return r < 0 ? r : 0;
		}
		session_start_init(&start, now_ns);
		r = store_invitation_take(
			store, hash, password_hash, &start.key, now_ns, &person, error);
	}
	if (r != 0) {
		return r == STORE_E_NONE ? no_invitation(request) : r;
	}
	return session_answer(request, 201, &start, &person);
}

/* --- people --- */

static int list_people(struct request *request, struct error *error)
{
	bool all = access_allowed(request->role, RELATION_NONE, DEED_LIST_PEOPLE);
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
		if (json_array_append_new(json, person_json(&list[i])) < 0) {
			json_decref(json);
			json = NULL;
		}
	}
	free(list);
	return answer_json(request, 200, json_pack("{s:o}", "people", json));
}

/* Letters, figures, spaces between: nothing that a screen could not show. */
static bool name_is_good(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n >= PERSON_NAME_CHARS || name[0] == ' ' || name[n - 1] == ' ') {
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)name[i] < ' ' || name[i] == 0x7f) {
			return false;
		}
	}
	return true;
}

static enum deed deed_of_inviting(enum role role)
{
	return role == ROLE_TEACHER  ? DEED_INVITE_TEACHER
		: role == ROLE_COACH ? DEED_INVITE_COACH
				     : DEED_INVITE_ADMINISTRATOR;
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
	person.role = role_of(json_text(json, "role"));
	good = name_is_good(json_text(json, "name"));
	if (good) {
		(void)snprintf(person.name, sizeof(person.name), "%s", json_text(json, "name"));
	}
	json_decref(json);
	if (person.role == ROLE_NONE) {
		return people_wrong(request, "role", "give administrator, coach or teacher");
	}
	if (!people_may(request, RELATION_NONE, deed_of_inviting(person.role))) {
		return 0;
	}
	if (!good) {
		return people_wrong(request, "name", "give a name of 1 to 127 bytes in one line");
	}
	invitation_init(&invitation, person.invited_ns);
	r = store_person_add(
		request->server->store, &person, request->person, &invitation.key, error);
	if (r == STORE_E_TAKEN) {
		return answer_error(request, 409, "name-taken",
			"Somebody has that name already. Choose one that tells them apart.");
	}
	return r < 0 ? r : answer_link(request, &person, &invitation);
}

static int change_person(struct request *request, struct error *error)
{
	struct person person;
	json_t *json;
	int revoked;
	int r;

	if (!people_may(request, RELATION_NONE, DEED_REVOKE_PERSON) ||
		request_json(request, &json) != 0) {
		return 0;
	}
	r = json_unpack(json, "{s:b}", "revoked", &revoked);
	json_decref(json);
	if (r < 0) {
		return people_wrong(request, "revoked", "give true or false");
	}
	r = store_person_revoke(
		request->server->store, request->part[0], revoked ? server_now_ns() : 0, error);
	if (r == 0) {
		r = store_person_get(request->server->store, request->part[0], &person, error);
	}
	if (r == STORE_E_NONE) {
		return people_nothing(request);
	}
	if (r == STORE_E_LAST) {
		return answer_error(request, 409, "last-administrator",
			"Nobody else could let people in. Invite another administrator first.");
	}
	return r < 0 ? r : answer_json(request, 200, person_json(&person));
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
	return answer_link(request, &person, &invitation);
}

const struct route people_routes[] = {
	{HTTP_GET, "invitations/+", WHO_ANYBODY, 0, .handle = see_invitation},
	{HTTP_POST, "invitations/+", WHO_ANYBODY, JSON_MOST, .handle = take_invitation},
	{HTTP_GET, "people", WHO_PERSON, 0, .handle = list_people},
	{HTTP_POST, "people", WHO_PERSON, JSON_MOST, .handle = invite},
	{HTTP_PATCH, "people/+", WHO_PERSON, JSON_MOST, .handle = change_person},
	{HTTP_POST, "people/+/invitation", WHO_PERSON, 0, .handle = invite_again},
	{0},
};
