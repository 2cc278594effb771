#include "app/server/store_entries.h"

#include "app/server/store_sql.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- journals --- */

struct claim {
	const char *journal, *box;
	int64_t kept;
};

/* The journal's box and how far it is kept: 1 when there is one, 0 when not. */
static int owner(struct store_db *db, const struct claim *claim, char ret_box[static ID_CHARS],
	int64_t *ret_kept, struct error *error)
{
	sqlite3_stmt *stmt;
	int r;

	r = sql_begin(db, &stmt, error, "SELECT box, kept FROM journal WHERE id = $1", "t",
		claim->journal);
	if (r < 0) {
		return r;
	}
	r = sql_next(db, stmt, error);
	if (r > 0) {
		sql_text(stmt, 0, ret_box, ID_CHARS);
		*ret_kept = sqlite3_column_int64(stmt, 1);
	}
	sql_done(stmt);
	return r;
}

static int move(struct store_db *db, const struct claim *claim, struct error *error)
{
	int changed, r;

	r = sql_do(db, &changed, error,
		"UPDATE journal SET box = $2 WHERE id = $1 AND EXISTS("
		"SELECT 1 FROM box AS old, box AS new WHERE old.id = journal.box AND new.id = $2"
		" AND (old.revoked_ns <> 0 OR old.coach = new.coach))",
		"tt", claim->journal, claim->box);
	return r < 0 ? r : changed ? 0 : STORE_E_OTHERS;
}

/* Part of a transaction that writes. */
static int settle(struct store_db *db, struct claim *claim, struct error *error)
{
	char box[ID_CHARS];
	int r;

	claim->kept = 0;
	r = owner(db, claim, box, &claim->kept, error);
	if (r < 0) {
		return r;
	}
	if (r == 0) {
		return sql_do(db, NULL, error, "INSERT INTO journal(id, box) VALUES($1, $2)", "tt",
			claim->journal, claim->box);
	}
	return strcmp(box, claim->box) == 0 ? 0 : move(db, claim, error);
}

static int look(struct store_db *db, void *arg, struct error *error)
{
	struct claim *claim = arg;
	char box[ID_CHARS];
	int r;

	r = owner(db, claim, box, &claim->kept, error);
	return r < 0 ? r : r > 0 && strcmp(box, claim->box) == 0 ? 0 : 1;
}

static int settle_job(struct store_db *db, void *arg, struct error *error)
{
	return settle(db, arg, error);
}

int store_journal_claim(struct store *store, const char *journal, const char *box,
	int64_t *ret_kept, struct error *error)
{
	struct claim claim = {.journal = journal, .box = box};
	int r;

	r = store_read(store, look, &claim, error);
	if (r > 0) {
		r = store_write(store, settle_job, &claim, error);
	}
	if (r == 0) {
		*ret_kept = claim.kept;
	}
	return r;
}

/* --- entries --- */

#define COLUMNS "seq, boot, t_ns, kind, observation, code, ref, value, body"

static int row(sqlite3_stmt *stmt, struct entry *ret_entry)
{
	*ret_entry = (struct entry){
		.seq = sqlite3_column_int64(stmt, 0),
		.boot = sqlite3_column_int64(stmt, 1),
		.t_ns = sqlite3_column_int64(stmt, 2),
		.kind = (enum entry_kind)sqlite3_column_int(stmt, 3),
		.observation = sqlite3_column_int64(stmt, 4),
		.ref = sqlite3_column_int64(stmt, 6),
		.value = sqlite3_column_int64(stmt, 7),
	};
	sql_text(stmt, 5, ret_entry->code, sizeof(ret_entry->code));
	if (sqlite3_column_type(stmt, 8) != SQLITE_NULL) {
		ret_entry->body = sql_text_new(stmt, 8);
		return ret_entry->body ? 0 : -ENOMEM;
	}
	return 0;
}

/* Bodies are the same when they say the same, in whatever order. */
static bool same_body(const char *a, const char *b)
{
	json_t *left, *right;
	bool same;

	if (!a || !b) {
		return a == b;
	}
	if (strcmp(a, b) == 0) {
		return true;
	}
	left = json_loads(a, 0, NULL);
	right = json_loads(b, 0, NULL);
	same = left && right && json_equal(left, right);
	json_decref(left);
	json_decref(right);
	return same;
}

static bool same(const struct entry *a, const struct entry *b)
{
	return a->seq == b->seq && a->boot == b->boot && a->t_ns == b->t_ns && a->kind == b->kind &&
		a->observation == b->observation && strcmp(a->code, b->code) == 0 &&
		a->ref == b->ref && a->value == b->value && same_body(a->body, b->body);
}

/* 0 when the journal has just this entry, 1 when it has another one. */
static int compare(struct store_db *db, const struct entry_batch *batch, const struct entry *entry,
	struct error *error)
{
	struct entry old = {0};
	sqlite3_stmt *stmt;
	int r;

	r = sql_begin(db, &stmt, error,
		"SELECT " COLUMNS " FROM entry WHERE journal = $1 AND seq = $2", "ti",
		batch->journal, entry->seq);
	if (r < 0) {
		return r;
	}
	r = sql_next(db, stmt, error);
	if (r > 0) {
		r = row(stmt, &old);
		if (r == 0) {
			r = same(&old, entry) ? 0 : 1;
		}
		entry_fini(&old);
	} else if (r == 0) {
		r = error_set(error, -EUCLEAN, "entry %lld should be there", (long long)entry->seq);
	}
	sql_done(stmt);
	return r;
}

static void refuse(struct entry_batch *batch, int64_t seq, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void refuse(struct entry_batch *batch, int64_t seq, const char *format, ...)
{
	struct entry_refusal *refusal = &batch->refused[batch->n_refused++];
	va_list args;

	refusal->seq = seq;
	va_start(args, format);
	(void)vsnprintf(refusal->reason, sizeof(refusal->reason), format, args);
	va_end(args);
}

static int note_observation(struct store_db *db, const struct entry_batch *batch,
	const struct entry *entry, const struct facts *facts, struct error *error)
{
	return sql_do(db, NULL, error,
		"INSERT INTO observation(id, journal, seq, box, coach) VALUES($1, $2, $3, $4, $5)"
		" ON CONFLICT DO NOTHING",
		"ttitt", facts->id, batch->journal, entry->seq, batch->box, batch->coach);
}

static int note_snippet(struct store_db *db, const struct entry_batch *batch,
	const struct entry *entry, const struct facts *facts, struct error *error)
{
	return sql_do(db, NULL, error,
		"INSERT INTO snippet(journal, seq, observation, sha256, bytes, codec)"
		" VALUES($1, $2, $3, $4, $5, $6)",
		"tiitit", batch->journal, entry->seq, entry->observation, facts->sha256,
		facts->bytes, facts->codec);
}

/* What other tables know of it. */
static int note(struct store_db *db, const struct entry_batch *batch, const struct entry *entry,
	struct error *error)
{
	struct facts facts;
	int r;

	if (entry->kind != ENTRY_START && entry->kind != ENTRY_SNIPPET) {
		return 0;
	}
	r = entry_get_facts(entry, &facts);
	if (r < 0) {
		return error_set(error, r, "entry %lld's body", (long long)entry->seq);
	}
	r = entry->kind == ENTRY_START ? note_observation(db, batch, entry, &facts, error)
				       : note_snippet(db, batch, entry, &facts, error);
	facts_fini(&facts);
	return r;
}

static int insert(struct store_db *db, const struct entry_batch *batch, const struct entry *entry,
	struct error *error)
{
	int r;

	r = sql_do(db, NULL, error,
		"INSERT INTO entry(journal, " COLUMNS ")"
		" VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
		"tiiiiitiit", batch->journal, entry->seq, entry->boot, entry->t_ns,
		(int64_t)entry->kind, entry->observation, entry->code, entry->ref, entry->value,
		entry->body);
	return r < 0 ? r : note(db, batch, entry, error);
}

static int take(struct store_db *db, struct entry_batch *batch, size_t i, struct error *error)
{
	const struct entry *entry = &batch->list[i];
	int r;

	if (batch->wrong[i]) {
		refuse(batch, entry->seq, "invalid: %s", batch->wrong[i]);
		return 0;
	}
	if (entry->seq <= batch->kept) {
		r = compare(db, batch, entry, error);
		if (r > 0) {
			refuse(batch, entry->seq, "differs");
		}
		return r < 0 ? r : 0;
	}
	if (entry->seq > batch->kept + 1) {
		refuse(batch, entry->seq, "hole");
		return 0;
	}
	r = insert(db, batch, entry, error);
	batch->kept += r == 0;
	return r;
}

static int add(struct store_db *db, void *arg, struct error *error)
{
	struct entry_batch *batch = arg;
	struct claim claim = {.journal = batch->journal, .box = batch->box};
	size_t i;
	int r;

	r = settle(db, &claim, error);
	batch->kept = claim.kept;
	batch->n_refused = 0;
	for (i = 0; r == 0 && i < batch->n; i++) {
		r = take(db, batch, i, error);
	}
	if (r == 0) {
		r = sql_do(db, NULL, error, "UPDATE journal SET kept = $2 WHERE id = $1", "ti",
			batch->journal, batch->kept);
	}
	if (r == 0) {
		r = sql_do(db, NULL, error, "UPDATE box SET heard_ns = $2 WHERE id = $1", "ti",
			batch->box, batch->now_ns);
	}
	return r;
}

int store_entries_add(struct store *store, struct entry_batch *batch, struct error *error)
{
	return store_write(store, add, batch, error);
}

/* --- reading --- */

struct span {
	const char *journal;
	int64_t *seqs;
	size_t room, n;
};

/* Runs a query for seqs, with the journal as $1 and the room as $2. */
static int list_seqs(struct store_db *db, struct span *span, const char *sql, struct error *error)
{
	sqlite3_stmt *stmt;
	int r;

	r = sql_begin(db, &stmt, error, sql, "ti", span->journal, (int64_t)span->room);
	if (r < 0) {
		return r;
	}
	while (span->n < span->room && (r = sql_next(db, stmt, error)) > 0) {
		span->seqs[span->n++] = sqlite3_column_int64(stmt, 0);
	}
	sql_done(stmt);
	return r < 0 ? r : 0;
}

static int missing(struct store_db *db, void *arg, struct error *error)
{
	return list_seqs(db, arg,
		"SELECT seq FROM snippet LEFT JOIN blob ON blob.sha256 = snippet.sha256"
		" WHERE journal = $1 AND withdrawn_ns = 0 AND blob.sha256 IS NULL"
		" ORDER BY seq LIMIT $2",
		error);
}

int store_snippets_missing(struct store *store, const char *journal, int64_t *ret_seqs, size_t room,
	size_t *ret_n, struct error *error)
{
	struct span span = {.journal = journal, .seqs = ret_seqs, .room = room};
	int r = store_read(store, missing, &span, error);

	if (r == 0) {
		*ret_n = span.n;
	}
	return r;
}

static int withdrawn(struct store_db *db, void *arg, struct error *error)
{
	_Static_assert(ENTRY_GONE == 14, "the kind is a number in the text below");
	return list_seqs(db, arg,
		"SELECT seq FROM snippet WHERE journal = $1 AND withdrawn_ns <> 0 AND NOT EXISTS"
		" (SELECT 1 FROM entry WHERE entry.journal = snippet.journal AND kind = 14"
		"  AND ref = snippet.seq AND entry.seq > snippet.seq)"
		" ORDER BY seq LIMIT $2",
		error);
}

int store_snippets_withdrawn(struct store *store, const char *journal, int64_t *ret_seqs,
	size_t room, size_t *ret_n, struct error *error)
{
	struct span span = {.journal = journal, .seqs = ret_seqs, .room = room};
	int r = store_read(store, withdrawn, &span, error);

	if (r == 0) {
		*ret_n = span.n;
	}
	return r;
}
