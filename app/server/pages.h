/* The pages: files below one folder, as they are or compressed beforehand. */
#ifndef SERVER_PAGES_H
#define SERVER_PAGES_H

#include "app/server/router.h"

/*
 * The router's page(): "/" is index.html; no folder, no hidden file, no link. Where
 * PAGE.gz lies beside PAGE, whoever accepts gzip is sent that, with an ETag of its
 * own; a Range is then one of the compressed bytes (RFC 9110, 14.1).
 */
int pages_get(struct request *request, struct error *error) MUST_CHECK;

#endif
