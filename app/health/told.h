/*
 * What the recorder's journal tells of its health: what is broken, what became of
 * the microphone, how loud the last lesson was. Pure.
 */
#ifndef HEALTH_TOLD_H
#define HEALTH_TOLD_H

#include "app/journal/entry.h"

#define TOLD_FAULTS_MAX 16

/* Zeroed memory has been told nothing. */
struct told {
	struct {
		char code[ENTRY_CODE_CHARS];
		char cause[160];
	} faults[TOLD_FAULTS_MAX]; /* raised, and not over, in the recorder's last run */
	size_t n_faults;

	bool mic_known; /* in that run */
	enum mic_state mic;
	char mic_card[64], mic_cause[160];

	/* of the newest observation that has any sound */
	int64_t observation;
	int64_t levels[256]; /* how many tenths of a second were so loud (entry.h) */
	int64_t n_levels;
	int64_t n_peaks, n_clipped; /* stretches of snippets, and those at full scale */
};

/* Whether told_take() wants the facts of such an entry. */
bool told_wants_facts(enum entry_kind kind);

/* Takes the next entry, in order of seq; @facts are its own, or NULL when not read. */
void told_take(struct told *told, const struct entry *entry, const struct facts *facts);

/*
 * The level in dB of full scale (0 and below) that a share of the time was not
 * louder than, @percent from 1 to 100; 0 levels: 0.
 */
double told_level(const struct told *told, int percent);

#endif
