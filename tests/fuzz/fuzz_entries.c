/*
 * Any bytes as a batch of entries: whatever comes is refused or becomes entries
 * that keep the rules, and what is kept can be said again without a difference.
 */
#include "app/server/ndjson.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error error;
	struct ndjson lines;
	size_t i;
	int r;

	r = ndjson_parse((const char *)data, size, &lines, &error);
	if (r < 0) {
		assert(memchr(error.text, '\0', sizeof(error.text)));
		return 0;
	}
	assert(lines.entries.n <= NDJSON_LINES_MOST);
	for (i = 0; i < lines.entries.n; i++) {
		const struct entry *entry = &lines.entries.list[i];

		assert(entry->seq > 0);
		assert(lines.wrong[i] || entry_check(entry, &error) == 0);
		assert(!entry->body || entry->body[0] == '{');
	}
	ndjson_fini(&lines);
	return 0;
}
