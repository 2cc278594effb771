/* The inside of a request: what http.c, exchange.c, request.c and answer.c share. */
#ifndef SERVER_EXCHANGE_H
#define SERVER_EXCHANGE_H

#include "app/server/guard.h"
#include "app/server/router.h"

#include <microhttpd.h>

#define EXCHANGE_PATH_CHARS 1025
#define EXCHANGE_HEADERS_MOST 16

/* A connection, from accept to close: whoever is past its deadline is cut off. */
struct watched {
	int fd;
	int64_t deadline_ns; /* CLOCK_MONOTONIC; under the lock of its http */
	struct watched *next, **at;
};

struct http_exchange {
	struct request request;
	struct http *http;
	const struct http_settings *settings;
	struct MHD_Connection *connection;
	struct watched *watched;
	struct guard guard;
	const struct route *route; /* NULL: a page, or refused */
	int64_t deadline_ns;
	char path[EXCHANGE_PATH_CHARS]; /* as it came */
	char cut[EXCHANGE_PATH_CHARS];  /* the same, cut into parts */
	char *body;
	size_t body_room;
	uint64_t came;                  /* bytes of the body so far */
	bool begun, page;
	/* the answer, once there is one */
	struct MHD_Response *response;
	int status;
	bool answered, last; /* last: the connection ends with it */
	struct {
		char name[48];
		char *value;
	} headers[EXCHANGE_HEADERS_MOST];
	size_t n_headers;
};

/*
 * The first call about a request, with its headers. *ret_now: answer at once and
 * close. -ENOMEM: close without a word.
 */
int exchange_open(struct http *http, const struct http_settings *settings,
	struct MHD_Connection *connection, const char *url, const char *method,
	const char *version, struct http_exchange **ret_exchange, bool *ret_now) MUST_CHECK;

/* A piece of the body. Negative: close the connection. */
int exchange_take(struct http_exchange *exchange, const char *bytes, size_t n) MUST_CHECK;

/* The body is in: runs the handler, if there is no answer yet. */
void exchange_finish(struct http_exchange *exchange);

/* Hands the answer to libmicrohttpd. */
enum MHD_Result exchange_send(struct http_exchange *exchange);

/* @whole: the answer went out in full. Takes NULL. */
void exchange_close(struct http_exchange *exchange, bool whole);

/* Around every handler: waits until it may run; lets the next one run. */
void http_begin_handler(struct http *http);
void http_end_handler(struct http *http);

/* Sets when the connection is cut off. */
void http_extend(struct http *http, struct watched *watched, int64_t deadline_ns);

#endif
