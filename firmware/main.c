/*
 * chalkboxd, the recorder: buttons and sound into the journal.
 *
 * - main(): options, configuration, then the box
 *     - box.[ch]          everything wired together; the loop
 *
 * - what is pressed
 *     - panel.[ch]        buttons and lamps at work
 *     - buttons.h         the seam to contacts
 *     - gpio1.c gpio2.c   on GPIO lines (libgpiod 1.x and 2.x)
 *     - evdev.c           on USB keypads, clickers, pedals
 *     - simboard.c        on the board made of software
 *     - debounce.[ch]     one contact's edges -> presses and releases
 *     - contacts.[ch]     all of them, in order of time
 *     - recorder.[ch]     what they mean: entries, wishes for sound
 *
 * - what is heard
 *     - sound.[ch]        everything about sound, put together
 *     - microphone.[ch]   the seam to ALSA
 *     - listener.[ch]     the one extra thread: microphone -> ring
 *     - ring.[ch]         the last minute, by frame
 *     - sampleclock.[ch]  frame <-> time
 *     - loudness.[ch]     frames -> levels
 *     - meter.[ch]        levels of the whole observation
 *     - level.[ch]        how loud it is now
 *
 * - what is kept
 *     - window.[ch]       which stretches of sound
 *     - keeper.[ch]       those stretches, from the ring into snippets
 *     - snippet.[ch]      one of them, as Ogg Opus
 *     - torn.[ch]         one of them, after a power cut
 *     - recovery.[ch]     all that an earlier run left undone
 *     - saver.[ch]        entries into the journal, whatever the disk does
 *     - space.[ch]        room on the disk
 *     - control.[ch]      what sync and doctor may ask for
 *     - trial.[ch]        buttons and lamps tried, nothing recorded
 *
 * - what is shown
 *     - lamps.[ch]        the grammar of the lamps, and the seam to them
 *     - report.[ch]       words for the system's journal
 */
#include "app/base/clock.h"
#include "app/base/config.h"
#include "app/base/dump.h"
#include "app/scheme/site.h"
#include "firmware/box.h"
#include "firmware/buttons.h"
#include "firmware/microphone.h"

#include <getopt.h>
#include <malloc.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

struct options {
	const char *config;
	enum { DO_RUN, DO_PRINT, DO_CHECK, DO_HELP, DO_VERSION } what;
};

static const char usage[] =
	"chalkboxd [OPTIONS]\n"
	"\n"
	"The Chalkbox recorder: buttons and sound into the journal.\n"
	"\n"
	"  -c, --config FILE    configuration (default " CONFIG_PATH ")\n"
	"      --check-config   read configuration and scheme, say what is wrong, exit\n"
	"      --print-config   the same, and print what is in effect\n"
	"  -h, --help           this text\n"
	"      --version        the version\n"
	"\n"
	"SIGTERM and SIGINT end the observation and save it. See chalkboxd(8).\n";

static int parse(int argc, char **argv, struct options *ret_options)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"check-config", no_argument, NULL, DO_CHECK},
		{"print-config", no_argument, NULL, DO_PRINT},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, DO_VERSION},
		{0},
	};
	struct options options = {.config = getenv("CHALKBOX_CONFIG"), .what = DO_RUN};
	for (int c; (c = getopt_long(argc, argv, "c:h", longs, NULL)) >= 0;) {
		switch (c) {
		case 'c':
			options.config = optarg;
			break;
		case 'h':
			options.what = DO_HELP;
			break;
		case DO_CHECK:
		case DO_PRINT:
		case DO_VERSION:
			options.what = c;
			break;
		default:
			return EX_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "chalkboxd: unexpected argument \"%s\"; see --help\n", argv[optind]);
		return EX_USAGE;
	}
	options.config = options.config ? options.config : CONFIG_PATH;
	*ret_options = options;
	return 0;
}

static int complain(int exit_code, const struct error *error)
{
	fprintf(stderr, "chalkboxd: %s\n", error->text);
	return exit_code;
}

static int check(const struct config *config, struct scheme *ret_scheme)
{
	char *text;
	struct error error;
	if (site_scheme(config, ret_scheme, &text, &error) < 0) {
		return complain(EX_CONFIG, &error);
	}
	free(text);
	return EXIT_SUCCESS;
}

static int show(const struct config *config, const struct scheme *scheme, bool print)
{
	if (print) {
		config_print(config, stdout);
	} else {
		printf("The configuration is sound: board %s, scheme %s, sound %s.\n",
			config->board_title, scheme->name, config->sound ? "on" : "off");
	}
	return EXIT_SUCCESS;
}

/*
 * What is in memory was heard: it goes to no core dump, to no swap, and what
 * libraries free is overwritten. Memory is locked only without a limit, which the
 * service has: under one, the next allocation could fail. A box that may not lock
 * its memory listens all the same.
 */
static void keep_to_memory(void)
{
	struct rlimit locked;
	dump_nothing();
	if (getrlimit(RLIMIT_MEMLOCK, &locked) == 0 &&
		(locked.rlim_cur == RLIM_INFINITY || geteuid() == 0)) {
		(void)mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
	}
	mallopt(M_PERTURB, 0xa5);
}

static int run(const struct config *config)
{
	struct box *box;
	struct error error;
	keep_to_memory();
	umask(0027);
	int r = box_open(config, &box, &error);
	if (r == 0) {
		r = box_run(box, &error);
		box_close(box);
	}
	return r < 0 ? complain(EXIT_FAILURE, &error) : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct options options;
	struct config config;
	struct scheme scheme;
	struct error error;
	int r = parse(argc, argv, &options);
	if (r) {
		return r;
	}
	if (options.what == DO_HELP) {
		return fputs(usage, stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	if (options.what == DO_VERSION) {
		return printf("chalkboxd " CHALKBOX_VERSION "\nlibgpiod %s\nALSA %s\n",
			       buttons_library(), microphone_library()) < 0
			? EXIT_FAILURE
			: EXIT_SUCCESS;
	}
	if (clock_init(&error) < 0 || config_read(options.config, &config, &error) < 0) {
		return complain(EX_CONFIG, &error);
	}
	if (sodium_init() < 0) {
		return complain(EXIT_FAILURE, &(struct error){"no source of randomness"});
	}
	r = check(&config, &scheme);
	if (r == 0) {
		r = options.what == DO_RUN ? run(&config)
					   : show(&config, &scheme, options.what == DO_PRINT);
	}
	return r;
}
