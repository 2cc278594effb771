/*
 * Any bytes as chalkbox.conf: refused with an explanation that names a line, or
 * taken; and what is taken is printed and read back the same.
 */
#include "app/base/config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char board[] = "[board]\nbuttons = gpio\nlamps = gpio\n[buttons]\n1 = GPIO5\n"
			    "[lamps]\nred = GPIO22\n[microphone]\ncard = one\n";

static void check(bool right)
{
	if (!right) {
		abort();
	}
}

/* A file in memory, and a path to it. */
static int make(const void *bytes, size_t n, char *ret_path, size_t room)
{
	int fd = memfd_create("config", MFD_CLOEXEC);

	check(fd >= 0);
	check(write(fd, bytes, n) == (ssize_t)n);
	check(snprintf(ret_path, room, "/proc/self/fd/%d", fd) < (int)room);
	return fd;
}

static char dir[] = "/tmp/fuzz_config.XXXXXX", board_path[64];

static void clean_up(void)
{
	(void)unlink(board_path);
	(void)rmdir(dir);
}

/* The board that an input without one asks for; kept for the whole run. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char target[64];
	int fd;

	check(mkdtemp(dir));
	fd = make(board, sizeof(board) - 1, target, sizeof(target));
	check(dup2(fd, 100) == 100);
	check(snprintf(board_path, sizeof(board_path), "%s/pi.conf", dir) > 0);
	check(symlink("/proc/self/fd/100", board_path) == 0);
	check(atexit(clean_up) == 0);
	return setenv("CHALKBOX_BOARD_DIR", dir, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config first, second;
	struct error error = {""};
	char path[64], *printed = NULL;
	size_t n = 0;
	FILE *out;
	int fd, r;

	fd = make(data, size, path, sizeof(path));
	memset(&first, 0, sizeof(first));
	r = config_read(path, &first, &error);
	(void)close(fd);
	if (r != 0) {
		check(r < 0 && error.text[0] == '/');
		return 0;
	}

	out = open_memstream(&printed, &n);
	check(out);
	config_print(&first, out);
	check(fclose(out) == 0);
	fd = make(printed, n, path, sizeof(path));
	memset(&second, 0, sizeof(second));
	check(config_read(path, &second, &error) == 0);
	(void)close(fd);
	check(memcmp(&first, &second, sizeof(first)) == 0);
	free(printed);
	return 0;
}
