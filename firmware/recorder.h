/*
 * The recorder's mind: presses and other happenings in; entries, wishes for
 * sound and lamp facts out. Pure: no clock, no file, no card.
 *
 * Happenings are told by the functions below. What they cause gathers in `out`,
 * which the owner empties: it writes the entries first, and only when they are
 * on disk shows the lamps and begins the windows.
 */
#ifndef FIRMWARE_RECORDER_H
#define FIRMWARE_RECORDER_H

#include "app/journal/entry.h"
#include "app/scheme/coding.h"

#include <stdbool.h>
#include <stdint.h>

#define RECORDER_KEEPS_MAX 64

/* Sound wanted: [from, to) of CLOCK_MONOTONIC. */
struct keep {
	int64_t from_ns, to_ns;
};

struct recorder_out {
	struct entries entries;
	struct keep keeps[RECORDER_KEEPS_MAX];
	size_t n_keeps;
	bool confirm; /* the entries hold something the coach waits to see confirmed */
	bool cue;     /* a prompt went off */
	int64_t ended_ns; /* the observation ended then: its snippets too; 0: it did not */
};

struct recorder {
	const struct scheme *scheme; /* borrowed */
	const char *scheme_text;     /* borrowed */
	int64_t idle_ns;
	void (*new_id)(char ret_id[static UUID_CHARS]);
	int64_t boot, next_seq;
	int64_t observation;         /* seq of its start; 0 for none */
	int64_t started_ns, last_press_ns;
	bool mute_wanted;
	enum mic_state mic;
	struct coding *coding;
	struct {
		int64_t t_ns;     /* of the press; 0 when up */
		int64_t since_ns; /* what the next thing a hold does is counted from */
		int64_t seq;      /* of its entry; 0 for codes without one */
		bool spent;       /* the hold has done what it does */
	} down[SCHEME_CODES_MAX];
	int64_t cue_next_ns[SCHEME_CODES_MAX];
	struct recorder_out out;
	bool short_of_memory; /* an allocation failed: an entry is missing from out */
};

/*
 * @scheme and @scheme_text are borrowed for the recorder's life; @last_seq is
 * where the journal ends; @new_id makes the observations' names.
 */
void recorder_init(struct recorder *recorder, const struct scheme *scheme, const char *scheme_text,
	int64_t idle_ns, int64_t last_seq, void (*new_id)(char ret_id[static UUID_CHARS]));
void recorder_fini(struct recorder *recorder);

/* The first entry of a run: who and which boot. */
void recorder_boot(struct recorder *recorder, int64_t now_ns, const char *boot_id, const char *box);

/* An observation that an earlier run left open is ended as recovered. */
void recorder_recovered(struct recorder *recorder, int64_t now_ns, int64_t observation);

/*
 * A debounced press and release on a code's button. A code pressed without an
 * observation starts one: better an unplanned record than a lost lesson.
 */
void recorder_press(struct recorder *recorder, const struct code *code, int64_t t_ns);
void recorder_release(
	struct recorder *recorder, const struct code *code, int64_t t_ns, bool estimated);

/* Muted or not: the mute switch's level, or how an earlier run left it. */
void recorder_mute(struct recorder *recorder, bool muted);

/* Time passed: holds, prompts, idleness. */
void recorder_advance(struct recorder *recorder, int64_t now_ns);
/* When recorder_advance() has something to do next; INT64_MAX for never. */
int64_t recorder_deadline(const struct recorder *recorder);

/* The microphone's state changed; @facts may carry card, rate_hz and cause. */
void recorder_mic(struct recorder *recorder, int64_t t_ns, enum mic_state state,
	const struct facts *facts);
/*
 * Facts that become an entry as they are: gap, loudness, snippet. @observation
 * is the one they belong to, 0 for none; @boot the run, 0 for this one.
 */
void recorder_note(struct recorder *recorder, enum entry_kind kind, int64_t t_ns,
	int64_t observation, int64_t boot, const struct facts *facts);
void recorder_clock(struct recorder *recorder, const struct clock_pair *pair, const char *cause);
void recorder_fault(struct recorder *recorder, int64_t t_ns, const char *name, bool raised,
	const char *cause);
/* Ends the observation, if one is open. */
void recorder_end(struct recorder *recorder, int64_t t_ns, const char *cause);

/* Forgets what `out` held; its entries must have been written or taken. */
void recorder_clear(struct recorder *recorder);

#endif
