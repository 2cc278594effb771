/*
 * All buttons of a board, debounced, in the order in which they were pressed.
 * Pure. A contact that bounces longer settles later than one pressed after it;
 * a change is therefore held back until no earlier one can still turn up. A
 * contact that never comes to rest (it is broken, or picks up a hum) is not
 * waited for.
 */
#ifndef FIRMWARE_CONTACTS_H
#define FIRMWARE_CONTACTS_H

#include "app/base/clock.h"
#include "app/base/config.h"
#include "firmware/debounce.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONTACTS_HELD_MAX 512
#define CONTACTS_WAIT_NS (100 * NS_PER_MS) /* no contact bounces for so long */

struct contact {
	size_t button;
	bool down;
	bool estimated; /* the edge was lost; t_ns is when that was noticed */
	int64_t t_ns;
};

struct contacts {
	struct debounce list[CONFIG_LINES_MAX];
	size_t n;
	struct contact held[CONTACTS_HELD_MAX]; /* in order of time */
	size_t n_held;
};

void contacts_init(struct contacts *contacts, size_t n, int64_t quiet_ns);

/* What button @i reads at start-up; held then, it gives no press. */
void contacts_start(struct contacts *contacts, size_t i, bool down);

/* A raw edge. */
void contacts_edge(struct contacts *contacts, size_t i, bool active, int64_t t_ns);

/* Whether button @i waits to be told what its line reads now. */
bool contacts_due(const struct contacts *contacts, size_t i, int64_t now_ns);

/* What the line of button @i reads now; also any time between edges. */
void contacts_level(struct contacts *contacts, size_t i, bool down, int64_t now_ns);

/* The line of button @i cannot be read any more: what was down counts as up. */
void contacts_gone(struct contacts *contacts, size_t i, int64_t now_ns);

/* The next change, in order of time; false when there is none to give yet. */
bool contacts_next(struct contacts *contacts, struct contact *ret_contact);

/* When a button becomes due next; INT64_MAX for never. */
int64_t contacts_deadline(const struct contacts *contacts);

#endif
