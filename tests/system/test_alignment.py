"""
Sound and event agree within 10 ms over 90 minutes, with a card's clock off and
overruns and an unplug in between. The sound is a click every 2.5 s, each one
unlike all others, so that the sound of another moment cannot pass for the right
one. Events are pressed at clicks; what lies at the event's time in the decoded
snippets is compared with what the card heard at that time.

CHALKBOX_ALIGN_MIN: minutes (90), CHALKBOX_ALIGN_SPEED: how much faster (40),
CHALKBOX_ALIGN_AT_ONCE: how many of the three at a time (3).
"""
import array
import concurrent.futures
import os
import statistics
import time
import unittest
import wave

from harness import Box, Case, DEADLINE_S, MIC_STATES, find, noise, say

ALONE = True # three boxes at forty times life take what there is
AT_ONCE = int(os.environ.get("CHALKBOX_ALIGN_AT_ONCE", "3"))
MINUTES = float(os.environ.get("CHALKBOX_ALIGN_MIN", "90"))
SPEED = float(os.environ.get("CHALKBOX_ALIGN_SPEED", "40"))
RATE_HZ = 16000
CLICK_S, CLICK_SAMPLES = 2.5, 480
EACH_S = 12.5 # from event to event
WORST_S = 0.010
NEAR, FAR = 400, 4000 # samples looked at to each side
SCHEME = """
[scheme]
name = align
title = Alignment
[code mark]
title = Mark
button = 1
kind = point
before = 2
after = 2
[code lesson]
title = Lesson
button = 5
kind = lesson
"""


def click(k):
	"""Click k: 30 ms of noise of its own, without the highest notes."""
	raw = noise(CLICK_SAMPLES + 3, k, 20000)
	return array.array("h", [(raw[i] + raw[i + 1] + raw[i + 2] + raw[i + 3]) // 4
		for i in range(CLICK_SAMPLES)])


def write_clicks(path, seconds):
	with wave.open(path, "wb") as file:
		file.setnchannels(1)
		file.setsampwidth(2)
		file.setframerate(RATE_HZ)
		rest = bytes(2 * (round(CLICK_S * RATE_HZ) - CLICK_SAMPLES))
		for k in range(int(seconds / CLICK_S) + 1):
			file.writeframes(click(k).tobytes() + rest)
	return path


def faults(seconds):
	"""Overruns at odd moments, short and long, and the card pulled out once."""
	part = seconds / 90
	stalls = [(7.3, 2.6), (21.1, 3.4), (33.7, 2.2), (52.9, 5.0), (61.3, 2.8), (77.7, 7.5)]
	return ([("stall", round(at * part, 1), length) for at, length in stalls] +
		[("unplug", round(43.0 * part, 1), 21.0)])


def without_card(box, trouble):
	"""
	When the journal says that there was no card. One is believed for 3 s; one lost
	without our doing means that the machine stood still, and everything with it.
	"""
	spans, lost = [], None
	for entry in box.entries("mic"):
		if entry["value"] == MIC_STATES.index("lost"):
			meant = any(at - 1 < entry["at"] < at + length + 4 for _, at, length in trouble)
			lost = lost if lost is not None else entry["at"] - (3.2 if meant else 20)
		elif lost is not None:
			spans.append((lost, entry["at"]))
			lost = None
	return spans


def around(box, at):
	"""What the journal holds of that time, for a failure's message."""
	return "".join(f"\n  {e['at']:.3f} {e['kind']} {e['value']} {e['body'].get('cause', '')} "
		f"{box.at(e['body'].get('from_ns', e['t_ns'])):.3f}-{box.at(e['body'].get('to_ns', e['t_ns'])):.3f}"
		for e in box.entries() if abs(e["at"] - at) < 15)


class Alignment(Case):
	def record(self, wav, ppm, seconds):
		trouble = faults(seconds)
		box = Box(wav=wav, speed=SPEED, ppm=ppm, scheme=SCHEME,
			faults=",".join(f"{kind}@{at}:{length}" for kind, at, length in trouble),
			config={"storage": {"reserve_mib": 4, "sound_stops_mib": 1}})
		self.addCleanup(box.close)
		box.start()
		box.wait_mic("live")
		events = []
		at = box.now() + 30
		while at < seconds - 5:
			k = round(at / CLICK_S)
			source_at = k * CLICK_S / (1 + ppm / 1e6)
			events.append((k, source_at + 0.005))
			at += EACH_S
		for _, at in events:
			box.press("1", at)
		box.wait_sent(DEADLINE_S + 2 * seconds / SPEED)
		box.sleep_until(events[-1][1] + 4)
		box.stop()
		return box, events, trouble

	def compare(self, box, events, trouble):
		"""The error at each event, seconds; those with no sound at all apart."""
		self.assertEqual([t_ns for _, t_ns in box.presses()], [box.ns(at) for _, at in events])
		snippets = box.snippets()
		gaps = [(box.at(gap["body"]["from_ns"]), box.at(gap["body"]["to_ns"]))
			for gap in box.entries("gap")]
		away = without_card(box, trouble)
		errors, silent, wrong = [], 0, []
		for k, at in events:
			begin = at - 0.005
			excused = any(low - 0.05 < begin < high + 0.05 for low, high in gaps + away)
			snippet = box.snippet_at(begin, snippets)
			if snippet is None or excused:
				silent += 1
				if not excused:
					wrong.append(f"no sound at {begin:.3f} s" + around(box, begin))
				continue
			samples = snippet.samples16
			expected = round(snippet.index(begin, samples))
			off, alike = find(click(k), samples, expected, NEAR)
			if alike < 0.5:
				off, alike = find(click(k), samples, expected, FAR)
			if off is None or alike < 0.5:
				loudest = max(range(len(samples)), key=lambda i: abs(samples[i]))
				wrong.append(f"click {k} not found at {begin:.3f} s ({alike:.2f}) in "
					f"{snippet.file}, {snippet.begin:.3f}-{snippet.end:.3f}, loudest "
					f"{samples[loudest]} at {(loudest - expected) / RATE_HZ:+.3f} s" +
					around(box, begin))
			else:
				errors.append((abs(off) / RATE_HZ, begin))
			snippet._samples = None
		return errors, silent, wrong, gaps

	def test_sound_and_event_agree_within_10_ms_whatever_the_cards_clock(self):
		seconds = MINUTES * 60
		began = time.monotonic()
		wav = write_clicks(os.path.join(self.folder(), "clicks.wav"), seconds)
		with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
			runs = list(pool.map(lambda ppm: (ppm, self.record(wav, ppm, seconds)), (-100, 0, 100)))
			recorded = time.monotonic()
			figures = []
			results = list(pool.map(lambda run: self.compare(*run[1]), runs))
		for (ppm, (box, events, trouble)), (errors, silent, wrong, gaps) in zip(runs, results):
			self.assertEqual(wrong, [], f"{ppm} ppm")
			self.assertGreater(len(errors), 0.9 * len(events))
			worst, at = max(errors)
			median = statistics.median(error for error, _ in errors)
			self.assertLessEqual(worst, WORST_S, f"{ppm} ppm, at {at:.3f} s")
			# each stall left its gap, where it was
			for kind, begin, length in trouble:
				if kind == "stall":
					self.assertTrue(any(low < begin + length and high > begin
						for low, high in gaps), f"{ppm} ppm: no gap for the stall at {begin} s")
			box.check()
			figures.append(f"{ppm:+d} ppm worst {worst * 1e3:.2f} ms median {median * 1e3:.2f} ms "
				f"({len(errors)} events, {len(gaps)} gaps)")
		say(f"| alignment, {MINUTES:g} min at {SPEED:g}x: " + "; ".join(figures) +
			f"; {recorded - began:.0f} + {time.monotonic() - recorded:.0f} s")


if __name__ == "__main__":
	unittest.main()
