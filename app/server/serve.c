#include "app/server/serve.h"

#include "app/base/clock.h"
#include "app/base/file.h"
#include "app/base/journald.h"
#include "app/server/backoff.h"
#include "app/server/blobs.h"
#include "app/server/boxes.h"
#include "app/server/pages.h"
#include "app/server/people.h"
#include "app/server/sessions.h"
#include "app/server/store.h"
#include "app/server/store_observations.h"
#include "app/server/streams.h"
#include "app/server/tls.h"
#include "app/server/upkeep.h"
#include "app/server/uploads.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#define HANDLERS_MOST 16
#define IDLE_S 30
#define ANSWER_S 300
#define TICK_US 1000000
#define UPLOADS_EVERY_S 60
#define PEOPLE_EVERY_S 3600
#define URL_CHARS 320
#define HOST_CHARS 256
#define LINK_FILE "first-link"

struct serve {
	struct server server;
	struct router router;
	struct http_settings settings;
	struct http *http;
	sd_event *event;
	sd_event_source *timer, *signals[2];
	int64_t ticks;
	bool expiring, dropping; /* of old uploads, of sound: there is more to do */
	int64_t alive_ns, alive_due_ns; /* how often the watchdog is fed; 0: never */
	char host[HOST_CHARS], url[URL_CHARS];
	char key[FILE_PATH_CHARS], cert[FILE_PATH_CHARS];
	char pin[PIN_CHARS], pin_short[PIN_SHORT_CHARS];
};

static const struct route *const tables[] = {pair_routes, box_routes, entry_routes, upload_routes,
	boxes_routes, session_routes, invitation_routes, people_routes, observation_routes,
	guest_routes, plan_routes, audio_routes, site_routes, NULL};

int64_t server_now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int server_has_room(const struct server *server, int64_t bytes, struct error *error)
{
	struct statvfs disk;
	int64_t left;

	if (statvfs(server->data_dir, &disk) < 0) {
		return error_set(error, -errno, "%s: %s", server->data_dir, strerror(errno));
	}
	left = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
	bytes += streams_owed(server->uploads);
	return left >= SERVER_ROOM_BYTES + bytes
		? 0
		: error_set(error, -ENOSPC, "%s: %lld MiB are left on its disk", server->data_dir,
			  (long long)(left >> 20));
}

/* --- what goes to the log --- */

static void log_failed(void *data, const char *method, const char *path, const struct error *error)
{
	fprintf(stderr, "%s%s %s: %s\n", journald_priority(LOG_ERR), method, path, error->text);
}

static void log_trouble(const char *doing, const struct error *error)
{
	fprintf(stderr, "%s%s: %s\n", journald_priority(LOG_WARNING), doing, error->text);
}

/* --- what time brings --- */

/* A few a tick, and on at the next one: the loop that does it feeds the watchdog. */
static void sweep(struct serve *serve)
{
	struct server *server = &serve->server;
	struct error error = {""};
	int r;

	if (serve->ticks % PEOPLE_EVERY_S == 0) {
		serve->dropping = true;
		if (people_sweep(server, &error) < 0) {
			log_trouble("letting go of what is over", &error);
		}
	}
	if (serve->ticks % UPLOADS_EVERY_S == 0 || serve->expiring) {
		r = upkeep_expire(server, &error);
		serve->expiring = r > 0;
		if (r < 0) {
			log_trouble("ending old uploads", &error);
		}
	}
	if (serve->dropping) {
		r = store_sounds_drop(server->store, server->blobs, &error);
		serve->dropping = r > 0;
		if (r < 0) {
			log_trouble("letting go of sound", &error);
		}
	}
}

/* Alive: this loop turns, and connections are taken. */
static void feed(struct serve *serve)
{
	int64_t now_ns = clock_now_ns();

	if (serve->alive_ns && now_ns >= serve->alive_due_ns && http_takes(serve->http)) {
		(void)sd_notify(0, "WATCHDOG=1");
		serve->alive_due_ns = now_ns + serve->alive_ns;
	}
}

static int on_tick(sd_event_source *source, uint64_t usec, void *data)
{
	struct serve *serve = data;
	int r;

	http_reap(serve->http);
	sweep(serve);
	feed(serve);
	serve->ticks++;
	r = sd_event_source_set_time_relative(source, TICK_US);
	return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	struct serve *serve = data;

	return sd_event_exit(serve->event, 0);
}

static int open_loop(struct serve *serve)
{
	uint64_t watchdog_us = 0;
	int r = sd_event_new(&serve->event);

	if (r < 0) {
		return r;
	}
	r = sd_event_add_signal(serve->event, &serve->signals[0], SIGTERM, on_signal, serve);
	if (r >= 0) {
		r = sd_event_add_signal(serve->event, &serve->signals[1], SIGINT, on_signal, serve);
	}
	if (r >= 0) {
		r = sd_event_add_time_relative(
			serve->event, &serve->timer, CLOCK_MONOTONIC, TICK_US, 0, on_tick, serve);
	}
	if (sd_watchdog_enabled(0, &watchdog_us) > 0) {
		serve->alive_ns = (int64_t)watchdog_us * NS_PER_US / 3;
	}
	return r < 0 ? r : 0;
}

/* --- opening --- */

static bool on_loopback(const char *listen_at)
{
	return strncmp(listen_at, "127.", 4) == 0 || strncmp(listen_at, "[::1]:", 6) == 0 ||
		strncmp(listen_at, "localhost:", 10) == 0;
}

/* The host that people's links name: the one listened on, or this machine. */
static void name_host(struct serve *serve, const char *listen_at)
{
	const char *colon = strrchr(listen_at, ':');
	size_t n = colon ? (size_t)(colon - listen_at) : 0;
	bool any = n == 0 || strncmp(listen_at, "0.0.0.0:", 8) == 0 ||
		strncmp(listen_at, "[::]:", 5) == 0;

	if (any || n >= sizeof(serve->host)) {
		if (gethostname(serve->host, sizeof(serve->host) - 1) < 0) {
			(void)snprintf(serve->host, sizeof(serve->host), "localhost");
		}
	} else {
		memcpy(serve->host, listen_at, n);
	}
}

static int read_pin(struct serve *serve, struct error *error)
{
	int r = tls_pin(serve->settings.cert, serve->pin, error);

	if (r == 0) {
		pin_short(serve->pin, serve->pin_short);
	}
	return r;
}

static int open_tls(struct serve *serve, const struct serve_options *options, struct error *error)
{
	const char *host = serve->host;
	char bare[HOST_CHARS];
	int r;

	if (options->plain) {
		return 0;
	}
	if (options->key) {
		serve->settings.key = options->key;
		serve->settings.cert = options->cert;
		return read_pin(serve, error);
	}
	if (host[0] == '[') { /* a certificate names an address without brackets */
		(void)snprintf(bare, sizeof(bare), "%.*s", (int)strcspn(host + 1, "]"), host + 1);
		host = bare;
	}
	r = tls_prepare(options->data_dir, host, serve->key, serve->cert, error);
	if (r == 0) {
		serve->settings.key = serve->key;
		serve->settings.cert = serve->cert;
		r = read_pin(serve, error);
	}
	return r;
}

static int open_parts(struct server *server, struct error *error)
{
	int r;

	r = store_open(server->data_dir, &server->store, error);
	if (r == 0) {
		r = blobs_open(server->data_dir, &server->blobs, error);
	}
	if (r == 0 && (uploads_new(&server->uploads) < 0 || backoff_new(&server->pairing) < 0)) {
		r = error_set(error, -ENOMEM, "out of memory");
	}
	if (r == 0) {
		r = people_open(&server->people, error);
	}
	return r == 0 ? upkeep_sweep(server, error) : r;
}

static int open_http(struct serve *serve, const struct serve_options *options, struct error *error)
{
	int r;

	r = http_open(&serve->settings, &serve->http, error);
	if (r < 0) {
		return r;
	}
	if (options->url) {
		(void)snprintf(serve->url, sizeof(serve->url), "%s", options->url);
	} else {
		(void)snprintf(serve->url, sizeof(serve->url), "http%s://%s:%d",
			serve->settings.key ? "s" : "", serve->host, http_port(serve->http));
	}
	return 0;
}

static void settle(struct serve *serve, const struct serve_options *options)
{
	name_host(serve, options->listen);
	serve->server = (struct server){
		.name = options->name ? options->name : serve->host,
		.data_dir = options->data_dir,
		.static_dir = options->static_dir,
		.url = serve->url,
		.pin = serve->pin_short,
		.upload_ns = options->upload_s * NS_PER_S,
	};
	serve->router = (struct router){
		.tables = tables, .box = boxes_check, .person = sessions_check, .page = pages_get};
	serve->settings = (struct http_settings){
		.listen = options->listen,
		.behind_proxy = options->behind_proxy,
		.handlers_most = HANDLERS_MOST,
		.connections_most = options->connections_most,
		.per_address_most = options->per_address_most,
		.idle_s = IDLE_S < options->request_s ? IDLE_S : options->request_s,
		.request_s = options->request_s,
		.answer_s = ANSWER_S,
		.router = &serve->router,
		.server = &serve->server,
		.failed = log_failed,
	};
}

int serve_open(const struct serve_options *options, struct serve **ret_serve, struct error *error)
{
	struct serve *serve;
	int r;

	if (options->plain && !options->behind_proxy && !on_loopback(options->listen)) {
		return error_set(error, -EINVAL,
			"--plain speaks without encryption: listen on 127.0.0.1 or [::1], or put a "
			"proxy with TLS in front and say --behind-proxy");
	}
	serve = calloc(1, sizeof(*serve));
	if (!serve) {
		return error_set(error, -ENOMEM, "out of memory");
	}
	settle(serve, options);
	r = file_make_dirs(options->data_dir);
	if (r < 0) {
		(void)error_set(error, r, "--data %s: %s", options->data_dir, strerror(-r));
	}
	if (r == 0) {
		r = open_parts(&serve->server, error);
	}
	if (r == 0) {
		r = open_tls(serve, options, error);
	}
	if (r == 0) {
		r = open_http(serve, options, error);
	}
	if (r == 0) {
		r = open_loop(serve);
		if (r < 0) {
			(void)error_set(error, r, "making the event loop: %s", strerror(-r));
		}
	}
	if (r < 0) {
		serve_close(serve);
		return r;
	}
	*ret_serve = serve;
	return 0;
}

/* --- running --- */

/*
 * The link makes an administrator of whoever opens it: it goes to the person who
 * started the server, and where a log would keep it, into a file for the owner.
 */
static int show_link(struct serve *serve, struct error *error)
{
	char link[PEOPLE_LINK_CHARS], path[FILE_PATH_CHARS];
	int fd, r;

	r = file_path(path, sizeof(path), "%s/" LINK_FILE, serve->server.data_dir);
	if (r < 0) {
		return error_set(error, r, "%s: the path is too long", serve->server.data_dir);
	}
	(void)unlink(path);
	r = people_first_link(&serve->server, link, error);
	if (r != 0) {
		return r < 0 ? r : 0;
	}
	if (!journald_reads(STDOUT_FILENO)) {
		printf("For the first administrator, once, within a week:\n  %s\n", link);
		return 0;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	r = fd < 0 ? -errno : dprintf(fd, "%s\n", link) < 0 ? -EIO : 0;
	if (fd >= 0) {
		(void)close(fd);
	}
	if (r < 0) {
		return error_set(error, r, "%s: %s", path, strerror(-r));
	}
	printf("The first administrator's link is in %s\n", path);
	return 0;
}

static int show(struct serve *serve, struct error *error)
{
	printf("chalkbox-server %s: \"%s\" at %s\n", CHALKBOX_VERSION, serve->server.name,
		serve->url);
	if (serve->pin[0]) {
		printf("Boxes pin its key: %s, which they show as %s\n", serve->pin,
			serve->pin_short);
	}
	if (show_link(serve, error) < 0) {
		return -EIO;
	}
	return fflush(stdout) == 0
		? 0
		: error_set(error, -errno, "standard output: %s", strerror(errno));
}

int serve_run(struct serve *serve, struct error *error)
{
	int r;

	r = http_start(serve->http, error);
	if (r == 0) {
		r = show(serve, error);
	}
	if (r < 0) {
		return r;
	}
	(void)sd_notify(0, "READY=1\nSTATUS=answering");
	r = sd_event_loop(serve->event);
	(void)sd_notify(0, "STOPPING=1");
	return r < 0 ? error_set(error, r, "the event loop: %s", strerror(-r)) : 0;
}

void serve_close(struct serve *serve)
{
	if (!serve) {
		return;
	}
	http_close(serve->http);
	(void)sd_event_source_disable_unref(serve->timer);
	(void)sd_event_source_disable_unref(serve->signals[1]);
	(void)sd_event_source_disable_unref(serve->signals[0]);
	(void)sd_event_unref(serve->event);
	people_close(serve->server.people);
	backoff_free(serve->server.pairing);
	uploads_free(serve->server.uploads);
	blobs_close(serve->server.blobs);
	store_close(serve->server.store);
	free(serve);
}
