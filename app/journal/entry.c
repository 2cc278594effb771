/* The rules that each kind of entry keeps, and lists of entries. */
#include "app/journal/entry.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Ninety years of ns: far beyond any uptime, far from where sums overflow. */
#define TIME_MOST (INT64_MAX / 3)

enum {
	HAS_OBSERVATION = 1, /* must be within an observation */
	MAY_OBSERVATION = 2, /* may be */
	HAS_CODE = 4,
	HAS_REF = 8,
};

static const struct rule {
	const char *name;
	int has;
	int64_t value_most;
} rules[ENTRY_KINDS_END] = {
	[ENTRY_BOOT] = {"boot", 0, 0},
	[ENTRY_CLOCK] = {"clock", MAY_OBSERVATION, INT64_MAX},
	[ENTRY_START] = {"observation_start", HAS_OBSERVATION, 0},
	[ENTRY_END] = {"observation_end", HAS_OBSERVATION, 0},
	[ENTRY_PRESS] = {"press", MAY_OBSERVATION | HAS_CODE, 0},
	[ENTRY_RELEASE] = {"release", MAY_OBSERVATION | HAS_CODE | HAS_REF, 1},
	[ENTRY_UNDO] = {"undo", HAS_OBSERVATION | HAS_REF, 0},
	[ENTRY_MIC] = {"mic", MAY_OBSERVATION, MIC_FULL},
	[ENTRY_GAP] = {"gap", MAY_OBSERVATION, 0},
	[ENTRY_SNIPPET] = {"snippet", MAY_OBSERVATION, 0},
	[ENTRY_LOUDNESS] = {"loudness", HAS_OBSERVATION, 0},
	[ENTRY_CUE] = {"cue", HAS_OBSERVATION | HAS_CODE, 0},
	[ENTRY_FAULT] = {"fault", MAY_OBSERVATION | HAS_CODE, 1},
	[ENTRY_GONE] = {"gone", HAS_REF, 0},
};

static const struct rule *rule_of(enum entry_kind kind)
{
	return (int)kind > 0 && (int)kind < ENTRY_KINDS_END ? &rules[kind] : NULL;
}

/* Lower-case letters, digits, "_" and "-": what codes and codecs are named in. */
static bool word_ok(const char *text, size_t room)
{
	size_t n = strnlen(text, room);

	return n > 0 && n < room && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-") == n;
}

static bool hex_ok(const char *text, size_t digits)
{
	return strlen(text) == digits && strspn(text, "0123456789abcdef") == digits;
}

static bool uuid_ok(const char *text)
{
	size_t i;

	for (i = 0; i < UUID_CHARS - 1; i++) {
		if (i == 8 || i == 13 || i == 18 || i == 23 ? text[i] != '-'
							    : !isxdigit((unsigned char)text[i])) {
			return false;
		}
	}
	return text[i] == '\0';
}

/* A name that stays in its folder: no way up, no hidden file, nothing odd. */
static bool file_name_ok(const char *name)
{
	const char *c;

	if (name[0] == '\0' || name[0] == '.') {
		return false;
	}
	for (c = name; *c; c++) {
		if (*c == '/' || *c == '\\' || iscntrl((unsigned char)*c)) {
			return false;
		}
	}
	return true;
}

static bool one_of(const char *text, const char *const *words)
{
	for (; *words; words++) {
		if (strcmp(text, *words) == 0) {
			return true;
		}
	}
	return false;
}

static bool span_ok(const struct facts *facts)
{
	return facts->from_ns >= 0 && facts->to_ns >= facts->from_ns && facts->to_ns <= TIME_MOST;
}

/* What is wrong with the facts, or NULL. */
static const char *check_facts(enum entry_kind kind, const struct facts *facts)
{
	static const char *const start_causes[] = {"button", "press", NULL};
	static const char *const end_causes[] = {"button", "idle", "recovered", "shutdown", NULL};

	switch (kind) {
	case ENTRY_BOOT:
		return uuid_ok(facts->boot_id) ? NULL : "boot_id is not a UUID";
	case ENTRY_CLOCK:
		return facts->uncertainty_ns >= 0 ? NULL : "uncertainty_ns is negative";
	case ENTRY_START:
		if (!uuid_ok(facts->id)) {
			return "id is not a UUID";
		}
		if (!facts->scheme || facts->scheme[0] == '\0') {
			return "scheme is missing";
		}
		return one_of(facts->cause, start_causes) ? NULL : "cause is not button or press";
	case ENTRY_END:
		return one_of(facts->cause, end_causes)
			? NULL
			: "cause is not button, idle, recovered or shutdown";
	case ENTRY_MIC:
		return facts->rate_hz >= 0 ? NULL : "rate_hz is negative";
	case ENTRY_GAP:
		if (!span_ok(facts)) {
			return "from_ns and to_ns are not a span";
		}
		return facts->cause[0] ? NULL : "cause is missing";
	case ENTRY_SNIPPET:
		if (!file_name_ok(facts->file)) {
			return "file is not a plain file name";
		}
		if (!word_ok(facts->codec, sizeof(facts->codec))) {
			return "codec is not a lower-case word";
		}
		if (!span_ok(facts)) {
			return "from_ns and to_ns are not a span";
		}
		if (facts->bytes <= 0) {
			return "bytes is not above 0";
		}
		if (!hex_ok(facts->sha256, 64)) {
			return "sha256 is not 64 lower-case hex digits";
		}
		return facts->n_levels == 0 || facts->step_ms > 0 ? NULL : "step_ms is missing";
	case ENTRY_GONE:
		if (!file_name_ok(facts->file)) {
			return "file is not a plain file name";
		}
		return hex_ok(facts->sha256, 64) ? NULL
						 : "sha256 is not 64 lower-case hex digits";
	case ENTRY_LOUDNESS:
		if (facts->from_ns < 0 || facts->from_ns > TIME_MOST) {
			return "from_ns is out of range";
		}
		if (facts->n_levels == 0) {
			return "levels are missing";
		}
		return facts->step_ms > 0 ? NULL : "step_ms is not above 0";
	default:
		return NULL;
	}
}

/* What is wrong with the columns, or NULL. */
static const char *check_columns(const struct entry *entry, const struct rule *rule)
{
	bool inside = entry->kind == ENTRY_START
		? entry->observation == entry->seq
		: entry->observation > 0 && entry->observation < entry->seq;

	if (entry->seq < 1) {
		return "seq is not above 0";
	}
	if (entry->kind == ENTRY_BOOT ? entry->boot != entry->seq
				      : entry->boot < 1 || entry->boot >= entry->seq) {
		return "boot does not point at a boot entry before it";
	}
	if (entry->t_ns < 0 || entry->t_ns > TIME_MOST) {
		return "t_ns is out of range";
	}
	if (!inside && ((rule->has & HAS_OBSERVATION) || entry->observation != 0)) {
		return "observation does not point at its start";
	}
	if (inside && !(rule->has & (HAS_OBSERVATION | MAY_OBSERVATION))) {
		return "observation is given, but means nothing here";
	}
	if (rule->has & HAS_CODE ? !word_ok(entry->code, sizeof(entry->code))
				 : entry->code[0] != '\0') {
		return rule->has & HAS_CODE ? "code is not 1 to 31 of a-z, 0-9, _ and -"
					    : "code is given, but means nothing here";
	}
	if (rule->has & HAS_REF ? entry->ref < 1 || entry->ref >= entry->seq : entry->ref != 0) {
		return rule->has & HAS_REF ? "ref does not point at an entry before it"
					   : "ref is given, but means nothing here";
	}
	if (entry->value < 0 || entry->value > rule->value_most) {
		return "value is out of range";
	}
	return NULL;
}

int entry_check(const struct entry *entry, struct error *error)
{
	const struct rule *rule = rule_of(entry->kind);
	const char *wrong;
	struct facts facts;
	int r;

	if (!rule) {
		return error_set(error, -EINVAL, "entry %lld: kind %d is unknown",
			(long long)entry->seq, (int)entry->kind);
	}
	wrong = check_columns(entry, rule);
	if (!wrong) {
		r = entry_get_facts(entry, &facts);
		if (r == -ENOMEM) {
			return error_set(error, r, "out of memory");
		}
		if (r < 0) {
			wrong = "body is not a JSON object";
		} else {
			wrong = check_facts(entry->kind, &facts);
			facts_fini(&facts);
		}
	}
	if (wrong) {
		return error_set(error, -EINVAL, "entry %lld (%s): %s", (long long)entry->seq,
			rule->name, wrong);
	}
	return 0;
}

void entry_fini(struct entry *entry)
{
	if (entry) {
		free(entry->body);
		entry->body = NULL;
	}
}

const char *entry_kind_name(enum entry_kind kind)
{
	const struct rule *rule = rule_of(kind);

	return rule ? rule->name : "?";
}

const char *mic_state_name(enum mic_state state)
{
	static const char *const names[] = {"off", "live", "muted", "lost", "full"};

	return (int)state >= 0 && (size_t)state < sizeof(names) / sizeof(names[0]) ? names[state]
										   : "?";
}

int entries_add(struct entries *entries, struct entry *entry)
{
	struct entry *list;
	size_t room;

	if (entries->n == entries->room) {
		room = entries->room ? entries->room * 2 : 64;
		list = reallocarray(entries->list, room, sizeof(*list));
		if (!list) {
			entry_fini(entry);
			return -ENOMEM;
		}
		entries->list = list;
		entries->room = room;
	}
	entries->list[entries->n++] = *entry;
	entry->body = NULL;
	return 0;
}

void entries_fini(struct entries *entries)
{
	size_t i;

	if (!entries) {
		return;
	}
	for (i = 0; i < entries->n; i++) {
		entry_fini(&entries->list[i]);
	}
	free(entries->list);
	*entries = (struct entries){0};
}
