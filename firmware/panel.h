/*
 * The board's buttons and lamps at work: opened, waited for while they are gone,
 * read and lit.
 */
#ifndef FIRMWARE_PANEL_H
#define FIRMWARE_PANEL_H

#include "firmware/buttons.h"
#include "firmware/contacts.h"
#include "firmware/lamps.h"
#include "firmware/recorder.h"
#include "firmware/trial.h"

#include <systemd/sd-event.h>

struct panel {
	const struct config *config;
	const struct scheme *scheme;
	sd_event *event;
	struct lamps lamps; /* what they are to say; the owner's to fill */
	struct trial *trial; /* borrowed, the owner's to set; NULL for none */

	const struct button_driver *button_driver;
	void *buttons; /* NULL while they are gone */
	sd_event_source *source;
	struct contacts contacts;
	int64_t levels_due_ns, reopen_due_ns;

	const struct lamp_driver *lamp_driver; /* NULL: the board has none */
	void *lamp_lines;                      /* NULL while they are gone */
	int64_t lamps_due_ns;
	int lit[CONFIG_LINES_MAX]; /* as set last; -1: never */
};

/*
 * Claims the board's lines; those that cannot be had are a fault in the journal,
 * and are tried again. A mute switch that cannot be read counts as muted. Everything
 * is borrowed for the panel's life.
 * Wakes @event when there are edges. Does not block for long; one thread.
 */
void panel_open(struct panel *panel, const struct config *config, const struct scheme *scheme,
	sd_event *event, struct recorder *recorder);

/*
 * The scheme that counts from now on, panel_open()'s included: if it has no code
 * that mutes, the mute switch alone says whether the recorder is muted; without a
 * switch, it is not.
 */
void panel_follow(struct panel *panel, struct recorder *recorder);

/* Puts the lamps out and gives the lines back. A zeroed panel is taken. */
void panel_close(struct panel *panel);

/* Tells the recorder what was pressed, in order of time. */
void panel_take(struct panel *panel, int64_t now_ns, struct recorder *recorder);

/* Puts on the lines what panel->lamps says at @now_ns. */
void panel_show(struct panel *panel, int64_t now_ns);

/* When to take or show next by itself. */
int64_t panel_deadline(const struct panel *panel, int64_t now_ns);

#endif
