/* The whole server, wired together. */
#ifndef SERVER_SERVE_H
#define SERVER_SERVE_H

#include "app/base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct serve_options {
	const char *data_dir, *listen;
	const char *name;       /* NULL: this machine's */
	const char *url;        /* NULL: made of the address */
	const char *static_dir; /* NULL: no pages */
	const char *key, *cert; /* NULL: the server's own */
	bool plain, behind_proxy;
	int64_t upload_s;       /* how long an unfinished upload is kept */
	int connections_most, per_address_most, request_s;
};

struct serve;

/*
 * Opens the data folder, brings it up to date and binds. SIGTERM and SIGINT must
 * be blocked, before any thread. 0 or -errno. Close with serve_close(); takes NULL.
 */
int serve_open(const struct serve_options *options, struct serve **ret_serve,
	struct error *error) MUST_CHECK;

/* Answers until SIGTERM or SIGINT. 0 or -errno. */
int serve_run(struct serve *serve, struct error *error) MUST_CHECK;

void serve_close(struct serve *serve);

#endif
