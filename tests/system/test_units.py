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

	def test_sound_is_known_to_the_kernel_before_its_devices_are_allowed(self):
		"""char-alsa is looked up in /proc/devices once, when the service starts."""
		text = self.read(os.path.join(self.folder, "chalkboxd.service"))
		self.assertIn("DeviceAllow=char-alsa", text)
		for word in ("Wants", "After"):
			self.assertRegex(text, rf"(?m)^{word}=.*\bmodprobe@snd\.service\b")


if __name__ == "__main__":
	unittest.main()
