#include "app/health/health.h"

#include <math.h>
#include <string.h>

#define WRITES 16
#define WRITES_NS NS_PER_S
#define LOUD_PERCENT 90

void health_look(struct health *health, const char *state, const char *writes)
{
	struct card_room ours;

	machine_look("", &health->machine);
	power_look("", &health->power);
	if (card_room(state, &health->room) < 0) {
		health->room = (struct card_room){.total_bytes = 0};
	}
	/* a sandbox may show us the record read-only; our own folder tells of the card */
	if (card_room(writes, &ours) == 0) {
		health->room.read_only = ours.read_only;
	}
	if (card_time(writes, WRITES, WRITES_NS, &health->speed) < 0) {
		health->speed = (struct card_speed){.writes = 0};
	}
	clock_pair(&health->clock); /* last: it is compared with the time of arrival */
}

/* Text of others (a card's name) as JSON: what is not ASCII becomes "?". */
static void put_text(json_t *json, const char *name, const char *text)
{
	char plain[MACHINE_CHARS];
	size_t n = 0;

	for (; text[n] && n < sizeof(plain) - 1; n++) {
		plain[n] = text[n] < ' ' || text[n] > '~' ? '?' : text[n];
	}
	plain[n] = '\0';
	if (n > 0) {
		(void)json_object_set_new(json, name, json_string(plain));
	}
}

static void put_number(json_t *json, const char *name, int64_t number)
{
	(void)json_object_set_new(json, name, json_integer(number));
}

static void put_sound(json_t *json, const struct told *told)
{
	if (told->mic_known) {
		put_text(json, "microphone", mic_state_name(told->mic));
		put_text(json, "microphone_card", told->mic_card);
	}
	if (told->n_levels > 0) {
		put_number(json, "loud_db", lround(told_level(told, LOUD_PERCENT)));
	}
	if (told->n_peaks > 0) {
		put_number(json, "clipped_permille", told->n_clipped * 1000 / told->n_peaks);
	}
}

json_t *health_json(const struct health *health)
{
	json_t *json = json_object();

	if (!json) {
		return NULL;
	}
	put_text(json, "machine", health->machine.model);
	put_text(json, "wiring", health->wiring);
	put_text(json, "system", health->machine.system);
	put_text(json, "kernel", health->machine.kernel);
	if (health->machine.uptime_s >= 0) {
		put_number(json, "uptime_s", health->machine.uptime_s);
	}
	put_text(json, "power", power_name(health->power.state));
	(void)json_object_set_new(json, "hot", json_boolean(health->power.hot));
	if (health->room.total_bytes > 0) {
		put_number(json, "total_bytes", health->room.total_bytes);
		(void)json_object_set_new(json, "read_only", json_boolean(health->room.read_only));
	}
	if (health->speed.writes > 0) {
		put_number(json, "write_median_us", health->speed.median_ns / NS_PER_US);
		put_number(json, "write_p99_us", health->speed.p99_ns / NS_PER_US);
	}
	(void)json_object_set_new(json, "clock_trusted", json_boolean(health->clock.trusted));
	if (health->clock.trusted) {
		put_number(json, "clock_uncertainty_ms",
			(health->clock.uncertainty_ns + NS_PER_MS - 1) / NS_PER_MS);
	}
	(void)json_object_set_new(json, "recorder", json_boolean(health->recorder));
	put_sound(json, health->told);
	put_number(json, "faults", (int64_t)health->told->n_faults);
	return json;
}
