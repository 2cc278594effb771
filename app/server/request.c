/* What a handler can ask of its request. */
#include "app/server/exchange.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

const char *request_header(const struct request *request, const char *name)
{
	return MHD_lookup_connection_value(request->exchange->connection, MHD_HEADER_KIND, name);
}

int request_query(const struct request *request, const char *name, char *ret_text, size_t room)
{
	const char *value = MHD_lookup_connection_value(
		request->exchange->connection, MHD_GET_ARGUMENT_KIND, name);

	return value ? guard_decode(value, ret_text, room) : -ENOENT;
}

int request_cookie(const struct request *request, const char *name, char *ret_text, size_t room)
{
	const char *at = request_header(request, "Cookie");
	size_t n = strlen(name), value;

	while (at && *at) {
		at += strspn(at, " \t;");
		if (strncmp(at, name, n) == 0 && at[n] == '=') {
			at += n + 1;
			value = strcspn(at, "; \t");
			if (value >= room) {
				return -EINVAL;
			}
			memcpy(ret_text, at, value);
			ret_text[value] = '\0';
			return 0;
		}
		at += strcspn(at, ";");
	}
	return -ENOENT;
}

/* Whether the Content-Type is application/json, with parameters or without. */
static bool type_ok(const struct request *request)
{
	static const char json[] = "application/json";
	const char *type = request_header(request, "Content-Type");

	return type && strncasecmp(type, json, sizeof(json) - 1) == 0 &&
		strchr("; \t", type[sizeof(json) - 1]);
}

int request_json(struct request *request, json_t **ret_object)
{
	json_error_t wrong;
	json_t *json;

	if (!type_ok(request)) {
		(void)answer_error(request, 415, "type", "Send the body as application/json.");
		return 1;
	}
	if (guard_depth(request->body, request->body_bytes) > GUARD_DEEPEST) {
		(void)answer_error(request, 400, "json", "The JSON is nested too deep.");
		return 1;
	}
	json = json_loadb(request->body, request->body_bytes, JSON_REJECT_DUPLICATES, &wrong);
	if (!json) {
		(void)answer_error(
			request, 400, "json", "Line %d of the JSON: %s.", wrong.line, wrong.text);
		return 1;
	}
	if (!json_is_object(json)) {
		json_decref(json);
		(void)answer_error(request, 400, "json", "The JSON must be an object.");
		return 1;
	}
	*ret_object = json;
	return 0;
}

const char *json_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

bool request_answered(const struct request *request)
{
	return request->exchange->answered;
}
