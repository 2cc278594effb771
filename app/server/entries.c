/* What a box recorded, line by line. */
#include "app/server/ndjson.h"
#include "app/server/server.h"
#include "app/server/store_entries.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The journal that the query names. 0, or 1 when it has been answered. */
static int journal_of(struct request *request, char ret_journal[static ID_CHARS])
{
	int r = request_query(request, "journal", ret_journal, ID_CHARS);

	if (r == 0 && id_valid(ret_journal)) {
		return 0;
	}
	(void)answer_error(request, 400, "journal", "Name the journal: ?journal=UUID.");
	return 1;
}

static int others(struct request *request)
{
	return answer_error(request, 409, "not-yours",
		"This journal belongs to another box. Revoke that box's pairing first.");
}

static bool type_ok(struct request *request)
{
	static const char ndjson[] = "application/x-ndjson";
	const char *type = request_header(request, "Content-Type");

	if (type && strncasecmp(type, ndjson, sizeof(ndjson) - 1) == 0 &&
		strchr("; \t", type[sizeof(ndjson) - 1])) {
		return true;
	}
	(void)answer_error(request, 415, "type", "Send entries as application/x-ndjson.");
	return false;
}

static json_t *refusals_json(const struct entry_batch *batch)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; list && i < batch->n_refused; i++) {
		const struct entry_refusal *refusal = &batch->refused[i];
		json_t *one = json_pack(
			"{sI ss}", "seq", (json_int_t)refusal->seq, "reason", refusal->reason);

		if (!one) { /* a reason that was cut within a character */
			one = json_pack(
				"{sI ss}", "seq", (json_int_t)refusal->seq, "reason", "invalid");
		}
		if (json_array_append_new(list, one) != 0) {
			json_decref(list);
			list = NULL;
		}
	}
	return list;
}

static int add(struct request *request, const struct ndjson *lines, const char *journal,
	struct error *error)
{
	struct entry_batch batch = {
		.journal = journal,
		.box = request->box,
		.coach = request->coach,
		.list = lines->entries.list,
		.wrong = (const char *const *)lines->wrong,
		.n = lines->entries.n,
		.now_ns = server_now_ns(),
	};
	int r;

	batch.refused = calloc(batch.n + 1, sizeof(*batch.refused));
	if (!batch.refused) {
		return -ENOMEM;
	}
	r = store_entries_add(request->server->store, &batch, error);
	if (r == STORE_E_OTHERS) {
		r = others(request);
	} else if (r == 0) {
		r = answer_json(request, 200,
			json_pack("{sI so}", "kept", (json_int_t)batch.kept, "refused",
				refusals_json(&batch)));
	}
	free(batch.refused);
	return r;
}

static int post_entries(struct request *request, struct error *error)
{
	char journal[ID_CHARS];
	struct ndjson lines;
	struct error wrong;
	int r;

	if (!type_ok(request) || journal_of(request, journal) != 0) {
		return 0;
	}
	r = ndjson_parse(request->body, request->body_bytes, &lines, &wrong);
	if (r == -EINVAL) {
		return answer_error(request, 400, "lines", "%s.", wrong.text);
	}
	if (r == -E2BIG) {
		return answer_error(request, 413, "too-many", "%s.", wrong.text);
	}
	if (r < 0) {
		return r;
	}
	r = server_has_room(request->server, (int64_t)request->body_bytes, error);
	if (r == 0) {
		r = add(request, &lines, journal, error);
	}
	ndjson_fini(&lines);
	return r;
}

const struct route entry_routes[] = {
	{HTTP_POST, "box/entries", WHO_BOX, NDJSON_BYTES_MOST, .handle = post_entries},
	{0},
};
