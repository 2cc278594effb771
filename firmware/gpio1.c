/*
 * Buttons and lamps on the GPIO character device, through libgpiod 1.x (Debian
 * 12). Each button is a request of its own with its own descriptor; an epoll
 * descriptor makes one of them. Lines are found by name, because chip numbers
 * differ from board to board and from kernel to kernel.
 */
#include "app/base/clock.h"
#include "firmware/buttons.h"
#include "firmware/lamps.h"

#include <errno.h>
#include <gpiod.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define CONSUMER "chalkbox"
#define EVENTS_A_READ 16

struct lines {
	const struct config *config;
	size_t n;
	struct gpiod_line *line[CONFIG_LINES_MAX];
	int epoll_fd;
};

static void lines_close(void *self)
{
	struct lines *lines = self;
	if (!lines) {
		return;
	}
	for (size_t i = 0; i < lines->n; i++) {
		gpiod_line_close_chip(lines->line[i]);
	}
	if (lines->epoll_fd >= 0) {
		close(lines->epoll_fd);
	}
	free(lines);
}

/* Whether the chip of this line is the one the board's file wants. */
static bool right_chip(const struct config *config, struct gpiod_line *line)
{
	const char *label = gpiod_chip_label(gpiod_line_get_chip(line));
	return !config->chip[0] || strcmp(config->chip, label) == 0;
}

static int find(struct lines *lines, const char *name, struct error *error)
{
	struct gpiod_line *line = gpiod_line_find(name);
	if (!line) {
		return error_set(error, -ENODEV,
			"GPIO line %s: not found; `gpioinfo` lists the lines this machine has", name);
	}
	if (!right_chip(lines->config, line)) {
		gpiod_line_close_chip(line);
		return error_set(error, -ENODEV, "GPIO line %s: is not on the chip %s that [board] "
			"chip names", name, lines->config->chip);
	}
	lines->line[lines->n++] = line;
	return 0;
}

static int taken(const char *name, int code, struct error *error)
{
	return error_set(error, code, "GPIO line %s: %s%s", name, strerror(-code),
		code == -EBUSY ? "; another program or overlay holds it" : "");
}

static struct lines *lines_new(const struct config *config)
{
	struct lines *lines = calloc(1, sizeof(*lines));
	if (lines) {
		lines->config = config;
		lines->epoll_fd = -1;
	}
	return lines;
}

static int claim_button(struct lines *lines, size_t i, struct error *error)
{
	const char *name = lines->config->buttons.list[i].line;
	int r = find(lines, name, error);
	if (r < 0) {
		return r;
	}
	int flags = (lines->config->pull_up ? GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_UP : 0) |
		(lines->config->active_low ? GPIOD_LINE_REQUEST_FLAG_ACTIVE_LOW : 0);
	if (gpiod_line_request_both_edges_events_flags(lines->line[i], CONSUMER, flags) < 0) {
		return taken(name, -errno, error);
	}
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = i};
	int fd = gpiod_line_event_get_fd(lines->line[i]);
	if (epoll_ctl(lines->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		return taken(name, -errno, error);
	}
	return 0;
}

static int buttons_open(const struct config *config, void **ret_self, int *ret_fd,
	struct error *error)
{
	struct lines *lines = lines_new(config);
	if (!lines) {
		return error_set(error, -ENOMEM, "GPIO: out of memory");
	}
	lines->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	int r = lines->epoll_fd < 0 ? error_set(error, -errno, "GPIO: %m") : 0;
	for (size_t i = 0; r == 0 && i < config->buttons.n; i++) {
		r = claim_button(lines, i, error);
	}
	if (r < 0) {
		lines_close(lines);
		return r;
	}
	*ret_self = lines;
	*ret_fd = lines->epoll_fd;
	return 0;
}

static int buttons_read(void *self, struct edge *ret_edges, size_t room, bool *ret_lost)
{
	struct lines *lines = self;
	struct epoll_event ready;
	size_t n = 0;
	*ret_lost = false;
	while (n < room && epoll_wait(lines->epoll_fd, &ready, 1, 0) > 0) {
		struct gpiod_line_event events[EVENTS_A_READ];
		size_t button = ready.data.u64;
		unsigned int most = room - n < EVENTS_A_READ ? (unsigned int)(room - n)
							     : EVENTS_A_READ;
		int got = gpiod_line_event_read_multiple(lines->line[button], events, most);
		if (got < 0) {
			return -errno;
		}
		for (int i = 0; i < got; i++) {
			int64_t ns = events[i].ts.tv_sec * NS_PER_S + events[i].ts.tv_nsec;
			ret_edges[n++] = (struct edge){.button = button,
				.active = events[i].event_type == GPIOD_LINE_EVENT_RISING_EDGE,
				.t_ns = clock_from_kernel_ns(ns)};
		}
		/* the kernel's queue holds 16 and drops the newest without a word */
		*ret_lost |= got == EVENTS_A_READ;
	}
	return (int)n;
}

static int buttons_level(void *self, size_t button)
{
	struct lines *lines = self;
	int level = gpiod_line_get_value(lines->line[button]);
	return level < 0 ? -errno : level;
}

static int lamps_open(const struct config *config, void *buttons, void **ret_self,
	struct error *error)
{
	struct lines *lines = lines_new(config);
	if (!lines) {
		return error_set(error, -ENOMEM, "GPIO: out of memory");
	}
	for (size_t i = 0; i < config->lamps.n; i++) {
		const char *name = config->lamps.list[i].line;
		int r = find(lines, name, error);
		if (r == 0 && gpiod_line_request_output(lines->line[i], CONSUMER, 0) < 0) {
			r = taken(name, -errno, error);
		}
		if (r < 0) {
			lines_close(lines);
			return r;
		}
	}
	*ret_self = lines;
	return 0;
}

static int lamps_set(void *self, size_t i, bool lit)
{
	struct lines *lines = self;
	return gpiod_line_set_value(lines->line[i], lit) < 0 ? -errno : 0;
}

const struct button_driver button_driver_gpio = {
	.open = buttons_open, .close = lines_close, .read = buttons_read, .level = buttons_level};
const struct lamp_driver lamp_driver_gpio = {
	.open = lamps_open, .close = lines_close, .set = lamps_set};

const char *buttons_library(void)
{
	return gpiod_version_string();
}
