/*
 * An invitation is a secret that opens one account once: its link goes to the
 * person by whatever way they trust, and whoever has it chooses the password. The
 * first one, which the server prints at its start, makes the first administrator.
 */
#include "app/server/invitations.h"

#include "app/base/clock.h"
#include "app/base/iso.h"
#include "app/server/people.h"
#include "app/server/sessions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INVITATION_S (7 * 24 * 3600)
#define JSON_MOST 4096
#define FIRST_NAME "administrator"

void invitation_init(struct invitation *invitation, int64_t now_ns)
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
	struct person first = {.name = FIRST_NAME, .roles = ROLE_ADMINISTRATOR};
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
	for (i = 0; i < n && !(list[i].roles & ROLE_ADMINISTRATOR); i++) {
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

int invitation_answer(
	struct request *request, const struct person *person, const struct invitation *invitation)
{
	char link[PEOPLE_LINK_CHARS], expires[ISO_CHARS];
	int r = link_text(request->server->url, invitation->secret, link);

	if (r < 0) {
		return r;
	}
	return answer_json(request, 201,
		json_pack("{s:o, s:s, s:s}", "person", people_person_json(person), "link", link,
			"expires", iso_utc(invitation->key.expires_ns, expires)));
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
		json_pack("{s:s, s:o, s:s, s:b}", "name", person.name, "roles",
			people_roles_json(person.roles), "server", request->server->name, "first",
			person.first));
}

/*
 * What who joins says of themselves, but for the password: who was invited has name
 * and roles already. False when it has been answered.
 */
static bool read_joining(struct request *request, const json_t *json, struct person *person)
{
	const json_t *name = json_object_get(json, "name"), *coach = json_object_get(json, "coach");

	if ((name || coach) && !person->first) {
		(void)people_wrong(request, name ? "name" : "coach",
			"who invited you has said that already; leave it out");
		return false;
	}
	if (name && !people_name(name, person->name)) {
		(void)people_wrong(request, "name", PEOPLE_NAME_RULE);
		return false;
	}
	if (coach && !json_is_boolean(coach)) {
		(void)people_wrong(request, "coach", "give true or false");
		return false;
	}
	person->roles |= json_is_true(coach) ? ROLE_COACH : ROLE_NONE;
	return true;
}

static int take_invitation(struct request *request, struct error *error)
{
	struct store *store = request->server->store;
	char hash[TOKEN_CHARS], password_hash[PASSWORD_HASH_CHARS];
	int64_t now_ns = server_now_ns();
	struct session_start start;
	struct person person;
	json_t *json;
	int r;

	if (!sessions_same_origin(request)) {
		return 0;
	}
	token_hash(request->part[0], hash);
	r = store_invitation_get(store, hash, now_ns, &person, error);
	if (r == 0) { /* nobody without an invitation costs us a hashing */
		if (request_json(request, &json) != 0) {
			return 0;
		}
		r = read_joining(request, json, &person)
			? people_new_password(
				  request, json_text(json, "password"), password_hash, error)
			: 1;
		json_decref(json);
		if (r != 0) {
			return r < 0 ? r : 0;
		}
		session_start_init(&start, now_ns);
		r = store_invitation_take(
			store, hash, password_hash, &start.key, now_ns, &person, error);
	}
	if (r == STORE_E_TAKEN) {
		return people_name_taken(request);
	}
	if (r != 0) {
		return r == STORE_E_NONE ? no_invitation(request) : r;
	}
	return session_answer(request, 201, &start, &person);
}

const struct route invitation_routes[] = {
	{HTTP_GET, "invitations/+", WHO_ANYBODY, 0, .handle = see_invitation},
	{HTTP_POST, "invitations/+", WHO_ANYBODY, JSON_MOST, .handle = take_invitation},
	{0},
};
