/*
 * A session is a secret of 256 bits in a cookie; the store has its SHA-256. The
 * anti-forgery token follows from the secret, so that there is nothing to keep.
 * The cookie goes to nobody else (SameSite=Strict), and a page of somebody else
 * knows neither token nor Origin: each of the three is enough.
 */
#include "app/server/sessions.h"

#include "app/base/clock.h"
#include "app/server/people.h"
#include "app/server/server.h"
#include "app/server/token.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define COOKIE "__Host-chalkbox"
#define SESSION_S (12 * 3600)
#define IDLE_S (2 * 3600)
#define SEEN_EVERY_S 60
#define PURPOSE "anti-forgery"
#define JSON_MOST 2048

/* --- who asks --- */

static int sign_in_first(struct request *request)
{
	return answer_error(request, 401, "sign-in", "Sign in first.");
}

/* The origin that browsers give to this server's pages. */
static bool is_own(const struct request *request, const char *origin)
{
	const char *host = request_header(request, "Host");
	const char *url = request->server->url;
	char own[512];

	if (url && strncmp(url, origin, strlen(origin)) == 0 &&
		strchr("/", url[strlen(origin)]) != NULL) {
		return true;
	}
	if (!host ||
		snprintf(own, sizeof(own), "http%s://%s", request->secure ? "s" : "", host) >=
			(int)sizeof(own)) {
		return false;
	}
	return strcmp(own, origin) == 0;
}

bool sessions_same_origin(struct request *request)
{
	const char *origin = request_header(request, "Origin");

	if (origin && *origin != '\0' && is_own(request, origin)) {
		return true;
	}
	answer_error(request, 403, "wrong-origin",
		"This came from another site's page. Open Chalkbox itself and try again.");
	return false;
}

static bool changes(const struct request *request)
{
	return (request->method & (HTTP_GET | HTTP_HEAD | HTTP_OPTIONS)) == 0;
}

static bool forged(struct request *request, const char *secret)
{
	const char *given = request_header(request, "X-Chalkbox-Token");
	char token[TOKEN_CHARS];

	token_derive(secret, PURPOSE, token);
	if (given && token_valid(given) && token_equal(given, token)) {
		return false;
	}
	answer_error(request, 403, "wrong-token", "The page is out of date. Load it anew.");
	return true;
}

int sessions_check(struct request *request, struct error *error)
{
	struct store *store = request->server->store;
	char secret[TOKEN_CHARS], hash[TOKEN_CHARS];
	int64_t now_ns = server_now_ns(), seen_ns;
	struct person person;
	int r;

	if (request_cookie(request, COOKIE, secret, sizeof(secret)) < 0 || !token_valid(secret)) {
		return sign_in_first(request);
	}
	token_hash(secret, hash);
	r = store_session_get(
		store, hash, now_ns, now_ns - IDLE_S * NS_PER_S, &person, &seen_ns, error);
	if (r != 0) {
		return r == STORE_E_NONE ? sign_in_first(request) : r;
	}
	if (changes(request) && (!sessions_same_origin(request) || forged(request, secret))) {
		return 0;
	}
	if (now_ns - seen_ns > SEEN_EVERY_S * NS_PER_S) {
		r = store_session_seen(store, hash, now_ns, error);
		if (r < 0 && r != -ENOSPC) { /* reading goes on with a full disk */
			return r;
		}
	}
	request->roles = person.roles;
	memcpy(request->person, person.id, sizeof(request->person));
	memcpy(request->person_name, person.name, sizeof(request->person_name));
	memcpy(request->session, hash, sizeof(hash));
	return 0;
}

/* --- beginning and ending --- */

void session_start_init(struct session_start *start, int64_t now_ns)
{
	token_new(start->secret);
	token_hash(start->secret, start->hash);
	start->key.hash = start->hash;
	start->key.expires_ns = now_ns + SESSION_S * NS_PER_S;
}

static json_t *session_json(
	const char *id, const char *name, unsigned int roles, const char *secret)
{
	char token[TOKEN_CHARS];

	token_derive(secret, PURPOSE, token);
	return json_pack("{s:o, s:s}", "person", people_json(id, name, roles), "token", token);
}

int session_answer(struct request *request, int status, const struct session_start *start,
	const struct person *person)
{
	answer_header(request, "Set-Cookie",
		COOKIE "=%s; Path=/; Max-Age=%d; Secure; HttpOnly; SameSite=Strict", start->secret,
		SESSION_S);
	return answer_json(request, status,
		session_json(person->id, person->name, person->roles, start->secret));
}

/* The peer as back-off counts it: of IPv6 the /64 that one household has. */
static void address(const char *peer, char ret_who[static HTTP_PEER_CHARS + 8])
{
	struct in6_addr net;
	char text[INET6_ADDRSTRLEN];

	if (inet_pton(AF_INET6, peer, &net) == 1 && !IN6_IS_ADDR_V4MAPPED(&net)) {
		memset(net.s6_addr + 8, 0, 8);
		(void)inet_ntop(AF_INET6, &net, text, sizeof(text));
		peer = text;
	}
	(void)snprintf(ret_who, HTTP_PEER_CHARS + 8, "from %s", peer);
}

struct attempt {
	char account[PERSON_NAME_CHARS + 8], address[HTTP_PEER_CHARS + 8];
};

/*
 * Counts the attempt by its account and its address; answers 429 and returns false
 * when there were too many.
 */
static bool may_try(struct request *request, const char *name, struct attempt *attempt)
{
	static const struct backoff_rule per_account = {
		.free_tries = 5, .wait_most_s = 60, .forget_s = 300};
	static const struct backoff_rule per_address = {
		.free_tries = 20, .wait_most_s = 900, .forget_s = 30};
	struct backoff *backoff = request->server->people->backoff;
	int64_t now_ns = clock_now_ns(), wait_s;
	size_t i;

	(void)snprintf(attempt->account, sizeof(attempt->account), "as %s", name);
	for (i = 0; attempt->account[i] != '\0'; i++) {
		char c = attempt->account[i];

		attempt->account[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	address(request->peer, attempt->address);
	wait_s = backoff_try(backoff, &per_address, attempt->address, now_ns);
	if (wait_s == 0) {
		wait_s = backoff_try(backoff, &per_account, attempt->account, now_ns);
	}
	if (wait_s == 0) {
		return true;
	}
	answer_header(request, "Retry-After", "%lld", (long long)wait_s);
	answer_error(request, 429, "too-many", "Too many tries. Wait %lld s and try again.",
		(long long)wait_s);
	return false;
}

static int wrong(struct request *request)
{
	return answer_error(request, 403, "wrong",
		"Name and password do not fit together. Check both and try again.");
}

/*
 * Who has that name and password, and the password's hash. 0; 1 when it has been
 * answered, because they do not fit together or were tried too often; or -errno.
 */
static int who_is(struct request *request, const char *name, const char *password,
	struct person *ret_person, char ret_hash[static PASSWORD_HASH_CHARS], struct error *error)
{
	struct server *server = request->server;
	struct attempt attempt;
	bool match = false;
	int r;

	if (!may_try(request, name, &attempt)) {
		return 1;
	}
	ret_hash[0] = '\0';
	r = store_person_by_name(server->store, name, ret_person, ret_hash, error);
	if (r >= 0) {
		r = passwords_match(server->people->passwords, ret_hash, password, &match);
	}
	if (r < 0) {
		backoff_forgive(server->people->backoff, attempt.account, false);
		backoff_forgive(server->people->backoff, attempt.address, false);
		return r == -EBUSY ? (people_busy(request), 1) : r;
	}
	if (!match) {
		(void)wrong(request);
		return 1;
	}
	backoff_forgive(server->people->backoff, attempt.account, true);
	backoff_forgive(server->people->backoff, attempt.address, false);
	return 0;
}

static int sign_in(struct request *request, struct error *error)
{
	char hash[PASSWORD_HASH_CHARS];
	struct session_start start;
	struct person person;
	const char *name;
	json_t *json;
	int r;

	if (!sessions_same_origin(request) || request_json(request, &json) != 0) {
		return 0;
	}
	name = json_text(json, "name");
	if (strlen(name) >= PERSON_NAME_CHARS) {
		name = "";
	}
	r = who_is(request, name, json_text(json, "password"), &person, hash, error);
	json_decref(json);
	if (r != 0) {
		return r < 0 ? r : 0;
	}
	session_start_init(&start, server_now_ns());
	r = store_session_add(
		request->server->store, &start.key, person.id, hash, server_now_ns(), error);
	if (r != 0) { /* it may have changed while it was verified */
		return r < 0 ? r : wrong(request);
	}
	return session_answer(request, 200, &start, &person);
}

/* A password that somebody else may know opens nothing any more, anywhere. */
static int change_password(struct request *request, struct error *error)
{
	char old_hash[PASSWORD_HASH_CHARS], new_hash[PASSWORD_HASH_CHARS];
	struct session_start start;
	struct person person;
	json_t *json;
	int r;

	if (!people_may(request, RELATION_NONE, DEED_CHANGE_PASSWORD) ||
		request_json(request, &json) != 0) {
		return 0;
	}
	r = who_is(request, request->person_name, json_text(json, "old"), &person, old_hash, error);
	if (r == 0) {
		r = people_new_password(request, json_text(json, "new"), new_hash, error);
	}
	json_decref(json);
	if (r != 0) {
		return r < 0 ? r : 0;
	}
	session_start_init(&start, server_now_ns());
	r = store_password_change(request->server->store, &person, old_hash, new_hash, &start.key,
		server_now_ns(), error);
	if (r != 0) {
		return r < 0 ? r : sign_in_first(request);
	}
	return session_answer(request, 200, &start, &person);
}

static int see_session(struct request *request, struct error *error)
{
	char secret[TOKEN_CHARS];

	if (request_cookie(request, COOKIE, secret, sizeof(secret)) < 0) {
		return sign_in_first(request);
	}
	return answer_json(request, 200,
		session_json(request->person, request->person_name, request->roles, secret));
}

static int sign_out(struct request *request, struct error *error)
{
	int r = store_session_end(request->server->store, request->session, error);

	if (r < 0) {
		return r;
	}
	answer_header(request, "Set-Cookie",
		COOKIE "=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict");
	return answer_empty(request, 204);
}

const struct route session_routes[] = {
	{HTTP_POST, "session", WHO_ANYBODY, JSON_MOST, .handle = sign_in},
	{HTTP_GET, "session", WHO_PERSON, 0, .handle = see_session},
	{HTTP_DELETE, "session", WHO_PERSON, 0, .handle = sign_out},
	{HTTP_PUT, "password", WHO_PERSON, JSON_MOST, .handle = change_password},
	{0},
};
