/*
 * Is this box well? A table of checks, each of which looks at one thing and says
 * in one plain sentence what it found and, where something is wrong, what to do.
 *
 * Nothing is guessed: what cannot be seen on this machine, or not by this user, is
 * "not known here", and that is no fault. The recorder holds buttons, lamps and the
 * microphone, and chalkbox-sync the network and the pairing; so the recorder is
 * asked over its control socket, the journal is read, chalkbox-sync is run for a
 * look. Who holds a GPIO line the kernel tells.
 */
#include "app/cli/doctor.h"

#include "app/base/clock.h"
#include "app/cli/cli.h"
#include "app/cli/helper.h"
#include "app/cli/record.h"
#include "app/cli/terminal.h"
#include "app/scheme/site.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROBE_MS 40000
#define PRESS_S 15
#define READ_STEP 512

static int run(struct cli *cli, int argc, char **argv);

const struct command command_doctor = {
	.name = "doctor",
	.arguments = "[--press] [--seconds N] [--lamps] [--json]",
	.summary = "looks whether this box is well, and says what to do",
	.help = "  --press            also waits for each button to be pressed, in turn\n"
		"  --seconds N        how long each is waited for, 1 to 25 (default 15)\n"
		"  --lamps            also lights each lamp, in turn\n"
		"\n"
		"While buttons and lamps are tried nothing is recorded. Some things only root or\n"
		"a member of the group chalkbox can see. Exits with 1 when something is wrong.\n",
	.json = true,
	.run = run,
};

static const struct check checks[] = {
	{"configuration", "this box", doctor_config, false},
	{"versions", "this box", doctor_versions, false},
	{"recorder", "this box", doctor_recorder, true},
	{"record", "this box", doctor_record, true},
	{"units", "this box", doctor_units, false},
	{"sandbox", "this box", doctor_sandbox, false},
	{"power", "its hardware", doctor_power, false},
	{"space", "its hardware", doctor_space, true},
	{"card", "its hardware", doctor_card, true},
	{"lines", "its hardware", doctor_lines, true},
	{"buttons", "its hardware", doctor_buttons, true},
	{"lamps", "its hardware", doctor_lamps, true},
	{"microphone", "its hardware", doctor_microphone, true},
	{"level", "its hardware", doctor_level, true},
	{"clock", "the time", doctor_clock, false},
	{"time-source", "the time", doctor_time_source, false},
	{"pairing", "its server", doctor_pairing, true},
	{"server", "its server", doctor_server, true},
	{"key", "its server", doctor_key, true},
	{"unsent", "its server", doctor_unsent, true},
};

#define CHECKS (sizeof(checks) / sizeof(checks[0]))

/* --- findings --- */

struct finding *doctor_say(struct doctor *doctor, enum finding_state state, const char *format, ...)
{
	struct finding *finding = &doctor->list[doctor->n];
	va_list args;

	if (doctor->n == FINDINGS_MAX - 1) {
		json_decref(finding->values);
	} else {
		doctor->n++;
	}
	*finding = (struct finding){.check = doctor->check, .state = state};
	va_start(args, format);
	vsnprintf(finding->says, sizeof(finding->says), format, args);
	va_end(args);
	return finding;
}

void finding_fix(struct finding *finding, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(finding->fix, sizeof(finding->fix), format, args);
	va_end(args);
}

void finding_value(struct finding *finding, const char *name, json_t *value)
{
	finding->values = finding->values != NULL ? finding->values : json_object();
	(void)json_object_set_new(finding->values, name, value);
}

void doctor_say_hidden(struct doctor *doctor, const char *what)
{
	struct finding *finding =
		doctor_say(doctor, FINDING_UNKNOWN, "This user may not see %s.", what);

	finding_fix(finding, "Run it with sudo, or as a member of the group chalkbox.");
}

size_t doctor_count(const struct doctor *doctor, enum finding_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < doctor->n; i++) {
		n += doctor->list[i].state == state;
	}
	return n;
}

/* --- what several checks need --- */

static void read_config(struct doctor *doctor)
{
	struct error *error = &doctor->config_error;
	char *text;
	int r = config_read(doctor->config_path, &doctor->config, error);

	if (r == 0) {
		r = site_scheme(&doctor->config, &doctor->scheme, &text, error);
		if (r >= 0) {
			free(text);
		}
	}
	doctor->config_result = r;
}

static void ask_recorder(struct doctor *doctor)
{
	char answer[RECORDER_MESSAGE_BYTES];
	int r = recorderlink_open(doctor->config.runtime, &doctor->recorder);

	if (r == 0) {
		r = recorderlink_ask(doctor->recorder, "status", answer);
		if (r < 0) {
			recorderlink_close(doctor->recorder);
			doctor->recorder = NULL;
		} else {
			doctor->observing = strncmp(answer, "status observing", 16) == 0;
		}
	}
	doctor->recorder_result = r;
}

static int read_entries(struct doctor *doctor, struct journal *journal)
{
	int64_t last = 0;
	int r = 0;

	do {
		struct entries entries = {0};

		doctor->entries = last;
		r = journal_read(journal, last + 1, READ_STEP, &entries, &doctor->record_error);
		for (size_t i = 0; i < entries.n; i++) {
			const struct entry *entry = &entries.list[i];
			struct facts facts;

			last = entry->seq;
			if (!told_wants_facts(entry->kind)) {
				told_take(&doctor->told, entry, NULL);
			} else if (entry_get_facts(entry, &facts) == 0) {
				told_take(&doctor->told, entry, &facts);
				facts_fini(&facts);
			}
		}
		entries_fini(&entries);
	} while (r == 0 && last > doctor->entries);
	return r;
}

static void read_record(struct doctor *doctor)
{
	struct journal *journal = NULL;
	int r = journal_open(doctor->config.state, JOURNAL_READ, &journal, &doctor->record_error);

	if (r == 0) {
		r = read_entries(doctor, journal);
	}
	journal_close(journal);
	doctor->record_result = r;
}

static void ask_sync(struct doctor *doctor)
{
	char path[PATH_MAX], *text;
	char *words[] = {
		path, "--config", (char *)doctor->config_path, "--stall", "5", "--probe", NULL};
	int code;

	helper_path("chalkbox-sync", path);
	if (helper_ask(words, PROBE_MS, &text, &code) == 0) {
		doctor->probe = json_loads(text, 0, NULL);
		free(text);
	}
}

static void prepare(struct doctor *doctor)
{
	if (unitbus_open(&doctor->units) < 0) {
		doctor->units = NULL;
	}
	read_config(doctor);
	if (doctor->config_result < 0) {
		doctor->recorder_result = doctor->record_result = doctor->config_result;
		return;
	}
	ask_recorder(doctor);
	read_record(doctor);
}

static void dismiss(struct doctor *doctor)
{
	json_decref(doctor->probe);
	recorderlink_close(doctor->recorder);
	unitbus_close(doctor->units);
	for (size_t i = 0; i < FINDINGS_MAX; i++) {
		json_decref(doctor->list[i].values);
	}
}

/* --- the command --- */

static void look_at_all(struct doctor *doctor)
{
	const struct check *before = NULL;
	size_t shown = 0;

	for (size_t i = 0; i < CHECKS; i++) {
		doctor->check = &checks[i];
		if (checks[i].look == doctor_pairing && doctor->config_result >= 0) {
			ask_sync(doctor);
		}
		if (checks[i].needs_config && doctor->config_result < 0) {
			(void)doctor_say(doctor, FINDING_UNKNOWN,
				"Cannot be looked at without a right configuration.");
		} else {
			checks[i].look(doctor);
		}
		for (; shown < doctor->n && !doctor->json; shown++) {
			doctor_draw(doctor, &doctor->list[shown], before, stdout);
			before = doctor->list[shown].check;
		}
	}
}

static int run(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		CLI_OPTIONS,
		{"press", no_argument, NULL, 'p'},
		{"seconds", required_argument, NULL, 's'},
		{"lamps", no_argument, NULL, 'l'},
		{0},
	};
	struct doctor *doctor = calloc(1, sizeof(*doctor));
	struct error error;
	int64_t seconds = PRESS_S;
	int option, r = 0;
	bool wrong;

	if (doctor == NULL) {
		return cli_error("out of memory");
	}
	while ((option = cli_option(cli, argc, argv, options)) != -1) {
		if (option == CLI_STOP) {
			free(doctor);
			return cli->status;
		}
		if (option == 's' && cli_number(cli, "--seconds", optarg, 1, 25, &seconds) < 0) {
			free(doctor);
			return CLI_USAGE;
		}
		doctor->press |= option == 'p';
		doctor->lamps |= option == 'l';
	}
	if (optind < argc || clock_init(&error) < 0) {
		free(doctor);
		return optind < argc
			? cli_misuse(cli, "`%s` is one argument too many", argv[optind])
			: cli_error("%s", error.text);
	}
	doctor->config_path = cli->config_path;
	doctor->json = cli->json;
	doctor->press_s = (int)seconds;
	terminal_drawing(&doctor->drawing);
	prepare(doctor);
	if (!cli->json) {
		doctor_draw_head(doctor, stdout);
	}
	look_at_all(doctor);
	if (cli->json) {
		r = doctor_print_json(doctor);
	} else {
		doctor_draw_sum(doctor, stdout);
		r = fflush(stdout) != 0 || ferror(stdout) ? -EIO : 0;
	}
	wrong = doctor_count(doctor, FINDING_FAULT) > 0;
	dismiss(doctor);
	free(doctor);
	return r < 0 ? cli_unprinted(cli, r) : wrong ? CLI_FAILED : CLI_FINE;
}
