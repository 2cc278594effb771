/*
 * What an observation looked like: fold(journal) -> timeline. Pure and total:
 * any sequence of entries gives a timeline, the same one every time.
 */
#ifndef TIMELINE_TIMELINE_H
#define TIMELINE_TIMELINE_H

#include "app/journal/entry.h"
#include "app/scheme/coding.h"

/* Where a moment lies on the wall clock, and how sure that is. */
struct moment {
	int64_t realtime_ns;    /* meaningless when !known */
	int64_t uncertainty_ns; /* plus or minus */
	bool known;             /* a trusted clock stands behind it */
};

struct timeline_event {
	int64_t seq;
	const struct code *code; /* borrowed from the timeline's scheme */
	int64_t t_ns, end_ns;    /* from the observation's start */
	bool span, open, undone;
	char modifier[SCHEME_NAME_CHARS];
	int snippet;             /* index of the one it is heard in, -1 for none */
};

struct timeline_snippet {
	int64_t seq;
	int64_t from_ns, to_ns; /* from the observation's start; may be negative */
	int64_t bytes;
	char file[64], sha256[65], codec[16];
	bool complete;          /* false: cut short by a loss of power or of the card */
	bool gone;              /* its file has left the box: a server has it */
	uint8_t *peaks;         /* 0-255 of full scale, one per peak_ms */
	size_t n_peaks;
	int peak_ms;
};

/* A stretch in which the microphone was not live, or frames were lost. */
struct timeline_silence {
	int64_t from_ns, to_ns;
	enum { SILENCE_GAP, SILENCE_MUTED, SILENCE_LOST, SILENCE_OFF, SILENCE_FULL } why;
	char cause[160];
};

struct timeline_cue {
	int64_t seq, t_ns;
	const struct code *code; /* NULL when the scheme does not know it */
};

/* What the lanes add up to; undone events do not count. */
struct timeline_sum {
	const struct code *code;
	size_t count;             /* events */
	int64_t total_ns;         /* of its spans */
	int64_t shortest_ns, median_ns, longest_ns; /* of its spans; 0 without any */
	size_t spans;
	size_t by_modifier[SCHEME_LEVELS_MAX + 3];
	/* names of the rows of by_modifier; [0] is "no modifier" (""), then the
	   double tap, the hold, the levels, whichever the code has */
	const char *modifiers[SCHEME_LEVELS_MAX + 3];
	size_t n_modifiers;
};

struct timeline {
	int64_t observation; /* seq of its start */
	char id[UUID_CHARS];
	char box[64];
	struct scheme scheme;
	bool scheme_lost;    /* the journal's copy was unreadable; the default stands in */
	struct moment start;
	int64_t length_ns;
	bool running;        /* no end yet */
	char end_cause[160]; /* the END entry's; "cut off" when there is none though another
	                        start came after it */
	struct timeline_event *events;     size_t n_events;
	struct timeline_snippet *snippets; size_t n_snippets;
	struct timeline_silence *silences; size_t n_silences;
	struct timeline_cue *cues;         size_t n_cues;
	uint8_t *loudness;   /* half decibels below full scale, one per loudness_ms from
	                        the start; 255: not known */
	size_t n_loudness;
	int loudness_ms;
	struct timeline_sum sums[SCHEME_CODES_MAX]; size_t n_sums;
	/* what timeline_moment() reckons by: t_ns from the observation's start, rising;
	   all trusted, or none */
	struct clock_pair *pairs; size_t n_pairs;
};

/*
 * Folds the whole journal (entries in order of seq, borrowed only during the
 * call) into the timeline of one observation. Returns 0, -ENOENT when there is
 * no such observation, or -ENOMEM. Free with timeline_free(), which takes NULL.
 */
int timeline_fold(const struct entry *entries, size_t n, int64_t observation,
	struct timeline **ret_timeline) MUST_CHECK;
void timeline_free(struct timeline *timeline);

/* The next observation after @after (0 for the first) in the journal, or 0. */
int64_t timeline_next(const struct entry *entries, size_t n, int64_t after);

/* The wall-clock moment of a time counted from the observation's start. */
struct moment timeline_moment(const struct timeline *timeline, int64_t t_ns);

#endif
