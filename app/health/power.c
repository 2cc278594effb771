/*
 * get_throttled is a word of bits in hexadecimal: 0 under-voltage now, 2 slowed
 * down now, 3 near its heat limit now; 16, 18, 19 the same at any moment since
 * power-on (Raspberry Pi documentation, "vcgencmd get_throttled"). The hwmon
 * driver knows of under-voltage alone, and forgets it after a while.
 */
#include "app/health/power.h"

#include "app/base/file.h"

#include <ctype.h>
#include <glob.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define WORD_BYTES 64
#define LOW_NOW (UINT32_C(1) << 0)
#define LOW_BEFORE (UINT32_C(1) << 16)
#define HOT (UINT32_C(1) << 2 | UINT32_C(1) << 3 | UINT32_C(1) << 18 | UINT32_C(1) << 19)

/* The number in the first file that matches. */
static bool read_number(const char *root, const char *pattern, int base, uint32_t *ret_number)
{
	char path[FILE_PATH_CHARS];
	glob_t found;
	bool got = false;

	if (file_path(path, sizeof(path), "%s%s", root, pattern) < 0 ||
		glob(path, 0, NULL, &found) != 0) {
		return false;
	}
	for (size_t i = 0; i < found.gl_pathc && !got; i++) {
		char *text;
		size_t n;

		if (file_read(found.gl_pathv[i], WORD_BYTES, &text, &n) == 0) {
			got = isxdigit((unsigned char)text[0]);
			*ret_number = (uint32_t)strtoul(text, NULL, base);
			free(text);
		}
	}
	globfree(&found);
	return got;
}

void power_look(const char *root, struct power *ret_power)
{
	uint32_t bits;

	*ret_power = (struct power){.state = POWER_UNKNOWN};
	if (read_number(root, "/sys/devices/platform/soc*/*:firmware/get_throttled", 16, &bits)) {
		ret_power->state = bits & LOW_NOW ? POWER_LOW
			: bits & LOW_BEFORE       ? POWER_LOW_BEFORE
						  : POWER_GOOD;
		ret_power->hot = bits & HOT;
	} else if (read_number(root, "/sys/class/hwmon/hwmon*/in[01]_lcrit_alarm", 10, &bits)) {
		ret_power->state = bits ? POWER_LOW : POWER_GOOD;
	}
}

const char *power_name(enum power_state state)
{
	static const char *const names[] = {"unknown", "good", "low-before", "low"};

	return names[state];
}
