/*
 * NetworkManager knows best: its Metered guesses a phone's hotspot, its primary
 * connection is the one traffic takes. Where it has none, the way out may be one
 * that it does not manage (a cable in /etc/network/interfaces): then the kernel's
 * routes decide, of interfaces that are up: a cable that was pulled out leaves its
 * route behind. "Limited" or "portal" connectivity counts as up: a coach's laptop
 * may be the server on a network that leads nowhere else, and whether somebody in
 * between answers for it is found out by asking it.
 */
#include "app/sync/network.h"

#include "app/base/file.h"

#include <ctype.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <linux/wireless.h>

#define MANAGER "org.freedesktop.NetworkManager"
#define MANAGER_PATH "/org/freedesktop/NetworkManager"
#define BUS_US (3 * 1000000)
#define CONNECTIVITY_NONE 1
#define METERED_YES 1
#define METERED_GUESS_YES 3
#define ROUTES_BYTES 65536

/* --- deciding --- */

static bool listed(const char *ssids, const char *ssid)
{
	size_t n = strlen(ssid);

	while (*ssids) {
		size_t length;

		while (*ssids == ',' || isspace((unsigned char)*ssids)) {
			ssids++;
		}
		length = strcspn(ssids, ",");
		while (length > 0 && isspace((unsigned char)ssids[length - 1])) {
			length--;
		}
		if (n > 0 && length == n && memcmp(ssids, ssid, n) == 0) {
			return true;
		}
		ssids += strcspn(ssids, ",");
	}
	return false;
}

enum network_verdict network_decide(
	const struct network_seen *seen, const char *ssids, bool allow_metered)
{
	if (!seen->up) {
		return NETWORK_DOWN;
	}
	if (seen->metered && !allow_metered) {
		return NETWORK_METERED;
	}
	if (ssids[strspn(ssids, ", \t")] &&
		(seen->type != NETWORK_WIRELESS || !listed(ssids, seen->ssid))) {
		return NETWORK_NOT_LISTED;
	}
	return NETWORK_GO;
}

const char *network_words(enum network_verdict verdict)
{
	switch (verdict) {
	case NETWORK_GO:
		return "the network is fine";
	case NETWORK_DOWN:
		return "there is no network; it will be tried again when there is one";
	case NETWORK_METERED:
		return "traffic is counted on this network; --now goes all the same, "
		       "allow_metered in [sync] always";
	case NETWORK_NOT_LISTED:
		return "this network is not among ssids in [sync]; --now goes all the same";
	}
	return "?";
}

/* --- NetworkManager --- */

static bool manager_number(sd_bus *bus, const char *name, unsigned int *ret_number)
{
	return sd_bus_get_property_trivial(
		       bus, MANAGER, MANAGER_PATH, MANAGER, name, NULL, 'u', ret_number) >= 0;
}

/* A property that is an object's path. */
static bool manager_path(sd_bus *bus, const char *path, const char *interface, const char *name,
	char ret_path[static FILE_PATH_CHARS])
{
	sd_bus_message *reply = NULL;
	const char *found;
	bool known;

	known = sd_bus_get_property(bus, MANAGER, path, interface, name, NULL, &reply, "o") >= 0 &&
		sd_bus_message_read_basic(reply, 'o', &found) > 0 && strlen(found) > 1 &&
		file_path(ret_path, FILE_PATH_CHARS, "%s", found) == 0;
	(void)sd_bus_message_unref(reply);
	return known;
}

/* The access point behind the primary connection says its name, in bytes. */
static void manager_ssid(sd_bus *bus, char ret_ssid[static NETWORK_SSID_CHARS])
{
	sd_bus_message *reply = NULL;
	char connection[FILE_PATH_CHARS], point[FILE_PATH_CHARS];
	const void *bytes;
	size_t n;

	if (manager_path(bus, MANAGER_PATH, MANAGER, "PrimaryConnection", connection) &&
		manager_path(
			bus, connection, MANAGER ".Connection.Active", "SpecificObject", point) &&
		sd_bus_get_property(bus, MANAGER, point, MANAGER ".AccessPoint", "Ssid", NULL,
			&reply, "ay") >= 0 &&
		sd_bus_message_read_array(reply, 'y', &bytes, &n) >= 0 && n > 0 &&
		n < NETWORK_SSID_CHARS && !memchr(bytes, '\0', n)) {
		memcpy(ret_ssid, bytes, n);
		ret_ssid[n] = '\0';
	}
	(void)sd_bus_message_unref(reply);
}

/* False when there is no NetworkManager to ask, or it has no connection. */
static bool look_at_manager(struct network_seen *ret_seen)
{
	struct network_seen seen = {.up = false};
	unsigned int connectivity, metered = 0;
	sd_bus *bus = NULL;
	char *type = NULL;
	bool connected = false;

	if (sd_bus_open_system(&bus) < 0) {
		return false;
	}
	(void)sd_bus_set_method_call_timeout(bus, BUS_US);
	if (manager_number(bus, "Connectivity", &connectivity) &&
		sd_bus_get_property_string(bus, MANAGER, MANAGER_PATH, MANAGER,
			"PrimaryConnectionType", NULL, &type) >= 0) {
		connected = type[0];
	}
	if (connected) {
		(void)manager_number(bus, "Metered", &metered);
		seen.up = connectivity != CONNECTIVITY_NONE;
		seen.metered = metered == METERED_YES || metered == METERED_GUESS_YES;
		if (strcmp(type, "802-11-wireless") == 0) {
			seen.type = NETWORK_WIRELESS;
			manager_ssid(bus, seen.ssid);
		}
		*ret_seen = seen;
	}
	free(type);
	(void)sd_bus_flush_close_unref(bus);
	return connected;
}

/* --- without one --- */

/* Whether it is up, and not only switched on: there is a carrier (RFC 2863). */
static bool is_up(const char *interface)
{
	struct ifreq request = {.ifr_flags = 0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool up;

	if (fd < 0) {
		return false;
	}
	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	up = ioctl(fd, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_RUNNING);
	(void)close(fd);
	return up;
}

/* The first interface that is up of a default route in /proc/self/net/route; "": none. */
static void route_interface(char ret_name[static IFNAMSIZ])
{
	char *text, *line, *rest;
	size_t n;

	ret_name[0] = '\0';
	if (file_read("/proc/self/net/route", ROUTES_BYTES, &text, &n) < 0) {
		return;
	}
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char name[IFNAMSIZ], to[9], by[9];

		if (sscanf(line, "%15s %8s %8s", name, to, by) == 3 &&
			strcmp(to, "00000000") == 0 && is_up(name)) {
			memcpy(ret_name, name, sizeof(name));
			break;
		}
	}
	free(text);
}

/* The same of IPv6: the last word of a line that leads to ::/0, not to "lo". */
static void route6_interface(char ret_name[static IFNAMSIZ])
{
	char *text, *line, *rest;
	size_t n;

	ret_name[0] = '\0';
	if (file_read("/proc/self/net/ipv6_route", ROUTES_BYTES, &text, &n) < 0) {
		return;
	}
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		const char *name = strrchr(line, ' ');

		if (strncmp(line, "00000000000000000000000000000000 00 ", 36) == 0 && name &&
			strcmp(name + 1, "lo") != 0 && strlen(name + 1) < IFNAMSIZ &&
			is_up(name + 1)) {
			(void)snprintf(ret_name, IFNAMSIZ, "%s", name + 1);
			break;
		}
	}
	free(text);
}

static void wireless_ssid(const char *interface, char ret_ssid[static NETWORK_SSID_CHARS])
{
	char ssid[IW_ESSID_MAX_SIZE + 1] = "";
	struct iwreq request = {.u.essid = {.pointer = ssid, .length = IW_ESSID_MAX_SIZE}};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		return;
	}
	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	if (ioctl(fd, SIOCGIWESSID, &request) == 0) {
		(void)snprintf(ret_ssid, NETWORK_SSID_CHARS, "%s", ssid);
	}
	(void)close(fd);
}

static void look_at_kernel(struct network_seen *ret_seen)
{
	struct network_seen seen = {.up = false};
	char name[IFNAMSIZ], path[FILE_PATH_CHARS];

	route_interface(name);
	if (!name[0]) {
		route6_interface(name);
	}
	if (name[0]) {
		seen.up = true;
		if (file_path(path, sizeof(path), "/sys/class/net/%s/phy80211", name) == 0 &&
			access(path, F_OK) == 0) {
			seen.type = NETWORK_WIRELESS;
			wireless_ssid(name, seen.ssid);
		}
	}
	*ret_seen = seen;
}

void network_look(struct network_seen *ret_seen)
{
	if (!look_at_manager(ret_seen)) {
		look_at_kernel(ret_seen);
	}
}
