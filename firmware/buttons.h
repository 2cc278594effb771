/* The seam between contacts and the recorder: raw edges with kernel stamps. */
#ifndef FIRMWARE_BUTTONS_H
#define FIRMWARE_BUTTONS_H

#include "app/base/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edge {
	size_t button; /* index in config->buttons */
	bool active;
	int64_t t_ns; /* CLOCK_MONOTONIC, by the kernel where there is one */
};

/* The hardware end: one for each kind of board. One thread. */
struct button_driver {
	/*
	 * Claims the lines of config->buttons. 0, or -errno with an explanation
	 * that names the line or device and the way out. ret_fd becomes readable
	 * when there are edges; borrowed until close(). Never blocks for long.
	 */
	int (*open)(const struct config *config, void **ret_self, int *ret_fd, struct error *error);
	void (*close)(void *self); /* takes NULL */
	/*
	 * Up to @room edges in order of time, 0 when there are none; -errno
	 * (-ENODEV: unplugged) after which only close() is allowed. *ret_lost is
	 * set when the kernel's queue overran or a line changed unseen: ask level().
	 */
	int (*read)(void *self, struct edge *ret_edges, size_t room, bool *ret_lost);
	/* 1 active, 0 not, or -errno. */
	int (*level)(void *self, size_t button);
};

extern const struct button_driver button_driver_gpio;
extern const struct button_driver button_driver_evdev;
extern const struct button_driver button_driver_sim;

/* The version of libgpiod; static. */
const char *buttons_library(void);

#endif
