/*
 * chalkbox-server: what the boxes bring is kept here, and shown to whom it belongs.
 *
 * - main(): options, then the server
 *     - serve.[ch]           everything wired together; the loop
 *
 * - how it is spoken to
 *     - http.[ch]            libmicrohttpd, its threads; deadlines
 *     - exchange.[ch]        one request, from its headers to its answer
 *     - request.c answer.c   what handlers ask of it, and answer
 *     - guard.[ch]           is it one request, in a form that all read alike?
 *     - router.[ch]          which handler; what is in no table is not there
 *     - tls.[ch]             the own key and certificate
 *     - pages.[ch]           files for browsers
 *
 * - what is kept
 *     - store.[ch]           one database, one writer, shared commits
 *     - schema.[ch]          its tables
 *     - store_sql.h store_rows.c   statements and what they give, for the next ones
 *     - store_*.[ch]         all SQL there is, one noun a file
 *     - blobs.[ch]           sound, by its hash
 *
 * - boxes
 *     - pairing.[ch]         a short code becomes a token
 *     - boxes.[ch]           who am I, what is kept, what is my configuration
 *     - entries.c ndjson.[ch]   the journal, line by line
 *     - uploads.[ch] streams.[ch] tus.[ch]   sound, by tus
 *     - boxlist.c health.[ch]   what people see and change of boxes
 *
 * - people
 *     - access.[ch]          who may do what: one table
 *     - people.[ch]          who there is, in which roles
 *     - invitations.[ch]     how they get in
 *     - sessions.[ch]        signing in; another password
 *     - passwords.[ch] turns.[ch] backoff.[ch] token.[ch]   secrets, and patience
 *     - observations.[ch] timelines.[ch]   what they come to see
 *     - plans.[ch] guests.c  whose it will be; whom its teacher lets see it
 *     - audio.c wav.[ch]     what they come to hear
 *     - retention.[ch]       letting go of it
 *     - site.c               rules and schemes
 */
#include "app/base/clock.h"
#include "app/base/dump.h"
#include "app/base/journald.h"
#include "app/server/serve.h"

#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

/* What a thread let go and may use again: fresh from the kernel, memory has its price. */
#define KEPT_BYTES (1 << 20)

static const char usage[] =
	"chalkbox-server --data DIR --listen ADDRESS:PORT [OPTIONS]\n"
	"\n"
	"Keeps what Chalkbox recorders bring, and shows it to whom it belongs.\n"
	"\n"
	"  -d, --data DIR           where everything is kept\n"
	"  -l, --listen ADDR:PORT   where to answer; [IPV6]:PORT, :PORT for everywhere\n"
	"      --name NAME          how it calls itself (default: this machine's name)\n"
	"      --url URL            how people reach it, for links\n"
	"      --static DIR         the pages (default " CHALKBOX_PREFIX "/share/chalkbox/web)\n"
	"      --tls-cert FILE      a certificate, PEM, and its key; without them the\n"
	"      --tls-key FILE       server makes its own\n"
	"      --plain              no TLS: on the loopback, or behind a proxy\n"
	"      --behind-proxy       believe the proxy on this machine about addresses\n"
	"      --upload-time S      how long an unfinished upload is kept (86400)\n"
	"      --request-time S     how long a request may take to come in (60)\n"
	"      --connections N      at most so many at once (256)\n"
	"      --per-address N      at most so many from one address (64)\n"
	"  -h, --help               this text\n"
	"      --version            the version\n"
	"\n"
	"SIGTERM and SIGINT end it. See chalkbox-server(8).\n";

enum {
	OPT_NAME = 1000,
	OPT_URL,
	OPT_STATIC,
	OPT_CERT,
	OPT_KEY,
	OPT_PLAIN,
	OPT_PROXY,
	OPT_UPLOAD,
	OPT_REQUEST,
	OPT_CONNECTIONS,
	OPT_ADDRESS,
	OPT_VERSION,
};

/* A number from 1 to @most, or 0 with a complaint. */
static int number(const char *option, const char *text, long most)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || *end || end == text || value < 1 || value > most) {
		fprintf(stderr, "chalkbox-server: %s %s: give a number from 1 to %ld\n", option,
			text, most);
		return 0;
	}
	return (int)value;
}

/* One option. 0, or the exit code plus 1 that ends the program. */
static int take(int c, struct serve_options *options)
{
	switch (c) {
	case 'd':
		options->data_dir = optarg;
		return 0;
	case 'l':
		options->listen = optarg;
		return 0;
	case OPT_NAME:
		options->name = optarg;
		return 0;
	case OPT_URL:
		options->url = optarg;
		return 0;
	case OPT_STATIC:
		options->static_dir = optarg;
		return 0;
	case OPT_CERT:
		options->cert = optarg;
		return 0;
	case OPT_KEY:
		options->key = optarg;
		return 0;
	case OPT_PLAIN:
		options->plain = true;
		return 0;
	case OPT_PROXY:
		options->behind_proxy = true;
		return 0;
	case OPT_UPLOAD:
		options->upload_s = number("--upload-time", optarg, 90L * 24 * 3600);
		return options->upload_s ? 0 : EX_USAGE + 1;
	case OPT_REQUEST:
		options->request_s = number("--request-time", optarg, 3600);
		return options->request_s ? 0 : EX_USAGE + 1;
	case OPT_CONNECTIONS:
		options->connections_most = number("--connections", optarg, 10000);
		return options->connections_most ? 0 : EX_USAGE + 1;
	case OPT_ADDRESS:
		options->per_address_most = number("--per-address", optarg, 10000);
		return options->per_address_most ? 0 : EX_USAGE + 1;
	case 'h':
		return fputs(usage, stdout) < 0 ? EXIT_FAILURE + 1 : EXIT_SUCCESS + 1;
	case OPT_VERSION:
		return puts("chalkbox-server " CHALKBOX_VERSION) < 0 ? EXIT_FAILURE + 1
								     : EXIT_SUCCESS + 1;
	default:
		return EX_USAGE + 1;
	}
}

static int parse(int argc, char **argv, struct serve_options *options)
{
	static const struct option longs[] = {
		{"data", required_argument, NULL, 'd'},
		{"listen", required_argument, NULL, 'l'},
		{"name", required_argument, NULL, OPT_NAME},
		{"url", required_argument, NULL, OPT_URL},
		{"static", required_argument, NULL, OPT_STATIC},
		{"tls-cert", required_argument, NULL, OPT_CERT},
		{"tls-key", required_argument, NULL, OPT_KEY},
		{"plain", no_argument, NULL, OPT_PLAIN},
		{"behind-proxy", no_argument, NULL, OPT_PROXY},
		{"upload-time", required_argument, NULL, OPT_UPLOAD},
		{"request-time", required_argument, NULL, OPT_REQUEST},
		{"connections", required_argument, NULL, OPT_CONNECTIONS},
		{"per-address", required_argument, NULL, OPT_ADDRESS},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, OPT_VERSION},
		{0},
	};
	int c, r;

	while ((c = getopt_long(argc, argv, "d:l:h", longs, NULL)) >= 0) {
		r = take(c, options);
		if (r) {
			return r;
		}
	}
	if (optind < argc || !options->data_dir || !options->listen) {
		fprintf(stderr,
			"chalkbox-server: give --data DIR and --listen ADDRESS:PORT, and "
			"nothing without a name; see --help\n");
		return EX_USAGE + 1;
	}
	if (!options->key != !options->cert || (options->key && options->plain)) {
		fprintf(stderr,
			"chalkbox-server: --tls-cert and --tls-key come together, and "
			"without --plain\n");
		return EX_USAGE + 1;
	}
	return 0;
}

static int run(const struct serve_options *options)
{
	struct serve *serve;
	struct error error;
	int r;

	dump_nothing();
	r = serve_open(options, &serve, &error);

	if (r == 0) {
		r = serve_run(serve, &error);
		serve_close(serve);
	}
	if (r < 0) {
		fprintf(stderr, "%schalkbox-server: %s\n", journald_priority(LOG_ERR), error.text);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct serve_options options = {
		.static_dir = CHALKBOX_PREFIX "/share/chalkbox/web",
		.upload_s = 24L * 3600,
		.request_s = 60,
		.connections_most = 256,
		.per_address_most = 128,
	};
	struct error error;
	sigset_t signals;
	int r = parse(argc, argv, &options);

	if (r) {
		return r - 1;
	}
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)umask(0027);
	(void)mallopt(M_MMAP_THRESHOLD, KEPT_BYTES);
	(void)mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
	if (clock_init(&error) < 0) {
		fprintf(stderr, "chalkbox-server: %s\n", error.text);
		return EX_CONFIG;
	}
	if (sodium_init() < 0) {
		fputs("chalkbox-server: no source of randomness\n", stderr);
		return EXIT_FAILURE;
	}
	return run(&options);
}
