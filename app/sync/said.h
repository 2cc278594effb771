/*
 * What the server says, read with care: it may be older or newer than this box,
 * or another program altogether. Unknown members are skipped, missing ones are
 * an error that says so. Pure.
 */
#ifndef SYNC_SAID_H
#define SYNC_SAID_H

#include "app/base/error.h"

#include <stddef.h>
#include <stdint.h>

#define SAID_ETAG_CHARS 128
#define SAID_MISSING_MAX 500
#define SAID_REFUSED_MAX 16 /* kept for the message; more are only counted */

/* GET /box */
struct said_box {
	char id[64], name[128];
	int64_t kept; /* every entry up to this is kept */
	int64_t time_ns; /* the server's clock */
	char config[SAID_ETAG_CHARS]; /* its version; "" when not said */
	int64_t missing[SAID_MISSING_MAX]; /* snippets whose sound it lacks, rising */
	size_t n_missing;
	/* snippets that a teacher withdrew and the journal does not let go yet */
	int64_t withdrawn[SAID_MISSING_MAX];
	size_t n_withdrawn;
};

/* POST /box/entries */
struct said_kept {
	int64_t kept;
	struct {
		int64_t seq;
		char reason[160];
	} refused[SAID_REFUSED_MAX];
	size_t n_refused; /* may be above SAID_REFUSED_MAX */
};

/* GET /box/config */
struct said_config {
	char *scheme; /* owned; NULL for none */
	int days_on_box; /* 0-3650; -1 when the site has no rule: then nothing leaves */
};

/* POST /pair */
struct said_pair {
	char box[64], token[65], server[128];
};

/* An error's word and sentence; "" where there is none. */
struct said_error {
	char word[32], message[256];
};

/*
 * Each reads a body of @n bytes. 0; -EBADMSG when it is not JSON (cut, perhaps, on
 * its way); -EPROTO when something is missing or wrong; -ENOMEM; with an
 * explanation that names it.
 */
int said_box(const char *body, size_t n, struct said_box *ret_box, struct error *error) MUST_CHECK;
int said_kept(
	const char *body, size_t n, struct said_kept *ret_kept, struct error *error) MUST_CHECK;
/* On success the caller calls said_config_fini(). */
int said_config(
	const char *body, size_t n, struct said_config *ret_config, struct error *error) MUST_CHECK;
void said_config_fini(struct said_config *config);
int said_pair(
	const char *body, size_t n, struct said_pair *ret_pair, struct error *error) MUST_CHECK;

/* Never fails: what cannot be read is "". Control characters become "?". */
void said_error(const char *body, size_t n, struct said_error *ret_error);

#endif
