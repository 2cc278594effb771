"""
The packages on a Debian that has nothing else: what installing, upgrading, removing
and purging do, and what they leave alone. Each test has a machine of its own, a root
of the release to which its changes are laid over.
"""
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")),
	"chalkbox")
PROGRAM = os.path.join(ROOT, "board", "root.sh")
PACKAGES = ("chalkbox", "chalkbox-server")
# where a Debian keeps account of its packages and users, and what is never cleaned
ACCOUNTS = re.compile(r"/(var/(lib/(dpkg|apt|systemd)|cache|log)|tmp|run|proc|dev|packages"
	r"|etc/(passwd|group|g?shadow|sub[ug]id)-?|etc/\.pwd\.lock|etc/ld\.so\.cache)(/|$)")
APT = "apt-get -q -y --no-install-recommends -o Dpkg::Use-Pty=0"
INCLUDED = "systemd-sysv,udev,dbus"
# systemd as far as packages ask it; what they asked is in /asked
SYSTEMCTL = """#!/bin/sh
echo "$*" >>/asked
case $* in *is-enabled*) echo enabled ;; esac
"""
SIMULATED = "[box]\nboard = /packages/sim.conf\n"
# an observation of one event, begun; the recorder runs on
LESSON = """
	setpriv --reuid chalkbox --regid chalkbox --init-groups env PATH="$PATH" chalkboxd &
	recorder=$!
	printf '0 1 press\\n0.2 1 release\\n' | chalkbox press --script - --wait --linger 1
"""


def output(*command):
	"""What a command prints; its whole complaint where it fails."""
	done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
		stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
	if done.returncode != 0:
		raise AssertionError(f"{command[-1]}: exit code {done.returncode}\n{done.stdout}")
	return done.stdout


def packages(release):
	"""The release's packages for this machine, by name."""
	arch = output("dpkg", "--print-architecture").strip()
	folder = os.path.join(ROOT, "build", "deb", release)
	found = {}
	for name in os.listdir(folder) if os.path.isdir(folder) else []:
		package, _, kind = name.removesuffix(".deb").split("_")[:3] if name.endswith(".deb") \
			else ("", "", "")
		if package in PACKAGES and kind == arch:
			found[package] = os.path.join(folder, name)
	return found


def bare_root(release, debs):
	"""A Debian with systemd and what the packages say that they need, and no more."""
	needs = ", ".join([output("dpkg-deb", "-f", debs[name], "Depends").strip()
		for name in PACKAGES])
	key = hashlib.sha256(f"{needs} {INCLUDED}".encode()).hexdigest()[:16]
	root = os.path.join(CACHE, f"bare-{release}-{key}")
	if not os.path.isdir(root):
		output(PROGRAM, "make", root, release, "--include=" + INCLUDED,
			f"--customize-hook=chroot \"$1\" {APT} satisfy '{needs}'")
	return root


class Machine:
	def __init__(self, release, debs):
		self.root = bare_root(release, debs)
		self.folder = tempfile.mkdtemp(prefix="cb-")
		for name in PACKAGES:
			self.put(f"/packages/{name}.deb", debs[name])
		self.put("/packages/sim.conf", os.path.join(ROOT, "board", "sim.conf"))

	def close(self):
		output(PROGRAM, "remove", self.folder)

	def run(self, command):
		return output(PROGRAM, "run", "--over", self.folder, self.root, command)

	def put(self, path, source):
		"""Lays a file over, before anything runs."""
		path = self.folder + "/changes" + path
		os.makedirs(os.path.dirname(path), exist_ok=True)
		shutil.copyfile(source, path)

	def write(self, path, text):
		self.run(f"mkdir -p $(dirname {path})\ncat >{path} <<'E_O_F'\n{text}E_O_F")

	def install(self, *names):
		return self.run(f"{APT} install " + " ".join(f"/packages/{name}.deb" for name in names))

	def newer(self, name):
		"""The same package with the next version, as NAME-newer.deb."""
		self.run(f"""
			cd /packages
			dpkg-deb -R {name}.deb newer
			sed -i 's/^Version: .*/&+newer/' newer/DEBIAN/control
			dpkg-deb -b newer {name}-newer.deb
			rm -r newer
		""")
		return f"{name}-newer"

	def watch_systemd(self):
		"""As if systemd ran: packages start and stop units, and /asked says so."""
		self.write("/usr/bin/systemctl", SYSTEMCTL)
		self.run("chmod 755 /usr/bin/systemctl; mkdir -p /run/systemd/system; : >/asked")

	def asked(self):
		return self.run("cat /asked; : >/asked")

	def record(self):
		"""Records an observation of one event, as a lesson would."""
		self.write("/etc/chalkbox/chalkbox.conf.d/sim.conf", SIMULATED)
		self.run(f"mkdir -p /run/chalkbox; chown chalkbox: /run/chalkbox\n{LESSON}\n"
			"kill $recorder; wait $recorder")

	def strays(self):
		"""What is there, belongs to no package, and is none of a Debian's accounts."""
		listed = self.run("find / -xdev \\( -path /proc -o -path /dev \\) -prune -o -print; "
			"echo; cat /var/lib/dpkg/info/*.list")
		found, owned = listed.split("\n\n")
		owned = {path.removeprefix("/usr") for path in owned.splitlines()}
		return {path for path in found.splitlines()
			if path.removeprefix("/usr") not in owned and not ACCOUNTS.match(path)}


class Packages:
	release = None

	def setUp(self):
		debs = packages(self.release)
		if len(debs) < len(PACKAGES):
			self.skipTest(f"no packages of {self.release} for this machine: make check-deb")
		self.machine = Machine(self.release, debs)
		self.addCleanup(self.machine.close)

	def test_a_box_is_complete_once_installed_and_does_not_listen(self):
		run = self.machine.run
		self.machine.install("chalkbox")
		self.assertIn("chalkboxd", run("chalkboxd --version"))
		run("chalkbox --help; chalkbox-sync --help; chalkboxd --check-config")
		self.assertRegex(run("chalkboxd --print-config"), r"(?m)^\[sound\]\nenabled = no$")
		self.assertEqual(run("id -Gn chalkbox").split(), ["chalkbox", "audio", "input", "gpio"])
		self.assertEqual(run("id -Gn chalkbox-sync").split(), ["chalkbox-sync", "chalkbox"])
		self.assertEqual(run("stat -c '%U:%G %a %n' /var/lib/chalkbox*").splitlines(),
			["chalkbox:chalkbox 750 /var/lib/chalkbox",
				"chalkbox-sync:chalkbox-sync 700 /var/lib/chalkbox-sync"])
		run("systemctl is-enabled chalkboxd.service chalkbox-sync.timer chalkbox-sync-boot.timer")
		units = run("dpkg -L chalkbox | grep -E '/systemd/system/.*\\.(service|timer)$'").split()
		self.assertEqual({os.path.basename(unit) for unit in units},
			{"chalkboxd.service", "chalkbox-sync.service", "chalkbox-sync.timer",
				"chalkbox-sync-boot.timer"})
		run("systemd-analyze --man=no verify " + " ".join(units))
		run("udevadm verify /usr/lib/udev/rules.d/60-chalkbox.rules"
			if self.release == "trixie" else "test -e /lib/udev/rules.d/60-chalkbox.rules")
		for name in ("man1/chalkbox.1", "man8/chalkboxd.8", "man5/chalkbox.conf.5"):
			run(f"test -e /usr/share/man/{name}.gz")
		self.assertEqual(run("dpkg --audit"), "")

	def test_a_server_is_complete_once_installed(self):
		run = self.machine.run
		self.machine.install("chalkbox-server")
		run("chalkbox-server --help; test -e /usr/share/chalkbox/web/index.html")
		run("systemctl is-enabled chalkbox-server.service")
		run("systemd-analyze --man=no verify chalkbox-server.service")
		self.assertIn("OPTIONS", run("cat /etc/chalkbox/server"))

	def test_a_box_records_with_what_the_package_depends_on(self):
		self.machine.install("chalkbox")
		self.machine.record()
		self.machine.run("chalkbox check")
		found = json.loads(self.machine.run("chalkbox observations --json"))["observations"]
		self.assertEqual([one["running"] for one in found], [False])

	def test_the_version_is_that_of_the_program(self):
		self.machine.install("chalkbox")
		version = self.machine.run("chalkboxd --version").split()[1]
		self.assertRegex(self.machine.run("dpkg-query -W -f '${Version}' chalkbox"),
			"^" + re.escape(version) + r"\+deb1[23]$")

	def test_an_upgrade_keeps_the_record_and_what_was_configured(self):
		run = self.machine.run
		self.machine.install(*PACKAGES)
		self.machine.record()
		run("sed -i 's/^enabled = no/enabled = yes/' /etc/chalkbox/chalkbox.conf")
		run("echo LISTEN=:443 >>/etc/chalkbox/server")
		run("echo token >/var/lib/chalkbox-sync/pairing")
		run("mkdir -p /var/lib/private/chalkbox-server; echo 1 >/var/lib/private/chalkbox-server/db")
		kept = "cat /etc/chalkbox/chalkbox.conf /etc/chalkbox/server /etc/chalkbox/*.d/* " \
			"/var/lib/chalkbox-sync/pairing; find /var/lib/private -type f; sha256sum " \
			"/var/lib/chalkbox/journal.db; systemctl is-enabled chalkboxd"
		before = run(kept)
		self.machine.install(*map(self.machine.newer, PACKAGES))
		self.assertEqual(run(kept), before)
		self.assertIn("+newer", run("dpkg-query -W -f '${Version}' chalkbox"))

	def test_an_upgrade_leaves_off_what_was_switched_off(self):
		self.machine.install("chalkbox")
		self.machine.run("systemctl disable chalkboxd chalkbox-sync.timer")
		self.machine.install(self.machine.newer("chalkbox"))
		self.assertEqual(self.machine.run("systemctl is-enabled chalkboxd chalkbox-sync.timer"
			" || true").split(), ["disabled"] * 2)

	def test_installing_starts_what_runs_by_itself(self):
		self.machine.watch_systemd()
		self.machine.install(*PACKAGES)
		asked = self.machine.asked()
		for unit in ("chalkboxd.service", "chalkbox-sync.timer", "chalkbox-sync-boot.timer",
				"chalkbox-server.service"):
			self.assertRegex(asked, rf"(?m)\bstart .*\b{unit}")
		self.assertNotRegex(asked, r"(?m)\bstart .*chalkbox-sync\.service")

	def test_an_upgrade_restarts_the_recorder_but_not_during_a_lesson(self):
		self.machine.install("chalkbox")
		self.machine.write("/etc/chalkbox/chalkbox.conf.d/sim.conf", SIMULATED)
		newer = self.machine.newer("chalkbox")
		self.machine.watch_systemd()
		said = self.machine.run(f"mkdir -p /run/chalkbox; chown chalkbox: /run/chalkbox\n{LESSON}\n"
			f"{APT} install /packages/{newer}.deb\nkill -0 $recorder\nkill $recorder; wait $recorder")
		self.assertIn("A lesson is being observed", said)
		asked = self.machine.asked()
		self.assertNotRegex(asked, r"(?m)start .*chalkboxd")
		self.assertNotRegex(asked, r"(?m)stop .*chalkboxd")
		self.machine.run(f"{APT} install --reinstall /packages/{newer}.deb")
		self.assertRegex(self.machine.asked(), r"(?m)\brestart .*chalkboxd\.service")

	def test_removing_stops_everything_and_leaves_all_that_is_not_the_programs(self):
		self.machine.install(*PACKAGES)
		self.machine.record()
		self.machine.watch_systemd()
		self.machine.run(f"{APT} remove chalkbox chalkbox-server")
		asked = self.machine.asked()
		for unit in ("chalkboxd", "chalkbox-sync.service", "chalkbox-sync.timer",
				"chalkbox-sync-boot.timer", "chalkbox-server"):
			self.assertRegex(asked, rf"(?m)\bstop .*\b{unit}")
		self.machine.run("test -e /etc/chalkbox/chalkbox.conf -a -e /etc/chalkbox/server "
			"-a -d /var/lib/chalkbox-sync -a -e /var/lib/chalkbox/journal.db "
			"-a ! -e /usr/sbin/chalkboxd -a ! -e /usr/sbin/chalkbox-server")

	def test_purging_leaves_nothing_but_what_was_recorded(self):
		before = self.machine.strays()
		self.machine.install(*PACKAGES)
		self.machine.record()
		self.machine.run("echo token >/var/lib/chalkbox-sync/pairing")
		self.machine.run("mkdir -p /var/lib/private/chalkbox-server; "
			"echo 1 >/var/lib/private/chalkbox-server/server.db")
		said = self.machine.run(f"{APT} purge chalkbox chalkbox-server")
		self.assertIn("What was recorded stays in /var/lib/chalkbox", said)
		self.assertIn("The observations stay in /var/lib/private/chalkbox-server", said)
		left = {path for path in self.machine.strays() - before
			if not path.startswith(("/var/lib/chalkbox/", "/var/lib/private/"))}
		self.assertEqual(left - {"/var/lib/private"}, {"/var/lib/chalkbox"})
		self.machine.run("test -s /var/lib/chalkbox/journal.db "
			"-a -s /var/lib/private/chalkbox-server/server.db")

	def test_purging_a_box_that_recorded_nothing_leaves_nothing(self):
		before = self.machine.strays()
		self.machine.install("chalkbox")
		self.machine.run(f"{APT} purge chalkbox")
		self.assertEqual(self.machine.strays() - before, set())

	def test_purging_one_package_leaves_the_other_its_configuration(self):
		self.machine.install(*PACKAGES)
		self.machine.run(f"{APT} purge chalkbox-server")
		self.machine.run("test -e /etc/chalkbox/chalkbox.conf; chalkboxd --check-config")

	def test_a_box_installed_again_after_a_purge_finds_what_it_recorded(self):
		self.machine.install("chalkbox")
		self.machine.record()
		look = "chalkbox observations --json; stat -c '%U %a' /var/lib/chalkbox/journal.db"
		before = self.machine.run(look)
		self.machine.run(f"{APT} purge chalkbox")
		self.machine.install("chalkbox")
		self.assertEqual(self.machine.run(look), before)
		self.machine.record()
		found = json.loads(self.machine.run("chalkbox observations --json"))["observations"]
		self.assertEqual(len(found), 2)


def load_tests(loader, *_):
	suite = unittest.TestSuite()
	for release in os.environ.get("CHALKBOX_RELEASES", "trixie bookworm").split():
		case = type(release.capitalize(), (Packages, unittest.TestCase), {"release": release})
		suite.addTests(loader.loadTestsFromTestCase(case))
	return suite


if __name__ == "__main__":
	unittest.main()
