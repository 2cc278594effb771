#include "app/server/health.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES_MAX 95

enum member_type { MEMBER_TEXT, MEMBER_WORD, MEMBER_NUMBER, MEMBER_FLAG };

struct member {
	const char *name;
	enum member_type type;
	int64_t least, most; /* of a number */
	const char *words; /* with a blank on both sides of each */
};

/* clang-format off */
static const struct member members[] = {
	{"machine", MEMBER_TEXT, 0, 0, NULL},
	{"wiring", MEMBER_TEXT, 0, 0, NULL},
	{"system", MEMBER_TEXT, 0, 0, NULL},
	{"kernel", MEMBER_TEXT, 0, 0, NULL},
	{"uptime_s", MEMBER_NUMBER, 0, INT64_C(1) << 32, NULL},
	{"power", MEMBER_WORD, 0, 0, " unknown good low-before low "},
	{"hot", MEMBER_FLAG, 0, 0, NULL},
	{"total_bytes", MEMBER_NUMBER, 0, INT64_MAX, NULL},
	{"read_only", MEMBER_FLAG, 0, 0, NULL},
	{"write_median_us", MEMBER_NUMBER, 0, INT64_C(1) << 32, NULL},
	{"write_p99_us", MEMBER_NUMBER, 0, INT64_C(1) << 32, NULL},
	{"clock_trusted", MEMBER_FLAG, 0, 0, NULL},
	{"clock_uncertainty_ms", MEMBER_NUMBER, 0, INT64_C(1) << 32, NULL},
	{"recorder", MEMBER_FLAG, 0, 0, NULL},
	{"microphone", MEMBER_WORD, 0, 0, " off live muted lost full "},
	{"microphone_card", MEMBER_TEXT, 0, 0, NULL},
	{"loud_db", MEMBER_NUMBER, -200, 0, NULL},
	{"clipped_permille", MEMBER_NUMBER, 0, 1000, NULL},
	{"faults", MEMBER_NUMBER, 0, 1000, NULL},
};
/* clang-format on */

/* One line that a screen can show; UTF-8 it is, being JSON. */
static bool text_ok(const json_t *value)
{
	const char *text = json_string_value(value);
	size_t n = json_string_length(value);

	if (!text || n > TEXT_BYTES_MAX) {
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f) {
			return false;
		}
	}
	return true;
}

static bool word_ok(const struct member *member, const json_t *value)
{
	const char *at = member->words, *text = json_string_value(value);
	size_t n = json_string_length(value);

	if (!text || n == 0 || memchr(text, ' ', n) || memchr(text, '\0', n)) {
		return false;
	}
	while ((at = strstr(at, text)) && (at[-1] != ' ' || at[n] != ' ')) {
		at++;
	}
	return at;
}

static bool member_ok(const struct member *member, const json_t *value)
{
	switch (member->type) {
	case MEMBER_TEXT:
		return text_ok(value);
	case MEMBER_WORD:
		return word_ok(member, value);
	case MEMBER_NUMBER:
		return json_is_integer(value) && json_integer_value(value) >= member->least &&
			json_integer_value(value) <= member->most;
	default:
		return json_is_boolean(value);
	}
}

/* 0, -EINVAL or -ENOMEM. */
static int copy(const json_t *said, json_t *plain, struct error *error)
{
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		json_t *value = json_object_get(said, members[i].name);

		if (!value) {
			continue;
		}
		if (!member_ok(&members[i], value)) {
			return error_set(
				error, -EINVAL, "The health's %s is none.", members[i].name);
		}
		if (json_object_set(plain, members[i].name, value) < 0) {
			return -ENOMEM;
		}
	}
	return 0;
}

int health_read(const json_t *said, char **ret_text, struct error *error)
{
	json_t *plain;
	char *text = NULL;
	int r;

	if (said && !json_is_object(said)) {
		return error_set(error, -EINVAL, "The health must be an object.");
	}
	plain = json_object();
	r = plain ? copy(said, plain, error) : -ENOMEM;
	if (r == 0) {
		text = said ? json_dumps(plain, JSON_COMPACT) : strdup("");
		r = text ? 0 : -ENOMEM;
	}
	json_decref(plain);
	if (r < 0) {
		return r == -ENOMEM ? error_set(error, r, "out of memory") : r;
	}
	*ret_text = text;
	return 0;
}
