/* The site's rules, and the checking of schemes. */
#include "app/scheme/scheme.h"
#include "app/server/people.h"
#include "app/server/store_site.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SCHEME_MOST (64 << 10)

/* --- schemes --- */

/* The N of "NAME:N: ...", which scheme_parse() puts first; 0 without one. */
static int line_of(const char *message, const char **ret_rest)
{
	const char *colon = strchr(message, ':');
	char *end;
	long line;

	*ret_rest = message;
	if (!colon) {
		return 0;
	}
	line = strtol(colon + 1, &end, 10);
	if (end == colon + 1 || *end != ':' || line < 1 || line > 1000000) {
		return 0;
	}
	*ret_rest = end + 1 + (end[1] == ' ');
	return (int)line;
}

static json_t *code_json(const struct code *code)
{
	json_t *levels = json_array();

	for (size_t i = 0; i < code->n_levels; i++) {
		if (json_array_append_new(levels, json_string(code->levels[i])) < 0) {
			json_decref(levels);
			levels = NULL;
		}
	}
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:i, s:i, s:i}", "name", code->name,
		"title", code->title, "button", code->button, "kind", code_kind_name(code->kind),
		"double", code->double_tap, "hold", code->hold, "levels", levels, "before",
		code->before_s, "after", code->after_s, "cue", code->cue_s);
}

static json_t *scheme_json(const struct scheme *scheme)
{
	json_t *codes = json_array();

	for (size_t i = 0; i < scheme->n_codes; i++) {
		if (json_array_append_new(codes, code_json(&scheme->codes[i])) < 0) {
			json_decref(codes);
			codes = NULL;
		}
	}
	return json_pack(
		"{s:s, s:s, s:o}", "name", scheme->name, "title", scheme->title, "codes", codes);
}

/* What to say about the text: a scheme, or where it goes wrong. NULL: no memory. */
static json_t *judge(const char *text, size_t n)
{
	struct scheme scheme;
	struct error error;
	const char *message;
	int r = 0, line;

	if (strlen(text) != n) {
		r = error_set(&error, -EINVAL, "it holds a NUL byte");
	}
	if (r == 0) {
		r = scheme_parse(text, "scheme", &scheme, &error);
	}
	if (r == -ENOMEM) {
		return NULL;
	}
	if (r == 0) {
		return json_pack("{s:b, s:o}", "ok", 1, "scheme", scheme_json(&scheme));
	}
	line = line_of(error.text, &message);
	return json_pack("{s:b, s:s, s:o}", "ok", 0, "message", message, "line",
		line > 0 ? json_integer(line) : json_null());
}

static int check(struct request *request, struct error *error)
{
	if (!people_may(request, RELATION_NONE, DEED_CHECK_SCHEME)) {
		return 0;
	}
	return answer_json(request, 200, judge(request->body, request->body_bytes));
}

/* --- rules --- */

static int answer_site(struct request *request, struct error *error)
{
	struct site site;
	json_t *json;
	int r;

	r = store_site_get(request->server->store, &site, error);
	if (r < 0) {
		return r;
	}
	json = json_pack("{s:o, s:I, s:I, s:s}", "scheme",
		*site.scheme ? json_string(site.scheme) : json_null(), "days_on_box",
		(json_int_t)site.days_on_box, "days_on_server", (json_int_t)site.days_on_server,
		"name", request->server->name);
	site_fini(&site);
	return answer_json(request, 200, json);
}

static int see(struct request *request, struct error *error)
{
	return people_may(request, RELATION_NONE, DEED_SEE_SITE) ? answer_site(request, error) : 0;
}

static bool days_of(const json_t *json, const char *name, int64_t *days)
{
	const json_t *value = json_object_get(json, name);

	if (!value) {
		return true;
	}
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
		json_integer_value(value) > SITE_DAYS_MOST) {
		return false;
	}
	*days = json_integer_value(value);
	return true;
}

/* 0; 1 when it has been answered; -ENOMEM. What is absent stays as it is. */
static int read_site(struct request *request, const json_t *json, struct site *site)
{
	const json_t *text = json_object_get(json, "scheme");
	struct scheme scheme;
	struct error wrong;
	int r;

	if (!days_of(json, "days_on_box", &site->days_on_box) ||
		!days_of(json, "days_on_server", &site->days_on_server)) {
		(void)people_wrong(
			request, "days_on_box, days_on_server", "give whole days, 0 to 3650");
		return 1;
	}
	if (!text) {
		return 0;
	}
	if (json_is_string(text)) {
		r = scheme_parse(json_string_value(text), "scheme", &scheme, &wrong);
		if (r < 0) {
			if (r == -EINVAL) {
				(void)people_wrong(request, "scheme", wrong.text);
			}
			return r == -EINVAL ? 1 : r;
		}
	} else if (!json_is_null(text)) {
		(void)people_wrong(request, "scheme", "give a scheme's text, or null for none");
		return 1;
	}
	free(site->scheme);
	site->scheme = strdup(json_is_string(text) ? json_string_value(text) : "");
	return site->scheme ? 0 : -ENOMEM;
}

static int change(struct request *request, struct error *error)
{
	struct site site;
	json_t *json;
	int r;

	if (!people_may(request, RELATION_NONE, DEED_CHANGE_SITE) ||
		request_json(request, &json) != 0) {
		return 0;
	}
	r = store_site_get(request->server->store, &site, error);
	if (r < 0) {
		json_decref(json);
		return r;
	}
	r = read_site(request, json, &site);
	if (r == 0) {
		r = store_site_set(request->server->store, &site, error);
		r = r < 0 ? r : answer_site(request, error);
	}
	site_fini(&site);
	json_decref(json);
	return r < 0 ? r : 0;
}

const struct route site_routes[] = {
	{HTTP_POST, "schemes/check", WHO_PERSON, SCHEME_MOST, .handle = check},
	{HTTP_GET, "site", WHO_PERSON, 0, .handle = see},
	{HTTP_PUT, "site", WHO_PERSON, HTTP_JSON_MOST, .handle = change},
	{0},
};
