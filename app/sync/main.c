/*
 * chalkbox-sync: what a box recorded, to its server; the site's rules, back.
 *
 * - main(): options, configuration, then one run
 *     - sync.[ch]        the run: its steps and their order
 *     - pair.c           pairing, by hand or by a file
 *     - probe.[ch]       a look that changes nothing, for doctor
 *
 * - up and down
 *     - sending.c        entries, snippets
 *     - report.c         how the box is
 *     - rules.c          configuration taken, snippets let go
 *     - run.h            what these share
 *     - survey.[ch]      what the journal tells, in one walk
 *     - batch.[ch]       entries as NDJSON
 *     - upload.[ch]      a snippet by tus, from where it was cut
 *
 * - talking
 *     - talk.[ch]        requests with patience
 *     - patience.[ch]    how long to wait
 *     - transport.[ch]   the seam to the network: libcurl, and who counts as server
 *     - reply.c          an answer's headers
 *     - said.[ch]        what the server says, read with care
 *     - network.[ch]     whether this network is one to sync on
 *
 * - on the box
 *     - pairing.[ch]     which server, by which key
 *     - notes.[ch]       what is remembered between runs
 *     - writer.[ch]      who writes the journal for us
 *     - progress.[ch]    what is shown
 */
#include "app/base/clock.h"
#include "app/base/config.h"
#include "app/base/journald.h"
#include "app/sync/bond.h"
#include "app/sync/notes.h"
#include "app/sync/probe.h"
#include "app/sync/sync.h"

#include <curl/curl.h>
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

struct options {
	const char *config, *url, *code, *pin;
	enum {
		DO_RUN,
		DO_PAIR = 256,
		DO_STATUS,
		DO_PROBE,
		DO_HELP,
		DO_VERSION,
		SET_NOW,
		SET_DRY,
		SET_PATIENCE,
		SET_STALL,
		SET_PIN
	} what;
	struct sync_options sync;
};

static const char usage[] =
	"chalkbox-sync [OPTIONS]\n"
	"chalkbox-sync [OPTIONS] --pair URL CODE\n"
	"\n"
	"Brings what this box recorded to its server, and the site's rules back.\n"
	"\n"
	"  -c, --config FILE      configuration (default " CONFIG_PATH ")\n"
	"      --now              even during a lesson, and on any network\n"
	"      --dry-run          say what would go; send nothing, change nothing here\n"
	"      --status           say to whom the box belongs and how the last run went\n"
	"      --probe            look at pairing, network and server, change nothing; JSON\n"
	"      --pair URL CODE    make it belong to a server, by a code of its page of boxes\n"
	"      --pin KEY          with --pair: the key the server must have, short form or whole\n"
	"      --patience SECONDS how long to wait, in sum, for a server that is busy or\n"
	"                         away, 0 to 86400 (default 300)\n"
	"      --stall SECONDS    without a byte, a connection is dead, 1 to 600 (default 30)\n"
	"  -h, --help             this text\n"
	"      --version          the version\n"
	"\n"
	"Exits with 0 when all is on the server, 1 when somebody must look, 2 for a wrong\n"
	"command line, 75 to try again later, 77 when the box is not paired, 78 for a wrong\n"
	"configuration. See chalkbox-sync(8).\n";

/* --- options --- */

static bool number(const char *text, int least, int most, int *ret_value)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end || value < least || value > most) {
		fprintf(stderr, "chalkbox-sync: `%s` is not a number from %d to %d\n", text, least,
			most);
		return false;
	}
	*ret_value = (int)value;
	return true;
}

static bool take_option(int option, struct options *options)
{
	switch (option) {
	case 'c':
		options->config = optarg;
		return true;
	case SET_NOW:
		options->sync.now = true;
		return true;
	case SET_DRY:
		options->sync.dry_run = true;
		return true;
	case SET_PIN:
		options->pin = optarg;
		return true;
	case SET_PATIENCE:
		return number(optarg, 0, 86400, &options->sync.patience_s);
	case SET_STALL:
		return number(optarg, 1, 600, &options->sync.stall_s);
	case 'h':
		options->what = DO_HELP;
		return true;
	case DO_PAIR:
	case DO_STATUS:
	case DO_PROBE:
	case DO_VERSION:
		options->what = option;
		return true;
	default:
		return false;
	}
}

static int parse(int argc, char **argv, struct options *ret_options)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"now", no_argument, NULL, SET_NOW},
		{"dry-run", no_argument, NULL, SET_DRY},
		{"status", no_argument, NULL, DO_STATUS},
		{"probe", no_argument, NULL, DO_PROBE},
		{"pair", no_argument, NULL, DO_PAIR},
		{"pin", required_argument, NULL, SET_PIN},
		{"patience", required_argument, NULL, SET_PATIENCE},
		{"stall", required_argument, NULL, SET_STALL},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, DO_VERSION},
		{0},
	};
	struct options options = {.config = getenv("CHALKBOX_CONFIG"),
		.pin = "",
		.sync = {.patience_s = 300, .stall_s = 30}};
	int wanted;

	for (int c; (c = getopt_long(argc, argv, "c:h", longs, NULL)) >= 0;) {
		if (!take_option(c, &options)) {
			return 2;
		}
	}
	wanted = options.what == DO_PAIR ? 2 : 0;
	if (argc - optind != wanted) {
		fprintf(stderr, "chalkbox-sync: %s; see --help\n",
			wanted ? "--pair takes a URL and a code"
			       : "there is one argument too many");
		return 2;
	}
	if (wanted) {
		options.url = argv[optind];
		options.code = argv[optind + 1];
	}
	options.config = options.config && *options.config ? options.config : CONFIG_PATH;
	*ret_options = options;
	return 0;
}

/* --- what is done --- */

static int complain(int exit_code, const struct error *error)
{
	fprintf(stderr, "%schalkbox-sync: %s\n", journald_priority(LOG_WARNING), error->text);
	return exit_code;
}

static int exit_code(int result)
{
	switch (result) {
	case SYNC_FINE:
		return EXIT_SUCCESS;
	case SYNC_E_LATER:
		return EX_TEMPFAIL;
	case SYNC_E_UNPAIRED:
		return EX_NOPERM;
	default:
		return EXIT_FAILURE;
	}
}

/*
 * Root becomes the user who owns sync's folder: what it leaves there must be that
 * user's, and root has nothing to say on the network. -errno: it did not work.
 */
static int leave_root(const char *dir, struct error *error)
{
	struct stat st;
	const struct passwd *user;

	if (geteuid() != 0 || stat(dir, &st) < 0 || st.st_uid == 0) {
		return 0;
	}
	user = getpwuid(st.st_uid);
	if (!user || initgroups(user->pw_name, user->pw_gid) < 0 || setgid(user->pw_gid) < 0 ||
		setuid(user->pw_uid) < 0) {
		return error_set(error, -EPERM, "%s: its owner (user %u) cannot be taken on: %s",
			dir, (unsigned int)st.st_uid, user ? strerror(errno) : "there is none");
	}
	return 0;
}

static void print_time(const char *what, int64_t realtime_ns)
{
	time_t seconds = (time_t)(realtime_ns / NS_PER_S);
	struct tm tm;
	char text[64];

	if (localtime_r(&seconds, &tm) && strftime(text, sizeof(text), "%F %T", &tm) > 0) {
		printf("%s%s\n", what, text);
	}
}

static int print_last(const struct config *config)
{
	struct notes_last last;

	if (notes_last(config->sync_state, &last) < 0) {
		puts("last run       never");
		return 0;
	}
	print_time("last run       ", last.began_ns);
	printf("result         %s\n", last.words);
	if (last.unsent_entries >= 0) {
		printf("not sent       %lld entries, %lld snippets\n",
			(long long)last.unsent_entries, (long long)last.unsent_snippets);
	}
	return 0;
}

static int status(const struct config *config)
{
	struct bond pairing;
	struct error error;
	char brief[PIN_SHORT_CHARS];
	int r = bond_read(config->sync_state, &pairing, &error);

	if (r == -ENOENT) {
		puts("This box belongs to no server yet; `chalkbox pair URL CODE` pairs it.");
		return EX_NOPERM;
	}
	if (r < 0) {
		return complain(EXIT_FAILURE, &error);
	}
	pin_short(pairing.pin, brief);
	printf("server         %s%s%s%s\n", pairing.url, pairing.server[0] ? " (" : "",
		pairing.server, pairing.server[0] ? ")" : "");
	printf("its key        %s\n", brief[0] ? brief : "by the system's authorities");
	printf("this box       %s (%s)\n", config->name, pairing.box);
	sodium_memzero(&pairing, sizeof(pairing));
	return print_last(config);
}

static int run(const struct options *options, const struct config *config)
{
	struct progress progress;
	struct error error = {""};
	int r;

	if (leave_root(config->sync_state, &error) < 0) {
		return complain(EXIT_FAILURE, &error);
	}
	umask(0027);
	signal(SIGPIPE, SIG_IGN);
	if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		return complain(EXIT_FAILURE, &(struct error){"no randomness, or no libcurl"});
	}
	progress_init(&progress);
	if (options->what == DO_STATUS) {
		r = status(config);
		curl_global_cleanup();
		return r;
	}
	if (options->what == DO_PROBE) {
		r = probe_run(config, options->sync.stall_s, &error);
		curl_global_cleanup();
		return r < 0 ? complain(EXIT_FAILURE, &error) : EXIT_SUCCESS;
	}
	r = options->what == DO_PAIR
		? sync_pair(config, options->url, options->code, options->pin, &progress, &error)
		: sync_run(config, &options->sync, &progress, &error);
	curl_global_cleanup();
	return r == 0 ? EXIT_SUCCESS : complain(exit_code(r), &error);
}

int main(int argc, char **argv)
{
	static struct config config;
	struct options options;
	struct error error;
	int r = parse(argc, argv, &options);

	if (r) {
		return r;
	}
	if (options.what == DO_HELP) {
		return fputs(usage, stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	if (options.what == DO_VERSION) {
		return puts("chalkbox-sync " CHALKBOX_VERSION) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	if (clock_init(&error) < 0 || config_read(options.config, &config, &error) < 0) {
		return complain(EX_CONFIG, &error);
	}
	r = run(&options, &config);
	return fflush(stdout) != 0 && r == 0 ? EXIT_FAILURE : r;
}
