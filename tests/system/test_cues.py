"""An interval prompt goes off on its second, and shows."""
import unittest

from harness import Case

SCHEME = """
[scheme]
name = cued
title = Cued
[code engagement]
title = Engagement
button = 2
kind = sample
levels = most, half, few
before = 2
after = 2
cue = 30
[code lesson]
title = Lesson
button = 5
kind = lesson
"""


class Cues(Case):
	def test_a_prompt_comes_every_interval_from_the_start_to_the_end(self):
		box = self.box(sound=False, scheme=SCHEME, speed=20)
		begin = box.now() + 2
		box.press("5", begin)
		box.press("2", begin + 31.5)
		box.press("5", begin + 130, hold=2.5)
		box.wait_sent()
		box.wait_entry("observation_end")
		box.sleep_until(begin + 200)
		box.stop()
		cues = box.entries("cue")
		self.assertEqual([(e["code"], e["t_ns"]) for e in cues],
			[("engagement", box.ns(begin) + i * 30_000_000_000) for i in range(1, 5)])
		start, = box.entries("observation_start")
		self.assertEqual({e["observation"] for e in cues}, {start["seq"]})
		self.assertEqual(len(box.timeline()["cues"]), 4)
		box.check()

	def test_a_prompt_blinks_twice_at_its_time(self):
		box = self.box(sound=False, scheme=SCHEME, speed=4)
		begin = box.now() + 1
		box.press("5", begin)
		box.wait_lamp("vibration", 1, begin + 29.9)
		box.sleep_until(begin + 31)
		box.stop()
		shown = [(level, at - begin) for name, level, at in box.lamps
			if name == "vibration" and begin + 29 < at < begin + 31]
		self.assertEqual([level for level, _ in shown], [1, 0, 1, 0])
		self.assertGreaterEqual(shown[0][1], 30)
		self.assertLess(shown[0][1], 30.3)
		self.assertLess(shown[-1][1] - shown[0][1], 1.0)

	def test_without_an_observation_nothing_prompts(self):
		box = self.box(sound=False, scheme=SCHEME, speed=40)
		box.sleep_until(80)
		box.stop()
		self.assertEqual(box.entries("cue"), [])


if __name__ == "__main__":
	unittest.main()
