/*
 * A timeline follows from the journal's entries alone, so that it is good for as
 * long as the journal is known up to the same entry: (observation, kept) names it.
 * What the server adds, which sound is here and which was withdrawn, is hashed and
 * makes the third part of the name. Nothing has to be told when anything changes.
 * A box's journal goes on for years, and each sync would make all its observations
 * unknown: once a later start of the box had another kernel's clock, a summary is
 * good until entries of that very observation come.
 *
 * Summaries are small and many: buckets of four. Texts are large and few: the one
 * that was not asked for the longest goes first.
 */
#include "app/server/timelines.h"

#include "app/server/turns.h"
#include "app/timeline/json.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 1024
#define PLACES 4
#define TEXTS 32
#define FOLDING_MOST 2
#define FOLDING_WAIT_MOST 12
#define TEXTS_BYTES_MOST ((size_t)64 << 20)

struct name {
	char id[ID_CHARS];
	int64_t kept;
	uint64_t sounds;
};

struct kept_summary {
	struct name name;
	struct summary summary;
};

struct kept_text {
	struct name name;
	char *text; /* NULL: free */
	size_t n;
	uint64_t used;
};

struct timelines {
	struct turns folding; /* few at a time: it takes memory */
	pthread_mutex_t lock;
	unsigned char key[crypto_shorthash_KEYBYTES];
	struct kept_summary summaries[BUCKETS][PLACES];
	unsigned int next[BUCKETS]; /* the place to be taken next */
	struct kept_text texts[TEXTS];
	size_t bytes;
	uint64_t turn;
};

int timelines_new(struct timelines **ret_timelines)
{
	struct timelines *timelines = calloc(1, sizeof(*timelines));

	if (!timelines) {
		return -ENOMEM;
	}
	turns_init(&timelines->folding, FOLDING_MOST, FOLDING_WAIT_MOST);
	(void)pthread_mutex_init(&timelines->lock, NULL);
	crypto_shorthash_keygen(timelines->key);
	*ret_timelines = timelines;
	return 0;
}

void timelines_free(struct timelines *timelines)
{
	if (!timelines) {
		return;
	}
	for (size_t i = 0; i < TEXTS; i++) {
		free(timelines->texts[i].text);
	}
	(void)pthread_mutex_destroy(&timelines->lock);
	turns_fini(&timelines->folding);
	free(timelines);
}

static uint64_t hash(const struct timelines *timelines, const void *bytes, size_t n)
{
	uint64_t number;

	(void)crypto_shorthash((unsigned char *)&number, bytes, n, timelines->key);
	return number;
}

static struct name name_of(const struct observation *observation, uint64_t sounds)
{
	struct name name = {.kept = observation->kept, .sounds = sounds};

	memcpy(name.id, observation->id, sizeof(name.id));
	return name;
}

static bool same(const struct name *a, const struct name *b)
{
	return a->kept == b->kept && a->sounds == b->sounds && strcmp(a->id, b->id) == 0;
}

/* --- summaries --- */

static size_t bucket_of(const struct timelines *timelines, const struct name *name)
{
	return hash(timelines, name->id, strlen(name->id)) % BUCKETS;
}

/* The observation's summary, which may be of an earlier state of the journal. */
static bool find_summary(
	struct timelines *timelines, const struct name *name, struct kept_summary *ret_kept)
{
	struct kept_summary *bucket = timelines->summaries[bucket_of(timelines, name)];
	bool found = false;

	(void)pthread_mutex_lock(&timelines->lock);
	for (size_t i = 0; i < PLACES && !found; i++) {
		if (strcmp(bucket[i].name.id, name->id) == 0) {
			*ret_kept = bucket[i];
			found = true;
		}
	}
	(void)pthread_mutex_unlock(&timelines->lock);
	return found;
}

static void keep_summary(
	struct timelines *timelines, const struct name *name, const struct summary *summary)
{
	size_t at = bucket_of(timelines, name), place, i;

	(void)pthread_mutex_lock(&timelines->lock);
	place = timelines->next[at] % PLACES;
	for (i = 0; i < PLACES; i++) {
		if (strcmp(timelines->summaries[at][i].name.id, name->id) == 0) {
			place = i; /* an older one of the same observation */
		}
	}
	if (place == timelines->next[at] % PLACES) {
		timelines->next[at]++;
	}
	timelines->summaries[at][place] = (struct kept_summary){*name, *summary};
	(void)pthread_mutex_unlock(&timelines->lock);
}

/* --- texts --- */

/* A copy of the text, or NULL when it is not there; -ENOMEM. */
static int find_text(struct timelines *timelines, const struct name *name, char **ret_text)
{
	char *copy = NULL;
	int r = 0;

	(void)pthread_mutex_lock(&timelines->lock);
	for (size_t i = 0; i < TEXTS; i++) {
		struct kept_text *kept = &timelines->texts[i];

		if (kept->text && same(&kept->name, name)) {
			copy = malloc(kept->n + 1);
			if (copy) {
				memcpy(copy, kept->text, kept->n + 1);
				kept->used = ++timelines->turn;
			}
			r = copy ? 0 : -ENOMEM;
			break;
		}
	}
	(void)pthread_mutex_unlock(&timelines->lock);
	*ret_text = copy;
	return r;
}

static void drop(struct timelines *timelines, struct kept_text *kept)
{
	timelines->bytes -= kept->text ? kept->n : 0;
	free(kept->text);
	*kept = (struct kept_text){0};
}

static struct kept_text *oldest(struct timelines *timelines)
{
	struct kept_text *oldest = &timelines->texts[0];

	for (size_t i = 0; i < TEXTS; i++) {
		if (timelines->texts[i].used < oldest->used) {
			oldest = &timelines->texts[i];
		}
	}
	return oldest;
}

/* The one with text, used the longest ago. */
static struct kept_text *oldest_full(struct timelines *timelines)
{
	struct kept_text *found = NULL;

	for (size_t i = 0; i < TEXTS; i++) {
		struct kept_text *kept = &timelines->texts[i];

		if (kept->text && (!found || kept->used < found->used)) {
			found = kept;
		}
	}
	return found;
}

/* Keeps a copy, if there is memory for it. */
static void keep_text(struct timelines *timelines, const struct name *name, const char *text)
{
	size_t n = strlen(text);
	char *copy = n <= TEXTS_BYTES_MOST / 4 ? malloc(n + 1) : NULL;
	struct kept_text *kept;

	if (!copy) {
		return;
	}
	memcpy(copy, text, n + 1);
	(void)pthread_mutex_lock(&timelines->lock);
	for (size_t i = 0; i < TEXTS; i++) { /* earlier ones of it are of no use */
		if (strcmp(timelines->texts[i].name.id, name->id) == 0) {
			drop(timelines, &timelines->texts[i]);
		}
	}
	while (timelines->bytes + n > TEXTS_BYTES_MOST) {
		drop(timelines, oldest_full(timelines));
	}
	kept = oldest(timelines);
	drop(timelines, kept);
	*kept = (struct kept_text){*name, copy, n, ++timelines->turn};
	timelines->bytes += n;
	(void)pthread_mutex_unlock(&timelines->lock);
}

/* --- folding --- */

static void boot_id_of(const struct entry *boot, char ret_id[static BOOT_ID_CHARS])
{
	struct facts facts;

	ret_id[0] = '\0';
	if (boot && entry_get_facts(boot, &facts) == 0) {
		memcpy(ret_id, facts.boot_id, BOOT_ID_CHARS);
		facts_fini(&facts);
	}
}

/* Whether the box was started anew, its kernel too, after the observation began. */
static bool is_closed(const struct entries *entries, int64_t start)
{
	char own[BOOT_ID_CHARS] = "", later[BOOT_ID_CHARS];
	const struct entry *boot = NULL;

	for (size_t i = 0; i < entries->n; i++) { /* in order of seq */
		const struct entry *entry = &entries->list[i];

		if (entry->seq == start) {
			boot_id_of(boot, own);
		} else if (entry->kind == ENTRY_BOOT && entry->seq < start) {
			boot = entry;
		} else if (entry->kind == ENTRY_BOOT) {
			boot_id_of(entry, later);
			if (*own && *later && strcmp(own, later) != 0) {
				return true;
			}
		}
	}
	return false;
}

static void summarize(const struct timeline *timeline, bool closed, struct summary *ret_summary)
{
	*ret_summary = (struct summary){
		.start = timeline->start,
		.length_ns = timeline->length_ns,
		.running = timeline->running,
		.snippets = timeline->n_snippets,
		.closed = closed,
	};
	for (size_t i = 0; i < timeline->n_events; i++) {
		ret_summary->events += !timeline->events[i].undone;
	}
}

static int fold(struct store *store, const struct observation *observation,
	struct timeline **ret_timeline, struct summary *ret_summary, struct error *error)
{
	struct entries entries = {0};
	int r = store_observation_entries(store, observation, &entries, error);

	if (r == 0) {
		r = timeline_fold(entries.list, entries.n, observation->seq, ret_timeline);
		r = r == -ENOENT ? STORE_E_NONE : r;
	}
	if (r == 0) {
		summarize(*ret_timeline, is_closed(&entries, observation->seq), ret_summary);
	}
	entries_fini(&entries);
	return r;
}

/* Whether the kept one still holds: 1, 0 or -errno. */
static int still_holds(struct store *store, const struct observation *observation,
	const struct kept_summary *kept, struct error *error)
{
	int r;

	if (kept->name.kept == observation->kept) {
		return 1;
	}
	if (!kept->summary.closed || kept->name.kept > observation->kept) {
		return 0;
	}
	r = store_observation_goes_on(store, observation, kept->name.kept, error);
	return r < 0 ? r : !r;
}

int timelines_summary(struct timelines *timelines, struct store *store,
	const struct observation *observation, struct summary *ret_summary, struct error *error)
{
	struct name name = name_of(observation, 0);
	struct timeline *timeline;
	struct kept_summary kept;
	int r = 0;

	if (find_summary(timelines, &name, &kept)) {
		r = still_holds(store, observation, &kept, error);
	}
	if (r < 0) {
		return r;
	}
	if (r > 0) {
		*ret_summary = kept.summary;
	} else {
		r = turns_take(&timelines->folding);
		if (r < 0) {
			return r;
		}
		r = fold(store, observation, &timeline, ret_summary, error);
		timeline_free(r == 0 ? timeline : NULL);
		turns_give(&timelines->folding);
		if (r != 0) {
			return r;
		}
	}
	if (r == 0 || kept.name.kept != name.kept) {
		keep_summary(timelines, &name, ret_summary);
	}
	return 0;
}

/* --- the JSON --- */

static int by_seq(const void *left, const void *right)
{
	const struct sound *a = left, *b = right;

	return (a->seq > b->seq) - (a->seq < b->seq);
}

/* What the server adds to a timeline, in one number. */
static uint64_t hash_sounds(const struct timelines *timelines, const struct sound *sounds, size_t n)
{
	uint64_t sum = 1;

	for (size_t i = 0; i < n; i++) {
		const uint64_t words[] = {sum, (uint64_t)sounds[i].seq,
			(uint64_t)sounds[i].withdrawn_ns, sounds[i].kept, sounds[i].by_rule};

		sum = hash(timelines, words, sizeof(words));
	}
	return sum;
}

static int add_sounds(json_t *json, const struct sound *sounds, size_t n)
{
	json_t *snippet;
	size_t i;

	json_array_foreach(json_object_get(json, "snippets"), i, snippet)
	{
		struct sound key = {.seq = json_integer_value(json_object_get(snippet, "seq"))};
		const struct sound *sound =
			!n ? NULL : bsearch(&key, sounds, n, sizeof(*sounds), by_seq);
		bool withdrawn = sound && sound->withdrawn_ns > 0;
		json_t *more = json_pack("{s:b, s:b, s:o}", "kept", sound && sound->kept,
			"withdrawn", withdrawn, "withdrawn_by",
			!withdrawn ? json_null()
				   : json_string(sound->by_rule ? "rule" : "teacher"));
		int r = more ? json_object_update(snippet, more) : -1;

		json_decref(more);
		if (r < 0) {
			return -ENOMEM;
		}
	}
	return 0;
}

static int make_text(const struct timeline *timeline, const struct sound *sounds, size_t n_sounds,
	char **ret_text)
{
	json_t *json = json_timeline(timeline);
	char *text = NULL;

	if (json && add_sounds(json, sounds, n_sounds) == 0) {
		text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15));
	}
	json_decref(json);
	if (!text) {
		return -ENOMEM;
	}
	*ret_text = text;
	return 0;
}

int timelines_json(struct timelines *timelines, struct store *store,
	const struct observation *observation, char **ret_text, struct error *error)
{
	struct timeline *timeline;
	struct sound *sounds;
	struct summary summary;
	struct name name;
	size_t n_sounds;
	int r;

	r = store_sounds_of(store, observation, &sounds, &n_sounds, error);
	if (r < 0) {
		return r;
	}
	name = name_of(observation, hash_sounds(timelines, sounds, n_sounds));
	r = find_text(timelines, &name, ret_text);
	if (r < 0 || *ret_text) {
		free(sounds);
		return r;
	}
	r = turns_take(&timelines->folding);
	if (r == 0) {
		r = fold(store, observation, &timeline, &summary, error);
		if (r == 0) {
			r = make_text(timeline, sounds, n_sounds, ret_text);
			timeline_free(timeline);
		}
		turns_give(&timelines->folding);
	}
	free(sounds);
	if (r == 0) {
		keep_text(timelines, &name, *ret_text);
		name.sounds = 0;
		keep_summary(timelines, &name, &summary);
	}
	return r;
}
