"""
Files that came to harm while the recorder was off: the journal's cut short,
overwritten, swapped; snippets torn at every byte of their end, bits flipped.
The recorder starts and records; what cannot be read is kept beside; `chalkbox
check` tells. CHALKBOX_CRASH_SEED: another seed for the random places.
"""
import os
import random
import shutil
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import crash # noqa: E402 (the path above leads to it)
import harness # noqa: E402
from crash import Story, new_box, stopwatch # noqa: E402

SEED = int(os.environ.get("CHALKBOX_CRASH_SEED", "20261121"))
RUINS = 120 # of the journal, beside those that are always tried
TAIL_BYTES = 4096
FLIPS = 200
PARTS_A_START = 400
SLOW_PRESSES = [(0, "1", 0.1), (0, "3", 0.1), (0, "2", 0.1)]


def whole(path):
	with open(path, "rb") as file:
		return file.read()


def put(path, data):
	with open(path, "wb") as file:
		file.write(data)


def kept_in(box):
	"""(kind, t_ns, code) of all entries, whatever their bodies hold."""
	db = sqlite3.connect(os.path.join(box.state, "journal.db"))
	try:
		return {(harness.KINDS[kind] if 0 < kind < len(harness.KINDS) else "?", t_ns, code)
			for kind, t_ns, code in db.execute("SELECT kind, t_ns, code FROM entry")}
	finally:
		db.close()


def recorded(kill):
	"""A box with one observation; cut in the middle of it, or stopped."""
	box = new_box()
	box.start()
	story = Story(box)
	box.wait_lamp("red", 1)
	story.press("5", 0.1)
	for _, button, hold in SLOW_PRESSES:
		story.press(button, hold)
	if kill:
		folder = os.path.join(box.state, "snippets")
		box.wait_for(lambda: any(os.path.getsize(os.path.join(folder, name)) > 2 * TAIL_BYTES
			for name in os.listdir(folder)), "a snippet of some length")
		box.kill()
	else:
		box.stop()
	return box, story


def ruins(files, source):
	"""What can happen to the journal's files: (words, {name: bytes or None})."""
	yield "nothing at all", {}
	for name, data in files.items():
		yield f"{name} is empty", {name: b""}
		yield f"{name} is gone", {name: None}
		yield f"{name} is zeros", {name: bytes(len(data))}
		yield f"{name} is noise", {name: source.randbytes(len(data))}
		yield f"{name} is text", {name: b"not a database\n" * 100}
		yield f"{name} begins with zeros", {name: bytes(512) + data[512:]}
	names = list(files)
	if len(names) > 1:
		yield "both are noise", {name: source.randbytes(5000) for name in names}
		yield "they are swapped", dict(zip(names, [files[n] for n in reversed(names)]))
	for _ in range(RUINS):
		name = source.choice(names)
		data = bytearray(files[name])
		how = source.choice(["cut", "flip", "page", "zeros", "grown"])
		at = source.randrange(len(data))
		if how == "cut":
			del data[at:]
		elif how == "flip":
			for _ in range(source.randint(1, 5)):
				data[source.randrange(len(data))] ^= 1 << source.randrange(8)
		elif how == "page":
			at -= at % 1024
			data[at:at + 1024] = source.randbytes(len(data[at:at + 1024]))
		elif how == "zeros":
			data[at:at + 4096] = bytes(len(data[at:at + 4096]))
		else:
			data += source.randbytes(at)
		yield f"{name}: {how} at {at}", {name: bytes(data)}


def started_on_ruin(box, files, ruin):
	"""What is wrong with a start on these files."""
	words, changed = ruin
	copy = new_box(epoch_ns=box.epoch_ns)
	wrong = []
	try:
		shutil.copytree(box.state, copy.state)
		for name, data in changed.items():
			path = os.path.join(copy.state, name)
			if data is None:
				os.unlink(path)
			else:
				put(path, data)
		given = {name: whole(os.path.join(copy.state, name)) for name in files
			if os.path.exists(os.path.join(copy.state, name))}
		told = copy.cli("check", check=False)
		if told.returncode not in (0, 1) and not told.stderr.strip():
			wrong.append(f"check ended with {told.returncode} and no words")
		copy.start()
		story = Story(copy)
		copy.wait_lamp("red", 1)
		# an observation that a cut left open was ended at the start
		if not story.press("5", 0.1) or not story.press("1", 0.1):
			wrong.append("not confirmed")
		amber = copy.lamp("amber")
		copy.stop()
		after = copy.check("--decode") if not changed else copy.cli("check", check=False)
		kept = kept_in(copy)
		times = {(kind, t_ns) for kind, t_ns, _ in kept}
		for confirmed in story.confirmed:
			if (crash.KIND_OF[confirmed.button], confirmed.t_ns) not in times:
				wrong.append("confirmed, and not in the journal")
		aside = [n for n in os.listdir(copy.state) if n.startswith("journal.damaged-")]
		damage = any(kind == "fault" and code == "journal-damaged" for kind, _, code in kept)
		if amber != (damage or ("fault", "recovery") in {(kind, code) for kind, _, code in kept}):
			wrong.append(f"amber is {amber}: {copy.stderr()}")
		if aside:
			main = [n for n in aside if n.endswith(".db")]
			gone = changed.get("journal.db", b"") is None
			if not damage or len(main) != (0 if gone else 1) or \
					not any(name in copy.stderr() for name in aside):
				wrong.append(f"set aside as {aside} without a word: {copy.stderr()}")
			# (SQLite may have taken a -wal that it could read into the file)
			if main and len(aside) > 1 and whole(os.path.join(copy.state, main[0])) != \
					given.get("journal.db"):
				wrong.append("what was set aside is not what was found")
			if after.returncode != 0 and "journal:" in after.stdout:
				wrong.append(f"the new journal is not sound: {after.stdout}")
		elif damage:
			wrong.append("damage is shown and nothing was set aside")
		return wrong, bool(aside)
	except harness.Failed as why:
		return wrong + [str(why)], False
	finally:
		copy.close()


class DamagedJournal(harness.Case):
	maxDiff = None

	def ruined(self, kill, names):
		box, _ = recorded(kill)
		self.addCleanup(box.close)
		files = {name: whole(os.path.join(box.state, name)) for name in names}
		source = random.Random(SEED)
		with stopwatch() as seconds:
			results = crash.each(lambda ruin: started_on_ruin(box, files, ruin),
				list(ruins(files, source)))
		failures = [f"{words}: {text}" for (words, _), (wrong, _) in results for text in wrong]
		aside = sum(result[1] for _, result in results)
		print(f"\n| {len(results)} ways to harm {' and '.join(names)}: set aside {aside} times, "
			f"always recording, {seconds():.0f} s", flush=True)
		self.assertEqual(failures, [])
		self.assertGreater(aside, 0)

	def test_a_journal_harmed_while_the_box_was_off_is_set_aside_and_a_new_one_begun(self):
		self.ruined(False, ["journal.db"])

	def test_a_journal_harmed_after_a_cut_is_set_aside_or_read_as_far_as_it_is_sound(self):
		self.ruined(True, ["journal.db", "journal.db-wal"])


	def test_damage_that_an_earlier_start_had_no_time_to_say_is_said_by_the_next(self):
		box = new_box()
		self.addCleanup(box.close)
		os.mkdir(box.state)
		put(os.path.join(box.state, "journal.damaged-20250514T090000Z.db"), b"once a journal")
		for said, amber in ((1, 1), (1, 0)): # once, and lit as long as this run lasts
			box.start()
			box.wait_lamp("red", 1)
			box.wait_lamp("amber", amber)
			box.press("5", box.now())
			box.wait_lamp("green", 1)
			self.assertEqual(box.lamp("amber"), amber)
			box.stop()
			self.assertEqual([e["code"] for e in box.entries("fault")], ["journal-damaged"] * said)


class DamagedSnippet(harness.Case):
	maxDiff = None

	@classmethod
	def setUpClass(cls):
		cls.cut, cls.story = recorded(kill=True)
		cls.addClassCleanup(cls.cut.close)
		folder = os.path.join(cls.cut.state, "snippets")
		cls.name, = os.listdir(folder)
		cls.bytes = whole(os.path.join(folder, cls.name))

	def started_with(self, parts):
		"""The recorder, started and stopped with these beside nothing else."""
		box = new_box(epoch_ns=self.cut.epoch_ns)
		self.addCleanup(box.close)
		shutil.copytree(self.cut.state, box.state)
		folder = os.path.join(box.state, "snippets")
		os.unlink(os.path.join(folder, self.name))
		for name, data in parts.items():
			put(os.path.join(folder, name + ".opus.part"), data)
		box.start()
		box.wait_lamp("red", 1)
		amber = box.lamp("amber")
		box.stop()
		told = any(e["code"] == "recovery" for e in box.entries("fault"))
		self.assertEqual(amber, told, box.stderr())
		return box, sorted(os.listdir(folder))

	def torn_at(self, lengths, begin):
		"""Starts with the snippet torn at each; how many held sound."""
		parts = {f"torn-{n:06}": self.bytes[:n] for n in lengths}
		box, names = self.started_with(parts)
		self.assertEqual([n for n in names if not n.endswith(".opus")], [])
		box.check("--decode")
		self.assertNotIn("recovery: ", box.stderr())
		length_s = {s.file: s.end - s.begin for s in box.snippets()}
		self.assertEqual(sorted(length_s), names)
		for name, data in parts.items():
			if len(data) >= begin:
				self.assertIn(name + ".opus", length_s)
		# the more is left, the more sound: nothing is cut that is whole
		in_order = [length_s[name] for name in sorted(length_s)]
		self.assertEqual(in_order, sorted(in_order))
		return len(names)

	def test_a_snippet_torn_at_any_byte_of_its_end_is_repaired(self):
		begin = len(self.bytes) - TAIL_BYTES
		source = random.Random(SEED)
		lengths = list(range(begin, len(self.bytes) + 1)) + \
			[0, 1, 27, 28] + [source.randrange(begin) for _ in range(FLIPS)]
		with stopwatch() as seconds:
			sounds = sum(count for _, count in crash.each(
				lambda some: self.torn_at(some, begin),
				[lengths[i:i + PARTS_A_START] for i in range(0, len(lengths), PARTS_A_START)]))
		print(f"\n| torn at {len(set(lengths))} places: {sounds} snippets with sound, the rest held "
			f"none, {seconds():.0f} s", flush=True)

	def test_a_snippet_with_flipped_bits_is_repaired_or_set_aside_and_told(self):
		source = random.Random(SEED)
		parts = {}
		for i in range(FLIPS):
			data = bytearray(self.bytes)
			for _ in range(source.randint(1, 3)):
				data[source.randrange(len(data))] ^= 1 << source.randrange(8)
			parts[f"bits-{i:06}"] = bytes(data)
		parts["head-000001"] = b"X" + self.bytes[1:]
		parts["noise-000001"] = source.randbytes(20000)
		box, names = self.started_with(parts)
		self.assertEqual([n for n in names if n.endswith(".part")], [])
		aside = {n[:-len(".opus.damaged")] for n in names if n.endswith(".damaged")}
		sound = {n[:-len(".opus")] for n in names if n.endswith(".opus")}
		self.assertIn("head-000001", aside)
		self.assertIn("damaged; it is kept as ", box.stderr())
		for name, data in parts.items():
			if name == "noise-000001":
				continue # there is no sound in it
			self.assertTrue(name in aside or name in sound, name)
			if name in aside:
				self.assertEqual(whole(os.path.join(box.state, "snippets",
					name + ".opus.damaged")), data)
		told = box.cli("check", "--decode", check=False)
		self.assertEqual(told.returncode, 1)
		for line in told.stdout.splitlines()[:-1]:
			self.assertIn(".damaged: no entry of the journal names it", line)
		faults = [e["body"]["cause"] for e in box.entries("fault") if e["code"] == "recovery"]
		self.assertEqual(len(faults), 1, faults)
		print(f"\n| {len(parts)} snippets with flipped bits: {len(sound)} repaired, {len(aside)} "
			"kept as they were found", flush=True)

	def test_a_kept_snippet_that_was_changed_is_told_by_check(self):
		box, _ = recorded(kill=False)
		self.addCleanup(box.close)
		box.check("--decode")
		path = box.snippets()[0].path
		data = bytearray(whole(path))
		data[len(data) // 2] ^= 4
		for words, changed in (("SHA-256 differs", bytes(data)), ("bytes, but", data[:-1])):
			put(path, changed)
			told = box.cli("check", check=False)
			self.assertEqual(told.returncode, 1)
			self.assertIn(words, told.stdout)
			crash.again(box)
			self.assertEqual(whole(path), changed, "the recorder must not touch it")
		os.unlink(path)
		told = box.cli("check", check=False)
		self.assertEqual(told.returncode, 1)
		self.assertIn("is missing", told.stdout)


if __name__ == "__main__":
	unittest.main()
