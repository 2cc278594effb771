/*
 * Presses in, events out: the meaning of the buttons under a scheme. Pure and
 * incremental, so that the recorder (for lamps and undo) and the timeline (for
 * everything people see) cannot disagree.
 */
#ifndef SCHEME_CODING_H
#define SCHEME_CODING_H

#include "app/scheme/scheme.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One coded event, as far as it is known. */
struct coded {
	int64_t seq; /* of the press that began it */
	const struct code *code; /* borrowed from the scheme */
	int64_t t_ns;
	int64_t end_ns; /* equals t_ns for a point event */
	bool span;      /* a state event: end_ns means something */
	bool open;      /* the span has not ended */
	bool undone;
	int taps;
	char modifier[SCHEME_NAME_CHARS]; /* "" for none */
	/* inner bookkeeping */
	int64_t last_press_seq, last_release_ns;
	int64_t end_seq; /* the press that ended a state; 0 while open */
	bool down;
};

struct coding;

/*
 * @scheme is borrowed and must outlive the coding. NULL without memory. Free
 * with coding_free(), which takes NULL.
 */
struct coding *coding_new(const struct scheme *scheme);
void coding_free(struct coding *coding);

/*
 * A press or its release, times not decreasing (an earlier one is taken as it
 * is; nothing breaks). Unknown codes and stray releases are ignored. 0 or
 * -ENOMEM.
 */
int coding_press(struct coding *coding, const char *code, int64_t t_ns, int64_t seq) MUST_CHECK;
void coding_release(struct coding *coding, int64_t press_seq, int64_t t_ns);

/*
 * What an undo now would take back: the seq of the last press that still
 * counts (a state's ending press reopens the state), or 0 for nothing.
 */
int64_t coding_last(const struct coding *coding);

/* Takes back what the press @seq did; an unknown or undone one is ignored. */
void coding_undo(struct coding *coding, int64_t seq);

/* Time passed without a press: a button still down becomes a hold. */
void coding_advance(struct coding *coding, int64_t now_ns);

/* The lesson ended: what is still open ends here, marked open. */
void coding_finish(struct coding *coding, int64_t end_ns);

/* All events so far, undone ones too, in order of their start; borrowed. */
const struct coded *coding_events(const struct coding *coding, size_t *ret_n);

/* Whether a state event of that code is running. */
bool coding_running(const struct coding *coding, const char *code);

#endif
