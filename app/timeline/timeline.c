/*
 * Two walks over the entries, in order of seq. The first gathers what has a span
 * of its own (sound, loudness, the microphone's state, the clocks) and learns
 * when the observation ended. The second sends the presses through the coding,
 * their times held within the observation.
 *
 * Which time counts: t_ns is the monotonic clock of a kernel's boot, and the
 * recorder may have been started more than once in it. An entry of another boot
 * has another clock: its t_ns says nothing here. The spans of sound are in the
 * observation's own clock all the same, whoever wrote them down: a snippet that
 * a power cut tore is finished, and an observation ended, by the next start.
 *
 * Total: every number is taken as it comes, held in range, and used.
 */
#include "app/timeline/timeline.h"

#include "app/timeline/gather.h"
#include "app/timeline/sums.h"
#include "app/timeline/wall.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LOUDNESS_MS 100
#define LOUDNESS_UNKNOWN 255
#define CANDIDATES_MOST 32

static int read_scheme(struct timeline *timeline, const char *text)
{
	int r = text ? scheme_parse(text, "scheme", &timeline->scheme, NULL) : -EINVAL;

	if (r == 0 || r == -ENOMEM) {
		return r;
	}
	timeline->scheme_lost = true;
	return scheme_parse(scheme_default_text(), "default", &timeline->scheme, NULL);
}

static int read_start(struct fold *fold)
{
	struct timeline *timeline = fold->timeline;
	struct facts facts;
	int r;

	r = facts_of(fold->start, &facts);
	if (r < 0) {
		return r;
	}
	timeline->observation = fold->start->seq;
	memcpy(timeline->id, facts.id, sizeof(facts.id));
	r = read_scheme(timeline, facts.scheme);
	facts_fini(&facts);
	return r;
}

/*
 * An end that a later start wrote down, or another clock stamped, says that it
 * ended, not when: it went on as long as there are signs of life.
 */
static void settle_end(struct fold *fold)
{
	struct timeline *timeline = fold->timeline;

	timeline->length_ns = fold->latest_ns;
	if (fold->end) {
		if (strcmp(timeline->end_cause, "recovered") != 0 && same_boot(fold, fold->end)) {
			timeline->length_ns =
				clamp(from_start(fold, fold->end->t_ns), 0, LENGTH_MOST_NS);
		}
	} else if (fold->passed) {
		memcpy(timeline->end_cause, "cut off", sizeof("cut off"));
	} else {
		timeline->running = true;
	}
}

/* --- events --- */

static int code_presses(const struct fold *fold, struct coding *coding)
{
	int64_t length_ns = fold->timeline->length_ns, t_ns;
	size_t i;
	int r = 0;

	for (i = 0; i < fold->n && r == 0; i++) {
		const struct entry *entry = fold->order[i];

		if (entry->observation != fold->start->seq || entry->seq < fold->start->seq ||
			(fold->end && entry->seq > fold->end->seq) || !same_boot(fold, entry)) {
			continue;
		}
		t_ns = clamp(from_start(fold, entry->t_ns), 0, length_ns);
		if (entry->kind == ENTRY_PRESS) {
			r = coding_press(coding, entry->code, t_ns, entry->seq);
		} else if (entry->kind == ENTRY_RELEASE) {
			coding_release(coding, entry->ref, t_ns);
		} else if (entry->kind == ENTRY_UNDO) {
			coding_undo(coding, entry->ref);
		}
	}
	coding_finish(coding, length_ns);
	return r;
}

static int by_start(const void *left, const void *right)
{
	const struct timeline_event *a = left, *b = right;

	if (a->t_ns != b->t_ns) {
		return a->t_ns < b->t_ns ? -1 : 1;
	}
	return (a->seq > b->seq) - (a->seq < b->seq);
}

static int copy_events(struct timeline *timeline, const struct coded *coded, size_t n)
{
	size_t i;

	timeline->events = calloc(n + 1, sizeof(*timeline->events));
	if (!timeline->events) {
		return -ENOMEM;
	}
	for (i = 0; i < n; i++) {
		timeline->events[i] = (struct timeline_event){
			.seq = coded[i].seq,
			.code = coded[i].code,
			.t_ns = coded[i].t_ns,
			.end_ns = coded[i].end_ns,
			.span = coded[i].span,
			.open = coded[i].open,
			.undone = coded[i].undone,
			.snippet = -1,
		};
		memcpy(timeline->events[i].modifier, coded[i].modifier, SCHEME_NAME_CHARS);
	}
	timeline->n_events = n;
	qsort(timeline->events, n, sizeof(*timeline->events), by_start);
	return 0;
}

static int make_events(const struct fold *fold)
{
	const struct coded *coded;
	struct coding *coding;
	size_t n;
	int r;

	coding = coding_new(&fold->timeline->scheme);
	if (!coding) {
		return -ENOMEM;
	}
	r = code_presses(fold, coding);
	if (r == 0) {
		coded = coding_events(coding, &n);
		r = copy_events(fold->timeline, coded, n);
	}
	coding_free(coding);
	return r;
}

/* --- sound --- */

static int by_from(const void *left, const void *right)
{
	const struct timeline_snippet *a = left, *b = right;

	if (a->from_ns != b->from_ns) {
		return a->from_ns < b->from_ns ? -1 : 1;
	}
	return (a->seq > b->seq) - (a->seq < b->seq);
}

/*
 * The snippet an event is heard in: of those that hold its moment the one that
 * holds most of its window. They seldom overlap at all, so that only a few of
 * the latest to begin before it are looked at.
 */
static int heard_in(const struct timeline *timeline, const struct timeline_event *event)
{
	int64_t from_ns = event->t_ns - event->code->before_s * NS_PER_S;
	int64_t to_ns = event->t_ns + event->code->after_s * NS_PER_S;
	int64_t most_ns = -1, shared_ns;
	size_t from = 0, to = timeline->n_snippets, i, looked = 0;
	int best = -1;

	while (from < to) { /* the first that begins after it */
		size_t middle = from + (to - from) / 2;

		if (timeline->snippets[middle].from_ns <= event->t_ns) {
			from = middle + 1;
		} else {
			to = middle;
		}
	}
	for (i = from; i > 0 && looked < CANDIDATES_MOST; i--, looked++) {
		const struct timeline_snippet *snippet = &timeline->snippets[i - 1];

		if (snippet->to_ns < event->t_ns) {
			continue;
		}
		shared_ns = (snippet->to_ns < to_ns ? snippet->to_ns : to_ns) -
			(snippet->from_ns > from_ns ? snippet->from_ns : from_ns);
		if (shared_ns > most_ns) {
			most_ns = shared_ns;
			best = (int)(i - 1);
		}
	}
	return best;
}

static void match_sound(struct timeline *timeline)
{
	size_t i;

	qsort(timeline->snippets, timeline->n_snippets, sizeof(*timeline->snippets), by_from);
	for (i = 0; i < timeline->n_events; i++) {
		timeline->events[i].snippet = heard_in(timeline, &timeline->events[i]);
	}
}

static int by_silence(const void *left, const void *right)
{
	const struct timeline_silence *a = left, *b = right;

	if (a->from_ns != b->from_ns) {
		return a->from_ns < b->from_ns ? -1 : 1;
	}
	if (a->to_ns != b->to_ns) {
		return a->to_ns < b->to_ns ? -1 : 1;
	}
	return (a->why > b->why) - (a->why < b->why);
}

/* The gaps, held within the observation; those outside it go. */
static size_t trim_gaps(struct timeline_silence *gaps, size_t n, int64_t length_ns)
{
	size_t i, kept = 0;

	for (i = 0; i < n; i++) {
		gaps[i].from_ns = clamp(gaps[i].from_ns, 0, length_ns);
		gaps[i].to_ns = clamp(gaps[i].to_ns, 0, length_ns);
		if (gaps[i].to_ns > gaps[i].from_ns) {
			gaps[kept++] = gaps[i];
		}
	}
	return kept;
}

static void make_silences(const struct fold *fold)
{
	struct timeline *timeline = fold->timeline;
	struct timeline_silence *list = timeline->silences, *last = NULL;
	int64_t from_ns = 0, to_ns;
	size_t i, n;

	n = trim_gaps(list, timeline->n_silences, timeline->length_ns);
	for (i = 0; i < fold->n_changes; i++, from_ns = to_ns) {
		const struct change *change = &fold->changes[i];

		to_ns = i + 1 < fold->n_changes ? fold->changes[i + 1].t_ns : timeline->length_ns;
		to_ns = clamp(to_ns, from_ns, timeline->length_ns);
		if (change->state == MIC_LIVE || to_ns == from_ns) {
			continue;
		}
		list[n] = (struct timeline_silence){.from_ns = from_ns, .to_ns = to_ns};
		memcpy(list[n].cause, change->cause, sizeof(list[n].cause));
		list[n].why = change->state == MIC_MUTED ? SILENCE_MUTED
			: change->state == MIC_LOST      ? SILENCE_LOST
			: change->state == MIC_FULL      ? SILENCE_FULL
							 : SILENCE_OFF;
		if (last && last->to_ns == from_ns && last->why == list[n].why &&
			strcmp(last->cause, list[n].cause) == 0) {
			last->to_ns = to_ns;
		} else {
			last = &list[n++];
		}
	}
	timeline->n_silences = n;
	qsort(list, n, sizeof(*list), by_silence);
}

static void join_chunk(struct timeline *timeline, const struct chunk *chunk)
{
	const int64_t cell_ns = LOUDNESS_MS * NS_PER_MS, step_ns = chunk->step_ms * NS_PER_MS;
	int64_t end_ns = chunk->from_ns + (int64_t)chunk->n * step_ns;
	int64_t cell = chunk->from_ns > 0 ? chunk->from_ns / cell_ns : 0;

	for (; cell < (int64_t)timeline->n_loudness && cell * cell_ns < end_ns; cell++) {
		int64_t middle_ns = cell * cell_ns + cell_ns / 2 - chunk->from_ns;

		if (middle_ns >= 0 && middle_ns / step_ns < (int64_t)chunk->n &&
			chunk->levels[middle_ns / step_ns] != LOUDNESS_UNKNOWN) {
			timeline->loudness[cell] = chunk->levels[middle_ns / step_ns];
		}
	}
}

static int join_loudness(const struct fold *fold)
{
	struct timeline *timeline = fold->timeline;
	const int64_t cell_ns = LOUDNESS_MS * NS_PER_MS;
	size_t i, n = (size_t)((timeline->length_ns + cell_ns - 1) / cell_ns);

	timeline->loudness_ms = LOUDNESS_MS;
	if (fold->n_chunks == 0 || n == 0) {
		return 0;
	}
	timeline->loudness = malloc(n);
	if (!timeline->loudness) {
		return -ENOMEM;
	}
	memset(timeline->loudness, LOUDNESS_UNKNOWN, n);
	timeline->n_loudness = n;
	for (i = 0; i < fold->n_chunks; i++) {
		join_chunk(timeline, &fold->chunks[i]);
	}
	return 0;
}

/* --- the whole --- */

static void settle_cues(struct timeline *timeline)
{
	size_t i;

	for (i = 0; i < timeline->n_cues; i++) {
		timeline->cues[i].t_ns = clamp(timeline->cues[i].t_ns, 0, timeline->length_ns);
	}
}

static int make(struct fold *fold)
{
	struct timeline *timeline = fold->timeline;
	int r;

	r = read_start(fold);
	if (r == 0) {
		r = fold_gather(fold);
	}
	if (r < 0) {
		return r;
	}
	settle_end(fold);
	settle_cues(timeline);
	timeline->n_pairs = wall_settle(timeline->pairs, timeline->n_pairs);
	timeline->start = timeline_moment(timeline, 0);
	make_silences(fold);
	r = make_events(fold);
	if (r == 0) {
		r = join_loudness(fold);
	}
	if (r == 0) {
		match_sound(timeline);
		r = sums_make(timeline);
	}
	return r;
}

int timeline_fold(
	const struct entry *entries, size_t n, int64_t observation, struct timeline **ret_timeline)
{
	struct timeline *timeline;
	struct fold fold;
	int r;

	timeline = calloc(1, sizeof(*timeline));
	if (!timeline) {
		return -ENOMEM;
	}
	r = fold_init(&fold, entries, n, observation, timeline);
	if (r == 0) {
		r = make(&fold);
	}
	fold_fini(&fold);
	if (r < 0) {
		timeline_free(timeline);
		return r;
	}
	*ret_timeline = timeline;
	return 0;
}

void timeline_free(struct timeline *timeline)
{
	size_t i;

	if (!timeline) {
		return;
	}
	for (i = 0; i < timeline->n_snippets; i++) {
		free(timeline->snippets[i].peaks);
	}
	free(timeline->events);
	free(timeline->snippets);
	free(timeline->silences);
	free(timeline->cues);
	free(timeline->loudness);
	free(timeline->pairs);
	free(timeline);
}

int64_t timeline_next(const struct entry *entries, size_t n, int64_t after)
{
	int64_t next = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		if (entries[i].kind == ENTRY_START && entries[i].seq > after &&
			entries[i].seq > 0 && (next == 0 || entries[i].seq < next)) {
			next = entries[i].seq;
		}
	}
	return next;
}

struct moment timeline_moment(const struct timeline *timeline, int64_t t_ns)
{
	return wall_moment(timeline->pairs, timeline->n_pairs, t_ns);
}
