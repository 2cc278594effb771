/*
 * Any bytes as the body of a request that brings JSON, on a server of its own: the
 * first byte says to which handler, a byte 1 stands for a teacher's id. Each gives one
 * answer that blames the asker or nobody; nothing that is nested too deep is taken.
 * The handlers that hash a password are left out: they would do little else.
 */
#include "app/server/backoff.h"
#include "app/server/blobs.h"
#include "app/server/exchange.h"
#include "app/server/people.h"
#include "app/server/store.h"
#include "app/server/store_boxes.h"
#include "app/server/store_observations.h"
#include "app/server/uploads.h"

#include <ftw.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOURNAL "0f5a3c1e-9d2b-4c6f-8a17-2b3c4d5e6f70"
#define LESSON "5d0f3c1e-9d2b-4c6f-8a17-2b3c4d5e6f70"
#define LINES                                                                                      \
	"{\"seq\":1,\"boot\":1,\"kind\":\"boot\",\"body\":{\"boot_id\":\"" LESSON                  \
	"\",\"version\":\"1\",\"box\":\"box\"}}\n"                                                 \
	"{\"seq\":2,\"boot\":1,\"t_ns\":1,\"kind\":\"observation_start\",\"observation\":2,"       \
	"\"body\":{\"id\":\"" LESSON "\",\"scheme\":\"x\",\"cause\":\"button\"}}\n"
#define ID_BYTE 1

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A server with somebody who may do everything, a teacher who coaches, another, a box, a lesson. */
static struct {
	char dir[64];
	struct server server;
	struct person everybody, teacher, other;
	struct box_row box;
} here;

static const struct {
	const struct route *table;
	enum http_method method;
	const char *pattern, *part;
} targets[] = {
	{box_routes, HTTP_POST, "box/report", NULL},
	{pair_routes, HTTP_POST, "pair", NULL},
	{boxes_routes, HTTP_POST, "boxes", NULL},
	{boxes_routes, HTTP_PATCH, "boxes/+", here.box.id},
	{people_routes, HTTP_POST, "people", NULL},
	{people_routes, HTTP_PATCH, "people/+", here.other.id},
	{observation_routes, HTTP_PATCH, "observations/+", LESSON},
	{guest_routes, HTTP_POST, "observations/+/guests", LESSON},
	{plan_routes, HTTP_POST, "plans", NULL},
	{site_routes, HTTP_PUT, "site", NULL},
	{site_routes, HTTP_POST, "schemes/check", NULL},
};

#define N_TARGETS (sizeof(targets) / sizeof(targets[0]))

static const char *content_type;

/* In place of libmicrohttpd's: there is no connection. */
const char *MHD_lookup_connection_value(
	struct MHD_Connection *connection, enum MHD_ValueKind kind, const char *key)
{
	return strcmp(key, "Content-Type") == 0 ? content_type
		: strcmp(key, "journal") == 0   ? JOURNAL
						: NULL;
}

static void check(bool right)
{
	if (!right) {
		abort();
	}
}

static const struct route *route_of(
	const struct route *table, enum http_method method, const char *pattern)
{
	while (table->pattern &&
		(table->methods != (int)method || strcmp(table->pattern, pattern) != 0)) {
		table++;
	}
	check(table->pattern);
	return table;
}

/* What the handler answers; the body is taken. */
static int ask(const struct route *route, const char *part, char *body, size_t n)
{
	struct http_exchange *exchange = calloc(1, sizeof(*exchange));
	struct request *request;
	struct error error = {""};
	int status;

	check(exchange);
	request = &exchange->request;
	exchange->route = route;
	exchange->body = body;
	request->exchange = exchange;
	request->server = &here.server;
	request->method = route->methods;
	request->part[0] = part;
	request->body = body;
	request->body_bytes = n;
	request->roles = ROLES_ALL;
	memcpy(request->person, here.everybody.id, sizeof(request->person));
	memcpy(request->coach, here.everybody.id, sizeof(request->coach));
	memcpy(request->box, here.box.id, sizeof(request->box));
	check(route->handle(request, &error) == 0);
	check(exchange->answered);
	status = exchange->status;
	exchange_close(exchange, true);
	return status;
}

/* --- making ready --- */

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *ftw)
{
	return remove(path);
}

static void tear_down(void)
{
	people_close(here.server.people);
	backoff_free(here.server.pairing);
	uploads_free(here.server.uploads);
	blobs_close(here.server.blobs);
	store_close(here.server.store);
	(void)nftw(here.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void add_person(struct person *person, const char *name, unsigned int roles)
{
	struct store_key key = {name, INT64_MAX};
	struct error error;

	person->roles = roles;
	(void)snprintf(person->name, sizeof(person->name), "%s", name);
	check(store_person_add(here.server.store, person, "", &key, &error) == 0);
}

/* Whose it is, as it was before it was changed. */
static void give_lesson(void)
{
	struct error error;

	check(store_observation_change(
		      here.server.store, LESSON, NULL, here.everybody.id, &error) == 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct server *server = &here.server;
	struct error error;

	/* every change is synced: not on a disk, if there is memory for it */
	(void)snprintf(here.dir, sizeof(here.dir), "/dev/shm/fuzz-bodies-XXXXXX");
	if (!mkdtemp(here.dir)) {
		(void)snprintf(here.dir, sizeof(here.dir), "/tmp/fuzz-bodies-XXXXXX");
		check(mkdtemp(here.dir));
	}
	check(sodium_init() >= 0);
	*server =
		(struct server){.name = "fuzz", .data_dir = here.dir, .url = "http://x", .pin = ""};
	check(store_open(here.dir, &server->store, &error) == 0);
	check(blobs_open(here.dir, &server->blobs, &error) == 0);
	check(uploads_new(&server->uploads) == 0 && backoff_new(&server->pairing) == 0);
	check(people_open(&server->people, &error) == 0);
	(void)atexit(tear_down);
	add_person(&here.everybody, "everybody", ROLES_ALL);
	add_person(&here.teacher, "teacher", ROLE_TEACHER | ROLE_COACH);
	add_person(&here.other, "other", ROLE_TEACHER);
	id_new(here.box.id);
	(void)snprintf(here.box.name, sizeof(here.box.name), "box");
	check(store_pairing_add(server->store, "code", here.everybody.id, 9, 1, &error) == 0);
	check(store_pairing_take(server->store, "code", &here.box, "token", 2, &error) == 0);
	content_type = "application/x-ndjson";
	check(ask(route_of(entry_routes, HTTP_POST, "box/entries"), NULL, strdup(LINES),
		      strlen(LINES)) == 200);
	give_lesson();
	return 0;
}

/* --- one input --- */

static char *expand(const uint8_t *data, size_t size, size_t *ret_n)
{
	char *text = malloc(size * ID_CHARS + 1), *at = text;

	check(text);
	for (; size > 0; data++, size--) {
		if (*data == ID_BYTE) {
			memcpy(at, here.teacher.id, ID_CHARS - 1);
			at += ID_CHARS - 1;
		} else {
			*at++ = (char)*data;
		}
	}
	*at = '\0';
	*ret_n = (size_t)(at - text);
	return text;
}

/* How deep it really is, by the parser that would have to follow it down. */
static size_t depth_of(const json_t *json)
{
	size_t most = 0, deep, i;
	const char *key;
	json_t *value;

	if (json_is_array(json)) {
		json_array_foreach(json, i, value)
		{
			deep = depth_of(value);
			most = deep > most ? deep : most;
		}
	} else if (json_is_object(json)) {
		json_object_foreach((json_t *)(uintptr_t)json, key, value)
		{
			deep = depth_of(value);
			most = deep > most ? deep : most;
		}
	} else {
		return 0;
	}
	return most + 1;
}

static bool too_deep(const char *body, size_t n)
{
	json_t *json = json_loadb(body, n, JSON_DECODE_ANY, NULL);
	size_t deep = depth_of(json);

	json_decref(json);
	check(deep <= guard_depth(body, n));
	return deep > GUARD_DEEPEST;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct route *route;
	bool deep, json;
	size_t target, n;
	char *body;
	int status;

	if (size == 0) {
		return 0;
	}
	target = data[0] % N_TARGETS;
	route = route_of(targets[target].table, targets[target].method, targets[target].pattern);
	body = expand(data + 1, size - 1, &n);
	if (n > route->body_most) { /* refused before it gets there */
		free(body);
		return 0;
	}
	backoff_free(here.server.pairing);
	check(backoff_new(&here.server.pairing) == 0);
	json = strcmp(route->pattern, "schemes/check") != 0;
	deep = json && too_deep(body, n);
	content_type = json ? "application/json; charset=utf-8" : "text/plain";
	status = ask(route, targets[target].part, body, n);
	check(status >= 200 && status < 500);
	check(!deep || status == 400);
	if (route->methods == HTTP_PATCH) {
		give_lesson();
	}
	return 0;
}
