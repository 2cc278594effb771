/* Answers: each makes a response that http.c sends when the body is in. */
#include "app/server/exchange.h"
#include "app/server/gzip.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PACKED_LEAST 4096 /* bytes; what is less is a packet or three anyway */

void answer_header(struct request *request, const char *name, const char *format, ...)
{
	struct http_exchange *exchange = request->exchange;
	char *value;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&value, format, args);
	va_end(args);
	if (n < 0 || exchange->n_headers == EXCHANGE_HEADERS_MOST) {
		free(n < 0 ? NULL : value);
		return;
	}
	(void)snprintf(exchange->headers[exchange->n_headers].name,
		sizeof(exchange->headers[0].name), "%s", name);
	exchange->headers[exchange->n_headers++].value = value;
}

/* What every answer says, unless the handler has said it. */
static void add_headers(struct http_exchange *exchange, struct MHD_Response *response)
{
	static const char *const always[][2] = {
		{"Chalkbox-Server", CHALKBOX_VERSION},
		{"X-Content-Type-Options", "nosniff"},
		{"Referrer-Policy", "no-referrer"},
	};
	size_t i;

	for (i = 0; i < sizeof(always) / sizeof(always[0]); i++) {
		(void)MHD_add_response_header(response, always[i][0], always[i][1]);
	}
	for (i = 0; i < exchange->n_headers; i++) {
		(void)MHD_add_response_header(
			response, exchange->headers[i].name, exchange->headers[i].value);
	}
	if (!MHD_get_response_header(response, "Cache-Control")) {
		(void)MHD_add_response_header(response, "Cache-Control", "no-store");
	}
	if (exchange->request.secure) {
		(void)MHD_add_response_header(
			response, "Strict-Transport-Security", "max-age=31536000");
	}
	if (exchange->route && exchange->route->header) {
		(void)MHD_add_response_header(
			response, exchange->route->header, exchange->route->header_value);
	}
	if (exchange->last) {
		(void)MHD_add_response_header(response, "Connection", "close");
	}
}

/* The first answer counts; @response is taken. */
static int give(struct request *request, int status, struct MHD_Response *response)
{
	struct http_exchange *exchange = request->exchange;

	if (exchange->answered) {
		if (response) {
			MHD_destroy_response(response);
		}
		return 0;
	}
	if (!response) {
		static char sorry[] = "{\"error\":\"busy\",\"message\":\"The server is out of "
				      "memory. Try again.\"}";

		status = MHD_HTTP_SERVICE_UNAVAILABLE;
		response = MHD_create_response_from_buffer(
			sizeof(sorry) - 1, sorry, MHD_RESPMEM_PERSISTENT);
	}
	exchange->answered = true;
	exchange->response = response;
	exchange->status = status;
	if (response) {
		add_headers(exchange, response);
	}
	return 0;
}

int answer_empty(struct request *request, int status)
{
	return give(
		request, status, MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT));
}

/* In the place of *text and *n what it takes less of the link, if the asker can read it. */
static void pack(struct request *request, char **text, size_t *n)
{
	void *packed;
	size_t packed_n;

	if (request->method != HTTP_GET || *n < PACKED_LEAST) {
		return;
	}
	answer_header(request, "Vary", "Accept-Encoding");
	if (gzip_taken(request_header(request, "Accept-Encoding")) &&
		gzip_pack(*text, *n, &packed, &packed_n) == 0) {
		free(*text);
		*text = packed;
		*n = packed_n;
		answer_header(request, "Content-Encoding", "gzip");
	}
}

int answer_text(struct request *request, int status, char *text)
{
	struct MHD_Response *response = NULL;
	size_t n = text ? strlen(text) : 0;

	if (text) {
		pack(request, &text, &n);
		response = MHD_create_response_from_buffer(n, text, MHD_RESPMEM_MUST_FREE);
		if (!response) {
			free(text);
		} else {
			(void)MHD_add_response_header(response, "Content-Type", "application/json");
		}
	}
	return give(request, status, response);
}

int answer_json(struct request *request, int status, json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	return answer_text(request, status, text);
}

int answer_error(struct request *request, int status, const char *word, const char *format, ...)
{
	char message[480];
	va_list args;
	json_t *json;

	va_start(args, format);
	(void)vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	json = json_pack("{ss ss}", "error", word, "message", message);
	if (!json) { /* the message is not UTF-8: it repeats what the peer said */
		json = json_pack("{ss ss}", "error", word, "message", "The request is not UTF-8.");
	}
	return answer_json(request, status, json);
}

/*
 * Which part of the body to send: its status, or 416 with *ret_n 0. A range means
 * something for GET alone (RFC 9110, 14.2). A conditional one (If-Range) is answered
 * whole, which is always right.
 */
static int part(struct request *request, int64_t size, int64_t *ret_from, int64_t *ret_n)
{
	const char *header =
		request_header(request, "If-Range") ? NULL : request_header(request, "Range");
	int r;

	*ret_from = 0;
	*ret_n = size;
	answer_header(request, "Accept-Ranges", "bytes");
	r = request->method == HTTP_GET ? guard_range(header, size, ret_from, ret_n) : 0;
	if (r == -ERANGE) {
		answer_header(request, "Content-Range", "bytes */%lld", (long long)size);
		*ret_n = 0;
		return MHD_HTTP_RANGE_NOT_SATISFIABLE;
	}
	if (r == 1) {
		answer_header(request, "Content-Range", "bytes %lld-%lld/%lld",
			(long long)*ret_from, (long long)(*ret_from + *ret_n - 1), (long long)size);
		return MHD_HTTP_PARTIAL_CONTENT;
	}
	return MHD_HTTP_OK;
}

int answer_file(struct request *request, int fd, off_t bytes, const char *type)
{
	struct MHD_Response *response;
	int64_t from, n;
	int status = part(request, bytes, &from, &n);

	if (status == MHD_HTTP_RANGE_NOT_SATISFIABLE) {
		(void)close(fd);
		return answer_empty(request, status);
	}
	response = MHD_create_response_from_fd_at_offset64((uint64_t)n, fd, (uint64_t)from);
	if (!response) {
		(void)close(fd);
	}
	answer_header(request, "Content-Type", "%s", type);
	return give(request, status, response);
}

int answer_owned(struct request *request, void *bytes, size_t size, const char *type,
	void (*release)(void *owner), void *owner)
{
	struct MHD_Response *response;
	int64_t from, n;
	int status = part(request, (int64_t)size, &from, &n);

	if (status == MHD_HTTP_RANGE_NOT_SATISFIABLE) {
		release(owner);
		return answer_empty(request, status);
	}
	response = MHD_create_response_from_buffer_with_free_callback_cls(
		(size_t)n, (char *)bytes + from, release, owner);
	if (!response) {
		release(owner);
	}
	answer_header(request, "Content-Type", "%s", type);
	return give(request, status, response);
}
