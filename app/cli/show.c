#include "app/cli/cli.h"
#include "app/cli/draw.h"
#include "app/cli/record.h"
#include "app/cli/terminal.h"
#include "app/timeline/json.h"

#include <errno.h>

static int run(struct cli *cli, int argc, char **argv);

const struct command command_show = {
	.name = "show",
	.arguments = "ID|last [--width N] [--no-color] [--ascii] [--json]",
	.summary = "draws the timeline of an observation",
	.help = "  ID|last            a number from `chalkbox observations`, or the newest\n"
		"  --width N          columns to draw in (default: the terminal's, else 80)\n"
		"  --no-color         no colours, as with NO_COLOR set\n"
		"  --ascii            nothing but ASCII\n",
	.json = true,
	.run = run,
};

static int print(const struct cli *cli, const char *which, const struct drawing *drawing)
{
	struct timeline *timeline = NULL;
	struct record record;
	struct error error;
	int r = record_open(cli->config_path, &record, &error);

	if (r == 0) {
		r = record_timeline(&record, which, &timeline, &error);
	}
	record_close(&record);
	if (r < 0) {
		return cli_error("%s", error.text);
	}
	r = cli->json ? json_print(json_timeline(timeline), stdout)
		      : draw_timeline(timeline, drawing, stdout);
	timeline_free(timeline);
	return r < 0 ? cli_unprinted(cli, r) : CLI_FINE;
}

static int run(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		CLI_OPTIONS,
		{"width", required_argument, NULL, 'w'},
		{"no-color", no_argument, NULL, 'n'},
		{"ascii", no_argument, NULL, 'a'},
		{0},
	};
	struct drawing drawing;
	int64_t width;
	int option;

	terminal_drawing(&drawing);
	while ((option = cli_option(cli, argc, argv, options)) != -1) {
		switch (option) {
		case 'w':
			if (cli_number(cli, "--width", optarg, DRAW_WIDTH_MIN, DRAW_WIDTH_MAX,
				    &width) < 0) {
				return CLI_USAGE;
			}
			drawing.width = (int)width;
			break;
		case 'n':
			drawing.colour = false;
			break;
		case 'a':
			drawing.ascii = true;
			break;
		default:
			return cli->status;
		}
	}
	if (argc - optind != 1) {
		return cli_misuse(cli, "takes one observation: its ID, or `last`");
	}
	return print(cli, argv[optind], &drawing);
}
