"""
`chalkbox doctor` on a box that is well, and on one that is broken on purpose: one
thing at a time, and that thing is named.
"""
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from harness import BUILD, DEADLINE_S, REPORTS, ROOT, Case, Failed, noise, write_wav
from syncing import Proxy, Site
from test_network import PYTHON, lacking

CHECKS = ["configuration", "versions", "recorder", "record", "units", "sandbox", "power", "space",
	"card", "lines", "buttons", "lamps", "microphone", "level", "clock", "time-source", "pairing",
	"server", "key", "unsent"]
OK, WARNING, FAULT, UNKNOWN = "ok", "warning", "fault", "unknown"
MANAGER = "org.freedesktop.systemd1"
BUTTONS = ["1", "2", "3", "4", "5", "mute"]


class Said:
	"""What doctor said as JSON."""

	def __init__(self, run):
		self.code, self.stderr = run.returncode, run.stderr
		self.json = json.loads(run.stdout)
		self.findings = self.json["findings"]

	def of(self, check):
		return [finding for finding in self.findings if finding["check"] == check]

	def state(self, check):
		"""The worst of its findings."""
		states = [finding["state"] for finding in self.of(check)]
		return next(state for state in (FAULT, WARNING, OK, UNKNOWN) if state in states)

	def worse(self):
		"""What is not as it should be; but a busy machine's disk may be slow."""
		return {f["check"] for f in self.findings if f["state"] in (FAULT, WARNING)
			and "p99_ms" not in f["values"]}

	def __repr__(self):
		return "\n".join(f"{f['state']} {f['check']}: {f['says']}" for f in self.findings)


class Doctor(Case):
	@classmethod
	def setUpClass(cls):
		folder = tempfile.TemporaryDirectory(prefix="cb-")
		cls.addClassCleanup(folder.cleanup)
		cls.wav = write_wav(os.path.join(folder.name, "class.wav"), noise(16000 * 200, 7, 1500))

	def setUp(self):
		self.memory = self.folder()

	def well(self, start=True, **more):
		"""A box with its own place for what sync keeps."""
		config = more.pop("config", {})
		config.setdefault("sync", {})["state"] = self.memory
		more.setdefault("wav", self.wav)
		box = self.box(start=start, config=config, **more)
		if start:
			box.wait_mic("live" if more.get("sound", True) else "off")
		return box

	def doctor(self, box, *arguments, env=None, wrapper=()):
		full = {**box.environment(), "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent", **(env or {})}
		run = subprocess.run([*wrapper, os.path.join(BUILD, "chalkbox"), "--config", box.config_path,
			"doctor", "--json", *arguments], env=full, stdin=subprocess.DEVNULL, capture_output=True,
			text=True, check=False, timeout=DEADLINE_S * 4)
		if any(report in run.stderr for report in REPORTS) or run.returncode not in (0, 1):
			raise Failed(f"doctor ended with {run.returncode}:\n{run.stdout}{run.stderr}")
		return Said(run)

	def assert_only(self, said, *checks):
		"""Nothing else is wrong; and what is, is told with the way out."""
		self.assertEqual(said.worse(), set(checks), said)
		for finding in said.findings:
			if finding["state"] in (FAULT, WARNING):
				self.assertTrue(finding["fix"], finding)
			self.assertRegex(finding["says"], r"^\S.*\.$")
		faults = any(finding["state"] == FAULT for finding in said.findings)
		self.assertEqual(said.code, 1 if faults else 0)

	def sync(self, box, *arguments):
		return subprocess.run([os.path.join(BUILD, "chalkbox-sync"), "-c", box.config_path,
			"--patience", "0", *arguments], env=box.environment(), capture_output=True, text=True,
			check=True, timeout=DEADLINE_S * 4)


class Box(Doctor):
	def test_a_box_by_itself_lacks_nothing_but_a_server(self):
		said = self.doctor(self.well())
		self.assert_only(said, "pairing")
		self.assertEqual(said.state("pairing"), WARNING)
		self.assertIn("chalkbox pair", said.of("pairing")[0]["fix"])
		for check in ("configuration", "versions", "recorder", "record", "space", "microphone",
				"clock"):
			self.assertEqual(said.state(check), OK, said)

	def test_the_json_keeps_its_form(self):
		said = self.doctor(self.well())
		self.assertEqual(list(said.json), ["format", "version", "box", "state", "faults", "warnings",
			"findings"])
		self.assertEqual((said.json["format"], said.json["version"], said.json["box"],
			said.json["state"], said.json["faults"]), ("chalkbox-doctor", 1, "test", "warning", 0))
		self.assertEqual(said.json["warnings"],
			[finding["state"] for finding in said.findings].count(WARNING))
		for finding in said.findings:
			self.assertEqual(list(finding), ["check", "part", "state", "says", "fix", "values"])
			self.assertIn(finding["state"], (OK, WARNING, FAULT, UNKNOWN))
			self.assertIsInstance(finding["values"], dict)
		self.assertEqual(list(dict.fromkeys(finding["check"] for finding in said.findings)), CHECKS)
		values = {check: said.of(check)[0]["values"] for check in CHECKS}
		self.assertLessEqual(values["card"]["median_ms"], values["card"]["p99_ms"])
		self.assertGreaterEqual(values["space"]["total_bytes"], values["space"]["free_bytes"])
		self.assertEqual(values["microphone"], {"microphone": "live"})
		self.assertEqual((values["clock"]["trusted"], values["clock"]["uncertainty_ms"]), (True, 5.0))
		self.assertTrue(values["versions"]["sqlite"])

	def test_the_text_has_a_line_for_each_check_and_a_sum(self):
		box = self.well()
		for locale, marks in (("C.UTF-8", "●▲×○"), ("C", "o!x.")):
			run = subprocess.run([os.path.join(BUILD, "chalkbox"), "--config", box.config_path, "doctor"],
				env={**box.environment(), "LC_ALL": locale, "COLUMNS": "72"}, capture_output=True,
				text=True, check=False, encoding="utf-8")
			self.assertEqual((run.returncode, run.stderr), (0, ""))
			self.assertNotIn("\033", run.stdout)
			for check in CHECKS:
				self.assertRegex(run.stdout, rf"(?m)^  [{re.escape(marks)}] {check}\b")
			self.assertRegex(run.stdout, r"It works; something could be better\. .* ok ")
			for line in run.stdout.splitlines():
				self.assertLessEqual(len(line), 72, line)

	def test_a_dead_recorder_is_named(self):
		box = self.well()
		box.kill()
		said = self.doctor(box)
		self.assert_only(said, "recorder", "pairing")
		self.assertIn("does not run", said.of("recorder")[0]["says"])
		self.assertEqual(said.state("microphone"), UNKNOWN)

	def test_a_frozen_recorder_is_named(self):
		box = self.well()
		os.kill(box.pid, signal.SIGSTOP)
		try:
			said = self.doctor(box)
		finally:
			os.kill(box.pid, signal.SIGCONT)
		self.assertEqual(said.state("recorder"), FAULT)
		self.assertIn("does not answer", said.of("recorder")[0]["says"])

	def test_a_wrong_configuration_is_named_with_its_line_and_the_rest_goes_on(self):
		box = self.well()
		with open(box.config_path, "a", encoding="utf-8") as file:
			file.write("[observation]\nidle_mim = 7\n")
		said = self.doctor(box)
		self.assert_only(said, "configuration")
		self.assertRegex(said.of("configuration")[0]["says"], r"chalkbox\.conf:\d+: .*idle_mim")
		self.assertEqual([said.state(check) for check in ("recorder", "card", "server")], [UNKNOWN] * 3)
		self.assertEqual(said.state("clock"), OK)
		self.assertIsNone(said.json["box"])

	def test_a_box_that_has_no_configuration_says_so(self):
		box = self.well(start=False)
		box.environment()
		os.unlink(box.config_path)
		said = self.doctor(box)
		self.assertEqual(said.state("configuration"), FAULT)
		self.assertEqual(said.code, 1)

	def test_a_clock_that_nobody_set_is_a_warning(self):
		said = self.doctor(self.well(wall=(0, False, 16_000_000_000)))
		self.assert_only(said, "clock", "pairing")
		self.assertEqual((said.state("clock"), said.code), (WARNING, 0))

	def test_no_microphone_is_named(self):
		box = self.box(config={"microphone": {"pcm": "nowhere"}, "sync": {"state": self.memory}})
		box.wait_mic("lost")
		said = self.doctor(box)
		self.assert_only(said, "microphone", "pairing")
		self.assertIn("nowhere", said.of("microphone")[0]["says"])
		self.assertEqual(said.of("microphone")[0]["values"], {"microphone": "lost"})

	def test_a_microphone_that_gives_nothing_is_named(self):
		box = self.well(wav=None)
		said = box.wait_for(lambda: (said := self.doctor(box)).state("level") == FAULT and said, "silence")
		self.assert_only(said, "level", "pairing")
		self.assertEqual((said.of("level")[0]["part"], said.of("level")[0]["values"]),
			("now", {"level_db": -200.0, "peak_permille": 0}))

	def test_a_microphone_that_is_too_loud_is_named(self):
		loud = write_wav(os.path.join(self.memory, "loud.wav"), noise(16000 * 60, 8, 32767))
		box = self.well(wav=loud)
		said = box.wait_for(lambda: (said := self.doctor(box)).of("level")[0]["part"] and said, "sound")
		self.assert_only(said, "level", "pairing")
		self.assertIn("clipped", said.of("level")[0]["says"])

	def test_sound_that_is_off_is_right(self):
		said = self.doctor(self.well(sound=False))
		self.assert_only(said, "pairing")
		self.assertIn("switched off", said.of("microphone")[0]["says"])

	def test_a_line_that_is_not_there_is_named(self):
		board = os.path.join(self.memory, "board.conf")
		with open(os.path.join(ROOT, "board/pi.conf"), encoding="utf-8") as file:
			text = file.read().replace("GPIO", "NOLINE")
		with open(board, "w", encoding="utf-8") as file:
			file.write(text)
		box = self.well(start=False, board=board, sound=False)
		box.start(ready=False)
		box.pid = box.process.pid
		box.wait_for(lambda: os.path.exists(os.path.join(box.runtime, "control.sock")), "its socket")
		said = self.doctor(box)
		self.assert_only(said, "lines", "record", "pairing")
		self.assertEqual({finding["part"] for finding in said.of("record")}, {"buttons", "lamps"})
		self.assertRegex(said.of("lines")[0]["says"], "no GPIO chip|NOLINE5")

	def test_the_level_of_the_last_lesson_is_told(self):
		box = self.well(speed=20)
		box.press("5", 1)
		box.press("5", 65, hold=3)
		box.wait_entry("loudness")
		said = self.doctor(box)
		now, last = said.of("level")
		self.assertEqual((now["state"], now["part"], last["state"]), (OK, "now", OK), said)
		# uniform noise between -1500 and 1500, against a sine of full scale
		self.assertAlmostEqual(now["values"]["level_db"], -28.6, delta=1)
		self.assertAlmostEqual(last["values"]["loud_db"], -28.6, delta=1.5)
		self.assertEqual(last["values"]["clipped_permille"], 0)

	@unittest.skipIf(os.geteuid() != 0, "only root can be somebody else")
	def test_who_may_not_look_is_told_so_and_sees_no_faults(self):
		box = self.well()
		os.chmod(box.folder, 0o755)
		os.chmod(self.memory, 0o700)
		said = self.doctor(box, wrapper=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"])
		self.assert_only(said)
		for check in ("recorder", "record", "card", "pairing"):
			self.assertEqual(said.state(check), UNKNOWN, said)
			self.assertIn("sudo", said.of(check)[0]["fix"])
		# only root may write there: membership is no way out
		self.assertNotIn("group", said.of("card")[0]["fix"])


class Disk(Doctor):
	"""A small disk in memory, mounted where nobody else sees it."""

	def on_disk(self, options, before="true"):
		box = self.well(start=False)
		box.environment()
		os.makedirs(box.state)
		said = self.doctor(box, wrapper=["unshare", "-rm", "sh", "-ec", f'mount -t tmpfs -o {options} '
			f'chalkbox-test {box.state}; {before}; cd {box.state}; exec "$@"', "sh"])
		return said

	@classmethod
	def setUpClass(cls):
		super().setUpClass()
		with tempfile.TemporaryDirectory() as folder:
			run = subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "x", folder],
				capture_output=True, text=True, check=False)
		if run.returncode:
			raise unittest.SkipTest("nothing can be mounted here: " + run.stderr.strip())

	def test_a_disk_without_room_for_sound_is_named(self):
		said = self.on_disk("size=512k")
		self.assertEqual(said.state("space"), FAULT, said)
		self.assertIn("too little to keep sound", said.of("space")[0]["says"])
		self.assertIn("p99_ms", said.of("card")[0]["values"])

	def test_a_disk_that_is_full_is_named(self):
		said = self.on_disk("size=512k", "dd if=/dev/zero of=$0/full bs=4096 2>/dev/null || :".replace(
			"$0", "\"$(mount | grep chalkbox-test | cut -d' ' -f3)\""))
		self.assertEqual((said.state("space"), said.state("card")), (FAULT, FAULT), said)
		self.assertIn("No space left", said.of("card")[0]["says"])

	def test_a_disk_that_cannot_be_written_is_named(self):
		said = self.on_disk("size=64m,ro")
		self.assertEqual((said.state("space"), said.state("card")), (FAULT, FAULT), said)
		self.assertIn("cannot be written", said.of("space")[0]["says"])
		self.assertTrue(said.of("space")[0]["values"]["read_only"])


class Server(Doctor):
	def setUp(self):
		super().setUp()
		self.site = Site()
		self.addCleanup(self.site.close)

	def pair(self, box):
		self.sync(box, "--pair", self.site.server.url, self.site.code())

	def test_a_box_that_has_synced_is_well(self):
		box = self.well(wall=None)
		self.pair(box)
		box.press("5", box.now() + 0.2)
		box.wait_entry("observation_start")
		before = self.doctor(box)
		self.assertEqual(before.state("unsent"), OK)
		self.assertGreater(before.of("unsent")[0]["values"]["entries"], 0)
		self.sync(box, "--now")
		said = self.doctor(box)
		# (the clock is this machine's own: here nobody may have set it)
		self.assertEqual(said.worse() - {"clock"}, set(), said)
		self.assertEqual(said.code, 0)
		self.assertEqual([said.state(check) for check in ("pairing", "server", "key", "unsent")], [OK] * 4)
		self.assertEqual(said.of("unsent")[0]["values"]["snippets"], 0)

	def test_a_server_that_is_down_is_named(self):
		box = self.well()
		self.pair(box)
		self.site.server.kill()
		said = self.doctor(box)
		self.assert_only(said, "server")
		self.assertEqual(said.of("server")[0]["values"], {"result": "silent", "network": True})
		self.assertEqual(said.state("unsent"), UNKNOWN)

	def test_a_server_that_forgot_the_box_is_named(self):
		box = self.well()
		self.pair(box)
		self.site.revoke()
		said = self.doctor(box)
		self.assert_only(said, "pairing")
		self.assertEqual(said.state("pairing"), FAULT)
		self.assertIn("pair", said.of("pairing")[0]["fix"])

	def test_clocks_that_are_apart_are_named(self):
		box = self.well()
		self.pair(box)
		said = self.doctor(box)
		self.assert_only(said, "server") # the box is in the year 2025
		self.assertEqual([finding["part"] for finding in said.of("server")], [None, "clock"])
		self.assertEqual((said.state("server"), said.code), (WARNING, 0))

	def test_somebody_else_that_answers_is_named(self):
		box = self.well()
		self.pair(box)
		proxy = Proxy(self.site.server.port, lambda number, method, path: "portal")
		self.addCleanup(proxy.close)
		path = os.path.join(self.memory, "pairing")
		with open(path, encoding="utf-8") as file:
			text = re.sub("url = .*", f"url = {proxy.url}", file.read())
		with open(path, "w", encoding="utf-8") as file:
			file.write(text)
		said = self.doctor(box)
		self.assert_only(said, "server")
		self.assertEqual(said.of("server")[0]["values"]["result"], "foreign")

	def test_a_server_with_another_key_is_named(self):
		box = self.well(wall=None)
		self.pair(box)
		server = self.site.server
		server.kill()
		process = subprocess.Popen([os.path.join(BUILD, "chalkbox-server"), "--data", server.data,
			"--listen", server.host], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
		self.addCleanup(process.stdout.close)
		self.addCleanup(process.wait)
		self.addCleanup(process.kill)
		pin = next(found[0] for line in process.stdout
			if (found := re.search("sha256//[A-Za-z0-9+/=]+", line)))
		path = os.path.join(self.memory, "pairing")
		with open(path, encoding="utf-8") as file:
			text = file.read().replace("url = http:", "url = https:")
		for key, state in ((pin, OK), ("sha256//" + "A" * 43 + "=", FAULT)):
			with open(path, "w", encoding="utf-8") as file:
				file.write(re.sub("pin =.*", f"pin = {key}", text))
			said = self.doctor(box)
			self.assertEqual(said.state("key"), state, said)
		self.assertEqual(said.worse() - {"clock"}, {"key"}, said)
		self.assertIn("does not have the key", said.of("key")[0]["says"])

	def test_a_pairing_that_is_broken_is_named(self):
		box = self.well()
		with open(os.path.join(self.memory, "pairing"), "w", encoding="utf-8") as file:
			file.write("[pairing]\nurl = ftp://x\n")
		said = self.doctor(box)
		self.assert_only(said, "pairing")
		self.assertEqual(said.state("pairing"), FAULT)


class Tried(Doctor):
	"""Buttons and lamps, by hand; here a thread's."""

	def try_buttons(self, box, lines, *arguments):
		run = subprocess.Popen([os.path.join(BUILD, "chalkbox"), "--config", box.config_path, "doctor",
			"--json", "--press", *arguments], env=box.environment(), stdin=subprocess.DEVNULL,
			stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=0)
		said = []

		def hear():
			text = ""
			while True:
				byte = os.read(run.stderr.fileno(), 1).decode()
				if not byte:
					return
				text += byte
				said.append(byte)
				asked = re.search(r"(?:\(button (\w+),.*|to and fro: (\w+) \(.*)\.\.\. $", text)
				if asked:
					text = ""
					line = lines.get(asked[1] or asked[2])
					for one in line if isinstance(line, list) else [line] if line else []:
						box.press(one, box.now())
						time.sleep(0.3)
		thread = threading.Thread(target=hear)
		thread.start()
		out = run.stdout.read()
		run.wait(DEADLINE_S)
		thread.join(DEADLINE_S)
		run.stdout.close()
		run.stderr.close()
		return Said(subprocess.CompletedProcess([], run.returncode, out, "".join(said)))

	def test_each_button_is_waited_for_and_nothing_is_recorded(self):
		box = self.well()
		said = self.try_buttons(box, {name: name for name in BUTTONS})
		self.assert_only(said, "pairing")
		self.assertEqual(said.of("buttons")[0]["values"], {"seen": 6}, said.stderr)
		self.assertIn("press questioning (button 1, 1) ... seen", said.stderr)
		self.assertEqual(box.entries("press") + box.entries("observation_start"), [])
		# the mute switch is obeyed all the same
		self.assertIn(2, [entry["value"] for entry in box.entries("mic")])
		# and afterwards presses are recorded again
		box.press("1", box.now() + 0.1)
		box.wait_entry("press")

	def test_a_button_that_is_not_pressed_is_named(self):
		box = self.well()
		lines = {name: name for name in BUTTONS}
		lines["3"] = ["2"] # wired to another one
		said = self.try_buttons(box, lines, "--seconds", "1")
		self.assert_only(said, "buttons", "pairing")
		wrong = [finding for finding in said.of("buttons") if finding["state"] == FAULT]
		self.assertEqual([finding["part"] for finding in wrong], ["3"], said.stderr)
		self.assertIn("transition", wrong[0]["says"])
		self.assertIn("that was button 2", said.stderr)

	def test_nothing_is_tried_during_a_lesson(self):
		box = self.well()
		box.press("5", box.now() + 0.1)
		box.wait_lamp("green", 1)
		said = self.doctor(box, "--press", "--lamps")
		self.assert_only(said, "pairing")
		for check in ("buttons", "lamps"):
			self.assertEqual(said.state(check), UNKNOWN)
			self.assertIn("a lesson is being observed", said.of(check)[0]["says"])

	def test_each_lamp_is_lit_alone_and_amber_says_that_nothing_is_saved(self):
		box = self.well()
		begin = box.now()
		said = self.doctor(box, "--lamps")
		self.assert_only(said, "pairing")
		self.assertEqual(said.of("lamps")[0]["values"], {"lit": 5})
		lit, alone = {name: level for name, level, at in box.lamps if at < begin}, set()
		for name, level, at in box.lamps:
			if at >= begin:
				lit[name] = level
				alone |= {tuple(one for one in lit if lit[one])}
		for name in ("red", "green", "amber", "vibration", "transition"):
			self.assertIn((name,), alone, box.lamps)
		box.wait_lamp("red", 1)

	def test_a_person_may_look_at_a_lamp_for_longer_than_a_trial_lasts(self):
		box = self.well(speed=40) # each lamp's second is more than half a minute
		said = self.doctor(box, "--lamps")
		self.assertEqual(said.of("lamps")[0]["values"], {"lit": 5}, said.of("lamps"))

	def test_a_forgotten_trial_ends_by_itself(self):
		box = self.well(speed=20)
		link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		self.addCleanup(link.close)
		link.settimeout(DEADLINE_S)
		link.connect(os.path.join(box.runtime, "control.sock"))
		link.send(b"try")
		self.assertEqual(link.recv(100), b"ok")
		box.wait_lamp("amber", 1)
		box.press("2", box.now() + 0.5)
		self.assertEqual(link.recv(100), b"press 2")
		self.assertEqual(link.recv(100), b"release 2")
		self.assertEqual(link.recv(100), b"over")
		box.press("1", box.now() + 1)
		box.wait_entry("press", lambda entry: entry["code"] == "questioning")
		self.assertEqual(len(box.entries("press")), 1)


MOCK = """
import json, sys, dbus, dbusmock
bus = dbus.bus.BusConnection(sys.argv[1])
manager = "org.freedesktop.systemd1"
mock = dbus.Interface(bus.get_object(manager, "/org/freedesktop/systemd1"), dbusmock.MOCK_IFACE)
for name, unit in json.loads(sys.argv[2]).items():
	path = "/org/freedesktop/systemd1/unit/" + "".join(
		c if c.isalnum() else "_%02x" % ord(c) for c in name)
	mock.AddObject(path, manager + ".Unit", {"LoadState": unit.get("load", "loaded"),
		"ActiveState": unit.get("active", "active"), "UnitFileState": unit.get("enabled", "enabled")}, [])
	one = dbus.Interface(bus.get_object(manager, path), dbusmock.MOCK_IFACE)
	if name.endswith(".service"):
		one.AddProperties(manager + ".Service", {"Result": unit.get("result", "success"),
			"NRestarts": dbus.UInt32(unit.get("restarts", 0)),
			"WatchdogUSec": dbus.UInt64(unit.get("watchdog", 20000000)),
			"ProtectSystem": unit.get("system", "strict"), "DevicePolicy": "closed",
			"PrivateNetwork": unit.get("network", True), "PrivateDevices": True,
			"NoNewPrivileges": unit.get("no_new", True)})
	else:
		one.AddProperties(manager + ".Timer", {"NextElapseUSecRealtime": dbus.UInt64(1900000000000000)})
"""


@unittest.skipIf(lacking(), lacking())
class Units(Doctor):
	def look(self, **units):
		"""What doctor says when systemd says that of our units."""
		all_units = {"chalkboxd.service": {}, "chalkbox-sync.service": {"active": "inactive"},
			"chalkbox-sync.timer": {}, "systemd-timesyncd.service": {}}
		for name, unit in units.items():
			all_units[".".join(name.replace("_", "-").rsplit("-", 1))].update(unit)
		bus = subprocess.Popen(["dbus-daemon", "--session", "--nofork", "--nopidfile",
			"--print-address=1"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
		self.addCleanup(bus.stdout.close)
		self.addCleanup(bus.wait)
		self.addCleanup(bus.kill)
		address = bus.stdout.readline().strip()
		env = {"DBUS_SYSTEM_BUS_ADDRESS": address, "DBUS_SESSION_BUS_ADDRESS": address}
		mock = subprocess.Popen([PYTHON, "-m", "dbusmock", "--session", MANAGER,
			"/org/freedesktop/systemd1", MANAGER + ".Manager"], env={**os.environ, **env},
			stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
		self.addCleanup(mock.wait)
		self.addCleanup(mock.kill)
		deadline = time.monotonic() + DEADLINE_S
		while subprocess.run([PYTHON, "-c", MOCK, address, json.dumps(all_units)],
				env={**os.environ, **env}, capture_output=True, check=False).returncode:
			if time.monotonic() > deadline:
				self.fail("the mock of systemd does not answer")
			time.sleep(0.05)
		return self.doctor(self.well(), env=env)

	def test_units_that_run_shut_in_are_well(self):
		said = self.look()
		self.assert_only(said, "pairing")
		self.assertEqual([said.state(check) for check in ("units", "sandbox", "time-source")], [OK] * 3)
		self.assertEqual([finding["part"] for finding in said.of("units")],
			["chalkboxd.service", "chalkbox-sync.timer"])
		self.assertIn("2030", said.of("units")[1]["says"])
		self.assertIn("systemd-timesyncd", said.of("time-source")[0]["says"])

	def test_a_unit_that_failed_is_named(self):
		said = self.look(chalkboxd_service={"active": "failed", "result": "watchdog"})
		self.assert_only(said, "units", "pairing")
		self.assertEqual((said.state("units"), said.code), (FAULT, 1))
		self.assertIn("chalkboxd.service is failed (watchdog)", said.of("units")[0]["says"])

	def test_a_unit_that_will_not_come_up_again_is_named(self):
		said = self.look(chalkbox_sync_timer={"enabled": "disabled"})
		self.assert_only(said, "units", "pairing")
		self.assertEqual(said.of("units")[1]["fix"], "`sudo systemctl enable chalkbox-sync.timer`.")

	def test_restarts_and_a_failed_sync_are_warnings(self):
		said = self.look(chalkboxd_service={"restarts": 3}, chalkbox_sync_service={"active": "failed"})
		self.assert_only(said, "units", "pairing")
		self.assertEqual((said.state("units"), said.code), (WARNING, 0))
		self.assertIn("restarted 3 times", said.of("units")[0]["says"])

	def test_walls_that_were_taken_away_are_named(self):
		said = self.look(chalkboxd_service={"network": False, "no_new": False},
			chalkbox_sync_service={"system": "no"})
		self.assert_only(said, "sandbox", "pairing")
		self.assertRegex(said.of("sandbox")[0]["says"], "lacks .* NoNewPrivileges PrivateNetwork")
		self.assertIn("ProtectSystem=strict", said.of("sandbox")[1]["says"])

	def test_units_that_are_not_there_are_not_known(self):
		said = self.look(chalkboxd_service={"load": "not-found"}, chalkbox_sync_timer={"load": "not-found"},
			chalkbox_sync_service={"load": "not-found"}, systemd_timesyncd_service={"load": "not-found"})
		self.assert_only(said, "time-source", "pairing")
		self.assertEqual(said.state("units"), UNKNOWN)


if __name__ == "__main__":
	unittest.main()
