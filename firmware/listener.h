/*
 * The one extra thread: microphone -> ring. Between opening a card and losing it
 * it allocates nothing, logs nothing, and waits for nobody but the card.
 */
#ifndef FIRMWARE_LISTENER_H
#define FIRMWARE_LISTENER_H

#include "app/base/config.h"
#include "app/journal/entry.h"
#include "firmware/ring.h"

#include <stdbool.h>
#include <stdint.h>

struct listener;

/* Something that happened to the sound. */
struct heard {
	enum { HEARD_LIVE, HEARD_LOST, HEARD_MUTED, HEARD_GAP } what;
	int64_t t_ns;           /* when it was noticed; of a gap: its end; of a loss:
	                           when the last frame was captured */
	int64_t from_ns;        /* of a gap: its begin */
	int rate_hz;            /* of HEARD_LIVE */
	char card[64];          /* of HEARD_LIVE */
	char cause[160];        /* of HEARD_LOST and HEARD_GAP, for people */
};

/*
 * A listener that does not listen yet. @config and @ring are borrowed for its
 * life. 0 or -errno.
 */
int listener_new(const struct config *config, struct ring *ring,
	struct listener **ret_listener) MUST_CHECK;

/* Starts its thread; it opens the microphone at once unless @muted. 0 or -errno. */
int listener_start(struct listener *listener, bool muted) MUST_CHECK;

/* Stops the thread and waits for it (at most for a driver's open or close). */
void listener_free(struct listener *listener);

/* Becomes readable when listener_next() has something; borrowed. */
int listener_fd(const struct listener *listener);

/* The next thing that happened; false for nothing. Any thread but its own. */
bool listener_next(struct listener *listener, struct heard *ret_heard);

/*
 * Closes the card, or opens it again. HEARD_MUTED follows when no descriptor of
 * it is open any more.
 */
void listener_mute(struct listener *listener, bool muted);

/*
 * The index of the frame captured at @t_ns, and back, in the present or last
 * card's reckoning; false before the first frames of a card.
 */
bool listener_frame(struct listener *listener, int64_t t_ns, int64_t *ret_frame);
bool listener_time(struct listener *listener, int64_t frame, int64_t *ret_t_ns);

/* The live card's rate; 0 without one. */
int listener_rate_hz(struct listener *listener);

/* The rate of the card that listener_frame() reckons by; 0 before any. */
int listener_last_rate_hz(struct listener *listener);

/* A number that grows while the thread turns, with or without a card. */
uint64_t listener_heartbeat(const struct listener *listener);

#endif
