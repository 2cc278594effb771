"""
The disk refuses: the Nth write, sync, rename and so on fails with "input/output
error" or "no space left", once, for a while or from then on. The recorder goes
on, says what is wrong, stops keeping sound before it stops keeping events,
confirms nothing that is not on disk, and is well again when the disk is.

Each place of the code that writes is hit, and as many points more as MORE says;
which, a seed decides that is printed (CHALKBOX_CRASH_SEED: that one again).
CHALKBOX_CRASH_POINTS=N takes N more; "all" takes all, which is for tests/run to do
one test at a time: 'tests/crash/test_errors.py -k once', '-k while' and '-k always'.
"""
import collections
import os
import random
import re
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import crash # noqa: E402 (the path above leads to it)
import harness # noqa: E402
import trace # noqa: E402
from crash import Story, new_box, stopwatch, strace # noqa: E402

SEED = int(os.environ.get("CHALKBOX_CRASH_SEED", time.time()))
ERRORS = ("EIO", "ENOSPC")
MORE = {"once": 35, "a while": 25, "always": 5}
# no two runs make quite as many calls: what was missed is tried again, at these many
# of the calls that it was seen at, this often
SHOTS, ROUNDS = 3, 5
A_WHILE = 12 # calls
PATIENCE_S = {"once": 10, "a while": 20, "always": 10}
COMMITS = ("pwrite64", "fdatasync") # what one is made of: refused always, none will come
NO_PATIENCE_S = 0.3
ALSO_TRACED = "openat,sendto,sendmsg"

Result = collections.namedtuple("Result", "wrong ready confirmed faults hit seen")


def place(call):
	"""Where it is made: of which file, and by whom."""
	name = os.path.basename(call.path)
	kind = "a snippet" if ".opus" in name else "a folder" if name.startswith("cb-") else name
	return f"{call.name} {kind} by " + " < ".join(call.stack)


def places(calls):
	"""{place: [(system call, its number)]} of what the thread that writes did on disk."""
	found, counts = collections.defaultdict(list), collections.Counter()
	for call in calls:
		if call.thread == calls[0].thread:
			counts[call.name] += 1
			if call.name != "write" or "/state/" in call.path:
				found[place(call)].append((call.name, counts[call.name]))
	return found


class Run:
	"""One story with an error in it, and what its parts had to say."""

	def __init__(self, point, stacks):
		self.call, self.n, self.error, self.length = point
		when = {"once": f"{self.n}", "a while": f"{self.n}..{self.n + A_WHILE - 1}",
			"always": f"{self.n}+"}[self.length]
		self.box = new_box()
		self.log = os.path.join(self.box.folder, "strace")
		self.box.wrapper = strace(f"{self.call}:error={self.error}:when={when}",
			log=self.log, also=ALSO_TRACED, options=["-k"] if stacks else [])
		self.story = Story(self.box)
		self.wrong = []
		self.ready = False
		self.code = None

	def tell(self):
		box = self.box
		try:
			box.start()
			self.ready = True
			none = self.length == "always" and self.call in COMMITS
			self.story.tell(NO_PATIENCE_S if none else PATIENCE_S[self.length])
			box.sleep_until(box.now() + 0.5)
			os.kill(box.pid, 15)
		except (harness.Failed, OSError) as why:
			if self.ready and box.running():
				self.wrong.append(str(why))
		try:
			self.code = box.process.wait(harness.DEADLINE_S)
		except subprocess.TimeoutExpired:
			self.wrong.append("it did not end")
		self.lamps = box.lamps if box.pid else []
		box.kill()
		self.said = box.stderr()

	def judge(self):
		self.story.killed_ns = self.box.now_ns()
		self._judge_end()
		crash.again(self.box)
		self.wrong += crash.judge(self.story, cut=self.code != 0 or self.length != "once",
			causes={"button", "recovered", "shutdown"})
		self.entries = self.box.entries()
		calls = trace.calls(self.log)
		self.injected = [c for c in calls if c.injected]
		self.places = places(calls)
		self._judge_durable(calls)
		if self.ready:
			self._judge_faults(calls)
			self._judge_confirmed()

	def _judge_end(self):
		if self.code == 0:
			return
		clear = "the last entries could not be saved: " if self.ready else "chalkboxd: "
		if self.code != 1 or clear not in self.said:
			self.wrong.append(f"it ended with {self.code} and said: {self.said}")

	def _judge_durable(self, calls):
		"""Every confirmation against the model of the disk; and a handle's end."""
		disk, stale, stopping = trace.Synced(), False, False
		for call in calls:
			if call.name == "sendmsg" and "STOPPING=1" in call.text:
				stopping = True
			if "journal.db-wal" in (call.path or call.text):
				disk.take(call)
				if call.injected and call.name in ("fdatasync", "fsync", "pwrite64"):
					stale = not stopping
			elif call.name == "openat" and 'journal.db"' in call.text:
				stale = False
			elif call.name == "sendto" and '"lamp vibration 1' in call.text:
				if stale:
					self.wrong.append("confirmed on a handle that had failed")
				unsafe = disk.unsafe()
				if unsafe:
					self.wrong.append(f"confirmed while of the log {unsafe}")
					return

	def _judge_faults(self, calls):
		raised = {e["code"] for e in self.entries if e["kind"] == "fault" and e["value"] == 1}
		over = {e["code"] for e in self.entries if e["kind"] == "fault" and e["value"] == 0}
		said = set(re.findall(r"^<4>(snippets|journal): .", self.said, re.M))
		due, hits = set(), 0
		ready = next(i for i, call in enumerate(calls) if "READY=1" in call.text)
		for call in calls[ready:]:
			if call.name == "sendmsg" and "STOPPING=1" in call.text:
				break
			if call.name == "unlink" and '/reserve"' in call.text and call.result == "0":
				hits = 0 # that is what it is for, and no fault
			elif call.injected and call.path.endswith(".part"):
				due.add("snippets")
			elif call.injected and "/journal.db" in call.path:
				hits += 1
				if hits > 2: # (closing it fails, too)
					due.add("journal")
		if hits:
			due.add("journal")
		if due - said and self.call != "write": # (which words are written with, too)
			self.wrong.append(f"{due} were hit, said was only {said}: {self.said}")
		if self.code == 0 and due - raised:
			self.wrong.append(f"{due} were hit, only {raised} are in the journal")
		if self.code == 0 and "journal" in raised - over:
			self.wrong.append("the journal is well again and does not say so")
		self.faults = said
		changes = [at for name, _, at in self.lamps if name == "amber" and at > 0]
		fast = any(b - a < 1.2 for a, b in zip(changes, changes[3:]))
		times = [e["at"] for e in self.entries if e["kind"] == "fault" and
			e["code"] == "journal"] # raised, over, raised, ...
		# (a short failure can be over before a busy machine has shown it at this speed)
		long = any(over - at > 4 for at, over in zip(times[::2], times[1::2]))
		if (long and not fast) or (fast and "journal" not in due):
			self.wrong.append(f"amber fast is {fast}, faults were due for {due}: {changes}, "
				f"journal's at {times}")
		if due == {"snippets"} and not any(
				name == "amber" and level and at > 0 for name, level, at in self.lamps):
			self.wrong.append("amber stayed dark though no sound was kept")

	def _judge_confirmed(self):
		"""Events are only lost to the lamps while the journal cannot be written."""
		all_ = 2 + len(crash.FIRST) + len(crash.THEN)
		hit = any(c.path.endswith(("journal.db-wal", "journal.db", "journal.db-shm"))
			for c in self.injected)
		if len(self.story.confirmed) != all_ and (self.length != "always" or not hit):
			self.wrong.append(f"only {len(self.story.confirmed)} of {all_} were confirmed")


def refused_at(point, stacks=False):
	run = Run(point, stacks)
	try:
		run.tell()
		run.judge()
		return Result(run.wrong, run.ready, len(run.story.confirmed),
			getattr(run, "faults", set()), {place(call) for call in run.injected}, run.places)
	except harness.Failed as why:
		return Result(run.wrong + [str(why)], run.ready, 0, set(), set(), {})
	finally:
		run.box.close()


@unittest.skipUnless(crash.have_strace(), "strace may not trace here")
class Errors(harness.Case):
	maxDiff = None

	def refused(self, length):
		source = random.Random(f"{SEED} {length}")
		calls = crash.steps(["-k"])
		counts = collections.Counter(call.name for call in calls)
		with stopwatch() as seconds:
			results, missed = self.hit_all(places(calls), length, source)
			known = {point for point, _ in results}
			rest = [point for name in counts for n in range(1, counts[name] + 1)
				for error in ERRORS if (point := (name, n, error, length)) not in known]
			want = crash.wanted_points(MORE[length])
			results += crash.each(crash.steady(refused_at), rest if want is None else
				source.sample(rest, min(want, len(rest))))
		met = collections.Counter(fault for _, result in results for fault in result.faults)
		of = len(places(calls))
		points = {point for point, result in results if result.hit}
		print(f"\n| refused {length} at {len(points)} of {2 * counts.total()} points and "
			f"{of - len(missed)} of {of} places, seed {SEED}, "
			f"{seconds():.0f} s; faults shown: {dict(met)}", flush=True)
		for at in missed:
			print(f"\n| not hit: {at}", flush=True)
		self.assertEqual([f"{point}: {text}" for point, result in results
			for text in result.wrong], [])
		self.assertLessEqual(len(missed), of // 10)
		self.assertGreater(met["journal"], 0)
		self.assertGreater(met["snippets"], 0)

	@staticmethod
	def hit_all(seen, length, source):
		"""Each place once; the results, and the places that were not to be hit."""
		seen, wanted, results, hit = collections.defaultdict(list, seen), list(seen), [], set()
		for i in range(1 + ROUNDS):
			points = {(*step, source.choice(ERRORS), length) for at in wanted if at not in hit
				for step in source.sample(seen[at], min(SHOTS if i else 1, len(seen[at])))}
			shot = crash.each(crash.steady(lambda point: refused_at(point, stacks=True)),
				sorted(points))
			results += shot
			for _, result in shot:
				hit |= result.hit
				for at, steps in result.seen.items():
					seen[at] += steps
		return results, [at for at in wanted if at not in hit]

	def test_a_disk_that_refuses_once_takes_nothing_that_was_confirmed(self):
		self.refused("once")

	def test_a_disk_that_refuses_for_a_while_is_written_again_afterwards(self):
		self.refused("a while")

	def test_a_disk_that_always_refuses_is_shown_and_confirms_nothing(self):
		self.refused("always")


if __name__ == "__main__":
	unittest.main()
