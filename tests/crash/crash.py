"""
One short observation, run again and again while something goes wrong under it:
killed, or refused by the disk, at the Nth system call of a kind. And the judge,
who knows from the lamps what was promised and looks at what was kept.
"""
import collections
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "system"))

import trace # noqa: E402 (the path above leads to it)
import harness # noqa: E402 (the path above leads to it)
from harness import NS, Box, Failed # noqa: E402

LESSON = os.path.join(os.path.dirname(harness.BUILD), "lesson", "lesson.wav")
SPEED = 8
AT_A_TIME = 2
# what changes a file or makes it last; a regular expression takes its relatives in
TRACED = "fdatasync,fsync,pwrite64,write,/^rename,ftruncate,fallocate,/^unlink"
BEFORE_S, AFTER_S = 1, 2
LOST_MOST_S = 2 # of a snippet's end, for any cut
HELD_BACK_S = 0.3 # by the encoder, at a window's end, until the snippet is finished
BEAT_S = 0.02 # of our own time, as is the next
STILL_S = 0.08 # by less no tap becomes a hold, nor does a sync come a second late
RUNS_MOST = 3
JOIN_S = 0.06 # between two snippets, or at a window's edge: a packet and its stamps

# Windows so short that one snippet is finished while the observation goes on. Holds so
# long that on a busy machine no tap, whose release is sent late, is taken for one.
SCHEME = f"""
[scheme]
name = crash
title = For tests that cut
hold_ms = 1000
double_ms = 300
end_hold_ms = 1000
[code questioning]
title = Questioning
button = 1
kind = point
double = open
hold = wait
before = {BEFORE_S}
after = {AFTER_S}
[code engagement]
title = Engagement
button = 2
kind = sample
levels = most, half, few
before = {BEFORE_S}
after = {AFTER_S}
[code transition]
title = Transition
button = 3
kind = state
before = {BEFORE_S}
after = {AFTER_S}
[code undo]
title = Undo
button = 4
kind = undo
[code lesson]
title = Lesson
button = 5
kind = lesson
"""

HOLD_NS, DOUBLE_NS = NS, 3 * NS // 10 # as in SCHEME

KIND_OF = {"1": "press", "2": "press", "3": "press", "4": "undo", "5": "observation_start",
	"end": "observation_end"}
CODE_OF = {"1": "questioning", "2": "engagement", "3": "transition"}

# The scenario's presses: seconds of pause before each, its button, how long held.
FIRST = [(0, "1", 0.1), (0, "2", 0.1), (0, "2", 0.1), (0, "3", 0.1), (0, "1", 0.1)]
THEN = [(3.6, "1", 0.1), (0, "2", 0.1), (0, "4", 0.1), (0, "3", 0.1), (0, "1", 1.2),
	(0, "2", 0.1), (0.2, "1", 0.1)]

Confirmed = collections.namedtuple("Confirmed", "button t_ns at")


def strace(*inject, log="/dev/null", also=None, options=()):
	"""The recorder under strace, which stands beside it and not above it."""
	traced = TRACED + ("," + also if also else "")
	command = ["strace", "-D", "-f", "-y", *options, "-o", log, "-e", "trace=" + traced]
	for one in inject:
		command += ["-e", "inject=" + one]
	return command


def new_box(wrapper=(), **arguments):
	arguments = {"wav": LESSON, "speed": SPEED, "scheme": SCHEME, "wrapper": wrapper,
		"env": {"CHALKBOX_SIM_END": "loop"}, **arguments}
	box = Box(**arguments)
	os.mkdir(box.runtime) # as systemd does, on a file system in memory
	return box


class Story:
	"""What was pressed and what of it was seen confirmed."""

	def __init__(self, box):
		self.box = box
		self.pressed = [] # (button, t_ns)
		self.confirmed = []
		self.killed_ns = None

	def press(self, button, hold, patience=None):
		"""Presses and waits to see it confirmed; False if `patience` ran out first."""
		box = self.box
		at = box.now()
		self.pressed.append((button, box.ns(at)))
		box.press(button, at, hold)
		seen = self._see(button, box.ns(at), at, patience)
		box.wait_sent()
		if seen is not None:
			box.wait_lamp("vibration", 0, seen)
		return seen is not None

	def _see(self, button, t_ns, at, patience):
		try:
			seen = self.box.wait_confirm(at, patience)
		except Failed:
			if patience is None or not self.box.running():
				raise
			return None
		self.confirmed.append(Confirmed(button, t_ns, seen))
		return seen

	def end(self, patience=None):
		"""Holds the lesson's button until the observation has ended."""
		box = self.box
		at = box.now()
		due = at + 1
		self.pressed.append(("end", box.ns(due)))
		box.press("5", at, 1.2)
		self._see("end", box.ns(due), due - 0.001, patience)
		box.wait_sent()

	def tell(self, patience=None):
		"""The whole of it. Failed when the recorder goes away meanwhile."""
		box = self.box
		box.wait_lamp("red", 1)
		self.press("5", 0.1, patience)
		for pause, button, hold in FIRST + THEN:
			if pause:
				box.sleep_until(box.now() + pause)
			self.press(button, hold, patience)
		self.end(patience)

	def _watch(self, pid):
		"""Notes the moment at which it ends, and leaves the rest to others."""
		with contextlib.suppress(ChildProcessError):
			os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
		self.killed_ns = self.box.now_ns()

	def run(self):
		"""Start, tell, stop. True if it came to its end, False if it was killed."""
		box = self.box
		failed = None
		try:
			box.start(ready=False)
			watch = threading.Thread(target=self._watch, args=[box.process.pid])
			watch.start()
			box.wait_ready()
			self.tell()
			os.kill(box.pid, signal.SIGTERM)
		except (Failed, OSError) as why: # OSError: it went as we came
			failed = why
		try:
			code = box.process.wait(5 if failed else harness.DEADLINE_S)
		except subprocess.TimeoutExpired:
			code = None
		box.kill()
		watch.join()
		if code == -signal.SIGKILL:
			return False
		if failed or code != 0:
			raise failed or Failed(f"the recorder ended with {code}" + box.said())
		return True


def again(box):
	"""Starts it anew, on a disk that is well, and stops it when it is ready."""
	box.wrapper = []
	box.start()
	box.stop()


def wrong(found, text):
	found.append(text)


def judge(story, cut=True, causes=frozenset()):
	"""
	What is wrong with what was kept, a line each. `cut`: the story was cut short,
	and its observation may be one that was recovered; or that ended for another of
	these `causes`.
	"""
	box, found = story.box, []
	run = box.cli("check", "--decode", check=False)
	if run.returncode != 0:
		wrong(found, f"check: {run.stdout.strip()} {run.stderr.strip()}")
	entries = box.entries()
	if [e["seq"] for e in entries] != list(range(1, len(entries) + 1)):
		wrong(found, f"seq is not contiguous: {[e['seq'] for e in entries]}")
	_judge_events(story, entries, found)
	_judge_timeline(story, entries, found)
	_judge_observation(story, entries, cut, causes, found)
	names = os.listdir(os.path.join(box.state, "snippets"))
	if any(name.endswith(".part") for name in names):
		wrong(found, f"left unfinished: {names}")
	if any("damaged" in name for name in os.listdir(box.state) + names):
		wrong(found, f"set aside: {os.listdir(box.state)} {names}")
	return found


def _judge_events(story, entries, found):
	kept = collections.Counter((e["kind"], e["t_ns"]) for e in entries)
	for confirmed in story.confirmed:
		times = kept[KIND_OF[confirmed.button], confirmed.t_ns]
		if times != 1:
			wrong(found, f"button {confirmed.button} at {story.box.at(confirmed.t_ns):.3f} "
				f"was confirmed and is in the journal {times} times")
	known = {(KIND_OF[button], t_ns) for button, t_ns in story.pressed}
	codes = {t_ns: CODE_OF.get(button, "") for button, t_ns in story.pressed}
	for entry in entries:
		key = entry["kind"], entry["t_ns"]
		if key[0] not in ("press", "undo", "observation_start"):
			continue
		if key not in known or codes[key[1]] != entry["code"]:
			wrong(found, f"nobody pressed this: {entry}")
		if kept[key] != 1:
			wrong(found, f"{kept[key]} times in the journal: {entry}")


class Told:
	"""
	An event as the presses tell it by SCHEME: worked out anew here, the plain way,
	so that the fold is not its own judge.
	"""

	def __init__(self, press, up_ns):
		self.code, self.t_ns, self.up_ns = press["code"], press["t_ns"], up_ns
		self.taps, self.end_ns, self.undone = 1, None, False
		if self.code == "questioning" and up_ns - self.t_ns >= HOLD_NS:
			self.end_ns = up_ns

	def takes(self, press):
		"""Whether the press is one more tap of it."""
		most = {"questioning": 2, "engagement": 3}.get(self.code, 1)
		return not self.undone and self.end_ns is None and self.taps < most and \
			press["t_ns"] - self.up_ns <= DOUBLE_NS

	def modifier(self):
		if self.code == "engagement":
			return ["most", "half", "few"][self.taps - 1]
		return None if self.code == "transition" else "wait" if self.end_ns else \
			"open" if self.taps == 2 else None


def told(entries):
	"""The events of the presses kept; each press begins, continues or ends one."""
	ups = {e["ref"]: e["t_ns"] for e in entries if e["kind"] == "release"}
	events, newest, did = [], {}, []
	for entry in entries:
		if entry["kind"] == "undo" and did:
			event, ends = did.pop()
			event.undone = not ends
			event.end_ns = None if ends else event.end_ns
			# all taps of it are gone with it
			did = [one for one in did if ends or one[0] is not event]
		if entry["kind"] != "press":
			continue
		last, up_ns = newest.get(entry["code"]), ups.get(entry["seq"], entry["t_ns"])
		ends = entry["code"] == "transition" and last and not last.undone and not last.end_ns
		if ends:
			last.end_ns = entry["t_ns"]
		elif last and last.takes(entry):
			last.taps, last.up_ns = last.taps + 1, up_ns
		else:
			last = newest[entry["code"]] = Told(entry, up_ns)
			events.append(last)
		did.append((last, ends))
	return events


def _judge_timeline(story, entries, found):
	"""Each press that was kept is in the timeline, once, as what it was meant for."""
	start = next((e for e in entries if e["kind"] == "observation_start"), None)
	if start is None:
		return

	def since_us(t_ns):
		return (t_ns - start["t_ns"] + 500) // 1000
	right = [(event.code, since_us(event.t_ns), event.end_ns and since_us(event.end_ns),
		event.modifier(), event.undone) for event in told(entries)]
	# (of what nobody ended only its begin is known)
	shown = [(e["code"], round(e["time"] * 1e6),
		None if e["open"] or e["end"] is None else round(e["end"] * 1e6),
		None if e["open"] else e["modifier"], e["undone"]) for e in story.box.timeline()["events"]]
	if shown != right:
		wrong(found, f"the timeline shows {shown}, pressed was {right}")


def _judge_observation(story, entries, cut, causes, found):
	starts = [e for e in entries if e["kind"] == "observation_start"]
	ends = [e for e in entries if e["kind"] == "observation_end"]
	if len(starts) > 1 or len(ends) != len(starts):
		wrong(found, f"{len(starts)} starts and {len(ends)} ends of one observation")
	if not ends:
		return
	cause = ends[0]["body"].get("cause")
	seen = any(confirmed.button == "end" for confirmed in story.confirmed)
	told = any(button == "end" for button, _ in story.pressed)
	right = {"button"} if seen or not cut else {"recovered", "button"} if told else {"recovered"}
	if cause not in right | set(causes):
		wrong(found, f"the observation ended by {cause}, not by {right}")


def sound_lost(story, found):
	"""
	Whether the sound that was promised is there: all that the presses wanted which
	were confirmed LOST_MOST_S before the cut, up to LOST_MOST_S before the cut.
	Gives the seconds missing at the end of the snippet that was cut, or None.
	"""
	box = story.box
	entries = box.entries()
	live = next((e["at"] for e in entries if e["kind"] == "mic" and e["value"] == 1), None)
	if live is None:
		return None
	cut_at = box.at(story.killed_ns)
	stop_at = min([cut_at] + [e["at"] for e in entries if e["kind"] == "observation_end" and
		e["body"].get("cause") == "button"])
	spans = sorted((s.begin, s.end) for s in box.snippets())
	for (_, end), (begin, _) in zip(spans, spans[1:]):
		if begin < end - JOIN_S:
			wrong(found, f"two snippets overlap: {spans}")
	windows = [(box.at(c.t_ns) - BEFORE_S, box.at(c.t_ns) + AFTER_S, c.at)
		for c in story.confirmed if c.button in CODE_OF]
	for begin, end, seen in windows:
		if seen > cut_at - LOST_MOST_S:
			continue
		begin = max(begin, live + JOIN_S)
		end = min(end, stop_at, cut_at - LOST_MOST_S)
		at = begin
		for span in spans:
			if span[0] - JOIN_S <= at:
				at = max(at, span[1])
		if at < end - HELD_BACK_S:
			wrong(found, f"sound from {begin:.3f} to {end:.3f} was promised, cut at "
				f"{cut_at:.3f}; kept is {spans}")
	lost = _missing_at_end(windows, spans, cut_at, stop_at)
	if lost is not None and lost > LOST_MOST_S:
		wrong(found, f"the snippet being written lost {lost:.2f} s, cut at {cut_at:.3f}; kept is "
			f"{spans}")
	return lost


def _missing_at_end(windows, spans, cut_at, stop_at):
	"""Of the snippet that was being written at the cut; None if there was none."""
	windows = [(begin, end) for begin, end, _ in windows]
	begin, wanted = windows[-1] if windows else (0, 0)
	for earlier, end in reversed(windows):
		if end >= begin: # they share a snippet
			begin = min(begin, earlier)
	if wanted < cut_at or not spans or spans[-1][1] < begin:
		return None
	return max(0.0, min(cut_at, stop_at) - spans[-1][1])


# --- counting and sharing out the points ---

def _calls(log):
	"""How often the thread that writes made each system call: strace counts so."""
	return collections.Counter(call.name for call in _written(log))


def _written(log):
	calls = trace.calls(log)
	return [call for call in calls if call.thread == calls[0].thread]


def steps(options=()):
	"""The system calls of one run with nothing wrong, in their order."""
	box = new_box()
	try:
		log = os.path.join(box.folder, "strace")
		box.wrapper = strace(log=log, options=options)
		story = Story(box)
		if not story.run():
			raise Failed("the recorder was killed, and not by us" + box.said())
		found = judge(story, cut=False)
		if found:
			raise Failed("a run with nothing wrong went wrong:\n" + "\n".join(found))
		return _written(log)
	finally:
		box.close()


def record():
	"""How many there are of each."""
	return collections.Counter(call.name for call in steps())


def started_and_stopped(box):
	"""True if it was; False if it was killed before."""
	with contextlib.suppress(Failed, OSError):
		box.start()
		os.kill(box.pid, signal.SIGTERM)
	code = box.process.wait(harness.DEADLINE_S)
	box.kill()
	if code not in (0, -signal.SIGKILL):
		raise Failed(f"the recorder ended with {code}" + box.said())
	return code == 0


def steps_of_a_start(box):
	"""The system calls of a start and a stop on a copy of what this box holds."""
	copy = new_box(epoch_ns=box.epoch_ns)
	try:
		shutil.copytree(box.state, copy.state)
		log = os.path.join(copy.folder, "strace")
		copy.wrapper = strace(log=log)
		if not started_and_stopped(copy):
			raise Failed("the recorder was killed, and not by us" + copy.said())
		return _calls(log)
	finally:
		copy.close()


def points_of(call, counts, want):
	"""(call, n) for each time it is made, thinned to `want` of them."""
	return [(call, n) for n in thinned(list(range(1, counts[call] + 1)), want)]


def thinned(points, want):
	"""At most `want` of them, evenly, the first and the last among them."""
	if want is None or len(points) <= want:
		return points
	if want == 1:
		return points[:1]
	return [points[round(i * (len(points) - 1) / (want - 1))] for i in range(want)]


def wanted_points(usual=None):
	"""CHALKBOX_CRASH_POINTS: all, or how many of each kind; else `usual`."""
	text = os.environ.get("CHALKBOX_CRASH_POINTS")
	return usual if not text else None if text == "all" else max(1, int(text))


class Pulse:
	"""
	How long the machine stood still, at worst: a beat that writes, syncs and sleeps,
	beside the recorder and knowing nothing of it.
	"""

	def __enter__(self):
		self.worst_s = 0
		self._over = threading.Event()
		self._thread = threading.Thread(target=self._beat)
		self._thread.start()
		return self

	def _beat(self):
		with tempfile.TemporaryFile() as file:
			while not self._over.is_set():
				begin = time.monotonic()
				os.pwrite(file.fileno(), b"beat", 0)
				os.fdatasync(file.fileno())
				time.sleep(BEAT_S)
				self.worst_s = max(self.worst_s, time.monotonic() - begin - BEAT_S)

	def __exit__(self, *_):
		self._over.set()
		self._thread.join()


def steady(work):
	"""
	`work`, whose result[0] lists what is wrong; what went wrong while the machine stood
	still, SPEED times as long for the recorder as for us, is judged by another run.
	"""
	def judged(point):
		for _ in range(RUNS_MOST):
			with Pulse() as pulse:
				result = work(point)
			if not result[0] or pulse.worst_s < STILL_S:
				break
			print(f"\n| the machine stood still for {pulse.worst_s:.2f} s, so {point} was judged "
				f"once more: {result[0]}", flush=True)
		return result
	return judged


def in_peace(work):
	"""What `work` gives; begun anew when the machine stood still meanwhile."""
	for _ in range(RUNS_MOST):
		with Pulse() as pulse:
			result = work()
		if pulse.worst_s < STILL_S:
			break
		print(f"\n| the machine stood still for {pulse.worst_s:.2f} s: once more", flush=True)
	return result


def each(work, points):
	"""work(point) for each, two at a time; a list of (point, result)."""
	with ThreadPoolExecutor(AT_A_TIME) as pool:
		return list(zip(points, pool.map(work, points)))


def broken_build(folder, path, changes):
	"""A build folder whose programs were made with these changes of one file."""
	tree = os.path.dirname(os.path.dirname(harness.BUILD))
	profile = os.path.basename(harness.BUILD)
	for name in ("Makefile", "app", "firmware", "board", "build/gen", "build/" + profile):
		copied = shutil.copytree if os.path.isdir(os.path.join(tree, name)) else shutil.copy2
		copied(os.path.join(tree, name), os.path.join(folder, name))
	path = os.path.join(folder, path)
	with open(path, encoding="utf-8") as file:
		text = file.read()
	for old, new in changes.items():
		if text.count(old) != 1:
			raise Failed(f"{path} has changed: {old!r} is not in it once")
		text = text.replace(old, new)
	with open(path, "w", encoding="utf-8") as file:
		file.write(text)
	made = subprocess.run(["make", "-C", folder, "PROFILE=" + profile,
		f"build/{profile}/chalkboxd"], capture_output=True, text=True, check=False)
	if made.returncode != 0:
		raise Failed(made.stdout + made.stderr)
	return os.path.join(folder, "build", profile)


@contextlib.contextmanager
def stopwatch():
	begin = time.monotonic()
	yield lambda: time.monotonic() - begin


def have_strace():
	with contextlib.suppress(OSError):
		return subprocess.run(["strace", "-o", "/dev/null", "true"], check=False,
			capture_output=True).returncode == 0
	return False
