/*
 * What tus 1.0.0 (https://tus.io/protocols/resumable-upload) says in headers. Pure.
 */
#ifndef SERVER_TUS_H
#define SERVER_TUS_H

#include "app/base/error.h"
#include "app/base/id.h"

#include <stddef.h>
#include <stdint.h>

#define TUS_VERSION "1.0.0"
#define TUS_EXTENSIONS "creation,creation-with-upload,termination,expiration"

/* Which sound an upload brings. */
struct tus_metadata {
	char journal[ID_CHARS];
	int64_t seq;
	char sha256[65];
};

/*
 * Reads Upload-Metadata: "key BASE64, key BASE64, ...". Keys other than journal, seq
 * and sha256 are passed over, but none may come twice. 0, or -EINVAL with an
 * explanation that names the key.
 */
int tus_metadata_parse(const char *header, struct tus_metadata *ret_metadata,
	struct error *error) MUST_CHECK;

/* A length or offset: digits only, up to 2^53. The number, or -EINVAL. */
int64_t tus_number(const char *header) MUST_CHECK;

/* Text as Upload-Metadata wants it, cut to fit. */
void tus_base64(const char *text, char *ret_text, size_t room);

/* The moment as Upload-Expires wants it: "Sun, 06 Nov 1994 08:49:37 GMT". */
#define TUS_DATE_CHARS 48
void tus_date(int64_t realtime_ns, char ret_text[static TUS_DATE_CHARS]);

#endif
