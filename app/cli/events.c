#include "app/cli/cli.h"
#include "app/cli/csv.h"
#include "app/cli/record.h"
#include "app/timeline/json.h"

#include <errno.h>
#include <string.h>

static int run(struct cli *cli, int argc, char **argv);

const struct command command_events = {
	.name = "events",
	.arguments = "[ID|last|all] [--csv | --json]",
	.summary = "prints events for other programs",
	.help = "  ID|last|all        which observation (default: last)\n"
		"  --csv              rows, RFC 4180 (default)\n",
	.json = true,
	.run = run,
};

/* One timeline to the form that is wanted: rows, or an element of @list. */
static int print_one(const struct timeline *timeline, json_t *list)
{
	if (list == NULL) {
		return csv_events(timeline, stdout);
	}
	return json_array_append_new(list, json_events(timeline)) < 0 ? -ENOMEM : 0;
}

static int print_all(const struct record *record, json_t *list, struct error *error)
{
	const struct entries *entries = &record->entries;
	int64_t id = 0;
	int r = 0;

	while (r == 0 && (id = timeline_next(entries->list, entries->n, id)) != 0) {
		struct timeline *timeline;

		r = timeline_fold(entries->list, entries->n, id, &timeline);
		if (r == 0) {
			r = print_one(timeline, list);
			timeline_free(timeline);
		}
	}
	return r < 0 ? error_set(error, r, "events: %s", strerrordesc_np(-r)) : 0;
}

static int print_events(
	const struct record *record, const char *which, json_t *list, struct error *error)
{
	struct timeline *timeline = NULL;
	bool all = strcmp(which, "all") == 0;
	int r = all ? 0 : record_timeline(record, which, &timeline, error);

	if (r < 0) {
		return r;
	}
	if (list == NULL) {
		csv_head(stdout);
	}
	if (all) {
		return print_all(record, list, error);
	}
	r = print_one(timeline, list);
	timeline_free(timeline);
	return r < 0 ? error_set(error, r, "events: %s", strerrordesc_np(-r)) : 0;
}

static int run(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		CLI_OPTIONS,
		{"csv", no_argument, NULL, 'v'},
		{0},
	};
	struct record record;
	struct error error;
	json_t *list = NULL;
	bool csv = false;
	int option, r;

	while ((option = cli_option(cli, argc, argv, options)) != -1) {
		if (option != 'v') {
			return cli->status;
		}
		csv = true;
	}
	if (csv && cli->json) {
		return cli_misuse(cli, "--csv and --json exclude each other");
	}
	if (argc - optind > 1) {
		return cli_misuse(cli, "`%s` is one argument too many", argv[optind + 1]);
	}
	if (cli->json && (list = json_array()) == NULL) {
		return cli_unprinted(cli, -ENOMEM);
	}
	r = record_open(cli->config_path, &record, &error);
	if (r == 0) {
		r = print_events(&record, optind < argc ? argv[optind] : "last", list, &error);
	}
	record_close(&record);
	if (r < 0) {
		json_decref(list);
		return cli_error("%s", error.text);
	}
	if (list != NULL) {
		r = json_print(json_pack("{s:s, s:i, s:o}", "format", "chalkbox-events", "version",
				       1, "observations", list),
			stdout);
	}
	return r < 0 ? cli_unprinted(cli, r) : CLI_FINE;
}
