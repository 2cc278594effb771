/* What a box is made of: power, card, lines, microphone. */
#include "app/base/clock.h"
#include "app/cli/doctor.h"
#include "app/cli/gpiolines.h"
#include "app/health/card.h"
#include "app/health/power.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define MIB (INT64_C(1) << 20)
#define WRITES 100
#define WRITES_NS (4 * NS_PER_S)
#define SLOW_NS (300 * NS_PER_MS) /* a blink should come within that */
#define CONSUMER "chalkbox" /* by which name the recorder holds lines */

/* Of a lesson's loudness, what a tenth of it exceeds, in dB of full scale. */
#define LOUD_PERCENT 90
#define SILENT_DB -100
#define QUIET_DB -50
#define CLIPPED_PERMILLE 5

void doctor_power(struct doctor *doctor)
{
	struct finding *finding;
	struct power power;

	power_look("", &power);
	switch (power.state) {
	case POWER_UNKNOWN:
		finding = doctor_say(doctor, FINDING_UNKNOWN,
			"This machine does not tell whether its power supply suffices.");
		break;
	case POWER_GOOD:
		finding = doctor_say(doctor, power.hot ? FINDING_WARNING : FINDING_OK,
			"The power supply holds its voltage%s.",
			power.hot ? ", but the processor was slowed down for heat" : "");
		break;
	default:
		finding = doctor_say(doctor,
			power.state == POWER_LOW ? FINDING_FAULT : FINDING_WARNING,
			power.state == POWER_LOW ? "The voltage is too low now."
						 : "The voltage was too low since power-on.");
		break;
	}
	if (power.state == POWER_LOW || power.state == POWER_LOW_BEFORE) {
		finding_fix(finding,
			"Use the supply made for this board and a short, thick "
			"cable; a power bank must give its full current.");
	} else if (power.hot) {
		finding_fix(finding, "Give the box air, and keep it out of the sun.");
	}
	finding_value(finding, "power", json_string(power_name(power.state)));
	finding_value(finding, "hot", json_boolean(power.hot));
}

/* --- the card --- */

static const char room_fix[] = "Bring what was recorded to the server (`chalkbox sync --now`) and "
			       "let it go by days_on_box in [sync], or take a larger card.";

static const char card_fix[] = "Start the box anew; if that does not help, the card is worn out: "
			       "copy it, and take another one.";

void doctor_space(struct doctor *doctor)
{
	const struct config *config = &doctor->config;
	int64_t sound_stops = config->sound_stops_mib * MIB, free_mib;
	struct finding *finding;
	struct card_room room;
	int r = card_room(config->state, &room);

	if (r == -EACCES) {
		doctor_say_hidden(doctor, "the folder of the record");
		return;
	}
	if (r < 0) {
		finding = doctor_say(
			doctor, FINDING_FAULT, "%s: %s.", config->state, strerrordesc_np(-r));
		finding_fix(finding, "Start chalkboxd, which makes it; or set state in [box].");
		return;
	}
	free_mib = room.free_bytes / MIB;
	if (room.read_only) {
		finding = doctor_say(doctor, FINDING_FAULT,
			"The file system of %s cannot be written to.", config->state);
		finding_fix(finding, "%s", card_fix);
	} else if (room.free_bytes < sound_stops) {
		finding = doctor_say(doctor, FINDING_FAULT,
			"%lld MiB are free, too little to keep sound (%d MiB).",
			(long long)free_mib, config->sound_stops_mib);
		finding_fix(finding, "%s", room_fix);
	} else if (room.free_bytes < 2 * sound_stops) {
		finding = doctor_say(doctor, FINDING_WARNING,
			"%lld MiB are free; below %d MiB no sound is kept.", (long long)free_mib,
			config->sound_stops_mib);
		finding_fix(finding, "%s", room_fix);
	} else {
		finding = doctor_say(doctor, FINDING_OK, "%.1f of %.1f GB are free.",
			(double)room.free_bytes / 1e9, (double)room.total_bytes / 1e9);
	}
	finding_value(finding, "free_bytes", json_integer(room.free_bytes));
	finding_value(finding, "total_bytes", json_integer(room.total_bytes));
	finding_value(finding, "read_only", json_boolean(room.read_only));
}

void doctor_card(struct doctor *doctor)
{
	struct finding *finding;
	struct card_speed speed;
	int r = card_time(doctor->config.state, WRITES, WRITES_NS, &speed);

	if (r == -EACCES || r == -EPERM) {
		finding = doctor_say(
			doctor, FINDING_UNKNOWN, "This user may not try how quick the card is.");
		finding_fix(finding, "Run it with sudo.");
		return;
	}
	if (r < 0) {
		finding = doctor_say(doctor, FINDING_FAULT, "Writing to %s: %s.",
			doctor->config.state, strerrordesc_np(-r));
		finding_fix(finding, "%s", r == -ENOSPC ? room_fix : card_fix);
		return;
	}
	finding = doctor_say(doctor, speed.p99_ns > SLOW_NS ? FINDING_WARNING : FINDING_OK,
		"What is written is safe after %.1f ms; 99 times of 100 within %.0f ms.",
		(double)speed.median_ns / 1e6, (double)speed.p99_ns / 1e6);
	if (speed.p99_ns > SLOW_NS) {
		finding_fix(finding,
			"The blink that confirms a press comes that late. Take a card "
			"marked A1 or A2; a worn one gets slow too.");
	}
	finding_value(finding, "median_ms", json_real((double)speed.median_ns / 1e6));
	finding_value(finding, "p99_ms", json_real((double)speed.p99_ns / 1e6));
	finding_value(finding, "writes", json_integer(speed.writes));
}

/* --- lines --- */

struct line_sum {
	size_t right, unasked;
};

/* Whether the line is there and in the right hands; says so if not. */
static void look_at_line(struct doctor *doctor, const char *what, const struct config_wire *wire,
	struct line_sum *sum)
{
	struct finding *finding;
	struct gpioline line;
	int r = gpioline_find(doctor->config.chip, wire->line, &line);

	if (r == -EACCES) {
		sum->unasked++;
		return;
	}
	if (r == 0 && line.used == (doctor->recorder != NULL) &&
		(!line.used || strcmp(line.consumer, CONSUMER) == 0)) {
		sum->right++;
		return;
	}
	if (r < 0) {
		finding = doctor_say(doctor, FINDING_FAULT, "%s (%s %s): %s.", wire->line, what,
			wire->name,
			r == -ENOENT ? "no GPIO chip has a line of that name"
				     : strerrordesc_np(-r));
		finding_fix(
			finding, "Correct the name in the board's file; `gpioinfo` lists them.");
	} else if (line.used && strcmp(line.consumer, CONSUMER) != 0) {
		finding = doctor_say(doctor, FINDING_FAULT, "%s (%s %s) is held by %s.", wire->line,
			what, wire->name, line.consumer[0] ? line.consumer : "the kernel");
		finding_fix(finding,
			"Take away the overlay or the program that uses it, or wire "
			"that %s to another line.",
			what);
	} else if (line.used) {
		finding = doctor_say(doctor, FINDING_WARNING,
			"%s (%s %s) is held by chalkboxd, which does not answer.", wire->line, what,
			wire->name);
	} else {
		finding = doctor_say(doctor, FINDING_FAULT,
			"%s (%s %s) is not held by chalkboxd, though it runs.", wire->line, what,
			wire->name);
		finding_fix(finding,
			"`sudo systemctl restart chalkboxd`, after putting right what "
			"it reports of its %s.",
			strcmp(what, "lamp") == 0 ? "lamps" : "buttons");
	}
	snprintf(finding->part, sizeof(finding->part), "%s", wire->name);
}

static void look_at_wires(struct doctor *doctor, const char *what, const struct config_wires *wires,
	struct line_sum *sum)
{
	for (size_t i = 0; i < wires->n; i++) {
		look_at_line(doctor, what, &wires->list[i], sum);
	}
}

void doctor_lines(struct doctor *doctor)
{
	const struct config *config = &doctor->config;
	struct line_sum sum = {0, 0};
	struct finding *finding;
	struct gpioline any;

	if (config->buttons_kind != BUTTONS_GPIO && config->lamps_kind != LAMPS_GPIO) {
		(void)doctor_say(doctor, FINDING_UNKNOWN, "This board has no GPIO lines.");
		return;
	}
	if (gpioline_find(config->chip, "", &any) == -ENODEV) {
		finding = doctor_say(doctor, FINDING_FAULT, "This machine has no GPIO chip%s%s.",
			config->chip[0] ? " labelled " : "", config->chip);
		finding_fix(finding,
			"Set board in [box] to the file of the board it is; those that "
			"came along are in " CHALKBOX_PREFIX "/share/chalkbox/board.");
		return;
	}
	if (config->buttons_kind == BUTTONS_GPIO) {
		look_at_wires(doctor, "button", &config->buttons, &sum);
	}
	if (config->lamps_kind == LAMPS_GPIO) {
		look_at_wires(doctor, "lamp", &config->lamps, &sum);
	}
	if (sum.right > 0) {
		finding = doctor_say(doctor, FINDING_OK, "%zu lines found by name, %s.", sum.right,
			doctor->recorder != NULL ? "held by chalkboxd" : "held by nobody");
		finding_value(finding, "right", json_integer((json_int_t)sum.right));
	}
	if (sum.unasked > 0) {
		finding = doctor_say(
			doctor, FINDING_UNKNOWN, "This user may not look at GPIO lines.");
		finding_fix(finding, "Run it with sudo, or as a member of the group gpio.");
	}
}

/* --- sound --- */

void doctor_microphone(struct doctor *doctor)
{
	const struct told *told = &doctor->told;
	struct finding *finding;

	if (!doctor->config.sound) {
		(void)doctor_say(
			doctor, FINDING_OK, "Sound is switched off in [sound]; nothing is heard.");
		return;
	}
	if (doctor->recorder == NULL || doctor->record_result < 0 || !told->mic_known) {
		finding = doctor_say(
			doctor, FINDING_UNKNOWN, "The recorder has it, and cannot be asked.");
		return;
	}
	switch (told->mic) {
	case MIC_LIVE:
		finding = doctor_say(doctor, FINDING_OK, "%s is live.",
			told->mic_card[0] ? told->mic_card : "The microphone");
		break;
	case MIC_MUTED:
		finding = doctor_say(doctor, FINDING_OK, "It is muted: its device is closed.");
		break;
	case MIC_FULL:
		finding = doctor_say(
			doctor, FINDING_FAULT, "It is live, but there is no room to keep sound.");
		finding_fix(finding, "%s", room_fix);
		break;
	default:
		finding = doctor_say(doctor, FINDING_FAULT, "There is none: %s.",
			told->mic_cause[0] ? told->mic_cause : "it is off");
		finding_fix(finding,
			"Plug it in again; `arecord -l` must list it. [microphone] in "
			"the board's file may name another card.");
		break;
	}
	finding_value(finding, "microphone", json_string(mic_state_name(told->mic)));
}

static const char silent_fix[] = "Look for a switch on the microphone; name the right channel in "
				 "[microphone] of the board's file.";
static const char loud_fix[] =
	"Lower the card's level (`alsamixer`, F4), or gain_db in [microphone].";

/* What it hears in this moment. */
static void look_at_level_now(struct doctor *doctor)
{
	char answer[RECORDER_MESSAGE_BYTES];
	struct finding *finding;
	int peak, ms;
	float now_db;

	if (doctor->recorder == NULL || recorderlink_ask(doctor->recorder, "level", answer) < 0 ||
		sscanf(answer, "level %f %d %d", &now_db, &peak, &ms) != 3) {
		return; /* muted, off, lost: told above */
	}
	if (peak == 0) {
		finding = doctor_say(doctor, FINDING_FAULT,
			"In this moment the microphone gives nothing but silence.");
		finding_fix(finding, "%s", silent_fix);
	} else if (peak >= 1000) {
		finding = doctor_say(doctor, FINDING_WARNING,
			"In this moment it is too loud: what it hears is clipped.");
		finding_fix(finding, "%s", loud_fix);
	} else {
		finding = doctor_say(doctor, FINDING_OK,
			"In this moment it hears %.0f dB, with a peak of %.0f dB.", (double)now_db,
			20 * log10(peak / 1000.0));
	}
	snprintf(finding->part, sizeof(finding->part), "now");
	finding_value(finding, "level_db", json_real((double)now_db));
	finding_value(finding, "peak_permille", json_integer(peak));
}

void doctor_level(struct doctor *doctor)
{
	const struct told *told = &doctor->told;
	double loud_db = told_level(told, LOUD_PERCENT);
	int64_t clipped = told->n_peaks > 0 ? told->n_clipped * 1000 / told->n_peaks : 0;
	struct finding *finding;

	look_at_level_now(doctor);
	if (doctor->record_result < 0 || told->n_levels == 0) {
		finding = doctor_say(
			doctor, FINDING_UNKNOWN, "No lesson with sound has been recorded yet.");
		finding_fix(finding,
			"Press the lesson button, speak for a minute where the class "
			"would be, end it, and look again.");
		return;
	}
	if (loud_db <= SILENT_DB) {
		finding = doctor_say(doctor, FINDING_FAULT,
			"The last lesson is silence: the microphone gives nothing.");
		finding_fix(finding, "%s", silent_fix);
	} else if (clipped >= CLIPPED_PERMILLE) {
		finding = doctor_say(doctor, FINDING_WARNING,
			"The last lesson is too loud: %.1f %% of its kept sound is clipped.",
			(double)clipped / 10);
		finding_fix(finding, "%s", loud_fix);
	} else if (loud_db < QUIET_DB) {
		finding = doctor_say(doctor, FINDING_WARNING,
			"The last lesson is quiet: %.0f dB where it is loud.", loud_db);
		finding_fix(finding,
			"Raise the card's level (`alsamixer`, F4), or gain_db in "
			"[microphone]; put the box nearer to the class.");
	} else {
		finding = doctor_say(doctor, FINDING_OK,
			"The last lesson's level is right: %.0f dB where it is loud, no clipping.",
			loud_db);
	}
	finding_value(finding, "loud_db", json_real(loud_db));
	finding_value(finding, "clipped_permille", json_integer(clipped));
}
