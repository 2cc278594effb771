"""
What the recorder costs, against the plainest program that does the same, both
measured in one run on one machine:

	press to lamp    against a bare 4 KiB write + fdatasync, in turn (presses.c)
	bytes a press    against the goal alone
	listening        against arecord on the same microphone at the same time
	encoding         against opusenc on the same stretch of sound, in turn
	memory           against the goal alone, with the ring of 60 s full

usage: bench.py [--json] [--quick] [--folder DIR]

A missed goal is shown, and is no failure: this ends with 0 unless something
could not be measured. --quick takes a fifth of the time and says less. The file
system measured is that of DIR, by default the build folder.
"""
import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import wave

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../system"))
from harness import BUILD, Box, Failed, MIC_STATES, ROOT # noqa: E402

RATE_HZ = 48000
DEBOUNCE_MS = 1
ENCODE_SPEED = 4
ENCODE_EVERY_S = 15
RING_S = 60
ARECORD = ["arecord", "-q", "-D", "chalkbox_sim", "-f", "S16_LE", "-r", str(RATE_HZ), "-c", "1",
	"--period-time=100000", "--buffer-time=2000000", "/dev/null"]
# our codec settings, and a page as often (200 ms)
OPUSENC = ["opusenc", "--quiet", "--bitrate", "24", "--comp", "5", "--speech", "--max-delay", "200"]
BAR_CHARS = 16


class Figure:
	"""One measured value beside what it is held against, and its goal."""

	def __init__(self, what, value, unit, against=None, rival=None, goal=None, note=""):
		self.what, self.value, self.unit = what, value, unit
		self.against, self.rival, self.goal, self.note = against, rival, goal, note

	@property
	def ratio(self):
		return self.value / self.rival if self.rival else None

	@property
	def measure(self):
		"""What the goal speaks of: the ratio where there is one."""
		return self.value if self.rival is None else self.ratio

	@property
	def met(self):
		return None if self.goal is None else self.measure <= self.goal

	def bar(self):
		if self.goal is None:
			return " " * BAR_CHARS
		goal_at = BAR_CHARS * 2 // 3
		full = min(BAR_CHARS, round(self.measure / self.goal * goal_at))
		return "".join("|" if i == goal_at else "=" if i < full else "." for i in range(BAR_CHARS))

	def row(self):
		rival = f"{self.against} {self.rival:.3g} {self.unit}" if self.rival else ""
		ratio = f"{self.ratio:.2f} x" if self.rival else ""
		goal = "" if self.goal is None else f"{self.goal:g} {'x' if self.rival else self.unit}"
		mark = {None: "", True: "met", False: "MISSED"}[self.met]
		return (f"{self.what:<34} {self.value:>6.3g} {self.unit:<5} {rival:<22} {ratio:>7} "
			f"{goal:>7}  {self.bar()} {mark}").rstrip()

	def as_dict(self):
		return {"what": self.what, "value": self.value, "unit": self.unit, "against": self.against,
			"rival": self.rival, "ratio": self.ratio, "goal": self.goal, "met": self.met,
			"note": self.note}


# --- looking at processes ---

def cpu_s(pid):
	"""Processor time of all threads, to the nanosecond (the process's own clock)."""
	return time.clock_gettime((~pid << 3) | 2)


def written_bytes(pid):
	with open(f"/proc/{pid}/io", encoding="ascii") as file:
		return next(int(line.split()[1]) for line in file if line.startswith("write_bytes"))


def device_bytes(folder):
	"""What the folder's block device was given to write, by anybody; None if unknown."""
	device = os.stat(folder).st_dev
	try:
		with open(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat", encoding="ascii") as file:
			return int(file.read().split()[6]) * 512
	except OSError:
		return None


def memory_kb(pid):
	"""VmRSS, and of it what is this process's share and its alone."""
	sizes = {}
	for name in ("status", "smaps_rollup"):
		with open(f"/proc/{pid}/{name}", encoding="ascii", errors="replace") as file:
			for line in file:
				words = line.split()
				if len(words) == 3 and words[2] == "kB":
					sizes[words[0].rstrip(":")] = int(words[1])
	return sizes["VmRSS"], sizes["Pss"], sizes["Private_Clean"] + sizes["Private_Dirty"]


def quantile(values, part):
	ordered = sorted(values)
	return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


# --- boxes ---

def board_file(folder):
	"""The simulated board with the shortest debouncing there is."""
	path = os.path.join(folder, "bench.board")
	with open(os.path.join(ROOT, "board/sim.conf"), encoding="utf-8") as source, \
			open(path, "w", encoding="utf-8") as file:
		file.write(source.read().replace("[board]\n", f"[board]\ndebounce_ms = {DEBOUNCE_MS}\n"))
	return path


def make_sound(folder):
	"""The spoken lesson as a 48 kHz card would give it."""
	path = os.path.join(folder, "lesson.wav")
	subprocess.run(["sox", os.path.join(ROOT, "build/lesson/lesson.wav"), "-b", "16", "-c", "1",
		"-r", str(RATE_HZ), path], check=True)
	return path


def make_box(folder, wav, **arguments):
	return Box(wav=wav, wall=None, board=board_file(folder), env={"CHALKBOX_SIM_END": "loop"},
		**arguments)


def live(box):
	box.wait_entry("mic", lambda entry: entry["value"] == MIC_STATES.index("live"))


def begin_lesson(box):
	box.press("5", box.now())
	box.wait_entry("observation_start")


# --- measurements ---

def presses(box, n):
	"""
	n presses and n bare writes in turn: ms of each, bytes written a press by the
	recorder, and a sentence on what the block device got.
	"""
	before, device_before = written_bytes(box.pid), device_bytes(box.state)
	run = subprocess.run([os.path.join(BUILD, "tests/bench/presses"),
		os.path.join(box.runtime, "board.sock"), os.path.join(box.folder, "bare"), str(n)],
		capture_output=True, text=True, check=False)
	if run.returncode != 0:
		raise Failed(f"{run.stderr.strip()}{box.said()}")
	rows = [[int(word) / 1e6 for word in line.split()] for line in run.stdout.splitlines()]
	here, lamp, bare = (list(column) for column in zip(*rows))
	written, device_after = written_bytes(box.pid) - before, device_bytes(box.state)
	device = "what the block device got is not known here" if device_after is None else (
		f"the block device got {(device_after - device_before) / n / 1000 - 4.096:.1f} kB a press "
		"besides the bare blocks, from whoever wrote")
	return here, lamp, bare, written / n, device


def press_figures(where, run):
	here, lamp, bare, _, _ = run
	confirmed = [ms - DEBOUNCE_MS for ms in lamp]
	note = (f"from the edge's stamp to the lamp's, less {DEBOUNCE_MS} ms of debouncing; seen by the "
		f"presser at p50 {quantile(here, 0.5) - DEBOUNCE_MS:.2f}, "
		f"p99 {quantile(here, 0.99) - DEBOUNCE_MS:.2f} ms; {len(here)} presses")
	return [Figure(f"press to lamp, {where}, {name}", quantile(confirmed, part), "ms", "fdatasync",
		quantile(bare, part), goal, note) for name, part, goal in (("p50", 0.5, None), ("p99", 0.99, 2))]


def quiet(folder, wav, n):
	"""Presses without sound, while another box and arecord listen."""
	with make_box(folder, wav, sound=False) as pressed, make_box(folder, wav) as listening:
		live(listening)
		begin_lesson(listening)
		with subprocess.Popen(ARECORD, env=listening.environment()) as rival:
			try:
				listening.sleep_until(listening.now() + 3) # what opening costs is past
				began = time.monotonic()
				before = cpu_s(listening.pid), cpu_s(rival.pid)
				run = presses(pressed, n)
				after = cpu_s(listening.pid), cpu_s(rival.pid)
				took_s = time.monotonic() - began
				if rival.poll() is not None:
					raise Failed("arecord ended")
				if n >= 500:
					listening.sleep_until(RING_S + 2)
				memory = memory_kb(listening.pid)
				heard_s = listening.now()
			finally:
				rival.terminate()
		listening.stop()
		pressed.stop()
	ours, theirs = ((b - a) / took_s * 1e3 for a, b in zip(before, after))
	rss, pss, private = (kb / 1024 for kb in memory)
	return press_figures("sound off", run) + [
		Figure("written a press, sound off", run[3] / 1000, "kB", goal=12,
			note=f"write_bytes of /proc/PID/io; press and release are a commit each; {run[4]}"),
		Figure("listening, of one processor", ours, "ms/s", "arecord", theirs, 1.5,
			f"an observation open, no snippet, {took_s:.0f} s; both play the sound file themselves"),
		Figure(f"memory, {min(heard_s, RING_S):.0f} s of sound in the ring", rss, "MiB", goal=16,
			note=f"VmRSS; of it proportional {pss:.1f}, private {private:.1f} MiB"),
	]


def loud(folder, wav, n):
	"""Presses while a snippet is being encoded all the time."""
	with make_box(folder, wav) as box:
		live(box)
		run = presses(box, n)
		box.stop()
	return press_figures("sound on", run)


def cut_sound(wav, box, snippets, path):
	"""What the snippets hold, out of the looping sound file."""
	seconds = 0
	with wave.open(wav) as source, wave.open(path, "wb") as file:
		file.setparams(source.getparams())
		for snippet in snippets:
			frame = round(snippet.begin * RATE_HZ)
			left = round((snippet.end - snippet.begin) * RATE_HZ)
			seconds += left / RATE_HZ
			while left > 0:
				source.setpos(frame % source.getnframes())
				n = min(left, source.getnframes() - source.tell())
				file.writeframes(source.readframes(n))
				frame, left = frame + n, left - n
	return seconds


def opusenc_s(wav, folder):
	"""Processor time of opusenc on that file."""
	before = resource.getrusage(resource.RUSAGE_CHILDREN)
	subprocess.run(OPUSENC + [wav, os.path.join(folder, "rival.opus")], check=True)
	after = resource.getrusage(resource.RUSAGE_CHILDREN)
	return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def encoding_turn(folder, wav, windows):
	"""
	What a second of kept sound costs beyond listening, opusenc for the same, and
	listening, in s/s; and how much was kept.
	"""
	with make_box(folder, wav, speed=ENCODE_SPEED) as box:
		live(box)
		begin_lesson(box)
		box.sleep_until(box.now() + 12) # the clock's line is fitted, pre-roll is there
		listen = box.now(), cpu_s(box.pid)
		box.sleep_until(listen[0] + 20)
		begin = box.now(), cpu_s(box.pid)
		for i in range(windows):
			box.press("1", begin[0] + 1 + i * ENCODE_EVERY_S)
		# 20 s after the last press, and until a press could have looked back
		over = begin[0] + 1 + (windows - 1) * ENCODE_EVERY_S + 20 + 10 + 2
		box.sleep_until(over)
		box.wait_entry("snippet", lambda entry: entry["body"]["to_ns"] >= box.ns(over - 13))
		end = box.now(), cpu_s(box.pid)
		snippets = box.snippets()
		cut = os.path.join(folder, "cut.wav")
		kept_s = cut_sound(wav, box, snippets, cut)
		box.stop()
	listening = (begin[1] - listen[1]) / (begin[0] - listen[0])
	ours = (end[1] - begin[1] - listening * (end[0] - begin[0])) / kept_s
	theirs = sum(opusenc_s(cut, folder) for _ in range(2)) / 2 / kept_s
	return ours, theirs, listening, kept_s


def encoding(folder, wav, turns, windows):
	"""The middle one of some turns: what the processor gives swings with its other guests."""
	seen = sorted((encoding_turn(folder, wav, windows) for _ in range(turns)),
		key=lambda turn: turn[0] / turn[1])
	ours, theirs, listening, kept_s = seen[turns // 2]
	spread = ", ".join(f"{mine / other:.2f}" for mine, other, *_ in seen)
	return [Figure("encoding, of one processor", ours * 1e3, "ms/s", "opusenc", theirs * 1e3, 1.2,
		f"a second of kept sound beyond listening ({listening * 1e3:.2f} ms/s); {kept_s:.0f} s of sound "
		f"at speed {ENCODE_SPEED}, ratios {spread}; ours hashes, draws peaks and is synced every "
		"second as well")]


# --- telling ---

def file_system(folder):
	"""The mount that holds the folder: (type, device, where)."""
	device = os.stat(folder).st_dev
	number = f"{os.major(device)}:{os.minor(device)}"
	with open("/proc/self/mountinfo", encoding="utf-8") as file:
		for line in file:
			words = line.split()
			rest = words[words.index("-") + 1:]
			if words[2] == number:
				return rest[0], rest[1]
	return "unknown file system", "?"


def machine():
	name = platform.machine()
	with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
		for line in file:
			if line.startswith(("model name", "Model")):
				name = line.split(":", 1)[1].strip()
	return f"{name}, {os.cpu_count()} processors, Linux {platform.release()}"


def tell(figures, about):
	print(f"\nChalkbox on {about['machine']}\nfiles on {about['file_system']}; load {about['load']}\n")
	print(f"{'':<34} {'ours':>9}    {'against':<22} {'ratio':>7} {'goal':>7}")
	for figure in figures:
		print(figure.row())
	print("\n" + "\n".join(f"- {what}: {note}" for what, note in
		{f.what.rsplit(", p", 1)[0]: f.note for f in figures if f.note}.items()))


def main():
	parser = argparse.ArgumentParser(usage="bench.py [--json] [--quick] [--folder DIR]")
	parser.add_argument("--json", action="store_true")
	parser.add_argument("--quick", action="store_true")
	parser.add_argument("--folder", default=BUILD)
	arguments = parser.parse_args()
	for tool in ("arecord", "opusenc", "sox"):
		if not shutil.which(tool):
			sys.exit(f"bench: {tool} is missing; install alsa-utils, opus-tools and sox")
	n = 60 if arguments.quick else 500
	tempfile.tempdir = folder = tempfile.mkdtemp(prefix="bench-", dir=arguments.folder)
	try:
		wav = make_sound(folder)
		about = {"machine": machine(), "file_system": "{} ({})".format(*file_system(folder)),
			"presses": n}
		figures = quiet(folder, wav, n) + loud(folder, wav, n) + encoding(folder, wav,
			1 if arguments.quick else 5, 2 if arguments.quick else 3)
		about["load"] = " ".join(f"{load:.1f}" for load in os.getloadavg())
	except (Failed, OSError, subprocess.CalledProcessError) as error:
		sys.exit(f"bench: not everything could be measured: {error}")
	finally:
		shutil.rmtree(folder, ignore_errors=True)
	if arguments.json:
		json.dump({**about, "figures": [figure.as_dict() for figure in figures]}, sys.stdout, indent="\t")
		print()
	else:
		tell(figures, about)


if __name__ == "__main__":
	main()
