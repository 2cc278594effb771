/*
 * Who answers? On a school's Wi-Fi, anybody may: a captive portal says 200 to
 * everything, a proxy redirects to its login. So an answer counts only if it came
 * over TLS by the pinned key (or the system's CAs where there is no pin), was not
 * a redirect followed, and carries the header Chalkbox-Server. Plain http never
 * leaves this machine.
 *
 * The connection is kept over the run: a snippet costs one round trip, no
 * handshake. libcurl sends a request again by itself only when a kept connection
 * turns out dead before the first byte of an answer; each of our requests may
 * come twice without harm.
 */
#include "app/sync/transport.h"

#include "app/base/file.h"
#include "app/sync/bond.h"

#include <curl/curl.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT_ONCE 8 /* connections; a school's boxes come from one address */
#define CONNECT_S 15
#define WHOLE_S 1800
#define BYTES_A_SECOND_LEAST 64
#define URL_CHARS (BOND_URL_CHARS + TRANSPORT_LOCATION_CHARS + 256)

struct transport {
	const struct transport_settings *settings;
	CURL *curl;
	CURLM *several; /* NULL until first needed, as are these */
	CURL *more[TRANSPORT_GROUP];
	char seen_pin[PIN_CHARS];
	transport_sent *sent;
	void *sent_data;
};

/* One request under way. */
struct asking {
	struct transport *transport;
	CURL *curl; /* the transport's */
	char why[CURL_ERROR_SIZE];
	struct curl_slist *headers;
	CURLcode code;
	const struct request *request;
	off_t at; /* of the body, sent */
	struct answer answer;
	bool too_long;
	bool head_ended; /* libcurl takes a connection cut amid headers for their end */
};

/* --- what comes --- */

static size_t on_header(char *bytes, size_t size, size_t n, void *data)
{
	struct asking *asking = data;

	answer_header(&asking->answer, bytes, size * n, asking->transport->settings->url);
	asking->head_ended = size * n > 0 && (bytes[0] == '\r' || bytes[0] == '\n');
	return size * n;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *data)
{
	struct asking *asking = data;
	struct answer *answer = &asking->answer;
	char *more;

	n *= size;
	if (answer->n + n > TRANSPORT_ANSWER_BYTES) {
		asking->too_long = true;
		return 0;
	}
	more = realloc(answer->body, answer->n + n + 1);
	if (!more) {
		return 0;
	}
	memcpy(more + answer->n, bytes, n);
	answer->body = more;
	answer->n += n;
	more[answer->n] = '\0';
	return n;
}

/* --- what goes --- */

static size_t on_read(char *bytes, size_t size, size_t n, void *data)
{
	struct asking *asking = data;
	const struct request *request = asking->request;
	off_t left =
		(request->file > 0 ? request->file_bytes : (off_t)request->body_bytes) - asking->at;
	ssize_t got;

	n *= size;
	n = left < (off_t)n ? (size_t)left : n;
	if (request->file > 0) {
		got = pread(request->file, bytes, n, request->from + asking->at);
		if (got < 0 || (got == 0 && n > 0)) {
			return CURL_READFUNC_ABORT; /* the file is shorter than it was */
		}
	} else {
		memcpy(bytes, request->body + asking->at, n);
		got = (ssize_t)n;
	}
	asking->at += got;
	if (asking->transport->sent && asking->curl == asking->transport->curl) {
		asking->transport->sent(asking->transport->sent_data, asking->at);
	}
	return (size_t)got;
}

static int on_seek(void *data, curl_off_t offset, int origin)
{
	struct asking *asking = data;

	if (origin != SEEK_SET || offset < 0) {
		return CURL_SEEKFUNC_CANTSEEK;
	}
	asking->at = offset;
	return CURL_SEEKFUNC_OK;
}

/* --- setting up --- */

int transport_open(const struct transport_settings *settings, struct transport **ret_transport,
	struct error *error)
{
	struct transport *transport = calloc(1, sizeof(*transport));

	if (!transport) {
		return error_set(error, -ENOMEM, "out of memory");
	}
	transport->settings = settings;
	transport->curl = curl_easy_init();
	if (!transport->curl) {
		free(transport);
		return error_set(error, -ENOMEM, "libcurl cannot be set up");
	}
	*ret_transport = transport;
	return 0;
}

void transport_close(struct transport *transport)
{
	if (transport) {
		for (size_t i = 0; i < TRANSPORT_GROUP; i++) {
			curl_easy_cleanup(transport->more[i]);
		}
		(void)curl_multi_cleanup(transport->several);
		curl_easy_cleanup(transport->curl);
		free(transport);
	}
}

void transport_watch(struct transport *transport, transport_sent *sent, void *data)
{
	transport->sent = sent;
	transport->sent_data = data;
}

const char *transport_seen_pin(const struct transport *transport)
{
	return transport->seen_pin;
}

/* Each option that cannot be set is a reason not to ask at all. */
static CURLcode set_security(CURL *curl, const struct transport_settings *settings)
{
	bool by_cas = !settings->pin[0] && !settings->any_key;
	CURLcode code;

	code = curl_easy_setopt(
		curl, CURLOPT_PROTOCOLS_STR, bond_is_local(settings->url) ? "http,https" : "https");
	code = code ? code : curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	code = code ? code
		    : curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	code = code ? code : curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, by_cas ? 1L : 0L);
	code = code ? code : curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, by_cas ? 2L : 0L);
	if (settings->pin[0]) {
		code = code ? code : curl_easy_setopt(curl, CURLOPT_PINNEDPUBLICKEY, settings->pin);
	}
	if (settings->any_key) {
		code = code ? code : curl_easy_setopt(curl, CURLOPT_CERTINFO, 1L);
	}
	if (bond_is_local(settings->url)) {
		code = code ? code : curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	}
	return code;
}

static CURLcode set_manners(struct asking *asking, const char *url)
{
	CURL *curl = asking->curl;
	CURLcode code;

	code = curl_easy_setopt(curl, CURLOPT_URL, url);
	code = code ? code
		    : curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	code = code ? code : curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	code = code ? code
		    : curl_easy_setopt(curl, CURLOPT_USERAGENT, "chalkbox-sync/" CHALKBOX_VERSION);
	code = code ? code : curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
	code = code ? code : curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)WHOLE_S);
	code = code ? code
		    : curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, (long)BYTES_A_SECOND_LEAST);
	code = code ? code
		    : curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME,
			      (long)asking->transport->settings->stall_s);
	code = code ? code : curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	code = code ? code : curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, 65536L);
	code = code ? code : curl_easy_setopt(curl, CURLOPT_TCP_NODELAY, 1L);
	return code ? code : curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, asking->why);
}

static CURLcode set_request(struct asking *asking)
{
	const struct request *request = asking->request;
	CURL *curl = asking->curl;
	bool sends = request->file > 0 || request->body;
	curl_off_t bytes = request->file > 0 ? request->file_bytes : (off_t)request->body_bytes;
	CURLcode code;

	if (strcmp(request->method, "HEAD") == 0) {
		code = curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
	} else if (sends) {
		code = curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
		code = code ? code : curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, bytes);
	} else if (strcmp(request->method, "POST") == 0) {
		code = curl_easy_setopt(curl, CURLOPT_POST, 1L);
		code = code ? code : curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, 0L);
	} else {
		code = curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
	}
	code = code ? code : curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
	code = code ? code : curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_read);
	code = code ? code : curl_easy_setopt(curl, CURLOPT_READDATA, asking);
	code = code ? code : curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, on_seek);
	code = code ? code : curl_easy_setopt(curl, CURLOPT_SEEKDATA, asking);
	code = code ? code : curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	code = code ? code : curl_easy_setopt(curl, CURLOPT_WRITEDATA, asking);
	code = code ? code : curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
	return code ? code : curl_easy_setopt(curl, CURLOPT_HEADERDATA, asking);
}

static int add_header(struct curl_slist **list, const char *text)
{
	struct curl_slist *more = curl_slist_append(*list, text);

	if (!more) {
		return -ENOMEM;
	}
	*list = more;
	return 0;
}

static int make_headers(const struct transport_settings *settings, const struct request *request,
	struct curl_slist **ret_list)
{
	struct curl_slist *list = NULL;
	char text[160];
	int r;

	r = add_header(&list, "Expect:"); /* no round trip for a leave to send */
	if (r == 0 && settings->token[0] && !settings->any_key) {
		r = file_path(text, sizeof(text), "Authorization: Bearer %s", settings->token);
		r = r < 0 ? r : add_header(&list, text);
		sodium_memzero(text, sizeof(text));
	}
	if (r == 0 && request->type) {
		r = file_path(text, sizeof(text), "Content-Type: %s", request->type);
		r = r < 0 ? r : add_header(&list, text);
	}
	for (size_t i = 0; r == 0 && i < TRANSPORT_HEADERS_MAX && request->headers[i]; i++) {
		r = add_header(&list, request->headers[i]);
	}
	if (r < 0) {
		curl_slist_free_all(list);
		return r;
	}
	*ret_list = list;
	return 0;
}

/* --- what came of it --- */

/* PEM -> DER -> pin, of the first certificate of the chain. */
static void note_pin(struct transport *transport)
{
	struct curl_certinfo *info = NULL;
	const char *pem = NULL;
	unsigned char der[16384];
	size_t n;

	transport->seen_pin[0] = '\0';
	if (curl_easy_getinfo(transport->curl, CURLINFO_CERTINFO, &info) != CURLE_OK || !info ||
		info->num_of_certs < 1) {
		return;
	}
	for (struct curl_slist *line = info->certinfo[0]; line; line = line->next) {
		if (strncmp(line->data, "Cert:", 5) == 0) {
			pem = strstr(line->data, "-----BEGIN CERTIFICATE-----");
		}
	}
	if (!pem) {
		return;
	}
	pem += strlen("-----BEGIN CERTIFICATE-----");
	if (sodium_base642bin(der, sizeof(der), pem, strcspn(pem, "-"), " \n\r\t", &n, NULL,
		    sodium_base64_VARIANT_ORIGINAL) != 0 ||
		bond_pin(der, n, transport->seen_pin) < 0) {
		transport->seen_pin[0] = '\0';
	}
}

static int failed(struct asking *asking, CURLcode code, struct error *error)
{
	const struct transport *transport = asking->transport;
	const char *why = asking->why[0] ? asking->why : curl_easy_strerror(code);

	switch (code) {
	case CURLE_OUT_OF_MEMORY:
		return error_set(error, -ENOMEM, "out of memory");
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
		return error_set(error, TRANSPORT_E_IDENTITY,
			"whoever answers as %s does not have the key of the pairing: a network "
			"that "
			"wants a login first, or a server set up anew (then pair the box again)",
			transport->settings->url);
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
		return error_set(error, TRANSPORT_E_IDENTITY,
			"whoever answers as %s cannot prove it (%s): a network that wants a login "
			"first, or this box's clock is wrong",
			transport->settings->url, why);
	case CURLE_WRITE_ERROR:
		return asking->too_long ? error_set(error, TRANSPORT_E_FOREIGN,
						  "the answer of %s is too long to be our server's",
						  transport->settings->url)
					: error_set(error, -ENOMEM, "out of memory");
	default:
		return error_set(
			error, TRANSPORT_E_SILENT, "%s: %s", transport->settings->url, why);
	}
}

static int judge(struct asking *asking, struct error *error)
{
	struct answer *answer = &asking->answer;
	long status = 0;
	curl_off_t retry_s = 0;

	(void)curl_easy_getinfo(asking->curl, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(asking->curl, CURLINFO_RETRY_AFTER, &retry_s);
	if (!asking->head_ended) {
		return error_set(error, TRANSPORT_E_SILENT, "%s: cut off amid its answer",
			asking->transport->settings->url);
	}
	if (!answer->version[0]) {
		return error_set(error, TRANSPORT_E_FOREIGN,
			"%s: answered %ld, but not by our server: the network wants a login first, "
			"or "
			"the address is another program's",
			asking->transport->settings->url, status);
	}
	answer->status = (int)status;
	if (retry_s > 0) {
		answer->retry_after_s = retry_s;
	}
	if (!answer->body) {
		answer->body = calloc(1, 1);
		if (!answer->body) {
			return error_set(error, -ENOMEM, "out of memory");
		}
	}
	if (status >= 400) {
		said_error(answer->body, answer->n, &answer->said);
	}
	return 0;
}

static int prepare(struct asking *asking, struct error *error)
{
	static const char api[] = "/api/v1";
	const struct transport_settings *settings = asking->transport->settings;
	char url[URL_CHARS];
	int r;

	r = file_path(url, sizeof(url), "%s%s%s", settings->url,
		strncmp(asking->request->path, api, strlen(api)) == 0 ? "" : api,
		asking->request->path);
	if (r == 0) {
		r = make_headers(settings, asking->request, &asking->headers);
	}
	if (r < 0) {
		return error_set(error, r, "%s: %s", asking->request->path, strerror(-r));
	}
	curl_easy_reset(asking->curl); /* the connection stays */
	asking->code = set_security(asking->curl, settings);
	asking->code = asking->code ? asking->code : set_manners(asking, url);
	asking->code = asking->code ? asking->code : set_request(asking);
	asking->code = asking->code
		? asking->code
		: curl_easy_setopt(asking->curl, CURLOPT_HTTPHEADER, asking->headers);
	return 0;
}

/* The request is over, with asking->code. */
static int conclude(struct asking *asking, struct answer *ret_answer, struct error *error)
{
	int r;

	curl_slist_free_all(asking->headers);
	r = asking->code ? failed(asking, asking->code, error) : judge(asking, error);
	if (r == 0 && asking->transport->settings->any_key) {
		note_pin(asking->transport);
	}
	if (r != 0) {
		answer_fini(&asking->answer);
		return r;
	}
	*ret_answer = asking->answer;
	return 0;
}

int transport_ask(struct transport *transport, const struct request *request,
	struct answer *ret_answer, struct error *error)
{
	struct asking asking = {.transport = transport,
		.curl = transport->curl,
		.request = request,
		.answer = {.upload_offset = -1, .retry_after_s = -1}};
	int r;

	r = prepare(&asking, error);
	if (r < 0) {
		return r;
	}
	asking.code = asking.code ? asking.code : curl_easy_perform(asking.curl);
	return conclude(&asking, ret_answer, error);
}

/* --- several at a time --- */

static int open_several(struct transport *transport, struct error *error)
{
	transport->several = transport->several ? transport->several : curl_multi_init();
	for (size_t i = 0; i < TRANSPORT_GROUP; i++) {
		transport->more[i] = transport->more[i] ? transport->more[i] : curl_easy_init();
		if (!transport->more[i] || !transport->several) {
			return error_set(error, -ENOMEM, "libcurl cannot be set up");
		}
	}
	return 0;
}

/* What has ended; whether the server took all of it. */
static bool take_ended(CURLM *several, struct asking *askings, size_t n, size_t *at_once)
{
	const CURLMsg *message;
	bool well = true;
	long status = 0;
	int left;

	while ((message = curl_multi_info_read(several, &left))) {
		for (size_t i = 0; i < n; i++) {
			if (message->msg == CURLMSG_DONE &&
				askings[i].curl == message->easy_handle) {
				askings[i].code = message->data.result;
				(void)curl_easy_getinfo(
					askings[i].curl, CURLINFO_RESPONSE_CODE, &status);
				well &= askings[i].code == CURLE_OK && status / 100 == 2;
				--*at_once;
			}
		}
	}
	return well;
}

/* While the server syncs one, others are on their way. */
static void perform_all(CURLM *several, struct asking *askings, size_t n)
{
	size_t next = 0, at_once = 0;
	bool well = true;
	int running;

	while (well || at_once > 0) {
		for (; well && next < n && at_once < AT_ONCE; next++) {
			if (askings[next].code == CURLE_OK) {
				/* until it says how it ended */
				askings[next].code = CURLE_SEND_ERROR;
				at_once += curl_multi_add_handle(several, askings[next].curl) ==
					CURLM_OK;
			}
		}
		if (at_once == 0 || curl_multi_perform(several, &running) != CURLM_OK) {
			break;
		}
		if ((size_t)running == at_once &&
			curl_multi_poll(several, NULL, 0, 1000, NULL) != CURLM_OK) {
			break;
		}
		well &= take_ended(several, askings, n, &at_once);
	}
	for (; next < n; next++) {
		askings[next].code = CURLE_SEND_ERROR;
	}
}

int transport_ask_all(struct transport *transport, const struct request *requests, size_t n,
	struct answer *ret_answers, int *ret_results, struct error *error)
{
	struct asking *askings;
	int r;

	r = open_several(transport, error);
	askings = r < 0 ? NULL : calloc(TRANSPORT_GROUP, sizeof(*askings));
	if (!askings) {
		return r < 0 ? r : error_set(error, -ENOMEM, "out of memory");
	}
	for (size_t i = 0; i < n; i++) {
		askings[i].transport = transport;
		askings[i].curl = transport->more[i];
		askings[i].request = &requests[i];
		askings[i].answer.upload_offset = askings[i].answer.retry_after_s = -1;
		ret_results[i] = prepare(&askings[i], error);
		if (ret_results[i] != 0) {
			askings[i].code = CURLE_FAILED_INIT; /* not to be asked */
		}
	}
	perform_all(transport->several, askings, n);
	for (size_t i = 0; i < n; i++) {
		if (ret_results[i] == 0) {
			(void)curl_multi_remove_handle(transport->several, askings[i].curl);
			ret_results[i] = conclude(&askings[i], &ret_answers[i], error);
		}
	}
	free(askings);
	return 0;
}
