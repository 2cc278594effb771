"""Time is honest: a box with a wrong clock records, and dates later what it can."""
import datetime
import json
import unittest

from harness import MORNING_NS, NS, Case

UNKNOWN_NS = 16 * NS


class Clock(Case):
	def lesson(self, wall, steps=()):
		"""A lesson of six seconds with presses each second; `steps`: (at, wall)."""
		box = self.box(sound=False, wall=wall, speed=4)
		begin = box.now() + 0.5
		self.begin = begin
		box.press("5", begin)
		for i in range(1, 6):
			for at, new in steps:
				if i == at:
					box.sleep_until(begin + i - 0.5)
					box.set_wall(*new)
			box.press("1", begin + i)
			box.wait_confirm(begin + i)
		box.stop()
		self.assertEqual([t_ns for _, t_ns in box.presses()],
			[box.ns(begin + i) for i in range(1, 6)])
		return box

	def wall_of(self, box, at):
		return (MORNING_NS + at * NS) / NS

	def test_a_trusted_clock_dates_every_event(self):
		box = self.lesson((MORNING_NS, True, 4_000_000))
		timeline = box.timeline()
		self.assert_dated(box, timeline, 0.010)
		self.assertEqual([e["body"]["cause"] for e in box.entries("clock")], ["start"])

	def test_a_step_to_the_right_time_dates_what_was_before_it(self):
		"""It starts in 1970; NTP comes in the middle of the lesson."""
		box = self.lesson((100 * NS, False, UNKNOWN_NS), [(3, (MORNING_NS, True, 4_000_000))])
		clocks = box.entries("clock")
		self.assertFalse(clocks[0]["body"].get("trusted", False))
		self.assertTrue(clocks[-1]["body"]["trusted"])
		self.assertAlmostEqual((clocks[-1]["value"] - MORNING_NS) / NS, clocks[-1]["at"], delta=0.05)
		self.assert_dated(box, box.timeline(), 0.020)

	def test_a_clock_nobody_stands_behind_is_shown_as_unknown(self):
		box = self.lesson((100 * NS, False, UNKNOWN_NS))
		self.assertTrue(all(not e["body"].get("trusted", False) for e in box.entries("clock")))
		timeline = box.timeline()
		self.assertEqual(len(timeline["events"]), 5)
		for moment in timeline["events"] + [timeline["start"]]:
			self.assertIsNone(moment["wall"])
			self.assertIsNone(moment["uncertainty"])
		self.assertNotIn("1970", json.dumps(timeline))
		for shown in (box.cli("show", "last").stdout, box.cli("observations").stdout):
			self.assertNotIn("1970", shown)
			self.assertIn("unknown", shown)

	def test_the_amber_lamp_says_that_the_clock_is_unknown_until_it_is(self):
		box = self.box(sound=False, wall=(100 * NS, False, UNKNOWN_NS))
		box.wait_lamp("amber", 1)
		at = box.now()
		box.set_wall(MORNING_NS, True, 4_000_000)
		box.wait_lamp("amber", 0, at)
		box.stop()

	def test_a_step_back_moves_no_event(self):
		box = self.lesson((MORNING_NS + 3600 * NS, True, 4_000_000),
			[(3, (MORNING_NS, True, 4_000_000))])
		stamps = [t_ns for _, t_ns in box.presses()]
		self.assertEqual(stamps, sorted(stamps))
		self.assertGreaterEqual(len(box.entries("clock")), 2)
		box.timeline()

	def assert_dated(self, box, timeline, slack_s):
		"""Events' wall times are right within their uncertainty, and that is small."""
		events = timeline["events"]
		self.assertEqual(len(events), 5)
		for i, event in enumerate(events, 1):
			right = self.wall_of(box, self.begin + i)
			wall = datetime.datetime.fromisoformat(event["wall"]).timestamp()
			self.assertLess(event["uncertainty"], 0.05)
			self.assertAlmostEqual(wall, right, delta=event["uncertainty"] + slack_s)


if __name__ == "__main__":
	unittest.main()
