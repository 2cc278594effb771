/*
 * Straight at the kernel (its GPIO uAPI, version 2, Linux 5.10): asking who holds
 * a line is one ioctl that claims nothing, works while the recorder holds it, and
 * is the same whichever libgpiod the recorder was built with.
 */
#include "app/cli/gpiolines.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/gpio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* 0, -ENOENT, -ENODEV (another chip was wanted) or -errno. */
static int find_on(int fd, const char *chip, const char *name, struct gpioline *ret_line)
{
	struct gpiochip_info info = {.lines = 0};

	if (ioctl(fd, GPIO_GET_CHIPINFO_IOCTL, &info) < 0) {
		return -errno;
	}
	if (chip[0] != '\0' && strncmp(chip, info.label, sizeof(info.label)) != 0) {
		return -ENODEV;
	}
	for (unsigned int i = 0; i < info.lines; i++) {
		struct gpio_v2_line_info line = {.offset = i};

		if (ioctl(fd, GPIO_V2_GET_LINEINFO_IOCTL, &line) < 0) {
			return -errno;
		}
		if (strncmp(name, line.name, sizeof(line.name)) == 0) {
			*ret_line = (struct gpioline){.used = line.flags & GPIO_V2_LINE_FLAG_USED};
			memcpy(ret_line->chip, info.label, sizeof(ret_line->chip) - 1);
			memcpy(ret_line->consumer, line.consumer, sizeof(ret_line->consumer) - 1);
			return 0;
		}
	}
	return -ENOENT;
}

int gpioline_find(const char *chip, const char *name, struct gpioline *ret_line)
{
	glob_t found;
	int best = -ENODEV;

	if (glob("/dev/gpiochip*", 0, NULL, &found) != 0) {
		return -ENODEV;
	}
	for (size_t i = 0; i < found.gl_pathc && best != 0; i++) {
		int fd = open(found.gl_pathv[i], O_RDWR | O_CLOEXEC);
		int r = fd < 0 ? -errno : find_on(fd, chip, name, ret_line);

		/* what tells most: found; may not look; not there; no such chip */
		if (r == 0 || best == -ENODEV || r == -EACCES) {
			best = r;
		}
		if (fd >= 0) {
			close(fd);
		}
	}
	globfree(&found);
	return best;
}
