"""
Power cuts of a box whose disk kept a write log (see writelog.py). Where to cut,
and the judge: given the disk as a cut leaves it, what is wrong with what a box
finds there that starts on it.

The order of things is that of the log. A confirmation that was seen when the log
had N entries must survive every cut after N entries or more: what came into the
log between the blink and our seeing it only makes N larger than it need be.
"""
import bisect
import contextlib
import copy
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "crash"))

import crash # noqa: E402 (the path above leads to it)
import harness # noqa: E402
import writelog # noqa: E402

LOOK_S = 0.002
LOST = "was confirmed and is lost"
PATH = "/sbin:/usr/sbin:" + os.environ.get("PATH", "")
# what a file system checker says on a sound disk whose journal was not empty
ALL_IS_WELL = re.compile(r"^$|recovering journal$|: Clearing orphaned inode |"
	r"^[^:]+: \d+/\d+ files \(.*\), \d+/\d+ blocks$|^e2fsck \d")
# all that may be new in a journal after a start on what a cut left
OF_A_START = {"boot", "clock", "observation_end", "snippet", "mic", "gap", "loudness", "fault"}


class Clock(threading.Thread):
	"""Notes how many entries the log has, and when, until close(): it has no times."""

	def __init__(self, log_path):
		super().__init__(daemon=True)
		self.path = log_path
		self.real_ns, self.counts = [], [] # the first moment each count was seen
		self.over = threading.Event()
		self._look()
		self.start()

	def _look(self):
		n = writelog.count(self.path)
		if not self.counts or n > self.counts[-1]:
			self.real_ns.append(time.monotonic_ns())
			self.counts.append(n)

	def run(self):
		while not self.over.wait(LOOK_S):
			self._look()

	def close(self):
		self.over.set()
		self.join()
		self._look()

	def when(self, n):
		"""The moment by which there were n entries."""
		return self.real_ns[bisect.bisect_left(self.counts, n)]


class Confirmed:
	"""
	A press that was seen confirmed, at `at`, when the log had n entries; its entry in
	the journal; and how much longer than it should the blink took: an emulated board
	on a busy machine stands still now and then.
	"""

	def __init__(self, button, entry, at, n, stood_s=0.0):
		self.button, self.entry, self.at, self.n, self.stood_s = button, entry, at, n, stood_s
		self.t_ns = entry["t_ns"]


class Lesson:
	"""
	One observation that was told to its end. `entries`: the journal then; `ahead_ns`:
	the box's monotonic clock less ours; `epoch_ns`: 0 of the confirmations' `at`.
	"""

	def __init__(self, log, clock, entries, confirmed, ahead_ns, epoch_ns):
		self.log, self.clock = log, clock
		self.entries, self.confirmed, self.all_confirmed = entries, confirmed, confirmed
		self.ahead_ns, self.epoch_ns = ahead_ns, epoch_ns
		self.box = self.killed_ns = None

	def cut_at(self, n):
		"""What was known of it when the log had n entries."""
		so_far = copy.copy(self)
		so_far.confirmed = [one for one in self.confirmed if one.n <= n]
		so_far.killed_ns = self.clock.when(n) + self.ahead_ns
		return so_far


def points(lesson, around, seed):
	"""
	Where to cut: (entries of the log, a random source or None), in order. About each
	confirmation: as soon as it was seen; and, until the next, `around` more, before
	and after flushes and wherever it happens. None: only what was flushed is there.
	"""
	source = random.Random(seed)
	flushes = lesson.log.flushes()
	ends = [one.n for one in lesson.confirmed[1:]] + [len(lesson.log)]
	chosen = []
	for one, end in zip(lesson.confirmed, ends):
		chosen += [(one.n, False), (one.n, True)]
		inside = [n for n in flushes if one.n < n <= end]
		for i in range(around):
			if i % 2 and inside: # all is waiting for that flush
				chosen.append((source.choice(inside) - 1, True))
			elif one.n < end:
				chosen.append((source.randint(one.n, end), i % 4 != 0))
	chosen = sorted(set(chosen))
	return [(n, random.Random(f"{seed} {n}") if some else None) for n, some in chosen]


def run(*command):
	done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
		stderr=subprocess.STDOUT, check=False, env={**os.environ, "PATH": PATH, "LC_ALL": "C"})
	return done.returncode, done.stdout.decode(errors="replace")


def check_file_system(image, found):
	"""As at a boot; after that, nothing may be left to mend."""
	code, said = run("e2fsck", "-fp", image)
	odd = [line for line in said.splitlines() if not ALL_IS_WELL.search(line)]
	if code > 1 or odd:
		found.append(f"e2fsck -fp: {code}: {said.strip()}")
	code, said = run("e2fsck", "-fn", image)
	if code != 0:
		found.append(f"e2fsck -fn: {code}: {said.strip()}")


def take_out(image, folder, found):
	"""The files of the image, into a folder that is there."""
	code, said = run("debugfs", "-R", f"rdump / {folder}", image)
	if code != 0:
		found.append(f"debugfs: {code}: {said.strip()}")
	lost = os.path.join(folder, "lost+found")
	if os.path.isdir(lost):
		if os.listdir(lost):
			found.append(f"lost+found holds {os.listdir(lost)}")
		shutil.rmtree(lost)


def judge(lesson, strict):
	"""
	What is wrong with the journal and the snippets' folder, a line each. Not
	`strict`: parts of a file may have come to the disk in any order, and a file of
	which pieces are missing is kept as it was found beside what could be saved.
	"""
	box, found = lesson.box, []
	done = box.cli("check", "--decode", check=False)
	for line in (done.stdout + done.stderr).splitlines():
		if "all is well" not in line and " findings" not in line and " 1 finding" not in line \
				and (strict or ".opus.damaged" not in line):
			found.append(f"check: {line}")
	entries = box.entries()
	if [e["seq"] for e in entries] != list(range(1, len(entries) + 1)):
		found.append(f"seq is not contiguous: {[e['seq'] for e in entries]}")
	_judge_entries(lesson, entries, found)
	_judge_end(lesson, entries, found)
	names = os.listdir(os.path.join(box.state, "snippets"))
	if any(name.endswith(".part") for name in names):
		found.append(f"left unfinished: {names}")
	damaged = [name for name in os.listdir(box.state) + names if "damaged" in name]
	if any(strict or not name.endswith(".opus.damaged") for name in damaged):
		found.append(f"set aside: {damaged}")
	return found


def _judge_entries(lesson, entries, found):
	"""A beginning of the journal as it went on, then what a start adds."""
	kept = 0
	for kept, (one, same) in enumerate(zip(entries, lesson.entries)):
		if any(one[key] != same[key] for key in ("boot", "t_ns", "kind", "code", "ref", "value")):
			break
	else:
		kept = min(len(entries), len(lesson.entries))
	for one in lesson.confirmed:
		if one.entry["seq"] > kept:
			found.append(f"entry {one.entry['seq']}, {one.entry['kind']} {one.entry['code']}, "
				f"{LOST}: {kept} are left")
	odd = [entry for entry in entries[kept:] if entry["kind"] not in OF_A_START]
	if odd or kept == len(entries):
		found.append(f"behind the {kept} entries of before the cut: {odd or 'no start'}")


def _judge_end(lesson, entries, found):
	for start in (e for e in entries if e["kind"] == "observation_start"):
		causes = [e["body"].get("cause") for e in entries
			if e["kind"] == "observation_end" and e["observation"] == start["seq"]]
		if causes not in (["button"], ["recovered"]):
			found.append(f"observation {start['seq']} has the ends {causes}")


def sound_lost(lesson, found):
	"""
	Seconds that are missing at a snippet's end, at worst, of what it had heard before
	the cut; of those whose first press had been confirmed LOST_MOST_S before. As long
	as the board stood still meanwhile, more may be missing.
	"""
	box, worst = lesson.box, 0.0
	cut_at = box.at(lesson.killed_ns)
	ends = {e["body"]["from_ns"]: box.at(e["body"]["to_ns"]) for e in box.entries("snippet")}
	for whole in (e["body"] for e in lesson.entries if e["kind"] == "snippet"):
		begin, end = box.at(whole["from_ns"]), box.at(whole["to_ns"])
		asking = [one for one in lesson.all_confirmed if begin <= box.at(one.t_ns) < end]
		most_s = crash.LOST_MOST_S + max((one.stood_s for one in asking), default=0)
		if not asking or asking[0].at > cut_at - most_s:
			continue
		lost = min(end, cut_at) - ends.get(whole["from_ns"], begin)
		worst = max(worst, lost)
		if lost > most_s:
			found.append(f"of the snippet from {begin:.3f} to {end:.3f}, {lost:.3f} s before the "
				f"cut at {cut_at:.3f} are missing")
	return worst


def found_after(image, lesson, strict):
	"""What is wrong after a start on that disk, and the seconds of sound lost at the end."""
	box = harness.Box(epoch_ns=lesson.epoch_ns, sound=False)
	found = []
	lesson.box = box
	try:
		os.mkdir(box.state)
		os.mkdir(box.runtime)
		check_file_system(image, found)
		take_out(image, box.state, found)
		crash.again(box)
		found += judge(lesson, strict)
		return found, sound_lost(lesson, found)
	except harness.Failed as why:
		return found + [str(why)], 0.0
	finally:
		box.close()


def results(lesson, image, chosen):
	"""
	(entries of the log, confirmed by then, what is wrong, seconds of sound lost) of
	each point. `image` is the disk as the log found it; it is not changed.
	"""
	folder = tempfile.mkdtemp(prefix="cb-")
	waiting = threading.BoundedSemaphore(2 * crash.AT_A_TIME) # so few disks at a time

	def look(point):
		path, so_far, n, strict = point
		try:
			found, lost = found_after(path, so_far, strict)
			return n, len(so_far.confirmed), found, lost
		finally:
			os.unlink(path)
			waiting.release()

	def disks():
		replayed = os.path.join(folder, "replayed")
		shutil.copyfile(image, replayed)
		disk = writelog.Disk(lesson.log, replayed)
		for i, (n, source) in enumerate(chosen):
			waiting.acquire()
			path = os.path.join(folder, f"cut{i}")
			disk.cut(n, path, source)
			yield path, lesson.cut_at(n), n, source is None

	try:
		with crash.ThreadPoolExecutor(crash.AT_A_TIME) as pool:
			return [one.result() for one in [pool.submit(look, point) for point in disks()]]
	finally:
		shutil.rmtree(folder)


def scratch():
	"""A folder in memory, where there is one: what is cut again and again lies there."""
	memory = "/dev/shm"
	with contextlib.suppress(OSError):
		if shutil.disk_usage(memory).free > 1 << 30 and os.access(memory, os.W_OK):
			return memory
	return None
