#include "app/server/boxes.h"

#include "app/base/clock.h"
#include "app/server/health.h"
#include "app/server/server.h"
#include "app/server/store_boxes.h"
#include "app/server/store_entries.h"
#include "app/server/store_site.h"
#include "app/server/token.h"
#include "app/server/upkeep.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MISSING_MOST 500
#define REPORT_BYTES (16 << 10)
#define FAULTS_MOST 16
#define FAULT_BYTES 200
#define HEARD_EVERY_NS (60 * NS_PER_S) /* for requests that write nothing else */
#define ETAG_CHARS 35

bool boxes_name_ok(const char *name)
{
	size_t n = strlen(name), i;

	if (n == 0 || n >= BOX_NAME_CHARS || name[0] == ' ' || name[n - 1] == ' ') {
		return false;
	}
	for (i = 0; i < n; i++) {
		if ((unsigned char)name[i] < ' ' || name[i] == 0x7f) {
			return false;
		}
	}
	return true;
}

int boxes_check(struct request *request, struct error *error)
{
	static const char bearer[] = "Bearer ";
	const char *said = request_header(request, "Authorization");
	struct box_row box;
	char hash[TOKEN_CHARS];
	int r = STORE_E_NO_BOX;

	if (said && strncasecmp(said, bearer, sizeof(bearer) - 1) == 0 &&
		token_valid(said + sizeof(bearer) - 1)) {
		token_hash(said + sizeof(bearer) - 1, hash);
		r = store_box_by_token(request->server->store, hash, &box, error);
	}
	if (r == STORE_E_NO_BOX) {
		answer_header(request, "WWW-Authenticate", "Bearer");
		return answer_error(request, 401, "unpaired",
			"This box is not paired, or not any more. Pair it anew.");
	}
	if (r < 0) {
		return r;
	}
	memcpy(request->box, box.id, sizeof(request->box));
	memcpy(request->coach, box.coach, sizeof(request->coach));
	memcpy(request->box_name, box.name, sizeof(request->box_name));
	request->heard_ns = box.heard_ns;
	return 0;
}

/* --- the configuration --- */

/* The box's configuration as text, and its version. */
static int config_text(struct request *request, char **ret_text, char ret_etag[static ETAG_CHARS],
	struct error *error)
{
	struct site site;
	char hash[TOKEN_CHARS];
	json_t *json;
	char *text;
	int r;

	r = store_site_get(request->server->store, &site, error);
	if (r < 0) {
		return r;
	}
	json = json_pack("{so s{sI}}", "scheme",
		site.scheme && site.scheme[0] ? json_string(site.scheme) : json_null(), "retention",
		"days_on_box", (json_int_t)site.days_on_box);
	site_fini(&site);
	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	if (!text) {
		return error_set(error, -ENOMEM, "out of memory");
	}
	token_hash(text, hash);
	(void)snprintf(ret_etag, ETAG_CHARS, "\"%.32s\"", hash);
	*ret_text = text;
	return 0;
}

/* RFC 9110, 13.1.2: one of a list, strong or weak, or "*". */
static bool etag_matches(const char *list, const char *etag)
{
	return list && (strcmp(list, "*") == 0 || strstr(list, etag));
}

static int get_config(struct request *request, struct error *error)
{
	char etag[ETAG_CHARS], *text;
	int r;

	r = config_text(request, &text, etag, error);
	if (r < 0) {
		return r;
	}
	answer_header(request, "ETag", "%s", etag);
	answer_header(request, "Cache-Control", "private, no-cache");
	if (etag_matches(request_header(request, "If-None-Match"), etag)) {
		free(text);
		return answer_empty(request, 304);
	}
	return answer_text(request, 200, text);
}

/* --- who it is, and what is kept --- */

static json_t *seqs_json(const int64_t *seqs, size_t n)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; list && i < n; i++) {
		if (json_array_append_new(list, json_integer(seqs[i])) != 0) {
			json_decref(list);
			list = NULL;
		}
	}
	return list;
}

/* Strikes those out whose files are here after all. 0 or -errno. */
static int adopt(
	struct request *request, const char *journal, int64_t *seqs, size_t *n, struct error *error)
{
	size_t i, left = 0;
	int r = 0;

	for (i = 0; i < *n && r >= 0; i++) {
		r = upkeep_adopt(request, journal, seqs[i], error);
		if (r == 0) {
			seqs[left++] = seqs[i];
		}
	}
	*n = left;
	return r < 0 ? r : 0;
}

/* What the server has of the journal; unknown ones become known. */
static int look(struct request *request, const char *journal, int64_t *ret_kept,
	json_t **ret_snippets, struct error *error)
{
	struct store *store = request->server->store;
	int64_t missing[MISSING_MOST], withdrawn[MISSING_MOST];
	size_t n_missing, n_withdrawn;
	int r;

	r = store_journal_claim(store, journal, request->box, ret_kept, error);
	if (r == 0) {
		r = store_snippets_missing(
			store, journal, missing, MISSING_MOST, &n_missing, error);
	}
	if (r == 0) {
		r = adopt(request, journal, missing, &n_missing, error);
	}
	if (r == 0) {
		r = store_snippets_withdrawn(
			store, journal, withdrawn, MISSING_MOST, &n_withdrawn, error);
	}
	if (r == 0) {
		*ret_snippets = json_pack("{so so}", "missing", seqs_json(missing, n_missing),
			"withdrawn", seqs_json(withdrawn, n_withdrawn));
	}
	return r;
}

static int get_box(struct request *request, struct error *error)
{
	char journal[ID_CHARS], etag[ETAG_CHARS], *text;
	int64_t kept = 0, now_ns = server_now_ns();
	json_t *snippets;
	int r;

	if (request_query(request, "journal", journal, sizeof(journal)) != 0 ||
		!id_valid(journal)) {
		return answer_error(request, 400, "journal", "Name the journal: ?journal=UUID.");
	}
	r = config_text(request, &text, etag, error);
	if (r < 0) {
		return r;
	}
	free(text);
	r = look(request, journal, &kept, &snippets, error);
	if (r == STORE_E_OTHERS) {
		return answer_error(request, 409, "not-yours",
			"This journal belongs to another box. Revoke that box's pairing first.");
	}
	if (r == 0 && now_ns - request->heard_ns > HEARD_EVERY_NS) {
		r = store_box_heard(request->server->store, request->box, now_ns, error);
		if (r < 0) {
			json_decref(snippets);
		}
	}
	if (r < 0) {
		return r;
	}
	return answer_json(request, 200,
		json_pack("{s{ss ss} sI sI ss so}", "box", "id", request->box, "name",
			request->box_name, "kept", (json_int_t)kept, "time_ns",
			(json_int_t)server_now_ns(), "config", etag, "snippets", snippets));
}

/* --- what it says about itself --- */

/* A whole number that is not negative; absent is 0. */
static bool amount(const json_t *json, const char *name, int64_t *ret_amount)
{
	const json_t *value = json_object_get(json, name);

	*ret_amount = json_integer_value(value);
	return !value || (json_is_integer(value) && *ret_amount >= 0);
}

static bool faults_ok(const json_t *faults)
{
	const json_t *fault;
	size_t i;

	if (!faults) {
		return true;
	}
	if (!json_is_array(faults) || json_array_size(faults) > FAULTS_MOST) {
		return false;
	}
	json_array_foreach(faults, i, fault)
	{
		if (!json_is_string(fault) || json_string_length(fault) > FAULT_BYTES) {
			return false;
		}
	}
	return true;
}

static const char *report_read(const json_t *json, int64_t received_ns, struct box_report *report)
{
	int64_t time_ns;

	if (!amount(json, "free_bytes", &report->free_bytes) ||
		!amount(json, "state_bytes", &report->state_bytes) ||
		!amount(json, "unsent_entries", &report->unsent_entries) ||
		!amount(json, "unsent_snippets", &report->unsent_snippets) ||
		!amount(json, "time_ns", &time_ns)) {
		return "Numbers must be whole and not below 0.";
	}
	report->version = json_text(json, "version");
	if (strlen(report->version) > 31) {
		return "A version has 31 bytes at most.";
	}
	report->clock_error_ns = time_ns ? time_ns - received_ns : 0;
	return faults_ok(json_object_get(json, "faults"))
		? NULL
		: "Faults are an array of at most 16 texts of at most 200 bytes.";
}

static int post_report(struct request *request, struct error *error)
{
	int64_t received_ns = server_now_ns();
	struct box_report report = {.now_ns = received_ns};
	const char *wrong;
	char *faults, *health;
	json_t *json;
	int r;

	if (request_json(request, &json) != 0) {
		return 0;
	}
	wrong = report_read(json, received_ns, &report);
	if (wrong) {
		json_decref(json);
		return answer_error(request, 400, "report", "%s", wrong);
	}
	r = health_read(json_object_get(json, "health"), &health, error);
	if (r < 0) {
		json_decref(json);
		return r == -EINVAL ? answer_error(request, 400, "report", "%s", error->text) : r;
	}
	faults = json_object_get(json, "faults")
		? json_dumps(json_object_get(json, "faults"), JSON_COMPACT)
		: strdup("[]");
	report.faults = faults;
	report.health = health;
	r = faults ? store_box_report(request->server->store, request->box, &report, error)
		   : -ENOMEM;
	free(faults);
	free(health);
	json_decref(json);
	if (r < 0) {
		return r;
	}
	return answer_json(request, 200,
		json_pack("{sI sI}", "received_ns", (json_int_t)received_ns, "sent_ns",
			(json_int_t)server_now_ns()));
}

const struct route box_routes[] = {
	{HTTP_GET, "box", WHO_BOX, .handle = get_box},
	{HTTP_GET, "box/config", WHO_BOX, .handle = get_config},
	{HTTP_POST, "box/report", WHO_BOX, REPORT_BYTES, .handle = post_report},
	{0},
};
