/* What systemd says of our units, over D-Bus. */
#ifndef CLI_UNITBUS_H
#define CLI_UNITBUS_H

#include "app/base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define UNIT_WORD_CHARS 32

/* "", 0 and false for what a unit of its kind does not have. */
struct unit {
	char active[UNIT_WORD_CHARS]; /* "active", "failed", ... */
	char enabled[UNIT_WORD_CHARS]; /* "enabled", "disabled", ... */
	/* of a service */
	char result[UNIT_WORD_CHARS]; /* of its last run: "success", "watchdog", ... */
	uint32_t restarts; /* by itself, since it was started last */
	uint64_t watchdog_us;
	bool private_network, private_devices, no_new_privileges;
	char protect_system[UNIT_WORD_CHARS], device_policy[UNIT_WORD_CHARS];
	/* of a timer; CLOCK_REALTIME, 0 for never */
	uint64_t next_us;
};

struct unitbus;

/* 0, or -errno: there is no systemd to be asked. unitbus_close() takes NULL. */
int unitbus_open(struct unitbus **ret_bus) MUST_CHECK;
void unitbus_close(struct unitbus *bus);

/* 0; -ENOENT: there is no such unit; or -errno. Blocks for some seconds at most. */
int unitbus_look(struct unitbus *bus, const char *name, struct unit *ret_unit) MUST_CHECK;

#endif
