"""
A day's work: eight lessons of fifty minutes, much faster than they were given.
Memory stays flat, the clock does not run away, all that was kept is consistent.

CHALKBOX_SOAK_LESSONS (8), CHALKBOX_SOAK_MIN (50), CHALKBOX_SOAK_SPEED (180, less
with sanitizers).
"""
import os
import time
import unittest

from harness import BUILD, DEADLINE_S, Case, find, say, write_wav
from test_preroll import hiss

LESSONS = int(os.environ.get("CHALKBOX_SOAK_LESSONS", "8"))
MINUTES = float(os.environ.get("CHALKBOX_SOAK_MIN", "50"))
SANITIZED = "san" in os.path.basename(BUILD)
SPEED = float(os.environ.get("CHALKBOX_SOAK_SPEED", "60" if SANITIZED else "180"))
RATE_HZ = 8000
LOOP_S = 300
PRESS_EACH_S = 60
GROWTH_MOST_KIB = 256
SCHEME = """
[scheme]
name = soak
title = Soak
[code mark]
title = Mark
button = 1
kind = point
double = twice
before = 2
after = 3
[code change]
title = Change
button = 3
kind = state
before = 2
after = 3
[code undo]
title = Undo
button = 4
kind = undo
[code lesson]
title = Lesson
button = 5
kind = lesson
"""


class Soak(Case):
	def resident_kib(self, box):
		"""What it holds itself, without the pages of programs and libraries."""
		with open(f"/proc/{box.pid}/status", encoding="utf-8") as file:
			fields = dict(line.split(":", 1) for line in file)
		return int(fields["RssAnon"].split()[0])

	def lesson(self, box, begin):
		"""One lesson's presses from `begin` on; what the journal must hold of them."""
		presses = []
		box.press("5", begin, hold=0.3)
		at = begin + 20
		while at < begin + MINUTES * 60 - 30:
			line = "3" if len(presses) % 5 == 4 else "1"
			presses.append(("change" if line == "3" else "mark", box.ns(at)))
			box.press(line, at, hold=0.2)
			if len(presses) % 7 == 6:
				box.press("4", at + 5, hold=0.2)
			at += PRESS_EACH_S
		box.press("5", begin + MINUTES * 60, hold=3)
		box.wait_sent(DEADLINE_S + 2 * MINUTES * 60 / SPEED)
		return presses

	def test_eight_lessons_leave_memory_flat_and_the_journal_consistent(self):
		began = time.monotonic()
		source = hiss(LOOP_S * RATE_HZ, 5)
		wav = write_wav(os.path.join(self.folder(), "hiss.wav"), source, RATE_HZ)
		box = self.box(wav=wav, speed=SPEED, scheme=SCHEME, env={"CHALKBOX_SIM_END": "loop"})
		box.wait_mic("live")
		presses, resident = [], []
		begin = box.now() + 30
		for i in range(LESSONS):
			presses += self.lesson(box, begin)
			over = begin + MINUTES * 60 + 2
			box.wait_for(lambda: len(box.entries("observation_end")) == i + 1, "the lesson's end")
			box.sleep_until(over + 40)
			resident.append(self.resident_kib(box))
			begin = box.now() + 60
		box.stop()
		recorded_s = time.monotonic() - began

		self.assertEqual(box.presses(), presses)
		self.assertEqual([e["body"]["cause"] for e in box.entries("observation_end")],
			["button"] * LESSONS)
		if not SANITIZED: # whose own books grow
			# a card opened anew takes once what malloc() does not give back: so halves
			growth = max(resident[LESSONS // 2:]) - max(resident[:LESSONS // 2])
			self.assertLess(growth, GROWTH_MOST_KIB, f"{resident} KiB")
		box.check("--decode")
		worst, compared = self.drift(box, source, presses)
		self.assertLess(worst, 0.010)
		gaps = box.entries("gap")
		say(f"| soak, {LESSONS} lessons of {MINUTES:g} min at {SPEED:g}x: {len(presses)} events, "
			f"{len(box.snippets())} snippets, {len(gaps)} overruns; its own memory {resident[0]} KiB "
			f"after the first lesson, {max(resident)} at most, {resident[-1]} after the last; sound off by at most "
			f"{worst * 1e3:.2f} ms ({compared} compared); {recorded_s:.0f} s")

	def drift(self, box, source, presses):
		"""How far the sound is off, at a few events of each lesson."""
		spans = [(box.at(e["body"]["from_ns"]), box.at(e["body"]["to_ns"]))
			for e in box.entries("gap")]
		spans += [(e["at"] - 3.5, e["at"] + 10) for e in box.entries("mic") if e["value"] != 1]
		snippets = box.snippets()
		worst, compared = 0, 0
		for _, t_ns in presses[::5]:
			at = box.at(t_ns)
			snippet = box.snippet_at(at, snippets)
			if snippet is None or any(low - 1 < at < high + 1 for low, high in spans):
				continue
			samples = snippet.samples[::6]
			first = round(at % LOOP_S * RATE_HZ)
			if first + 800 > len(source):
				continue
			off, alike = find(source[first:first + 800], samples,
				round(snippet.index(at, samples)), 400)
			self.assertGreater(alike, 0.5, f"at {at:.3f} s")
			worst, compared = max(worst, abs(off) / RATE_HZ), compared + 1
		self.assertGreater(compared, len(presses) // 5 // 2)
		return worst, compared


if __name__ == "__main__":
	unittest.main()
