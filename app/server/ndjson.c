#include "app/server/ndjson.h"

#include "app/server/guard.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* A whole number; absent is 0. */
static bool number(const json_t *object, const char *name, int64_t *ret_number)
{
	const json_t *value = json_object_get(object, name);

	*ret_number = json_integer_value(value);
	return !value || json_is_integer(value);
}

static bool kind_of(const json_t *object, enum entry_kind *ret_kind)
{
	const char *name = json_string_value(json_object_get(object, "kind"));
	int kind;

	*ret_kind = 0;
	for (kind = ENTRY_BOOT; name && kind < ENTRY_KINDS_END; kind++) {
		if (strcmp(name, entry_kind_name(kind)) == 0) {
			*ret_kind = kind;
			return true;
		}
	}
	return false;
}

static bool code_of(const json_t *object, char ret_code[static ENTRY_CODE_CHARS])
{
	const json_t *value = json_object_get(object, "code");
	size_t n = json_string_length(value);

	if (!value) {
		return true;
	}
	if (!json_is_string(value) || n >= ENTRY_CODE_CHARS) {
		return false;
	}
	memcpy(ret_code, json_string_value(value), n + 1);
	return true;
}

/* The body as text; {} says as much as none. */
static int body_of(const json_t *object, char **ret_body, const char **ret_wrong)
{
	const json_t *value = json_object_get(object, "body");

	if (!value || json_is_null(value)) {
		return 0;
	}
	if (!json_is_object(value)) {
		*ret_wrong = "body is not a JSON object";
		return 0;
	}
	if (json_object_size(value) == 0) {
		return 0;
	}
	*ret_body = json_dumps(value, JSON_COMPACT);
	return *ret_body ? 0 : -ENOMEM;
}

/* *ret_wrong stays NULL when every member has its type. 0 or -ENOMEM. */
static int entry_of(const json_t *object, struct entry *ret_entry, const char **ret_wrong)
{
	struct entry entry = {0};
	int r;

	(void)number(object, "seq", &entry.seq);
	if (!kind_of(object, &entry.kind)) {
		*ret_wrong = "kind is not one this server knows";
	} else if (!number(object, "boot", &entry.boot)) {
		*ret_wrong = "boot is not a whole number";
	} else if (!number(object, "t_ns", &entry.t_ns)) {
		*ret_wrong = "t_ns is not a whole number";
	} else if (!number(object, "observation", &entry.observation)) {
		*ret_wrong = "observation is not a whole number";
	} else if (!number(object, "ref", &entry.ref)) {
		*ret_wrong = "ref is not a whole number";
	} else if (!number(object, "value", &entry.value)) {
		*ret_wrong = "value is not a whole number";
	} else if (!code_of(object, entry.code)) {
		*ret_wrong = "code is not a text of at most 31 bytes";
	}
	r = body_of(object, &entry.body, ret_wrong);
	if (r == 0) {
		*ret_entry = entry;
	}
	return r;
}

/* Takes *entry's body. */
static int add(struct ndjson *lines, struct entry *entry, const char *wrong)
{
	struct error error = {""};
	char **list;
	int r;

	if (!wrong) {
		r = entry_check(entry, &error);
		if (r == -ENOMEM) {
			entry_fini(entry);
			return r;
		}
		wrong = r < 0 ? error.text : NULL;
	}
	list = reallocarray(lines->wrong, lines->entries.n + 1, sizeof(*list));
	if (!list) {
		entry_fini(entry);
		return -ENOMEM;
	}
	lines->wrong = list;
	list[lines->entries.n] = NULL;
	r = entries_add(&lines->entries, entry);
	if (r == 0 && wrong) {
		list[lines->entries.n - 1] = strdup(wrong);
		r = list[lines->entries.n - 1] ? 0 : -ENOMEM;
	}
	return r;
}

static int line(
	struct ndjson *lines, const char *text, size_t n, size_t number_of, struct error *error)
{
	const char *wrong = NULL;
	struct entry entry;
	json_error_t where;
	json_t *json = NULL;
	int r;

	if (guard_depth(text, n) > GUARD_DEEPEST) {
		return error_set(error, -EINVAL, "Line %zu is nested too deep", number_of);
	}
	json = json_loadb(text, n, JSON_REJECT_DUPLICATES, &where);
	if (!json) {
		return error_set(error, -EINVAL, "Line %zu is not JSON: %s", number_of, where.text);
	}
	if (!json_is_object(json) || json_integer_value(json_object_get(json, "seq")) < 1) {
		json_decref(json);
		return error_set(error, -EINVAL, "Line %zu is not an object with a \"seq\" above 0",
			number_of);
	}
	r = entry_of(json, &entry, &wrong);
	json_decref(json);
	if (r == 0) {
		r = add(lines, &entry, wrong);
	}
	return r < 0 ? error_set(error, r, "out of memory") : 0;
}

int ndjson_parse(const char *text, size_t n, struct ndjson *ret_lines, struct error *error)
{
	struct ndjson lines = {0};
	size_t at = 0, number_of = 0, bytes;
	const char *end;
	int r = 0;

	while (at < n && r == 0) {
		end = memchr(text + at, '\n', n - at);
		bytes = end ? (size_t)(end - (text + at)) : n - at;
		number_of++;
		if (bytes > 0 && lines.entries.n == NDJSON_LINES_MOST) {
			r = error_set(error, -E2BIG, "A batch holds %d entries at most",
				NDJSON_LINES_MOST);
		} else if (bytes > 0) {
			r = line(&lines, text + at, bytes, number_of, error);
		}
		at += bytes + 1;
	}
	if (r < 0) {
		ndjson_fini(&lines);
		return r;
	}
	*ret_lines = lines;
	return 0;
}

void ndjson_fini(struct ndjson *lines)
{
	size_t i;

	for (i = 0; i < lines->entries.n; i++) {
		free(lines->wrong[i]);
	}
	free(lines->wrong);
	entries_fini(&lines->entries);
	*lines = (struct ndjson){0};
}
