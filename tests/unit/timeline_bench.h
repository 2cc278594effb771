/* A journal in the making, and what is folded of it, for the tests of app/timeline. */
#ifndef TESTS_TIMELINE_BENCH_H
#define TESTS_TIMELINE_BENCH_H

#include "app/timeline/timeline.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BOOT_A "aaaaaaaa-9d2b-4c6f-8a17-2b3c4d5e6f70"
#define BOOT_B "bbbbbbbb-9d2b-4c6f-8a17-2b3c4d5e6f70"
#define OBSERVATION_ID "11111111-2222-4333-8444-555555555555"
#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define S(seconds) ((int64_t)((seconds)*1e9))
#define T0 S(1000) /* when the observation starts, on the monotonic clock */
#define WALL INT64_C(1760000000000000000)

/* A journal in the making. */
struct script {
	struct entries entries;
	int64_t boot, observation;
};

static inline int64_t add(struct script *script, enum entry_kind kind, double at_s,
	const char *code, int64_t ref, int64_t value, const struct facts *facts)
{
	int64_t seq = (int64_t)script->entries.n + 1;
	struct entry entry = {
		.seq = seq,
		.t_ns = T0 + S(at_s),
		.kind = kind,
		.ref = ref,
		.value = value,
	};
	struct error error;

	if (kind == ENTRY_BOOT) {
		script->boot = seq;
	}
	if (kind == ENTRY_START) {
		script->observation = seq;
	}
	entry.boot = script->boot;
	entry.observation = kind == ENTRY_BOOT ? 0 : script->observation;
	(void)snprintf(entry.code, sizeof(entry.code), "%s", code);
	if (facts) {
		assert_int_equal(entry_set_facts(&entry, facts), 0);
	}
	if (entry_check(&entry, &error) != 0) {
		fail_msg("%s", error.text);
	}
	assert_int_equal(entries_add(&script->entries, &entry), 0);
	if (kind == ENTRY_END) {
		script->observation = 0;
	}
	return seq;
}

static inline void add_boot(struct script *script, const char *boot_id, double at_s)
{
	struct facts facts = {.version = "0", .box = "Box 7"};

	memcpy(facts.boot_id, boot_id, sizeof(facts.boot_id));
	(void)add(script, ENTRY_BOOT, at_s, "", 0, 0, &facts);
}

static inline int64_t add_start(struct script *script, double at_s)
{
	struct facts facts = {.id = OBSERVATION_ID, .cause = "button"};
	int64_t seq;

	facts.scheme = strdup(scheme_default_text());
	assert_non_null(facts.scheme);
	seq = add(script, ENTRY_START, at_s, "", 0, 0, &facts);
	facts_fini(&facts);
	return seq;
}

static inline void add_end(struct script *script, double at_s, const char *cause)
{
	struct facts facts = {0};

	(void)snprintf(facts.cause, sizeof(facts.cause), "%s", cause);
	(void)add(script, ENTRY_END, at_s, "", 0, 0, &facts);
}

static inline int64_t add_press(
	struct script *script, const char *code, double at_s, double until_s)
{
	int64_t seq = add(script, ENTRY_PRESS, at_s, code, 0, 0, NULL);

	(void)add(script, ENTRY_RELEASE, until_s, code, seq, 0, NULL);
	return seq;
}

static inline int64_t add_tap(struct script *script, const char *code, double at_s)
{
	return add_press(script, code, at_s, at_s + 0.1);
}

static inline void add_clock(struct script *script, double at_s, int64_t realtime_ns,
	int64_t uncertainty_ns, bool trusted)
{
	struct facts facts = {
		.uncertainty_ns = uncertainty_ns, .trusted = trusted, .cause = "start"};

	(void)add(script, ENTRY_CLOCK, at_s, "", 0, realtime_ns, &facts);
}

static inline void add_mic(
	struct script *script, double at_s, enum mic_state state, const char *cause)
{
	struct facts facts = {.rate_hz = 48000};

	(void)snprintf(facts.cause, sizeof(facts.cause), "%s", cause);
	(void)add(script, ENTRY_MIC, at_s, "", 0, state, &facts);
}

static inline void add_gap(struct script *script, double from_s, double to_s, const char *cause)
{
	struct facts facts = {.from_ns = T0 + S(from_s), .to_ns = T0 + S(to_s)};

	(void)snprintf(facts.cause, sizeof(facts.cause), "%s", cause);
	(void)add(script, ENTRY_GAP, to_s, "", 0, 0, &facts);
}

static inline int64_t add_snippet(
	struct script *script, double from_s, double to_s, bool complete, double written_s)
{
	uint8_t peaks[] = {1, 2, 3};
	struct facts facts = {.file = "snippet.opus",
		.codec = "opus",
		.from_ns = T0 + S(from_s),
		.to_ns = T0 + S(to_s),
		.bytes = 4321,
		.sha256 = SHA,
		.complete = complete,
		.step_ms = 50,
		.levels = peaks,
		.n_levels = 3};

	return add(script, ENTRY_SNIPPET, written_s, "", 0, 0, &facts);
}

static inline void add_loudness(struct script *script, double from_s, size_t n, uint8_t level)
{
	struct facts facts = {.from_ns = T0 + S(from_s), .step_ms = 100, .n_levels = n};
	int64_t seq;

	facts.levels = malloc(n);
	assert_non_null(facts.levels);
	memset(facts.levels, level, n);
	seq = add(script, ENTRY_LOUDNESS, from_s + (double)n / 10, "", 0, 0, &facts);
	assert_true(seq > 0);
	facts_fini(&facts);
}

static inline struct timeline *fold(const struct script *script, int64_t observation)
{
	struct timeline *timeline = NULL;

	assert_int_equal(
		timeline_fold(script->entries.list, script->entries.n, observation, &timeline), 0);
	return timeline;
}

static inline void assert_times(int64_t got_ns, double expected_s)
{
	if (got_ns != S(expected_s)) {
		fail_msg("%.9f s instead of %.9f s", (double)got_ns / 1e9, expected_s);
	}
}

static inline void assert_event(const struct timeline *timeline, size_t i, const char *code,
	double at_s, double end_s, const char *modifier)
{
	assert_true(i < timeline->n_events);
	assert_string_equal(timeline->events[i].code->name, code);
	assert_times(timeline->events[i].t_ns, at_s);
	assert_times(timeline->events[i].end_ns, end_s);
	assert_string_equal(timeline->events[i].modifier, modifier);
}

/* A lesson of 600 s with a bit of everything. */
static inline int64_t rich_lesson(struct script *script)
{
	int64_t observation, undone;

	add_boot(script, BOOT_A, -500);
	add_clock(script, -499, WALL - S(499), S(0.5), true);
	add_mic(script, -498, MIC_LIVE, "");
	observation = add_start(script, 0);
	(void)add_tap(script, "questioning", 10);
	(void)add_tap(script, "questioning", 20); /* double */
	(void)add_tap(script, "questioning", 20.3);
	(void)add_press(script, "questioning", 40, 43.5); /* wait */
	(void)add_press(script, "questioning", 50, 51.5);
	(void)add_snippet(script, -0, 63.5, true, 64);
	(void)add_tap(script, "engagement", 100);
	(void)add_tap(script, "engagement", 100.3); /* half */
	(void)add(script, ENTRY_CUE, 110, "engagement", 0, 0, NULL);
	(void)add_tap(script, "transition", 200);
	add_gap(script, 205, 205.5, "overrun");
	(void)add_tap(script, "transition", 260);
	add_mic(script, 300, MIC_MUTED, "button");
	add_mic(script, 330, MIC_LIVE, "button");
	undone = add_tap(script, "questioning", 400);
	(void)add(script, ENTRY_UNDO, 402, "", undone, 0, NULL);
	(void)add_tap(script, "transition", 500);
	undone = add_tap(script, "transition", 520);
	(void)add(script, ENTRY_UNDO, 521, "", undone, 0, NULL); /* it goes on */
	(void)add_tap(script, "transition", 530);
	add_loudness(script, 0, 600, 100);
	add_loudness(script, 120, 600, 90);
	add_end(script, 600, "button");
	script->observation = observation; /* the last sound is finished after the end */
	(void)add_snippet(script, 90, 120, true, 601);
	script->observation = 0;
	add_clock(script, 700, WALL + S(700.25), S(0.01), true);
	return observation;
}

#endif
