"""
What breaks during a lesson on the virtual board, one thing after the other in one
boot: the card taken away, the disk filled, the recorder killed, frozen, out of memory;
then the power, without a word and in order. After each the box helps itself: what was
confirmed is kept, each press once, and sound and lamps come back without a hand.

The tests build on each other, go by their numbers, and end with the first that fails.
"""
import array
import contextlib
import json
import math
import os
import sys
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests", "system"), os.path.join(ROOT, "board", "vm")]

import vm as board # noqa: E402 (the paths above lead to them)
from harness import DECODED_HZ, KINDS, MIC_STATES, NS, decode, loudness_of, write_wav # noqa: E402

CODES = {"1": "questioning", "2": "engagement"}
STATE = "/var/lib/chalkbox"
TONE_HZ, RATE_HZ, TONE_S = 1000, 48000, 20
LOUD = 3000 # the tone is four times that, and the card's silence is nothing
PERIOD = array.array("h", [round(12000 * math.sin(2 * math.pi * i * TONE_HZ / RATE_HZ))
	for i in range(RATE_HZ // TONE_HZ)])
LONG_S = 300 # for what takes a few seconds on a machine with nothing else to do
CONF = """[box]
scheme = /etc/chalkbox/faults.scheme
[storage]
reserve_mib = 4
sound_stops_mib = 8
"""
# the card is taken away as often as it is given back
PLAY = "while :; do chrt -r 20 aplay -q -D hw:Loopback,0 /root/tone.wav || sleep 0.3; done"
# as if something had set the clock: amber means a fault
TRUST = """
import ctypes, struct
timex = ctypes.create_string_buffer(512)
struct.pack_into("=I4xqqqqi", timex, 0, 0x14, 0, 0, 20000, 20000, 0)
assert ctypes.CDLL(None).adjtimex(timex) >= 0
"""
# all that is left, to the last byte
FILL = f"""
fallocate -l $(df --output=avail -B 1 {STATE} | tail -n 1) {STATE}/filler || :
dd if=/dev/zero of={STATE}/filler2 bs=4096 2>/dev/null || :
sync -f {STATE}
"""
# whoever gets the system's core dumps keeps them
CORES = "#!/bin/sh\nexec /bin/cat >/root/core.$1\n"


def scheme():
	"""The built-in one, with less sound, which is sooner there."""
	with open(os.path.join(ROOT, "app/scheme/default.scheme"), encoding="utf-8") as file:
		text = file.read()
	return text.replace("before = 10\n", "before = 3\n").replace("after = 20\n", "after = 4\n")


def files(folder):
	path = write_wav(os.path.join(folder, "tone.wav"), PERIOD * (TONE_HZ * TONE_S), RATE_HZ)
	with open(path, "rb") as file:
		tone = file.read()
	return {"/root/tone.wav": tone, "/root/trust.py": TRUST,
		"/etc/chalkbox/faults.scheme": scheme(),
		"/etc/chalkbox/chalkbox.conf.d/50-faults.conf": CONF}


@unittest.skipIf(board.why_not(), board.why_not())
class Faults(unittest.TestCase):
	@classmethod
	def setUpClass(cls):
		stack = contextlib.ExitStack()
		cls.addClassCleanup(stack.close)
		cls.stack = stack
		cls.folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="cb-"))
		cls.vm = stack.enter_context(board.VM(files=files(cls.folder)))
		cls.pressed = [] # codes, in order, all of them confirmed
		cls.came_up()

	@classmethod
	def came_up(cls):
		"""After power-on: the microphone is live without a hand, and nothing is wrong."""
		vm = cls.vm
		vm.wait_unit("chalkboxd")
		cls.player = vm.spawn(PLAY)
		vm.wait_lamp("red", 1, timeout=LONG_S)
		vm.run("python3 /root/trust.py")
		vm.wait_lamp("amber", 0, timeout=LONG_S)

	# --- hands ---

	def press(self, button):
		"""A press, and the blink that says that it is on disk; when it was."""
		vm = self.vm
		pressed_ns = vm.press(button)
		dark_ns = vm.wait_lamp("green", 0, pressed_ns, timeout=LONG_S)
		vm.wait_lamp("green", 1, dark_ns, timeout=LONG_S)
		if button in CODES:
			self.pressed.append(CODES[button])
		return pressed_ns

	def lesson(self):
		"""The lesson that runs, or a new one; its number."""
		if self.vm.lamp("green"):
			return self.timeline()["observation"]
		return self.begin()

	def begin(self):
		"""A lesson with two events; its number."""
		self.assertEqual(self.lamps(), {"red": 1, "green": 0, "amber": 0})
		pressed_ns = self.vm.press("5")
		self.vm.wait_lamp("green", 1, pressed_ns, timeout=LONG_S)
		time.sleep(0.5) # (the blink of its own)
		self.press("1")
		self.press("2")
		return self.timeline()["observation"]

	# --- eyes ---

	def lamps(self):
		return {name: self.vm.lamp(name) for name in board.LAMPS}

	def wait_lamps(self, **wanted):
		self.vm.wait_for(lambda: all(self.vm.lamp(name) == level for name, level in wanted.items()),
			LONG_S, f"the lamps to be {wanted}")

	def rows(self, kind, after=0):
		"""Entries of the journal as it is now."""
		said = self.vm.run(f"sqlite3 -readonly -json {STATE}/journal.db 'SELECT * FROM entry "
			f"WHERE kind = {KINDS.index(kind)} AND seq > {after} ORDER BY seq'").out
		rows = json.loads(said or "[]")
		for row in rows:
			row["body"] = json.loads(row["body"] or "{}")
		return rows

	def last(self):
		return int(self.vm.run(f"sqlite3 -readonly {STATE}/journal.db 'SELECT max(seq) FROM entry'")
			.out)

	def mic(self, after):
		"""Its states; one that has a new cause is not told twice."""
		states = [MIC_STATES[row["value"]] for row in self.rows("mic", after)]
		return [state for i, state in enumerate(states) if states[i - 1:i] != [state]]

	def wait_mic(self, after, *states):
		self.vm.wait_for(lambda: self.mic(after) == list(states), LONG_S,
			f"the microphone to be {states}", every=0.5)

	def timeline(self, observation="last"):
		return json.loads(self.vm.run(f"chalkbox show --json {observation}").out)

	def shown(self, name):
		return self.vm.run(f"systemctl show -P {name} chalkboxd").out.strip()

	def wait_restarts(self, n):
		self.vm.wait_for(lambda: int(self.shown("NRestarts")) >= n and
			self.shown("ActiveState") == "active", LONG_S, f"restart {n}", every=0.2)

	def is_heard(self):
		"""An event now, whose snippet has the tone."""
		after = self.last()
		self.press("1")
		row = self.vm.wait_for(lambda: self.rows("snippet", after), LONG_S, "a snippet", every=0.5)[0]
		path = os.path.join(self.folder, "snippet.opus")
		name = row["body"]["file"]
		self.vm.wait_for(lambda: self.vm.run(f"test -e {STATE}/snippets/{name}", check=False).code == 0,
			LONG_S, name)
		with open(path, "wb") as file:
			file.write(self.vm.get(f"{STATE}/snippets/{name}"))
		samples = decode(path)
		self.assertGreater(len(samples), 2 * DECODED_HZ)
		loudest = max(loudness_of(samples[i:i + DECODED_HZ // 2], TONE_HZ, DECODED_HZ)
			for i in range(0, len(samples) - DECODED_HZ // 2, DECODED_HZ // 2))
		self.assertGreater(loudest, LOUD)

	def is_sound(self):
		"""Each press once, in order, and the box finds nothing wrong."""
		self.assertEqual([row["code"] for row in self.rows("press") if row["code"] in CODES.values()],
			self.pressed)
		said = self.vm.run("chalkbox check --decode", timeout=LONG_S, check=False)
		self.assertEqual(said.code, 0, said.out + said.err)

	# --- what breaks ---

	def test_1_a_card_taken_away_and_given_back_in_a_lesson(self):
		vm, after = self.vm, self.last()
		lesson = self.begin()
		unbound_ns = board.now_ns()
		# returns when the recorder has let go of the card
		vm.run("echo snd_aloop.0 >/sys/bus/platform/drivers/snd_aloop/unbind", timeout=LONG_S)
		vm.wait_lamp("red", 0, unbound_ns, timeout=LONG_S)
		vm.wait_lamp("amber", 1, unbound_ns, timeout=LONG_S)
		self.press("1")
		self.press("2")
		self.wait_mic(after, "lost")
		bound_ns = board.now_ns()
		vm.run("echo snd_aloop.0 >/sys/bus/platform/drivers/snd_aloop/bind", timeout=LONG_S)
		vm.wait_lamp("red", 1, bound_ns, timeout=LONG_S)
		vm.wait_lamp("amber", 0, bound_ns, timeout=LONG_S)
		self.wait_mic(after, "lost", "live")
		self.is_heard()
		timeline = self.timeline()
		self.assertEqual((timeline["observation"], timeline["running"]), (lesson, True))
		self.assertEqual({silence["why"] for silence in timeline["silences"]}, {"lost"})
		# told once, not at each try
		self.assertNotIn("ALSA lib", vm.run("journalctl -b -o cat -u chalkboxd").out)
		self.is_sound()

	def test_2_a_disk_filled_to_the_last_byte_in_a_lesson(self):
		vm = self.vm
		# ends the lesson; and the new journal's log begins small: it must grow
		vm.run("systemctl restart chalkboxd", timeout=LONG_S)
		self.wait_lamps(red=1, green=0, amber=0)
		self.assertEqual(self.timeline()["ended_by"], "shutdown")
		after = self.last()
		self.begin()
		vm.run(f"test -e {STATE}/reserve")
		filled_ns = board.now_ns()
		vm.run(FILL, timeout=LONG_S)
		vm.wait_lamp("amber", 1, filled_ns, timeout=LONG_S)
		self.wait_lamps(red=1, green=1)
		for button in "121212":
			self.press(button)
		vm.run(f"test ! -e {STATE}/reserve")
		self.wait_mic(after, "full")
		self.assertEqual([to for name, to, when in vm.lamps if name == "amber" and when > filled_ns],
			[1]) # steady: all is saved
		freed_ns = board.now_ns()
		vm.run(f"rm {STATE}/filler*")
		vm.wait_lamp("amber", 0, freed_ns, timeout=LONG_S)
		self.wait_mic(after, "full", "live")
		vm.run(f"test -e {STATE}/reserve")
		self.assertEqual([(row["code"], row["value"]) for row in self.rows("fault", after)],
			[("snippets", 1), ("snippets", 0)])
		self.is_heard()
		self.is_sound()

	def died(self, lesson, n):
		"""It was started again; the lesson is over, and all is as after power-on."""
		self.wait_restarts(n)
		self.wait_lamps(red=1, green=0, amber=0)
		timeline = self.timeline(lesson)
		self.assertEqual((timeline["running"], timeline["ended_by"]), (False, "recovered"))
		self.is_sound()

	def test_3_the_recorder_killed_in_a_lesson(self):
		lesson = self.lesson()
		self.press("1")
		n = int(self.shown("NRestarts"))
		self.vm.run("systemctl kill -s KILL chalkboxd")
		self.died(lesson, n + 1)
		self.begin()
		self.is_heard()

	def test_4_the_recorder_frozen_in_a_lesson(self):
		vm, lesson = self.vm, self.lesson()
		vm.put(CORES, "/root/keep-core", 0o755)
		vm.run("echo '|/root/keep-core %e' >/proc/sys/kernel/core_pattern")
		self.press("2")
		n = int(self.shown("NRestarts"))
		since = vm.run("date +%s").out.strip()
		vm.run("systemctl kill -s STOP chalkboxd")
		self.died(lesson, n + 1)
		said = vm.run(f"journalctl -o cat -u chalkboxd --since @{since}").out
		self.assertIn("Watchdog timeout", said)
		self.assertIn("result 'watchdog'", said)
		self.assertNotIn("core-dump", said)
		self.begin()

	def test_5_no_core_dump_has_anything_that_was_heard(self):
		vm, lesson = self.vm, self.lesson()
		n = int(self.shown("NRestarts"))
		self.is_heard()
		vm.run("systemctl kill -s ABRT chalkboxd")
		self.died(lesson, n + 1)
		for name in vm.run("ls -d /root/core.* 2>/dev/null || :").out.split():
			self.assertFalse(PERIOD.tobytes() in vm.get(name), f"sound in {name}")
		self.begin()

	def test_6_the_recorder_out_of_memory_in_a_lesson(self):
		vm, lesson = self.vm, self.lesson()
		self.press("1")
		n = int(self.shown("NRestarts"))
		since = vm.run("date +%s").out.strip()
		# too little for any recorder: whoever systemd starts is killed again
		vm.run("systemctl set-property --runtime chalkboxd MemoryMax=300K", timeout=LONG_S)
		vm.wait_for(lambda: int(self.shown("NRestarts")) >= n + 2, LONG_S, "two restarts", every=0.5)
		vm.run("systemctl set-property --runtime chalkboxd MemoryMax=128M", timeout=LONG_S)
		self.died(lesson, n + 2)
		self.assertIn("oom-kill", vm.run(f"journalctl -o cat -u chalkboxd --since @{since}").out)
		self.begin()
		self.is_heard()

	def test_7_the_power_cut_without_a_word_in_a_lesson(self):
		lesson = self.lesson()
		self.press("2")
		self.vm.reset()
		self.came_up()
		self.assertEqual(self.lamps(), {"red": 1, "green": 0, "amber": 0})
		timeline = self.timeline(lesson)
		self.assertEqual((timeline["running"], timeline["ended_by"]), (False, "recovered"))
		self.is_sound()

	def test_8_the_box_switched_off_in_order_in_a_lesson(self):
		lesson = self.begin()
		self.is_heard()
		self.press("2")
		before = self.vm
		before.power_off(LONG_S)
		self.assertEqual(self.lamps(), {"red": 0, "green": 0, "amber": 0})
		type(self).vm = self.stack.enter_context(board.VM(before.image,
			files=files(self.folder), state=before.state_path))
		self.came_up()
		timeline = self.timeline(lesson)
		self.assertEqual((timeline["running"], timeline["ended_by"]), (False, "shutdown"))
		# the last press was a moment ago: its sound ends with the lesson, but for what an
		# emulated card had not handed over by then
		self.assertGreaterEqual(timeline["snippets"][-1]["to"], timeline["length"] - 2.0)
		self.assertNotIn("recovered", self.vm.run("journalctl -b -o cat -u chalkboxd").out)
		self.is_sound()


if __name__ == "__main__":
	unittest.main(failfast=True)
