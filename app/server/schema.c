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
	/* the snippet entries once more, for what is asked about them */ \
	"CREATE TABLE snippet(" \
	"journal TEXT NOT NULL, seq BIGINT NOT NULL, observation BIGINT NOT NULL," \
	"sha256 TEXT NOT NULL, bytes BIGINT NOT NULL, codec TEXT NOT NULL," \
	"withdrawn_ns BIGINT NOT NULL DEFAULT 0," \
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
	"CREATE INDEX upload_expires ON upload(expires_ns);"

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

/* clang-format on */

const char *const schema_steps[] = {
	BOXES OBSERVATIONS,
};

const int schema_n_steps = sizeof(schema_steps) / sizeof(schema_steps[0]);
