#include "app/health/told.h"

#include <string.h>

#define FULL_SCALE 254 /* of 255, for a peak to count as clipped */
#define LEVEL_UNKNOWN 255

bool told_wants_facts(enum entry_kind kind)
{
	return kind == ENTRY_FAULT || kind == ENTRY_MIC || kind == ENTRY_LOUDNESS ||
		kind == ENTRY_SNIPPET;
}

static void take_fault(struct told *told, const struct entry *entry, const struct facts *facts)
{
	size_t at = 0;

	while (at < told->n_faults && strcmp(told->faults[at].code, entry->code) != 0) {
		at++;
	}
	if (entry->value == 0) {
		if (at < told->n_faults) {
			told->faults[at] = told->faults[--told->n_faults];
		}
		return;
	}
	if (at == TOLD_FAULTS_MAX) {
		return;
	}
	memcpy(told->faults[at].code, entry->code, sizeof(entry->code));
	memcpy(told->faults[at].cause, facts->cause, sizeof(facts->cause));
	told->n_faults += at == told->n_faults;
}

static void take_mic(struct told *told, const struct entry *entry, const struct facts *facts)
{
	if (entry->value < MIC_OFF || entry->value > MIC_FULL) {
		return; /* a newer recorder's */
	}
	told->mic_known = true;
	told->mic = (enum mic_state)entry->value;
	memcpy(told->mic_cause, facts->cause, sizeof(facts->cause));
	memcpy(told->mic_card, facts->card, sizeof(facts->card));
}

static void take_levels(struct told *told, const struct entry *entry, const struct facts *facts)
{
	for (size_t i = 0; i < facts->n_levels; i++) {
		if (entry->kind == ENTRY_LOUDNESS) {
			bool known = facts->levels[i] != LEVEL_UNKNOWN;

			told->levels[facts->levels[i]] += known;
			told->n_levels += known;
		} else {
			told->n_peaks++;
			told->n_clipped += facts->levels[i] >= FULL_SCALE;
		}
	}
}

/* A lesson's sound counts from its first minute on; until then the one before does. */
static void begin_sound(struct told *told, int64_t observation)
{
	memset(told->levels, 0, sizeof(told->levels));
	told->n_levels = told->n_peaks = told->n_clipped = 0;
	told->observation = observation;
}

void told_take(struct told *told, const struct entry *entry, const struct facts *facts)
{
	if (entry->kind == ENTRY_BOOT) { /* what is still wrong is raised anew */
		told->n_faults = 0;
		told->mic_known = false;
		return;
	}
	if (!facts) {
		return;
	}
	switch (entry->kind) {
	case ENTRY_FAULT:
		take_fault(told, entry, facts);
		return;
	case ENTRY_MIC:
		take_mic(told, entry, facts);
		return;
	case ENTRY_LOUDNESS:
	case ENTRY_SNIPPET:
		if (facts->n_levels > 0 && entry->observation != told->observation) {
			begin_sound(told, entry->observation);
		}
		take_levels(told, entry, facts);
		return;
	default:
		return;
	}
}

double told_level(const struct told *told, int percent)
{
	int64_t above = 0, most = told->n_levels * (100 - percent) / 100;

	if (told->n_levels == 0) {
		return 0;
	}
	for (int level = 0; level < 256; level++) { /* from the loudest down */
		above += told->levels[level];
		if (above > most) {
			return -level / 2.0;
		}
	}
	return -127.5;
}
