"""
Promise 1, and nothing recorded is lost: the recorder is killed before its Nth
write, sync, rename and so on, for every N of a short observation, and started
anew. What a lamp had confirmed must be there, once. Then a start is killed in the
same way while it puts right what the first kill left.

A kill takes nothing from the kernel's memory: that data is synced before a lamp
says so is for test_power.py to see.

CHALKBOX_CRASH_POINTS=N takes N points of each system call instead of all.
"""
import copy
import os
import shutil
import sys
import unittest
from unittest import mock

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import crash # noqa: E402 (the path above leads to it)
import harness # noqa: E402
from crash import Story, each, new_box, steady, stopwatch, strace # noqa: E402


def killed_at(point):
	"""One run, cut at (call, n): what is wrong, how much sound was lost, was it cut."""
	call, n = point
	box = new_box(strace(f"{call}:signal=KILL:when={n}"))
	try:
		story = Story(box)
		whole = story.run()
		crash.again(box)
		found = crash.judge(story, cut=not whole)
		lost = None if whole else crash.sound_lost(story, found)
		return found, lost, not whole, len(story.confirmed)
	except harness.Failed as why:
		return [str(why)], None, True, 0
	finally:
		box.close()


def killed_twice_at(story, point):
	"""What is wrong after the start that follows a kill was itself cut there."""
	call, n = point
	later = copy.copy(story)
	later.box = box = new_box(strace(f"{call}:signal=KILL:when={n}"),
		epoch_ns=story.box.epoch_ns)
	try:
		shutil.copytree(story.box.state, box.state)
		cut = not crash.started_and_stopped(box)
		crash.again(box)
		found = crash.judge(later)
		crash.sound_lost(later, found)
		return found, cut
	except harness.Failed as why:
		return [str(why)], True
	finally:
		box.close()


@unittest.skipUnless(crash.have_strace(), "strace may not trace here")
class Kill(harness.Case):
	maxDiff = None

	def test_a_kill_at_any_step_loses_nothing_that_was_confirmed(self):
		counts = crash.record()
		want, cuts, worst, failures = crash.wanted_points(), 0, 0.0, []
		for call in sorted(counts):
			points = crash.points_of(call, counts, want)
			with stopwatch() as seconds:
				results = each(steady(killed_at), points)
			cut = sum(result[2] for _, result in results)
			cuts += cut
			worst = max([worst] + [r[1] for _, r in results if r[1] is not None])
			failures += [f"{call} {n}: {text}" for (_, n), (found, *_) in results
				for text in found]
			print(f"\n| killed at {call}: {cut} of {counts[call]} points, {seconds():.0f} s",
				flush=True)
		print(f"\n| killed at {cuts} of {counts.total()} points; the snippet being written "
			f"lost {worst:.2f} s at most", flush=True)
		self.assertEqual(failures, [])
		if want is None:
			self.assertGreater(cuts, 0.95 * counts.total())
			self.assertGreater(worst, 0, "no snippet was cut in the middle")

	def killed_story(self, point):
		box = new_box(strace(f"{point[0]}:signal=KILL:when={point[1]}"))
		self.addCleanup(box.close)
		story = Story(box)
		self.assertFalse(story.run(), "it was to be killed")
		return story

	def test_a_kill_while_an_earlier_kill_is_put_right_loses_nothing(self):
		counts = crash.record()
		want, cuts, total, failures = crash.wanted_points(), 0, 0, []
		# in the middle of a snippet, and with one journalled but not yet renamed
		for first in (("write", counts["write"] * 4 // 5), ("renameat", 1)):
			story = crash.in_peace(lambda first=first: self.killed_story(first))
			steps = crash.steps_of_a_start(story.box)
			points = [p for call in sorted(steps) for p in crash.points_of(call, steps, want)]
			with stopwatch() as seconds:
				results = each(steady(lambda point, story=story: killed_twice_at(story,
					point)), points)
			cut = sum(result[1] for _, result in results)
			cuts, total = cuts + cut, total + steps.total()
			failures += [f"after {first}: {point}: {text}" for point, (found, _) in results
				for text in found]
			print(f"\n| killed at {first[0]} {first[1]}, then in the next start: {cut} of "
				f"{steps.total()} points, {seconds():.0f} s", flush=True)
		self.assertEqual(failures, [])
		self.assertGreater(cuts, 0)

	def test_a_build_that_confirms_too_early_is_seen(self):
		saves = "\tint r = saver_save(&box->saver, now_ns, publish, box);\n"
		begins = "/* Journal first, lamps after."
		broken = crash.broken_build(self.folder(), "firmware/box.c", {
			begins: "static void show(struct box *box);\n" + begins,
			saves: "\tif (box->confirm) {\n"
				"\t\tlamps_confirm(&box->panel.lamps, clock_now_ns());\n"
				"\t\tshow(box);\n\t}\n" + saves})
		counts = crash.record()
		with mock.patch.object(harness, "BUILD", broken):
			results = each(killed_at, crash.points_of("pwrite64", counts, 40))
		lost = [text for _, (found, *_) in results for text in found
			if "was confirmed and is in the journal 0 times" in text]
		print(f"\n| a build that confirms too early: seen at {len(lost)} of {len(results)} "
			"points", flush=True)
		self.assertGreater(len(lost), 0)


if __name__ == "__main__":
	unittest.main()
