#include "app/server/store_boxes.h"

#include "app/server/store_sql.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- pairing --- */

struct pairing {
	const char *code, *coach, *token;
	const struct box_row *box;
	int64_t expires_ns, now_ns;
};

static int pairing_add(struct store_db *db, void *arg, struct error *error)
{
	const struct pairing *p = arg;
	int r;

	/* a day longer, so that a late guest hears "gone" and not "wrong" */
	r = sql_do(db, NULL, error, "DELETE FROM pairing WHERE expires_ns < $1", "i",
		p->now_ns - INT64_C(86400000000000));
	if (r < 0) {
		return r;
	}
	return sql_do(db, NULL, error,
		"INSERT INTO pairing(code, coach, expires_ns) VALUES($1, $2, $3)", "tti", p->code,
		p->coach, p->expires_ns);
}

int store_pairing_add(struct store *store, const char *code_hash, const char *coach,
	int64_t expires_ns, int64_t now_ns, struct error *error)
{
	struct pairing p = {
		.code = code_hash, .coach = coach, .expires_ns = expires_ns, .now_ns = now_ns};

	return store_write(store, pairing_add, &p, error);
}

/* Who gave the code out, if it still holds. */
static int pairing_coach(struct store_db *db, const struct pairing *p,
	char ret_coach[static ID_CHARS], struct error *error)
{
	sqlite3_stmt *stmt;
	int r;

	r = sql_begin(db, &stmt, error,
		"SELECT coach, expires_ns, box FROM pairing WHERE code = $1", "t", p->code);
	if (r < 0) {
		return r;
	}
	r = sql_next(db, stmt, error);
	if (r == 0) {
		r = STORE_E_NO_CODE;
	} else if (r > 0) {
		char box[ID_CHARS];

		sql_text(stmt, 0, ret_coach, ID_CHARS);
		sql_text(stmt, 2, box, sizeof(box));
		r = box[0] || sqlite3_column_int64(stmt, 1) < p->now_ns ? STORE_E_CODE_GONE : 0;
	}
	sql_done(stmt);
	return r;
}

static int pairing_take(struct store_db *db, void *arg, struct error *error)
{
	const struct pairing *p = arg;
	char coach[ID_CHARS];
	int r;

	r = pairing_coach(db, p, coach, error);
	if (r != 0) {
		return r;
	}
	r = sql_do(db, NULL, error, "UPDATE pairing SET box = $2 WHERE code = $1", "tt", p->code,
		p->box->id);
	if (r < 0) {
		return r;
	}
	return sql_do(db, NULL, error,
		"INSERT INTO box(id, name, coach, token, paired_ns, heard_ns)"
		" VALUES($1, $2, $3, $4, $5, $5)",
		"tttti", p->box->id, p->box->name, coach, p->token, p->now_ns);
}

int store_pairing_take(struct store *store, const char *code_hash, const struct box_row *box,
	const char *token_hash, int64_t now_ns, struct error *error)
{
	struct pairing p = {.code = code_hash, .box = box, .token = token_hash, .now_ns = now_ns};

	return store_write(store, pairing_take, &p, error);
}

/* --- boxes --- */

#define COLUMNS                                                                                    \
	"SELECT box.id, box.coach, box.name, COALESCE(person.name, ''), paired_ns,"                \
	" box.revoked_ns, heard_ns, reported_ns, version, free_bytes, state_bytes,"                \
	" clock_error_ns, unsent_entries, unsent_snippets, faults, health"                               \
	" FROM box LEFT JOIN person ON person.id = box.coach "

static int row(sqlite3_stmt *stmt, struct box_row *ret_box)
{
	sql_text(stmt, 0, ret_box->id, sizeof(ret_box->id));
	sql_text(stmt, 1, ret_box->coach, sizeof(ret_box->coach));
	sql_text(stmt, 2, ret_box->name, sizeof(ret_box->name));
	sql_text(stmt, 3, ret_box->coach_name, sizeof(ret_box->coach_name));
	ret_box->paired_ns = sqlite3_column_int64(stmt, 4);
	ret_box->revoked_ns = sqlite3_column_int64(stmt, 5);
	ret_box->heard_ns = sqlite3_column_int64(stmt, 6);
	ret_box->reported_ns = sqlite3_column_int64(stmt, 7);
	sql_text(stmt, 8, ret_box->version, sizeof(ret_box->version));
	ret_box->free_bytes = sqlite3_column_int64(stmt, 9);
	ret_box->state_bytes = sqlite3_column_int64(stmt, 10);
	ret_box->clock_error_ns = sqlite3_column_int64(stmt, 11);
	ret_box->unsent_entries = sqlite3_column_int64(stmt, 12);
	ret_box->unsent_snippets = sqlite3_column_int64(stmt, 13);
	ret_box->faults = sql_text_new(stmt, 14);
	ret_box->health = sql_text_new(stmt, 15);
	return ret_box->faults && ret_box->health ? 0 : -ENOMEM;
}

struct search {
	const char *key;
	struct box_row *list;
	size_t n, room;
};

static int by_token(struct store_db *db, void *arg, struct error *error)
{
	struct search *search = arg;
	sqlite3_stmt *stmt;
	int r;

	r = sql_begin(db, &stmt, error,
		"SELECT id, coach, name, heard_ns FROM box WHERE token = $1 AND revoked_ns = 0",
		"t", search->key);
	if (r < 0) {
		return r;
	}
	r = sql_next(db, stmt, error);
	if (r > 0) {
		memset(search->list, 0, sizeof(*search->list));
		sql_text(stmt, 0, search->list->id, ID_CHARS);
		sql_text(stmt, 1, search->list->coach, ID_CHARS);
		sql_text(stmt, 2, search->list->name, BOX_NAME_CHARS);
		search->list->heard_ns = sqlite3_column_int64(stmt, 3);
	}
	sql_done(stmt);
	return r < 0 ? r : r > 0 ? 0 : STORE_E_NO_BOX;
}

int store_box_by_token(
	struct store *store, const char *token_hash, struct box_row *ret_box, struct error *error)
{
	struct search search = {.key = token_hash, .list = ret_box};

	return store_read(store, by_token, &search, error);
}

static int by_id(struct store_db *db, void *arg, struct error *error)
{
	struct search *search = arg;
	struct box_row box = {0};
	sqlite3_stmt *stmt;
	int r;

	r = sql_begin(db, &stmt, error, COLUMNS "WHERE box.id = $1", "t", search->key);
	if (r < 0) {
		return r;
	}
	r = sql_next(db, stmt, error);
	r = r > 0 ? row(stmt, &box) : r == 0 ? STORE_E_NO_BOX : r;
	sql_done(stmt);
	if (r != 0) {
		box_row_fini(&box);
		return r;
	}
	*search->list = box;
	return 0;
}

int store_box_get(struct store *store, const char *id, struct box_row *ret_box, struct error *error)
{
	struct search search = {.key = id, .list = ret_box};

	return store_read(store, by_id, &search, error);
}

static int add(struct search *search, sqlite3_stmt *stmt)
{
	struct box_row *list;
	size_t room;

	if (search->n == search->room) {
		room = search->room ? search->room * 2 : 16;
		list = reallocarray(search->list, room, sizeof(*list));
		if (!list) {
			return -ENOMEM;
		}
		search->list = list;
		search->room = room;
	}
	memset(&search->list[search->n], 0, sizeof(*search->list));
	return row(stmt, &search->list[search->n++]);
}

static int listing(struct store_db *db, void *arg, struct error *error)
{
	struct search *search = arg;
	sqlite3_stmt *stmt;
	int r;

	r = search->key ? sql_begin(db, &stmt, error,
				  COLUMNS "WHERE box.coach = $1 ORDER BY box.name, box.id", "t",
				  search->key)
			: sql_begin(db, &stmt, error, COLUMNS "ORDER BY box.name, box.id", "");
	if (r < 0) {
		return r;
	}
	while ((r = sql_next(db, stmt, error)) > 0) {
		r = add(search, stmt);
		if (r < 0) {
			(void)error_set(error, r, "out of memory");
			break;
		}
	}
	sql_done(stmt);
	return r;
}

int store_box_list(struct store *store, const char *coach, struct box_row **ret_list, size_t *ret_n,
	struct error *error)
{
	struct search search = {.key = coach};
	int r = store_read(store, listing, &search, error);

	if (r < 0) {
		box_rows_free(search.list, search.n);
		return r;
	}
	*ret_list = search.list;
	*ret_n = search.n;
	return 0;
}

void box_row_fini(struct box_row *box)
{
	free(box->faults);
	free(box->health);
	box->faults = box->health = NULL;
}

void box_rows_free(struct box_row *list, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		box_row_fini(&list[i]);
	}
	free(list);
}

/* --- what changes --- */

struct change {
	const char *id, *name, *coach;
	int64_t revoked_ns, now_ns;
	const struct box_report *report;
};

static int report(struct store_db *db, void *arg, struct error *error)
{
	const struct change *change = arg;
	const struct box_report *said = change->report;

	return sql_do(db, NULL, error,
		"UPDATE box SET heard_ns = $2, reported_ns = $2, version = $3, free_bytes = $4,"
		" state_bytes = $5, clock_error_ns = $6, faults = $7, unsent_entries = $8,"
		" unsent_snippets = $9, health = $10 WHERE id = $1",
		"titiiitiit", change->id, said->now_ns, said->version, said->free_bytes,
		said->state_bytes, said->clock_error_ns, said->faults, said->unsent_entries,
		said->unsent_snippets, said->health);
}

int store_box_report(
	struct store *store, const char *id, const struct box_report *said, struct error *error)
{
	struct change change = {.id = id, .report = said};

	return store_write(store, report, &change, error);
}

static int heard(struct store_db *db, void *arg, struct error *error)
{
	const struct change *change = arg;

	return sql_do(db, NULL, error, "UPDATE box SET heard_ns = $2 WHERE id = $1", "ti",
		change->id, change->now_ns);
}

int store_box_heard(struct store *store, const char *id, int64_t now_ns, struct error *error)
{
	struct change change = {.id = id, .now_ns = now_ns};

	return store_write(store, heard, &change, error);
}

static int change_row(struct store_db *db, void *arg, struct error *error)
{
	const struct change *change = arg;
	int changed, r;

	r = sql_do(db, &changed, error,
		"UPDATE box SET name = COALESCE($2, name), coach = COALESCE($3, coach),"
		" revoked_ns = CASE WHEN revoked_ns = 0 THEN $4 ELSE revoked_ns END WHERE id = $1",
		"ttti", change->id, change->name, change->coach, change->revoked_ns);
	return r < 0 ? r : changed ? 0 : STORE_E_NO_BOX;
}

int store_box_change(struct store *store, const char *id, const char *name, const char *coach,
	int64_t revoked_ns, struct error *error)
{
	struct change change = {.id = id, .name = name, .coach = coach, .revoked_ns = revoked_ns};

	return store_write(store, change_row, &change, error);
}
