/* What all commands share: the table's row, options, messages. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "app/base/error.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

/* What the program exits with. */
enum cli_exit {
	CLI_FINE = 0,
	CLI_FAILED = 1, /* it did not work, or `check` found something */
	CLI_USAGE = 2,
};

struct cli {
	const struct command *command; /* the one that runs */
	const char *config_path;
	bool json;
	int status; /* what to exit with after cli_option() said CLI_STOP */
};

struct command {
	const char *name;
	const char *arguments; /* as the usage line shows them */
	const char *summary;
	const char *help; /* its options, one a line, and what one must know */
	bool json; /* has a JSON form */
	int (*run)(struct cli *cli, int argc, char **argv);
};

extern const struct command command_observations, command_show, command_events, command_play,
	command_press, command_check, command_console, command_sync, command_pair, command_doctor;

/* The options every command takes; stand first in its own list. */
#define CLI_OPTIONS                                                                                \
	{"config", required_argument, NULL, 'c'}, {"json", no_argument, NULL, 'j'},                \
	{                                                                                          \
		"help", no_argument, NULL, 'h'                                                     \
	}

#define CLI_STOP '?'

/*
 * The next option of the command: its value in @options, -1 after the last one
 * (getopt's optind then stands at the first argument), or CLI_STOP when the
 * command must return cli->status at once: help was shown, or the option is wrong
 * and that was said. The common options are taken care of.
 */
int cli_option(struct cli *cli, int argc, char **argv, const struct option *options);

/* Says what is wrong with the option that getopt just refused. Returns CLI_USAGE. */
int cli_bad_option(const struct cli *cli, int refusal, char **argv, const struct option *options);

/* Prints the help of a command to standard output. */
void cli_help(const struct command *command);

/* "chalkbox: ..." on standard error. Returns CLI_FAILED. */
int cli_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for a command that could not print: no memory, or -EIO of the output. */
int cli_unprinted(const struct cli *cli, int code);

/* "chalkbox: COMMAND: ...; see chalkbox COMMAND --help". Returns CLI_USAGE. */
int cli_misuse(const struct cli *cli, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A whole number in an option's argument. 0 or -EINVAL, which was said. */
int cli_number(const struct cli *cli, const char *option, const char *text, int64_t least,
	int64_t most, int64_t *ret_value) MUST_CHECK;

#endif
