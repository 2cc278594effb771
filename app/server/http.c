/*
 * libmicrohttpd, with a thread for each connection: handlers wait for the disk, and
 * where some threads shared all connections, two would wait behind each other
 * while other threads rest. How many handlers run at one time is bounded apart.
 *
 * What libmicrohttpd lacks is added here: a deadline for the whole of a request and
 * of an answer (its own timeout starts anew with every byte). Every connection is
 * in a list with its deadline; once a second those past it are shut down, which
 * wakes libmicrohttpd to close them. A descriptor in the list is open:
 * libmicrohttpd tells us of a close before it closes.
 */
#include "app/base/clock.h"
#include "app/base/file.h"
#include "app/server/exchange.h"
#include "app/server/turns.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTION_BYTES (64 << 10) /* headers and what is read ahead of a body */
#define STACK_BYTES (512 << 10)
#define BACKLOG 256
#define PEM_BYTES_MOST (64 << 10)

struct http {
	const struct http_settings *settings;
	struct MHD_Daemon *daemon;
	int listen_fd; /* until the daemon has it */
	uint16_t port;
	char *key, *cert;
	pthread_mutex_t lock;
	struct watched *first; /* under the lock, as are the two below */
	int64_t taken; /* connections so far */
	int connections;
	struct turns handlers;
	/* of http_takes() */
	int64_t taken_then;
	int knock_fd;
};

/* --- deadlines --- */

void http_extend(struct http *http, struct watched *watched, int64_t deadline_ns)
{
	if (watched) {
		(void)pthread_mutex_lock(&http->lock);
		watched->deadline_ns = deadline_ns;
		(void)pthread_mutex_unlock(&http->lock);
	}
}

static void watch(struct http *http, struct watched *watched)
{
	(void)pthread_mutex_lock(&http->lock);
	watched->deadline_ns = clock_now_ns() + http->settings->request_s * NS_PER_S;
	watched->at = &http->first;
	watched->next = http->first;
	if (http->first) {
		http->first->at = &watched->next;
	}
	http->first = watched;
	http->taken++;
	http->connections++;
	(void)pthread_mutex_unlock(&http->lock);
}

static void unwatch(struct http *http, struct watched *watched)
{
	(void)pthread_mutex_lock(&http->lock);
	*watched->at = watched->next;
	if (watched->next) {
		watched->next->at = watched->at;
	}
	http->connections--;
	(void)pthread_mutex_unlock(&http->lock);
	free(watched);
}

void http_reap(struct http *http)
{
	int64_t now_ns = clock_now_ns();
	struct watched *watched;

	(void)pthread_mutex_lock(&http->lock);
	for (watched = http->first; watched; watched = watched->next) {
		if (now_ns > watched->deadline_ns) {
			(void)shutdown(watched->fd, SHUT_RDWR);
		}
	}
	(void)pthread_mutex_unlock(&http->lock);
}

void http_begin_handler(struct http *http)
{
	if (turns_take(&http->handlers) < 0) {
		abort(); /* as many may wait as there are connections */
	}
}

void http_end_handler(struct http *http)
{
	turns_give(&http->handlers);
}

/* --- what libmicrohttpd calls --- */

static void on_connection(void *data, struct MHD_Connection *connection, void **context,
	enum MHD_ConnectionNotificationCode code)
{
	struct http *http = data;
	const union MHD_ConnectionInfo *info;
	struct watched *watched;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (*context) {
			unwatch(http, *context);
			*context = NULL;
		}
		return;
	}
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	watched = info ? calloc(1, sizeof(*watched)) : NULL;
	if (!watched) {
		if (info) {
			(void)shutdown(info->connect_fd, SHUT_RDWR);
		}
		return;
	}
	watched->fd = info->connect_fd;
	watch(http, watched);
	*context = watched;
}

static enum MHD_Result on_request(void *data, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *bytes, size_t *n, void **context)
{
	struct http *http = data;
	struct http_exchange *exchange = *context;
	bool now;

	if (!exchange) {
		if (exchange_open(http, http->settings, connection, url, method, version, &exchange,
			    &now) < 0) {
			return MHD_NO;
		}
		*context = exchange;
		return now ? exchange_send(exchange) : MHD_YES;
	}
	if (*n > 0) {
		size_t came = *n;

		*n = 0;
		return exchange_take(exchange, bytes, came) < 0 ? MHD_NO : MHD_YES;
	}
	exchange_finish(exchange);
	return exchange_send(exchange);
}

static void on_completed(void *data, struct MHD_Connection *connection, void **context,
	enum MHD_RequestTerminationCode code)
{
	struct http *http = data;
	struct http_exchange *exchange = *context;

	if (exchange) {
		http_extend(http, exchange->watched,
			clock_now_ns() + http->settings->request_s * NS_PER_S);
		exchange_close(exchange, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
		*context = NULL;
	}
}

/* Leaves "%00" and its kin as they came: guard.c decides about them. */
static size_t leave_escaped(void *data, struct MHD_Connection *connection, char *text)
{
	return strlen(text);
}

/* --- listening --- */

/* "ADDR:PORT" in its two halves; the brackets of an IPv6 address come off. */
static int split(const char *listen_at, char *ret_host, size_t room, const char **ret_port)
{
	const char *colon = strrchr(listen_at, ':');
	size_t n = colon ? (size_t)(colon - listen_at) : 0;

	if (!colon || colon[1] == '\0' || n >= room) {
		return -EINVAL;
	}
	if (n >= 2 && listen_at[0] == '[' && listen_at[n - 1] == ']') {
		listen_at++;
		n -= 2;
	}
	memcpy(ret_host, listen_at, n);
	ret_host[n] = '\0';
	*ret_port = colon + 1;
	return 0;
}

static int bind_one(const struct addrinfo *info, int *ret_fd)
{
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, off = 0, r;

	if (fd < 0) {
		return -errno;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (info->ai_family == AF_INET6) {
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	}
	if (bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
		r = -errno;
		(void)close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

/* Without an address: every one there is, IPv6 with IPv4 if the kernel has it. */
static int bind_any(
	const char *host, const char *port, int family, int *ret_fd, struct error *error)
{
	struct addrinfo hints = {
		.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM, .ai_family = family};
	struct addrinfo *list, *info;
	int r;

	r = getaddrinfo(host, port, &hints, &list);
	if (r != 0) {
		return error_set(error, -EINVAL, "%s", gai_strerror(r));
	}
	r = -EADDRNOTAVAIL;
	for (info = list; info && r < 0; info = info->ai_next) {
		r = bind_one(info, ret_fd);
	}
	freeaddrinfo(list);
	return r < 0 ? error_set(error, r, "%s", strerror(-r)) : 0;
}

static int listen_on(const char *listen_at, int *ret_fd, struct error *error)
{
	const char *port;
	char host[256];
	int r;

	if (split(listen_at, host, sizeof(host), &port) < 0) {
		return error_set(error, -EINVAL,
			"--listen %s: write ADDRESS:PORT, [IPV6]:PORT or :PORT", listen_at);
	}
	if (host[0]) {
		r = bind_any(host, port, AF_UNSPEC, ret_fd, error);
	} else {
		r = bind_any(NULL, port, AF_INET6, ret_fd, error);
		if (r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL) {
			r = bind_any(NULL, port, AF_INET, ret_fd, error);
		}
	}
	return r < 0 ? error_prefix(error, r, "--listen %s", listen_at) : 0;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage address;
	socklen_t n = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &n) < 0) {
		return 0;
	}
	return ntohs(address.ss_family == AF_INET6
			? ((const struct sockaddr_in6 *)(const void *)&address)->sin6_port
			: ((const struct sockaddr_in *)(const void *)&address)->sin_port);
}

/* --- alive --- */

/* Connects to where this server listens, without waiting. -errno if that cannot be. */
static int knock(struct http *http)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_LISTEN_FD);
	struct sockaddr_storage address;
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(void *)&address;
	socklen_t n = sizeof(address);
	int fd, r;

	if (!info || getsockname(info->listen_fd, (struct sockaddr *)&address, &n) < 0) {
		return -EBADF;
	}
	if (address.ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr)) {
		*v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = v6->sin6_port};
		n = sizeof(*v4);
	}
	if (address.ss_family == AF_INET && v4->sin_addr.s_addr == htonl(INADDR_ANY)) {
		v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	}
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		return -errno;
	}
	if (connect(fd, (struct sockaddr *)&address, n) < 0 && errno != EINPROGRESS) {
		r = -errno;
		(void)close(fd);
		return r;
	}
	http->knock_fd = fd;
	return 0;
}

bool http_takes(struct http *http)
{
	struct pollfd shut = {.fd = http->knock_fd, .events = POLLIN};
	bool takes;

	(void)pthread_mutex_lock(&http->lock);
	takes = http->taken != http->taken_then ||
		http->connections >= http->settings->connections_most;
	(void)pthread_mutex_unlock(&http->lock);
	if (!takes && http->knock_fd >= 0) {
		takes = poll(&shut, 1, 0) > 0; /* too many from here: taken, and shut */
	} else if (!takes) {
		takes = knock(http) < 0; /* nobody can tell */
	}
	if (takes) {
		(void)pthread_mutex_lock(&http->lock);
		http->taken_then = http->taken;
		(void)pthread_mutex_unlock(&http->lock);
		if (http->knock_fd >= 0) {
			(void)close(http->knock_fd);
			http->knock_fd = -1;
		}
	}
	return takes;
}

/* --- starting and ending --- */

int http_start(struct http *http, struct error *error)
{
	const struct http_settings *settings = http->settings;
	unsigned int flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
		MHD_USE_POLL | (http->key ? MHD_USE_TLS : 0);
	struct MHD_OptionItem tls[] = {
		{MHD_OPTION_HTTPS_MEM_KEY, 0, http->key},
		{MHD_OPTION_HTTPS_MEM_CERT, 0, http->cert},
		{MHD_OPTION_HTTPS_PRIORITIES, 0,
			(char[]){"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"}},
		{MHD_OPTION_END, 0, NULL},
	};

	http->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, http,
		MHD_OPTION_LISTEN_SOCKET, http->listen_fd, MHD_OPTION_THREAD_STACK_SIZE,
		(size_t)STACK_BYTES, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned int)settings->connections_most, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
		(unsigned int)settings->per_address_most, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)CONNECTION_BYTES, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned int)settings->idle_s, MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, http, MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,
		MHD_OPTION_ARRAY, http->key ? tls : &tls[3], MHD_OPTION_END);
	if (!http->daemon) {
		return error_set(error, -EINVAL, "the HTTP server does not start%s",
			http->key ? ": are the key and the certificate a pair, as PEM?" : "");
	}
	http->listen_fd = -1;
	return 0;
}

static int read_pem(const char *path, char **ret_text, struct error *error)
{
	size_t n;
	int r = file_read(path, PEM_BYTES_MOST, ret_text, &n);

	return r < 0 ? error_set(error, r, "%s: %s", path, strerror(-r)) : 0;
}

int http_open(const struct http_settings *settings, struct http **ret_http, struct error *error)
{
	struct http *http = calloc(1, sizeof(*http));
	int r = 0;

	if (!http) {
		return error_set(error, -ENOMEM, "out of memory");
	}
	http->settings = settings;
	http->listen_fd = http->knock_fd = -1;
	(void)pthread_mutex_init(&http->lock, NULL);
	turns_init(&http->handlers, settings->handlers_most, INT_MAX);
	if (settings->key) {
		r = read_pem(settings->key, &http->key, error);
		if (r == 0) {
			r = read_pem(settings->cert, &http->cert, error);
		}
	}
	if (r == 0) {
		r = listen_on(settings->listen, &http->listen_fd, error);
	}
	if (r < 0) {
		goto fail;
	}
	http->port = port_of(http->listen_fd);
	*ret_http = http;
	return 0;

fail:
	http_close(http);
	return r;
}

uint16_t http_port(const struct http *http)
{
	return http->port;
}

void http_close(struct http *http)
{
	if (!http) {
		return;
	}
	if (http->daemon) {
		MHD_stop_daemon(http->daemon);
	}
	if (http->knock_fd >= 0) {
		(void)close(http->knock_fd);
	}
	if (http->listen_fd >= 0) {
		(void)close(http->listen_fd);
	}
	free(http->key);
	free(http->cert);
	turns_fini(&http->handlers);
	(void)pthread_mutex_destroy(&http->lock);
	free(http);
}
