/* Which machine this is, and what runs on it. */
#ifndef HEALTH_MACHINE_H
#define HEALTH_MACHINE_H

#include <stdint.h>

#define MACHINE_CHARS 96

/* "" and -1 for what nobody tells. */
struct machine {
	char model[MACHINE_CHARS]; /* "Raspberry Pi Zero 2 W Rev 1.0" */
	char kernel[MACHINE_CHARS]; /* "6.12.47+rpt-rpi-v8" */
	char system[MACHINE_CHARS]; /* "Debian GNU/Linux 13 (trixie)" */
	int64_t uptime_s;
};

/* @root stands before "/sys" and "/etc": "" but in tests. Does not block for long. */
void machine_look(const char *root, struct machine *ret_machine);

#endif
