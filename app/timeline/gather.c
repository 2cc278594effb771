#include "app/timeline/gather.h"

#include "app/timeline/wall.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LOUDNESS_STEP_MOST_MS 1000
#define BOOT_ID_NONE "00000000-0000-0000-0000-000000000000"

int64_t clamp(int64_t t_ns, int64_t least_ns, int64_t most_ns)
{
	return t_ns < least_ns ? least_ns : t_ns > most_ns ? most_ns : t_ns;
}

int64_t from_start(const struct fold *fold, int64_t t_ns)
{
	return clamp(ns_minus(t_ns, fold->start->t_ns), -BEFORE_MOST_NS, LENGTH_MOST_NS);
}

int facts_of(const struct entry *entry, struct facts *ret_facts)
{
	int r = entry_get_facts(entry, ret_facts);

	if (r == -EINVAL) {
		*ret_facts = (struct facts){0};
		return 0;
	}
	return r;
}

/* --- order --- */

static int by_seq(const void *left, const void *right)
{
	const struct entry *a = *(const struct entry *const *)left;
	const struct entry *b = *(const struct entry *const *)right;

	if (a->seq != b->seq) {
		return a->seq < b->seq ? -1 : 1;
	}
	return (a > b) - (a < b);
}

static int put_in_order(struct fold *fold, const struct entry *entries, size_t n)
{
	bool sorted = true;
	size_t i;

	fold->order = calloc(n + 1, sizeof(const struct entry *));
	if (!fold->order) {
		return -ENOMEM;
	}
	for (i = 0; i < n; i++) {
		fold->order[i] = &entries[i];
		sorted = sorted && (i == 0 || entries[i - 1].seq < entries[i].seq);
	}
	if (sorted) {
		fold->n = n;
		return 0;
	}
	qsort(fold->order, n, sizeof(const struct entry *), by_seq);
	for (i = 0; i < n; i++) {
		if (fold->n == 0 || fold->order[fold->n - 1]->seq != fold->order[i]->seq) {
			fold->order[fold->n++] = fold->order[i];
		}
	}
	return 0;
}

static const struct entry *find(const struct fold *fold, int64_t seq)
{
	size_t from = 0, to = fold->n;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (fold->order[middle]->seq < seq) {
			from = middle + 1;
		} else {
			to = middle;
		}
	}
	return from < fold->n && fold->order[from]->seq == seq ? fold->order[from] : NULL;
}

/* --- boots --- */

bool same_boot(const struct fold *fold, const struct entry *entry)
{
	size_t from = 0, to = fold->n_boots;

	if (entry->boot == fold->start->boot) {
		return true;
	}
	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (fold->boots[middle].seq < entry->boot) {
			from = middle + 1;
		} else {
			to = middle;
		}
	}
	return from < fold->n_boots && fold->boots[from].seq == entry->boot &&
		fold->boots[from].same;
}

static int know_boots(struct fold *fold)
{
	const struct entry *own = find(fold, fold->start->boot);
	char id[BOOT_ID_CHARS] = "";
	struct facts facts;
	size_t i, n = 0;
	int r;

	if (own && own->kind == ENTRY_BOOT) {
		r = facts_of(own, &facts);
		if (r < 0) {
			return r;
		}
		memcpy(id, facts.boot_id, sizeof(id));
		memcpy(fold->timeline->box, facts.box, sizeof(facts.box));
		facts_fini(&facts);
	}
	for (i = 0; i < fold->n; i++) {
		n += fold->order[i]->kind == ENTRY_BOOT;
	}
	fold->boots = calloc(n + 1, sizeof(*fold->boots));
	if (!fold->boots) {
		return -ENOMEM;
	}
	for (i = 0; i < fold->n; i++) {
		if (fold->order[i]->kind != ENTRY_BOOT) {
			continue;
		}
		r = facts_of(fold->order[i], &facts);
		if (r < 0) {
			return r;
		}
		fold->boots[fold->n_boots++] = (struct boot){
			.seq = fold->order[i]->seq,
			.same = id[0] && strcmp(id, BOOT_ID_NONE) != 0 &&
				strcmp(id, facts.boot_id) == 0,
		};
		facts_fini(&facts);
	}
	return 0;
}

/* --- the fold --- */

int fold_init(struct fold *fold, const struct entry *entries, size_t n, int64_t observation,
	struct timeline *timeline)
{
	int r;

	*fold = (struct fold){.timeline = timeline};
	r = put_in_order(fold, entries, n);
	if (r < 0) {
		return r;
	}
	fold->start = observation > 0 ? find(fold, observation) : NULL;
	if (!fold->start || fold->start->kind != ENTRY_START) {
		return -ENOENT;
	}
	return know_boots(fold);
}

void fold_fini(struct fold *fold)
{
	size_t i;

	for (i = 0; i < fold->n_chunks; i++) {
		free(fold->chunks[i].levels);
	}
	free(fold->chunks);
	free(fold->changes);
	free(fold->boots);
	free(fold->order);
	*fold = (struct fold){0};
}

/* --- the first walk --- */

/* Room for all that could come, so that gathering needs not think of it. */
static int make_room(struct fold *fold)
{
	struct timeline *timeline = fold->timeline;
	size_t i, kinds[ENTRY_KINDS_END] = {0};

	for (i = 0; i < fold->n; i++) {
		int kind = (int)fold->order[i]->kind;

		if (kind > 0 && kind < ENTRY_KINDS_END) {
			kinds[kind]++;
		}
	}
	timeline->pairs = calloc(kinds[ENTRY_CLOCK] + 1, sizeof(*timeline->pairs));
	timeline->snippets = calloc(kinds[ENTRY_SNIPPET] + 1, sizeof(*timeline->snippets));
	timeline->cues = calloc(kinds[ENTRY_CUE] + 1, sizeof(*timeline->cues));
	timeline->silences =
		calloc(kinds[ENTRY_GAP] + kinds[ENTRY_MIC] + 1, sizeof(*timeline->silences));
	fold->changes = calloc(kinds[ENTRY_MIC] + 1, sizeof(*fold->changes));
	fold->chunks = calloc(kinds[ENTRY_LOUDNESS] + 1, sizeof(*fold->chunks));
	if (!timeline->pairs || !timeline->snippets || !timeline->cues || !timeline->silences ||
		!fold->changes || !fold->chunks) {
		return -ENOMEM;
	}
	fold->changes[fold->n_changes++] = (struct change){.state = MIC_OFF};
	return 0;
}

static void alive_at(struct fold *fold, int64_t t_ns)
{
	if (t_ns > fold->latest_ns) {
		fold->latest_ns = t_ns;
	}
}

static void take_pair(struct fold *fold, const struct entry *entry, const struct facts *facts)
{
	fold->timeline->pairs[fold->timeline->n_pairs++] = (struct clock_pair){
		.t_ns = ns_minus(entry->t_ns, fold->start->t_ns),
		.realtime_ns = entry->value,
		.uncertainty_ns = facts->uncertainty_ns,
		.trusted = facts->trusted,
	};
}

static void take_mic(struct fold *fold, const struct entry *entry, const struct facts *facts)
{
	struct change change = {.state = MIC_LOST};

	if (entry->value >= 0 && entry->value <= MIC_FULL) {
		change.state = (enum mic_state)entry->value;
	}
	memcpy(change.cause, facts->cause, sizeof(change.cause));
	if (entry->seq < fold->start->seq) {
		fold->changes[0] = change;
	} else {
		change.t_ns = from_start(fold, entry->t_ns);
		fold->changes[fold->n_changes++] = change;
	}
}

static void take_gap(struct fold *fold, const struct facts *facts)
{
	struct timeline *timeline = fold->timeline;
	struct timeline_silence *gap = &timeline->silences[timeline->n_silences++];

	*gap = (struct timeline_silence){
		.from_ns = from_start(fold, facts->from_ns),
		.to_ns = from_start(fold, facts->to_ns),
		.why = SILENCE_GAP,
	};
	memcpy(gap->cause, facts->cause, sizeof(gap->cause));
	alive_at(fold, gap->to_ns);
}

/* One that breaks the rules is none: its file's name may lead anywhere. */
static void take_snippet(struct fold *fold, const struct entry *entry, struct facts *facts)
{
	struct timeline *timeline = fold->timeline;
	struct timeline_snippet *snippet = &timeline->snippets[timeline->n_snippets];

	if (entry_check(entry, NULL) < 0) {
		return;
	}
	timeline->n_snippets++;
	*snippet = (struct timeline_snippet){
		.seq = entry->seq,
		.from_ns = from_start(fold, facts->from_ns),
		.to_ns = from_start(fold, facts->to_ns),
		.bytes = facts->bytes,
		.complete = facts->complete,
		.peaks = facts->levels,
		.n_peaks = facts->n_levels,
		.peak_ms = facts->step_ms,
	};
	memcpy(snippet->file, facts->file, sizeof(snippet->file));
	memcpy(snippet->sha256, facts->sha256, sizeof(snippet->sha256));
	memcpy(snippet->codec, facts->codec, sizeof(snippet->codec));
	facts->levels = NULL;
	alive_at(fold, snippet->to_ns);
}

static void take_loudness(struct fold *fold, struct facts *facts)
{
	struct chunk *chunk = &fold->chunks[fold->n_chunks];
	int64_t length_ns;

	if (facts->n_levels == 0 || facts->step_ms < 1 || facts->step_ms > LOUDNESS_STEP_MOST_MS ||
		facts->n_levels > (size_t)(LENGTH_MOST_NS / NS_PER_MS)) {
		return;
	}
	fold->n_chunks++;
	*chunk = (struct chunk){
		.from_ns = from_start(fold, facts->from_ns),
		.step_ms = facts->step_ms,
		.levels = facts->levels,
		.n = facts->n_levels,
	};
	facts->levels = NULL;
	length_ns = (int64_t)chunk->n * chunk->step_ms * NS_PER_MS;
	alive_at(fold, clamp(chunk->from_ns + length_ns, 0, LENGTH_MOST_NS));
}

static void take_cue(struct fold *fold, const struct entry *entry)
{
	struct timeline *timeline = fold->timeline;

	timeline->cues[timeline->n_cues++] = (struct timeline_cue){
		.seq = entry->seq,
		.t_ns = from_start(fold, entry->t_ns),
		.code = scheme_code(&timeline->scheme, entry->code),
	};
}

/* During the walk the snippets stand in order of seq. */
static void take_gone(struct fold *fold, const struct entry *entry)
{
	struct timeline_snippet *snippets = fold->timeline->snippets;
	size_t from = 0, to = fold->timeline->n_snippets;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (snippets[middle].seq < entry->ref) {
			from = middle + 1;
		} else {
			to = middle;
		}
	}
	if (from < fold->timeline->n_snippets && snippets[from].seq == entry->ref) {
		snippets[from].gone = true;
	}
}

/* Whether the entry says something that the first walk gathers. */
static bool concerns(const struct fold *fold, const struct entry *entry)
{
	bool ours = entry->observation == fold->start->seq && entry != fold->start;
	bool later = entry->seq > fold->start->seq;

	switch (entry->kind) {
	case ENTRY_CLOCK:
		return same_boot(fold, entry);
	case ENTRY_MIC:
		return same_boot(fold, entry) && !(later && (fold->end || fold->passed)) &&
			(ours || !later || entry->observation == 0);
	case ENTRY_GAP:
	case ENTRY_CUE:
		return ours && same_boot(fold, entry);
	case ENTRY_SNIPPET:
	case ENTRY_LOUDNESS:
		return ours;
	case ENTRY_GONE:
		return entry->ref > fold->start->seq;
	case ENTRY_END:
		return ours && !fold->end;
	default:
		return false;
	}
}

static void take(struct fold *fold, const struct entry *entry, struct facts *facts)
{
	switch (entry->kind) {
	case ENTRY_CLOCK:
		take_pair(fold, entry, facts);
		break;
	case ENTRY_MIC:
		take_mic(fold, entry, facts);
		break;
	case ENTRY_GAP:
		take_gap(fold, facts);
		break;
	case ENTRY_SNIPPET:
		take_snippet(fold, entry, facts);
		break;
	case ENTRY_LOUDNESS:
		take_loudness(fold, facts);
		break;
	case ENTRY_CUE:
		take_cue(fold, entry);
		break;
	case ENTRY_GONE:
		take_gone(fold, entry);
		break;
	case ENTRY_END:
		fold->end = entry;
		memcpy(fold->timeline->end_cause, facts->cause, sizeof(facts->cause));
		break;
	default:
		break;
	}
}

/*
 * Whether the observation was running at the entry's t_ns. What a later run of
 * the recorder made good (a torn snippet, say) tells nothing by its time.
 */
static bool shows_life(const struct fold *fold, const struct entry *entry)
{
	if (entry->observation != fold->start->seq || fold->end || entry->kind == ENTRY_END) {
		return false;
	}
	return entry->boot == fold->start->boot ||
		(same_boot(fold, entry) &&
			(entry->kind == ENTRY_PRESS || entry->kind == ENTRY_RELEASE));
}

int fold_gather(struct fold *fold)
{
	struct facts facts;
	size_t i;
	int r;

	r = make_room(fold);
	for (i = 0; r == 0 && i < fold->n; i++) {
		const struct entry *entry = fold->order[i];

		if (entry->seq > fold->start->seq &&
			(entry->kind == ENTRY_BOOT || entry->kind == ENTRY_START)) {
			fold->passed = true;
		}
		if (shows_life(fold, entry)) {
			alive_at(fold, from_start(fold, entry->t_ns));
		}
		if (!concerns(fold, entry)) {
			continue;
		}
		r = facts_of(entry, &facts);
		if (r == 0) {
			take(fold, entry, &facts);
			facts_fini(&facts);
		}
	}
	return r;
}
