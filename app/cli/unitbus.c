#include "app/cli/unitbus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#define SYSTEMD "org.freedesktop.systemd1"
#define ANSWER_US 5000000

struct unitbus {
	sd_bus *bus;
};

int unitbus_open(struct unitbus **ret_bus)
{
	struct unitbus *bus = calloc(1, sizeof(*bus));
	int r;

	if (bus == NULL) {
		return -ENOMEM;
	}
	r = sd_bus_open_system(&bus->bus);
	if (r < 0) {
		free(bus);
		return r;
	}
	sd_bus_set_method_call_timeout(bus->bus, ANSWER_US);
	*ret_bus = bus;
	return 0;
}

void unitbus_close(struct unitbus *bus)
{
	if (bus != NULL) {
		sd_bus_flush_close_unref(bus->bus);
		free(bus);
	}
}

static int get_word(sd_bus *bus, const char *path, const char *interface, const char *name,
	char ret_word[static UNIT_WORD_CHARS])
{
	char *word;
	int r = sd_bus_get_property_string(bus, SYSTEMD, path, interface, name, NULL, &word);

	if (r >= 0) {
		snprintf(ret_word, UNIT_WORD_CHARS, "%s", word);
		free(word);
	}
	return r;
}

/* A property that is not there stays as it is. */
static void get_plain(sd_bus *bus, const char *path, const char *interface, const char *name,
	char type, void *ret_value)
{
	(void)sd_bus_get_property_trivial(
		bus, SYSTEMD, path, interface, name, NULL, type, ret_value);
}

static bool get_flag(sd_bus *bus, const char *path, const char *name)
{
	int flag = 0; /* a D-Bus boolean is an int here */

	get_plain(bus, path, SYSTEMD ".Service", name, 'b', &flag);
	return flag;
}

static void look_at_service(sd_bus *bus, const char *path, struct unit *unit)
{
	static const char service[] = SYSTEMD ".Service";

	(void)get_word(bus, path, service, "Result", unit->result);
	(void)get_word(bus, path, service, "ProtectSystem", unit->protect_system);
	(void)get_word(bus, path, service, "DevicePolicy", unit->device_policy);
	get_plain(bus, path, service, "NRestarts", 'u', &unit->restarts);
	get_plain(bus, path, service, "WatchdogUSec", 't', &unit->watchdog_us);
	unit->private_network = get_flag(bus, path, "PrivateNetwork");
	unit->private_devices = get_flag(bus, path, "PrivateDevices");
	unit->no_new_privileges = get_flag(bus, path, "NoNewPrivileges");
}

/* systemd loads a unit when it is asked for one by its path. */
int unitbus_look(struct unitbus *bus, const char *name, struct unit *ret_unit)
{
	struct unit unit = {.restarts = 0};
	char loaded[UNIT_WORD_CHARS], *path;
	int r = sd_bus_path_encode("/org/freedesktop/systemd1/unit", name, &path);

	if (r < 0) {
		return r;
	}
	r = get_word(bus->bus, path, SYSTEMD ".Unit", "LoadState", loaded);
	if (r >= 0 && strcmp(loaded, "loaded") != 0) {
		r = -ENOENT;
	}
	if (r >= 0) {
		r = get_word(bus->bus, path, SYSTEMD ".Unit", "ActiveState", unit.active);
	}
	if (r >= 0) {
		(void)get_word(bus->bus, path, SYSTEMD ".Unit", "UnitFileState", unit.enabled);
		if (strstr(name, ".service") != NULL) {
			look_at_service(bus->bus, path, &unit);
		} else {
			get_plain(bus->bus, path, SYSTEMD ".Timer", "NextElapseUSecRealtime", 't',
				&unit.next_us);
		}
		*ret_unit = unit;
	}
	free(path);
	return r < 0 ? r : 0;
}
