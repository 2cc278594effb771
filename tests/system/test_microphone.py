"""Whatever the microphone does, events go on; the lamp and the journal say it."""
import os
import subprocess
import unittest

from harness import LESSON, MIC_STATES, Case, find, read_wav, say, write_wav
from test_preroll import hiss

LESSON_WAV = os.path.join(LESSON, "lesson.wav")
SPEED = 8
RATE_HZ = 16000


def tearDownModule():
	say(f"| the sound around a card's troubles, at {SPEED}x: off by at most "
		f"{Listening.worst * 1e3:.2f} ms ({Listening.compared} moments)")


class Listening(Case):
	worst = compared = 0

	def presses_all_kept(self, box, ats):
		self.assertEqual([t_ns for _, t_ns in box.presses()], [box.ns(at) for at in ats])

	def states(self, box):
		"""The microphone's states in the journal, repetitions left out."""
		states = [MIC_STATES[e["value"]] for e in box.entries("mic")]
		return [state for i, state in enumerate(states) if i == 0 or states[i - 1] != state]

	def heard_right(self, box, ats, wav=LESSON_WAV, channel=0, channels=1):
		"""That the kept sound at these moments is what was played."""
		source, rate_hz = read_wav(wav)
		source = source[channel::channels]
		self.assertEqual(rate_hz, RATE_HZ)
		snippets = box.snippets()
		for at in ats:
			snippet = box.snippet_at(at, snippets)
			self.assertIsNotNone(snippet, f"no sound of {at:.3f} s")
			samples = snippet.samples16
			off, alike = None, 0
			for part in range(5): # speech has pauses: where it is loudest
				moment = at + 0.2 * part
				first = round(moment * rate_hz)
				found = find(source[first:first + 3200], samples,
					round(snippet.index(moment, samples)), 240)
				if found[1] > alike:
					off, alike = found
			self.assertGreater(alike, 0.6, f"at {at:.3f} s it is another sound")
			self.assertLess(abs(off) / RATE_HZ, 0.010, f"at {at:.3f} s")
			Listening.worst = max(Listening.worst, abs(off) / RATE_HZ)
			Listening.compared += 1


class Microphone(Listening):
	def test_a_card_that_comes_later_is_listened_to(self):
		box = self.box(wav=LESSON_WAV, speed=SPEED, faults="unplug@0:8")
		lost = box.wait_mic("lost")
		self.assertTrue(lost["body"]["cause"])
		box.wait_lamp("amber", 1)
		self.assertEqual(box.lamp("red"), 0)
		at = max(box.now() + 0.5, 3)
		box.press("1", at)
		box.wait_confirm(at)
		live = box.wait_mic("live")
		self.assertGreaterEqual(live["at"], 8)
		self.assertLess(live["at"], 12)
		box.wait_lamp("red", 1, 8)
		box.wait_lamp("amber", 0, 8)
		box.press("1", 22)
		box.wait_sent()
		box.sleep_until(45)
		box.stop()
		self.presses_all_kept(box, [at, 22])
		self.heard_right(box, [22, live["at"] + 1])
		self.assertEqual(self.states(box), ["lost", "live"])
		box.check()

	def test_a_card_pulled_out_and_put_back_in_a_lesson(self):
		ats = [8, 16, 22, 24.2, 36, 60]
		box = self.box(wav=LESSON_WAV, speed=SPEED, faults="unplug@20:6")
		box.wait_mic("live")
		for at in ats:
			box.press("1", at)
		box.wait_lamp("red", 0, 20)
		box.wait_lamp("amber", 1, 20)
		box.wait_lamp("red", 1, 26)
		box.wait_lamp("amber", 0, 26)
		box.wait_sent()
		box.sleep_until(90)
		box.stop()
		self.presses_all_kept(box, ats)
		self.assertEqual(self.states(box), ["live", "lost", "live"])
		lost = next(e for e in box.entries("mic") if MIC_STATES[e["value"]] == "lost")
		self.assertAlmostEqual(lost["at"], 20, delta=1)
		back = box.entries("mic")[-1]["at"]
		self.heard_right(box, [7, 15, 36, 60, back + 0.5])
		for snippet in box.snippets():
			self.assertTrue(snippet.end <= 20.1 or snippet.begin >= 25.9,
				f"sound from {snippet.begin:.3f} to {snippet.end:.3f} s, without a card")
		box.check("--decode")

	def test_a_press_after_the_card_was_pulled_out_has_the_sound_before(self):
		box = self.box(wav=LESSON_WAV, speed=SPEED, faults="unplug@20:6")
		box.wait_mic("live")
		box.press("5", 5)
		for at in (22, 23.5):
			box.press("1", at)
		box.wait_mic("live", 22)
		box.wait_sent()
		box.sleep_until(65)
		box.stop()
		self.presses_all_kept(box, [22, 23.5])
		self.heard_right(box, [13, 18])
		lost = next(e for e in box.entries("mic") if MIC_STATES[e["value"]] == "lost")
		first, second = box.snippets()
		self.assertAlmostEqual(first.begin, 12, delta=0.01)
		self.assertAlmostEqual(first.end, lost["at"], delta=0.01)
		self.assertFalse(first.complete)
		self.assertGreater(second.begin, 25.9) # after the card came back
		self.assertTrue(second.complete)
		box.check("--decode")

	def test_a_press_that_is_taken_after_the_loss_has_the_sound_before(self):
		box = self.box(wav=LESSON_WAV, speed=SPEED, faults="unplug@20:10000")
		box.wait_mic("lost")
		box.sleep_until(23)
		for line, at in (("5", 5), ("1", 15), ("1", 22)):
			box.send(f"edge {line} 1 {box.ns(at)}")
			box.send(f"edge {line} 0 {box.ns(at + 0.1)}")
		box.wait_for(lambda: len(box.entries("release")) >= 2, "the releases")
		box.press("5", box.now() + 1, hold=3)
		box.wait_entry("observation_end")
		box.stop()
		self.heard_right(box, [6, 18])
		snippet, = box.snippets()
		self.assertFalse(snippet.complete)

	def test_a_card_that_runs_and_gives_nothing_is_found_out(self):
		ats = [10, 21, 31, 50]
		box = self.box(wav=LESSON_WAV, speed=SPEED, faults="dead@20:12")
		box.wait_mic("live")
		for at in ats:
			box.press("1", at)
		box.wait_lamp("amber", 1, 20)
		box.wait_sent()
		box.sleep_until(75)
		box.stop()
		self.presses_all_kept(box, ats)
		lost = next(e for e in box.entries("mic") if MIC_STATES[e["value"]] == "lost")
		# since its last frame, not since somebody noticed
		self.assertAlmostEqual(lost["at"], 20, delta=0.2)
		self.assertIn("no sound", lost["body"]["cause"])
		self.assertEqual(MIC_STATES[box.entries("mic")[-1]["value"]], "live")
		self.heard_right(box, [9, 50])

	def with_a_gap(self, fault):
		"""Pressed before, in and after it; the box, the one gap, and when it was over."""
		ats = [10, 21, 40]
		box = self.box(wav=LESSON_WAV, speed=SPEED, faults=fault)
		box.wait_mic("live")
		for at in ats:
			box.press("1", at)
		box.wait_sent()
		box.sleep_until(65)
		box.stop()
		self.presses_all_kept(box, ats)
		gap, = box.entries("gap")
		begin, end = box.at(gap["body"]["from_ns"]), box.at(gap["body"]["to_ns"])
		self.assertAlmostEqual(begin, 20, delta=0.4)
		self.assertEqual(self.states(box), ["live"])
		self.heard_right(box, [9, end + 0.2, 24, 28, 40])
		return box, gap, end

	def test_an_overrun_leaves_a_gap_where_it_was_and_the_sound_stays_in_step(self):
		box, gap, end = self.with_a_gap("stall@20:2.7")
		# lost until the card was started anew, at the latest when the stall was over
		self.assertGreater(end, 21.8)
		self.assertLess(end, 23.1)
		self.assertEqual(gap["body"]["cause"], "overrun")
		box.check()

	def test_a_card_that_was_suspended_goes_on_and_the_sound_stays_in_step(self):
		box, _, end = self.with_a_gap("suspend@20:2.7")
		self.assertAlmostEqual(end, 22.7, delta=0.4)
		box.check()

	def test_no_card_at_all_leaves_the_events(self):
		box = self.box(wav=LESSON_WAV, speed=SPEED, faults="unplug@0:10000")
		box.wait_lamp("amber", 1)
		ats = [box.now() + 1 + 2 * i for i in range(5)]
		for at in ats:
			box.press("1", at)
			box.wait_confirm(at)
		box.stop()
		self.presses_all_kept(box, ats)
		self.assertEqual(self.states(box), ["lost"])
		self.assertEqual(box.snippets(), [])
		self.assertEqual(box.entries("observation_end")[0]["body"]["cause"], "shutdown")
		box.check()


class Formats(Listening):
	"""Cards speak as they were made; the sound is the same."""

	def card(self, make, env=None, config=None):
		"""Records hiss made into the file that `make` names; compares."""
		folder = self.folder()
		plain = write_wav(os.path.join(folder, "plain.wav"), hiss(30 * RATE_HZ, 3))
		card = os.path.join(folder, "card.wav")
		subprocess.run(["sox", "-R"] + make(plain, card), check=True)
		box = self.box(wav=card, speed=SPEED, env=env, config=config)
		live = box.wait_mic("live")
		box.press("1", 8)
		box.wait_sent()
		box.sleep_until(25)
		box.stop()
		self.heard_right(box, [5, 8, 20], wav=plain)
		return live

	def test_44_1_khz(self):
		live = self.card(lambda plain, card: [plain, card, "rate", "44100"])
		self.assertEqual(live["body"]["rate_hz"], 44100)

	def test_48_khz(self):
		live = self.card(lambda plain, card: [plain, card, "rate", "48000"])
		self.assertEqual(live["body"]["rate_hz"], 48000)

	def test_24_bits(self):
		self.card(lambda plain, card: [plain, "-b", "24", card, "rate", "48000"],
			env={"CHALKBOX_SIM_FORMAT": "S24"})

	def test_24_bits_in_three_bytes_stereo(self):
		self.card(lambda plain, card: ["-M", plain, plain, "-b", "24", card, "rate", "48000"],
			env={"CHALKBOX_SIM_FORMAT": "S24_3"})

	def test_32_bits_stereo_and_its_second_channel(self):
		# on the first channel the same, backwards: it must not be heard
		def make(plain, card):
			back = os.path.join(os.path.dirname(card), "back.wav")
			subprocess.run(["sox", plain, back, "reverse"], check=True)
			return ["-M", back, plain, "-b", "32", card]
		self.card(make, env={"CHALKBOX_SIM_FORMAT": "S32"}, config={"microphone": {"channel": 2}})

	def test_a_quiet_microphone_off_the_middle_is_lifted_and_not_pushed_over_the_edge(self):
		"""As an SPH0645 gives it: 32 bits, silence at a sixteenth of full scale."""
		box = self.box(start=False, speed=SPEED, env={"CHALKBOX_SIM_FORMAT": "S32"},
			config={"microphone": {"gain_db": 24}})
		box.wav = os.path.join(box.folder, "off.wav")
		tone = ["synth", "20", "sine", "440", "gain", "-40"]
		subprocess.run(["sox", "-n", "-r", "48000", "-b", "32", "-c", "1", box.wav, *tone,
			"dcshift", "-0.0625"], check=True)
		box.start()
		box.press("5", 1)
		box.press("1", 8)
		box.press("5", 12, hold=2.5)
		box.wait_entry("observation_end")
		box.stop()
		samples = box.snippet_at(8).samples
		samples = samples[len(samples) // 4:len(samples) // 2]
		expected = 32768 * 10 ** (-16 / 20) # -40 dB and 24 more
		for edge in (max(samples), -min(samples)):
			self.assertAlmostEqual(edge / expected, 1, delta=0.1)

	def test_a_channel_that_the_card_does_not_have_is_said(self):
		box = self.box(wav=LESSON_WAV, config={"microphone": {"channel": 3}})
		lost = box.wait_mic("lost")
		self.assertIn("channel", lost["body"]["cause"])
		box.wait_lamp("amber", 1)
		box.stop()


if __name__ == "__main__":
	unittest.main()
