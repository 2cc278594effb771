/*
 * Sends requests that were made before, over so many connections at once, each
 * next one as soon as an answer is there:
 *
 *	posts PORT CONNECTIONS FILE
 *
 * FILE holds the requests one behind the other, each after its length as eight
 * decimal digits. Connections stay open. Prints how long the whole took in
 * seconds, and the 99th of a hundred answers in milliseconds; ends with 1 when an
 * answer is not 2xx.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define REQUESTS_MOST 100000
#define CONNECTIONS_MOST 64
#define HEAD_BYTES 8192

struct request {
	const char *bytes;
	size_t n;
	double ms;
};

struct load {
	struct request *list;
	size_t n;
	atomic_size_t next;
	atomic_bool failed;
	int port;
};

static double now_s(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool send_all(int fd, const char *bytes, size_t n)
{
	ssize_t sent;

	while (n > 0) {
		sent = send(fd, bytes, n, MSG_NOSIGNAL);
		if (sent <= 0) {
			return false;
		}
		bytes += sent;
		n -= (size_t)sent;
	}
	return true;
}

/* Reads one answer; whether it is 2xx and whole. */
static bool answered(int fd)
{
	char head[HEAD_BYTES];
	const char *end = NULL, *length;
	size_t n = 0, body;
	ssize_t got;

	while (!end && n + 1 < sizeof(head)) {
		got = recv(fd, head + n, sizeof(head) - 1 - n, 0);
		if (got <= 0) {
			return false;
		}
		n += (size_t)got;
		head[n] = '\0';
		end = strstr(head, "\r\n\r\n");
	}
	if (!end || strncmp(head, "HTTP/1.1 2", 10) != 0) {
		fprintf(stderr, "posts: %.400s\n", head);
		return false;
	}
	length = strcasestr(head, "\r\nContent-Length:");
	body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
	n -= (size_t)(end + 4 - head);
	while (n < body) {
		got = recv(fd, head, sizeof(head) < body - n ? sizeof(head) : body - n, 0);
		if (got <= 0) {
			return false;
		}
		n += (size_t)got;
	}
	return true;
}

static int connect_to(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		(void)close(fd);
		return -1;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static void *work(void *data)
{
	struct load *load = data;
	int fd = connect_to(load->port);
	size_t i;

	if (fd < 0) {
		atomic_store(&load->failed, true);
		return NULL;
	}
	while (!atomic_load(&load->failed) && (i = atomic_fetch_add(&load->next, 1)) < load->n) {
		double begin = now_s();

		if (!send_all(fd, load->list[i].bytes, load->list[i].n) || !answered(fd)) {
			atomic_store(&load->failed, true);
		}
		load->list[i].ms = (now_s() - begin) * 1000;
	}
	(void)close(fd);
	return NULL;
}

static bool load_file(struct load *load, const char *path)
{
	FILE *file = fopen(path, "rb");
	char digits[9] = "", *bytes;
	size_t n;

	load->list = calloc(REQUESTS_MOST, sizeof(*load->list));
	while (file && load->list && load->n < REQUESTS_MOST && fread(digits, 1, 8, file) == 8) {
		n = strtoul(digits, NULL, 10);
		bytes = malloc(n + 1);
		if (!bytes || fread(bytes, 1, n, file) != n) {
			free(bytes);
			break;
		}
		load->list[load->n++] = (struct request){.bytes = bytes, .n = n};
	}
	if (file) {
		(void)fclose(file);
	}
	return load->n > 0;
}

static int by_ms(const void *a, const void *b)
{
	double left = ((const struct request *)a)->ms, right = ((const struct request *)b)->ms;

	return (left > right) - (left < right);
}

int main(int argc, char **argv)
{
	pthread_t threads[CONNECTIONS_MOST];
	struct load load = {0};
	int connections, i;
	double begin;

	if (argc != 4 || !load_file(&load, argv[3])) {
		fprintf(stderr, "posts PORT CONNECTIONS FILE\n");
		return 2;
	}
	load.port = (int)strtol(argv[1], NULL, 10);
	connections = (int)strtol(argv[2], NULL, 10);
	connections = connections < 1 ? 1 : connections;
	connections = connections > CONNECTIONS_MOST ? CONNECTIONS_MOST : connections;
	begin = now_s();
	for (i = 0; i < connections; i++) {
		if (pthread_create(&threads[i], NULL, work, &load) != 0) {
			return 2;
		}
	}
	for (i = 0; i < connections; i++) {
		(void)pthread_join(threads[i], NULL);
	}
	if (atomic_load(&load.failed)) {
		return 1;
	}
	begin = now_s() - begin;
	qsort(load.list, load.n, sizeof(*load.list), by_ms);
	printf("%.6f %.3f\n", begin, load.list[load.n * 99 / 100].ms);
	return 0;
}
