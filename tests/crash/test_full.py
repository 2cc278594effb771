"""
A small disk, really filled: first to where sound stops, then to the last byte,
then the reserve as well, then emptied again. It is a file system in memory,
mounted where nobody else sees it.

As a program, `test_full.py --disk FOLDER`: the story on the disk mounted there.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import crash # noqa: E402 (the path above leads to it)
import harness # noqa: E402
from crash import Story # noqa: E402

DISK_MIB = 64
EVENTS = 10000
SPEED = 100
MIB = 1 << 20
MOUNTED = f'mount -t tmpfs -o size={DISK_MIB}m chalkbox-test "$0" && exec "$@"'


def private_mounts():
	"""The command that gives a program mounts of its own, or None and why."""
	why = ""
	for command in (["unshare", "-m"], ["unshare", "-rm"]):
		with tempfile.TemporaryDirectory() as folder:
			try:
				run = subprocess.run([*command, "sh", "-c", MOUNTED, folder, "true"],
					capture_output=True, text=True, check=False)
			except OSError as error:
				return None, str(error)
			if run.returncode == 0:
				return command, ""
			why = run.stderr.strip()
	return None, why


def fill(folder, name, leave_bytes=0):
	"""Takes room until only so much is left; to the last byte for 0."""
	path = os.path.join(folder, name)
	fs = os.statvfs(folder)
	with open(path, "ab", buffering=0) as file:
		os.posix_fallocate(file.fileno(), file.tell(),
			max(1, fs.f_bavail * fs.f_frsize - leave_bytes - fs.f_frsize))
		if leave_bytes:
			return
		file.seek(0, os.SEEK_END)
		try:
			while True:
				file.write(bytes(fs.f_frsize))
		except OSError:
			pass


class Events:
	"""Presses one after the other, each after the one before was confirmed."""

	def __init__(self, box):
		self.box = box
		self.story = Story(box)
		self.n = 0

	def press(self, patience=None):
		self.n += 1
		link = self.box._link
		if self.n % 100 == 0:
			with link.changed:
				del link.lamps[:-20] # or every wait would look at all there ever were
		return self.story.press("1" if self.n % 2 else "2", 0.03, patience)


def faults(box, name):
	return [e["value"] for e in box.entries("fault") if e["code"] == name]


def amber_changes(box, seconds):
	"""How often amber changes in the next simulated seconds."""
	after = box.now()
	time.sleep(seconds / box.speed)
	return sum(name == "amber" and at >= after for name, _, at in box.lamps)


def expect(what, true):
	if not true:
		raise harness.Failed(what)


def story(folder):
	for tell, sound in ((told_without_sound, False), (told, True)):
		box = crash.new_box(speed=SPEED, sound=sound, config={
			"box": {"state": os.path.join(folder, "state")},
			"observation": {"idle_min": 600},
			"storage": {"reserve_mib": 4, "sound_stops_mib": 1}})
		box.state = os.path.join(folder, "state")
		try:
			box.start()
			tell(box, folder)
			box.stop()
			box.check("--decode")
		finally:
			box.close()
			shutil.rmtree(box.state)


def told_without_sound(box, folder):
	"""Little room is shown by a box that keeps no sound, too."""
	events = Events(box)
	fill(folder, "filler", MIB // 2)
	box.wait_lamp("amber", 1)
	expect("an event is confirmed", events.press())
	expect("amber is steady", amber_changes(box, 3) == 0)
	os.unlink(os.path.join(folder, "filler"))
	box.wait_lamp("amber", 0)


def told(box, folder):
	events = Events(box)
	snippets = os.path.join(box.state, "snippets")
	reserve = os.path.join(box.state, "reserve")
	box.wait_lamp("red", 1)
	expect("a lesson starts", events.story.press("5", 0.05))
	expect("an event on an empty disk is confirmed", events.press())
	box.wait_for(lambda: os.listdir(snippets), "a snippet")

	# little room: sound stops, events do not
	fill(folder, "filler", MIB // 2)
	box.wait_mic("full")
	box.wait_lamp("amber", 1)
	expect("amber is steady", amber_changes(box, 3) == 0)
	expect("the fault is in the journal", faults(box, "snippets") == [1])
	kept = os.listdir(snippets)

	# no room at all: the reserve is for events
	fill(folder, "filler")
	begin = time.monotonic()
	for i in range(EVENTS):
		expect(f"event {i} on a full disk is confirmed", events.press())
	seconds = time.monotonic() - begin
	given = not os.path.exists(reserve)
	expect(f"no sound is kept on a full disk: {kept}, {os.listdir(snippets)}",
		[name for name in os.listdir(snippets) if name not in kept] == [])
	expect("the microphone stays without room", box.entries("mic")[-1]["value"] == 4)
	print(f"\n| {EVENTS} events after the disk was full, each confirmed, {seconds:.0f} s; the "
		f"reserve was {'given' if given else 'not touched'}", flush=True)

	# the reserve used up as well: nothing is confirmed, nothing is forgotten
	if not given:
		os.unlink(reserve)
	fill(folder, "filler2")
	last = 0
	while events.press(0.5):
		last += 1
		expect("the journal cannot grow for ever", last < 20000)
	for _ in range(5):
		expect("nothing is confirmed without room", not events.press(0.1))
	# (a try to save takes longer here than from one blink to the next)
	changes = amber_changes(box, 60)
	expect(f"amber is fast: {changes} changes in 60 s", changes > 3)
	expect("it still runs", box.running())

	# room again
	after = box.now()
	os.unlink(os.path.join(folder, "filler2"))
	os.unlink(os.path.join(folder, "filler"))
	box.wait_confirm(after)
	expect("events are confirmed again", events.press())
	kept_now = {(e["code"], e["t_ns"]) for e in box.entries("press")}
	pressed = {(crash.CODE_OF[button], t_ns) for button, t_ns in events.story.pressed
		if button in crash.CODE_OF}
	expect(f"all of {len(pressed)} presses are in the journal, those held back too",
		kept_now == pressed)
	expect("each once", len(box.entries("press")) == len(pressed))
	box.wait_mic("live", after)
	expect("the sound's fault is over", faults(box, "snippets") == [1, 0])
	expect("the journal's fault was shown and is over", faults(box, "journal") == [1, 0])
	box.wait_for(lambda: os.path.exists(reserve), "the reserve to be made anew")
	box.wait_lamp("amber", 0)
	before = len(os.listdir(snippets))
	expect("an event is confirmed", events.press())
	box.wait_for(lambda: len(os.listdir(snippets)) > before, "sound to be kept again")
	print(f"\n| {last} more events fitted after the reserve; {len(pressed)} presses kept, none "
		"lost", flush=True)


class FullDisk(harness.Case):

	def test_a_full_disk_stops_sound_first_then_shows_that_it_cannot_save(self):
		command, why = private_mounts()
		if command is None:
			self.skipTest(f"no file system can be mounted here: {why}")
		folder = self.folder()
		run = subprocess.run([*command, "sh", "-c", MOUNTED, folder, sys.executable, "-W",
			"ignore", "-u", os.path.abspath(__file__), "--disk", folder],
			capture_output=True, text=True, check=False)
		print(run.stdout, end="", flush=True)
		self.assertEqual(run.returncode, 0, run.stderr)


if __name__ == "__main__":
	if sys.argv[1:2] == ["--disk"]:
		story(sys.argv[2])
	else:
		unittest.main()
