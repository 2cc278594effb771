/*
 * Buttons that are keys: a USB keypad, clicker or foot pedal, or gpio-keys.
 * Stamped by the kernel in CLOCK_MONOTONIC. The device is grabbed, so that the
 * keys reach nobody's console, and its own auto-repeat is passed over.
 */
#include "app/base/clock.h"
#include "firmware/buttons.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libevdev/libevdev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define INPUT_DIR "/dev/input"

struct keys {
	const struct config *config;
	char *wanted; /* the path behind config->input; NULL if it is none */
	int fd;
	struct libevdev *device;
	unsigned int codes[CONFIG_LINES_MAX];
};

static void keys_close(void *self)
{
	struct keys *keys = self;
	if (!keys) {
		return;
	}
	libevdev_free(keys->device);
	if (keys->fd >= 0) {
		close(keys->fd);
	}
	free(keys->wanted);
	free(keys);
}

static int read_codes(struct keys *keys, struct error *error)
{
	const struct config_wires *wires = &keys->config->buttons;
	for (size_t i = 0; i < wires->n; i++) {
		int code = libevdev_event_code_from_name(EV_KEY, wires->list[i].line);
		if (code < 0) {
			return error_set(error, -EINVAL, "[buttons] %s = %s: is no key's name; `evtest` "
				"shows them, such as KEY_1 or KEY_KP1", wires->list[i].name,
				wires->list[i].line);
		}
		keys->codes[i] = (unsigned int)code;
	}
	return 0;
}

/* Whether this device is the one meant: by name, path, or by having the keys. */
static bool suits(const struct keys *keys, const char *path, struct libevdev *device)
{
	const char *name = keys->config->input;
	if (name[0] && !(keys->wanted && strcmp(keys->wanted, path) == 0) &&
		strcmp(name, libevdev_get_name(device)) != 0) {
		return false;
	}
	for (size_t i = 0; i < keys->config->buttons.n; i++) {
		if (!libevdev_has_event_code(device, EV_KEY, keys->codes[i])) {
			return false;
		}
	}
	return true;
}

/* 0 when it is the one; -EACCES or -EBUSY when it may be, or is, and cannot be had. */
static int try_device(struct keys *keys, const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		return errno == EPERM ? -EACCES : -errno;
	}
	struct libevdev *device = NULL;
	int r = -ENODEV;
	if (libevdev_new_from_fd(fd, &device) == 0 && suits(keys, path, device) &&
		libevdev_set_clock_id(device, CLOCK_MONOTONIC) == 0) {
		r = libevdev_grab(device, LIBEVDEV_GRAB);
	}
	if (r == 0) {
		keys->fd = fd;
		keys->device = device;
		return 0;
	}
	libevdev_free(device);
	close(fd);
	return r;
}

/* The first device that is the one meant; else why there is none. */
static int find_device(struct keys *keys, struct error *error)
{
	const char *input = keys->config->input;
	DIR *dir = opendir(INPUT_DIR);
	int r = -ENODEV;
	for (struct dirent *entry; dir && !keys->device && (entry = readdir(dir));) {
		char path[sizeof(INPUT_DIR) + 260];
		if (strncmp(entry->d_name, "event", 5) == 0) {
			snprintf(path, sizeof(path), INPUT_DIR "/%s", entry->d_name);
			int one = try_device(keys, path);
			r = one == -EBUSY || (one == -EACCES && r != -EBUSY) ? one : r;
		}
	}
	if (dir) {
		closedir(dir);
	}
	return keys->device ? 0
		: r == -EBUSY
		? error_set(error, r, "keys: another program has the input device; stop it")
		: r == -EACCES
		? error_set(error, r, "keys: the input devices in " INPUT_DIR " may not be read; "
			"add this user to the group input")
		: error_set(error, r, "keys: no input device %s%s; plug it in, or set input in "
			"[board]", input[0] ? "" : "that has all of [buttons]", input);
}

static int keys_open(const struct config *config, void **ret_self, int *ret_fd, struct error *error)
{
	struct keys *keys = calloc(1, sizeof(*keys));
	if (!keys) {
		return error_set(error, -ENOMEM, "keys: out of memory");
	}
	keys->config = config;
	keys->fd = -1;
	/* a link of /dev/input/by-id leads to whatever number the device has today */
	keys->wanted = config->input[0] == '/' ? realpath(config->input, NULL) : NULL;
	int r = read_codes(keys, error);
	r = r < 0 ? r : find_device(keys, error);
	if (r < 0) {
		keys_close(keys);
		return r;
	}
	*ret_self = keys;
	*ret_fd = keys->fd;
	return 0;
}

static int keys_read(void *self, struct edge *ret_edges, size_t room, bool *ret_lost)
{
	struct keys *keys = self;
	size_t n = 0;
	*ret_lost = false;
	while (n < room) {
		struct input_event event;
		int r = libevdev_next_event(keys->device, LIBEVDEV_READ_FLAG_NORMAL, &event);
		if (r == -EAGAIN) {
			break;
		}
		if (r < 0) {
			return r;
		}
		if (r == LIBEVDEV_READ_STATUS_SYNC) { /* the kernel's queue overran */
			*ret_lost = true;
			while (libevdev_next_event(keys->device, LIBEVDEV_READ_FLAG_SYNC, &event) ==
				LIBEVDEV_READ_STATUS_SYNC) {
			}
			continue;
		}
		for (size_t i = 0; i < keys->config->buttons.n; i++) {
			if (event.type == EV_KEY && event.code == keys->codes[i] && event.value < 2) {
				int64_t ns = event.input_event_sec * NS_PER_S +
					event.input_event_usec * NS_PER_US;
				ret_edges[n++] = (struct edge){.button = i,
					.active = event.value,
					.t_ns = clock_from_kernel_ns(ns)};
				break;
			}
		}
	}
	return (int)n;
}

static int keys_level(void *self, size_t button)
{
	struct keys *keys = self;
	return libevdev_get_event_value(keys->device, EV_KEY, keys->codes[button]);
}

const struct button_driver button_driver_evdev = {
	.open = keys_open, .close = keys_close, .read = keys_read, .level = keys_level};
