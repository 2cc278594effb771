#include "app/cli/canvas.h"
#include "app/cli/cli.h"
#include "app/cli/record.h"
#include "app/cli/terminal.h"
#include "app/cli/units.h"
#include "app/timeline/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int run(struct cli *cli, int argc, char **argv);

const struct command command_observations = {
	.name = "observations",
	.arguments = "[--json]",
	.summary = "lists the observed lessons, the newest last",
	.help = "",
	.json = true,
	.run = run,
};

static const char *end_word(const struct timeline *timeline)
{
	return timeline->running ? "running" : timeline->end_cause;
}

static void print_row(struct canvas *canvas, const struct timeline *timeline)
{
	size_t counted = 0;
	char text[UNITS_CHARS * 2 + 2], one[UNITS_CHARS], two[UNITS_CHARS];
	int row = canvas_row(canvas);

	for (size_t i = 0; i < timeline->n_events; i++) {
		counted += !timeline->events[i].undone;
	}
	snprintf(text, sizeof(text), "%lld", (long long)timeline->observation);
	canvas_right(canvas, row, 4, STYLE_BOLD, text);
	if (timeline->start.known) {
		snprintf(text, sizeof(text), "%s %s",
			units_wall_short(timeline->start.realtime_ns, one),
			units_uncertainty(timeline->start.uncertainty_ns, two));
		canvas_text(canvas, row, 6, STYLE_PLAIN, text);
	} else {
		canvas_text(canvas, row, 6, STYLE_AMBER, "time unknown");
	}
	canvas_right(canvas, row, 44, STYLE_PLAIN, units_time(timeline->length_ns, 0, one));
	snprintf(text, sizeof(text), "%zu", counted);
	canvas_right(canvas, row, 51, STYLE_PLAIN, text);
	snprintf(text, sizeof(text), "%zu", timeline->n_snippets);
	canvas_right(canvas, row, 60, STYLE_PLAIN, text);
	canvas_text(
		canvas, row, 62, timeline->running ? STYLE_GREEN : STYLE_PLAIN, end_word(timeline));
	canvas_text(canvas, row, 73, STYLE_DIM, timeline->scheme.name);
}

static void print_head(struct canvas *canvas)
{
	int row = canvas_row(canvas);

	canvas_right(canvas, row, 4, STYLE_DIM, "ID");
	canvas_text(canvas, row, 6, STYLE_DIM, "when");
	canvas_right(canvas, row, 44, STYLE_DIM, "length");
	canvas_right(canvas, row, 51, STYLE_DIM, "events");
	canvas_right(canvas, row, 60, STYLE_DIM, "snippets");
	canvas_text(canvas, row, 62, STYLE_DIM, "ended by");
	canvas_text(canvas, row, 73, STYLE_DIM, "scheme");
}

/* All observations, each to one of the two forms. */
static int each(const struct record *record, struct canvas *canvas, json_t *list)
{
	const struct entries *entries = &record->entries;
	int64_t id = 0;

	while ((id = timeline_next(entries->list, entries->n, id)) != 0) {
		struct timeline *timeline;
		int r = timeline_fold(entries->list, entries->n, id, &timeline);

		if (r < 0) {
			return r;
		}
		if (canvas != NULL) {
			print_row(canvas, timeline);
		} else if (json_array_append_new(list, json_observation(timeline)) < 0) {
			r = -ENOMEM;
		}
		timeline_free(timeline);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static int print_table(const struct record *record)
{
	struct drawing drawing;
	struct canvas *canvas;
	int r;

	if (timeline_next(record->entries.list, record->entries.n, 0) == 0) {
		record_say_empty();
		return 0;
	}
	terminal_drawing(&drawing);
	drawing.width = 73 + SCHEME_NAME_CHARS; /* a terminal may wrap it, a pipe will not */
	canvas = canvas_new(&drawing);
	if (canvas == NULL) {
		return -ENOMEM;
	}
	print_head(canvas);
	r = each(record, canvas, NULL);
	if (r == 0) {
		r = canvas_print(canvas, false, stdout);
	}
	canvas_free(canvas);
	return r;
}

static int print_json(const struct record *record)
{
	json_t *list = json_array();
	int r = each(record, NULL, list);

	if (r < 0) {
		json_decref(list);
		return r;
	}
	return json_print(json_pack("{s:s, s:i, s:o}", "format", "chalkbox-observations", "version",
				  1, "observations", list),
		stdout);
}

static int run(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {CLI_OPTIONS, {0}};
	struct record record;
	struct error error;
	int r;

	if (cli_option(cli, argc, argv, options) != -1) {
		return cli->status;
	}
	if (optind < argc) {
		return cli_misuse(cli, "`%s` is one argument too many", argv[optind]);
	}
	r = record_open(cli->config_path, &record, &error);
	if (r < 0) {
		record_close(&record);
		return cli_error("%s", error.text);
	}
	r = cli->json ? print_json(&record) : print_table(&record);
	record_close(&record);
	return r < 0 ? cli_unprinted(cli, r) : CLI_FINE;
}
