/*
 * The network is chalkbox-sync's: these two commands give it what was asked for
 * and step aside, so that its exit code and its words are theirs.
 */
#include "app/cli/cli.h"
#include "app/cli/helper.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WORDS_MOST 12

static int run_sync(struct cli *cli, int argc, char **argv);
static int run_pair(struct cli *cli, int argc, char **argv);

const struct command command_sync = {
	.name = "sync",
	.arguments = "[--now] [--dry-run] | --status",
	.summary = "brings what was recorded to the server",
	.help = "  --now              even during a lesson, and on any network\n"
		"  --dry-run          say what would go; send nothing, change nothing here\n"
		"  --status           say to whom the box belongs and how the last run went\n"
		"\n"
		"Exits with 0 when all is on the server, 75 to try again later; chalkbox-sync(8)\n"
		"lists the others.\n",
	.run = run_sync,
};

const struct command command_pair = {
	.name = "pair",
	.arguments = "URL CODE [--pin KEY]",
	.summary = "makes the box belong to a server",
	.help = "  --pin KEY          the key that the server must have, short form or whole\n"
		"\n"
		"The server's page of boxes gives the code; it lives for ten minutes.\n",
	.run = run_pair,
};

/* (execv() takes words that could be written, and leaves them alone.) */
static int hand_over(char **words)
{
	char path[PATH_MAX];

	helper_path("chalkbox-sync", path);
	fflush(stdout);
	words[0] = path;
	execv(path, words);
	return cli_error("%s: %s", path, strerrordesc_np(errno));
}

static int run_sync(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		CLI_OPTIONS,
		{"now", no_argument, NULL, 'n'},
		{"dry-run", no_argument, NULL, 'd'},
		{"status", no_argument, NULL, 's'},
		{0},
	};
	bool now = false, dry = false, status = false;
	char *words[WORDS_MOST] = {NULL};
	size_t n = 1;
	int option;

	while ((option = cli_option(cli, argc, argv, options)) != -1) {
		if (option == CLI_STOP) {
			return cli->status;
		}
		now |= option == 'n';
		dry |= option == 'd';
		status |= option == 's';
	}
	if (optind < argc) {
		return cli_misuse(cli, "`%s` is one argument too many", argv[optind]);
	}
	if (status && (now || dry)) {
		return cli_misuse(cli, "--status goes alone");
	}
	words[n++] = "--config";
	words[n++] = (char *)cli->config_path;
	if (now) {
		words[n++] = "--now";
	}
	if (dry) {
		words[n++] = "--dry-run";
	}
	if (status) {
		words[n++] = "--status";
	}
	return hand_over(words);
}

static int run_pair(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		CLI_OPTIONS,
		{"pin", required_argument, NULL, 'p'},
		{0},
	};
	char *words[WORDS_MOST] = {NULL}, *pin = NULL;
	size_t n = 1;
	int option;

	while ((option = cli_option(cli, argc, argv, options)) != -1) {
		if (option == CLI_STOP) {
			return cli->status;
		}
		pin = optarg;
	}
	if (argc - optind != 2) {
		return cli_misuse(cli, "takes the server's address and a code");
	}
	words[n++] = "--config";
	words[n++] = (char *)cli->config_path;
	if (pin != NULL) {
		words[n++] = "--pin";
		words[n++] = pin;
	}
	words[n++] = "--pair";
	words[n++] = "--";
	words[n++] = argv[optind];
	words[n++] = argv[optind + 1];
	return hand_over(words);
}
