/*
 * Journals of boxes and their entries, in the store. Any thread; blocks on the
 * disk.
 */
#ifndef SERVER_STORE_ENTRIES_H
#define SERVER_STORE_ENTRIES_H

#include "app/journal/entry.h"
#include "app/server/store.h"
#include "app/server/store_boxes.h"

/*
 * Notes that the journal is the box's, unless it is known, and gives how far it is
 * kept: every entry from 1 to *ret_kept. A journal stays with the box that showed
 * it first; a box paired anew takes it along when the earlier pairing was the same
 * coach's or has been revoked, otherwise STORE_E_OTHERS. 0 or -errno.
 */
int store_journal_claim(struct store *store, const char *journal, const char *box,
	int64_t *ret_kept, struct error *error) MUST_CHECK;

/* Why one entry of a batch was not taken. */
struct entry_refusal {
	int64_t seq;
	char reason[160];
};

struct entry_batch {
	const char *journal, *box, *coach;
	const struct entry *list;    /* in the order they were sent */
	const char *const *wrong;    /* per entry: why it cannot be one, or NULL */
	size_t n;
	int64_t now_ns;
	/* results */
	int64_t kept;
	struct entry_refusal *refused; /* room for n, the caller's */
	size_t n_refused;
};

/*
 * Keeps what can be kept, in one durable transaction: those that go on where the
 * journal ends and keep the rules of their kind. An entry that is there already is
 * kept when it is the same, else refused "differs"; one behind a hole is refused
 * "hole", one against the rules "invalid: ...". The box has been heard of too. 0,
 * STORE_E_OTHERS or -errno.
 */
int store_entries_add(
	struct store *store, struct entry_batch *batch, struct error *error) MUST_CHECK;

/*
 * The snippets of a journal whose sound is neither kept nor withdrawn, lowest
 * first, @room at most. 0 or -errno.
 */
int store_snippets_missing(struct store *store, const char *journal, int64_t *ret_seqs, size_t room,
	size_t *ret_n, struct error *error) MUST_CHECK;

/* The same of those withdrawn whose going the journal does not tell of yet. */
int store_snippets_withdrawn(struct store *store, const char *journal, int64_t *ret_seqs,
	size_t room, size_t *ret_n, struct error *error) MUST_CHECK;

#endif
