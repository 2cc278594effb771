/* The programs of this box: set right, running, shut in, writing. */
#include "app/base/clock.h"
#include "app/cli/doctor.h"
#include "app/cli/helper.h"
#include "app/cli/units.h"
#include "app/health/machine.h"
#include "app/journal/sql.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define VERSION_MS 5000
#define RECORDER "chalkboxd.service"
#define SYNC "chalkbox-sync.service"
#define SYNC_TIMER "chalkbox-sync.timer"

void doctor_config(struct doctor *doctor)
{
	struct finding *finding;

	if (doctor->config_result < 0) {
		finding = doctor_say(doctor, FINDING_FAULT, "%s.", doctor->config_error.text);
		finding_fix(finding,
			doctor->config_result == -ENOENT
				? "Name the box's configuration by --config, or install one there."
				: "Put that right; `chalkboxd --check-config` says whether it is.");
		return;
	}
	if (doctor->config_result > 0) {
		finding = doctor_say(doctor, FINDING_WARNING, "%s; the built-in scheme stands in.",
			doctor->config_error.text);
		finding_fix(finding, "Mend the site's scheme on the server, then `chalkbox sync`.");
		return;
	}
	finding = doctor_say(doctor, FINDING_OK, "%s is right: %s, scheme %s, sound %s.",
		doctor->config_path, doctor->config.board_title, doctor->scheme.name,
		doctor->config.sound ? "on" : "off");
	finding_value(finding, "sound", json_boolean(doctor->config.sound));
}

/* --- versions --- */

/* The rest of the line that begins with the word. */
static void take_version(const char *text, const char *word, size_t room, char *ret_version)
{
	const char *at = strstr(text, word);

	ret_version[0] = '\0';
	if (at != NULL) {
		at += strlen(word);
		snprintf(ret_version, room, "%.*s", (int)strcspn(at, "\n"), at);
	}
}

static char *ask_version(const char *program)
{
	char path[PATH_MAX], *text;
	char *words[] = {path, "--version", NULL};
	int code;

	helper_path(program, path);
	return helper_ask(words, VERSION_MS, &text, &code) == 0 ? text : NULL;
}

static void compare_version(
	struct doctor *doctor, struct finding *all, const char *program, const char *text)
{
	struct finding *finding;
	char version[32], word[32];

	snprintf(word, sizeof(word), "%s ", program);
	take_version(text != NULL ? text : "", word, sizeof(version), version);
	finding_value(all, program, version[0] ? json_string(version) : json_null());
	if (version[0] != '\0' && strcmp(version, CHALKBOX_VERSION) == 0) {
		return;
	}
	finding = doctor_say(doctor, FINDING_FAULT, "%s is %s%s, beside chalkbox %s.", program,
		version[0] ? "version " : "not there, or cannot be run", version, CHALKBOX_VERSION);
	snprintf(finding->part, sizeof(finding->part), "%s", program);
	finding_fix(finding, "Install all of them anew, and then restart chalkboxd.");
}

void doctor_versions(struct doctor *doctor)
{
	char *recorder = ask_version("chalkboxd"), *sync = ask_version("chalkbox-sync");
	char gpiod[32], alsa[32];
	struct machine machine;
	struct finding *finding;

	machine_look("", &machine);
	take_version(recorder != NULL ? recorder : "", "libgpiod ", sizeof(gpiod), gpiod);
	take_version(recorder != NULL ? recorder : "", "ALSA ", sizeof(alsa), alsa);
	finding = doctor_say(doctor, FINDING_OK,
		"chalkbox " CHALKBOX_VERSION "; %s, Linux %s; libgpiod %s, ALSA %s, SQLite %s.",
		machine.system[0] ? machine.system : "an unknown system", machine.kernel,
		gpiod[0] ? gpiod : "?", alsa[0] ? alsa : "?", sqlite3_libversion());
	finding_value(finding, "chalkbox", json_string(CHALKBOX_VERSION));
	finding_value(finding, "system", json_string(machine.system));
	finding_value(finding, "kernel", json_string(machine.kernel));
	finding_value(finding, "machine", json_string(machine.model));
	finding_value(finding, "libgpiod", json_string(gpiod));
	finding_value(finding, "alsa", json_string(alsa));
	finding_value(finding, "sqlite", json_string(sqlite3_libversion()));
	compare_version(doctor, finding, "chalkboxd", recorder);
	compare_version(doctor, finding, "chalkbox-sync", sync);
	free(recorder);
	free(sync);
}

/* --- the recorder and its record --- */

void doctor_recorder(struct doctor *doctor)
{
	struct finding *finding;

	switch (doctor->recorder_result) {
	case 0:
		finding = doctor_say(doctor, FINDING_OK, "chalkboxd runs and answers; %s.",
			doctor->observing ? "a lesson is being observed"
					  : "no lesson is being observed");
		finding_value(finding, "observing", json_boolean(doctor->observing));
		return;
	case -EACCES:
		doctor_say_hidden(doctor, "whether chalkboxd answers");
		return;
	case -ENOTCONN:
		finding = doctor_say(doctor, FINDING_FAULT, "chalkboxd does not run.");
		finding_fix(finding,
			"`sudo systemctl start chalkboxd`; if it ends again, "
			"`journalctl -u chalkboxd` says why.");
		return;
	default:
		finding = doctor_say(doctor, FINDING_FAULT, "chalkboxd does not answer (%s).",
			strerrordesc_np(-doctor->recorder_result));
		finding_fix(finding,
			"`sudo systemctl restart chalkboxd`, and tell us what "
			"`journalctl -u chalkboxd` says.");
		return;
	}
}

/* What to do about what the recorder has raised. */
static const char *fault_fix(const char *code)
{
	static const struct {
		const char *code, *fix;
	} fixes[] = {
		{"buttons", "See the line `lines` below; check the board's file and the wires."},
		{"lamps", "See the line `lines` below; check the board's file and the wires."},
		{"journal", "Free space on the card; if there is some, take another card."},
		{"journal-damaged",
			"Nothing to be done for today: a new record was begun. Keep the "
			"old one, and take another card soon."},
		{"recovery", "Run `chalkbox check`; what it finds is a damaged sound."},
		{"snippets", "Free space on the card; if there is some, take another card."},
		{"control", "Set runtime in [box] to a folder that chalkboxd may write to."},
	};

	for (size_t i = 0; i < sizeof(fixes) / sizeof(fixes[0]); i++) {
		if (strcmp(fixes[i].code, code) == 0) {
			return fixes[i].fix;
		}
	}
	return "`journalctl -u chalkboxd` tells more.";
}

void doctor_record(struct doctor *doctor)
{
	struct finding *finding;

	if (doctor->record_result == -EACCES || doctor->record_result == -EPERM) {
		doctor_say_hidden(doctor, "the record");
		return;
	}
	if (doctor->record_result == -ENOENT) {
		finding = doctor_say(doctor, FINDING_UNKNOWN, "Nothing has been recorded yet.");
		finding_value(finding, "entries", json_integer(0));
		return;
	}
	if (doctor->record_result < 0) {
		finding = doctor_say(
			doctor, FINDING_FAULT, "The record: %s.", doctor->record_error.text);
		finding_fix(finding,
			"Restart chalkboxd: it sets a damaged record aside and begins "
			"a new one, keeping both.");
		return;
	}
	if (doctor->told.n_faults == 0 || doctor->recorder == NULL) {
		finding = doctor_say(doctor, FINDING_OK, "%lld entries; %s.",
			(long long)doctor->entries,
			doctor->recorder != NULL ? "the recorder reports no fault"
						 : "`chalkbox check` verifies them");
		finding_value(finding, "entries", json_integer(doctor->entries));
		return;
	}
	for (size_t i = 0; i < doctor->told.n_faults; i++) {
		const char *code = doctor->told.faults[i].code;

		finding = doctor_say(doctor, FINDING_FAULT, "The recorder reports of its %s: %s.",
			code, doctor->told.faults[i].cause);
		snprintf(finding->part, sizeof(finding->part), "%s", code);
		finding_fix(finding, "%s", fault_fix(code));
	}
}

/* --- units --- */

static struct finding *say_unit(
	struct doctor *doctor, enum finding_state state, const char *name, const char *says)
{
	struct finding *finding = doctor_say(doctor, state, "%s %s.", name, says);

	snprintf(finding->part, sizeof(finding->part), "%s", name);
	return finding;
}

/* One that must run, and come up by itself. */
static void look_at_running(struct doctor *doctor, const char *name)
{
	struct finding *finding;
	struct unit unit;
	char says[128];
	int r = unitbus_look(doctor->units, name, &unit);

	if (r < 0) {
		finding = say_unit(doctor, FINDING_UNKNOWN, name,
			r == -ENOENT ? "is not installed here" : "cannot be asked about");
		return;
	}
	if (strcmp(unit.active, "active") != 0) {
		snprintf(says, sizeof(says), "is %s (%s)", unit.active,
			unit.result[0] ? unit.result : "never ran");
		finding = say_unit(doctor, FINDING_FAULT, name, says);
		finding_fix(finding,
			"`sudo systemctl start %s`; `journalctl -u %s` says why it "
			"was not.",
			name, name);
	} else if (strncmp(unit.enabled, "enabled", 7) != 0) {
		snprintf(says, sizeof(says), "runs, but will not after the next start (%s)",
			unit.enabled);
		finding = say_unit(doctor, FINDING_FAULT, name, says);
		finding_fix(finding, "`sudo systemctl enable %s`.", name);
	} else if (unit.restarts > 0) {
		snprintf(says, sizeof(says), "had to be restarted %u times", unit.restarts);
		finding = say_unit(doctor, FINDING_WARNING, name, says);
		finding_fix(finding, "`journalctl -u %s` says why.", name);
	} else if (strcmp(name, RECORDER) == 0 && unit.watchdog_us == 0) {
		finding = say_unit(doctor, FINDING_WARNING, name, "runs without its watchdog");
		finding_fix(finding, "`systemctl cat %s` shows what was changed.", name);
	} else {
		finding = say_unit(doctor, FINDING_OK, name, "runs, and starts with the box");
		if (unit.next_us > 0 && unit.next_us < INT64_MAX / NS_PER_US) {
			char when[UNITS_CHARS];
			int64_t next_ns = (int64_t)unit.next_us * NS_PER_US;

			snprintf(finding->says, sizeof(finding->says),
				"%s waits for %s, and starts with the box.", name,
				units_wall_short(next_ns, when));
		}
	}
	finding_value(finding, "active", json_string(unit.active));
	finding_value(finding, "enabled", json_string(unit.enabled));
	finding_value(finding, "restarts", json_integer(unit.restarts));
}

void doctor_units(struct doctor *doctor)
{
	struct finding *finding;
	struct unit unit;

	if (doctor->units == NULL) {
		(void)doctor_say(doctor, FINDING_UNKNOWN, "There is no systemd to be asked.");
		return;
	}
	look_at_running(doctor, RECORDER);
	look_at_running(doctor, SYNC_TIMER);
	if (unitbus_look(doctor->units, SYNC, &unit) == 0 && strcmp(unit.active, "failed") == 0) {
		finding = say_unit(doctor, FINDING_WARNING, SYNC, "failed in its last run");
		finding_fix(finding, "`chalkbox sync --status` says why.");
	}
}

/* A word for each wall that should stand and does not. */
static void look_at_walls(struct doctor *doctor, const char *name, bool network)
{
	struct finding *finding;
	struct unit unit;
	char lacks[160];

	if (unitbus_look(doctor->units, name, &unit) < 0) {
		(void)say_unit(doctor, FINDING_UNKNOWN, name, "is not installed here");
		return;
	}
	snprintf(lacks, sizeof(lacks), "%s%s%s%s%s",
		unit.no_new_privileges ? "" : " NoNewPrivileges",
		strcmp(unit.protect_system, "strict") == 0 ? "" : " ProtectSystem=strict",
		strcmp(unit.device_policy, "closed") == 0 ? "" : " DevicePolicy=closed",
		network || unit.private_network ? "" : " PrivateNetwork",
		!network || unit.private_devices ? "" : " PrivateDevices");
	if (lacks[0] != '\0') {
		finding = doctor_say(
			doctor, FINDING_FAULT, "%s lacks of its sandbox:%s.", name, lacks);
		snprintf(finding->part, sizeof(finding->part), "%s", name);
		finding_fix(finding, "`systemctl cat %s` shows which file took it away.", name);
	} else {
		(void)say_unit(doctor, FINDING_OK, name,
			network ? "is shut in: the network, no hardware"
				: "is shut in: the hardware, no network");
	}
}

void doctor_sandbox(struct doctor *doctor)
{
	if (doctor->units == NULL) {
		(void)doctor_say(doctor, FINDING_UNKNOWN, "There is no systemd to be asked.");
		return;
	}
	look_at_walls(doctor, RECORDER, false);
	look_at_walls(doctor, SYNC, true);
}
