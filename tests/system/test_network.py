"""
Whether sync goes by itself on a network, by what NetworkManager says on D-Bus: a
mock of it on a bus of its own.
"""
import os
import subprocess
import unittest

from harness import Case
from syncing import LATER, Station

MANAGER = "org.freedesktop.NetworkManager"
MOCK = """
import sys, dbus, dbusmock
address = sys.argv[1]
bus = dbus.bus.BusConnection(address)
manager = "org.freedesktop.NetworkManager"
mock = dbus.Interface(bus.get_object(manager, "/org/freedesktop/NetworkManager"), dbusmock.MOCK_IFACE)
point, active = "/org/freedesktop/NetworkManager/AccessPoint/1", "/org/freedesktop/NetworkManager/ActiveConnection/1"
kind, connectivity, metered, ssid = sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
mock.AddProperties(manager, {"Connectivity": dbus.UInt32(connectivity), "Metered": dbus.UInt32(metered),
	"PrimaryConnectionType": kind, "PrimaryConnection": dbus.ObjectPath(active)})
mock.AddObject(active, manager + ".Connection.Active", {"SpecificObject": dbus.ObjectPath(point)}, [])
mock.AddObject(point, manager + ".AccessPoint", {"Ssid": dbus.Array(ssid.encode(), signature="y")}, [])
"""
# a network of its own, that leads nowhere; and one with a default route
APART = ("unshare", "-rn")
ROUTED = (*APART, "sh", "-c", """
	ip link set lo up && ip route add default dev lo && exec "$@" """, "sh")
# the same over a cable; the kernel notices what becomes of it in a moment
CABLED = """
	near_is() {{
		for i in $(seq 500); do ip link show near | grep -q "state $1 " && return; sleep 0.01; done
		exit 1
	}}
	ip link set lo up && ip link add near type veth peer name far &&
	ip link set near up && ip link set far up && ip addr add 192.0.2.1/24 dev near &&
	ip -6 addr add 2001:db8::1/64 dev near nodad && near_is UP &&
	ip {family} route add default via {far} dev near &&
"""
PULLED = """
	ip link set far down && near_is LOWERLAYERDOWN &&
	ip {family} route | grep -q "^default.* dev near" &&
"""
PYTHON = "/usr/bin/python3" # Debian's, which has dbusmock


def lacking():
	"""Why this cannot run here, or None."""
	if not os.path.exists("/usr/bin/dbus-daemon"):
		return "there is no dbus-daemon"
	if subprocess.run([PYTHON, "-c", "import dbusmock"], capture_output=True, check=False).returncode:
		return "there is no python3-dbusmock"
	return None


@unittest.skipIf(lacking(), lacking())
class Network(Case):
	def verdict(self, kind="802-11-wireless", connectivity=4, metered=4, ssid="school", config="",
			arguments=(), wrapper=()):
		"""What sync says when NetworkManager says that; a server that refuses is behind it."""
		bus = subprocess.Popen(["dbus-daemon", "--session", "--nofork", "--nopidfile",
			"--print-address=1"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
		self.addCleanup(bus.stdout.close)
		self.addCleanup(bus.wait)
		self.addCleanup(bus.kill)
		address = bus.stdout.readline().strip()
		env = {"DBUS_SYSTEM_BUS_ADDRESS": address, "DBUS_SESSION_BUS_ADDRESS": address}
		if kind is not None:
			mock = subprocess.Popen([PYTHON, "-m", "dbusmock", "--session", MANAGER,
				"/org/freedesktop/NetworkManager", MANAGER], env={**os.environ, **env},
				stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
			self.addCleanup(mock.wait)
			self.addCleanup(mock.kill)
			self.set_up(address, env, kind, connectivity, metered, ssid)
		station = Station(config=config).grow(1, snippets=0)
		self.addCleanup(station.close)
		station.use("https://0.0.0.0:9", "0" * 64)
		return station.sync(*arguments, expect=LATER, env=env, wrapper=wrapper).stderr

	def set_up(self, address, env, *what):
		for _ in range(50): # until it has its name
			done = subprocess.run([PYTHON, "-c", MOCK, address, *map(str, what)],
				env={**os.environ, **env}, capture_output=True, text=True, check=False)
			if done.returncode == 0:
				return
		self.fail(done.stderr)

	def assert_goes(self, said):
		self.assertIn("https://0.0.0.0:9", said)

	def test_an_unmetered_wireless_network_is_gone_on(self):
		self.assert_goes(self.verdict())

	def test_a_phone_that_counts_its_traffic_is_not(self):
		for metered in (1, 3):
			self.assertIn("traffic is counted", self.verdict(metered=metered))
		self.assert_goes(self.verdict(metered=1, config="allow_metered = yes"))
		self.assert_goes(self.verdict(metered=1, arguments=("--now",)))

	def test_no_network_is_waited_for(self):
		self.assertIn("no network", self.verdict(connectivity=1))

	def test_a_way_out_that_the_manager_does_not_manage_is_the_kernels_to_know(self):
		if subprocess.run([*ROUTED, "true"], capture_output=True, check=False).returncode:
			self.skipTest("no network of its own can be had here")
		for kind in ("", None):
			self.assert_goes(self.verdict(kind=kind, connectivity=1, wrapper=ROUTED))
			self.assertIn("no network", self.verdict(kind=kind, wrapper=APART))

	def by_the_kernel(self, *steps, far="192.0.2.2", **more):
		"""The verdict where there is no NetworkManager, at the end of a cable."""
		script = "".join((CABLED, *steps)).format(family="-6" if ":" in far else "-4", far=far)
		wrapper = ("unshare", "-rnm", "sh", "-c", script + 'exec "$@"', "sh")
		done = subprocess.run([*wrapper, "true"], capture_output=True, text=True, check=False)
		if done.returncode:
			self.skipTest(f"no cable of its own can be had here: {done.stderr.strip()}")
		return self.verdict(kind=None, wrapper=wrapper, **more)

	def test_a_cable_that_was_pulled_out_is_no_way_out_though_its_route_is_there(self):
		for far in ("192.0.2.2", "2001:db8::2"):
			self.assert_goes(self.by_the_kernel(far=far))
			self.assertIn("no network", self.by_the_kernel(PULLED, far=far))
			self.assertIn("no network", self.by_the_kernel("ip link set near down && ", far=far))
			self.assert_goes(self.by_the_kernel(PULLED,
				"ip route add default dev lo metric 5000 && ", far=far))

	def test_without_a_manager_a_list_of_names_allows_no_cable_and_no_unknown_name(self):
		config = "ssids = school"
		self.assertIn("ssids", self.by_the_kernel(config=config))
		wireless = "mount -t tmpfs none /sys/class/net && mkdir -p /sys/class/net/near/phy80211 && "
		self.assert_goes(self.by_the_kernel(wireless))
		self.assertIn("ssids", self.by_the_kernel(wireless, config=config))

	def test_a_network_that_leads_nowhere_else_may_hold_the_server(self):
		for connectivity in (0, 2, 3):
			self.assert_goes(self.verdict(connectivity=connectivity))

	def test_only_listed_networks_are_gone_on_where_there_is_a_list(self):
		self.assert_goes(self.verdict(config="ssids = home, school"))
		self.assertIn("ssids", self.verdict(ssid="café", config="ssids = home, school"))
		self.assert_goes(self.verdict(ssid="café", config="ssids = café"))
		self.assertIn("ssids", self.verdict(kind="802-3-ethernet", config="ssids = school"))
		self.assert_goes(self.verdict(kind="802-3-ethernet"))


if __name__ == "__main__":
	unittest.main()
