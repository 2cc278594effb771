/*
 * Buttons and lamps on the GPIO character device, through libgpiod 2.x (Debian
 * 13). All lines of one chip are one request; the lines of a board must lie on
 * one chip, as they do on every Pi. The chip is found by what it has, because
 * its number differs from board to board and from kernel to kernel.
 */
#include "app/base/clock.h"
#include "firmware/buttons.h"
#include "firmware/lamps.h"

#include <dirent.h>
#include <errno.h>
#include <gpiod.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONSUMER "chalkbox"
#define EVENTS_A_READ 64
#define EVENTS_A_LINE 64

struct lines {
	struct gpiod_line_request *request;
	struct gpiod_edge_event_buffer *buffer;
	size_t n;
	unsigned int offsets[CONFIG_LINES_MAX];
	unsigned long next_seqno; /* of the request; a jump means lost edges */
};

static void lines_close(void *self)
{
	struct lines *lines = self;
	if (!lines) {
		return;
	}
	if (lines->buffer) {
		gpiod_edge_event_buffer_free(lines->buffer);
	}
	if (lines->request) {
		gpiod_line_request_release(lines->request);
	}
	free(lines);
}

/* Whether the chip has the wanted label and every line; fills the offsets. */
static bool suits(struct gpiod_chip *chip, const char *label, const struct config_wires *wires,
	unsigned int *ret_offsets)
{
	struct gpiod_chip_info *info = gpiod_chip_get_info(chip);
	bool right = info && (!label[0] || strcmp(label, gpiod_chip_info_get_label(info)) == 0);
	gpiod_chip_info_free(info);
	for (size_t i = 0; right && i < wires->n; i++) {
		int offset = gpiod_chip_get_line_offset_from_name(chip, wires->list[i].line);
		right = offset >= 0;
		ret_offsets[i] = (unsigned int)offset;
	}
	return right;
}

static struct gpiod_chip *find_chip(const struct config *config, const struct config_wires *wires,
	unsigned int *ret_offsets, struct error *error)
{
	struct gpiod_chip *found = NULL;
	DIR *dev = opendir("/dev");
	for (struct dirent *entry; dev && !found && (entry = readdir(dev));) {
		char path[300];
		snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
		if (strncmp(entry->d_name, "gpiochip", 8) != 0 || !gpiod_is_gpiochip_device(path)) {
			continue;
		}
		struct gpiod_chip *chip = gpiod_chip_open(path);
		if (chip && suits(chip, config->chip, wires, ret_offsets)) {
			found = chip;
		} else if (chip) {
			gpiod_chip_close(chip);
		}
	}
	if (dev) {
		closedir(dev);
	}
	if (!found) {
		error_set(error, -ENODEV, "GPIO lines %s, ...: no chip%s%s has them all; `gpioinfo` "
			"lists the lines this machine has", wires->list[0].line,
			config->chip[0] ? " labelled " : "", config->chip);
	}
	return found;
}

/* Requests all wires with the same settings. */
static int claim(struct lines *lines, const struct config *config, const struct config_wires *wires,
	struct gpiod_line_settings *settings, struct error *error)
{
	int r = -ENODEV;
	struct gpiod_chip *chip = find_chip(config, wires, lines->offsets, error);
	if (!chip) {
		return r;
	}
	struct gpiod_line_config *line_config = gpiod_line_config_new();
	struct gpiod_request_config *request_config = gpiod_request_config_new();
	lines->n = wires->n;
	r = -ENOMEM;
	if (line_config && request_config &&
		gpiod_line_config_add_line_settings(
			line_config, lines->offsets, lines->n, settings) == 0) {
		gpiod_request_config_set_consumer(request_config, CONSUMER);
		gpiod_request_config_set_event_buffer_size(
			request_config, EVENTS_A_LINE * lines->n);
		lines->request = gpiod_chip_request_lines(chip, request_config, line_config);
		r = lines->request ? 0 : -errno;
	}
	gpiod_request_config_free(request_config);
	gpiod_line_config_free(line_config);
	gpiod_chip_close(chip);
	if (r < 0) {
		error_set(error, r, "GPIO lines %s, ...: %s%s", wires->list[0].line, strerror(-r),
			r == -EBUSY ? "; another program or overlay holds one of them" : "");
	}
	return r;
}

static int buttons_open(const struct config *config, void **ret_self, int *ret_fd,
	struct error *error)
{
	struct lines *lines = calloc(1, sizeof(*lines));
	struct gpiod_line_settings *settings = gpiod_line_settings_new();
	int r = error_set(error, -ENOMEM, "GPIO: out of memory");
	if (lines && settings) {
		gpiod_line_settings_set_direction(settings, GPIOD_LINE_DIRECTION_INPUT);
		gpiod_line_settings_set_edge_detection(settings, GPIOD_LINE_EDGE_BOTH);
		gpiod_line_settings_set_event_clock(settings, GPIOD_LINE_CLOCK_MONOTONIC);
		gpiod_line_settings_set_active_low(settings, config->active_low);
		if (config->pull_up) {
			gpiod_line_settings_set_bias(settings, GPIOD_LINE_BIAS_PULL_UP);
		}
		lines->next_seqno = 1;
		lines->buffer = gpiod_edge_event_buffer_new(EVENTS_A_READ);
		r = lines->buffer ? claim(lines, config, &config->buttons, settings, error) : r;
	}
	gpiod_line_settings_free(settings);
	if (r < 0) {
		lines_close(lines);
		return r;
	}
	*ret_self = lines;
	*ret_fd = gpiod_line_request_get_fd(lines->request);
	return 0;
}

static size_t button_at(const struct lines *lines, unsigned int offset)
{
	size_t i = 0;
	while (i < lines->n && lines->offsets[i] != offset) {
		i++;
	}
	return i;
}

static int buttons_read(void *self, struct edge *ret_edges, size_t room, bool *ret_lost)
{
	struct lines *lines = self;
	size_t n = 0;
	*ret_lost = false;
	/* reading an empty request blocks: ask first */
	while (n < room && gpiod_line_request_wait_edge_events(lines->request, 0) > 0) {
		size_t most = room - n < EVENTS_A_READ ? room - n : EVENTS_A_READ;
		int got = gpiod_line_request_read_edge_events(lines->request, lines->buffer, most);
		if (got < 0) {
			return -errno;
		}
		for (int i = 0; i < got; i++) {
			struct gpiod_edge_event *event =
				gpiod_edge_event_buffer_get_event(lines->buffer, (unsigned long)i);
			unsigned long seqno = gpiod_edge_event_get_global_seqno(event);
			*ret_lost |= seqno != lines->next_seqno;
			lines->next_seqno = seqno + 1;
			ret_edges[n++] = (struct edge){
				.button = button_at(lines, gpiod_edge_event_get_line_offset(event)),
				.active = gpiod_edge_event_get_event_type(event) ==
					GPIOD_EDGE_EVENT_RISING_EDGE,
				.t_ns = clock_from_kernel_ns(
					(int64_t)gpiod_edge_event_get_timestamp_ns(event))};
		}
	}
	return (int)n;
}

static int buttons_level(void *self, size_t button)
{
	struct lines *lines = self;
	enum gpiod_line_value value =
		gpiod_line_request_get_value(lines->request, lines->offsets[button]);
	return value == GPIOD_LINE_VALUE_ERROR ? -errno : value == GPIOD_LINE_VALUE_ACTIVE;
}

static int lamps_open(const struct config *config, void *buttons, void **ret_self,
	struct error *error)
{
	struct lines *lines = calloc(1, sizeof(*lines));
	struct gpiod_line_settings *settings = gpiod_line_settings_new();
	int r = error_set(error, -ENOMEM, "GPIO: out of memory");
	if (lines && settings) {
		gpiod_line_settings_set_direction(settings, GPIOD_LINE_DIRECTION_OUTPUT);
		gpiod_line_settings_set_output_value(settings, GPIOD_LINE_VALUE_INACTIVE);
		r = claim(lines, config, &config->lamps, settings, error);
	}
	gpiod_line_settings_free(settings);
	if (r < 0) {
		lines_close(lines);
		return r;
	}
	*ret_self = lines;
	return 0;
}

static int lamps_set(void *self, size_t i, bool lit)
{
	struct lines *lines = self;
	int r = gpiod_line_request_set_value(lines->request, lines->offsets[i],
		lit ? GPIOD_LINE_VALUE_ACTIVE : GPIOD_LINE_VALUE_INACTIVE);
	return r < 0 ? -errno : 0;
}

const struct button_driver button_driver_gpio = {
	.open = buttons_open, .close = lines_close, .read = buttons_read, .level = buttons_level};
const struct lamp_driver lamp_driver_gpio = {
	.open = lamps_open, .close = lines_close, .set = lamps_set};

const char *buttons_library(void)
{
	return gpiod_api_version();
}
