/* Entries as lines of JSON, the way boxes send them. Pure. */
#ifndef SERVER_NDJSON_H
#define SERVER_NDJSON_H

#include "app/journal/entry.h"

#define NDJSON_LINES_MOST 500
#define NDJSON_BYTES_MOST (256 << 10)

struct ndjson {
	struct entries entries;
	/* per entry what keeps it from being one (a member of the wrong type, a rule of
	   its kind), owned, or NULL */
	char **wrong;
};

/*
 * Reads the lines. Every line must be a JSON object with a "seq" above 0, nested at
 * most GUARD_DEEPEST; empty lines are passed over. An entry that breaks a rule is in
 * the list all the same, with its seq and wrong[] saying why. 0, -EINVAL with an
 * explanation that names the line, -E2BIG for more than NDJSON_LINES_MOST, -ENOMEM.
 */
int ndjson_parse(const char *text, size_t n, struct ndjson *ret_lines,
	struct error *error) MUST_CHECK;
void ndjson_fini(struct ndjson *lines);

#endif
