/*
 * Bytes are read as entries, as odd as they come: each is a kind, what its fields
 * are, and how its body is made. Every observation in them is folded, and what
 * comes out must hold together, whatever went in.
 */
#include "app/timeline/timeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MOST 400
#define DAY_NS (24 * 3600 * NS_PER_S)

#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__,           \
				#condition);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

struct source {
	const uint8_t *bytes;
	size_t n;
};

static uint8_t next(struct source *source)
{
	if (source->n == 0) {
		return 0;
	}
	source->n--;
	return *source->bytes++;
}

static int64_t next_wide(struct source *source)
{
	uint64_t wide = 0;
	int i;

	for (i = 0; i < 8; i++) {
		wide = wide << 8 | next(source);
	}
	return (int64_t)wide;
}

/* Mostly a small number near @about, now and then any at all. */
static int64_t next_number(struct source *source, int64_t about, int64_t scale)
{
	uint8_t how = next(source);
	int64_t number;

	switch (how >> 5) {
	case 7:
		return next_wide(source);
	case 6:
		return how & 1 ? INT64_MAX : INT64_MIN;
	case 5:
		return 0;
	default:
		if (__builtin_mul_overflow((int64_t)how - 40, scale, &number) ||
			__builtin_add_overflow(number, about, &number)) {
			return INT64_MAX;
		}
		return number;
	}
}

static void make_facts(struct source *source, struct entry *entry, int64_t t_ns)
{
	static const char *const causes[] = {"button", "recovered", "idle", "press", ""};
	static const char *const boots[] = {"aaaaaaaa-9d2b-4c6f-8a17-2b3c4d5e6f70",
		"bbbbbbbb-9d2b-4c6f-8a17-2b3c4d5e6f70", "00000000-0000-0000-0000-000000000000", ""};
	struct facts facts = {.codec = "opus", .bytes = 1, .file = "1.opus"};
	char text[65];
	int r;

	(void)snprintf(facts.cause, sizeof(facts.cause), "%s", causes[next(source) % 5]);
	(void)snprintf(facts.boot_id, sizeof(facts.boot_id), "%s", boots[next(source) % 4]);
	(void)snprintf(facts.id, sizeof(facts.id), "%s", boots[0]);
	memset(facts.sha256, 'a', sizeof(facts.sha256) - 1);
	facts.from_ns = next_number(source, t_ns, NS_PER_S);
	facts.to_ns = next_number(source, facts.from_ns, NS_PER_S);
	facts.uncertainty_ns = next_number(source, NS_PER_S, NS_PER_MS);
	facts.step_ms = (int)next_number(source, 100, 1);
	facts.trusted = next(source) & 1;
	facts.n_levels = next(source);
	if (facts.n_levels > 0) {
		facts.levels = malloc(facts.n_levels);
		MUST(facts.levels);
		memset(facts.levels, next(source), facts.n_levels);
	}
	if (entry->kind == ENTRY_START) {
		switch (next(source) % 3) {
		case 0:
			facts.scheme = strdup(scheme_default_text());
			break;
		case 1:
			(void)snprintf(text, sizeof(text), "[%.*s]", next(source) % 60,
				source->n >= 60 ? (const char *)source->bytes : "");
			facts.scheme = strdup(text);
			break;
		default:
			break;
		}
	}
	r = entry_set_facts(entry, &facts);
	facts_fini(&facts);
	MUST(r == 0);
}

static void make_entry(struct source *source, int64_t seq, int64_t *t_ns, struct entry *ret_entry)
{
	static const char *const codes[] = {
		"questioning", "engagement", "transition", "undo", "lesson", "x"};
	struct entry entry = {.kind = (enum entry_kind)(next(source) % (ENTRY_KINDS_END + 1))};
	uint8_t how = next(source);
	size_t n;

	entry.seq = how & 1 ? next_number(source, seq, 1) : seq;
	*t_ns = next_number(source, *t_ns, 200 * NS_PER_MS);
	entry.t_ns = *t_ns;
	entry.boot = how & 2 ? next_number(source, seq, 1) : 1;
	entry.observation = how & 4         ? next_number(source, seq, 1)
		: entry.kind == ENTRY_START ? entry.seq
					    : 2;
	(void)snprintf(entry.code, sizeof(entry.code), "%s", codes[next(source) % 6]);
	entry.ref = how & 8 ? next_number(source, seq, 1) : seq - 1;
	entry.value = next_number(source, 40, 1);
	if (how & 16) {
		n = next(source) % 64;
		n = n > source->n ? source->n : n;
		entry.body = strndup((const char *)source->bytes, n);
		MUST(entry.body);
		source->bytes += n;
		source->n -= n;
	} else if (entry.kind != ENTRY_PRESS && entry.kind != ENTRY_RELEASE) {
		make_facts(source, &entry, *t_ns);
	}
	*ret_entry = entry;
}

static void check_events(const struct timeline *timeline)
{
	size_t i;

	for (i = 0; i < timeline->n_events; i++) {
		const struct timeline_event *event = &timeline->events[i];

		MUST(i == 0 || timeline->events[i - 1].t_ns <= event->t_ns);
		MUST(event->t_ns >= 0 && event->end_ns <= timeline->length_ns);
		MUST(event->end_ns >= event->t_ns);
		MUST(event->span || (event->end_ns == event->t_ns && !event->open));
		MUST(event->snippet >= -1 && event->snippet < (int)timeline->n_snippets);
		MUST(event->snippet == -1 ||
			(timeline->snippets[event->snippet].from_ns <= event->t_ns &&
				timeline->snippets[event->snippet].to_ns >= event->t_ns));
		MUST(event->code >= timeline->scheme.codes &&
			event->code < timeline->scheme.codes + timeline->scheme.n_codes);
		MUST(memchr(event->modifier, 0, sizeof(event->modifier)));
	}
}

static void check_sums(const struct timeline *timeline)
{
	size_t i, j, counted = 0, standing = 0;

	for (i = 0; i < timeline->n_sums; i++) {
		const struct timeline_sum *sum = &timeline->sums[i];
		size_t rows = 0, count = 0, spans = 0;
		int64_t total_ns = 0;

		for (j = 0; j < sum->n_modifiers; j++) {
			MUST(sum->modifiers[j]);
			rows += sum->by_modifier[j];
		}
		for (j = 0; j < timeline->n_events; j++) {
			const struct timeline_event *event = &timeline->events[j];

			if (event->code == sum->code && !event->undone) {
				count++;
				spans += event->span;
				total_ns += event->span ? event->end_ns - event->t_ns : 0;
			}
		}
		MUST(rows == count && sum->count == count && sum->spans == spans);
		MUST(sum->total_ns == total_ns);
		MUST(sum->shortest_ns <= sum->median_ns && sum->median_ns <= sum->longest_ns);
		MUST(sum->longest_ns <= timeline->length_ns);
		counted += count;
	}
	for (j = 0; j < timeline->n_events; j++) {
		standing += !timeline->events[j].undone;
	}
	MUST(counted == standing);
}

static void check(const struct timeline *timeline)
{
	const int64_t times[] = {0, INT64_MIN, INT64_MAX, timeline->length_ns};
	size_t i;

	MUST(timeline->length_ns >= 0 && timeline->length_ns <= DAY_NS);
	check_events(timeline);
	check_sums(timeline);
	for (i = 0; i < timeline->n_snippets; i++) {
		const struct timeline_snippet *snippet = &timeline->snippets[i];

		MUST(i == 0 || timeline->snippets[i - 1].from_ns <= snippet->from_ns);
		MUST(snippet->from_ns <= snippet->to_ns);
		MUST(!strchr(snippet->file, '/'));
		MUST((snippet->n_peaks > 0) == (snippet->peaks != NULL));
	}
	for (i = 0; i < timeline->n_silences; i++) {
		const struct timeline_silence *silence = &timeline->silences[i];

		MUST(i == 0 || timeline->silences[i - 1].from_ns <= silence->from_ns);
		MUST(silence->from_ns >= 0 && silence->from_ns < silence->to_ns);
		MUST(silence->to_ns <= timeline->length_ns);
	}
	for (i = 0; i < timeline->n_cues; i++) {
		MUST(timeline->cues[i].t_ns >= 0 && timeline->cues[i].t_ns <= timeline->length_ns);
	}
	MUST(timeline->n_loudness == 0 ||
		(int64_t)timeline->n_loudness * 100 * NS_PER_MS >= timeline->length_ns);
	for (i = 0; i < 4; i++) {
		MUST(timeline_moment(timeline, times[i]).uncertainty_ns >= 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct source source = {bytes, n};
	struct entries entries = {0};
	struct timeline *timeline;
	struct entry entry;
	int64_t t_ns = 100 * NS_PER_S, at = 0;
	int r;

	while (source.n > 0 && entries.n < ENTRIES_MOST) {
		make_entry(&source, (int64_t)entries.n + 1, &t_ns, &entry);
		(void)entry_check(&entry, NULL);
		r = entries_add(&entries, &entry);
		MUST(r == 0);
	}
	while ((at = timeline_next(entries.list, entries.n, at)) != 0) {
		timeline = NULL;
		r = timeline_fold(entries.list, entries.n, at, &timeline);
		if (r == 0) { /* (of two entries of one seq only one is its start) */
			check(timeline);
		}
		timeline_free(timeline);
	}
	entries_fini(&entries);
	return 0;
}
