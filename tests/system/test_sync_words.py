"""
What chalkbox-sync says, and to whom: a bar to a terminal, lines to a pipe, lines with
a priority to the system's journal; and a token or a code to nobody.
"""
import fcntl
import os
import pty
import re
import socket
import struct
import subprocess
import termios
import time
import unittest

from harness import DEADLINE_S, Case
from syncing import FINE, LATER, SOMEBODY, UNPAIRED, Proxy, Site, Station

BAR = re.compile(r"\r\[([#-]+)\] (\d+)/(\d+) snippets, ([\d.]+ k?M?B) of ([\d.]+ k?M?B), "
	r"([\d.]+ k?M?B)/s\x1b\[K")
SOUNDS = 4
WRONG = "BCDF-GHJK" # a code that nobody gave


class Words(Case):
	def setUp(self):
		self.site = Site()
		self.addCleanup(self.site.close)

	def station(self, **more):
		station = Station(**more)
		self.addCleanup(station.close)
		return station

	def through(self, station, harm=lambda number, method, path: None):
		proxy = Proxy(self.site.server.port, harm)
		self.addCleanup(proxy.close)
		station.move(proxy.url)
		return proxy

	def slow(self):
		"""A box with large sounds, each of which takes a while."""
		def harm(number, method, path):
			if method == "PATCH":
				time.sleep(0.15) # longer than the bar stays as it is
		station = self.station()
		station.pair(self.site.server.url, self.site.code())
		station.grow(1, snippets=SOUNDS, sizes=(300_000, 300_000))
		self.through(station, harm)
		return station

	def to_file(self, station, *arguments, stream="", expect=None):
		"""What a run says into a file; `stream` is JOURNAL_STREAM, made of it if None."""
		path = os.path.join(self.folder(), "said")
		with open(path, "wb") as file:
			st = os.fstat(file.fileno())
			stream = f"{st.st_dev}:{st.st_ino}" if stream is None else stream
			done = subprocess.run(station.command("--patience", "0", "--stall", "2", *arguments),
				env={**os.environ, "JOURNAL_STREAM": stream}, stdin=subprocess.DEVNULL, stdout=file,
				stderr=file, check=False, timeout=DEADLINE_S)
		if expect is not None:
			self.assertEqual(done.returncode, expect)
		with open(path, encoding="utf-8") as file:
			return file.read()


class Forms(Words):
	STEPS = ("20 entries sent", "4 snippets sent, 1.2 MB", "configuration taken",
		"all is on the server (20 entries, 4 snippets sent)")

	def on_terminal(self, station, columns, env):
		"""What a run writes to a terminal of that width."""
		master, slave = pty.openpty()
		fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
		with subprocess.Popen(station.command(), env={**os.environ, **env},
				stdin=subprocess.DEVNULL, stdout=slave, stderr=slave) as process:
			os.close(slave)
			said = b""
			while True:
				try:
					said += os.read(master, 65536)
				except OSError: # the last of its other side is gone
					break
			self.assertEqual(process.wait(DEADLINE_S), FINE)
		os.close(master)
		return said.decode()

	@staticmethod
	def screen(said):
		"""The lines that stand there in the end."""
		lines = [""]
		for part in re.split(r"(\r\n|\r|\x1b\[K)", said):
			if part == "\r\n":
				lines.append("")
			elif part in ("\r", "\x1b[K"): # whoever goes back writes or erases all of it
				lines[-1] = ""
			else:
				lines[-1] += part
		return lines

	def test_a_terminal_gets_a_bar_with_bytes_and_rate_and_then_the_last_line(self):
		for stream in ("", "1:1"): # a journal that was our parent's
			said = self.on_terminal(self.slow(), 100, {"JOURNAL_STREAM": stream})
			bars = BAR.findall(said)
			self.assertEqual(bars[0][1:5], ("0", "4", "0 B", "1.2 MB"))
			self.assertEqual([int(bar[1]) for bar in bars], sorted(int(bar[1]) for bar in bars))
			self.assertGreater(len({bar[1] for bar in bars}), 2) # it was there in between
			full = [bar[0].count("#") for bar in bars]
			self.assertEqual(full, sorted(full))
			self.assertGreater(full[-1], full[0])
			self.assertTrue(all(bar[5] != "0 B" for bar in bars if bar[1] != "0"), bars)
			self.assertEqual(tuple(self.screen(said)), (*self.STEPS, ""))

	def test_a_narrow_terminal_gets_what_fits_into_a_line(self):
		said = self.on_terminal(self.slow(), 24, {})
		drawn = re.findall(r"\r([^\r\n\x1b]+)\x1b\[K", said)
		self.assertGreater(len(drawn), 1)
		self.assertLess(max(map(len, drawn)), 24)
		self.assertEqual(tuple(self.screen(said)), (*self.STEPS, ""))

	def test_a_pipe_gets_a_line_a_step_and_no_escape_codes(self):
		self.assertEqual(tuple(self.slow().sync(expect=FINE).stderr.split("\n")), (*self.STEPS, ""))

	def test_the_systems_journal_gets_a_line_a_step_with_its_priority(self):
		station = self.slow()
		said = self.to_file(station, stream=None, expect=FINE)
		self.assertEqual(tuple(said.split("\n")), (*("<6>" + step for step in self.STEPS), ""))
		self.site.server.kill()
		said = self.to_file(station, stream=None, expect=LATER)
		self.assertRegex(said, r"^<4>chalkbox-sync: http://[^\n]*\n$")
		for stream in ("", "1:1", "nothing"):
			self.assertRegex(self.to_file(station, stream=stream), r"^chalkbox-sync: ")


class Secrets(Words):
	"""All that a person or a log gets to see, in good runs and in bad ones."""

	def setUp(self):
		super().setUp()
		self.said, self.secrets, self.paths = [], {WRONG}, []

	def hear(self, station, *arguments, expect):
		"""The same into a pipe and into the journal."""
		done = station.run("--patience", "0", "--stall", "2", *arguments, expect=expect)
		self.said += [done.stdout, done.stderr,
			self.to_file(station, *arguments, stream=None, expect=expect)]
		return done.stdout + done.stderr

	def pair(self, station, url=None):
		"""By a code for each of the two."""
		for _ in range(2):
			code = self.site.code()
			self.secrets.add(code)
			done = station.pair(url or self.site.server.url, code)
			self.said += [done.stdout, done.stderr]
			self.secrets.add(station.token())

	def check(self):
		spellings = {form for secret in self.secrets
			for form in (secret, secret.lower(), secret.replace("-", ""))}
		self.assertGreater(len(self.secrets), 2)
		for text in (*self.said, *self.paths, self.site.server.log()):
			for secret in spellings:
				self.assertNotIn(secret, text)

	def check_files(self, station):
		"""The token is in the pairing's file, which nobody else may read, and in no other."""
		self.assertEqual(os.stat(os.path.join(station.memory, "pairing")).st_mode & 0o777, 0o600)
		for top in (station.folder, self.site.server.data):
			for folder, _, names in os.walk(top):
				for name in names:
					with open(os.path.join(folder, name), "rb") as file:
						if name != "pairing":
							self.assertNotIn(station.token().encode(), file.read(), name)

	def test_runs_that_go_well_say_nothing_secret(self):
		station = self.station().grow(1)
		self.pair(station)
		self.said.append(station.pair(self.site.server.url, WRONG, expect=SOMEBODY).stderr)
		proxy = self.through(station)
		for arguments in (("--dry-run",), ("--probe",), ("--status",), (), ("--now",), ("--probe",),
				("--status",)):
			self.hear(station, *arguments, expect=FINE)
		self.paths += [path for _, path in proxy.seen]
		self.assertGreater(len(self.paths), 8)
		self.check()
		self.check_files(station)

	def test_runs_that_fail_say_nothing_secret(self):
		station = self.station().grow(1)
		self.pair(station)
		for harm in ("refuse", "portal", "redirect", "500", "507", "garbage", "cut answer"):
			proxy = self.through(station, lambda number, method, path, harm=harm: harm)
			self.hear(station, expect=LATER)
			self.hear(station, "--probe", expect=FINE)
			self.paths += [path for _, path in proxy.seen]
		with socket.create_server(("127.0.0.1", 0)) as nobody:
			port = nobody.getsockname()[1]
		station.move(f"http://127.0.0.1:{port}")
		self.hear(station, expect=LATER)
		self.hear(station, "--pair", f"http://127.0.0.1:{port}", WRONG, expect=LATER)
		self.hear(station, "--pair", "http://192.0.2.1", WRONG, expect=SOMEBODY)
		self.site.revoke()
		station.move(self.site.server.url)
		self.hear(station, expect=UNPAIRED)
		self.hear(station, "--probe", expect=FINE)
		self.check()

	def test_a_key_that_is_not_the_right_one_gets_nothing_secret_and_none_is_said(self):
		station, other = self.station().grow(1), Site()
		self.addCleanup(other.close)
		code, port = self.site.code(), self.site.server.port
		self.secrets.add(code)
		url = f"https://127.0.0.1:{port}"
		self.site.over_tls(port)
		self.assertIn("has the key", self.hear(station, "--pin", "0000-0000-0000-0000", "--pair",
			url, code, expect=SOMEBODY))
		done = station.pair(url, code)
		self.secrets.add(station.token())
		self.said.append(done.stderr)
		self.hear(station, expect=FINE)
		self.site.server.kill()
		other.over_tls(port)
		self.assertIn("does not have the key", self.hear(station, expect=LATER))
		self.hear(station, "--probe", expect=FINE)
		self.check()
		self.said.append(other.server.log())
		self.check()

	def test_what_is_wrong_in_a_file_is_said_without_what_is_secret_in_it(self):
		station = self.station(config="boot_file = ./pair.txt").grow(1)
		self.pair(station)
		long = "WDJBMJHTWDJBMJHT" * 4
		self.secrets.add(long)
		for text in (f"url={self.site.server.url}\ncode={WRONG}\n", f"code={long}\n",
				f"code {long}\n", f"url=https://x\ncode={WRONG}\npin={long}{long}\n"):
			with open(os.path.join(station.folder, "pair.txt"), "w", encoding="utf-8") as file:
				file.write(text)
			self.assertIn("pair.txt", self.hear(station, expect=FINE))
		self.secrets.add(station.token()[:40])
		station.use(self.site.server.url, station.token()[:40])
		self.assertIn("token is not", self.hear(station, expect=SOMEBODY))
		self.hear(station, "--probe", expect=FINE)
		self.check()


if __name__ == "__main__":
	unittest.main()
