/*
 * A body is a flat JSON object. One table says which fact goes by which name;
 * writing and reading walk it in the same order, so that equal facts give equal
 * bytes and a fact cannot be written one way and read another.
 */
#include "app/journal/entry.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum fact_type {
	FACT_TEXT, /* char[room] */
	FACT_LONG_TEXT, /* char *, owned */
	FACT_INT64,
	FACT_INT,
	FACT_FLAG,
};

struct fact {
	const char *name;
	enum fact_type type;
	size_t offset, room;
};

/* clang-format off */
#define TEXT(member) \
	{ #member, FACT_TEXT, offsetof(struct facts, member), sizeof(((struct facts *)NULL)->member) }
#define OTHER(type, member) { #member, type, offsetof(struct facts, member), 0 }
/* clang-format on */

static const struct fact fact_table[] = {
	TEXT(boot_id),
	TEXT(id),
	TEXT(version),
	TEXT(box),
	TEXT(card),
	TEXT(cause),
	TEXT(file),
	TEXT(codec),
	OTHER(FACT_INT64, from_ns),
	OTHER(FACT_INT64, to_ns),
	OTHER(FACT_INT64, bytes),
	TEXT(sha256),
	OTHER(FACT_INT64, uncertainty_ns),
	OTHER(FACT_INT, rate_hz),
	OTHER(FACT_INT, step_ms),
	OTHER(FACT_FLAG, trusted),
	OTHER(FACT_FLAG, complete),
	OTHER(FACT_LONG_TEXT, scheme),
};

#define N_FACTS (sizeof(fact_table) / sizeof(fact_table[0]))

/* The levels come last, under a name that says what they are. */
static const char *levels_name(enum entry_kind kind)
{
	return kind == ENTRY_SNIPPET ? "peaks" : "levels";
}

/* JSON is UTF-8: in text that is not (a card's name), odd bytes become "?". */
static json_t *text_json(const char *text, size_t n)
{
	json_t *json;
	char *plain;
	size_t i;

	json = json_stringn(text, n);
	if (json) {
		return json;
	}
	plain = malloc(n + 1);
	if (!plain) {
		return NULL;
	}
	for (i = 0; i < n; i++) {
		plain[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
	}
	json = json_stringn(plain, n);
	free(plain);
	return json;
}

static json_t *levels_json(const uint8_t *levels, size_t n)
{
	json_t *json;
	size_t room;
	char *text;

	room = sodium_base64_encoded_len(n, sodium_base64_VARIANT_ORIGINAL);
	text = malloc(room);
	if (!text) {
		return NULL;
	}
	sodium_bin2base64(text, room, levels, n, sodium_base64_VARIANT_ORIGINAL);
	json = json_string(text);
	free(text);
	return json;
}

/* The fact as JSON; *ret_said tells whether there is anything to write. */
static json_t *fact_json(const struct fact *fact, const struct facts *facts, bool *ret_said)
{
	const char *place = (const char *)facts + fact->offset;
	const char *text;
	json_int_t number;
	bool flag;

	switch (fact->type) {
	case FACT_TEXT:
		*ret_said = place[0] != '\0';
		return *ret_said ? text_json(place, strnlen(place, fact->room - 1)) : NULL;
	case FACT_LONG_TEXT:
		memcpy(&text, place, sizeof(text));
		*ret_said = text != NULL;
		return *ret_said ? text_json(text, strlen(text)) : NULL;
	case FACT_INT64:
		number = *(const int64_t *)(const void *)place;
		*ret_said = number != 0;
		return *ret_said ? json_integer(number) : NULL;
	case FACT_INT:
		number = *(const int *)(const void *)place;
		*ret_said = number != 0;
		return *ret_said ? json_integer(number) : NULL;
	case FACT_FLAG:
		flag = *(const bool *)place;
		*ret_said = flag;
		return flag ? json_true() : NULL;
	}
	*ret_said = false;
	return NULL;
}

int entry_set_facts(struct entry *entry, const struct facts *facts)
{
	json_t *object, *value;
	char *body = NULL;
	size_t i;
	bool said;

	object = json_object();
	if (!object) {
		return -ENOMEM;
	}
	for (i = 0; i < N_FACTS; i++) {
		value = fact_json(&fact_table[i], facts, &said);
		if (said && json_object_set_new(object, fact_table[i].name, value) != 0) {
			goto fail;
		}
	}
	if (facts->levels && facts->n_levels > 0) {
		value = levels_json(facts->levels, facts->n_levels);
		if (json_object_set_new(object, levels_name(entry->kind), value) != 0) {
			goto fail;
		}
	}
	if (json_object_size(object) > 0) {
		body = json_dumps(object, JSON_COMPACT);
		if (!body) {
			goto fail;
		}
	}
	json_decref(object);
	free(entry->body);
	entry->body = body;
	return 0;

fail:
	json_decref(object);
	return -ENOMEM;
}

static int levels_read(const json_t *value, struct facts *facts)
{
	size_t chars = json_string_length(value), n;
	uint8_t *levels;

	if (!json_is_string(value) || chars == 0) {
		return 0;
	}
	levels = malloc(chars / 4 * 3 + 3);
	if (!levels) {
		return -ENOMEM;
	}
	if (sodium_base642bin(levels, chars / 4 * 3 + 3, json_string_value(value), chars, NULL, &n,
		    NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
		n == 0) {
		free(levels);
		return 0;
	}
	facts->levels = levels;
	facts->n_levels = n;
	return 0;
}

/* What does not fit its place whole is left unsaid: half a name is a wrong one. */
static int fact_read(const struct fact *fact, const json_t *value, struct facts *facts)
{
	char *place = (char *)facts + fact->offset;
	json_int_t number;
	char *text;

	switch (fact->type) {
	case FACT_TEXT:
		if (json_is_string(value) && json_string_length(value) < fact->room) {
			memcpy(place, json_string_value(value), json_string_length(value) + 1);
		}
		break;
	case FACT_LONG_TEXT:
		if (json_is_string(value)) {
			text = strdup(json_string_value(value));
			if (!text) {
				return -ENOMEM;
			}
			memcpy(place, &text, sizeof(text));
		}
		break;
	case FACT_INT64:
		if (json_is_integer(value)) {
			*(int64_t *)(void *)place = json_integer_value(value);
		}
		break;
	case FACT_INT:
		number = json_integer_value(value);
		if (json_is_integer(value) && number >= INT_MIN && number <= INT_MAX) {
			*(int *)(void *)place = (int)number;
		}
		break;
	case FACT_FLAG:
		*(bool *)place = json_is_true(value);
		break;
	}
	return 0;
}

int entry_get_facts(const struct entry *entry, struct facts *ret_facts)
{
	struct facts facts = {0};
	json_error_t why;
	json_t *object, *value;
	size_t i;
	int r = 0;

	if (!entry->body) {
		*ret_facts = facts;
		return 0;
	}
	object = json_loads(entry->body, 0, &why);
	if (!object) {
		return json_error_code(&why) == json_error_out_of_memory ? -ENOMEM : -EINVAL;
	}
	if (!json_is_object(object)) {
		json_decref(object);
		return -EINVAL;
	}
	for (i = 0; i < N_FACTS && r == 0; i++) {
		value = json_object_get(object, fact_table[i].name);
		r = value ? fact_read(&fact_table[i], value, &facts) : 0;
	}
	if (r == 0) {
		r = levels_read(json_object_get(object, levels_name(entry->kind)), &facts);
	}
	json_decref(object);
	if (r < 0) {
		facts_fini(&facts);
		return r;
	}
	*ret_facts = facts;
	return 0;
}

void facts_fini(struct facts *facts)
{
	if (!facts) {
		return;
	}
	free(facts->scheme);
	free(facts->levels);
	facts->scheme = NULL;
	facts->levels = NULL;
	facts->n_levels = 0;
}
