/*
 * The simulated board on a terminal. A terminal tells of keys going down and
 * never of keys going up: so a key is a short press of its button, its capital
 * letter a long one, and a key that repeats while its button is down keeps it
 * down. Lamps come from the board, the rest is read from the journal.
 */
#include "app/base/clock.h"
#include "app/cli/boardlink.h"
#include "app/cli/cli.h"
#include "app/cli/record.h"
#include "app/cli/screen.h"
#include "app/cli/terminal.h"
#include "app/scheme/site.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#define BOARD_WAIT_MS 5000 /* a recorder just started needs a moment */
#define TAP_NS (90 * NS_PER_MS)
#define REREAD_MS 500
#define PAINT_MS 200
#define NOTE_CHARS 160

static int run(struct cli *cli, int argc, char **argv);

const struct command command_console = {
	.name = "console",
	.arguments = "",
	.summary = "the simulated board on this terminal",
	.help = "Keys are the board's buttons, lamps are drawn; q quits.\n",
	.run = run,
};

struct console {
	const char *config_path;
	struct config config;
	struct scheme scheme;
	struct keys keys;
	struct boardlink *link;
	int64_t release_ns[CONFIG_LINES_MAX]; /* when a button that is down goes up; 0: is up */
	struct record record;
	bool record_open;
	size_t seen; /* entries when the timeline was folded */
	struct timeline *timeline;
	struct screen screen;
	char microphone[NOTE_CHARS + 32], note[NOTE_CHARS];
	struct termios before;
	int signals;
	int64_t reread_at_ns; /* kernel time */
};

static int set_up_terminal(struct console *console, struct error *error)
{
	struct termios raw;
	sigset_t set;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) ||
		tcgetattr(STDIN_FILENO, &console->before) < 0) {
		return error_set(error, -ENOTTY,
			"console: needs a terminal; `chalkbox press` works without one");
	}
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	console->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (console->signals < 0) {
		int r = -errno;

		return error_set(error, r, "console: %s", strerrordesc_np(-r));
	}
	raw = console->before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	raw.c_cc[VSUSP] = _POSIX_VDISABLE;
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	fputs("\033[?1049h\033[?25l", stdout); /* another screen, no cursor */
	fflush(stdout);
	return 0;
}

static void restore_terminal(struct console *console)
{
	fputs("\033[0m\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, &console->before);
}

static int send_edge(struct console *console, size_t key, bool active, struct error *error)
{
	int r = boardlink_edge(console->link, console->keys.list[key].line, active, clock_now_ns());

	console->screen.down[key] = active;
	return r < 0 ? error_set(error, r, "the board hung up (%s)", strerrordesc_np(-r)) : 0;
}

/* Buttons whose time has come go up. Returns 0 or -errno with an explanation. */
static int release_due(struct console *console, bool all, struct error *error)
{
	for (size_t i = 0; i < console->keys.n; i++) {
		if (console->release_ns[i] != 0 &&
			(all || console->release_ns[i] <= clock_now_ns())) {
			int r = send_edge(console, i, false, error);

			console->release_ns[i] = 0;
			if (r < 0) {
				return r;
			}
		}
	}
	return 0;
}

static int press_key(struct console *console, size_t i, bool hold, struct error *error)
{
	const struct key *key = &console->keys.list[i];
	int64_t until_ns = clock_now_ns() + (hold ? key->hold_ns : TAP_NS);

	if (key->sticks) {
		return send_edge(console, i, !console->screen.down[i], error);
	}
	if (console->release_ns[i] != 0) { /* still down: the key repeats */
		if (until_ns > console->release_ns[i]) {
			console->release_ns[i] = until_ns;
		}
		return 0;
	}
	console->release_ns[i] = until_ns;
	return send_edge(console, i, true, error);
}

/* What was typed. 0, 1 for quit, or -errno with an explanation. */
static int take_input(struct console *console, struct error *error)
{
	char bytes[64];
	ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));

	if (n == 0) {
		return 0;
	}
	if (n < 0) {
		return errno == EINTR || errno == EAGAIN ? 0 : 1; /* the terminal went away */
	}
	for (ssize_t i = 0; i < n; i++) {
		bool hold;
		int key, r;

		if (bytes[i] == 'q' || bytes[i] == 'Q') {
			return 1;
		}
		if (bytes[i] == '\033') {
			return 0; /* an arrow or the like: the rest of it means nothing here */
		}
		key = keys_find(&console->keys, bytes[i], &hold);
		if (key >= 0) {
			r = press_key(console, (size_t)key, hold, error);
			if (r < 0) {
				return r;
			}
		}
	}
	return 0;
}

static void set_lamp(struct screen *screen, const struct board_said *said)
{
	for (size_t i = 0; i < screen->n_lamps; i++) {
		if (strcmp(screen->lamps[i].name, said->name) == 0) {
			screen->lamps[i].on = said->on;
			return;
		}
	}
	if (screen->n_lamps < CONFIG_LINES_MAX) {
		struct screen_lamp *lamp = &screen->lamps[screen->n_lamps++];

		memcpy(lamp->name, said->name, sizeof(lamp->name));
		lamp->on = said->on;
	}
}

/* All that the board said meanwhile. 0 or -errno with an explanation. */
static int take_board(struct console *console, struct error *error)
{
	struct board_said said;
	int r;

	while ((r = boardlink_next(console->link, 0, &said)) == 0) {
		if (said.what == BOARD_LAMP) {
			set_lamp(&console->screen, &said);
		} else if (said.what == BOARD_ERROR) {
			snprintf(console->note, sizeof(console->note), "the board: %.*s",
				NOTE_CHARS - 16, said.text);
		}
	}
	if (r == -ETIMEDOUT || r == -EINTR) {
		return 0;
	}
	return r == -ECONNRESET
		? error_set(error, r, "the board hung up; chalkboxd's messages tell why")
		: error_set(error, r, "the board: %s", strerrordesc_np(-r));
}

/* The microphone's state, and at first whether an earlier console left it muted. */
static void read_microphone(struct console *console, bool first)
{
	const struct entries *entries = &console->record.entries;

	for (size_t i = entries->n; i-- > 0;) {
		const struct entry *entry = &entries->list[i];
		struct facts facts;

		if (entry->kind != ENTRY_MIC) {
			continue;
		}
		for (size_t k = 0; first && k < console->keys.n; k++) {
			console->screen.down[k] =
				console->keys.list[k].sticks && entry->value == MIC_MUTED;
		}
		console->screen.microphone_live =
			entry->value == MIC_LIVE || entry->value == MIC_FULL;
		if (entry_get_facts(entry, &facts) < 0) {
			return;
		}
		snprintf(console->microphone, sizeof(console->microphone), "%s%s%s",
			mic_state_name((enum mic_state)entry->value),
			facts.cause[0] != '\0' ? ": " : "", facts.cause);
		facts_fini(&facts);
		return;
	}
}

/* How long the newest observation has been going on, -1 when it is over. */
static int64_t running_ns(const struct console *console)
{
	const struct entries *entries = &console->record.entries;

	if (console->timeline == NULL || !console->timeline->running) {
		return -1;
	}
	for (size_t i = entries->n; i-- > 0;) {
		if (entries->list[i].seq == console->timeline->observation) {
			int64_t ns = clock_now_ns() - entries->list[i].t_ns;

			return ns > 0 ? ns : 0;
		}
	}
	return -1;
}

/* The journal, as far as it has grown. The recorder may not have made it yet. */
static void reread(struct console *console)
{
	struct timeline *timeline;
	struct error error;
	int r;

	console->reread_at_ns = boardlink_deadline(REREAD_MS);
	if (!console->record_open) {
		r = record_open(console->config_path, &console->record, &error);
		console->record_open = r == 0;
		if (r < 0) {
			record_close(&console->record);
		}
	} else {
		r = record_refresh(&console->record, &error);
	}
	if (r < 0) {
		snprintf(console->note, sizeof(console->note), "%.*s", NOTE_CHARS - 1, error.text);
		return;
	}
	console->note[0] = '\0';
	if (console->record.entries.n == console->seen) {
		return;
	}
	read_microphone(console, console->seen == 0);
	console->seen = console->record.entries.n;
	if (record_timeline(&console->record, "last", &timeline, NULL) == 0) {
		timeline_free(console->timeline);
		console->timeline = timeline;
	}
}

static int paint(struct console *console)
{
	struct screen *screen = &console->screen;
	struct drawing drawing;
	struct winsize size = {0};

	terminal_drawing(&drawing);
	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	screen->timeline = console->timeline;
	screen->running_ns = running_ns(console);
	screen->microphone = console->microphone;
	screen->note = console->note;
	return screen_paint(screen, size.ws_row > 0 ? size.ws_row : 24, &drawing, stdout);
}

/* Milliseconds until something is due. */
static int timeout_ms(const struct console *console)
{
	int64_t due_ns = boardlink_deadline(PAINT_MS), now_ns = boardlink_deadline(0);

	due_ns = console->reread_at_ns < due_ns ? console->reread_at_ns : due_ns;
	for (size_t i = 0; i < console->keys.n; i++) {
		int64_t release_ns = console->release_ns[i];

		if (release_ns != 0 && clock_to_kernel_ns(release_ns) < due_ns) {
			due_ns = clock_to_kernel_ns(release_ns);
		}
	}
	return due_ns > now_ns ? (int)((due_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS) : 0;
}

/* Whether one of the signals asks to end; a new size only paints anew. */
static bool told_to_end(const struct console *console)
{
	struct signalfd_siginfo info;

	while (read(console->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo != SIGWINCH) {
			return true;
		}
	}
	return false;
}

static int loop(struct console *console, struct error *error)
{
	struct pollfd look[] = {
		{.fd = STDIN_FILENO, .events = POLLIN},
		{.fd = boardlink_fd(console->link), .events = POLLIN},
		{.fd = console->signals, .events = POLLIN},
	};
	int r = 0;

	for (;;) {
		if (boardlink_deadline(0) >= console->reread_at_ns) {
			reread(console);
		}
		r = paint(console);
		if (r < 0) {
			return error_set(error, r, "console: %s", strerrordesc_np(-r));
		}
		if (poll(look, 3, timeout_ms(console)) < 0 && errno != EINTR) {
			r = -errno;
			return error_set(error, r, "console: %s", strerrordesc_np(-r));
		}
		if (look[2].revents != 0 && told_to_end(console)) {
			return release_due(console, true, error);
		}
		if ((look[0].revents & (POLLHUP | POLLERR)) != 0) {
			return release_due(console, true, error); /* the terminal went away */
		}
		if (look[1].revents != 0) {
			r = take_board(console, error);
		}
		if (r == 0 && look[0].revents != 0) {
			r = take_input(console, error);
		}
		if (r == 0) {
			r = release_due(console, false, error);
		}
		if (r == 1) {
			return release_due(console, true, error);
		}
		if (r < 0) {
			return r;
		}
	}
}

static int set_up(struct console *console, struct error *error)
{
	char *text;
	int r = clock_init(error);

	if (r == 0) {
		r = config_read(console->config_path, &console->config, error);
	}
	if (r == 0 && console->config.buttons_kind != BUTTONS_SIM) {
		return error_set(error, -ENOTSUP,
			"%s: its board has real buttons; name a box with the "
			"simulated board by --config",
			console->config_path);
	}
	if (r == 0) {
		r = site_scheme(&console->config, &console->scheme, &text, error);
	}
	if (r < 0) {
		return r;
	}
	free(text);
	keys_assign(&console->config, &console->scheme, &console->keys);
	console->screen.keys = &console->keys;
	console->screen.box = console->config.name;
	snprintf(console->microphone, sizeof(console->microphone), "not known yet");
	return boardlink_open(console->config.runtime, BOARD_WAIT_MS, &console->link, error);
}

static int run(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {CLI_OPTIONS, {0}};
	struct console *console;
	struct error error;
	int r;

	if (cli_option(cli, argc, argv, options) != -1) {
		return cli->status;
	}
	if (optind < argc) {
		return cli_misuse(cli, "`%s` is one argument too many", argv[optind]);
	}
	console = calloc(1, sizeof(*console));
	if (console == NULL) {
		return cli_error("out of memory");
	}
	console->config_path = cli->config_path;
	console->signals = -1;
	r = set_up(console, &error);
	if (r == 0) {
		r = set_up_terminal(console, &error);
	}
	if (r == 0) {
		r = loop(console, &error);
		restore_terminal(console);
	}
	if (console->signals >= 0) {
		close(console->signals);
	}
	timeline_free(console->timeline);
	record_close(&console->record);
	boardlink_close(console->link);
	free(console);
	return r < 0 ? cli_error("%s", error.text) : CLI_FINE;
}
