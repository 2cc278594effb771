/* Answers that travel compressed, by zlib. */
#ifndef SERVER_GZIP_H
#define SERVER_GZIP_H

#include "app/base/error.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether whoever sent that Accept-Encoding, or NULL, takes gzip: by its name, else by
 * what "*" says (RFC 9110, 12.5.3).
 */
bool gzip_taken(const char *accepts);

/* Compresses it into new memory, for free(). 0 or -ENOMEM. Does not block. */
int gzip_pack(const void *bytes, size_t n, void **ret_bytes, size_t *ret_n) MUST_CHECK;

#endif
