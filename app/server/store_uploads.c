#include "app/server/store_uploads.h"

#include "app/server/store_sql.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct work {
	const struct upload_row *upload;
	struct upload_row *row;
	const char *id, *box;
	char *ended;
	int64_t at_ns;
	bool (*there)(void *data, const char *sha256);
	void *data;
};

static int check(struct store_db *db, const struct upload_row *upload, struct error *error)
{
	sqlite3_stmt *stmt;
	char sha256[65];
	int r;

	r = sql_begin(db, &stmt, error,
		"SELECT snippet.sha256, snippet.bytes, withdrawn_ns, blob.sha256 IS NOT NULL"
		" FROM snippet JOIN journal ON journal.id = snippet.journal"
		" LEFT JOIN blob ON blob.sha256 = snippet.sha256"
		" WHERE snippet.journal = $1 AND seq = $2 AND box = $3",
		"tit", upload->of.journal, upload->of.seq, upload->box);
	if (r < 0) {
		return r;
	}
	r = sql_next(db, stmt, error);
	if (r == 0) {
		r = STORE_E_NO_SNIPPET;
	} else if (r > 0) {
		sql_text(stmt, 0, sha256, sizeof(sha256));
		r = 0;
		if (strcmp(sha256, upload->of.sha256) != 0 ||
			sqlite3_column_int64(stmt, 1) != upload->bytes) {
			r = STORE_E_DIFFERS;
		} else if (sqlite3_column_int64(stmt, 2)) {
			r = STORE_E_WITHDRAWN;
		} else if (sqlite3_column_int(stmt, 3)) {
			r = STORE_E_KEPT;
		}
	}
	sql_done(stmt);
	return r;
}

static int check_job(struct store_db *db, void *arg, struct error *error)
{
	const struct work *work = arg;

	return check(db, work->upload, error);
}

int store_upload_check(struct store *store, const struct upload_row *upload, struct error *error)
{
	struct work work = {.upload = upload};

	return store_read(store, check_job, &work, error);
}

/* The earlier upload of the snippet goes. */
static int replace(struct store_db *db, const struct work *work, struct error *error)
{
	const struct upload_row *upload = work->upload;
	sqlite3_stmt *stmt;
	int r;

	work->ended[0] = '\0';
	r = sql_begin(db, &stmt, error,
		"SELECT id FROM upload WHERE journal = $1 AND seq = $2 AND id <> $3", "tit",
		upload->of.journal, upload->of.seq, upload->id);
	if (r < 0) {
		return r;
	}
	r = sql_next(db, stmt, error);
	if (r > 0) {
		sql_text(stmt, 0, work->ended, ID_CHARS);
	}
	sql_done(stmt);
	return r > 0 ? sql_do(db, NULL, error, "DELETE FROM upload WHERE id = $1", "t", work->ended)
		     : r;
}

static int add(struct store_db *db, const struct work *work, struct error *error)
{
	const struct upload_row *upload = work->upload;
	int r = replace(db, work, error);

	if (r < 0) {
		return r;
	}
	return sql_do(db, NULL, error,
		"INSERT INTO upload(id, box, journal, seq, sha256, bytes, expires_ns)"
		" VALUES($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
		"tttitii", upload->id, upload->box, upload->of.journal, upload->of.seq,
		upload->of.sha256, upload->bytes, upload->expires_ns);
}

static int add_job(struct store_db *db, void *arg, struct error *error)
{
	const struct work *work = arg;
	int r = check(db, work->upload, error);

	return r != 0 ? r : add(db, work, error);
}

int store_upload_add(struct store *store, const struct upload_row *upload,
	char ret_ended[static ID_CHARS], struct error *error)
{
	struct work work = {.upload = upload, .ended = ret_ended};

	return store_write(store, add_job, &work, error);
}

static int done_job(struct store_db *db, void *arg, struct error *error)
{
	const struct work *work = arg;
	const struct upload_row *upload = work->upload;
	int r = check(db, upload, error);

	if (r != 0 && r != STORE_E_KEPT) {
		return r;
	}
	if (!work->there(work->data, upload->of.sha256)) {
		return error_set(error, -EAGAIN, "the sound was withdrawn while it came");
	}
	if (r == STORE_E_KEPT) {
		return r;
	}
	r = add(db, work, error);
	if (r < 0) {
		return r;
	}
	return sql_do(db, NULL, error,
		"INSERT INTO blob(sha256, bytes, kept_ns) VALUES($1, $2, $3) ON CONFLICT DO "
		"NOTHING",
		"tii", upload->of.sha256, upload->bytes, work->at_ns);
}

int store_upload_done(struct store *store, const struct upload_row *upload, int64_t now_ns,
	bool (*there)(void *data, const char *sha256), void *data, char ret_ended[static ID_CHARS],
	struct error *error)
{
	struct work work = {.upload = upload,
		.ended = ret_ended,
		.at_ns = now_ns,
		.there = there,
		.data = data};

	ret_ended[0] = '\0';
	return store_write(store, done_job, &work, error);
}

static int get_job(struct store_db *db, void *arg, struct error *error)
{
	const struct work *work = arg;
	struct upload_row *row = work->row;
	sqlite3_stmt *stmt;
	int r;

	r = sql_begin(db, &stmt, error,
		"SELECT id, box, journal, seq, upload.sha256, upload.bytes, expires_ns,"
		" blob.sha256 IS NOT NULL FROM upload"
		" LEFT JOIN blob ON blob.sha256 = upload.sha256 WHERE id = $1 AND box = $2",
		"tt", work->id, work->box);
	if (r < 0) {
		return r;
	}
	r = sql_next(db, stmt, error);
	if (r > 0) {
		sql_text(stmt, 0, row->id, sizeof(row->id));
		sql_text(stmt, 1, row->box, sizeof(row->box));
		sql_text(stmt, 2, row->of.journal, sizeof(row->of.journal));
		row->of.seq = sqlite3_column_int64(stmt, 3);
		sql_text(stmt, 4, row->of.sha256, sizeof(row->of.sha256));
		row->bytes = sqlite3_column_int64(stmt, 5);
		row->expires_ns = sqlite3_column_int64(stmt, 6);
		row->kept = sqlite3_column_int(stmt, 7);
	}
	sql_done(stmt);
	return r < 0 ? r : r > 0 ? 0 : STORE_E_NO_UPLOAD;
}

int store_upload_get(struct store *store, const char *id, const char *box,
	struct upload_row *ret_upload, struct error *error)
{
	struct work work = {.id = id, .box = box, .row = ret_upload};

	return store_read(store, get_job, &work, error);
}

static int extend_job(struct store_db *db, void *arg, struct error *error)
{
	const struct work *work = arg;

	return sql_do(db, NULL, error, "UPDATE upload SET expires_ns = $2 WHERE id = $1", "ti",
		work->id, work->at_ns);
}

int store_upload_extend(
	struct store *store, const char *id, int64_t expires_ns, struct error *error)
{
	struct work work = {.id = id, .at_ns = expires_ns};

	return store_write(store, extend_job, &work, error);
}

static int remove_job(struct store_db *db, void *arg, struct error *error)
{
	const struct work *work = arg;

	return sql_do(db, NULL, error, "DELETE FROM upload WHERE id = $1", "t", work->id);
}

int store_upload_remove(struct store *store, const char *id, struct error *error)
{
	struct work work = {.id = id};

	return store_write(store, remove_job, &work, error);
}

static int expired_job(struct store_db *db, void *arg, struct error *error)
{
	const struct work *work = arg;
	sqlite3_stmt *stmt;
	int r;

	r = sql_begin(db, &stmt, error, "SELECT id FROM upload WHERE expires_ns < $1 LIMIT 1", "i",
		work->at_ns);
	if (r < 0) {
		return r;
	}
	r = sql_next(db, stmt, error);
	if (r > 0) {
		sql_text(stmt, 0, work->ended, ID_CHARS);
	}
	sql_done(stmt);
	return r < 0 ? r : r > 0 ? 0 : STORE_E_NO_UPLOAD;
}

int store_upload_expire(
	struct store *store, int64_t now_ns, char ret_id[static ID_CHARS], struct error *error)
{
	struct work work = {.at_ns = now_ns, .ended = ret_id};
	int r = store_read(store, expired_job, &work, error);

	return r != 0 ? r : store_upload_remove(store, ret_id, error);
}

/* --- what nobody wants any more --- */

struct ending {
	const struct upload_which *which;
	struct sql_list ids;
};

static void id_row(sqlite3_stmt *stmt, void *item)
{
	sql_text(stmt, 0, item, ID_CHARS);
}

static int end_job(struct store_db *db, void *arg, struct error *error)
{
	struct ending *ending = arg;
	const struct upload_which *which = ending->which;
	sqlite3_stmt *stmt;
	int r;

	r = which->box ? sql_begin(db, &stmt, error, "SELECT id FROM upload WHERE box = $1", "t",
				 which->box)
		       : sql_begin(db, &stmt, error,
				 "SELECT id FROM upload WHERE journal = $1 AND seq = $2", "ti",
				 which->journal, which->seq);
	if (r == 0) {
		r = sql_all(db, stmt, id_row, ID_CHARS, &ending->ids, error);
	}
	for (size_t i = 0; i < ending->ids.n && r == 0; i++) {
		r = sql_do(db, NULL, error, "DELETE FROM upload WHERE id = $1", "t",
			(const char *)ending->ids.items + i * ID_CHARS);
	}
	return r;
}

int store_uploads_end(struct store *store, const struct upload_which *which, char **ret_ids,
	size_t *ret_n, struct error *error)
{
	struct ending ending = {.which = which};
	int r = store_write(store, end_job, &ending, error);

	if (r < 0) {
		free(ending.ids.items);
		return r;
	}
	*ret_ids = ending.ids.items;
	*ret_n = ending.ids.n;
	return 0;
}

/* --- what the sweep asks --- */

static int known(struct store_db *db, const char *sql, const char *key, struct error *error)
{
	sqlite3_stmt *stmt;
	int r = sql_begin(db, &stmt, error, sql, "t", key);

	if (r == 0) {
		r = sql_next(db, stmt, error);
		sql_done(stmt);
	}
	return r;
}

static int upload_known(struct store_db *db, void *arg, struct error *error)
{
	return known(db,
		"SELECT 1 FROM upload u JOIN snippet s ON s.journal = u.journal AND s.seq = u.seq "
		"JOIN box ON box.id = u.box "
		"WHERE u.id = $1 AND s.withdrawn_ns = 0 AND box.revoked_ns = 0",
		arg, error);
}

static int blob_known(struct store_db *db, void *arg, struct error *error)
{
	return known(db, "SELECT 1 FROM blob WHERE sha256 = $1", arg, error);
}

static int blob_withdrawn(struct store_db *db, void *arg, struct error *error)
{
	return known(db,
		"SELECT 1 FROM snippet WHERE sha256 = $1 GROUP BY sha256 "
		"HAVING min(withdrawn_ns) > 0",
		arg, error);
}

int store_upload_known(struct store *store, const char *id, struct error *error)
{
	return store_read(store, upload_known, (void *)(uintptr_t)id, error);
}

int store_blob_known(struct store *store, const char *sha256, struct error *error)
{
	return store_read(store, blob_known, (void *)(uintptr_t)sha256, error);
}

int store_blob_withdrawn(struct store *store, const char *sha256, struct error *error)
{
	return store_read(store, blob_withdrawn, (void *)(uintptr_t)sha256, error);
}
