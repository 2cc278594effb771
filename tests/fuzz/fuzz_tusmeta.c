/*
 * Any text as Upload-Metadata, as a number, a range, a path, a query: what is
 * taken has the form that the rest of the server counts on.
 */
#include "app/base/id.h"
#include "app/server/guard.h"
#include "app/server/tus.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_metadata(const char *text)
{
	struct tus_metadata metadata;
	struct error error;

	if (tus_metadata_parse(text, &metadata, &error) == 0) {
		assert(id_valid(metadata.journal));
		assert(metadata.seq > 0);
		assert(strspn(metadata.sha256, "0123456789abcdef") == 64 && !metadata.sha256[64]);
	}
}

static void check_range(const char *text)
{
	int64_t from, n;

	if (guard_range(text, 1000, &from, &n) == 1) {
		assert(from >= 0 && n > 0 && from + n <= 1000);
	}
}

static void check_text(const char *text)
{
	char decoded[64];

	if (guard_decode(text, decoded, sizeof(decoded)) == 0) {
		assert(guard_utf8(decoded, strlen(decoded)));
	}
	if (guard_path(text)) {
		assert(text[0] == '/' && !strstr(text, "//") && !strstr(text, "/../"));
	}
	assert(tus_number(text) < INT64_C(1) << 54);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text) {
		return 0;
	}
	memcpy(text, data, size);
	text[size] = '\0';
	check_metadata(text);
	check_range(text);
	check_text(text);
	(void)guard_depth(text, size);
	free(text);
	return 0;
}
