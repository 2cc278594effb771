/*
 * The box's append-only record, on SQLite. One process writes at a time (a lock
 * file sees to it); any number read.
 */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include "app/journal/entry.h"

struct journal;

enum journal_mode {
	JOURNAL_READ,
	JOURNAL_WRITE,
};

/*
 * Positive results of journal_open(): the journal is open all the same.
 * JOURNAL_E_SET_ASIDE: the old database was damaged, has been renamed with a
 * time stamp, and a new one was started; @error says where the old one is. It is
 * said again at each opening for writing until something is in the new one.
 */
#define JOURNAL_E_SET_ASIDE 1

/*
 * Opens <dir>/journal.db. Writing creates it, brings an older schema up to date
 * and sets a damaged one aside. Returns 0, JOURNAL_E_SET_ASIDE (writing only),
 * -EBUSY (another process writes), -ENOENT (reading, none there), -EPROTO (made
 * by a newer version), -EUCLEAN (reading, damaged) or -errno. Blocks on disk.
 * Close with journal_close(), which takes NULL. One thread.
 */
int journal_open(const char *dir, enum journal_mode mode, struct journal **ret_journal,
	struct error *error) MUST_CHECK;
void journal_close(struct journal *journal);

/*
 * Appends all of the entries in one transaction: when it returns 0 they are on
 * disk (SQLite, WAL, synchronous=FULL). Their seq must go on where the journal
 * ends, without a hole; -EINVAL if not. -ENOSPC, -EIO or another -errno: none of
 * them is in; after that the handle takes nothing more (-ESTALE) and must be
 * closed and opened anew, because a failed fsync leaves pages falsely clean. Then
 * ask journal_last(): a cut between failing and closing can leave them in.
 */
int journal_append(struct journal *journal, const struct entry *entries, size_t n,
	struct error *error) MUST_CHECK;

/* The highest seq kept; 0 for an empty journal. */
int64_t journal_last(const struct journal *journal);

/* The journal's own UUID, made with it; borrowed until the journal is closed. */
const char *journal_id(const struct journal *journal);

/*
 * Adds the entries from @from_seq on to *entries, at most @most of them (0: all).
 * 0, or -errno with an explanation; what was read so far stays in the list.
 */
int journal_read(struct journal *journal, int64_t from_seq, size_t most, struct entries *entries,
	struct error *error) MUST_CHECK;

/*
 * The observation that the journal leaves open (its start has no end), or 0.
 * Walks back from the end, so it is quick however long the journal. 0 or -errno.
 */
int journal_observing(struct journal *journal, int64_t *ret_observation,
	struct error *error) MUST_CHECK;

/*
 * Reads every page and every entry: SQLite's own integrity check, contiguous
 * seq, entry_check() of each, references backwards to what exists. Calls @say
 * with one sentence a finding. Returns the number of findings, or -errno.
 */
int journal_check(struct journal *journal, void (*say)(void *data, const char *finding), void *data,
	struct error *error) MUST_CHECK;

#endif
