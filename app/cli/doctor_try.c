/*
 * Buttons and lamps, tried by hand. The recorder holds their lines, so it is asked
 * to tell of presses and to light a lamp (a trial, firmware/control.h); nothing is
 * recorded meanwhile. What to press is said on standard error, so that standard
 * output is the same findings as ever.
 */
#include "app/base/clock.h"
#include "app/cli/boardlink.h"
#include "app/cli/doctor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RELEASE_MS 5000
#define LIT_MS 1000

/* "questioning (button 1, GPIO5)" */
static void name_button(
	const struct doctor *doctor, const struct config_wire *wire, size_t room, char *ret_name)
{
	const struct code *code = scheme_button(&doctor->scheme, wire->name);

	if (code != NULL) {
		snprintf(ret_name, room, "%s (button %s, %s)", code->name, wire->name, wire->line);
	} else {
		snprintf(ret_name, room, "%s (%s)", wire->name, wire->line);
	}
}

/* Begins or keeps up the trial; says so if it cannot be. */
static bool try(struct doctor *doctor, const char *lamp)
{
	char question[64], answer[RECORDER_MESSAGE_BYTES];
	struct finding *finding;
	int r;

	snprintf(question, sizeof(question), "try%s%s", lamp[0] ? " " : "", lamp);
	r = recorderlink_ask(doctor->recorder, question, answer);
	if (r == 0 && strcmp(answer, "ok") == 0) {
		return true;
	}
	finding = doctor_say(doctor, FINDING_UNKNOWN, "They cannot be tried: %s.",
		r < 0                                       ? strerrordesc_np(-r)
			: strncmp(answer, "error ", 6) == 0 ? answer + 6
							    : answer);
	finding_fix(finding, "Try again when that is over.");
	return false;
}

/* Ends the trial by hanging up; the recorder is called anew for what follows. */
static void stop_trying(struct doctor *doctor)
{
	recorderlink_close(doctor->recorder);
	doctor->recorder = NULL;
	doctor->recorder_result = recorderlink_open(doctor->config.runtime, &doctor->recorder);
}

/* Until the recorder says that very thing; others pressed are shown. 0 or -errno. */
static int await(struct doctor *doctor, const char *wanted, int most_ms)
{
	int64_t deadline_ns = boardlink_deadline(most_ms);
	char text[RECORDER_MESSAGE_BYTES];
	int r;

	for (;;) {
		r = recorderlink_next(doctor->recorder, deadline_ns, text);
		if (r == 0 && strcmp(text, wanted) == 0) {
			return 0;
		}
		if (r == 0 && strcmp(text, "over") == 0) {
			return -ETIMEDOUT;
		}
		if (r == 0 && strncmp(text, "press ", 6) == 0) {
			fprintf(stderr, "that was button %s; ", text + 6);
		} else if (r < 0 && r != -EINTR) {
			return r;
		}
	}
}

/* Returns whether to go on with the next one. */
static bool try_button(struct doctor *doctor, const struct config_wire *wire, size_t *pressed)
{
	bool is_switch = strcmp(wire->name, "mute") == 0;
	char name[96], wanted[64];
	struct finding *finding;
	int r;

	if (!try(doctor, "")) {
		return false;
	}
	name_button(doctor, wire, sizeof(name), name);
	fprintf(stderr, "  %s %s ... ", is_switch ? "switch to and fro:" : "press", name);
	fflush(stderr);
	snprintf(wanted, sizeof(wanted), "press %s", wire->name);
	r = await(doctor, wanted, doctor->press_s * 1000);
	if (r == 0) {
		snprintf(wanted, sizeof(wanted), "release %s", wire->name);
		r = await(doctor, wanted, RELEASE_MS);
		if (r == -ETIMEDOUT) {
			fprintf(stderr, "stuck\n");
			finding = doctor_say(
				doctor, FINDING_WARNING, "%s was pressed, and not released.", name);
			finding_fix(finding,
				"See whether it sticks, or is wired the other way "
				"round (active in [board]).");
			snprintf(finding->part, sizeof(finding->part), "%s", wire->name);
			return true;
		}
	}
	fprintf(stderr, "%s\n", r == 0 ? "seen" : "not seen");
	if (r == 0) {
		(*pressed)++;
		return true;
	}
	if (r != -ETIMEDOUT) {
		(void)doctor_say(
			doctor, FINDING_UNKNOWN, "chalkboxd went away (%s).", strerrordesc_np(-r));
		return false;
	}
	finding = doctor_say(
		doctor, FINDING_FAULT, "%s was not seen within %d s.", name, doctor->press_s);
	finding_fix(finding,
		"Look at its wire, from the pin of %s to ground; or correct the line in "
		"the board's file.",
		wire->line);
	snprintf(finding->part, sizeof(finding->part), "%s", wire->name);
	return true;
}

void doctor_buttons(struct doctor *doctor)
{
	const struct config_wires *buttons = &doctor->config.buttons;
	struct finding *finding;
	size_t pressed = 0;
	bool go_on = true;

	if (!doctor->press) {
		finding = doctor_say(doctor, FINDING_UNKNOWN, "Not tried.");
		finding_fix(finding, "`chalkbox doctor --press` waits for each of them.");
		return;
	}
	if (doctor->recorder == NULL) {
		(void)doctor_say(doctor, FINDING_UNKNOWN,
			"They are tried through chalkboxd, which cannot be asked.");
		return;
	}
	for (size_t i = 0; i < buttons->n && go_on; i++) {
		go_on = try_button(doctor, &buttons->list[i], &pressed);
	}
	stop_trying(doctor);
	if (pressed > 0) {
		finding = doctor_say(doctor, FINDING_OK, "%zu of %zu were pressed and seen.",
			pressed, buttons->n);
		finding_value(finding, "seen", json_integer((json_int_t)pressed));
	}
}

/* What the person says: 1 yes, 0 no, -1 nothing (nobody is there to be asked). */
static int ask_person(const char *lamp)
{
	char line[64];

	if (!isatty(STDIN_FILENO)) {
		fprintf(stderr, "  lamp %s is lit\n", lamp);
		usleep(LIT_MS * 1000);
		return -1;
	}
	fprintf(stderr, "  lamp %s: is it lit, and it alone? [Y/n] ", lamp);
	if (fgets(line, sizeof(line), stdin) == NULL) {
		fputc('\n', stderr);
		return -1;
	}
	return line[0] != 'n' && line[0] != 'N';
}

/* Returns whether to go on with the next one. */
static bool try_lamp(
	struct doctor *doctor, const struct config_wire *wire, size_t *lit, size_t *unseen)
{
	struct finding *finding;

	if (!try(doctor, wire->name)) {
		return false;
	}
	switch (ask_person(wire->name)) {
	case 1:
		(*lit)++;
		return true;
	case 0:
		finding = doctor_say(doctor, FINDING_FAULT,
			"Lamp %s (%s) was not lit, or not alone.", wire->name, wire->line);
		finding_fix(finding,
			"Look at its wire, its resistor and which way round it is; or "
			"correct the line in the board's file.");
		snprintf(finding->part, sizeof(finding->part), "%s", wire->name);
		return true;
	default:
		(*unseen)++;
		return true;
	}
}

void doctor_lamps(struct doctor *doctor)
{
	const struct config_wires *lamps = &doctor->config.lamps;
	struct finding *finding;
	size_t lit = 0, unseen = 0;
	bool go_on = true;

	if (lamps->n == 0 || doctor->config.lamps_kind == LAMPS_NONE) {
		(void)doctor_say(doctor, FINDING_OK, "This board has none.");
		return;
	}
	if (!doctor->lamps) {
		finding = doctor_say(doctor, FINDING_UNKNOWN, "Not tried.");
		finding_fix(finding, "`chalkbox doctor --lamps` lights each of them.");
		return;
	}
	if (doctor->recorder == NULL) {
		(void)doctor_say(doctor, FINDING_UNKNOWN,
			"They are tried through chalkboxd, which cannot be asked.");
		return;
	}
	for (size_t i = 0; i < lamps->n && go_on; i++) {
		go_on = try_lamp(doctor, &lamps->list[i], &lit, &unseen);
	}
	stop_trying(doctor);
	if (lit > 0) {
		finding = doctor_say(
			doctor, FINDING_OK, "%zu of %zu were seen to be lit.", lit, lamps->n);
		finding_value(finding, "seen", json_integer((json_int_t)lit));
	}
	if (unseen > 0) {
		finding = doctor_say(doctor, FINDING_UNKNOWN,
			"%zu were lit, and nobody was there to say so.", unseen);
		finding_value(finding, "lit", json_integer((json_int_t)unseen));
	}
}
