#include "app/server/store_people.h"

#include "app/server/store_sql.h"

/* What every statement about people selects, in this order. */
#define PERSON                                                                                     \
	"p.id, p.name, p.roles, p.password <> '', p.invited_ns, p.revoked_ns, p.invited_by = '' "  \
	"AND p.password = ''"

static void person_row(sqlite3_stmt *stmt, void *item)
{
	struct person *person = item;

	*person = (struct person){
		.roles = (unsigned int)sqlite3_column_int(stmt, 2),
		.joined = sqlite3_column_int(stmt, 3) != 0,
		.invited_ns = sqlite3_column_int64(stmt, 4),
		.revoked_ns = sqlite3_column_int64(stmt, 5),
		.first = sqlite3_column_int(stmt, 6) != 0,
	};
	sql_text(stmt, 0, person->id, sizeof(person->id));
	sql_text(stmt, 1, person->name, sizeof(person->name));
}

/* --- people --- */

struct adding {
	struct person *person;
	const char *invited_by;
	const struct store_key *invitation;
};

static int add_invitation(struct store_db *db, const char *person,
	const struct store_key *invitation, struct error *error)
{
	return sql_do(db, NULL, error,
		"INSERT INTO invitation(code, person, expires_ns) VALUES($1, $2, $3)", "tti",
		invitation->hash, person, invitation->expires_ns);
}

/* Whether the person may be called so. 0, STORE_E_TAKEN or -errno. */
static int name_is_free(struct store_db *db, const struct person *person, struct error *error)
{
	int64_t taken = 0;
	sqlite3_stmt *stmt;
	int r;

	r = sql_begin(db, &stmt, error,
		"SELECT count(*) FROM person WHERE lower(name) = lower($1) AND id <> $2", "tt",
		person->name, person->id);
	if (r == 0) {
		r = sql_count(db, stmt, &taken, error);
	}
	return r < 0 ? r : taken > 0 ? STORE_E_TAKEN : 0;
}

static int add(struct store_db *db, void *arg, struct error *error)
{
	struct adding *adding = arg;
	struct person *person = adding->person;
	int r = name_is_free(db, person, error);

	if (r != 0) {
		return r;
	}
	r = sql_do(db, NULL, error,
		"INSERT INTO person(id, name, roles, invited_by, invited_ns) "
		"VALUES($1, $2, $3, $4, $5)",
		"ttiti", person->id, person->name, (int64_t)person->roles, adding->invited_by,
		person->invited_ns);
	return r < 0 ? r : add_invitation(db, person->id, adding->invitation, error);
}

int store_person_add(struct store *store, struct person *person, const char *invited_by,
	const struct store_key *invitation, struct error *error)
{
	struct adding adding = {person, invited_by, invitation};

	id_new(person->id);
	return store_write(store, add, &adding, error);
}

struct listing {
	bool teachers_only;
	struct sql_list list;
};

static int list(struct store_db *db, void *arg, struct error *error)
{
	struct listing *listing = arg;
	sqlite3_stmt *stmt;
	int r;

	r = sql_begin(db, &stmt, error,
		"SELECT " PERSON
		" FROM person p WHERE $1 = 0 OR ((p.roles & $2) <> 0 AND p.revoked_ns = 0) "
		"ORDER BY lower(p.name), p.name",
		"ii", (int64_t)listing->teachers_only, (int64_t)ROLE_TEACHER);
	return r < 0 ? r
		     : sql_all(db, stmt, person_row, sizeof(struct person), &listing->list, error);
}

int store_people_list(struct store *store, bool teachers_only, struct person **ret_list,
	size_t *ret_n, struct error *error)
{
	struct listing listing = {.teachers_only = teachers_only};
	int r = store_read(store, list, &listing, error);

	if (r == 0) {
		*ret_list = listing.list.items;
		*ret_n = listing.list.n;
	}
	return r;
}

struct finding {
	const char *key;
	int64_t now_ns, idle_since_ns;
	struct person *person;
	char *password_hash;
	int64_t seen_ns;
	const struct person_change *change;
};

static int get(struct store_db *db, void *arg, struct error *error)
{
	struct finding *finding = arg;
	sqlite3_stmt *stmt;
	int r;

	r = sql_begin(db, &stmt, error, "SELECT " PERSON " FROM person p WHERE p.id = $1", "t",
		finding->key);
	return r < 0 ? r : sql_one(db, stmt, person_row, finding->person, error);
}

int store_person_get(
	struct store *store, const char *id, struct person *ret_person, struct error *error)
{
	struct finding finding = {.key = id, .person = ret_person};

	return store_read(store, get, &finding, error);
}

static int by_name(struct store_db *db, void *arg, struct error *error)
{
	struct finding *finding = arg;
	sqlite3_stmt *stmt;
	int r;

	r = sql_begin(db, &stmt, error,
		"SELECT " PERSON ", p.password FROM person p "
		"WHERE lower(p.name) = lower($1) AND p.revoked_ns = 0 AND p.password <> ''",
		"t", finding->key);
	if (r < 0) {
		return r;
	}
	r = sql_next(db, stmt, error);
	if (r == 1) {
		person_row(stmt, finding->person);
		sql_text(stmt, 7, finding->password_hash, PASSWORD_HASH_CHARS);
	}
	sql_done(stmt);
	return r == 1 ? 0 : r == 0 ? STORE_E_NONE : r;
}

int store_person_by_name(struct store *store, const char *name, struct person *ret_person,
	char ret_hash[static PASSWORD_HASH_CHARS], struct error *error)
{
	struct finding finding = {.key = name, .person = ret_person, .password_hash = ret_hash};

	return store_read(store, by_name, &finding, error);
}

static int count_administrators(
	struct store_db *db, const char *besides, int64_t *ret_n, struct error *error)
{
	sqlite3_stmt *stmt;
	int r;

	r = sql_begin(db, &stmt, error,
		"SELECT count(*) FROM person "
		"WHERE (roles & $1) <> 0 AND id <> $2 AND revoked_ns = 0 AND password <> ''",
		"it", (int64_t)ROLE_ADMINISTRATOR, besides);
	return r < 0 ? r : sql_count(db, stmt, ret_n, error);
}

static int has_administrator(struct store_db *db, void *arg, struct error *error)
{
	bool *has = arg;
	int64_t n;
	int r = count_administrators(db, "", &n, error);

	if (r == 0) {
		*has = n > 0;
	}
	return r;
}

int store_has_administrator(struct store *store, bool *ret_has, struct error *error)
{
	return store_read(store, has_administrator, ret_has, error);
}

static int end_keys(struct store_db *db, const char *person, struct error *error)
{
	int r = sql_do(db, NULL, error, "DELETE FROM session WHERE person = $1", "t", person);

	if (r == 0) {
		r = sql_do(db, NULL, error,
			"DELETE FROM invitation WHERE person = $1 AND used_ns = 0", "t", person);
	}
	return r;
}

/* Whether nobody could let people in any more after that. 0, STORE_E_LAST or -errno. */
static int last_one(struct store_db *db, const struct person *before,
	const struct person_change *change, struct error *error)
{
	unsigned int after = change->roles ? change->roles : before->roles;
	int64_t others;
	int r;

	if (!(before->roles & ROLE_ADMINISTRATOR) ||
		((after & ROLE_ADMINISTRATOR) && !change->revoke)) {
		return 0;
	}
	r = count_administrators(db, before->id, &others, error);
	return r < 0 ? r : others > 0 ? 0 : STORE_E_LAST;
}

static int change(struct store_db *db, void *arg, struct error *error)
{
	struct finding *finding = arg;
	const struct person_change *change = finding->change;
	struct person *person = finding->person;
	int r = get(db, finding, error);

	if (r == 0) {
		r = last_one(db, person, change, error);
	}
	if (r == 0 && change->roles) {
		person->roles = change->roles;
		r = sql_do(db, NULL, error, "UPDATE person SET roles = $1 WHERE id = $2", "it",
			(int64_t)person->roles, person->id);
	}
	if (r == 0 && (change->revoke || change->take_back)) {
		person->revoked_ns = change->revoke ? change->now_ns : 0;
		r = sql_do(db, NULL, error, "UPDATE person SET revoked_ns = $1 WHERE id = $2", "it",
			person->revoked_ns, person->id);
		if (r == 0) {
			r = end_keys(db, person->id, error);
		}
	}
	return r;
}

int store_person_change(struct store *store, const char *id, const struct person_change *what,
	struct person *ret_person, struct error *error)
{
	struct finding finding = {.key = id, .change = what, .person = ret_person};

	return store_write(store, change, &finding, error);
}

/* --- invitations --- */

struct inviting {
	const char *person;
	const struct store_key *invitation;
};

static int invite(struct store_db *db, void *arg, struct error *error)
{
	struct inviting *inviting = arg;
	struct person person;
	struct finding finding = {.key = inviting->person, .person = &person};
	int r;

	r = get(db, &finding, error);
	if (r == 0 && person.revoked_ns > 0) {
		r = STORE_E_NONE;
	}
	if (r == 0) {
		r = sql_do(db, NULL, error,
			"DELETE FROM invitation WHERE person = $1 AND used_ns = 0", "t",
			inviting->person);
	}
	return r != 0 ? r : add_invitation(db, inviting->person, inviting->invitation, error);
}

int store_person_invite(struct store *store, const char *id, const struct store_key *invitation,
	struct error *error)
{
	struct inviting inviting = {id, invitation};

	return store_write(store, invite, &inviting, error);
}

static int invited(struct store_db *db, void *arg, struct error *error)
{
	struct finding *finding = arg;
	sqlite3_stmt *stmt;
	int r;

	r = sql_begin(db, &stmt, error,
		"SELECT " PERSON " FROM invitation i JOIN person p ON p.id = i.person "
		"WHERE i.code = $1 AND i.expires_ns > $2 AND i.used_ns = 0 AND p.revoked_ns = 0",
		"ti", finding->key, finding->now_ns);
	return r < 0 ? r : sql_one(db, stmt, person_row, finding->person, error);
}

int store_invitation_get(struct store *store, const char *hash, int64_t now_ns,
	struct person *ret_person, struct error *error)
{
	struct finding finding = {.key = hash, .now_ns = now_ns, .person = ret_person};

	return store_read(store, invited, &finding, error);
}

struct taking {
	const char *hash; /* of the invitation, or of the password before */
	const char *password_hash;
	const struct store_key *session;
	int64_t now_ns;
	struct person *person;
};

static int insert_session(struct store_db *db, const struct store_key *session, const char *person,
	int64_t now_ns, struct error *error)
{
	return sql_do(db, NULL, error,
		"INSERT INTO session(id, person, seen_ns, expires_ns) VALUES($1, $2, $3, $4)",
		"ttii", session->hash, person, now_ns, session->expires_ns);
}

static int take(struct store_db *db, void *arg, struct error *error)
{
	struct taking *taking = arg;
	struct person *person = taking->person, still;
	struct finding finding = {.key = taking->hash, .now_ns = taking->now_ns, .person = &still};
	int r;

	r = invited(db, &finding, error);
	if (r == 0 && still.first) { /* they say who they are themselves */
		person->roles |= still.roles;
		r = name_is_free(db, person, error);
	} else if (r == 0) {
		*person = still;
	}
	if (r == 0) {
		r = sql_do(db, NULL, error, "UPDATE invitation SET used_ns = $1 WHERE code = $2",
			"it", taking->now_ns, taking->hash);
	}
	if (r == 0) {
		r = sql_do(db, NULL, error,
			"UPDATE person SET password = $1, name = $2, roles = $3 WHERE id = $4",
			"ttit", taking->password_hash, person->name, (int64_t)person->roles,
			person->id);
	}
	if (r == 0) {
		r = end_keys(db, person->id, error);
	}
	return r != 0 ? r : insert_session(db, taking->session, person->id, taking->now_ns, error);
}

int store_invitation_take(struct store *store, const char *hash, const char *password_hash,
	const struct store_key *session, int64_t now_ns, struct person *person, struct error *error)
{
	struct taking taking = {.hash = hash,
		.password_hash = password_hash,
		.session = session,
		.now_ns = now_ns,
		.person = person};

	return store_write(store, take, &taking, error);
}

static int new_password(struct store_db *db, void *arg, struct error *error)
{
	const struct taking *taking = arg;
	const char *person = taking->person->id;
	int changed = 0, r;

	r = sql_do(db, &changed, error,
		"UPDATE person SET password = $1 WHERE id = $2 AND password = $3 AND "
		"revoked_ns = 0",
		"ttt", taking->password_hash, person, taking->hash);
	if (r == 0 && changed == 0) {
		r = STORE_E_NONE;
	}
	if (r == 0) {
		r = end_keys(db, person, error);
	}
	return r != 0 ? r : insert_session(db, taking->session, person, taking->now_ns, error);
}

int store_password_change(struct store *store, struct person *person, const char *old_hash,
	const char *new_hash, const struct store_key *session, int64_t now_ns, struct error *error)
{
	struct taking taking = {.hash = old_hash,
		.password_hash = new_hash,
		.session = session,
		.now_ns = now_ns,
		.person = person};

	return store_write(store, new_password, &taking, error);
}

/* --- sessions --- */

struct beginning {
	const struct store_key *session;
	const char *person, *password_hash;
	int64_t now_ns;
};

static int session_add(struct store_db *db, void *arg, struct error *error)
{
	const struct beginning *beginning = arg;
	int added = 0, r;

	r = sql_do(db, &added, error,
		"INSERT INTO session(id, person, seen_ns, expires_ns) SELECT $1, id, $2, $3 "
		"FROM person WHERE id = $4 AND password = $5 AND revoked_ns = 0",
		"tiitt", beginning->session->hash, beginning->now_ns,
		beginning->session->expires_ns, beginning->person, beginning->password_hash);
	return r < 0 ? r : added > 0 ? 0 : STORE_E_NONE;
}

int store_session_add(struct store *store, const struct store_key *session, const char *person,
	const char *password_hash, int64_t now_ns, struct error *error)
{
	struct beginning beginning = {session, person, password_hash, now_ns};

	return store_write(store, session_add, &beginning, error);
}

static int session_get(struct store_db *db, void *arg, struct error *error)
{
	struct finding *finding = arg;
	sqlite3_stmt *stmt;
	int r;

	r = sql_begin(db, &stmt, error,
		"SELECT " PERSON ", s.seen_ns FROM session s JOIN person p ON p.id = s.person "
		"WHERE s.id = $1 AND s.expires_ns > $2 AND s.seen_ns > $3 AND p.revoked_ns = 0",
		"tii", finding->key, finding->now_ns, finding->idle_since_ns);
	if (r < 0) {
		return r;
	}
	r = sql_next(db, stmt, error);
	if (r == 1) {
		person_row(stmt, finding->person);
		finding->seen_ns = sqlite3_column_int64(stmt, 7);
	}
	sql_done(stmt);
	return r == 1 ? 0 : r == 0 ? STORE_E_NONE : r;
}

int store_session_get(struct store *store, const char *hash, int64_t now_ns, int64_t idle_since_ns,
	struct person *ret_person, int64_t *ret_seen_ns, struct error *error)
{
	struct finding finding = {.key = hash,
		.now_ns = now_ns,
		.idle_since_ns = idle_since_ns,
		.person = ret_person};
	int r = store_read(store, session_get, &finding, error);

	if (r == 0) {
		*ret_seen_ns = finding.seen_ns;
	}
	return r;
}

static int session_seen(struct store_db *db, void *arg, struct error *error)
{
	struct finding *finding = arg;

	return sql_do(db, NULL, error, "UPDATE session SET seen_ns = $1 WHERE id = $2", "it",
		finding->now_ns, finding->key);
}

int store_session_seen(struct store *store, const char *hash, int64_t now_ns, struct error *error)
{
	struct finding finding = {.key = hash, .now_ns = now_ns};

	return store_write(store, session_seen, &finding, error);
}

static int session_end(struct store_db *db, void *arg, struct error *error)
{
	struct finding *finding = arg;

	return sql_do(db, NULL, error, "DELETE FROM session WHERE id = $1", "t", finding->key);
}

int store_session_end(struct store *store, const char *hash, struct error *error)
{
	struct finding finding = {.key = hash};

	return store_write(store, session_end, &finding, error);
}

static int sweep(struct store_db *db, void *arg, struct error *error)
{
	int64_t *now_ns = arg;
	int r = sql_do(db, NULL, error, "DELETE FROM session WHERE expires_ns <= $1", "i", *now_ns);

	return r < 0 ? r
		     : sql_do(db, NULL, error, "DELETE FROM invitation WHERE expires_ns <= $1", "i",
			       *now_ns);
}

int store_people_sweep(struct store *store, int64_t now_ns, struct error *error)
{
	return store_write(store, sweep, &now_ns, error);
}
