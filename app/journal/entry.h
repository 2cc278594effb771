/* One line of the journal, and the facts its body can carry. */
#ifndef JOURNAL_ENTRY_H
#define JOURNAL_ENTRY_H

#include "app/base/clock.h"
#include "app/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENTRY_CODE_CHARS 32
#define UUID_CHARS 37

/*
 * Kinds, and which fields mean what. `boot` is the seq of the boot entry the
 * recorder wrote at its start; t_ns is CLOCK_MONOTONIC of that kernel boot;
 * `observation` is the seq of the observation_start entry, 0 outside one.
 * Fields not named are 0 or "". Numbers are stored: never renumber.
 */
enum entry_kind {
	ENTRY_BOOT = 1,      /* facts: boot_id, version, box */
	ENTRY_CLOCK,         /* value: realtime_ns at t_ns; facts: uncertainty_ns, trusted, cause */
	ENTRY_START,         /* facts: id (UUID), scheme (its text), cause: button | press */
	ENTRY_END,           /* facts: cause: button | idle | recovered | shutdown */
	ENTRY_PRESS,         /* code */
	ENTRY_RELEASE,       /* code; ref: the press; value 1: the edge was lost, time estimated */
	ENTRY_UNDO,          /* ref: the press taken back */
	ENTRY_MIC,           /* value: enum mic_state; facts: card, rate_hz, cause */
	ENTRY_GAP,           /* sound missing; facts: from_ns, to_ns, cause */
	ENTRY_SNIPPET,       /* facts: file, codec, from_ns, to_ns, bytes, sha256, complete, peaks */
	ENTRY_LOUDNESS,      /* facts: from_ns, step_ms, levels */
	ENTRY_CUE,           /* code; the interval prompt went off */
	ENTRY_FAULT,         /* code: its name; value 1: raised, 0: over; facts: cause (text) */
	ENTRY_GONE,          /* ref: the snippet whose file may leave the box, because a server has
	                        it; facts: file, sha256. Another one for it says nothing new. */
	ENTRY_KINDS_END,
};

enum mic_state {
	MIC_OFF = 0,   /* the site has not switched sound on */
	MIC_LIVE = 1,
	MIC_MUTED = 2, /* the device is closed on purpose */
	MIC_LOST = 3,  /* no card, or one that gives nothing */
	MIC_FULL = 4,  /* live, but no room to keep snippets */
};

struct entry {
	int64_t seq;
	int64_t boot;
	int64_t t_ns;
	enum entry_kind kind;
	int64_t observation;
	char code[ENTRY_CODE_CHARS];
	int64_t ref;
	int64_t value;
	char *body; /* a JSON object, owned; NULL for none */
};

/*
 * Everything a body can say, flat: a kind uses some of it. 0 / "" / NULL mean
 * "not said". Free with facts_fini().
 */
struct facts {
	char boot_id[BOOT_ID_CHARS], id[UUID_CHARS];
	char version[32], box[64], card[64];
	char cause[160];
	char file[64], codec[16], sha256[65];
	int64_t from_ns, to_ns, bytes, uncertainty_ns;
	int rate_hz, step_ms;
	bool trusted, complete;
	char *scheme;     /* owned */
	uint8_t *levels;  /* owned; peaks of a snippet (0-255 of full scale, one per
	                     step_ms) or loudness (half decibels below full scale) */
	size_t n_levels;
};

/*
 * Writes @facts into the entry's body as JSON, replacing an earlier one. Only
 * what differs from "not said" is written. 0 or -ENOMEM.
 */
int entry_set_facts(struct entry *entry, const struct facts *facts) MUST_CHECK;

/*
 * Reads the body. An absent body, an unknown member and a member of the wrong
 * type are "not said"; a body that is not a JSON object is -EINVAL. -ENOMEM.
 * On success the caller calls facts_fini().
 */
int entry_get_facts(const struct entry *entry, struct facts *ret_facts) MUST_CHECK;
void facts_fini(struct facts *facts);

/*
 * Whether the entry keeps the rules of its kind on its own: kind known, times
 * and references sane, the facts its kind needs present. 0, or -EINVAL with an
 * explanation that names the field.
 */
int entry_check(const struct entry *entry, struct error *error) MUST_CHECK;

/* Frees what the entry owns; the entry itself is the caller's. */
void entry_fini(struct entry *entry);

/* "press", "snippet", ...; static. "?" for a number that is no kind. */
const char *entry_kind_name(enum entry_kind kind);
const char *mic_state_name(enum mic_state state);

/* A growing list of entries, owning their bodies. Zeroed memory is an empty one. */
struct entries {
	struct entry *list;
	size_t n, room;
};

/* Moves *entry in (its body too, also on failure). 0 or -ENOMEM. */
int entries_add(struct entries *entries, struct entry *entry) MUST_CHECK;
void entries_fini(struct entries *entries);

#endif
