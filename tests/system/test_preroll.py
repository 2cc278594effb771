"""The sound before the tap is there, for the second of two taps as well."""
import array
import os
import unittest

from harness import Case, find, noise, say, write_wav

RATE_HZ = 16000
BEFORE_S, AFTER_S = 10, 20 # of the default scheme
BLOCK = 800                # 0.05 s
LAG_MOST_S = 0.005
SECONDS = 110
BRIEF = """
[scheme]
name = brief
title = Brief
[code lesson]
title = Lesson
button = 5
kind = lesson
[code talk]
title = Talk
button = 1
kind = point
before = 2
after = 3
"""


def hiss(n, seed):
	"""Noise that is unlike itself at every other moment, without highest notes."""
	raw = noise(n + 3, seed, 16000)
	return array.array("h", [(a + b + c + d) // 4
		for a, b, c, d in zip(raw, raw[1:], raw[2:], raw[3:])])


class PreRoll(Case):
	worst = compared = 0

	@classmethod
	def tearDownClass(cls):
		super().tearDownClass()
		say(f"| the sound around taps, at 10x: off by at most {cls.worst * 1e3:.2f} ms "
			f"({cls.compared} blocks compared)")

	def record(self, taps, speed=10, end=SECONDS - 5):
		"""Presses the taps while the hiss plays; box and source."""
		source = hiss(SECONDS * RATE_HZ, 7)
		box = self.box(wav=write_wav(os.path.join(self.folder(), "hiss.wav"), source),
			speed=speed)
		box.wait_mic("live")
		for line, at in taps:
			box.press(line, at, hold=0.1)
		box.wait_sent()
		box.sleep_until(end)
		box.stop()
		self.assertEqual([t_ns for _, t_ns in box.presses()],
			[box.ns(at) for line, at in taps if line != "5"])
		return box, source

	def whole(self, box, source, begin, end):
		"""That the sound of [begin, end) is kept, and is that sound, block by block."""
		snippets = box.snippets()
		self.assertIsNone(box.missing(begin, end, snippets))
		for snippet in snippets:
			samples = snippet.samples16
			self.assertAlmostEqual(len(samples) / RATE_HZ, snippet.end - snippet.begin, delta=0.01)
			at = max(begin, snippet.begin) + 0.05
			while at < min(end, snippet.end) - BLOCK / RATE_HZ - 0.05:
				first = round(at * RATE_HZ)
				off, alike = find(source[first:first + BLOCK], samples,
					round(snippet.index(at, samples)), 80)
				self.assertGreater(alike, 0.6, f"the sound at {at:.3f} s is another")
				self.assertLess(abs(off) / RATE_HZ, LAG_MOST_S, f"at {at:.3f} s")
				PreRoll.worst = max(PreRoll.worst, abs(off) / RATE_HZ)
				PreRoll.compared += 1
				at += 0.5

	def test_taps_0_3_s_apart_each_have_their_whole_window(self):
		box, source = self.record([("1", 20.0), ("2", 20.3), ("1", 20.6)], end=60)
		self.whole(box, source, 10.0, 40.6)
		self.assertEqual(len(box.snippets()), 1)

	def test_taps_1_s_apart_each_have_their_whole_window(self):
		box, source = self.record([("1", 20.0), ("1", 21.0), ("1", 22.0)], end=60)
		self.whole(box, source, 10.0, 42.0)

	def test_taps_5_s_apart_each_have_their_whole_window(self):
		box, source = self.record([("1", 20.0), ("1", 25.0), ("2", 30.0), ("1", 35.0)], end=70)
		self.whole(box, source, 10.0, 55.0)

	def test_a_tap_at_the_seam_of_two_windows_misses_and_doubles_nothing(self):
		box, source = self.record([("1", 20.0), ("1", 49.9), ("1", 81.0)])
		self.whole(box, source, 10.0, 69.9)
		self.whole(box, source, 71.0, 101.0)
		for one, next_ in zip(box.snippets(), box.snippets()[1:]):
			self.assertGreater(next_.begin, one.end - 0.002)

	def test_taps_without_end_are_cut_at_two_minutes_without_a_hole(self):
		taps = [("1", 15.0 + 5 * i) for i in range(34)]
		box = self.box(wav=write_wav(os.path.join(self.folder(), "hiss.wav"),
			hiss(240 * RATE_HZ, 9)), speed=10)
		box.wait_mic("live")
		for line, at in taps:
			box.press(line, at)
		box.wait_sent()
		box.sleep_until(taps[-1][1] + 35)
		box.stop()
		snippets = box.snippets()
		self.assertIsNone(box.missing(5.0, taps[-1][1] + 20, snippets))
		for snippet in snippets:
			self.assertLessEqual(snippet.end - snippet.begin, 120.001)
		for one, next_ in zip(snippets, snippets[1:]):
			self.assertAlmostEqual(next_.begin, one.end, delta=0.001)

	def test_a_tap_soon_after_the_start_has_what_there_was(self):
		box, source = self.record([("5", 3.0), ("1", 5.0)], end=40)
		live = box.entries("mic")[0]["at"]
		self.whole(box, source, live, 25.0)

	def test_presses_that_come_late_together_each_have_their_whole_window(self):
		source = hiss(SECONDS * RATE_HZ, 7)
		box = self.box(wav=write_wav(os.path.join(self.folder(), "hiss.wav"), source), speed=10,
			scheme=BRIEF)
		box.wait_mic("live")
		box.sleep_until(23.0)
		for at in (10.0, 16.0): # two windows, both over by now
			box.send(f"edge 1 1 {box.ns(at)}")
			box.send(f"edge 1 0 {box.ns(at + 0.1)}")
		box.sleep_until(40)
		box.stop()
		self.assertEqual([t_ns for _, t_ns in box.presses()], [box.ns(10.0), box.ns(16.0)])
		self.whole(box, source, 8.0, 13.0)
		self.whole(box, source, 14.0, 19.0)
		self.assertTrue(all(snippet.complete for snippet in box.snippets()))

	def test_a_hold_keeps_the_sound_until_after_its_end(self):
		source = hiss(SECONDS * RATE_HZ, 7)
		box = self.box(wav=write_wav(os.path.join(self.folder(), "hiss.wav"), source), speed=10)
		box.wait_mic("live")
		box.press("1", 20.0, hold=31.0)
		box.wait_sent()
		box.sleep_until(85)
		box.stop()
		self.whole(box, source, 10.0, 71.0)


if __name__ == "__main__":
	unittest.main()
