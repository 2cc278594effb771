"""The spoken lesson, end to end: what is pressed, heard, shown, cut."""
import math
import os
import re
import unittest
from operator import mul

from harness import LESSON, Case, find, read_wav, say

CODES = {"1": "questioning", "2": "engagement", "3": "transition"}
BLINK_MOST_S = 0.3


def script():
	"""The coach's presses: (at, line, "press" or "release")."""
	steps = []
	with open(os.path.join(LESSON, "lesson.presses"), encoding="utf-8") as file:
		for line in file:
			match = re.match(r"([\d.]+) (\S+) (press|release)$", line.strip())
			if match:
				steps.append((float(match[1]), match[2], match[3]))
	return steps


def truth():
	"""What is heard when: (from, to, speaker, what)."""
	with open(os.path.join(LESSON, "lesson.truth"), encoding="utf-8") as file:
		spans = [line.rstrip("\n").split("\t") for line in file if not line.startswith("#")]
	return [(float(begin), float(end), speaker, what) for begin, end, speaker, what in spans]


class Truth(unittest.TestCase):
	"""The lesson that the tests below play, against what is said about it."""

	@classmethod
	def setUpClass(cls):
		cls.sound, cls.rate_hz = read_wav(os.path.join(LESSON, "lesson.wav"))
		cls.spans = truth()

	def loud(self, begin, end):
		"""The level of a stretch, as the root of its mean square."""
		samples = self.sound[round(begin * self.rate_hz):round(end * self.rate_hz)]
		return math.sqrt(sum(map(mul, samples, samples)) / len(samples))

	def waits(self):
		ends = [0] + [end for _, end, _, _ in self.spans]
		begins = [begin for begin, _, _, _ in self.spans] + [len(self.sound) / self.rate_hz]
		return list(zip(ends, begins))

	def test_its_spans_lie_one_after_the_other(self):
		for begin, end in self.waits():
			self.assertLess(begin, end)
		for begin, end, speaker, what in self.spans:
			self.assertLess(begin, end)
			self.assertTrue(speaker and what)

	def test_every_span_is_loud_and_every_wait_is_quiet(self):
		spans = [self.loud(begin, end) for begin, end, _, _ in self.spans]
		waits = [self.loud(begin, end) for begin, end in self.waits()]
		apart_db = 20 * math.log10(min(spans) / max(waits))
		self.assertGreater(apart_db, 12)
		say(f"| the lesson's truth: {len(spans)} spans, the faintest {apart_db:.1f} dB above the "
			f"loudest of {len(waits)} waits")

	def test_each_span_is_loud_from_its_first_moment_to_its_last(self):
		for i, (begin, end, speaker, what) in enumerate(self.spans):
			if speaker == "class":
				continue # which comes and goes slowly
			for edge, out in ((begin, -1), (end, 1)):
				inside = max(self.loud(*sorted((edge - out * at, edge - out * (at + 0.02))))
					for at in (0, 0.02, 0.04))
				outside = self.loud(*sorted((edge + out * 0.01, edge + out * 0.11)))
				self.assertGreater(inside, 1.5 * outside, f"{what!r} at {edge:.3f} s")

	def test_the_coach_presses_after_what_it_is_about(self):
		"""A question is over when its button goes down, an answer has begun when it goes up."""
		asked = [end for _, end, _, what in self.spans if what.endswith("?")]
		begun = [begin for begin, _, _, _ in self.spans]
		downs = [(at, line) for at, line, what in script() if what == "press"]
		for at in (at for at, line in downs if line == "1"):
			self.assertTrue(any(0.1 < at - end < 0.5 for end in asked), f"{at:.3f} s")
		held = [(one[0], two[0]) for one, two in zip(script(), script()[1:])
			if one[1] == "1" and one[2] == "press" and two[0] - one[0] > 0.5]
		self.assertEqual(len(held), 3)
		for _, up in held:
			self.assertTrue(any(0.1 < up - begin < 0.2 for begin in begun), f"{up:.3f} s")


class SpokenLesson(Case):
	"""One lesson, recorded eight times as fast as it was given."""

	@classmethod
	def setUpClass(cls):
		super().setUpClass()
		cls.taken = None

	def lesson(self):
		"""Recorded once, looked at by every test below."""
		cls = type(self)
		if cls.taken is None:
			from harness import Box
			box = Box(wav=os.path.join(LESSON, "lesson.wav"), speed=8)
			cls.addClassCleanup(box.close)
			box.start()
			box.wait_mic("live")
			for at, line, what in script():
				box.edge(line, 1 if what == "press" else 0, at)
			box.wait_sent()
			box.wait_entry("observation_end")
			box.stop()
			cls.taken = box
		return cls.taken

	def test_every_press_and_release_is_kept_with_its_stamp(self):
		box = self.lesson()
		expected = [(CODES[line], what, box.ns(at)) for at, line, what in script() if line in CODES]
		kept = [(e["code"], e["kind"], e["t_ns"]) for e in box.entries()
			if e["kind"] in ("press", "release")]
		self.assertEqual(kept, expected)
		self.assertGreater(len(kept), 25)

	def test_a_release_points_at_its_press(self):
		box = self.lesson()
		presses = {e["seq"]: e for e in box.entries("press")}
		for release in box.entries("release"):
			press = presses.pop(release["ref"])
			self.assertEqual(press["code"], release["code"])
			self.assertEqual(release["value"], 0)
		self.assertEqual(presses, {})

	def test_the_lesson_button_starts_it_and_held_ends_it(self):
		box = self.lesson()
		presses = [at for at, line, what in script() if line == "5" and what == "press"]
		starts, ends = box.entries("observation_start"), box.entries("observation_end")
		self.assertEqual([(e["t_ns"], e["body"]["cause"]) for e in starts],
			[(box.ns(presses[0]), "button")])
		self.assertEqual([(e["t_ns"], e["body"]["cause"], e["observation"]) for e in ends],
			[(box.ns(presses[-1] + 2), "button", starts[0]["seq"])])

	def test_undo_points_at_the_slip(self):
		box = self.lesson()
		undo, = box.entries("undo")
		slip = [e for e in box.entries("press") if e["seq"] < undo["seq"]][-1]
		self.assertEqual(undo["ref"], slip["seq"])
		self.assertEqual(undo["t_ns"],
			next(box.ns(at) for at, line, what in script() if line == "4"))

	def test_each_press_has_its_whole_window_of_sound(self):
		box = self.lesson()
		snippets = box.snippets()
		live = box.entries("mic")[0]["at"]
		over = box.entries("observation_end")[0]["at"]
		for entry in box.entries("press"):
			missing = box.missing(max(entry["at"] - 10, live + 0.3),
				min(entry["at"] + 20, over), snippets)
			self.assertIsNone(missing, f"for the press at {entry['at']:.3f} s")
		for snippet in snippets:
			self.assertTrue(snippet.complete)
			self.assertLessEqual(snippet.end - snippet.begin, 120.001)
			self.assertAlmostEqual(len(snippet.samples) / 48000, snippet.end - snippet.begin,
				delta=0.01)

	def test_the_sound_is_the_lessons_at_every_press(self):
		box = self.lesson()
		source, rate_hz = read_wav(os.path.join(LESSON, "lesson.wav"))
		snippets = box.snippets()
		heard = {snippet.file: snippet.samples16 for snippet in snippets}
		worst = 0
		for entry in box.entries("press"):
			# the loudest fifth of a second of what made the coach press
			ats = [entry["at"] - 1.5 + 0.1 * i for i in range(14)]
			at = max(ats, key=lambda at: sum(map(abs,
				source[round(at * rate_hz):round((at + 0.2) * rate_hz)])))
			snippet = box.snippet_at(at, snippets)
			samples = heard[snippet.file]
			first = round(at * rate_hz)
			off, alike = find(source[first:first + 3200], samples,
				round(snippet.index(at, samples)), 400)
			self.assertGreater(alike, 0.6, f"at {at:.3f} s")
			self.assertLess(abs(off) / 16000, 0.010, f"at {at:.3f} s")
			worst = max(worst, abs(off) / 16000)
		say(f"| the spoken lesson, at 8x: sound off by at most {worst * 1e3:.2f} ms at "
			f"{len(box.entries('press'))} presses")

	def test_how_loud_it_was_is_known_for_the_whole_lesson(self):
		box = self.lesson()
		start, = box.entries("observation_start")
		end, = box.entries("observation_end")
		at_ns = start["t_ns"]
		for entry in box.entries("loudness"):
			self.assertAlmostEqual(entry["body"]["from_ns"], at_ns, delta=1e6)
			self.assertEqual(entry["body"]["step_ms"], 100)
			at_ns = entry["body"]["from_ns"] + len(entry["body"]["levels"]) * 100_000_000
		self.assertAlmostEqual(at_ns, end["t_ns"], delta=0.5e9)

	def test_the_check_and_the_timeline_agree(self):
		box = self.lesson()
		box.check("--decode")
		self.assertIn("questioning", box.cli("show", "last").stdout)
		self.assertTrue(box.timeline())


class Lamps(Case):
	"""What the coach sees, in true time."""

	def test_the_lamps_follow_their_grammar(self):
		box = self.box(wav=os.path.join(LESSON, "lesson.wav"))
		box.wait_lamp("red", 1)
		self.assertEqual(box.lamp("green"), 0)
		self.assertEqual(box.lamp("amber"), 0)
		begin = box.now() + 0.3
		presses = [(0, "5", 0.1), (0.6, "1", 0.1), (1.2, "3", 0.1), (1.8, "2", 0.1),
			(2.4, "3", 0.1), (3.0, "4", 0.1), (3.6, "5", 2.5)]
		for at, line, hold in presses:
			box.press(line, begin + at, hold=hold)
		for at, line, hold in presses:
			box.wait_confirm(begin + at + (2 if line == "5" and at else 0))
		box.wait_lamp("vibration", 0, begin + 5.6)
		box.wait_entry("observation_end")
		box.stop()
		lamps = [(name, level, at - begin) for name, level, at in box.lamps]

		blinks = [at for name, level, at in lamps if name == "vibration" and level]
		expected = [at for at, _, _ in presses[:-1]] + [5.6]
		self.assertEqual(len(blinks), len(expected))
		for pressed, shown in zip(expected, blinks):
			self.assertGreater(shown, pressed)
			self.assertLess(shown - pressed, BLINK_MOST_S)
		slowest = max(shown - pressed for pressed, shown in zip(expected, blinks))
		say(f"| {len(blinks)} confirmations, the slowest {slowest * 1e3:.0f} ms after its press")
		# green: dark while it blinks, lit between, dark after the end but for its blink
		green = [(level, at) for name, level, at in lamps if name == "green"][1:]
		lit = [at for level, at in green if level]
		dark = [at for level, at in green if not level]
		self.assertAlmostEqual(lit[0], blinks[0] + 0.12, delta=0.15)
		self.assertEqual(len(lit), len(presses) - 1)
		for blink, off, on in zip(blinks[1:-1], dark, lit[1:]):
			self.assertAlmostEqual(off, blink, delta=0.02)
			self.assertGreater(on - off, 0.1)
		self.assertGreater(dark[-1], blinks[-1] + 0.1)
		transition = [(level, at) for name, level, at in lamps if name == "transition"][1:]
		self.assertEqual([level for level, _ in transition[:2]], [1, 0])
		self.assertAlmostEqual(transition[0][1], 1.2, delta=BLINK_MOST_S)
		self.assertAlmostEqual(transition[1][1], 2.4, delta=BLINK_MOST_S)
		red = [level for name, level, at in lamps if name == "red" and at < 5.6]
		self.assertEqual(red, [0, 1])
		self.assertFalse([lamp for lamp in lamps if lamp[0] == "amber" and lamp[1]])

	def test_no_blink_comes_before_its_entry_is_in_the_journal(self):
		box = self.box(sound=False)
		begin = box.now() + 0.3
		for i in range(10):
			box.press("1", begin + i * 0.3, hold=0.08)
			box.wait_confirm(begin + i * 0.3)
			self.assertEqual(len(box.entries("press")), i + 1)
		box.stop()

	def test_a_board_that_appears_late_has_its_buttons_and_lamps(self):
		box = self.box(start=False)
		with open(box.runtime, "w", encoding="ascii"): # in the way of its socket
			pass
		box.start(ready=False)
		box.wait_for(lambda: "lamps: " in box.stderr(), "the lamps to be missed")
		os.unlink(box.runtime)
		box.wait_for(lambda: "lamps: well again" in box.stderr(), "the lamps to be found")
		box.wait_ready()
		box.wait_lamp("red", 1)
		at = box.now()
		box.press("5", at)
		box.wait_confirm(at)
		self.assertEqual([(e["code"], e["value"]) for e in box.entries("fault")
			if e["code"] == "lamps"], [("lamps", 1), ("lamps", 0)])
		box.stop()


class Ends(Case):
	def test_sigterm_ends_the_lesson_as_shutdown(self):
		box = self.box(wav=os.path.join(LESSON, "lesson.wav"), speed=4)
		box.wait_lamp("red", 1)
		at = box.now() + 1
		box.press("5", at)
		box.press("1", at + 12)
		box.wait_confirm(at + 12)
		box.stop()
		end, = box.entries("observation_end")
		self.assertEqual(end["body"]["cause"], "shutdown")
		snippet, = box.snippets()
		self.assertTrue(snippet.covers(at + 12))
		self.assertAlmostEqual(snippet.end, end["at"], delta=0.4)
		self.assertFalse([name for name in os.listdir(os.path.join(box.state, "snippets"))
			if name.endswith(".part")])
		box.check("--decode")

	def test_sigint_ends_it_as_well(self):
		box = self.box(sound=False)
		box.press("5", box.now())
		box.wait_lamp("green", 1)
		import signal
		os.kill(box.pid, signal.SIGINT)
		box.wait_exit()
		self.assertEqual(box.entries("observation_end")[0]["body"]["cause"], "shutdown")

	def test_a_cut_ends_it_as_recovered_and_repairs_the_torn_snippet(self):
		box = self.box(wav=os.path.join(LESSON, "lesson.wav"))
		box.wait_lamp("red", 1)
		at = box.now() + 0.2
		box.press("5", at)
		box.press("1", at + 2)
		box.wait_confirm(at + 2)
		box.sleep_until(at + 8)
		box.kill()
		cut = box.now()
		self.assertEqual(box.entries("snippet"), [])
		self.assertEqual(box.entries("observation_end"), [])

		box.start()
		box.wait_entry("snippet")
		box.stop()
		start, = box.entries("observation_start")
		end, = box.entries("observation_end")
		self.assertEqual((end["body"]["cause"], end["observation"]), ("recovered", start["seq"]))
		snippet, = box.snippets()
		self.assertFalse(snippet.complete)
		self.assertTrue(snippet.covers(at + 2))
		self.assertGreater(snippet.end, cut - 2)
		self.assertLess(snippet.end, cut + 0.05)
		samples = snippet.samples16
		self.assertAlmostEqual(len(samples) / 16000, snippet.end - snippet.begin, delta=0.05)
		source, rate_hz = read_wav(os.path.join(LESSON, "lesson.wav"))
		first = round((at + 4) * rate_hz)
		off, alike = find(source[first:first + 1600], samples,
			round(snippet.index(at + 4, samples)), 800)
		self.assertGreater(alike, 0.7)
		self.assertLess(abs(off) / 16000, 0.010)
		self.assertFalse([name for name in os.listdir(os.path.join(box.state, "snippets"))
			if name.endswith(".part")])
		box.check("--decode")


if __name__ == "__main__":
	unittest.main()
