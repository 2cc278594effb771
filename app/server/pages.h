/* The pages: files below one folder, as they are. */
#ifndef SERVER_PAGES_H
#define SERVER_PAGES_H

#include "app/server/router.h"

/* The router's page(): "/" is index.html; no folder, no hidden file, no link. */
int pages_get(struct request *request, struct error *error) MUST_CHECK;

#endif
