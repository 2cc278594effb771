/* What the box says of itself at the end of each run. */
#include "app/health/health.h"
#include "app/sync/run.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *faults_json(const struct survey *survey)
{
	json_t *list = json_array();

	for (size_t i = 0; i < survey->told.n_faults; i++) {
		char text[256];

		(void)snprintf(text, sizeof(text), "%s: %.150s", survey->told.faults[i].code,
			survey->told.faults[i].cause);
		for (char *c = text; *c; c++) {
			*c = (unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e ? '?' : *c;
		}
		if (json_array_append_new(list, json_string(text)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static char *report_text(const struct run *run)
{
	struct health health = {.told = &run->survey.told, .wiring = run->config->board_title};
	bool observing;
	json_t *json;
	int64_t bytes = 0;
	char *text;

	health.recorder = writer_observing(run->writer, &observing, NULL) == 0 &&
		writer_has_recorder(run->writer);
	health_look(&health, run->config->state, run->config->sync_state);
	for (size_t i = 0; i < run->survey.n; i++) {
		bytes += run->survey.snippets[i].gone ? 0 : run->survey.snippets[i].bytes;
	}
	json = json_pack("{s:s, s:I, s:I, s:I, s:o, s:I, s:I, s:o}", "version", CHALKBOX_VERSION,
		"time_ns", (json_int_t)health.clock.realtime_ns, "free_bytes",
		(json_int_t)health.room.free_bytes, "state_bytes", (json_int_t)bytes, "faults",
		faults_json(&run->survey), "unsent_entries", (json_int_t)run->entries_unsent,
		"unsent_snippets", (json_int_t)run->snippets_unsent, "health",
		health_json(&health));
	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	return text;
}

int report_send(struct run *run, struct error *error)
{
	char *text = report_text(run);
	struct request request = {
		.method = "POST", .path = "/box/report", .type = "application/json"};
	struct answer answer;
	int r;

	if (!text) {
		return error_set(error, -ENOMEM, "out of memory");
	}
	request.body = text;
	request.body_bytes = strlen(text);
	r = talk_ask(&run->talk, &request, &answer, error);
	free(text);
	if (r == 0) {
		if (answer.status != 200 && answer.status != 204) {
			r = talk_unexpected(&answer, "reporting", error);
		}
		answer_fini(&answer);
	}
	return r;
}
