#include "app/cli/helper.h"

#include "app/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TEXT_BYTES_MAX 65536

void helper_path(const char *program, char ret_path[static PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", ret_path, PATH_MAX - 1);
	char *slash;

	if (n > 0) {
		ret_path[n] = '\0';
		slash = strrchr(ret_path, '/');
		if (slash != NULL && (size_t)(slash - ret_path) + strlen(program) + 2 < PATH_MAX) {
			memcpy(slash + 1, program, strlen(program) + 1);
			if (access(ret_path, X_OK) == 0) {
				return;
			}
		}
	}
	snprintf(ret_path, PATH_MAX, "%s/sbin/%s", CHALKBOX_PREFIX, program);
}

static int start(char *const *argv, int output, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	int r = posix_spawn_file_actions_init(&actions);

	if (r != 0) {
		return -r;
	}
	r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	r = r != 0 ? r : posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	r = r != 0 ? r
		   : posix_spawn_file_actions_addopen(
			     &actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	r = r != 0 ? r : posix_spawn(ret_pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / NS_PER_MS;
}

/* All it says until it hangs up. */
static int hear(int fd, int most_ms, char *text, size_t *ret_n)
{
	int64_t until_ms = now_ms() + most_ms;
	size_t n = 0;

	for (;;) {
		struct pollfd look = {.fd = fd, .events = POLLIN};
		int64_t left_ms = until_ms - now_ms();
		ssize_t got;

		if (left_ms <= 0 || poll(&look, 1, (int)left_ms) == 0) {
			return -ETIME;
		}
		got = read(fd, text + n, TEXT_BYTES_MAX - n);
		if (got < 0 && errno != EINTR) {
			return -errno;
		}
		n += got > 0 ? (size_t)got : 0;
		if (got == 0) {
			*ret_n = n;
			return 0;
		}
		if (n == TEXT_BYTES_MAX) {
			return -EFBIG;
		}
	}
}

int helper_ask(char *const *argv, int most_ms, char **ret_text, int *ret_code)
{
	char *text = malloc(TEXT_BYTES_MAX + 1);
	int ends[2], status = 0, r;
	size_t n = 0;
	pid_t pid;

	if (text == NULL) {
		return -ENOMEM;
	}
	if (pipe2(ends, O_CLOEXEC) < 0) {
		r = -errno;
		free(text);
		return r;
	}
	r = start(argv, ends[1], &pid);
	close(ends[1]);
	if (r == 0) {
		r = hear(ends[0], most_ms, text, &n);
		if (r < 0) {
			kill(pid, SIGKILL);
		}
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
		}
	}
	close(ends[0]);
	if (r < 0) {
		free(text);
		return r;
	}
	text[n] = '\0';
	*ret_text = text;
	*ret_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return 0;
}
