"""
The units as systemd reads them: how open each service is by systemd's own reckoning
(`systemd-analyze security`), and that everything they name is there.
"""
import glob
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from harness import BUILD, ROOT

# at most so open, of 10
LIMITS = {"chalkboxd.service": 1.0, "chalkbox-sync.service": 1.5, "chalkbox-server.service": 2.0}
# a line that each of them could not do without
CORNERSTONES = {"chalkboxd.service": "PrivateNetwork=yes",
	"chalkbox-sync.service": "CapabilityBoundingSet=",
	"chalkbox-server.service": "CapabilityBoundingSet="}


def analyze(*arguments):
	return subprocess.run(["systemd-analyze", *arguments], stdout=subprocess.PIPE,
		stderr=subprocess.STDOUT, text=True, check=False,
		env={**os.environ, "SYSTEMD_COLORS": "0"})


def why_not():
	"""Why the units cannot be looked at here; None if they can."""
	if not shutil.which("systemd-analyze"):
		return "no systemd-analyze on this machine"
	if "--offline" not in analyze("--help").stdout:
		return "this machine's systemd-analyze cannot look at units that are not loaded"
	return None


class Units(unittest.TestCase):
	def setUp(self):
		reason = why_not()
		if reason:
			self.skipTest(reason)
		self.folder = tempfile.mkdtemp(prefix="cb-")
		self.addCleanup(shutil.rmtree, self.folder)
		for path in glob.glob(os.path.join(ROOT, "systemd", "*.service.in")) + \
				glob.glob(os.path.join(ROOT, "systemd", "*.timer")):
			self.write(os.path.basename(path).removesuffix(".in"), self.read(path))

	def read(self, path):
		with open(path, encoding="utf-8") as file:
			return file.read().replace("@SBIN@", BUILD)

	def write(self, name, text):
		path = os.path.join(self.folder, name)
		with open(path, "w", encoding="utf-8") as file:
			file.write(text)
		return path

	def units(self):
		return sorted(glob.glob(os.path.join(self.folder, "*.*")))

	def exposure(self, path):
		run = analyze("security", "--offline=yes", "--no-pager", path)
		found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", run.stdout)
		self.assertTrue(found, run.stdout)
		return float(found[1])

	def weak_spots(self, path):
		run = analyze("security", "--offline=yes", "--json=short", path)
		return "\n".join(f"{one['exposure']} {one['description']}"
			for one in json.loads(run.stdout) if one["exposure"])

	def test_no_service_is_more_open_than_its_limit(self):
		for unit, limit in LIMITS.items():
			with self.subTest(unit):
				path = os.path.join(self.folder, unit)
				self.assertLessEqual(self.exposure(path), limit,
					self.weak_spots(path))

	def test_every_service_has_a_limit(self):
		services = {os.path.basename(path) for path in self.units()
			if path.endswith(".service")}
		self.assertEqual(services, set(LIMITS))

	def test_a_service_without_one_of_its_walls_is_over_its_limit(self):
		for unit, line in CORNERSTONES.items():
			with self.subTest(unit):
				text = self.read(os.path.join(self.folder, unit))
				self.assertIn(f"\n{line}\n", text)
				path = self.write(unit, text.replace(f"\n{line}\n", "\n"))
				self.assertGreater(self.exposure(path), LIMITS[unit])

	def test_systemd_understands_every_line(self):
		run = analyze("verify", "--man=no", "--recursive-errors=no", *self.units())
		self.assertEqual((run.returncode, run.stdout), (0, ""))

	def test_a_line_that_systemd_does_not_understand_is_noticed(self):
		path = os.path.join(self.folder, "chalkboxd.service")
		self.write("chalkboxd.service",
			self.read(path).replace("ProtectHome=yes", "ProtectHomes=yes"))
		run = analyze("verify", "--man=no", "--recursive-errors=no", path)
		self.assertIn("ProtectHomes", run.stdout)

	def test_every_user_and_group_is_made_at_installation(self):
		made = set()
		for line in self.read(os.path.join(ROOT, "systemd/chalkbox.sysusers")).splitlines():
			words = line.split()
			if words and words[0] in ("u", "g", "m"):
				made.update(words[1:2] if words[0] != "m" else words[1:3])
		named = set()
		for path in self.units():
			for names in re.findall(r"(?m)^(?:User|Group|SupplementaryGroups)=(.*)$",
					self.read(path)):
				named.update(names.split())
		rules = self.read(os.path.join(ROOT, "board/chalkbox.rules"))
		named.update(re.findall(r'GROUP="(\w+)"', rules))
		self.assertLessEqual(named, made)
		self.assertIn("gpio", named)

	def timer(self, unit):
		"""What a timer as shipped says: {key: [values]}."""
		said = {}
		for key, value in re.findall(r"(?m)^(\w+)=(.*)$", self.read(os.path.join(self.folder, unit))):
			said.setdefault(key, []).append(value)
		return said

	def seconds(self, span):
		found = re.search(r"(?:μs|us): (\d+)", analyze("timespan", span).stdout)
		self.assertTrue(found, span)
		return int(found[1]) / 1e6

	def test_the_boxes_of_a_district_come_spread_over_the_end_of_the_day(self):
		said = self.timer("chalkbox-sync.timer")
		self.assertGreaterEqual(self.seconds(said["RandomizedDelaySec"][0]), 15 * 60)
		self.assertEqual((said["OnCalendar"], said["Persistent"]), (["*-*-* 16:30"], ["true"]))
		self.assertNotIn("OnBootSec", said) # the lot is for all that a timer waits for

	def test_a_box_without_a_network_manager_syncs_soon_after_it_was_switched_on(self):
		said = self.timer("chalkbox-sync-boot.timer")
		self.assertLessEqual(self.seconds(said["OnBootSec"][0]), 180)
		self.assertLessEqual(self.seconds(said["AccuracySec"][0]), 30)
		self.assertNotIn("RandomizedDelaySec", said)
		self.assertEqual(said["Unit"], ["chalkbox-sync.service"])
		# whoever switches sync's timer on gets this one
		self.assertEqual(self.timer("chalkbox-sync.timer")["Also"], ["chalkbox-sync-boot.timer"])

	def test_every_unit_is_installed_and_in_the_package(self):
		with open(os.path.join(ROOT, "Makefile"), encoding="utf-8") as file:
			makefile = file.read()
		with open(os.path.join(ROOT, "board/debian/rules"), encoding="utf-8") as file:
			rules = file.read()
		for path in self.units():
			unit = os.path.basename(path)
			self.assertRegex(makefile, rf"(put_unit,|systemd/){re.escape(unit)}\b")
			if unit.endswith(".timer"):
				self.assertRegex(rules, rf"dh_installsystemd -pchalkbox .*\b{re.escape(unit)}\b")

	def test_sound_is_known_to_the_kernel_before_its_devices_are_allowed(self):
		"""char-alsa is looked up in /proc/devices once, when the service starts."""
		text = self.read(os.path.join(self.folder, "chalkboxd.service"))
		self.assertIn("DeviceAllow=char-alsa", text)
		for word in ("Wants", "After"):
			self.assertRegex(text, rf"(?m)^{word}=.*\bmodprobe@snd\.service\b")


if __name__ == "__main__":
	unittest.main()
