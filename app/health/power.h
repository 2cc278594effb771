/* Whether the power supply holds, as far as a board can tell. */
#ifndef HEALTH_POWER_H
#define HEALTH_POWER_H

#include <stdbool.h>

enum power_state {
	POWER_UNKNOWN, /* the board does not measure it, or does not tell us */
	POWER_GOOD,
	POWER_LOW_BEFORE, /* too low at some moment since power-on */
	POWER_LOW, /* too low now */
};

struct power {
	enum power_state state;
	bool hot; /* slowed down for heat, now or since power-on */
};

/*
 * Asks the firmware of a Raspberry Pi (get_throttled), else its hwmon driver.
 * @root stands before "/sys": "" but in tests. Blocks on sysfs.
 */
void power_look(const char *root, struct power *ret_power);

/* "unknown", "good", "low-before", "low"; static. */
const char *power_name(enum power_state state);

#endif
