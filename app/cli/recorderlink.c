#include "app/cli/recorderlink.h"

#include "app/base/clock.h"
#include "app/base/file.h"
#include "app/cli/boardlink.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MS 5000

struct recorderlink {
	int fd;
};

int recorderlink_open(const char *runtime, struct recorderlink **ret_link)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct recorderlink *link;
	int r;

	r = file_path(address.sun_path, sizeof(address.sun_path), "%s/control.sock", runtime);
	link = r < 0 ? NULL : malloc(sizeof(*link));
	if (link == NULL) {
		return r < 0 ? r : -ENOMEM;
	}
	link->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (link->fd < 0 || connect(link->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		r = errno == ENOENT || errno == ECONNREFUSED ? -ENOTCONN : -errno;
		recorderlink_close(link);
		return r;
	}
	*ret_link = link;
	return 0;
}

void recorderlink_close(struct recorderlink *link)
{
	if (link != NULL) {
		if (link->fd >= 0) {
			close(link->fd);
		}
		free(link);
	}
}

int recorderlink_next(struct recorderlink *link, int64_t deadline_ns,
	char ret_text[static RECORDER_MESSAGE_BYTES])
{
	struct pollfd look = {.fd = link->fd, .events = POLLIN};
	int64_t left_ns = deadline_ns - boardlink_deadline(0);
	ssize_t got;
	int n;

	n = poll(&look, 1, left_ns > 0 ? (int)((left_ns + NS_PER_MS - 1) / NS_PER_MS) : 0);
	if (n <= 0) {
		return n < 0 ? -errno : -ETIMEDOUT;
	}
	got = recv(link->fd, ret_text, RECORDER_MESSAGE_BYTES - 1, 0);
	if (got <= 0) {
		return got < 0 ? -errno : -ECONNRESET;
	}
	ret_text[got] = '\0';
	return 0;
}

/* Whether it came unasked: a press, or that an earlier trial ended by itself. */
static bool is_told(const char *text)
{
	return strncmp(text, "press ", 6) == 0 || strncmp(text, "release ", 8) == 0 ||
		strcmp(text, "over") == 0;
}

int recorderlink_ask(struct recorderlink *link, const char *question,
	char ret_answer[static RECORDER_MESSAGE_BYTES])
{
	int64_t deadline_ns = boardlink_deadline(ANSWER_MS);
	int r;

	if (send(link->fd, question, strlen(question), MSG_NOSIGNAL) < 0) {
		return -errno;
	}
	do {
		r = recorderlink_next(link, deadline_ns, ret_answer);
	} while (r == -EINTR || (r == 0 && is_told(ret_answer)));
	return r;
}
