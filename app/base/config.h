/* What a box is set to: chalkbox.conf, chalkbox.conf.d/ and the board's file. */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include "app/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define CONFIG_PATH "/etc/chalkbox/chalkbox.conf"
#define CONFIG_LINES_MAX 24
#define CONFIG_NAME_CHARS 32
#define CONFIG_TEXT_CHARS 192

/* A name of ours and the line it is wired to (GPIO5, KEY_1, a simulated line). */
struct config_wire {
	char name[CONFIG_NAME_CHARS];
	char line[CONFIG_NAME_CHARS];
};

struct config_wires {
	struct config_wire list[CONFIG_LINES_MAX];
	size_t n;
};

enum config_buttons { BUTTONS_GPIO, BUTTONS_EVDEV, BUTTONS_SIM };
enum config_lamps { LAMPS_NONE, LAMPS_GPIO, LAMPS_SIM };

struct config {
	/* [box] */
	char name[CONFIG_TEXT_CHARS];
	char state[CONFIG_TEXT_CHARS];   /* journal and snippets */
	char runtime[CONFIG_TEXT_CHARS]; /* sockets */
	char board[CONFIG_TEXT_CHARS];   /* a file, or a name in the board folder */
	char scheme[CONFIG_TEXT_CHARS];  /* a file, "default", or "site": app/scheme/site.h */
	/* [sound] */
	bool sound;          /* off until the site's consent says otherwise */
	int ring_s;          /* how far back the microphone remembers, 60-300 */
	int bitrate_kbit;    /* 12-128 */
	/* [observation] */
	int idle_min;        /* ends an observation without presses, 5-600 */
	/* [storage] */
	int reserve_mib;     /* kept back for events when the disk is full, 4-256 */
	int sound_stops_mib; /* free space under which snippets stop, 1-4096 */
	/* [sync] */
	char sync_state[CONFIG_TEXT_CHARS]; /* pairing and what sync remembers */
	char ssids[CONFIG_TEXT_CHARS];      /* with commas; "" for any */
	bool allow_metered;
	int days_on_box;     /* after the server has it, 0-3650; -1: what the server says */
	char boot_file[CONFIG_TEXT_CHARS];  /* to pair by; "" for those of the boot partition */
	/* the board's [board], [buttons], [lamps], [microphone] */
	char board_title[CONFIG_TEXT_CHARS];
	enum config_buttons buttons_kind;
	enum config_lamps lamps_kind;
	char chip[CONFIG_NAME_CHARS]; /* a GPIO chip's label; "" for any that has the line */
	char input[CONFIG_TEXT_CHARS]; /* evdev: a device's name or path; "" for any with the keys */
	bool active_low;
	bool pull_up;
	int debounce_ms;              /* quiet after which a button's level counts, 1-50 */
	struct config_wires buttons;  /* "mute" among them is a switch: active means muted */
	struct config_wires lamps;    /* red, green, amber, vibration, or a code's name */
	char card[CONFIG_NAME_CHARS]; /* an ALSA card's id; "" for the first that records */
	char pcm[CONFIG_NAME_CHARS];  /* an ALSA device's name instead of a card */
	int channel;                  /* which of the card's channels, from 1 */
	int gain_db;                  /* -20 to 40, for quiet I2S microphones */
};

/*
 * Reads @path, then the *.conf files of the folder "<path>.d" in the order of
 * their names, and the board's file that they name: what stands later wins. An
 * absent @path is an error; an absent folder is not. Unknown sections and keys,
 * values out of range and repeated lines are -EINVAL with "FILE:LINE: ...".
 * Blocks on the files.
 */
int config_read(const char *path, struct config *ret_config, struct error *error) MUST_CHECK;

/* The configuration in effect, as a file that config_read() takes. */
void config_print(const struct config *config, FILE *stream);

/* The line a button or lamp is wired to, or NULL. Borrowed. */
const char *config_wire(const struct config_wires *wires, const char *name);

#endif
