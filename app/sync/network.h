/* Whether this network is one to sync on by itself. */
#ifndef SYNC_NETWORK_H
#define SYNC_NETWORK_H

#include <stdbool.h>

#define NETWORK_SSID_CHARS 33

enum network_type { NETWORK_OTHER, NETWORK_WIRELESS };

/* What is known of the way out of this box. */
struct network_seen {
	bool up; /* there is a connection, or a default route over an interface that is up */
	enum network_type type;
	bool metered; /* somebody counts the traffic */
	char ssid[NETWORK_SSID_CHARS]; /* "" for unknown or none */
};

enum network_verdict {
	NETWORK_GO,
	NETWORK_DOWN, /* there is none */
	NETWORK_METERED,
	NETWORK_NOT_LISTED, /* not among the names of the configuration */
};

/*
 * Decides. @ssids are names with commas between them; "" allows any network, wired
 * ones too. Pure.
 */
enum network_verdict network_decide(
	const struct network_seen *seen, const char *ssids, bool allow_metered);

/* What it means, and the way out; static. */
const char *network_words(enum network_verdict verdict);

/*
 * Looks: asks NetworkManager over D-Bus; without one, or where it has no connection,
 * the kernel's routes and sysfs, where nobody can tell what is metered. Blocks for up to a few seconds.
 */
void network_look(struct network_seen *ret_seen);

#endif
