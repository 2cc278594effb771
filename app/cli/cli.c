#include "app/cli/cli.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cli_error(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("chalkbox: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return CLI_FAILED;
}

int cli_unprinted(const struct cli *cli, int code)
{
	if (code == -EIO) {
		return cli_error(
			"standard output: cannot be written; what was printed is not whole");
	}
	return cli_error("%s: %s", cli->command->name, strerrordesc_np(-code));
}

int cli_misuse(const struct cli *cli, const char *format, ...)
{
	const char *name = cli->command != NULL ? cli->command->name : NULL;
	va_list args;

	fflush(stdout);
	fprintf(stderr, "chalkbox: %s%s", name != NULL ? name : "", name != NULL ? ": " : "");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "; see chalkbox%s%s --help\n", name != NULL ? " " : "",
		name != NULL ? name : "");
	return CLI_USAGE;
}

void cli_help(const struct command *command)
{
	printf("Usage: chalkbox %s%s%s\n\n%c%s.\n", command->name, *command->arguments ? " " : "",
		command->arguments, toupper((unsigned char)command->summary[0]),
		command->summary + 1);
	if (*command->help) {
		printf("\n%s", command->help);
	}
	printf("\n  --config FILE      the box's configuration\n");
	if (command->json) {
		printf("  --json             machine-readable; the form is in chalkbox(1)\n");
	}
	printf("  --help             this text\n");
}

int cli_bad_option(const struct cli *cli, int refusal, char **argv, const struct option *options)
{
	const char *word = argv[optind - 1];

	if (refusal == ':') {
		return cli_misuse(cli, "%s needs a value", word);
	}
	for (; options->name != NULL; options++) { /* val alone could be a letter's */
		if (optopt == options->val && strncmp(word, "--", 2) == 0 &&
			strncmp(word + 2, options->name, strcspn(word + 2, "=")) == 0) {
			return cli_misuse(cli, "--%s takes no value", options->name);
		}
	}
	if (optopt != 0) {
		return cli_misuse(cli, "there is no option -%c", optopt);
	}
	return cli_misuse(cli, "there is no option %s", word);
}

int cli_option(struct cli *cli, int argc, char **argv, const struct option *options)
{
	for (;;) {
		int option = getopt_long(argc, argv, ":c:jh", options, NULL);

		switch (option) {
		case 'c':
			cli->config_path = optarg;
			continue;
		case 'j':
			cli->json = true;
			continue;
		case 'h':
			cli_help(cli->command);
			cli->status = CLI_FINE;
			return CLI_STOP;
		case '?':
		case ':':
			cli->status = cli_bad_option(cli, option, argv, options);
			return CLI_STOP;
		case -1:
			if (cli->json && !cli->command->json) {
				cli->status = cli_misuse(cli, "has no JSON form");
				return CLI_STOP;
			}
			return -1;
		default:
			return option;
		}
	}
}

int cli_number(const struct cli *cli, const char *option, const char *text, int64_t least,
	int64_t most, int64_t *ret_value)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || value < least || value > most) {
		cli_misuse(cli, "%s is `%s`, but must be a whole number from %lld to %lld", option,
			text, (long long)least, (long long)most);
		return -EINVAL;
	}
	*ret_value = value;
	return 0;
}
