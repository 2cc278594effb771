#include "app/sync/writer.h"

#include "app/base/file.h"
#include "app/journal/gone.h"
#include "app/scheme/site.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_S 10
#define ANSWER_CHARS 600
#define MESSAGE_BYTES (SITE_SCHEME_BYTES + 64)

struct writer {
	const struct config *config;
	int socket; /* -1: not connected */
	/* with no recorder */
	struct journal *journal;
	int dir_fd;
	int64_t boot; /* of the entry this run has written; 0: none yet */
};

int writer_open(const struct config *config, struct writer **ret_writer)
{
	struct writer *writer = calloc(1, sizeof(*writer));

	if (!writer) {
		return -ENOMEM;
	}
	writer->config = config;
	writer->socket = writer->dir_fd = -1;
	*ret_writer = writer;
	return 0;
}

static void hang_up(struct writer *writer)
{
	if (writer->socket >= 0) {
		(void)close(writer->socket);
	}
	writer->socket = -1;
}

void writer_close(struct writer *writer)
{
	if (!writer) {
		return;
	}
	hang_up(writer);
	if (writer->dir_fd >= 0) {
		(void)close(writer->dir_fd);
	}
	journal_close(writer->journal);
	free(writer);
}

/* --- by the recorder --- */

/* 0, -ENOTCONN when there is no recorder, or -errno. */
static int call(struct writer *writer)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval most = {.tv_sec = ANSWER_S};
	int r;

	if (writer->socket >= 0) {
		return 0;
	}
	r = file_path(address.sun_path, sizeof(address.sun_path), "%s/control.sock",
		writer->config->runtime);
	if (r < 0) {
		return r;
	}
	writer->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (writer->socket < 0 ||
		setsockopt(writer->socket, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most)) < 0 ||
		setsockopt(writer->socket, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most)) < 0 ||
		connect(writer->socket, (struct sockaddr *)&address, sizeof(address)) < 0) {
		r = errno == ENOENT || errno == ECONNREFUSED ? -ENOTCONN : -errno;
		hang_up(writer);
		return r;
	}
	return 0;
}

static int ask_once(struct writer *writer, const char *message, char ret_answer[ANSWER_CHARS])
{
	ssize_t got;
	int r;

	r = call(writer);
	if (r < 0) {
		return r;
	}
	if (send(writer->socket, message, strlen(message), MSG_NOSIGNAL) < 0) {
		r = -errno;
	} else {
		got = recv(writer->socket, ret_answer, ANSWER_CHARS - 1, 0);
		r = got < 0 ? -errno : got == 0 ? -EPIPE : 0;
		ret_answer[got > 0 ? got : 0] = '\0';
	}
	if (r < 0) {
		hang_up(writer);
	}
	return r;
}

/*
 * Asks the recorder. It may have been started anew since the last question: once
 * more then. -ENOTCONN: there is none.
 */
static int ask(struct writer *writer, const char *message, char ret_answer[ANSWER_CHARS],
	struct error *error)
{
	int r = ask_once(writer, message, ret_answer);

	if (r == -EPIPE || r == -ECONNRESET) {
		r = ask_once(writer, message, ret_answer);
	}
	if (r == -ENOTCONN) {
		return r;
	}
	if (r < 0) {
		return error_set(error, r, "%s/control.sock: %s", writer->config->runtime,
			r == -EAGAIN ? "the recorder does not answer" : strerror(-r));
	}
	if (strncmp(ret_answer, "error ", 6) == 0) {
		return error_set(error, -EINVAL, "the recorder: %.400s", ret_answer + 6);
	}
	return 0;
}

int writer_observing(struct writer *writer, bool *ret_observing, struct error *error)
{
	char answer[ANSWER_CHARS];
	int r = ask(writer, "status", answer, error);

	if (r == 0 || r == -ENOTCONN) {
		*ret_observing = r == 0 && strncmp(answer, "status observing ", 17) == 0;
		r = 0;
	}
	return r;
}

bool writer_has_recorder(const struct writer *writer)
{
	return writer->socket >= 0;
}

/* --- with no recorder --- */

/* Takes the lock, and with it the recorder's place. */
static int take_over(struct writer *writer, struct error *error)
{
	char path[FILE_PATH_CHARS];
	int r;

	if (writer->journal) {
		return 0;
	}
	r = file_path(path, sizeof(path), "%s/snippets", writer->config->state);
	if (r < 0) {
		return error_set(error, r, "%s: the path is too long", writer->config->state);
	}
	r = journal_open(writer->config->state, JOURNAL_WRITE, &writer->journal, error);
	if (r != 0) {
		journal_close(writer->journal);
		writer->journal = NULL;
		return r < 0 ? r : -EUCLEAN;
	}
	if (writer->dir_fd < 0) {
		writer->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = writer->dir_fd < 0 ? error_set(error, -errno, "%s: %s", path, strerror(errno))
				       : 0;
	}
	if (r < 0) {
		journal_close(writer->journal);
		writer->journal = NULL;
	}
	return r;
}

/* Who writes says who it is and in which boot, as the recorder does. */
static int make_boot(const struct writer *writer, int64_t seq, struct entry *ret_entry)
{
	struct entry entry = {.seq = seq, .boot = seq, .t_ns = clock_now_ns(), .kind = ENTRY_BOOT};
	struct facts facts = {.version = CHALKBOX_VERSION};
	int r;

	clock_boot_id(facts.boot_id);
	(void)snprintf(facts.box, sizeof(facts.box), "%.63s", writer->config->name);
	r = entry_set_facts(&entry, &facts);
	if (r == 0) {
		*ret_entry = entry;
	}
	return r;
}

static int append_gone(struct writer *writer, struct entry *gone, struct error *error)
{
	struct entry entries[2];
	size_t n = 0;
	int64_t next = journal_last(writer->journal) + 1;
	int64_t boot = writer->boot;
	int r;

	if (!boot) {
		r = make_boot(writer, next, &entries[n]);
		if (r < 0) {
			return error_set(error, r, "out of memory");
		}
		n++;
		boot = next++;
	}
	gone->seq = next;
	gone->boot = boot;
	gone->t_ns = clock_now_ns();
	entries[n++] = *gone;
	r = journal_append(writer->journal, entries, n, error);
	if (n == 2) {
		entry_fini(&entries[0]);
	}
	if (r == 0) {
		writer->boot = boot;
	}
	return r;
}

static int gone_by_ourselves(
	struct writer *writer, int64_t seq, const char *sha256, struct error *error)
{
	struct entry gone;
	int64_t open_still;
	int r;

	r = take_over(writer, error);
	if (r == 0 && !writer->boot) {
		/* one that was cut off is the recorder's to end: its next start knows how,
		   and until then nothing is written behind it */
		r = journal_observing(writer->journal, &open_still, error);
		if (r == 0 && open_still) {
			r = error_set(error, -EAGAIN,
				"an observation was cut off; the recorder ends it at its next "
				"start");
		}
	}
	if (r < 0) {
		return r;
	}
	r = gone_check(writer->journal, writer->dir_fd, seq, sha256, &gone, error);
	if (r != 0) {
		return r == GONE_E_ALREADY ? 0 : r;
	}
	r = append_gone(writer, &gone, error);
	if (r == 0) {
		r = gone_remove(writer->dir_fd, &gone);
		if (r < 0) {
			(void)error_set(error, r, "the file of snippet %lld: %s", (long long)seq,
				strerror(-r));
		}
	} else { /* this handle takes no more */
		journal_close(writer->journal);
		writer->journal = NULL;
		writer->boot = 0;
	}
	entry_fini(&gone);
	return r;
}

int writer_gone(struct writer *writer, int64_t seq, const char *sha256, struct error *error)
{
	char message[128], answer[ANSWER_CHARS];
	int r;

	if (writer->journal) { /* we hold its lock: no recorder can be at work */
		return gone_by_ourselves(writer, seq, sha256, error);
	}
	r = file_path(message, sizeof(message), "gone %lld %s", (long long)seq, sha256);
	if (r < 0) {
		return error_set(error, r, "gone: %s", strerror(-r));
	}
	r = ask(writer, message, answer, error);
	return r == -ENOTCONN ? gone_by_ourselves(writer, seq, sha256, error) : r;
}

int writer_scheme(struct writer *writer, const char *text, struct error *error)
{
	char *message, answer[ANSWER_CHARS];
	int r;

	if (text && strnlen(text, SITE_SCHEME_BYTES + 1) > SITE_SCHEME_BYTES) {
		return error_set(
			error, -EINVAL, "the scheme is longer than %d bytes", SITE_SCHEME_BYTES);
	}
	message = malloc(MESSAGE_BYTES + 1);
	if (!message) {
		return error_set(error, -ENOMEM, "out of memory");
	}
	r = file_path(message, MESSAGE_BYTES + 1, "scheme %s", text ? text : "");
	if (r == 0) {
		r = ask(writer, message, answer, error);
	}
	free(message);
	if (r != -ENOTCONN) {
		return r;
	}
	if (!text && !site_kept(writer->config->state)) {
		return 0;
	}
	r = take_over(writer, error);
	if (r < 0) {
		return r;
	}
	r = text ? site_keep(writer->config->state, text, error)
		 : site_forget(writer->config->state);
	return r < 0 && !text ? error_set(error, r, "%s: %s", writer->config->state, strerror(-r))
			      : r;
}
