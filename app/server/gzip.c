#include "app/server/gzip.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#define GZIP_WINDOW_BITS (15 + 16) /* 16: with gzip's head, not zlib's */
#define MEMORY_LEVEL 8
#define LEVEL 4 /* quick: it is done anew for each look */

/* Whether an item of Accept-Encoding ("gzip;q=0.5") does not say "never this". */
static bool weighs(const char *item, size_t n)
{
	const char *q = memchr(item, ';', n);

	if (!q) {
		return true;
	}
	q += 1 + strspn(q + 1, " \t");
	return strncasecmp(q, "q=", 2) != 0 || strtod(q + 2, NULL) > 0;
}

bool gzip_taken(const char *accepts)
{
	bool any = false;
	size_t n, name;

	for (; accepts && *accepts; accepts += n + (accepts[n] == ',')) {
		accepts += strspn(accepts, " \t");
		n = strcspn(accepts, ",");
		name = strcspn(accepts, ",; \t");
		if (name == 4 && strncasecmp(accepts, "gzip", 4) == 0) {
			return weighs(accepts, n);
		}
		if (name == 1 && *accepts == '*') {
			any = weighs(accepts, n);
		}
	}
	return any;
}

int gzip_pack(const void *bytes, size_t n, void **ret_bytes, size_t *ret_n)
{
	z_stream stream = {.next_in = (Bytef *)(uintptr_t)bytes, .avail_in = (uInt)n};
	unsigned char *packed;
	size_t most;

	if (n > UINT_MAX ||
		deflateInit2(&stream, LEVEL, Z_DEFLATED, GZIP_WINDOW_BITS, MEMORY_LEVEL,
			Z_DEFAULT_STRATEGY) != Z_OK) {
		return -ENOMEM;
	}
	most = deflateBound(&stream, n);
	packed = malloc(most);
	stream.next_out = packed;
	stream.avail_out = (uInt)most;
	if (!packed || deflate(&stream, Z_FINISH) != Z_STREAM_END) {
		(void)deflateEnd(&stream);
		free(packed);
		return -ENOMEM;
	}
	*ret_bytes = packed;
	*ret_n = stream.total_out;
	(void)deflateEnd(&stream);
	return 0;
}
