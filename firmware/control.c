#include "firmware/control.h"

#include "app/base/file.h"
#include "app/journal/gone.h"
#include "app/scheme/site.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENTS_MAX 4
#define MESSAGE_BYTES (SITE_SCHEME_BYTES + 64)
#define ANSWER_CHARS 512

struct control {
	const struct config *config;
	struct sockaddr_un address;
	int listen_fd, epoll_fd;
	int clients[CLIENTS_MAX]; /* -1: free */
	int asking;               /* whose message is being dealt with; -1: nobody's */
	bool writes;              /* and waits for the journal */
	char answer[ANSWER_CHARS];
	bool scheme_came;
	struct trial trial;
	int trier; /* whose trial it is; -1: nobody's */
	char message[MESSAGE_BYTES + 1];
};

void control_close(struct control *control)
{
	if (!control) {
		return;
	}
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (control->clients[i] >= 0) {
			close(control->clients[i]);
		}
	}
	if (control->epoll_fd >= 0) {
		close(control->epoll_fd);
	}
	if (control->listen_fd >= 0) {
		close(control->listen_fd);
		unlink(control->address.sun_path);
	}
	free(control);
}

static int watch(const struct control *control, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
	return epoll_ctl(control->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int listen_at(struct control *control)
{
	unlink(control->address.sun_path);
	control->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	control->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	/* 0660 from its first moment on, whatever the umask */
	mode_t mask = umask(0117);
	bool bound = control->listen_fd >= 0 && control->epoll_fd >= 0 &&
		bind(control->listen_fd, (struct sockaddr *)&control->address,
			sizeof(control->address)) == 0;
	int why = errno;
	umask(mask);
	if (!bound) {
		return -why;
	}
	if (listen(control->listen_fd, CLIENTS_MAX) < 0) {
		return -errno;
	}
	return watch(control, control->listen_fd);
}

int control_open(const struct config *config, struct control **ret_control, struct error *error)
{
	struct control *control = calloc(1, sizeof(*control));
	if (!control) {
		return error_set(error, -ENOMEM, "control socket: out of memory");
	}
	control->config = config;
	control->listen_fd = control->epoll_fd = control->asking = control->trier = -1;
	memset(control->clients, 0xff, sizeof(control->clients));
	control->address.sun_family = AF_UNIX;
	int r = file_make_dirs(config->runtime);
	r = r < 0 ? r : file_path(control->address.sun_path, sizeof(control->address.sun_path),
				"%s/control.sock", config->runtime);
	r = r < 0 ? r : listen_at(control);
	if (r < 0) {
		control_close(control);
		return error_set(error, r, "%s/control.sock: %s; set runtime in [box] to a folder "
			"that can be written", config->runtime, strerror(-r));
	}
	*ret_control = control;
	return 0;
}

int control_fd(const struct control *control)
{
	return control->epoll_fd;
}

bool control_scheme_came(const struct control *control)
{
	return control && control->scheme_came;
}

void control_renewed(struct control *control)
{
	control->scheme_came = false;
}

/* --- who asks --- */

static void greet(struct control *control)
{
	int fd = accept4(control->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	size_t place = 0;
	while (place < CLIENTS_MAX && control->clients[place] >= 0) {
		place++;
	}
	if (fd >= 0 && (place == CLIENTS_MAX || watch(control, fd) < 0)) {
		close(fd);
	} else if (fd >= 0) {
		control->clients[place] = fd;
	}
}

static void leave(struct control *control, int fd)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (control->clients[i] == fd) {
			control->clients[i] = -1;
		}
	}
	if (control->trier == fd) {
		trial_end(&control->trial);
		control->trier = -1;
	}
	close(fd);
}

/* --- what is asked --- */

static void set_answer(struct control *control, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void set_answer(struct control *control, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(control->answer, sizeof(control->answer), format, args);
	va_end(args);
}

static void gone(struct control *control, const char *text, struct recorder *recorder,
	struct journal *journal, int dir_fd)
{
	struct entry entry;
	struct error error;
	char sha256[65], rest;
	long long seq;
	if (sscanf(text, "%lld %64[0-9a-f]%c", &seq, sha256, &rest) != 2 || seq < 1 ||
		strlen(sha256) != 64) {
		set_answer(control, "error gone takes an entry's number and its hash");
		return;
	}
	if (!journal) {
		set_answer(control, "error the journal cannot be read now");
		return;
	}
	int r = gone_check(journal, dir_fd, seq, sha256, &entry, &error);
	if (r == GONE_E_ALREADY) {
		return;
	}
	if (r < 0) {
		set_answer(control, "error %s", error.text);
		return;
	}
	entry.seq = recorder->next_seq;
	entry.boot = recorder->boot;
	entry.t_ns = clock_now_ns();
	if (entries_add(&recorder->out.entries, &entry) < 0) {
		set_answer(control, "error out of memory");
		return;
	}
	recorder->next_seq++;
	control->writes = true;
}

static void scheme(struct control *control, const char *text)
{
	struct error error;
	if (!*text && !site_kept(control->config->state)) {
		return;
	}
	int r = *text ? site_keep(control->config->state, text, &error)
		      : site_forget(control->config->state);
	if (r < 0) {
		set_answer(control, "error %s", *text ? error.text : strerror(-r));
		return;
	}
	control->scheme_came = true;
}

static bool any_button_down(const struct recorder *recorder)
{
	for (size_t i = 0; i < recorder->scheme->n_codes; i++) {
		if (recorder->down[i].t_ns) {
			return true;
		}
	}
	return false;
}

static void try(struct control *control, const char *lamp, const struct recorder *recorder)
{
	if (recorder->observation) {
		set_answer(control, "error a lesson is being observed");
	} else if (control->trier >= 0 && control->trier != control->asking) {
		set_answer(control, "error somebody else is trying them");
	} else if (control->trier < 0 && any_button_down(recorder)) {
		set_answer(control, "error a button is being pressed; release it first");
	} else if (*lamp && !config_wire(&control->config->lamps, lamp)) {
		set_answer(control, "error there is no lamp %.60s", lamp);
	} else {
		trial_begin(&control->trial, clock_now_ns(), lamp);
		control->trier = control->asking;
	}
}

static void level(struct control *control, struct sound *sound)
{
	struct level now;
	if (sound_level(sound, &now)) {
		set_answer(control, "level %.1f %d %d", now.rms_db, now.peak_permille, now.ms);
	} else {
		set_answer(control, "error nothing is being heard");
	}
}

static void obey(struct control *control, struct recorder *recorder, struct journal *journal,
	int dir_fd, struct sound *sound)
{
	const char *text = control->message;
	set_answer(control, "ok");
	control->writes = false;
	if (strcmp(text, "status") == 0) {
		set_answer(control, "status %s %lld", recorder->observation ? "observing" : "ready",
			(long long)recorder->next_seq - 1);
	} else if (strncmp(text, "gone ", 5) == 0) {
		gone(control, text + 5, recorder, journal, dir_fd);
	} else if (strncmp(text, "scheme ", 7) == 0) {
		scheme(control, text + 7);
	} else if (strcmp(text, "level") == 0) {
		level(control, sound);
	} else if (strcmp(text, "try") == 0 || strncmp(text, "try ", 4) == 0) {
		try(control, text + strlen("try") + (text[3] == ' '), recorder);
	} else {
		set_answer(control, "error not understood: %.60s", text);
	}
}

void control_take(struct control *control, struct recorder *recorder, struct journal *journal,
	int dir_fd, struct sound *sound)
{
	struct epoll_event event;
	if (!control || control->asking >= 0) {
		return;
	}
	while (control->asking < 0 && epoll_wait(control->epoll_fd, &event, 1, 0) > 0) {
		if (event.data.fd == control->listen_fd) {
			greet(control);
			continue;
		}
		ssize_t got = recv(event.data.fd, control->message, MESSAGE_BYTES,
			MSG_DONTWAIT | MSG_TRUNC);
		if (got <= 0) {
			leave(control, event.data.fd);
			continue;
		}
		control->asking = event.data.fd;
		if (got > MESSAGE_BYTES || memchr(control->message, '\0', (size_t)got)) {
			control->writes = false;
			set_answer(control, "error longer than %d bytes, or with a NUL in it",
				MESSAGE_BYTES);
			break;
		}
		control->message[got] = '\0';
		obey(control, recorder, journal, dir_fd, sound);
	}
}

void control_saved(struct control *control, bool saved)
{
	if (!control || control->asking < 0) {
		return;
	}
	if (control->writes && !saved) {
		set_answer(control, "error the journal cannot be written now");
	}
	/* who does not read its mail is not waited for */
	(void)!send(control->asking, control->answer, strlen(control->answer),
		MSG_NOSIGNAL | MSG_DONTWAIT);
	control->asking = -1;
}

/* --- a trial --- */

struct trial *control_trial(struct control *control)
{
	return control ? &control->trial : NULL;
}

static void tell(const struct control *control, const char *what, const char *button)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%s%s", what, button);
	(void)!send(control->trier, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void control_tell(struct control *control, int64_t now_ns)
{
	if (!control || control->trier < 0) {
		return;
	}
	for (size_t i = 0; i < control->trial.n; i++) {
		const struct trial_press *press = &control->trial.list[i];
		tell(control, press->down ? "press " : "release ",
			control->config->buttons.list[press->button].name);
	}
	control->trial.n = 0;
	if (!trial_on(&control->trial, now_ns)) {
		tell(control, "over", "");
		trial_end(&control->trial);
		control->trier = -1;
	}
}
