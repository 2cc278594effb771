/*
 * chalkbox: what a box recorded, looked at, listened to and verified.
 *
 *   main.c          the table of commands
 *   cli.c           options and messages that all commands share
 *   record.c        configuration, journal, the observation that was asked for
 *
 *   observations.c  lists what was recorded
 *   show.c          one observation: the picture, the lists, or JSON
 *   events.c        events as CSV or JSON, for other programs
 *   play.c          the sound around an event
 *   check.c         verifies the journal and every snippet
 *   doctor.c        whether the box is well: the table of checks
 *   doctor_box.c    what they look at: its programs,
 *   doctor_board.c  its hardware,
 *   doctor_try.c    buttons and lamps by hand,
 *   doctor_server.c the time and its server
 *   doctor_draw.c   findings as text and JSON
 *   sync.c          sync and pair, handed over to chalkbox-sync
 *   press.c         presses the simulated board's buttons
 *   console.c       the simulated board on a terminal
 *
 *   draw.c          the picture of a timeline: axis and lanes
 *   tables.c        the lists below it: events, counts
 *   canvas.c        coloured cells in rows that are never too wide
 *   terminal.c      what standard output is, and what may be drawn on it
 *   screen.c        the console's screen
 *   keys.c          which key of a terminal is which button
 *   units.c         times in words
 *   json.c          the JSON forms
 *   csv.c           the CSV form
 *   sound.c         Ogg Opus read and decoded
 *   speaker.c       decoded sound to aplay or into a WAV file
 *   boardlink.c     the simulated board's socket
 *   recorderlink.c  the recorder's control socket
 *   gpiolines.c     GPIO lines by name, and who holds them
 *   unitbus.c       what systemd says of our units
 *   helper.c        our other programs, run for what they say
 *   wiring.c        what people call a button -> the line it is wired to
 *   pressscript.c   press scripts read
 */
#include "app/base/config.h"
#include "app/cli/cli.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct command *const commands[] = {
	&command_observations,
	&command_show,
	&command_events,
	&command_play,
	&command_check,
	&command_doctor,
	&command_sync,
	&command_pair,
	&command_press,
	&command_console,
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void usage(void)
{
	printf("Usage: chalkbox [--config FILE] [--json] COMMAND ...\n\n"
	       "What a Chalkbox recorded: observed lessons, their events, the sound around "
	       "them.\n\n");
	for (size_t i = 0; i < COMMANDS; i++) {
		printf("  %-14s %s\n", commands[i]->name, commands[i]->summary);
	}
	printf("\n"
	       "  --config FILE  the box's configuration (or CHALKBOX_CONFIG;\n"
	       "                 else " CONFIG_PATH ")\n"
	       "  --json         machine-readable output\n"
	       "  --help         this text; chalkbox COMMAND --help tells more\n"
	       "  --version      which version this is\n");
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(commands[i]->name, name) == 0) {
			return commands[i];
		}
	}
	return NULL;
}

/* The options before the command. True: nothing is left to do but return cli->status. */
static bool global_options(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		CLI_OPTIONS,
		{"version", no_argument, NULL, 'v'},
		{0},
	};

	for (;;) {
		int option = getopt_long(argc, argv, "+:c:jh", options, NULL);

		switch (option) {
		case 'c':
			cli->config_path = optarg;
			break;
		case 'j':
			cli->json = true;
			break;
		case 'h':
			usage();
			return true;
		case 'v':
			printf("chalkbox %s\n", CHALKBOX_VERSION);
			return true;
		case -1:
			return false;
		default:
			cli->status = cli_bad_option(cli, option, argv, options);
			return true;
		}
	}
}

static int run(int argc, char **argv)
{
	const char *named = getenv("CHALKBOX_CONFIG");
	struct cli cli = {.config_path = named != NULL && *named ? named : CONFIG_PATH};

	opterr = 0;
	if (global_options(&cli, argc, argv)) {
		return cli.status;
	}
	if (optind >= argc) {
		return cli_misuse(&cli, "no command given");
	}
	cli.command = find(argv[optind]);
	if (cli.command == NULL) {
		return cli_misuse(&cli, "there is no command `%s`", argv[optind]);
	}
	argc -= optind;
	argv += optind;
	optind = 0; /* glibc: begin anew, with another list */
	return cli.command->run(&cli, argc, argv);
}

int main(int argc, char **argv)
{
	int status;

	setlocale(LC_CTYPE, "");
	status = run(argc, argv);
	if ((fflush(stdout) != 0 || ferror(stdout)) && status == CLI_FINE) {
		return cli_unprinted(NULL, -EIO);
	}
	return status;
}
