/*
 * One request, from its headers to its answer.
 *
 * libmicrohttpd calls once with the headers, then with pieces of the body, then
 * once more with nothing left. An answer can be known at any of these moments but
 * may only be handed over at the first and the last. A refusal that is known early
 * waits for the rest of a short body, thrown away as it comes: closing on a peer
 * that still sends would destroy the answer on its way (RFC 9112, 9.6). A peer
 * that asked first (Expect), sends too much or in a shape that two could read in
 * two ways gets the answer at once, and the connection ends.
 */
#include "app/server/exchange.h"

#include "app/base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DRAIN_MOST (1 << 20) /* of a body that nobody wants */
#define STREAM_TIMES 10 /* longer that a body may take that is not held in memory */
#define FULL_RETRY_S 600
#define BUSY_RETRY_S 5
#define API "/api/v1/"

static enum MHD_Result see(void *data, enum MHD_ValueKind kind, const char *name, const char *value)
{
	guard_see(data, name, value);
	return MHD_YES;
}

static bool has_body(const struct http_exchange *exchange)
{
	return exchange->guard.length > 0 || exchange->guard.chunked;
}

/* --- who is at the other end --- */

static void peer_name(const struct sockaddr *address, char ret_peer[static HTTP_PEER_CHARS])
{
	const void *bytes = NULL;
	int family = address ? address->sa_family : AF_UNSPEC;

	if (family == AF_INET) {
		bytes = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
	} else if (family == AF_INET6) {
		const struct in6_addr *six =
			&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;

		bytes = six;
		if (IN6_IS_ADDR_V4MAPPED(six)) {
			family = AF_INET;
			bytes = six->s6_addr + 12;
		}
	}
	if (!bytes || !inet_ntop(family, bytes, ret_peer, HTTP_PEER_CHARS)) {
		(void)snprintf(ret_peer, HTTP_PEER_CHARS, "?");
	}
}

/* The proxy names last whom it heard itself; what stands before is hearsay. */
static void believe_proxy(struct request *request)
{
	const char *via = request_header(request, "X-Forwarded-For");
	const char *proto = request_header(request, "X-Forwarded-Proto");
	unsigned char bytes[sizeof(struct in6_addr)];
	const char *last;

	if (strncmp(request->peer, "127.", 4) != 0 && strcmp(request->peer, "::1") != 0) {
		return;
	}
	request->secure = proto && strcasecmp(proto, "https") == 0;
	if (via) {
		last = strrchr(via, ',');
		last = last ? last + 1 : via;
		last += strspn(last, " \t");
		if (strlen(last) < HTTP_PEER_CHARS &&
			(inet_pton(AF_INET, last, bytes) == 1 ||
				inet_pton(AF_INET6, last, bytes) == 1)) {
			(void)snprintf(request->peer, sizeof(request->peer), "%s", last);
		}
	}
}

static void see_peer(struct http_exchange *exchange)
{
	const union MHD_ConnectionInfo *info;

	info = MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	peer_name(info ? info->client_addr : NULL, exchange->request.peer);
	exchange->request.secure = exchange->settings->key != NULL;
	if (exchange->settings->behind_proxy) {
		believe_proxy(&exchange->request);
	}
}

/* --- where it goes --- */

static const struct {
	enum http_method method;
	const char *name;
} methods[] = {
	{HTTP_GET, "GET"},
	{HTTP_HEAD, "HEAD"},
	{HTTP_POST, "POST"},
	{HTTP_PUT, "PUT"},
	{HTTP_PATCH, "PATCH"},
	{HTTP_DELETE, "DELETE"},
	{HTTP_OPTIONS, "OPTIONS"},
};

#define N_METHODS (sizeof(methods) / sizeof(methods[0]))

static enum http_method method_of(const char *name)
{
	size_t i;

	for (i = 0; i < N_METHODS; i++) {
		if (strcmp(methods[i].name, name) == 0) {
			return methods[i].method;
		}
	}
	return 0;
}

static const char *method_name(enum http_method method)
{
	size_t i;

	for (i = 0; i < N_METHODS; i++) {
		if (methods[i].method == method) {
			return methods[i].name;
		}
	}
	return "?";
}

static void answer_methods(struct request *request, int known)
{
	char allow[80] = "";
	size_t i, n = 0;

	known |= known & HTTP_GET ? HTTP_HEAD : 0;
	for (i = 0; i < N_METHODS; i++) {
		if (known & methods[i].method) {
			n += (size_t)snprintf(allow + n, sizeof(allow) - n, "%s%s", n ? ", " : "",
				methods[i].name);
		}
	}
	answer_header(request, "Allow", "%s", allow);
	(void)answer_error(request, 405, "method", "This address knows only %s.", allow);
}

static void find_route(struct http_exchange *exchange)
{
	struct request *request = &exchange->request;
	int known;
	char *c;

	if (strncmp(exchange->path, "/api/", 5) != 0) {
		exchange->page = true;
		if (!(request->method & (HTTP_GET | HTTP_HEAD))) {
			answer_methods(request, HTTP_GET);
		}
		return;
	}
	known = 0;
	if (strncmp(exchange->path, API, sizeof(API) - 1) == 0) {
		(void)snprintf(exchange->cut, sizeof(exchange->cut) - 1, "%s",
			exchange->path + sizeof(API) - 1);
		for (c = exchange->cut; *c; c++) {
			*c = *c == '/' ? '\0' : *c;
		}
		exchange->route =
			router_find(exchange->settings->router, request, exchange->cut, &known);
	}
	if (!exchange->route) {
		if (known) {
			answer_methods(request, known);
		} else {
			(void)answer_error(request, 404, "not-found", "There is nothing here.");
		}
	}
}

/* What a handler could not do. A path can hold a secret: its pattern is what is told. */
static void fail(struct http_exchange *exchange, int r, const struct error *error)
{
	struct request *request = &exchange->request;
	const struct http_settings *settings = exchange->settings;

	if (settings->failed) {
		settings->failed(settings->failed_data, method_name(request->method),
			exchange->route ? exchange->route->pattern : "?", error);
	}
	if (r == -ENOSPC || r == -EDQUOT) {
		answer_header(request, "Retry-After", "%d", FULL_RETRY_S);
		(void)answer_error(request, 507, "full",
			"The server's disk is full. Make room on it, then try again.");
	} else if (r == -ENOMEM || r == -EBUSY) {
		answer_header(request, "Retry-After", "%d", BUSY_RETRY_S);
		(void)answer_error(
			request, 503, "busy", "The server is busy. Try again in a moment.");
	} else {
		(void)answer_error(request, 500, "broken",
			"The server failed, and its log says why. Try again later.");
	}
}

/* Calls a handler and sees to what it could not do. */
static void call(struct http_exchange *exchange, router_check *handler)
{
	struct error error = {""};
	int r;

	http_begin_handler(exchange->http);
	r = handler(&exchange->request, &error);
	http_end_handler(exchange->http);
	if (r < 0) {
		fail(exchange, r, &error);
	}
}

static void check_body(struct http_exchange *exchange)
{
	struct request *request = &exchange->request;
	size_t most = exchange->route ? exchange->route->body_most : 0;

	if (has_body(exchange) && most == 0) {
		(void)answer_error(request, 413, "body", "This request takes no body.");
	} else if (exchange->guard.length > (int64_t)most) {
		(void)answer_error(
			request, 413, "too-big", "The body may weigh %zu bytes at most.", most);
	}
}

static void check_who(struct http_exchange *exchange)
{
	const struct router *router = exchange->settings->router;
	enum who who = exchange->route ? exchange->route->who : WHO_ANYBODY;

	if (who == WHO_BOX) {
		call(exchange, router->box);
	} else if (who == WHO_PERSON) {
		call(exchange, router->person);
	}
}

static void begin(struct http_exchange *exchange)
{
	const struct route *route = exchange->route;

	if (route && route->begin) {
		exchange->begun = true;
		call(exchange, route->begin);
	}
}

static void refuse_shape(struct http_exchange *exchange, const char *version)
{
	if (strcmp(version, MHD_HTTP_VERSION_1_1) != 0 &&
		strcmp(version, MHD_HTTP_VERSION_1_0) != 0) {
		exchange->last = true;
		(void)answer_error(&exchange->request, 505, "version", "Speak HTTP/1.1.");
	} else if (guard_end(&exchange->guard) != 0) {
		exchange->last = true;
		(void)answer_error(&exchange->request, exchange->guard.status, "request", "%s.",
			exchange->guard.why);
	} else if (!guard_path(exchange->path)) {
		(void)answer_error(&exchange->request, 404, "not-found", "There is nothing here.");
	}
}

static void open_steps(struct http_exchange *exchange, const char *version)
{
	static void (*const steps[])(struct http_exchange *) = {
		see_peer, find_route, check_body, check_who, begin};
	size_t i;

	refuse_shape(exchange, version);
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]) && !exchange->answered; i++) {
		steps[i](exchange);
	}
}

int exchange_open(struct http *http, const struct http_settings *settings,
	struct MHD_Connection *connection, const char *url, const char *method, const char *version,
	struct http_exchange **ret_exchange, bool *ret_now)
{
	struct http_exchange *exchange = calloc(1, sizeof(*exchange));
	const union MHD_ConnectionInfo *info;
	int64_t seconds = settings->request_s;

	if (!exchange) {
		return -ENOMEM;
	}
	exchange->http = http;
	exchange->settings = settings;
	exchange->connection = connection;
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	exchange->watched = info ? info->socket_context : NULL;
	exchange->request.server = settings->server;
	exchange->request.exchange = exchange;
	exchange->request.method = method_of(method);
	exchange->request.path = exchange->path;
	exchange->request.body = "";
	if (strlen(url) < sizeof(exchange->path)) {
		(void)snprintf(exchange->path, sizeof(exchange->path), "%s", url);
	}
	(void)MHD_get_connection_values(connection, MHD_HEADER_KIND, see, &exchange->guard);
	open_steps(exchange, version);
	if (exchange->begun) {
		seconds *= STREAM_TIMES;
	}
	exchange->deadline_ns = clock_now_ns() + seconds * NS_PER_S;
	http_extend(http, exchange->watched, exchange->deadline_ns);
	if (exchange->answered && has_body(exchange) &&
		(request_header(&exchange->request, "Expect") ||
			exchange->guard.length > DRAIN_MOST)) {
		exchange->last = true;
	}
	*ret_now = exchange->answered && exchange->last;
	if (*ret_now && exchange->response &&
		!MHD_get_response_header(exchange->response, "Connection")) {
		(void)MHD_add_response_header(exchange->response, "Connection", "close");
	}
	*ret_exchange = exchange;
	return 0;
}

/* --- its body --- */

static int keep(struct http_exchange *exchange, const char *bytes, size_t n)
{
	struct request *request = &exchange->request;
	size_t room = exchange->body_room;
	char *body;

	if (request->body_bytes + n + 1 > room) {
		room = room ? room : 4096;
		while (room < request->body_bytes + n + 1) {
			room *= 2;
		}
		body = realloc(exchange->body, room);
		if (!body) {
			return -ENOMEM;
		}
		exchange->body = body;
		exchange->body_room = room;
		request->body = body;
	}
	memcpy(exchange->body + request->body_bytes, bytes, n);
	request->body_bytes += n;
	exchange->body[request->body_bytes] = '\0';
	return 0;
}

int exchange_take(struct http_exchange *exchange, const char *bytes, size_t n)
{
	struct request *request = &exchange->request;
	const struct route *route = exchange->route;
	struct error error = {""};
	uint64_t most;
	int r = 0;

	if (clock_now_ns() > exchange->deadline_ns) {
		return -ETIMEDOUT;
	}
	exchange->came += n;
	if (!exchange->answered && exchange->came > (route ? route->body_most : 0)) {
		(void)answer_error(request, 413, "too-big",
			"The body is longer than it may be. Send less at once.");
	}
	if (exchange->answered) {
		most = route && route->body_most > DRAIN_MOST ? route->body_most : DRAIN_MOST;
		return exchange->came > most ? -EFBIG : 0;
	}
	r = route->take ? route->take(request, bytes, n, &error) : keep(exchange, bytes, n);
	if (r < 0) {
		fail(exchange, r, &error);
	}
	return 0;
}

static void end(struct http_exchange *exchange, bool whole)
{
	if (exchange->begun) {
		exchange->begun = false;
		if (exchange->route->end) {
			exchange->route->end(&exchange->request, whole);
		}
	}
}

void exchange_finish(struct http_exchange *exchange)
{
	if (!exchange->answered) {
		call(exchange,
			exchange->page ? exchange->settings->router->page
				       : exchange->route->handle);
	}
	end(exchange, true);
	if (!exchange->answered) {
		struct error error = {"the handler gave no answer"};

		fail(exchange, -EPROTO, &error);
	}
}

/* --- its answer --- */

enum MHD_Result exchange_send(struct http_exchange *exchange)
{
	enum MHD_Result result;

	if (!exchange->response) {
		return MHD_NO;
	}
	http_extend(exchange->http, exchange->watched,
		clock_now_ns() + exchange->settings->answer_s * NS_PER_S);
	result = MHD_queue_response(
		exchange->connection, (unsigned int)exchange->status, exchange->response);
	MHD_destroy_response(exchange->response);
	exchange->response = NULL;
	return result;
}

void exchange_close(struct http_exchange *exchange, bool whole)
{
	size_t i;

	if (!exchange) {
		return;
	}
	end(exchange, whole);
	if (exchange->response) {
		MHD_destroy_response(exchange->response);
	}
	for (i = 0; i < exchange->n_headers; i++) {
		free(exchange->headers[i].value);
	}
	free(exchange->body);
	free(exchange);
}
