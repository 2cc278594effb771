/*
 * The tables. The SQL is what PostgreSQL reads too: UUIDs and hashes are text,
 * times are BIGINT nanoseconds of CLOCK_REALTIME, 0 where something has not
 * happened. Nothing is computed here that the code could compute.
 */
#include "app/server/schema.h"

/* clang-format off */

/* Boxes, what they sent, and where its sound lies. */
#define BOXES \
	"CREATE TABLE box(" \
	"id TEXT PRIMARY KEY, name TEXT NOT NULL, coach TEXT NOT NULL," \
	"token TEXT NOT NULL UNIQUE," /* the SHA-256 of it */ \
	"paired_ns BIGINT NOT NULL, revoked_ns BIGINT NOT NULL DEFAULT 0," \
	"heard_ns BIGINT NOT NULL DEFAULT 0, reported_ns BIGINT NOT NULL DEFAULT 0," \
	"version TEXT NOT NULL DEFAULT '', free_bytes BIGINT NOT NULL DEFAULT 0," \
	"state_bytes BIGINT NOT NULL DEFAULT 0, clock_error_ns BIGINT NOT NULL DEFAULT 0," \
	"faults TEXT NOT NULL DEFAULT '[]'," /* a JSON array of texts */ \
	"unsent_entries BIGINT NOT NULL DEFAULT 0," \
	"unsent_snippets BIGINT NOT NULL DEFAULT 0);" \
	/* a code that has been given out for pairing */ \
	"CREATE TABLE pairing(" \
	"code TEXT PRIMARY KEY," /* the SHA-256 of it */ \
	"coach TEXT NOT NULL, expires_ns BIGINT NOT NULL," \
	"box TEXT NOT NULL DEFAULT '');" /* who used it */ \
	"CREATE TABLE journal(" \
	"id TEXT PRIMARY KEY, box TEXT NOT NULL REFERENCES box(id)," \
	"kept BIGINT NOT NULL DEFAULT 0);" /* entries 1 to kept are there */ \
	"CREATE TABLE entry(" \
	"journal TEXT NOT NULL, seq BIGINT NOT NULL, boot BIGINT NOT NULL," \
	"t_ns BIGINT NOT NULL, kind INTEGER NOT NULL, observation BIGINT NOT NULL," \
	"code TEXT NOT NULL, ref BIGINT NOT NULL, value BIGINT NOT NULL, body TEXT," \
	"PRIMARY KEY(journal, seq));" \
	/* what a timeline is folded from: its own, and what the others tell of clocks */ \
	"CREATE INDEX entry_observation ON entry(journal, observation, seq);" \
	"CREATE INDEX entry_context ON entry(journal, seq) WHERE kind IN (1, 2, 3, 8, 14);" \
	/* the snippet entries once more, for what is asked about them */ \
	"CREATE TABLE snippet(" \
	"journal TEXT NOT NULL, seq BIGINT NOT NULL, observation BIGINT NOT NULL," \
	"sha256 TEXT NOT NULL, bytes BIGINT NOT NULL, codec TEXT NOT NULL," \
	"withdrawn_ns BIGINT NOT NULL DEFAULT 0," \
	"withdrawn_by TEXT NOT NULL DEFAULT ''," /* '': by the site's rule */ \
	"PRIMARY KEY(journal, seq));" \
	"CREATE INDEX snippet_sha256 ON snippet(sha256);" \
	/* the sound that is kept, in blobs/ under its hash */ \
	"CREATE TABLE blob(" \
	"sha256 TEXT PRIMARY KEY, bytes BIGINT NOT NULL, kept_ns BIGINT NOT NULL);" \
	/* sound that is on its way */ \
	"CREATE TABLE upload(" \
	"id TEXT PRIMARY KEY, box TEXT NOT NULL, journal TEXT NOT NULL," \
	"seq BIGINT NOT NULL, sha256 TEXT NOT NULL, bytes BIGINT NOT NULL," \
	"expires_ns BIGINT NOT NULL);" \
	"CREATE INDEX upload_expires ON upload(expires_ns);" \
	"CREATE INDEX upload_snippet ON upload(journal, seq);"

/*
 * Observations: a row is made in the transaction that keeps the start's entry;
 * its id is the one the box gave it.
 */
#define OBSERVATIONS \
	"CREATE TABLE observation(" \
	"id TEXT PRIMARY KEY, journal TEXT NOT NULL, seq BIGINT NOT NULL," \
	"box TEXT NOT NULL, coach TEXT NOT NULL, teacher TEXT NOT NULL DEFAULT ''," \
	"title TEXT NOT NULL DEFAULT '');" \
	"CREATE INDEX observation_journal ON observation(journal, seq);" \
	"CREATE INDEX observation_coach ON observation(coach);" \
	"CREATE INDEX observation_teacher ON observation(teacher);"

/*
 * People. What is kept of an invitation's or a session's secret is its SHA-256.
 * A look is one person at one thing; looks that follow each other closely are one,
 * from at_ns until until_ns.
 */
#define PEOPLE \
	"CREATE TABLE person(" \
	"id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, role INTEGER NOT NULL," \
	"password TEXT NOT NULL DEFAULT ''," /* '' until the invitation is taken */ \
	"invited_by TEXT NOT NULL DEFAULT '', invited_ns BIGINT NOT NULL," \
	"revoked_ns BIGINT NOT NULL DEFAULT 0);" \
	"CREATE TABLE invitation(" \
	"code TEXT PRIMARY KEY, person TEXT NOT NULL, expires_ns BIGINT NOT NULL," \
	"used_ns BIGINT NOT NULL DEFAULT 0);" \
	"CREATE INDEX invitation_person ON invitation(person);" \
	"CREATE TABLE session(" \
	"id TEXT PRIMARY KEY, person TEXT NOT NULL, seen_ns BIGINT NOT NULL," \
	"expires_ns BIGINT NOT NULL);" \
	"CREATE INDEX session_person ON session(person);" \
	"CREATE TABLE look(" \
	"id TEXT PRIMARY KEY, observation TEXT NOT NULL, person TEXT NOT NULL," \
	"what TEXT NOT NULL, seq BIGINT NOT NULL," /* of the snippet heard; or 0 */ \
	"at_ns BIGINT NOT NULL, until_ns BIGINT NOT NULL);" \
	"CREATE INDEX look_observation ON look(observation, person);" \
	/* whom a teacher lets see an observation of theirs */ \
	"CREATE TABLE guest(" \
	"observation TEXT NOT NULL, person TEXT NOT NULL, since_ns BIGINT NOT NULL," \
	"PRIMARY KEY(observation, person));" \
	"CREATE INDEX guest_person ON guest(person);" \
	/* who the lesson that a coach observes in that time will belong to */ \
	"CREATE TABLE plan(" \
	"id TEXT PRIMARY KEY, coach TEXT NOT NULL, teacher TEXT NOT NULL," \
	"title TEXT NOT NULL, from_ns BIGINT NOT NULL, to_ns BIGINT NOT NULL," \
	"observation TEXT NOT NULL DEFAULT '');" /* what it became */ \
	"CREATE INDEX plan_coach ON plan(coach);" \
	/* one row, of id 1 */ \
	"CREATE TABLE site(" \
	"id INTEGER PRIMARY KEY, scheme TEXT NOT NULL DEFAULT ''," /* '': each box's own */ \
	"days_on_box BIGINT NOT NULL, days_on_server BIGINT NOT NULL);"

/* What a box said last of its health: a JSON object, '' until it did. */
#define HEALTH "ALTER TABLE box ADD COLUMN health TEXT NOT NULL DEFAULT '';"

/* A person may have several roles: the numbers of each become bits. */
#define ROLES \
	"ALTER TABLE person RENAME COLUMN role TO roles;" \
	"UPDATE person SET roles = 4 WHERE roles = 3;"

/* The same index, without IN: for that, each insert made and filled a table of its own. */
#define CONTEXT \
	"DROP INDEX entry_context;" \
	"CREATE INDEX entry_context ON entry(journal, seq)" \
	" WHERE kind = 1 OR kind = 2 OR kind = 3 OR kind = 8 OR kind = 14;"

/* clang-format on */

const char *const schema_steps[] = {
	BOXES OBSERVATIONS PEOPLE,
	HEALTH,
	ROLES,
	CONTEXT,
};

const int schema_n_steps = sizeof(schema_steps) / sizeof(schema_steps[0]);
