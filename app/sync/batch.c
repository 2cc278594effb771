#include "app/sync/batch.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* What is 0 or "" or absent is left out; the order is that of the columns. */
static int line_object(const struct entry *entry, json_t **ret_line)
{
	const struct {
		const char *name;
		int64_t number;
	} numbers[] = {{"seq", entry->seq}, {"boot", entry->boot}, {"t_ns", entry->t_ns},
		{"observation", entry->observation}, {"ref", entry->ref}, {"value", entry->value}};
	json_t *line = json_object();
	int bad = line ? 0 : -1;

	for (size_t i = 0; i < 6 && bad == 0; i++) {
		if (numbers[i].number != 0) {
			bad = json_object_set_new(
				line, numbers[i].name, json_integer(numbers[i].number));
		}
		if (i == 2 && bad == 0) {
			bad = json_object_set_new(
				line, "kind", json_string(entry_kind_name(entry->kind)));
		}
	}
	if (bad == 0 && entry->code[0]) {
		bad = json_object_set_new(line, "code", json_string(entry->code));
	}
	if (bad != 0) {
		json_decref(line);
		return -ENOMEM;
	}
	*ret_line = line;
	return 0;
}

static int body_object(const struct entry *entry, json_t *line, struct error *error)
{
	json_error_t why;
	json_t *body;

	if (!entry->body) {
		return 0;
	}
	body = json_loads(entry->body, 0, &why);
	if (!body && json_error_code(&why) == json_error_out_of_memory) {
		return error_set(error, -ENOMEM, "out of memory");
	}
	if (!json_is_object(body)) {
		json_decref(body);
		return error_set(error, -EINVAL,
			"entry %lld of the journal is broken (its body is not a JSON object); "
			"`chalkbox check` tells more",
			(long long)entry->seq);
	}
	return json_object_set_new(line, "body", body) < 0
		? error_set(error, -ENOMEM, "out of memory")
		: 0;
}

static int make_line(const struct entry *entry, char **ret_text, struct error *error)
{
	json_t *line;
	char *text;
	int r;

	r = line_object(entry, &line);
	if (r < 0) {
		return error_set(error, r, "out of memory");
	}
	r = body_object(entry, line, error);
	text = r < 0 ? NULL : json_dumps(line, JSON_COMPACT);
	json_decref(line);
	if (r < 0) {
		return r;
	}
	if (!text) {
		return error_set(error, -ENOMEM, "out of memory");
	}
	*ret_text = text;
	return 0;
}

static int add_line(struct batch *batch, const char *text, size_t n)
{
	char *more = realloc(batch->text, batch->bytes + n + 2);

	if (!more) {
		return -ENOMEM;
	}
	memcpy(more + batch->bytes, text, n);
	batch->bytes += n;
	more[batch->bytes++] = '\n';
	more[batch->bytes] = '\0';
	batch->text = more;
	batch->lines++;
	return 0;
}

int batch_make(const struct entry *entries, size_t n, size_t most_lines, size_t most_bytes,
	struct batch *ret_batch, struct error *error)
{
	struct batch batch = {.text = NULL};
	int r = 0;

	for (size_t i = 0; i < n && batch.lines < most_lines && r == 0; i++) {
		char *text = NULL;
		size_t bytes;

		r = make_line(&entries[i], &text, error);
		if (r < 0) {
			break;
		}
		bytes = strlen(text);
		if (batch.lines > 0 && batch.bytes + bytes + 1 > most_bytes) {
			free(text);
			break;
		}
		r = add_line(&batch, text, bytes);
		if (r < 0) {
			(void)error_set(error, r, "out of memory");
		}
		free(text);
		batch.last = entries[i].seq;
	}
	if (r == -ENOMEM || (r < 0 && batch.lines == 0)) {
		batch_fini(&batch);
		return r;
	}
	*ret_batch = batch; /* what comes before a broken entry still goes */
	return 0;
}

void batch_fini(struct batch *batch)
{
	free(batch->text);
	*batch = (struct batch){.text = NULL};
}
