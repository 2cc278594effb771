"""
Promise 1 on the real board: its state disk keeps a log of all it was told, and the
power goes at any point of that log. A box that starts on what is left then finds
every event that had been confirmed, at the lamp's own line, before the cut.

In the same boot, an observation with syncs made to do nothing must lose some: the
cuts are where it hurts.
"""
import contextlib
import os
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "board", "vm")]

import cuts # noqa: E402 (the paths above lead to them)
import crash # noqa: E402 (cuts leads to it and the next)
import harness # noqa: E402
import vm as board # noqa: E402
import writelog # noqa: E402
from harness import NS # noqa: E402

SEED = int(os.environ.get("CHALKBOX_CRASH_SEED", "20261121"))
# (button, seconds until the next): windows of sound that are single, that merge, and
# one after the other
LESSON = [("1", 4.5), ("2", 0.5), ("3", 0.5), ("1", 4), ("3", 1), ("2", 1), ("1", 2.5), ("3", 4),
	("1", 0.5), ("1", 0.5), ("2", 2), ("3", 3.5), ("2", 1.5), ("1", 1.5), ("3", 1.5), ("1", 4.5),
	("2", 0.5), ("1", 0.5), ("2", 2), ("3", 1)]
CONTROL = [("1", 1), ("2", 1), ("3", 2), ("1", 1), ("2", 1), ("3", 2)]
BLINK_S = 0.2 # as the recorder makes it, and a little
AROUND = 5 # cuts between two confirmations, beside those at the blink
FILES = {
	"/etc/chalkbox/crash.scheme": crash.SCHEME,
	"/etc/chalkbox/chalkbox.conf.d/50-test.conf": "[box]\nscheme = /etc/chalkbox/crash.scheme\n",
}
# a sync comes back at once and has done nothing
NO_SYNC = """[Service]
SystemCallFilter=
SystemCallFilter=~fsync:0 fdatasync:0 sync_file_range:0
"""


class Teller:
	"""Presses one after the other, each when the one before was seen confirmed."""

	def __init__(self, vm, clock):
		self.vm, self.clock = vm, clock
		# [button, host ns of the confirmation, entries of the log then, the blink's seconds]
		self.seen = []

	def _see(self, button, level, since_ns):
		when_ns = self.vm.wait_lamp("green", level, since_ns)
		self.seen.append([button, when_ns, writelog.count(self.vm.state_log_path), BLINK_S])
		return when_ns

	def tell(self, presses):
		vm = self.vm
		self._see("5", 1, vm.press("5")) # it shines once the blink is over
		for button, pause_s in presses:
			dark_ns = self._see(button, 0, vm.edge(button, 0))
			vm.edge(button, 1)
			self.seen[-1][3] = (vm.wait_lamp("green", 1, dark_ns) - dark_ns) / NS
			time.sleep(pause_s)
		self._see("end", 0, vm.edge("5", 0))
		vm.edge("5", 1)
		return self.seen


def entries_of(image, epoch_ns=0):
	"""The journal on a disk that was taken from its box in order."""
	box = harness.Box(epoch_ns=epoch_ns)
	found = []
	with contextlib.closing(box):
		os.mkdir(box.state)
		cuts.take_out(image, box.state, found)
		if found:
			raise harness.Failed(found[0])
		return box.entries()


def confirmed(seen, entries, vm, epoch_ns):
	"""What was seen, with the entries of the observation that it made."""
	kinds = [(crash.KIND_OF[button], crash.CODE_OF.get(button, "")) for button, *_ in seen]
	if [(e["kind"], e["code"]) for e in entries] != kinds:
		raise harness.Failed(f"confirmed were {kinds}, in the journal are {entries}")
	return [cuts.Confirmed(button, entry, (vm.guest_ns(when_ns) - epoch_ns) / NS, n,
		max(0, blink_s - BLINK_S))
		for (button, when_ns, n, blink_s), entry in zip(seen, entries)]


@unittest.skipIf(board.why_not(), board.why_not())
class PowerCuts(unittest.TestCase):
	maxDiff = None

	@classmethod
	def setUpClass(cls):
		with open(crash.LESSON, "rb") as file:
			files = {"/root/lesson.wav": file.read(), **FILES}
		vm = cls.vm = board.VM(board.image(), state_log=True, files=files)
		cls.addClassCleanup(vm.close)
		vm.start()
		clock = cuts.Clock(vm.state_log_path)
		cls.addClassCleanup(clock.close)
		vm.wait_lamp("red", 1, timeout=board.BOOT_S) # what plays follows what records
		vm.spawn("while aplay -q -D plughw:Loopback,0 /root/lesson.wav; do :; done")
		told = Teller(vm, clock).tell(LESSON)
		time.sleep(1) # a cut may come a moment later, too
		end = writelog.count(vm.state_log_path)
		control = cls._tell_without_syncs(vm, clock)
		vm.relate_clocks()
		vm.power_off(board.BOOT_S)
		clock.close()
		log = writelog.Log(vm.state_log_path)
		entries = entries_of(vm.state_path)
		epoch_ns = entries[0]["t_ns"]
		starts = [e["seq"] for e in entries if e["kind"] == "observation_start"]
		parts = [[e for e in entries if e["kind"] in crash.KIND_OF.values() and
			e["observation"] == start] for start in starts]
		cls.lesson, cls.control = (cuts.Lesson(log, clock, entries,
			confirmed(seen, part, vm, epoch_ns), vm.offset_ns, epoch_ns)
			for seen, part in zip((told, control), parts))
		cls.end = end
		# from here on everything is cut and looked at in memory
		cls.addClassCleanup(setattr, tempfile, "tempdir", tempfile.tempdir)
		tempfile.tempdir = cuts.scratch()

	@staticmethod
	def _tell_without_syncs(vm, clock):
		vm.put(NO_SYNC, "/run/systemd/system/chalkboxd.service.d/no-sync.conf")
		since_ns = harness.real_ns()
		vm.run("systemctl daemon-reload && systemctl restart chalkboxd", board.BOOT_S)
		vm.wait_lamp("red", 1, since_ns, board.BOOT_S)
		return Teller(vm, clock).tell(CONTROL)

	def image(self):
		return os.path.join(self.vm.image, "state.img")

	def test_a_power_cut_loses_nothing_that_was_confirmed(self):
		chosen = [point for point in cuts.points(self.lesson, AROUND, SEED) if point[0] <= self.end]
		with crash.stopwatch() as seconds:
			results = cuts.results(self.lesson, self.image(), chosen)
		failures = [f"cut after {n} entries, {known} confirmed: {text}"
			for n, known, found, _ in results for text in found]
		worst = max(lost for *_, lost in results)
		snippets = sum(e["kind"] == "snippet" for e in self.lesson.entries)
		stood_s = max(one.stood_s for one in self.lesson.confirmed)
		print(f"\n| power cut at {len(results)} points of {self.end} writes and flushes about "
			f"{len(self.lesson.confirmed)} confirmed events and {snippets} snippets: the snippet "
			f"being written lost {worst:.2f} s at most; a blink was {stood_s:.2f} s too long at "
			f"most; {seconds():.0f} s", flush=True)
		self.assertEqual(failures, [])
		self.assertGreaterEqual(len(results), 100)

	def test_a_box_whose_syncs_do_nothing_is_seen_to_lose_events(self):
		chosen = cuts.points(self.control, 2, SEED)
		results = cuts.results(self.control, self.image(), chosen)
		lost = [text for *_, found, _ in results for text in found if cuts.LOST in text]
		print(f"\n| a box that does not sync: {len(lost)} events lost in {len(results)} cuts",
			flush=True)
		self.assertGreater(len(lost), 0)


if __name__ == "__main__":
	unittest.main()
