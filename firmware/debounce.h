/* Raw edges of one contact in, presses and releases out. Pure. */
#ifndef FIRMWARE_DEBOUNCE_H
#define FIRMWARE_DEBOUNCE_H

#include <stdbool.h>
#include <stdint.h>

struct debounce {
	int64_t quiet_ns; /* a level counts after so much quiet */
	bool down;        /* the level that counts */
	bool raw;         /* the level of the last edge */
	bool restless;    /* edges came, and the quiet has not */
	bool stamped;     /* first_ns is an edge away from `down` */
	bool doubted;     /* the line read another level than the last edge told */
	int64_t first_ns, last_ns, doubt_ns;
};

enum debounce_change { DEBOUNCE_NONE, DEBOUNCE_PRESS, DEBOUNCE_RELEASE };

/* A change of the level that counts. */
struct debounced {
	enum debounce_change change;
	int64_t t_ns;   /* of the first edge of the bounce */
	bool estimated; /* that edge was lost; t_ns is when its loss was noticed */
};

/* @down: the level found at start-up; a button held then gives no press. */
void debounce_init(struct debounce *debounce, int64_t quiet_ns, bool down);

/*
 * An edge. What the contact did before, if the quiet was long enough before
 * this edge, is given: a late reader loses no tap. Repeated polarity is borne.
 */
struct debounced debounce_edge(struct debounce *debounce, bool active, int64_t t_ns);

/* When debounce_settle() has something to do; INT64_MAX for never. */
int64_t debounce_deadline(const struct debounce *debounce);

/*
 * @level is what the line reads now. After the quiet it is what counts,
 * whatever the edges said: the BCM283x can lose close ones. But against the
 * edges only when it is read twice, a quiet apart: the edge may be on its way.
 */
struct debounced debounce_settle(struct debounce *debounce, bool level, int64_t now_ns);

/* No change still to come can be earlier than this; INT64_MAX when none is near. */
int64_t debounce_earliest(const struct debounce *debounce);

#endif
