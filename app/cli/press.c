/*
 * Presses the simulated board's buttons. Every edge carries the exact time it
 * stands for and is sent when that time has come, so that a late presser (a busy
 * machine, a clock at raised speed) moves the sending, never the stamp.
 */
#include "app/base/clock.h"
#include "app/base/file.h"
#include "app/cli/boardlink.h"
#include "app/cli/cli.h"
#include "app/cli/pressscript.h"
#include "app/cli/wiring.h"
#include "app/scheme/site.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MS 5000
#define READY_MS 5000
#define FINISH_MS 1000
#define HOLD_NS (100 * NS_PER_MS)
#define LAMPS_LINGER_NS NS_PER_S
#define SCRIPT_BYTES_MAX (64 << 20)

static int run(struct cli *cli, int argc, char **argv);

const struct command command_press = {
	.name = "press",
	.arguments = "LINE [--hold SECONDS] | --script FILE|-",
	.summary = "presses the simulated board's buttons",
	.help = "  LINE               a button, a code of the scheme, or a line of the board\n"
		"  --hold SECONDS     until the release (default 0.1)\n"
		"  --script FILE|-    lines of `SECONDS LINE press|release`\n"
		"  --wait             waits up to 5 s for the board to come up\n"
		"  --lamps            prints the lamps as they change: seconds, name, on or off\n"
		"  --linger SECONDS   how long to stay after the last edge (default 0; with\n"
		"                     --lamps 1)\n",
	.json = true,
	.run = run,
};

struct pressing {
	struct boardlink *link;
	struct pressscript script;
	const char *name; /* of the script, in messages; NULL for a single press */
	int64_t linger_ns;
	bool wait, lamps, json;
};

/* Of a moment, as the script counts. */
static double script_seconds(int64_t t_ns, int64_t zero_ns)
{
	return (double)(t_ns - zero_ns) / 1e9;
}

static int print_lamp(
	const struct pressing *pressing, const struct board_said *said, int64_t zero_ns)
{
	double seconds = script_seconds(said->t_ns, zero_ns);

	if (pressing->json) {
		json_t *json = json_pack("{s:s, s:i, s:f, s:s, s:b, s:I}", "format",
			"chalkbox-lamp", "version", 1, "time", seconds, "lamp", said->name, "on",
			said->on, "t_ns", (json_int_t)said->t_ns);

		if (json == NULL) {
			return -ENOMEM;
		}
		json_dumpf(json, stdout, JSON_REAL_PRECISION(15));
		json_decref(json);
		putchar('\n');
	} else {
		printf("%.6f %s %s\n", seconds, said->name, said->on ? "on" : "off");
	}
	return fflush(stdout) != 0 ? -EIO : 0;
}

/*
 * Takes what the board says until a moment (kernel time), or until it is ready.
 * 0, -ETIMEDOUT at that moment, -ECONNRESET, or another negative code; all but
 * -ETIMEDOUT with an explanation.
 */
static int hear(const struct pressing *pressing, int64_t deadline_ns, bool until_ready,
	int64_t zero_ns, struct error *error)
{
	for (;;) {
		struct board_said said;
		int r = boardlink_next(pressing->link, deadline_ns, &said);

		if (r == -ETIMEDOUT) {
			return r;
		}
		if (r == -EINTR) {
			continue;
		}
		if (r == -ECONNRESET) {
			return error_set(
				error, r, "the board hung up; chalkboxd's messages tell why");
		}
		if (r < 0) {
			return error_set(error, r, "the board: %s", strerrordesc_np(-r));
		}
		if (said.what == BOARD_ERROR) {
			return error_set(
				error, -EPROTO, "the board did not understand: %s", said.text);
		}
		if (said.what == BOARD_READY && until_ready) {
			return 0;
		}
		if (said.what == BOARD_LAMP && pressing->lamps) {
			r = print_lamp(pressing, &said, zero_ns);
			if (r < 0) {
				return error_set(
					error, r, "standard output: %s", strerrordesc_np(-r));
			}
		}
	}
}

/* Names in the script become the board's lines. */
static int resolve(struct pressing *pressing, const struct config *config, struct error *error)
{
	struct pressscript *script = &pressing->script;
	struct scheme scheme;
	char *text;
	int r = site_scheme(config, &scheme, &text, error);

	if (r < 0) {
		return r;
	}
	free(text);
	for (size_t i = 0; i < script->n; i++) {
		const char *line;

		r = wiring_line(config, &scheme, script->list[i].line, &line, error);
		if (r < 0) {
			return pressing->name == NULL
				? r
				: error_prefix(error, r, "%s:%d", pressing->name,
					  script->list[i].number);
		}
		snprintf(script->list[i].line, sizeof(script->list[i].line), "%s", line);
	}
	return 0;
}

static int send_all(const struct pressing *pressing, int64_t zero_ns, struct error *error)
{
	int64_t last_ns = clock_now_ns();
	int r;

	for (size_t i = 0; i < pressing->script.n; i++) {
		const struct press_step *step = &pressing->script.list[i];
		int64_t t_ns = zero_ns + step->t_ns;

		r = hear(pressing, clock_to_kernel_ns(t_ns), false, zero_ns, error);
		if (r != -ETIMEDOUT) {
			return r;
		}
		r = boardlink_edge(pressing->link, step->line, step->press, t_ns);
		if (r < 0) {
			return error_set(error, r, "the board: %s", strerrordesc_np(-r));
		}
		last_ns = t_ns;
	}
	r = hear(
		pressing, clock_to_kernel_ns(last_ns + pressing->linger_ns), false, zero_ns, error);
	if (r != -ETIMEDOUT) {
		return r;
	}
	/* The board hangs up when it has read all; what it did not understand comes first. */
	boardlink_finish(pressing->link);
	r = hear(pressing, boardlink_deadline(FINISH_MS), false, zero_ns, error);
	return r == -ETIMEDOUT || r == -ECONNRESET ? 0 : r;
}

static int press(struct pressing *pressing, const char *config_path, struct error *error)
{
	int64_t zero_ns;
	struct config config;
	int r = clock_init(error);

	if (r == 0) {
		r = config_read(config_path, &config, error);
	}
	if (r < 0) {
		return r;
	}
	if (config.buttons_kind != BUTTONS_SIM) {
		return error_set(error, -ENOTSUP,
			"%s: its board has real buttons; press those, or name a "
			"box with the simulated board by --config",
			config_path);
	}
	r = resolve(pressing, &config, error);
	if (r == 0) {
		r = boardlink_open(
			config.runtime, pressing->wait ? WAIT_MS : 0, &pressing->link, error);
	}
	if (r < 0) {
		return r;
	}
	zero_ns = clock_epoch_ns();
	r = hear(pressing, boardlink_deadline(READY_MS), true, zero_ns, error);
	if (r == -ETIMEDOUT) {
		return error_set(
			error, r, "the board did not say that it is ready; is chalkboxd stuck?");
	}
	if (r < 0) {
		return r;
	}
	if (pressing->name == NULL || getenv("CHALKBOX_SIM_CLOCK") == NULL) {
		zero_ns = clock_now_ns();
	}
	return send_all(pressing, zero_ns, error);
}

/* All that standard input gives. 0 or -errno. */
static int read_input(char **ret_text, size_t *ret_bytes)
{
	size_t room = 65536, n = 0;
	char *text = malloc(room);

	while (text != NULL) {
		size_t got = fread(text + n, 1, room - n, stdin);
		char *more;

		n += got;
		if (got == 0) {
			if (ferror(stdin)) {
				free(text);
				return -EIO;
			}
			*ret_text = text;
			*ret_bytes = n;
			return 0;
		}
		if (n < room) {
			continue;
		}
		if (room >= SCRIPT_BYTES_MAX) {
			free(text);
			return -EFBIG;
		}
		room *= 2;
		more = realloc(text, room);
		if (more == NULL) {
			free(text);
		}
		text = more;
	}
	return -ENOMEM;
}

static int read_script(struct pressing *pressing, const char *path, struct error *error)
{
	bool input = strcmp(path, "-") == 0;
	char *text;
	size_t bytes;
	int r = input ? read_input(&text, &bytes)
		      : file_read(path, SCRIPT_BYTES_MAX, &text, &bytes);

	pressing->name = input ? "standard input" : path;
	if (r < 0) {
		return error_set(error, r, "%s: %s", pressing->name, strerrordesc_np(-r));
	}
	r = pressscript_parse(text, bytes, pressing->name, &pressing->script, error);
	free(text);
	return r;
}

/* A single press is a script of two lines. */
static int single(struct pressing *pressing, const char *line, int64_t hold_ns, struct error *error)
{
	struct press_step *list = calloc(2, sizeof(*list));

	if (list == NULL) {
		return error_set(error, -ENOMEM, "out of memory");
	}
	pressing->script = (struct pressscript){list, 2, 2};
	if (strlen(line) >= sizeof(list[0].line)) {
		return error_set(error, -EINVAL, "`%s` is too long for a button's name", line);
	}
	memcpy(list[0].line, line, strlen(line) + 1);
	memcpy(list[1].line, line, strlen(line) + 1);
	list[0].press = true;
	list[1].t_ns = hold_ns;
	return 0;
}

static int run(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		CLI_OPTIONS,
		{"hold", required_argument, NULL, 'o'},
		{"script", required_argument, NULL, 's'},
		{"wait", no_argument, NULL, 'w'},
		{"lamps", no_argument, NULL, 'l'},
		{"linger", required_argument, NULL, 'i'},
		{0},
	};
	struct pressing pressing = {.linger_ns = -1};
	const char *script = NULL, *hold = NULL;
	int64_t hold_ns = HOLD_NS;
	struct error error;
	int option, r;

	while ((option = cli_option(cli, argc, argv, options)) != -1) {
		switch (option) {
		case 'o':
			hold = optarg;
			if (press_seconds(optarg, &hold_ns) < 0) {
				return cli_misuse(cli,
					"--hold is `%s`, but must be seconds, as in 2 or 0.5",
					optarg);
			}
			break;
		case 's':
			script = optarg;
			break;
		case 'w':
			pressing.wait = true;
			break;
		case 'l':
			pressing.lamps = true;
			break;
		case 'i':
			if (press_seconds(optarg, &pressing.linger_ns) < 0) {
				return cli_misuse(cli,
					"--linger is `%s`, but must be seconds, as in 2 or 0.5",
					optarg);
			}
			break;
		default:
			return cli->status;
		}
	}
	if (script != NULL ? optind < argc || hold != NULL : argc - optind != 1) {
		return cli_misuse(cli, "takes one line, or --script and no line");
	}
	if (pressing.linger_ns < 0) {
		pressing.linger_ns = pressing.lamps ? LAMPS_LINGER_NS : 0;
	}
	pressing.json = cli->json;
	r = script != NULL ? read_script(&pressing, script, &error)
			   : single(&pressing, argv[optind], hold_ns, &error);
	if (r == 0) {
		r = press(&pressing, cli->config_path, &error);
	}
	boardlink_close(pressing.link);
	pressscript_fini(&pressing.script);
	return r < 0 ? cli_error("%s", error.text) : CLI_FINE;
}
