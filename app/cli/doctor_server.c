/* What lies outside of the box: the time, and its server. */
#include "app/base/clock.h"
#include "app/base/file.h"
#include "app/cli/doctor.h"
#include "app/cli/units.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNSURE_NS NS_PER_S
#define APART_MS 2000 /* a set clock and the server's */

/* --- the time --- */

void doctor_clock(struct doctor *doctor)
{
	struct finding *finding;
	char unsure[UNITS_CHARS], now[UNITS_CHARS];
	struct clock_pair pair;

	clock_pair(&pair);
	if (!pair.trusted) {
		finding = doctor_say(doctor, FINDING_WARNING,
			"Nothing has set the clock since power-on; times are put right later.");
		finding_fix(finding,
			"Bring the box onto a network for a minute, or fit a battery "
			"clock.");
	} else {
		finding = doctor_say(doctor,
			pair.uncertainty_ns > UNSURE_NS ? FINDING_WARNING : FINDING_OK,
			"It is set: %s %s.", units_wall(pair.realtime_ns, now),
			units_uncertainty(pair.uncertainty_ns, unsure));
		if (pair.uncertainty_ns > UNSURE_NS) {
			finding_fix(finding, "Bring the box onto a network for a while.");
		}
		finding_value(
			finding, "uncertainty_ms", json_real((double)pair.uncertainty_ns / 1e6));
	}
	finding_value(finding, "trusted", json_boolean(pair.trusted));
}

/* Which program keeps the clock by the network, "" for none. */
static const char *time_keeper(const struct doctor *doctor)
{
	static const char *const names[] = {"systemd-timesyncd.service", "chrony.service",
		"ntpsec.service", "ntp.service", "openntpd.service"};
	struct unit unit;

	for (size_t i = 0; doctor->units != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
		if (unitbus_look(doctor->units, names[i], &unit) == 0 &&
			strcmp(unit.active, "active") == 0) {
			return names[i];
		}
	}
	return "";
}

void doctor_time_source(struct doctor *doctor)
{
	bool rtc = access("/sys/class/rtc/rtc0", F_OK) == 0;
	const char *keeper = time_keeper(doctor);
	struct finding *finding;

	if (keeper[0] != '\0') {
		finding = doctor_say(doctor, FINDING_OK, "%.*s, %s.", (int)strcspn(keeper, "."),
			keeper,
			rtc ? "and a battery clock for when there is no network"
			    : "without a battery clock: off the network, times come later");
	} else if (doctor->units == NULL) {
		finding = doctor_say(doctor, FINDING_UNKNOWN, "%s.",
			rtc ? "A battery clock; there is no systemd to be asked for more"
			    : "There is no systemd to be asked");
	} else {
		finding = doctor_say(doctor, FINDING_WARNING,
			"No program sets the clock by the "
			"network%s.",
			rtc ? "; there is a battery clock" : "");
		finding_fix(finding, "`sudo apt install systemd-timesyncd`.");
	}
	finding_value(finding, "network", keeper[0] ? json_string(keeper) : json_null());
	finding_value(finding, "battery_clock", json_boolean(rtc));
}

/* --- the server --- */

static const char *said(const struct doctor *doctor, const char *name)
{
	const char *text = json_string_value(json_object_get(doctor->probe, name));

	return text != NULL ? text : "";
}

static bool result_is(const struct doctor *doctor, const char *word)
{
	return strcmp(said(doctor, "result"), word) == 0;
}

/* Whether there is a pairing at all; if not, says why nothing is known. */
static bool paired(struct doctor *doctor)
{
	if (doctor->probe == NULL) {
		(void)doctor_say(doctor, FINDING_UNKNOWN, "chalkbox-sync did not answer.");
	} else if (result_is(doctor, "hidden")) {
		struct finding *finding =
			doctor_say(doctor, FINDING_UNKNOWN, "This user may not see the pairing.");

		finding_fix(finding, "Run it with sudo.");
	} else if (result_is(doctor, "unpaired") || result_is(doctor, "broken")) {
		(void)doctor_say(doctor, FINDING_UNKNOWN, "This box belongs to no server.");
	} else {
		return true;
	}
	return false;
}

void doctor_pairing(struct doctor *doctor)
{
	const char *name = said(doctor, "name");
	struct finding *finding;

	if (result_is(doctor, "unpaired")) {
		finding = doctor_say(doctor, FINDING_WARNING,
			"This box belongs to no server; what it records stays here.");
		finding_fix(finding,
			"`sudo chalkbox pair https://SERVER:8443 CODE`, with the code "
			"that the server's page of boxes gives.");
	} else if (result_is(doctor, "broken")) {
		finding = doctor_say(doctor, FINDING_FAULT, "%s.", said(doctor, "says"));
		finding_fix(finding, "Pair the box again: `sudo chalkbox pair URL CODE`.");
	} else if (!paired(doctor)) {
		return;
	} else if (result_is(doctor, "revoked")) {
		finding = doctor_say(doctor, FINDING_FAULT, "%s does not take this box any more.",
			said(doctor, "server"));
		finding_fix(finding, "Pair it again: `sudo chalkbox pair URL CODE`.");
	} else {
		finding = doctor_say(doctor, FINDING_OK, "This box belongs to %s%s%s%s.",
			said(doctor, "server"), name[0] ? " (" : "", name, name[0] ? ")" : "");
	}
	finding_value(finding, "server", json_string(said(doctor, "server")));
}

static void compare_clocks(struct doctor *doctor)
{
	const json_t *apart = json_object_get(doctor->probe, "clock_error_ms");
	struct finding *finding;
	struct clock_pair pair;

	clock_pair(&pair);
	if (json_is_integer(apart) && pair.trusted && llabs(json_integer_value(apart)) > APART_MS) {
		finding = doctor_say(doctor, FINDING_WARNING,
			"This box's clock and the server's are %.1f s apart, though this one is "
			"set.",
			(double)llabs(json_integer_value(apart)) / 1e3);
		snprintf(finding->part, sizeof(finding->part), "clock");
		finding_fix(finding, "See what sets the server's clock.");
	}
}

void doctor_server(struct doctor *doctor)
{
	const json_t *network = json_object_get(doctor->probe, "network");
	bool up = json_is_true(json_object_get(network, "up"));
	struct finding *finding;

	if (!paired(doctor)) {
		return;
	}
	if (result_is(doctor, "reached") || result_is(doctor, "revoked")) {
		finding = doctor_say(
			doctor, FINDING_OK, "It answers; version %s.", said(doctor, "version"));
		if (!json_is_true(json_object_get(network, "allowed"))) {
			finding->state = FINDING_WARNING;
			snprintf(finding->says, sizeof(finding->says),
				"It answers, but sync by itself does not go over this network: %s.",
				json_string_value(json_object_get(network, "says")));
			finding_fix(finding,
				"Change ssids or allow_metered in [sync], or use "
				"`chalkbox sync --now`.");
		}
	} else if (!up) {
		finding = doctor_say(doctor, FINDING_WARNING,
			"There is no network here; what was recorded goes later.");
		finding_fix(finding,
			"Bring the box onto its Wi-Fi (`nmtui`, or the Imager's "
			"settings).");
	} else if (result_is(doctor, "wrong-key")) {
		finding = doctor_say(
			doctor, FINDING_UNKNOWN, "Who answers there is not believed: its key.");
	} else if (result_is(doctor, "foreign")) {
		finding = doctor_say(doctor, FINDING_FAULT, "%s.", said(doctor, "says"));
		finding_fix(finding,
			"Let this box onto the network without a login, or see what "
			"else answers at that address.");
	} else {
		finding = doctor_say(doctor, FINDING_FAULT, "%s.", said(doctor, "says"));
		finding_fix(finding,
			"See whether the server runs, and whether its address is right "
			"and not shut off by a firewall.");
	}
	finding_value(finding, "result", json_string(said(doctor, "result")));
	finding_value(finding, "network", json_boolean(up));
	compare_clocks(doctor);
}

void doctor_key(struct doctor *doctor)
{
	const char *key = said(doctor, "key");
	bool plain = strncmp(said(doctor, "server"), "http:", 5) == 0;
	struct finding *finding;

	if (!paired(doctor)) {
		return;
	}
	if (result_is(doctor, "wrong-key")) {
		finding = doctor_say(doctor, FINDING_FAULT, "%s.", said(doctor, "says"));
		finding_fix(finding,
			"Log in to the network by another device, or set the clock; if "
			"the server was set up anew, pair the box again.");
	} else if (result_is(doctor, "reached") || result_is(doctor, "revoked")) {
		finding = doctor_say(doctor, FINDING_OK,
			plain            ? "The server is this machine: no key is needed."
				: key[0] ? "The server has the key of the pairing, %s."
					 : "The system's authorities vouch for the server's key.",
			key);
	} else {
		finding = doctor_say(
			doctor, FINDING_UNKNOWN, "No server has shown its key just now.");
	}
	finding_value(finding, "key", key[0] ? json_string(key) : json_null());
}

void doctor_unsent(struct doctor *doctor)
{
	const json_t *last = json_object_get(doctor->probe, "last_run");
	const json_t *entries = json_object_get(doctor->probe, "unsent_entries");
	int64_t n_entries = json_integer_value(entries);
	int64_t n_snippets = json_integer_value(json_object_get(doctor->probe, "unsent_snippets"));
	const char *words = json_string_value(json_object_get(last, "says"));
	struct finding *finding;

	if (!paired(doctor)) {
		return;
	}
	if (entries == NULL) {
		finding = doctor_say(doctor, FINDING_UNKNOWN,
			"The server has not told what it lacks; the last run: %s.",
			words != NULL ? words : "none yet");
		return;
	}
	if (n_entries <= 0 && n_snippets == 0) {
		finding = doctor_say(doctor, FINDING_OK, "The server has all that was recorded.");
	} else if (last != NULL && json_integer_value(json_object_get(last, "result")) != 0) {
		finding = doctor_say(doctor, FINDING_WARNING,
			"%lld entries and %lld sounds wait; the last run: %s.",
			(long long)n_entries, (long long)n_snippets, words != NULL ? words : "?");
		finding_fix(finding, "`sudo chalkbox sync --now`.");
	} else {
		finding = doctor_say(doctor, FINDING_OK,
			"%lld entries and %lld sounds go with the next sync.", (long long)n_entries,
			(long long)n_snippets);
	}
	finding_value(finding, "entries", json_integer(n_entries));
	finding_value(finding, "snippets", json_integer(n_snippets));
}
