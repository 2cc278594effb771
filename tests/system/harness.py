"""
A whole recorder on the simulated board, for tests that treat it as a box: press
its buttons, watch its lamps, read what it kept.

Times are seconds of the board's simulated clock from its epoch ("at"), where
frame 0 of the sound file sounds; `box.ns(at)` and `box.at(ns)` turn them into
the stamps of the journal and back. Deadlines are seconds of real time and
generous: they end a test that hangs, they measure nothing.
"""
import array
import base64
import contextlib
import heapq
import itertools
import json
import math
import os
import select
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import wave
from operator import mul

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("CHALKBOX_BUILD", os.path.join(ROOT, "build/release")))
LESSON = os.path.join(os.path.dirname(BUILD), "lesson")
SLOW = float(os.environ.get("CHALKBOX_SLOW", "4" if "san" in os.path.basename(BUILD) else "1"))
DEADLINE_S = 60 * SLOW
NS = 1_000_000_000
DECODED_HZ = 48000
MORNING_NS = 1_747_213_200 * NS # 2025-05-14 09:00 UTC: the wall clock of most tests

KINDS = ["?", "boot", "clock", "observation_start", "observation_end", "press", "release", "undo",
	"mic", "gap", "snippet", "loudness", "cue", "fault", "gone"]
MIC_STATES = ["off", "live", "muted", "lost", "full"]
REPORTS = ("AddressSanitizer", "LeakSanitizer", "ThreadSanitizer", "UndefinedBehaviorSanitizer",
	"runtime error:", "ERROR SUMMARY: 1")


def real_ns():
	return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


class Failed(AssertionError):
	"""The box did not do what every test may expect of it."""


class Snippet:
	"""One kept stretch of sound; `samples` are decoded when first asked for."""

	def __init__(self, box, entry):
		self.entry = entry
		body = entry["body"]
		self.file = body["file"]
		self.path = box.file_of(self.file)
		self.from_ns, self.to_ns = body["from_ns"], body["to_ns"]
		self.begin, self.end = box.at(self.from_ns), box.at(self.to_ns)
		self.complete = body.get("complete", False)
		self._samples = None

	@property
	def samples(self):
		if self._samples is None:
			self._samples = decode(self.path)
		return self._samples

	@property
	def samples16(self):
		"""As 16 kHz; the sources of these tests hold nothing that would alias."""
		return self.samples[::3]

	def index(self, at, samples=None):
		"""Where the moment lies in the samples, by the rule of the journal."""
		return (at - self.begin) / (self.end - self.begin) * len(samples or self.samples)

	def covers(self, at):
		return self.begin <= at < self.end


def decode(path, rate_hz=DECODED_HZ):
	"""An Ogg Opus file as 16-bit mono samples."""
	run = subprocess.run(["opusdec", "--quiet", "--no-dither", "--force-wav", "--rate",
		str(rate_hz), path, "-"],
		stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
	data = run.stdout
	if run.returncode != 0 or data[:4] != b"RIFF":
		raise Failed(f"opusdec {path}: {run.stderr.decode(errors='replace').strip()}")
	begin = data.index(b"data", 12) + 8
	samples = array.array("h")
	samples.frombytes(data[begin:len(data) - (len(data) - begin) % 2])
	return samples


def write_wav(path, samples, rate_hz=16000, channels=1):
	"""Writes 16-bit samples (an array of 'h', interleaved) as a WAV file."""
	with wave.open(path, "wb") as file:
		file.setnchannels(channels)
		file.setsampwidth(2)
		file.setframerate(rate_hz)
		file.writeframes(samples.tobytes())
	return path


class Box:
	"""
	box = Box(wav=..., speed=60, faults="unplug@10:5", sound=True)
	with box: box.press("5", 1.0); ...; box.stop()

	`epoch_ns` is taken at the first start() unless given, and kept over a
	restart, so that times go on. `wrapper` is a command that runs the recorder
	(strace, valgrind); `env` are extra variables; `config` extra lines of the
	configuration, by section: {"storage": {"reserve_mib": 4}}; `scheme` the text
	of a coding scheme; `wall` = (wall time at the epoch, trusted, uncertainty_ns),
	None for the real clock.
	"""

	def __init__(self, *, wav=None, speed=1, epoch_ns=None, sound=True, faults=None, ppm=None,
			wall=(MORNING_NS, True, 5_000_000), env=None, wrapper=(), config=None, scheme=None, board=None, keep=False):
		self.folder = tempfile.mkdtemp(prefix="cb-")
		self.state = os.path.join(self.folder, "state")
		self.runtime = os.path.join(self.folder, "run")
		self.config_path = os.path.join(self.folder, "chalkbox.conf")
		self.stderr_path = os.path.join(self.folder, "stderr")
		self.wall_path = os.path.join(self.folder, "wall")
		self.speed, self.epoch_ns = speed, epoch_ns
		self.wav, self.faults, self.ppm = wav, faults, ppm
		self.env, self.wrapper = dict(env or {}), list(wrapper)
		self.keep = keep
		self.has_wall = wall is not None
		self.process = None
		self._drainer = None
		self.pid = None # the recorder's own, behind any wrapper
		self.early = 0    # seconds before their stamps at which edges are sent
		self._link = None
		self._lamps = [] # of a run that is over
		self._write_config(sound, config or {}, scheme, board)
		self._wall = wall

	def _write_config(self, sound, config, scheme, board):
		sections = {
			"box": {"name": "test", "state": self.state, "runtime": self.runtime,
				"board": board or os.path.join(ROOT, "board/sim.conf")},
			"sound": {"enabled": "yes" if sound else "no"},
			"storage": {"reserve_mib": 4, "sound_stops_mib": 1},
		}
		if scheme is not None:
			path = os.path.join(self.folder, "test.scheme")
			with open(path, "w", encoding="utf-8") as file:
				file.write(scheme)
			sections["box"]["scheme"] = path
		for section, lines in config.items():
			sections.setdefault(section, {}).update(lines)
		with open(self.config_path, "w", encoding="utf-8") as file:
			for section, lines in sections.items():
				file.write(f"[{section}]\n")
				file.writelines(f"{key} = {value}\n" for key, value in lines.items())

	# --- time ---

	def now_ns(self):
		return self.epoch_ns + int((real_ns() - self.epoch_ns) * self.speed)

	def now(self):
		return self.at(self.now_ns())

	def ns(self, at):
		return self.epoch_ns + round(at * NS)

	def at(self, t_ns):
		return (t_ns - self.epoch_ns) / NS

	def sleep_until(self, at):
		"""Lets simulated time pass."""
		left_s = (at - self.now()) / self.speed
		if left_s > 0:
			time.sleep(left_s)

	def set_wall(self, wall_ns, trusted, uncertainty_ns):
		"""Sets the wall clock: at the epoch it is (or would have been) wall_ns."""
		offset_ns = wall_ns - self.epoch_ns
		new = self.wall_path + ".new"
		with open(new, "w", encoding="ascii") as file:
			file.write(f"{offset_ns} {int(trusted)} {uncertainty_ns}\n")
		os.rename(new, self.wall_path)

	# --- the process ---

	def environment(self):
		env = {k: v for k, v in os.environ.items() if not k.startswith(("CHALKBOX_SIM", "NOTIFY"))}
		if self.epoch_ns is None:
			self.epoch_ns = real_ns()
		if self._wall:
			self.set_wall(*self._wall)
			self._wall = None # a restart finds the clock as it was
		env["CHALKBOX_SIM_CLOCK"] = f"{self.epoch_ns} {self.speed:g}"
		env["ALSA_CONFIG_PATH"] = os.path.join(BUILD, "board/sim/alsa.conf")
		env["CHALKBOX_CONFIG"] = self.config_path
		for name, value in (("WAV", self.wav), ("FAULTS", self.faults), ("PPM", self.ppm),
				("WALL", self.wall_path if self.has_wall else None)):
			if value is not None:
				env["CHALKBOX_SIM_" + name] = str(value)
		env.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0:exitcode=99")
		env.setdefault("TSAN_OPTIONS", "exitcode=99")
		env.update(self.env)
		return env

	def start(self, ready=True, timeout=None):
		"""Starts the recorder and, unless told otherwise, waits until it is ready."""
		assert self.process is None
		notify_path = os.path.join(self.folder, "notify")
		with contextlib.suppress(FileNotFoundError):
			os.unlink(notify_path)
		notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		notify.bind(notify_path)
		env = self.environment()
		env["NOTIFY_SOCKET"] = notify_path
		with open(self.stderr_path, "ab") as stderr:
			self.process = subprocess.Popen(
				self.wrapper + [os.path.join(BUILD, "chalkboxd"), "-c", self.config_path],
				env=env, stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr,
				start_new_session=True, preexec_fn=self.go_first if self.speed > 1 else None)
		self.notify = notify
		if ready:
			self.wait_ready(timeout)
		return self

	@staticmethod
	def go_first():
		"""
		Faster than life, a moment's wait for the processor is a long one for the box:
		at 16 times, an eighth of a second overruns its card. So it does not wait for
		the machine's other work, where that is allowed.
		"""
		with contextlib.suppress(OSError):
			os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))

	def wait_ready(self, timeout=None):
		deadline = time.monotonic() + (timeout or DEADLINE_S)
		while True:
			left = min(0.2, deadline - time.monotonic())
			if left <= 0:
				self.kill()
				raise Failed("the recorder was not ready in time" + self.said())
			if select.select([self.notify], [], [], left)[0]:
				if b"READY=1" in self.notify.recv(4096):
					break
			elif self.process.poll() is not None:
				raise Failed(f"the recorder ended with {self.process.returncode} before it "
					"was ready" + self.said())
		self._drain_notify()
		self.connect()

	def _drain_notify(self):
		"""Reads what sd_notify() sends, so that it never waits for us."""
		notify = self.notify

		def drain():
			with contextlib.suppress(OSError):
				while notify.recv(4096):
					pass
		self._drainer = threading.Thread(target=drain, daemon=True)
		self._drainer.start()

	def connect(self):
		"""Connects a presser to the board, and waits until it is heard."""
		self._link = Link(self, os.path.join(self.runtime, "board.sock"))
		self.pid = self._link.peer_pid
		self._link.wait(lambda link: link.ready, DEADLINE_S, "the board to greet")

	def stop(self, expect=0):
		"""Ends it with SIGTERM; what every run may expect is asserted."""
		os.kill(self.pid, signal.SIGTERM)
		return self.wait_exit(expect)

	def wait_exit(self, expect=0, timeout=None):
		try:
			code = self.process.wait(timeout or DEADLINE_S)
		except subprocess.TimeoutExpired:
			self.kill()
			raise Failed("the recorder did not end" + self.said()) from None
		self._gone()
		if code != expect:
			raise Failed(f"the recorder ended with {code}, not {expect}" + self.said())
		self.check_stderr()
		return code

	def kill(self):
		"""SIGKILL: a power cut, as far as a process can feel one."""
		with contextlib.suppress(ProcessLookupError):
			if self.pid:
				os.kill(self.pid, signal.SIGKILL)
			else:
				os.killpg(self.process.pid, signal.SIGKILL)
		self.process.wait(DEADLINE_S)
		self._gone()

	def _gone(self):
		if self._link:
			self._link.close()
		self._lamps = self._link.lamps if self._link else []
		self._link = self.process = self.pid = None
		# the drainer ends before the socket does: the next one may get its number
		with contextlib.suppress(OSError):
			self.notify.shutdown(socket.SHUT_RDWR)
		if self._drainer:
			self._drainer.join(DEADLINE_S)
		self._drainer = None
		self.notify.close()

	def running(self):
		return self.process is not None and self.process.poll() is None

	def stderr(self):
		with open(self.stderr_path, encoding="utf-8", errors="replace") as file:
			return file.read()

	def said(self):
		text = self.stderr().strip()
		return f"\nit said:\n{text[-4000:]}" if text else ""

	def check_stderr(self):
		text = self.stderr()
		for report in REPORTS:
			if report in text:
				raise Failed("a sanitizer complained" + self.said())

	def close(self):
		if self.process is not None:
			self.kill()
		if not self.keep:
			shutil.rmtree(self.folder, ignore_errors=True)

	def __enter__(self):
		return self if self.process else self.start()

	def __exit__(self, *unused):
		self.close()

	# --- buttons and lamps ---

	def edge(self, line, level, at):
		"""An edge, stamped with that moment and sent when it has come."""
		self._link.edge(self.ns(at), line, level)

	def press(self, line, at, hold=0.12, bounce=None):
		"""
		A press and its release. `bounce` is a list of seconds: both begin with
		edges to and fro at these distances from the first.
		"""
		for begin, level in ((at, 1), (at + hold, 0)):
			self.edge(line, level, begin)
			for i, later in enumerate(bounce or ()):
				self.edge(line, level if i % 2 else 1 - level, begin + later)
			if bounce and len(bounce) % 2:
				self.edge(line, level, begin + bounce[-1] + 0.0002)

	def send(self, text):
		"""A raw message to the board, now."""
		self._link.socket.send(text.encode())

	def wait_sent(self, timeout=None):
		"""Until every edge asked for is on its way."""
		self._link.wait(lambda link: not link.due, timeout or self._deadline(), "edges to be sent")

	def late(self):
		"""How much too late, at worst, an edge has been sent since this was last asked."""
		with self._link.changed:
			late_ns, self._link.late_ns = self._link.late_ns, -NS
			return late_ns / NS

	def _deadline(self):
		due = self._link.due
		last = max((item[0] for item in list(due)), default=0)
		return DEADLINE_S + max(0, self.at(last) - self.now()) / self.speed

	@property
	def lamps(self):
		"""Every change seen so far: (name, level, at), the first states at -inf."""
		return list(self._link.lamps if self._link else self._lamps)

	def lamp(self, name):
		return next((level for lamp, level, _ in reversed(self.lamps) if lamp == name), None)

	def wait_lamp(self, name, level, after=None, timeout=None):
		"""
		Waits until the lamp has this level: the first change to it at or after
		`after`, else its present state. Returns when it came.
		"""
		def found(link):
			if after is None:
				states = [lamp for lamp in link.lamps if lamp[0] == name]
				return states[-1] if states and states[-1][1] == level else None
			return next((lamp for lamp in link.lamps
				if lamp[0] == name and lamp[1] == level and lamp[2] >= after), None)
		return self._link.wait(found, timeout or self._deadline(),
			f"lamp {name} {'on' if level else 'off'}")[2]

	def wait_confirm(self, after, timeout=None):
		"""Waits for a confirmation that begins at or after that moment; says when."""
		return self.wait_lamp("vibration", 1, after, timeout)

	# --- what was kept ---

	def wait_for(self, condition, what, timeout=None):
		"""Until condition() is true, which it returns."""
		deadline = time.monotonic() + (timeout or DEADLINE_S)
		while True:
			found = condition()
			if found:
				return found
			if time.monotonic() > deadline:
				raise Failed(f"waited in vain for {what}" + self.said())
			if self.process is not None and self.process.poll() is not None:
				raise Failed(f"the recorder ended while waiting for {what}" + self.said())
			time.sleep(0.02)

	def entries(self, kind=None):
		"""The journal: dicts as the columns are named, `kind` a word, `body` parsed."""
		path = os.path.join(self.state, "journal.db")
		with contextlib.ExitStack() as stack:
			if not self.running(): # nothing of a cut's leavings may be touched
				folder = stack.enter_context(tempfile.TemporaryDirectory())
				for end in ("", "-wal"):
					if os.path.exists(path + end):
						shutil.copy(path + end, folder)
				path = os.path.join(folder, "journal.db")
			db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=DEADLINE_S)
			stack.callback(db.close)
			db.row_factory = sqlite3.Row
			rows = [dict(row) for row in db.execute("SELECT * FROM entry ORDER BY seq")]
		for row in rows:
			row["kind"] = KINDS[row["kind"]]
			row["body"] = json.loads(row["body"]) if row["body"] else {}
			row["at"] = self.at(row["t_ns"])
			for name in ("levels", "peaks"):
				if name in row["body"]:
					row["body"][name] = base64.b64decode(row["body"][name])
		return [row for row in rows if kind is None or row["kind"] == kind]

	def presses(self):
		return [(e["code"], e["t_ns"]) for e in self.entries("press")]

	def wait_entry(self, kind, test=lambda entry: True, timeout=None):
		"""Waits for an entry of that kind that passes the test."""
		def found():
			return next((entry for entry in self.entries(kind) if test(entry)), None)
		return self.wait_for(found, f"an entry {kind}", timeout)

	def wait_mic(self, state, after=float("-inf"), timeout=None):
		return self.wait_entry("mic", lambda entry: entry["value"] == MIC_STATES.index(state) and
			entry["at"] >= after, timeout)

	def file_of(self, name):
		path = os.path.join(self.state, "snippets", name)
		return path if os.path.exists(path) else path + ".part"

	def snippets(self):
		"""The kept stretches of sound, in order of their begin."""
		return sorted((Snippet(self, entry) for entry in self.entries("snippet")),
			key=lambda snippet: (snippet.entry["boot"], snippet.from_ns))

	def snippet_at(self, at, snippets=None):
		return next((snippet for snippet in snippets or self.snippets() if snippet.covers(at)), None)

	def missing(self, begin, end, snippets, slack=0.010):
		"""The first moment of [begin, end) without kept sound; None for all there."""
		while begin < end - slack:
			snippet = self.snippet_at(begin + slack, snippets)
			if snippet is None:
				return begin
			begin = snippet.end
		return None

	def cli(self, *arguments, check=True):
		"""Runs chalkbox on this box; a CompletedProcess with text."""
		run = subprocess.run([os.path.join(BUILD, "chalkbox"), "--config", self.config_path,
			*arguments], env=self.environment(), capture_output=True, text=True, check=False,
			timeout=DEADLINE_S * 4)
		if check and run.returncode != 0:
			raise Failed(f"chalkbox {' '.join(arguments)}: {run.returncode}\n{run.stdout}{run.stderr}")
		for report in REPORTS:
			if report in run.stderr:
				raise Failed(f"chalkbox {' '.join(arguments)}:\n{run.stderr}")
		return run

	def check(self, *arguments):
		"""`chalkbox check`: fails on any finding."""
		return self.cli("check", *arguments)

	def timeline(self, observation="last"):
		"""`chalkbox show --json`, parsed."""
		return json.loads(self.cli("show", "--json", str(observation)).stdout)


class Link:
	"""The board's socket: sends edges when their time has come, notes the lamps."""

	def __init__(self, box, path):
		self.box = box
		self.lamps = []
		self.errors = []
		self.ready = self.over = False
		self.due = [] # (t_ns, order, line, level)
		self.order = 0
		self.late_ns = -NS
		self.changed = threading.Condition()
		self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		try:
			self.socket.connect(path)
		except OSError: # the recorder is gone
			self.socket.close()
			raise
		peer = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
		self.peer_pid = struct.unpack("3i", peer)[0]
		threading.Thread(target=self._receive, daemon=True).start()
		threading.Thread(target=self._send, daemon=True).start()

	def _receive(self):
		while True:
			try:
				text = self.socket.recv(4096).decode()
			except OSError:
				text = ""
			with self.changed:
				if not text:
					self.over = True
				elif text == "ready":
					self.ready = True
				elif text.startswith("lamp "):
					_, name, level, t_ns = text.split()
					at = self.box.at(int(t_ns)) if self.ready else float("-inf")
					self.lamps.append((name, int(level), at))
				else:
					self.errors.append(text)
				self.changed.notify_all()
				if self.over:
					return

	def edge(self, t_ns, line, level):
		with self.changed:
			heapq.heappush(self.due, (t_ns, self.order, line, level))
			self.order += 1
			self.changed.notify_all()

	def _send(self):
		while True:
			with self.changed:
				if self.over:
					return
				early_ns = int(self.box.early * NS)
				left_ns = self.due[0][0] - early_ns - self.box.now_ns() if self.due else None
				if left_ns is None or left_ns > 0:
					self.changed.wait(left_ns / NS / self.box.speed if left_ns else 1)
					continue
				t_ns, _, line, level = self.due[0]
				try:
					self.socket.send(f"edge {line} {level} {t_ns}".encode())
					self.late_ns = max(self.late_ns, self.box.now_ns() - t_ns)
				except OSError:
					self.over = True
				heapq.heappop(self.due)
				self.changed.notify_all()

	def wait(self, condition, timeout, what):
		deadline = time.monotonic() + timeout
		with self.changed:
			while True:
				found = condition(self)
				if found:
					return found
				if self.errors:
					raise Failed(f"the board said: {self.errors[0]}")
				left = deadline - time.monotonic()
				if left <= 0 or self.over:
					raise Failed(f"waited in vain for {what}" + self.box.said())
				self.changed.wait(min(left, 0.5))

	def close(self):
		with self.changed:
			self.over = True
			self.changed.notify_all()
		with contextlib.suppress(OSError):
			self.socket.shutdown(socket.SHUT_RDWR)
		self.socket.close()


# --- sound made by tests ---

def noise(n, seed, loud=12000):
	"""n reproducible samples of white noise, cheap to make."""
	import random
	source = random.Random(seed)
	raw = array.array("H")
	raw.frombytes(source.randbytes(2 * n))
	scale = 2 * loud + 1
	return array.array("h", [value * scale // 65536 - loud for value in raw])


def read_wav(path):
	"""The samples of a 16-bit WAV file, and its rate."""
	with wave.open(path, "rb") as file:
		assert file.getsampwidth() == 2
		samples = array.array("h")
		samples.frombytes(file.readframes(file.getnframes()))
		return samples, file.getframerate()


def find(needle, hay, expected, reach):
	"""
	Where in `hay` the samples of `needle` begin, by correlation, looked for
	within `reach` samples of `expected`. Returns the distance from there and how
	alike they are (1: the same but for loudness).
	"""
	n = len(needle)
	low = max(0, expected - reach)
	high = min(len(hay) - n, expected + reach)
	strength = math.sqrt(sum(map(mul, needle, needle)))
	best, likeness = None, 0
	if high < low:
		return best, likeness
	stretch = hay[low:high + n]
	energy = list(itertools.accumulate(map(mul, stretch, stretch), initial=0))
	for i in range(high - low + 1):
		power = energy[i + n] - energy[i]
		if power > 0:
			alike = sum(map(mul, needle, stretch[i:i + n])) / (strength * math.sqrt(power) + 1)
			if alike > likeness:
				best, likeness = low + i - expected, alike
	return best, likeness


def loudness_of(samples, hz, rate_hz):
	"""The amplitude of a tone in the samples, by Goertzel's algorithm."""
	turn = 2 * math.cos(2 * math.pi * hz / rate_hz)
	a = b = 0.0
	for sample in samples:
		a, b = sample + turn * a - b, a
	return 2 * math.sqrt(max(0.0, a * a + b * b - turn * a * b)) / len(samples)


class Case(unittest.TestCase):
	"""A test with boxes that are taken down whatever happens."""

	def box(self, start=True, **arguments):
		box = Box(**arguments)
		self.addCleanup(box.close)
		return box.start() if start else box

	def folder(self):
		folder = tempfile.mkdtemp(prefix="cb-")
		self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
		return folder


def say(text):
	"""The line of figures at the end of a measurement."""
	print(text, file=sys.stderr, flush=True)
