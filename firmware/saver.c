#include "firmware/saver.h"

#include "app/base/file.h"
#include "firmware/space.h"

#include <errno.h>
#include <string.h>

#define RETRY_NS NS_PER_S

int saver_open(struct saver *saver, const struct config *config, struct error *error)
{
	*saver = (struct saver){.config = config};
	int r = file_make_dirs(config->state);
	if (r < 0) {
		return error_set(error, r, "%s: %s; set state in [box] to a folder that can be "
			"written", config->state, strerror(-r));
	}
	return journal_open(config->state, JOURNAL_WRITE, &saver->journal, error);
}

void saver_close(struct saver *saver)
{
	journal_close(saver->journal);
	saver->journal = NULL;
	entries_fini(&saver->pending);
}

int saver_add(struct saver *saver, struct entries *entries)
{
	int r = 0;
	for (size_t i = 0; i < entries->n; i++) {
		int one = entries_add(&saver->pending, &entries->list[i]);
		r = one < 0 ? one : r;
	}
	entries->n = 0; /* moved, bodies and all */
	entries_fini(entries);
	return r;
}

/* The pending entries up to @seq are in. */
static void settle(struct saver *saver, int64_t seq, saver_saved *saved, void *data)
{
	size_t gone = 0;
	while (gone < saver->pending.n && saver->pending.list[gone].seq <= seq) {
		saved(data, &saver->pending.list[gone]);
		entry_fini(&saver->pending.list[gone++]);
	}
	saver->pending.n -= gone;
	memmove(saver->pending.list, saver->pending.list + gone,
		saver->pending.n * sizeof(saver->pending.list[0]));
}

static bool same(const struct entry *a, const struct entry *b)
{
	return a->seq == b->seq && a->boot == b->boot && a->t_ns == b->t_ns && a->kind == b->kind &&
		a->observation == b->observation && strcmp(a->code, b->code) == 0 &&
		a->ref == b->ref && a->value == b->value &&
		strcmp(a->body ? a->body : "", b->body ? b->body : "") == 0;
}

/* Whether what stands in the journal under the pending's numbers is theirs. */
static int compare(struct saver *saver)
{
	struct entries there = {0};
	const struct entries *pending = &saver->pending;
	int r = journal_read(saver->journal, pending->list[0].seq, 0, &there, &saver->why);
	bool ours = there.n <= pending->n;
	for (size_t i = 0; r == 0 && ours && i < there.n; i++) {
		ours = same(&there.list[i], &pending->list[i]);
	}
	entries_fini(&there);
	return r < 0 ? r
		: ours ? 0
		       : error_set(&saver->why, SAVER_E_ANOTHER, "others wrote into it meanwhile");
}

/* Opens the journal anew, and sees what of the pending did get in. */
static int reopen(struct saver *saver, saver_saved *saved, void *data)
{
	int r = journal_open(saver->config->state, JOURNAL_WRITE, &saver->journal, &saver->why);
	if (r < 0) {
		return r;
	}
	/* one that was set aside before anything was in it goes on being empty */
	int64_t last = journal_last(saver->journal);
	if (last + 1 < saver->pending.list[0].seq) {
		return r > 0 ? SAVER_E_ANOTHER
			     : error_set(&saver->why, SAVER_E_ANOTHER,
				       "its last entries are missing");
	}
	r = compare(saver);
	if (r == 0) {
		settle(saver, last, saved, data);
	}
	return r;
}

static int try_once(struct saver *saver, saver_saved *saved, void *data)
{
	int r = saver->journal ? 0 : reopen(saver, saved, data);
	if (r == 0 && saver->pending.n) {
		r = journal_append(saver->journal, saver->pending.list, saver->pending.n,
			&saver->why);
	}
	if (r < 0) {
		journal_close(saver->journal);
		saver->journal = NULL;
	}
	return r;
}

int saver_save(struct saver *saver, int64_t now_ns, saver_saved *saved, void *data)
{
	if (saver->pending.n == 0 || (saver->failing && now_ns < saver->retry_ns)) {
		return saver->pending.n ? -EAGAIN : 0;
	}
	int r = try_once(saver, saved, data);
	if (r == -ENOSPC && space_release(saver->config) == 0) {
		r = try_once(saver, saved, data);
	}
	if (r == 0) {
		settle(saver, INT64_MAX, saved, data);
	}
	saver->failing = r < 0;
	saver->retry_ns = now_ns + RETRY_NS;
	return r;
}

int64_t saver_deadline(const struct saver *saver)
{
	return saver->failing ? saver->retry_ns : INT64_MAX;
}
