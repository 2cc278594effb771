/*
 * The seam to the network: one request, one answer, on libcurl. An answer counts
 * only when it is our server's: right key, no redirect, our header.
 */
#ifndef SYNC_TRANSPORT_H
#define SYNC_TRANSPORT_H

#include "app/base/error.h"
#include "app/sync/said.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TRANSPORT_LOCATION_CHARS 256
#define TRANSPORT_ANSWER_BYTES (1 << 20)
#define TRANSPORT_HEADERS_MAX 6

struct transport;

/* All borrowed for the transport's life. */
struct transport_settings {
	const char *url; /* as bond_url() gives it */
	const char *token; /* "" for none */
	const char *pin; /* sha256//BASE64; "" to go by the system's CAs */
	bool any_key; /* with no pin: take any key, to learn it; no token is sent */
	int stall_s; /* so long without a byte, and the connection counts as dead */
};

/*
 * Positive results of transport_ask(): there is no answer that counts, and @error
 * says why in words. The request may or may not have been obeyed.
 */
enum transport_result {
	TRANSPORT_E_SILENT = 1, /* no network, no server, cut, stalled */
	TRANSPORT_E_FOREIGN, /* somebody else answered: a captive portal, most likely */
	TRANSPORT_E_IDENTITY, /* TLS, and not by the key or the CAs that it must be */
};

/* Text is borrowed during the call. */
struct request {
	const char *method;
	const char *path; /* under /api/v1; one that begins so is taken as it is */
	const char *type; /* of the body; NULL for none */
	const char *headers[TRANSPORT_HEADERS_MAX]; /* more of them; ended by NULL */
	const char *body;
	size_t body_bytes;
	int file; /* the body is the rest of this file from @from; 0 for none */
	off_t from;
	off_t file_bytes; /* how much of it */
};

struct answer {
	int status;
	char version[32]; /* of the server */
	char *body; /* owned, a NUL behind it; never NULL after success */
	size_t n;
	char etag[SAID_ETAG_CHARS];
	char location[TRANSPORT_LOCATION_CHARS]; /* a path; "" for none of this server */
	char kept[65]; /* Chalkbox-Kept */
	int64_t upload_offset; /* -1: not said */
	int64_t retry_after_s; /* -1: not said */
	struct said_error said; /* for a status of 400 and above */
};

/* Told of bytes of the body as they go out, counted from the request's begin. */
typedef void transport_sent(void *data, int64_t bytes);

/* 0 or -ENOMEM. Close with transport_close(), which takes NULL. */
int transport_open(const struct transport_settings *settings, struct transport **ret_transport,
	struct error *error) MUST_CHECK;
void transport_close(struct transport *transport);

void transport_watch(struct transport *transport, transport_sent *sent, void *data);

/*
 * Asks, and waits for the whole answer: blocks on the network, at most while
 * bytes come or go. 0: the server answered, whatever its status; the caller frees
 * with answer_fini(). A positive transport_result, or -ENOMEM. One thread.
 */
int transport_ask(struct transport *transport, const struct request *request,
	struct answer *ret_answer, struct error *error) MUST_CHECK;
void answer_fini(struct answer *answer);

/*
 * Asks up to TRANSPORT_GROUP requests over a few connections, each next one as soon
 * as one is answered, and waits for all; once one has failed, the rest is not asked.
 * ret_results[i] is as of transport_ask(), and where it is 0 the answer is the
 * caller's. @error explains one that is not. -ENOMEM: none was asked.
 */
#define TRANSPORT_GROUP 16
int transport_ask_all(struct transport *transport, const struct request *requests, size_t n,
	struct answer *ret_answers, int *ret_results, struct error *error) MUST_CHECK;

/*
 * The pin of the key that the server showed in the latest request that got an
 * answer, with any_key; "" if there was none. Borrowed.
 */
const char *transport_seen_pin(const struct transport *transport);

/*
 * Reads one header line of an answer into it; a line may be cut off or hostile.
 * Exposed for tests and fuzzing.
 */
void answer_header(struct answer *answer, const char *line, size_t n, const char *url);

#endif
