/*
 * One HTTP request and its answer, on libmicrohttpd. Handlers run in the
 * connection's own thread and may block; a request belongs to one thread at a time.
 */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include "app/base/error.h"
#include "app/base/id.h"
#include "app/server/access.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HTTP_PARTS_MOST 8
#define HTTP_PEER_CHARS 64
#define HTTP_JSON_MOST (256 << 10) /* what a body of JSON may weigh */

enum http_method {
	HTTP_GET = 1,
	HTTP_HEAD = 2,
	HTTP_POST = 4,
	HTTP_PUT = 8,
	HTTP_PATCH = 16,
	HTTP_DELETE = 32,
	HTTP_OPTIONS = 64,
};

struct server;
struct http_exchange; /* the connection's side of it; private to http.c */

/* All text is borrowed until the handler returns. */
struct request {
	struct server *server;
	enum http_method method;
	const char *path;                  /* "/api/v1/boxes/..."; of [A-Za-z0-9._~/-] only */
	const char *part[HTTP_PARTS_MOST]; /* what stood where the pattern has a "+" */
	size_t n_parts;
	const char *body;                  /* the whole body, a NUL behind it */
	size_t body_bytes;
	char peer[HTTP_PEER_CHARS];        /* the address; behind a proxy, the one it names */
	bool secure;                       /* came by TLS, to us or to the proxy */
	/* who asks, filled in by the router's checks; "" for nobody */
	char box[ID_CHARS];
	char box_name[65], coach[ID_CHARS]; /* the box's, and whose it is */
	int64_t heard_ns;                  /* when the box was heard of before */
	char person[ID_CHARS];
	char person_name[128];
	unsigned int roles;
	char session[65];                  /* the key of the session in the store */
	void *stream;                      /* the handler's own, between the calls of a stream */
	struct http_exchange *exchange;
};

/* A header's value, or NULL. One that comes twice is refused before any handler. */
const char *request_header(const struct request *request, const char *name);

/*
 * A query parameter, percent-decoded into the caller's memory. 0; -ENOENT without
 * it; -EINVAL when it is too long, holds a NUL or is not UTF-8.
 */
int request_query(const struct request *request, const char *name, char *ret_text,
	size_t room) MUST_CHECK;

/* A cookie's value into the caller's memory. 0, -ENOENT or -EINVAL (too long). */
int request_cookie(const struct request *request, const char *name, char *ret_text,
	size_t room) MUST_CHECK;

/*
 * The body as a JSON object: Content-Type application/json, UTF-8, nested at most
 * 32 deep, no key twice. 0 (caller calls json_decref()), or 1 when the body is not
 * that and has been answered with 400 or 415: return 0 then.
 */
int request_json(struct request *request, json_t **ret_object) MUST_CHECK;

/* A text member of @object, or "" when it is absent or no text; borrowed from it. */
const char *json_text(const json_t *object, const char *name);

/*
 * Answers. Each is the last call about the request but for the handler's own
 * clean-up, and returns 0, so that a handler can `return answer_json(...)`; out of
 * memory becomes a 503 by itself. answer_header() comes before.
 */
void answer_header(struct request *request, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Takes the reference to @json; NULL (a builder out of memory) is answered 503. */
int answer_json(struct request *request, int status, json_t *json);

/*
 * The same of JSON that is a text already, from malloc(), which is taken. What is long
 * goes compressed to whoever GETs it and can read that.
 */
int answer_text(struct request *request, int status, char *text);

/* {"error": word, "message": the sentence}. The message names the way out. */
int answer_error(struct request *request, int status, const char *word, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* No body. */
int answer_empty(struct request *request, int status);

/*
 * The file behind @fd, which is taken, from its first byte to @bytes; a Range of
 * bytes is answered 206 or 416. HEAD answers the same without the body.
 */
int answer_file(struct request *request, int fd, off_t bytes, const char *type);

/*
 * The same with memory of which @release(@owner) lets go: always called, once, when the
 * answer is sent or given up, in any thread.
 */
int answer_owned(struct request *request, void *bytes, size_t n, const char *type,
	void (*release)(void *owner), void *owner);

/* Whether an answer has been given. */
bool request_answered(const struct request *request);

struct http_settings {
	const char *listen;        /* "127.0.0.1:8080", "[::]:8443", ":8443" */
	const char *key, *cert;    /* PEM; NULL for plain HTTP */
	bool behind_proxy;         /* believe X-Forwarded-For and -Proto of the loopback */
	int handlers_most;         /* how many of them run at one time */
	int connections_most, per_address_most;
	int idle_s, request_s, answer_s; /* no byte at all; until the body is in; until the
	                                    answer is out */
	const struct router *router;
	struct server *server;     /* what requests carry */
	/* a handler's failure, once each, from any worker thread */
	void (*failed)(void *data, const char *method, const char *path, const struct error *error);
	void *failed_data;
};

struct http;

/*
 * Reads the key and binds. Borrows the settings and all they point at until
 * http_close(). 0; -EADDRINUSE, -EACCES or another -errno with an explanation that
 * names the address.
 */
int http_open(const struct http_settings *settings, struct http **ret_http,
	struct error *error) MUST_CHECK;

/* The port that was bound, for a setting of port 0. */
uint16_t http_port(const struct http *http);

/* Starts the threads that answer. 0 or -errno. */
int http_start(struct http *http, struct error *error) MUST_CHECK;

/* Cuts off what is past its deadline; call once a second. */
void http_reap(struct http *http);

/*
 * Whether connections are still taken. Where none came since this last said so, one is
 * made to this server itself: then ask again in a second. Of one thread.
 */
bool http_takes(struct http *http);

/* Takes no new connection, lets running handlers finish, frees. Takes NULL. */
void http_close(struct http *http);

#endif
