#include "app/health/machine.h"

#include "app/base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#define FILE_BYTES 16384

/* Text that goes onto terminals and to the server: one line of printable ASCII. */
static void take_text(char ret_text[static MACHINE_CHARS], const char *text)
{
	size_t n = 0;

	for (; *text && n < MACHINE_CHARS - 1; text++) {
		if (*text >= ' ' && *text <= '~') {
			ret_text[n++] = *text;
		}
	}
	while (n > 0 && ret_text[n - 1] == ' ') {
		n--;
	}
	ret_text[n] = '\0';
}

static void read_line(const char *root, const char *path, char ret_text[static MACHINE_CHARS])
{
	char whole[FILE_PATH_CHARS], *text;
	size_t n;

	if (!ret_text[0] && file_path(whole, sizeof(whole), "%s%s", root, path) == 0 &&
		file_read(whole, FILE_BYTES, &text, &n) == 0) {
		take_text(ret_text, text);
		free(text);
	}
}

/* os-release(5): PRETTY_NAME="..." */
static void read_system(const char *root, char ret_text[static MACHINE_CHARS])
{
	static const char key[] = "PRETTY_NAME=";
	char path[FILE_PATH_CHARS], *text, *line, *save;
	size_t n;

	if (file_path(path, sizeof(path), "%s/etc/os-release", root) < 0 ||
		file_read(path, FILE_BYTES, &text, &n) < 0) {
		return;
	}
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (strncmp(line, key, sizeof(key) - 1) == 0) {
			line += sizeof(key) - 1;
			line += strspn(line, "\"'");
			line[strcspn(line, "\"'")] = '\0';
			take_text(ret_text, line);
		}
	}
	free(text);
}

void machine_look(const char *root, struct machine *ret_machine)
{
	struct utsname names;
	struct timespec up;

	*ret_machine = (struct machine){.uptime_s = -1};
	/* (not by way of /proc, of which a sandbox may show next to nothing) */
	read_line(root, "/sys/firmware/devicetree/base/model", ret_machine->model);
	read_line(root, "/sys/class/dmi/id/product_name", ret_machine->model);
	read_system(root, ret_machine->system);
	if (uname(&names) == 0) {
		take_text(ret_machine->kernel, names.release);
	}
	if (clock_gettime(CLOCK_BOOTTIME, &up) == 0) {
		ret_machine->uptime_s = up.tv_sec;
	}
}
