/* What sound there is, and what of it was taken back. */
#include "app/server/blobs.h"
#include "app/server/store_observations.h"
#include "app/server/store_sql.h"

#define SOUND                                                                                      \
	"s.seq, s.observation, s.sha256, s.bytes, b.sha256 IS NOT NULL, s.withdrawn_ns, "          \
	"s.withdrawn_by = '' FROM snippet s LEFT JOIN blob b ON b.sha256 = s.sha256 "

static void sound_row(sqlite3_stmt *stmt, void *item)
{
	struct sound *sound = item;

	*sound = (struct sound){
		.seq = sqlite3_column_int64(stmt, 0),
		.observation = sqlite3_column_int64(stmt, 1),
		.bytes = sqlite3_column_int64(stmt, 3),
		.withdrawn_ns = sqlite3_column_int64(stmt, 5),
	};
	sql_text(stmt, 2, sound->sha256, sizeof(sound->sha256));
	sound->kept = sqlite3_column_int(stmt, 4) != 0 && sound->withdrawn_ns == 0;
	sound->by_rule = sound->withdrawn_ns > 0 && sqlite3_column_int(stmt, 6) != 0;
}

struct query {
	const char *journal, *person;
	int64_t seq, now_ns, before_ns;
	struct sound *sound;
	struct sql_list list;
};

static int get(struct store_db *db, void *arg, struct error *error)
{
	struct query *query = arg;
	sqlite3_stmt *stmt;
	int r;

	r = sql_begin(db, &stmt, error, "SELECT " SOUND "WHERE s.journal = $1 AND s.seq = $2", "ti",
		query->journal, query->seq);
	return r < 0 ? r : sql_one(db, stmt, sound_row, query->sound, error);
}

int store_sound_get(struct store *store, const char *journal, int64_t seq, struct sound *ret_sound,
	struct error *error)
{
	struct query query = {.journal = journal, .seq = seq, .sound = ret_sound};

	return store_read(store, get, &query, error);
}

static int list(struct store_db *db, void *arg, struct error *error)
{
	struct query *query = arg;
	sqlite3_stmt *stmt;
	int r;

	r = sql_begin(db, &stmt, error,
		"SELECT " SOUND "WHERE s.journal = $1 AND s.observation = $2 ORDER BY s.seq", "ti",
		query->journal, query->seq);
	return r < 0 ? r : sql_all(db, stmt, sound_row, sizeof(struct sound), &query->list, error);
}

int store_sounds_of(struct store *store, const struct observation *observation,
	struct sound **ret_list, size_t *ret_n, struct error *error)
{
	struct query query = {.journal = observation->journal, .seq = observation->seq};
	int r = store_read(store, list, &query, error);

	if (r == 0) {
		*ret_list = query.list.items;
		*ret_n = query.list.n;
	}
	return r;
}

static int withdraw(struct store_db *db, void *arg, struct error *error)
{
	struct query *query = arg;
	int changed = 0, r;

	r = sql_do(db, &changed, error,
		"UPDATE snippet SET withdrawn_ns = $1, withdrawn_by = $2 "
		"WHERE journal = $3 AND seq = $4 AND withdrawn_ns = 0",
		"itti", query->now_ns, query->person, query->journal, query->seq);
	return r < 0 ? r : changed > 0 ? 0 : STORE_E_NONE;
}

int store_sound_withdraw(struct store *store, const char *journal, int64_t seq, const char *person,
	int64_t now_ns, struct error *error)
{
	struct query query = {.journal = journal, .seq = seq, .person = person, .now_ns = now_ns};

	return store_write(store, withdraw, &query, error);
}

static int expire(struct store_db *db, void *arg, struct error *error)
{
	struct query *query = arg;

	return sql_do(db, NULL, error,
		"UPDATE snippet SET withdrawn_ns = $1, withdrawn_by = '' WHERE withdrawn_ns = 0 "
		"AND sha256 IN (SELECT sha256 FROM blob WHERE kept_ns < $2)",
		"ii", query->now_ns, query->before_ns);
}

int store_sounds_expire(struct store *store, int64_t before_ns, int64_t now_ns, struct error *error)
{
	struct query query = {.before_ns = before_ns, .now_ns = now_ns};

	return store_write(store, expire, &query, error);
}

#define DROPS_A_CALL 16

struct dropping {
	struct blobs *blobs;
	const char *sha256;
	char unwanted[DROPS_A_CALL][65];
	size_t n;
};

/* The file goes within the transaction: nothing can be kept anew in between. */
static int drop_one(
	struct store_db *db, struct blobs *blobs, const char *sha256, struct error *error)
{
	int r = blobs_remove(blobs, sha256, error);

	return r < 0 ? r
		     : sql_do(db, NULL, error, "DELETE FROM blob WHERE sha256 = $1", "t", sha256);
}

static int drop(struct store_db *db, void *arg, struct error *error)
{
	struct dropping *dropping = arg;
	sqlite3_stmt *stmt;
	int r;

	r = sql_begin(db, &stmt, error,
		"SELECT b.sha256 FROM blob b WHERE NOT EXISTS (SELECT 1 FROM snippet s "
		"WHERE s.sha256 = b.sha256 AND s.withdrawn_ns = 0) LIMIT $1",
		"i", (int64_t)DROPS_A_CALL);
	if (r < 0) {
		return r;
	}
	while (dropping->n < DROPS_A_CALL && (r = sql_next(db, stmt, error)) == 1) {
		sql_text(stmt, 0, dropping->unwanted[dropping->n++], 65);
	}
	sql_done(stmt);
	for (size_t i = 0; r >= 0 && i < dropping->n; i++) {
		r = drop_one(db, dropping->blobs, dropping->unwanted[i], error);
	}
	return r < 0 ? r : 0;
}

int store_sounds_drop(struct store *store, struct blobs *blobs, struct error *error)
{
	struct dropping dropping = {.blobs = blobs};
	int r = store_write(store, drop, &dropping, error);

	return r < 0 ? r : dropping.n == DROPS_A_CALL;
}

static int wanted(struct store_db *db, const char *sha256, struct error *error)
{
	sqlite3_stmt *stmt;
	int64_t n;
	int r;

	r = sql_begin(db, &stmt, error,
		"SELECT count(*) FROM snippet WHERE sha256 = $1 AND withdrawn_ns = 0", "t", sha256);
	if (r == 0) {
		r = sql_count(db, stmt, &n, error);
	}
	return r < 0 ? r : n > 0;
}

static int drop_unwanted(struct store_db *db, void *arg, struct error *error)
{
	struct dropping *dropping = arg;
	int r = wanted(db, dropping->sha256, error);

	return r != 0 ? (r < 0 ? r : 0) : drop_one(db, dropping->blobs, dropping->sha256, error);
}

int store_sound_drop(
	struct store *store, struct blobs *blobs, const char *sha256, struct error *error)
{
	struct dropping dropping = {.blobs = blobs, .sha256 = sha256};

	return store_write(store, drop_unwanted, &dropping, error);
}
