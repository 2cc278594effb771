#include "app/sync/said.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAYS_MOST 3650

/* --- members --- */

static int wrong(struct error *error, const char *name, const char *what)
{
	return error_set(error, -EPROTO,
		"the server's answer %s %s; one of the two programs is too old for the other", what,
		name);
}

static int object(const char *body, size_t n, json_t **ret_object, struct error *error)
{
	json_error_t why;
	json_t *json = json_loadb(body ? body : "", n, JSON_REJECT_DUPLICATES, &why);

	if (!json) {
		return json_error_code(&why) == json_error_out_of_memory
			? error_set(error, -ENOMEM, "out of memory")
			: error_set(error, -EBADMSG,
				  "the server's answer is not JSON, or was cut: %.200s", why.text);
	}
	if (!json_is_object(json)) {
		json_decref(json);
		return error_set(error, -EPROTO, "the server's answer is not a JSON object");
	}
	*ret_object = json;
	return 0;
}

static int number(const json_t *from, const char *name, int64_t least, int64_t *ret_number,
	struct error *error)
{
	const json_t *value = json_object_get(from, name);

	if (!value) {
		return wrong(error, name, "lacks");
	}
	if (!json_is_integer(value) || json_integer_value(value) < least) {
		return wrong(error, name, "has a strange");
	}
	*ret_number = json_integer_value(value);
	return 0;
}

/* Text of the server is shown to people: it must not drive their terminals. */
static void tame(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f) {
			*text = '?';
		}
	}
}

static int text(
	const json_t *from, const char *name, char *ret_text, size_t room, struct error *error)
{
	const json_t *value = json_object_get(from, name);
	size_t n = json_string_length(value);

	if (!json_is_string(value)) {
		return wrong(error, name, value ? "has a strange" : "lacks");
	}
	if (n == 0 || n >= room || memchr(json_string_value(value), '\0', n)) {
		return wrong(error, name, "has a strange");
	}
	memcpy(ret_text, json_string_value(value), n + 1);
	tame(ret_text);
	return 0;
}

/* One that may be absent, and is cut where it is too long. */
static void spare_text(const json_t *from, const char *name, char *ret_text, size_t room)
{
	const char *value = json_string_value(json_object_get(from, name));

	(void)snprintf(ret_text, room, "%s", value ? value : "");
	tame(ret_text);
}

/* --- answers --- */

/* A list of entries, rising. */
static int read_seqs(
	const json_t *list, const char *name, int64_t *ret_seqs, size_t *ret_n, struct error *error)
{
	size_t n = json_array_size(list);
	int64_t before = 0;

	if (!json_is_array(list) || n > SAID_MISSING_MAX) {
		return wrong(error, name, list ? "has a strange" : "lacks");
	}
	for (size_t i = 0; i < n; i++) {
		const json_t *one = json_array_get(list, i);

		if (!json_is_integer(one) || json_integer_value(one) <= before) {
			return wrong(error, name, "has a strange");
		}
		before = ret_seqs[i] = json_integer_value(one);
	}
	*ret_n = n;
	return 0;
}

static int read_snippets(const json_t *from, struct said_box *box, struct error *error)
{
	const json_t *snippets = json_object_get(from, "snippets");
	const json_t *withdrawn = json_object_get(snippets, "withdrawn");
	int r;

	r = read_seqs(json_object_get(snippets, "missing"), "snippets.missing", box->missing,
		&box->n_missing, error);
	if (r == 0 && withdrawn) {
		r = read_seqs(
			withdrawn, "snippets.withdrawn", box->withdrawn, &box->n_withdrawn, error);
	}
	return r;
}

int said_box(const char *body, size_t n, struct said_box *ret_box, struct error *error)
{
	struct said_box box = {.kept = 0};
	json_t *json;
	int r;

	r = object(body, n, &json, error);
	if (r < 0) {
		return r;
	}
	r = text(json_object_get(json, "box"), "id", box.id, sizeof(box.id), error);
	if (r == 0) {
		spare_text(json_object_get(json, "box"), "name", box.name, sizeof(box.name));
		r = number(json, "kept", 0, &box.kept, error);
	}
	if (r == 0) {
		r = number(json, "time_ns", 0, &box.time_ns, error);
	}
	if (r == 0) {
		spare_text(json, "config", box.config, sizeof(box.config));
		r = read_snippets(json, &box, error);
	}
	json_decref(json);
	if (r == 0) {
		*ret_box = box;
	}
	return r;
}

int said_kept(const char *body, size_t n, struct said_kept *ret_kept, struct error *error)
{
	struct said_kept kept = {.kept = 0};
	const json_t *refused;
	json_t *json;
	int r;

	r = object(body, n, &json, error);
	if (r < 0) {
		return r;
	}
	r = number(json, "kept", 0, &kept.kept, error);
	refused = json_object_get(json, "refused");
	if (r == 0 && refused && !json_is_array(refused)) {
		r = wrong(error, "refused", "has a strange");
	}
	kept.n_refused = json_array_size(refused);
	for (size_t i = 0; r == 0 && i < kept.n_refused && i < SAID_REFUSED_MAX; i++) {
		const json_t *one = json_array_get(refused, i);

		r = number(one, "seq", 1, &kept.refused[i].seq, error);
		spare_text(one, "reason", kept.refused[i].reason, sizeof(kept.refused[i].reason));
	}
	json_decref(json);
	if (r == 0) {
		*ret_kept = kept;
	}
	return r;
}

int said_config(const char *body, size_t n, struct said_config *ret_config, struct error *error)
{
	struct said_config config = {.days_on_box = -1};
	const json_t *scheme, *days;
	json_t *json;
	int r;

	r = object(body, n, &json, error);
	if (r < 0) {
		return r;
	}
	scheme = json_object_get(json, "scheme");
	days = json_object_get(json_object_get(json, "retention"), "days_on_box");
	if (scheme && !json_is_string(scheme) && !json_is_null(scheme)) {
		r = wrong(error, "scheme", "has a strange");
	} else if (days && !json_is_null(days) &&
		(!json_is_integer(days) || json_integer_value(days) < 0 ||
			json_integer_value(days) > DAYS_MOST)) {
		r = wrong(error, "retention.days_on_box", "has a strange");
	} else if (json_is_integer(days)) {
		config.days_on_box = (int)json_integer_value(days);
	}
	if (r == 0 && json_string_length(scheme) > 0) {
		config.scheme = strdup(json_string_value(scheme));
		r = config.scheme ? 0 : error_set(error, -ENOMEM, "out of memory");
	}
	json_decref(json);
	if (r == 0) {
		*ret_config = config;
	}
	return r;
}

void said_config_fini(struct said_config *config)
{
	free(config->scheme);
	config->scheme = NULL;
}

int said_pair(const char *body, size_t n, struct said_pair *ret_pair, struct error *error)
{
	struct said_pair pair = {.box = ""};
	json_t *json;
	int r;

	r = object(body, n, &json, error);
	if (r < 0) {
		return r;
	}
	r = text(json, "box", pair.box, sizeof(pair.box), error);
	if (r == 0) {
		r = text(json, "token", pair.token, sizeof(pair.token), error);
	}
	spare_text(json, "server", pair.server, sizeof(pair.server));
	json_decref(json);
	if (r == 0 &&
		(strlen(pair.token) != 64 ||
			strspn(pair.token, "0123456789abcdef") != strlen(pair.token))) {
		r = wrong(error, "token", "has a strange");
	}
	if (r == 0 && strspn(pair.box, "0123456789abcdefABCDEF-") != strlen(pair.box)) {
		r = wrong(error, "box", "has a strange");
	}
	if (r == 0) {
		*ret_pair = pair;
	}
	return r;
}

void said_error(const char *body, size_t n, struct said_error *ret_error)
{
	json_t *json = json_loadb(body ? body : "", n, 0, NULL);

	*ret_error = (struct said_error){.word = ""};
	spare_text(json, "error", ret_error->word, sizeof(ret_error->word));
	spare_text(json, "message", ret_error->message, sizeof(ret_error->message));
	json_decref(json);
}
