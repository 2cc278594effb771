"""
The end of the day: a box that was out of range comes onto a Wi-Fi and brings what it
recorded by itself. One kernel plays both sides, over a link of two radios: on one
NetworkManager with a stored network, as Raspberry Pi Imager leaves it; on the other,
in a network namespace of its own, the access point, with the server behind it:

	chalkbox-sync - NetworkManager - wlan0 )))  ((( wlan1 - hostapd - chalkbox-server
	main namespace                                       namespace "far", and eth0 to us

The box and the server are our packages, in their own units. Nothing here ever starts
sync but what starts it in a school: NetworkManager, and the timer.
"""
import contextlib
import datetime
import hashlib
import http.client
import json
import os
import pathlib
import re
import ssl
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "tests", part) for part in ("system", "crash")]
sys.path[:0] = [HERE, os.path.join(ROOT, "board", "vm")]

import crash # noqa: E402 (the paths above lead to them)
import vm as board # noqa: E402
from harness import KINDS, NS # noqa: E402
from people import Answer, Person, free_port # noqa: E402
from syncing import same_rows # noqa: E402

WAIT_S = 240
SSID = "Staff room"
PASSPHRASE = "chalk and cheese"
SITE = "https://chalk.lan:8443"
DATA = "/var/lib/chalkbox-server"
COLUMNS = "seq, boot, t_ns, kind, observation, code, ref, value, body"
SLOW = "384kbit"
JOINED = "nmcli -g GENERAL.STATE device show wlan0 | grep -q ^100"
FILES = {
	"/etc/chalkbox/test.scheme": crash.SCHEME,
	"/etc/chalkbox/chalkbox.conf.d/50-test.conf":
		"[box]\nscheme = /etc/chalkbox/test.scheme\n[sound]\nbitrate_kbit = 128\n"
		"[sync]\ndays_on_box = 3650\n", # both sides' clock goes months ahead
	"/etc/modules-load.d/test.conf": "mac80211_hwsim\n",
	"/etc/modprobe.d/test.conf": "options mac80211_hwsim radios=2\n",
	"/etc/NetworkManager/conf.d/test.conf": "[keyfile]\n"
		"unmanaged-devices=interface-name:eth0;interface-name:wlan1\n"
		"[connectivity]\nuri=http://check.lan/\nresponse=online\ninterval=20\n",
	"/etc/systemd/timesyncd.conf.d/test.conf":
		"[Time]\nNTP=time.lan\nFallbackNTP=\nConnectionRetrySec=2\nPollIntervalMinSec=16\n",
	"/etc/systemd/system/chalkbox-server.service.d/test.conf": "[Unit]\n"
		"ConditionPathExists=/run/netns/far\n[Service]\nNetworkNamespacePath=/run/netns/far\n",
	# the lot is systemd's, and half an hour long
	"/etc/systemd/system/chalkbox-sync.timer.d/test.conf": "[Timer]\nRandomizedDelaySec=0\n",
	"/root/far_side.py": pathlib.Path(HERE, "far_side.py").read_bytes(),
	"/root/hostapd.conf": f"interface=wlan1\ndriver=nl80211\nssid={SSID}\nhw_mode=g\nchannel=1\n"
		f"wpa=2\nwpa_key_mgmt=WPA-PSK\nrsn_pairwise=CCMP\nwpa_passphrase={PASSPHRASE}\n",
}
PROFILE = f"""[connection]
id=preconfigured
uuid=5a9b1d6c-2f0e-4c58-9d77-0b6a1a2f3c4d
type=wifi
[wifi]
mode=infrastructure
ssid={SSID}
[wifi-security]
key-mgmt=wpa-psk
psk={PASSPHRASE}
[ipv4]
method=auto
[ipv6]
addr-gen-mode=default
method=auto
"""
DEVICES = "test -e /sys/class/net/eth0 -a -e /sys/class/ieee80211/phy1"
SET_UP = f"""set -e
ip netns add far
iw phy phy1 set netns name far
ip link set eth0 netns far
ip netns exec far sh -ec 'ip link set lo up
	ip addr add 10.0.2.15/24 dev eth0; ip link set eth0 up
	ip addr add 10.42.0.1/24 dev wlan1
	nft add table ip count
	nft add chain ip count in "{{ type filter hook input priority 0; }}"
	nft add rule ip count in iifname wlan1 tcp dport 8443 counter'
systemctl start --no-block chalkbox-server
"""
PORTAL = """ip netns exec far sh -ec 'nft add table ip portal
	nft add chain ip portal to "{ type nat hook prerouting priority -100; }"
	nft add rule ip portal to iifname wlan1 tcp dport 80 redirect to :8081
	nft add rule ip portal to iifname wlan1 tcp dport 8443 redirect to :8444'"""


class Coach(Person):
	"""A browser beside the server: over TLS, a connection each request."""

	def send(self, method, path, body=None, headers=None):
		with contextlib.closing(http.client.HTTPSConnection(self.server.host, timeout=WAIT_S,
				context=ssl._create_unverified_context())) as connection:
			connection.request(method, path, body=body, headers=headers or {})
			got = connection.getresponse()
			return Answer(got.status, got.headers, got.read())


class Far:
	"""What lies beyond the air: the access point, the server, a portal, a clock."""

	def __init__(self, vm, port):
		self.vm = vm
		self.host = f"127.0.0.1:{port}" # as Person knows a server
		self.url = f"https://{self.host}"
		self.clients, self.secrets = [], set()

	def start(self, name, *command):
		"""A program in the far namespace, until stop()."""
		self.vm.run(f"systemd-run -q -u far-{name} -p NetworkNamespacePath=/run/netns/far "
			+ " ".join(command))

	def stop(self, name, how="stop"):
		self.vm.run(f"systemctl {how} far-{name}")

	def set_up(self):
		vm = self.vm
		vm.wait_for(lambda: vm.run(DEVICES, check=False).code == 0, WAIT_S, "the devices", every=0.2)
		vm.run(SET_UP)
		vm.run("mkdir /run/names") # more of them may come
		self.start("dnsmasq", "dnsmasq -k -i wlan1 -z --no-hosts --no-resolv",
			"--dhcp-range=10.42.0.10,10.42.0.50,1h --hostsdir=/run/names --local=/lan/",
			"--address=/chalk.lan/10.42.0.1 --address=/check.lan/10.42.0.1")
		self.start("check", "python3 /root/far_side.py page 80 online")
		vm.run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
			"-subj /CN=login.lan -keyout /root/portal.pem -out /root/portal.cert && "
			"cat /root/portal.cert >>/root/portal.pem")
		self.start("login", "python3 /root/far_side.py page 8081", "'Please log in'")
		self.start("logins", "python3 /root/far_side.py page 8444", "'Please log in'",
			"/root/portal.pem")
		vm.wait_unit("chalkbox-server")
		said = vm.run("journalctl -u chalkbox-server -o cat").out
		self.key = re.findall(r"show as (\S+)", said)[-1]
		self.coach = Coach(self)
		answer = self.coach.join(vm.run(f"cat {DATA}/first-link").out.strip(), name="Ada",
			coach=True)
		if answer.status != 201:
			raise board.Failed(f"the coach joining: {answer}")

	def switch_on(self):
		self.start("hostapd", "hostapd /root/hostapd.conf")

	def get(self, path):
		"""What a coach sees; who signs in again where the clock has gone far."""
		answer = self.coach.get(path)
		if answer.status == 401:
			self.coach.sign_in()
			answer = self.coach.get(path)
		if answer.status != 200:
			raise board.Failed(f"{path}: {answer}")
		return answer.json if answer.body[:1] == b"{" else answer.body

	def rows(self, journal):
		return select(self.vm, f"{DATA}/server.db",
			f"SELECT {COLUMNS} FROM entry WHERE journal = '{journal}' ORDER BY seq")

	def sounds(self):
		"""The SHA-256 of every file of sound on its disk, by what is in it."""
		return sums(self.vm, f"find {DATA}/blobs/ -type f")

	def arriving(self):
		"""Bytes of an upload that is not whole yet."""
		return int(self.vm.run(f"cat {DATA}/uploads/* 2>/dev/null | wc -c").out)

	def carried(self):
		"""Bytes that came over the air to the server's door."""
		rules = self.vm.run("ip netns exec far nft list table ip count").out
		return int(re.search(r"bytes (\d+)", rules)[1])


def select(vm, database, query):
	rows = vm.run(f"sqlite3 -readonly -json {database} \"{query}\"").out.strip()
	return [tuple(row.values()) for row in json.loads(rows or "[]")]


def sums(vm, find):
	return sorted(line.split()[0] for line in
		vm.run(f"{find} -exec sha256sum {{}} +").out.splitlines())


@unittest.skipIf(board.why_not(), board.why_not())
class EndOfDay(unittest.TestCase):
	maxDiff = None

	@classmethod
	def setUpClass(cls):
		port = free_port()
		vm = cls.vm = board.VM(board.image(packages=("chalkbox", "chalkbox-server")), files=FILES,
			rtc="2021-03-01T08:00:00", kernel="systemd.default_device_timeout_sec=600",
			nets=[f"user,restrict=on,hostfwd=tcp:127.0.0.1:{port}-10.0.2.15:8443"])
		cls.addClassCleanup(vm.close)
		vm.start()
		cls.far = Far(vm, port)
		cls.far.set_up()
		vm.wait_unit("NetworkManager")
		# the timers are on from installation; until its turn comes none must help
		cls.timer = vm.run("systemctl show -P UnitFileState -P ActiveState "
			"chalkbox-sync.timer").out.split()
		vm.run("systemctl stop chalkbox-sync.timer chalkbox-sync-boot.timer")
		code = cls.far.coach.post("/boxes", {}).json["code"]
		vm.put(f"url={SITE}\ncode={code}\npin={cls.far.key}\n", "/boot/firmware/chalkbox-pair.txt")
		vm.put(PROFILE, "/etc/NetworkManager/system-connections/preconfigured.nmconnection", 0o600)
		vm.run("nmcli connection reload")
		vm.wait_unit("chalkboxd")
		vm.wait_lamp("red", 1) # what plays follows what records
		vm.spawn("exec aplay -q -D plughw:Loopback,0 -t raw -f S16_LE -r 16000 -c 1 /dev/urandom")
		cls.far.switch_on()
		vm.wait_for(lambda: "all is on the server" in vm.run("cat /var/lib/chalkbox-sync/last",
			check=False).out, 2 * WAIT_S, "the box to be paired and in step", every=1)
		cls.journal = select(vm, "/var/lib/chalkbox/journal.db",
			"SELECT value FROM meta WHERE key = 'id'")[0][0]

	def wait(self, found, what, every=0.5):
		"""Waits until found() is true; else fails with what sync and the network said."""
		try:
			return self.vm.wait_for(found, WAIT_S, what, every=every)
		except board.Failed as why:
			raise board.Failed(f"waited {WAIT_S} s for {what}\n" + self.vm.run("nmcli device; "
				"journalctl -o short-monotonic -n 80 -u chalkbox-sync -u far-\\* -u systemd-timesyncd "
				"-u NetworkManager -u NetworkManager-dispatcher -u chalkbox-server").out) from why

	# --- the box ---

	def tell(self, presses=2, pause_s=0.5):
		"""A short lesson; when it began, on the host's clock, and its id."""
		vm = self.vm
		begin_ns = vm.press("5", bounce=False)
		vm.wait_lamp("green", 1, begin_ns)
		for _ in range(presses):
			time.sleep(pause_s)
			vm.press("1", bounce=False)
		time.sleep(crash.AFTER_S + 0.5)
		end_ns = vm.press("5", hold_s=1.5, bounce=False)
		vm.wait_lamp("green", 0, end_ns)
		self.wait(lambda: not vm.run("find /var/lib/chalkbox/snippets -name '*.part'").out,
			"the last snippet")
		self.before, self.begin = self.last(), len(self.said())
		starts = [row for row in self.rows() if KINDS[row[3]] == "observation_start"]
		return begin_ns, json.loads(starts[-1][8])["id"]

	def rows(self):
		return select(self.vm, "/var/lib/chalkbox/journal.db",
			f"SELECT {COLUMNS} FROM entry ORDER BY seq")

	def sounds(self):
		return sums(self.vm, "find /var/lib/chalkbox/snippets -type f")

	def last(self):
		"""What sync noted of its last run; read without a program, so as often as one likes."""
		return self.vm.get("/var/lib/chalkbox-sync/last").decode()

	def said(self):
		"""All that sync and its unit said since the machine began."""
		return self.vm.run("journalctl -u chalkbox-sync -o cat").out

	def said_since(self):
		"""What it said since the last lesson."""
		return self.said()[self.begin:]

	def runs(self):
		"""How often the unit was started."""
		return self.said().count("Starting chalkbox-sync.service")

	# --- the air between ---

	def joined(self):
		return self.vm.run(JOINED, check=False).code == 0

	def come_in_range(self, wait=True):
		"""Without `wait`, NetworkManager looks when it looks, not at once."""
		if self.joined():
			return
		self.far.switch_on()
		if wait:
			def joined():
				self.vm.run("nmcli device wifi rescan", check=False)
				return self.joined()
			self.wait(joined, "NetworkManager to join", every=3)

	def go_out_of_range(self):
		if self.vm.run("systemctl is-active far-hostapd", check=False).code == 0:
			self.far.stop("hostapd")
		self.wait(lambda: not self.joined(), "the link to be lost", every=2)

	def wait_all_there(self):
		"""
		Until sync says so of what was told last; then looks at every entry and sound. The
		network may have started one more run by then.
		"""
		self.wait(lambda: self.last() != self.before and "all is on the server" in self.last(),
			"all to be on the server")
		self.wait(lambda: same_rows(self.rows(), self.far.rows(self.journal)), "the last entries",
			every=2)
		self.assertEqual(self.far.sounds(), self.sounds())
		self.wait(lambda: "all is on the server" in self.vm.run("chalkbox sync --status").out,
			"the status to say so", every=2)

	def resting(self):
		"""Whether no run is under way, nor just asked for."""
		states = self.vm.run("systemctl show -P SubState chalkbox-sync; "
			"systemctl show -P ActiveState NetworkManager-dispatcher; systemctl list-jobs -q").out
		return re.fullmatch(r"(dead|failed|auto-restart)\ninactive\n", states)

	def wait_unable(self, why):
		"""Until a run has ended with that; nothing was changed by it, here or there."""
		before = self.rows(), self.sounds(), self.far.rows(self.journal), self.far.sounds()
		self.wait(lambda: self.last() != self.before and why in self.last(), f"sync to say: {why}")
		self.wait(self.resting, "sync to be over", every=1)
		self.assertEqual(before,
			(self.rows(), self.sounds(), self.far.rows(self.journal), self.far.sounds()))
		self.assertIn(why, self.vm.run("chalkbox sync --status").out)
		self.assertEqual(self.vm.run("systemctl show -P SubState chalkbox-sync").out.strip(),
			"auto-restart")

	def turn_comes(self):
		"""What the timer does."""
		self.vm.run("systemctl start --no-block chalkbox-sync")

	# --- the days ---

	def test_a_box_out_of_range_all_day_brings_everything_by_itself(self):
		self.go_out_of_range()
		lessons = {self.tell()[1], self.tell()[1]}
		self.turn_comes()
		self.wait_unable("there is no network; it will be tried again when there is one")
		self.come_in_range(wait=False)
		self.wait_all_there()
		far = self.far
		listed = {item["id"]: item for item in far.get("/observations")["observations"]}
		for lesson in lessons:
			self.assertEqual((listed[lesson]["events"], listed[lesson]["running"]), (2, False))
			timeline = far.get(f"/observations/{lesson}/timeline")
			for snippet in timeline["snippets"]:
				sound = far.get(f"/audio/{lesson}/{snippet['seq']}")
				self.assertIn(hashlib.sha256(sound).hexdigest(), self.sounds())
			self.assertTrue(timeline["snippets"])

	def test_a_captive_portal_is_not_believed(self):
		self.go_out_of_range()
		self.tell()
		there = self.far.rows(self.journal), self.far.sounds()
		pairing = self.vm.run("sha256sum /var/lib/chalkbox-sync/pairing").out
		self.vm.run(PORTAL)
		self.come_in_range(wait=False)
		before = self.rows(), self.sounds()
		self.wait(lambda: "a network that wants a login first" in self.said_since(), "sync to say it",
			every=2)
		self.assertEqual((self.rows(), self.sounds()), before)
		self.assertNotIn("all is on the server", self.last())
		self.assertEqual(self.vm.run("nmcli -g CONNECTIVITY general").out.strip(), "portal")
		self.assertEqual(self.vm.run("sha256sum /var/lib/chalkbox-sync/pairing").out, pairing)
		self.assertEqual((self.far.rows(self.journal), self.far.sounds()), there)
		# somebody logs in
		self.vm.run("ip netns exec far nft delete table ip portal")
		self.wait_all_there()

	def test_a_link_lost_amid_a_snippet_is_gone_on_with_from_there(self):
		self.come_in_range()
		self.wait(self.resting, "sync to be over", every=1)
		self.tell(presses=14, pause_s=1.5)
		far = self.far
		bytes_ = int(self.vm.run("ls -S -l /var/lib/chalkbox/snippets").out.split("\n")[1].split()[4])
		self.assertGreater(bytes_, 262144) # a smaller one goes in one piece
		self.vm.run(f"tc qdisc add dev wlan0 root netem rate {SLOW}")
		self.addCleanup(self.vm.run, "tc qdisc del dev wlan0 root", check=False)
		self.turn_comes()
		self.wait(lambda: far.arriving() > 64 << 10, "a part of the sound to arrive")
		self.go_out_of_range()
		self.wait(lambda: "trying again" in self.said_since(), "sync to notice", every=2)
		there, carried = far.arriving(), far.carried()
		self.assertLess(there, bytes_)
		self.vm.run("tc qdisc del dev wlan0 root")
		self.come_in_range()
		self.wait_all_there()
		again = far.carried() - carried - (bytes_ - there)
		self.assertLess(again, there / 2, "it was sent from the beginning")
		self.assertEqual(far.arriving(), 0)

	def test_a_wrong_clock_is_set_right_and_lessons_before_that_too(self):
		self.come_in_range()
		self.wait(self.resting, "sync to be over", every=1)
		true_ns = time.time_ns() - time.monotonic_ns()
		begin_ns, lesson = self.tell()
		self.turn_comes()
		self.wait_all_there()
		self.assertEqual(self.start(lesson), (None, None)) # nobody knows
		self.before, since = self.last(), len(self.rows())
		self.far.start("time", "python3 /root/far_side.py time", str(true_ns + self.vm.host_ns(0)))
		self.vm.put("10.42.0.1 time.lan\n", "/run/names/time")
		self.wait(lambda: any(json.loads(row[8]).get("trusted") for row in self.rows()[since:]
			if KINDS[row[3]] == "clock"), "the recorder to have the time")
		self.turn_comes()
		self.wait_all_there()
		start_ms, uncertainty_ms = self.start(lesson)
		self.assertLess(uncertainty_ms, 1000)
		self.assertAlmostEqual(start_ms, (true_ns + begin_ns) / 1e6,
			delta=uncertainty_ms + self.vm.clock_error_ns / 1e6 + 20)

	def start(self, lesson):
		"""When the server says it began, in ms, and how sure of that it is."""
		item = next(item for item in self.far.get("/observations")["observations"]
			if item["id"] == lesson)
		if item["start"] is None:
			return None, item["start_uncertainty_ms"]
		start = datetime.datetime.fromisoformat(item["start"].replace("Z", "+00:00"))
		return start.timestamp() * 1000, item["start_uncertainty_ms"]

	def test_only_allowed_networks_are_used(self):
		self.come_in_range()
		self.vm.put("[sync]\nssids = Home, Staff\n", "/etc/chalkbox/chalkbox.conf.d/60-test.conf")
		self.addCleanup(self.vm.run, "rm /etc/chalkbox/chalkbox.conf.d/60-test.conf")
		self.tell()
		self.turn_comes()
		self.wait_unable("this network is not among ssids in [sync]")
		self.vm.put(f"[sync]\nssids = Home, {SSID}\n", "/etc/chalkbox/chalkbox.conf.d/60-test.conf")
		self.vm.run("systemctl restart --no-block chalkbox-sync")
		self.wait_all_there()

	def test_the_timer_alone_is_enough(self):
		self.assertEqual(sorted(self.timer), ["active", "enabled"])
		self.come_in_range()
		self.vm.run("systemctl start chalkbox-sync.timer") # it may have something to make up for
		self.addCleanup(self.vm.run, "systemctl stop chalkbox-sync.timer")
		self.wait(self.resting, "sync to be over", every=1)
		self.tell()
		runs = self.runs()
		# and nobody says that it is not so late yet
		late_s = int(self.vm.run("systemctl stop systemd-timesyncd && "
			"date -s 'tomorrow 16:30:10' +%s").out)
		triggered = 'date -d "$(systemctl show -P LastTriggerUSec chalkbox-sync.timer)" +%s'
		self.wait(lambda: int(self.vm.run(triggered).out) >= late_s, "its turn")
		self.wait_all_there()
		self.assertGreater(self.runs(), runs)


if __name__ == "__main__":
	unittest.main()
