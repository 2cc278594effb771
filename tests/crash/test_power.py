"""
Promise 1 against a real power cut, which takes what was not synced: one run is
traced, its writes are replayed onto a model of a disk, and the power goes after
each of them. The disk then holds what was synced and nothing else; or, of the
rest, whatever it happened to have written, sector by sector.

CHALKBOX_CRASH_POINTS=N takes N cuts of each sort instead of USUAL; "all", all.
"""
import codecs
import copy
import os
import random
import re
import sys
import time
import unittest
from unittest import mock

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import crash # noqa: E402 (the path above leads to it)
import harness # noqa: E402
import trace # noqa: E402
from crash import Story, new_box, stopwatch, strace # noqa: E402

USUAL = 120
SECTOR = 512
SEED = int(os.environ.get("CHALKBOX_CRASH_SEED", "20261121"))
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')


def strings(text):
	return [codecs.decode(found, "unicode_escape").encode("latin-1")
		for found in STRING.findall(text)]


class File:
	"""What of a file is on the disk, and what is on its way there."""

	def __init__(self):
		self.synced, self.waiting, self.bytes = b"", [], 0

	def write(self, at, data):
		self.waiting.append((at, data))
		self.bytes = max(self.bytes, at + len(data))

	def resize(self, bytes_):
		self.waiting.append((bytes_, None))
		self.bytes = bytes_

	@staticmethod
	def _with(content, ops):
		content = bytearray(content)
		for at, data in ops:
			if data is None:
				del content[at:]
			content.extend(bytes(max(0, at - len(content))))
			if data is not None:
				content[at:at + len(data)] = data
		return bytes(content)

	def sync(self):
		self.synced, self.waiting = self._with(self.synced, self.waiting), []

	def cut(self, source):
		"""What is found after the power came back; source None: only what was synced."""
		if source is None:
			return self.synced
		ops = []
		for at, data in self.waiting:
			if data is None:
				ops += [(at, None)] if source.random() < 0.5 else []
				continue
			for i in range(0, len(data), SECTOR):
				if source.random() < 0.5:
					ops.append((at + i, data[i:i + SECTOR]))
		return self._with(self.synced, ops)


class Disk:
	"""A folder's files; names last when their folder was synced."""

	def __init__(self, top):
		self.top = top
		self.names, self.kept, self.waiting = {}, {}, []

	def _change(self, path, file):
		self.waiting.append((path, file))
		if file is None:
			self.names.pop(path, None)
		else:
			self.names[path] = file

	def take(self, call):
		"""True if the call changed anything here."""
		if call.result.startswith("-"):
			return False
		said = strings(call.text)
		if call.name == "openat":
			path = said[0].decode()
			if not path.startswith("/"): # under the folder of the descriptor before it
				path = os.path.join(call.path, path)
			if not path.startswith(self.top) or "O_CREAT" not in call.text or \
					path in self.names:
				return False
			self._change(path, File())
		elif call.name.startswith("rename"):
			old, new = (os.path.join(call.path, name.decode()) for name in said)
			file = self.names[old]
			self._change(new, file)
			self._change(old, None)
		elif call.name.startswith("unlink"):
			path = os.path.join(call.path, said[0].decode())
			if path not in self.names:
				return False
			self._change(path, None)
		elif not call.path.startswith(self.top):
			return False
		elif call.name in ("fsync", "fdatasync"):
			if call.path in self.names:
				self.names[call.path].sync()
			else:
				self._sync_folder(call.path)
		elif call.path not in self.names:
			return False
		else:
			self._write(self.names[call.path], call, said)
		return True

	@staticmethod
	def _write(file, call, said):
		last = call.text.rsplit(", ", 1)[1]
		if call.name == "pwrite64":
			file.write(int(last), said[0][:int(call.result)])
		elif call.name == "write": # our files are written from end to end
			file.write(file.bytes, said[0][:int(call.result)])
		elif call.name == "ftruncate":
			file.resize(int(last))

	def _sync_folder(self, folder):
		for path, file in self.waiting:
			if os.path.dirname(path) == folder:
				self._keep(self.kept, path, file)
		self.waiting = [op for op in self.waiting if os.path.dirname(op[0]) != folder]

	@staticmethod
	def _keep(names, path, file):
		if file is None:
			names.pop(path, None)
		else:
			names[path] = file

	def cut(self, source):
		"""{path: content} as found after a cut now."""
		names = dict(self.kept)
		if source is not None: # a file system keeps the order of its names
			for path, file in self.waiting[:source.randint(0, len(self.waiting))]:
				self._keep(names, path, file)
		return {path: file.cut(source) for path, file in names.items()
			if not path.endswith(("-shm", ".lock", "reserve"))}


def traced():
	"""A run with nothing wrong: its box and story, and its calls."""
	box = new_box()
	log = os.path.join(box.folder, "strace")
	box.wrapper = strace(log=log, also="openat,sendto", options=["-ttt", "-s", "100000"])
	story = Story(box)
	ahead_s = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)
	if not story.run():
		raise harness.Failed("the recorder was killed, and not by us" + box.said())
	return box, story, trace.calls(log), ahead_s


def cuts(box, story, calls, ahead_s):
	"""After each call that changes the disk: (image, image of chance, story so far)."""
	disk, confirmed, source = Disk(box.state + "/"), 0, random.Random(SEED)
	disk.top = box.state
	for call in calls:
		if call.name == "sendto" and '"lamp vibration 1' in call.text:
			confirmed += 1
		elif disk.take(call):
			so_far = copy.copy(story)
			so_far.confirmed = story.confirmed[:confirmed]
			so_far.killed_ns = box.epoch_ns + int(
				((call.real_s - ahead_s) * harness.NS - box.epoch_ns) * box.speed)
			yield disk.cut(None), disk.cut(source), so_far
	if confirmed != len(story.confirmed):
		raise harness.Failed(f"{confirmed} confirmations were traced, "
			f"{len(story.confirmed)} seen")


def found_after(image, story, strict):
	"""What is wrong after a start on that disk, and the sound that was lost."""
	later = copy.copy(story)
	later.box = box = new_box(epoch_ns=story.box.epoch_ns)
	try:
		os.makedirs(os.path.join(box.state, "snippets"), exist_ok=True)
		for path, content in image.items():
			with open(box.state + path[len(story.box.state):], "wb") as file:
				file.write(content)
		crash.again(box)
		found = crash.judge(later)
		if not strict: # sectors out of order are damage, and the file is kept as found
			found = [text for text in found if ".opus.damaged" not in text]
		return found, crash.sound_lost(later, found)
	except harness.Failed as why:
		return [str(why)], None
	finally:
		box.close()


@unittest.skipUnless(crash.have_strace(), "strace may not trace here")
class Power(harness.Case):
	maxDiff = None

	def traced(self):
		run = traced()
		self.addCleanup(run[0].close)
		return run

	def cut(self, usual):
		run = crash.in_peace(self.traced)
		points = list(cuts(*run))
		chosen = crash.thinned(points, crash.wanted_points(usual))
		failures, worst = [], 0.0
		with stopwatch() as seconds:
			for words, i in (("only what was synced", 0), ("some of the rest", 1)):
				results = crash.each(lambda point, i=i: found_after(point[i], point[2], i == 0),
					chosen)
				failures += [f"{words}, {len(point[2].confirmed)} confirmed: {text}"
					for point, (found, _) in results for text in found]
				worst = max([worst] + [lost for _, (_, lost) in results if lost is not None])
		return failures, worst, len(chosen), len(points), seconds()

	def test_a_power_cut_after_any_write_loses_nothing_that_was_confirmed(self):
		failures, worst, chosen, total, seconds = self.cut(USUAL)
		print(f"\n| power cut after {chosen} of {total} changes of the disk, twice; the snippet "
			f"being written lost {worst:.2f} s at most, {seconds:.0f} s", flush=True)
		self.assertEqual(failures, [])
		if chosen >= USUAL:
			self.assertGreater(worst, 0, "no snippet was cut in the middle")

	def test_a_build_that_does_not_sync_is_seen(self):
		broken = crash.broken_build(self.folder(), "app/journal/database.c",
			{"synchronous=FULL": "synchronous=OFF"})
		with mock.patch.object(harness, "BUILD", broken):
			failures, _, chosen, _, _ = self.cut(20)
		lost = [text for text in failures if "was confirmed and is in the journal 0" in text]
		print(f"\n| a build that does not sync: {len(lost)} events lost in {2 * chosen} cuts",
			flush=True)
		self.assertGreater(len(lost), 0)


if __name__ == "__main__":
	unittest.main()
