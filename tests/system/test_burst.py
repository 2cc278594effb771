"""Twenty presses in one second on four bouncing buttons: each kept, once, in order."""
import os
import random
import signal
import unittest

from harness import Case, say

ALONE = True # its edges are stamped a few milliseconds ahead of the wall clock
SEEDS = int(os.environ.get("CHALKBOX_BURST_SEEDS", "50"))
PRESSES = 20
SETTLED_S = 0.012 # a contact must rest longer than the debouncing to be pressed anew
BOUNCE_MOST_S = 0.008
QUIET_S = 0.008   # debounce_ms of the default configuration
# lines 4 and 5 are undo and lesson in the default scheme; here all four are codes
SCHEME = """
[scheme]
name = burst
title = Burst
[code lesson]
title = Lesson
button = 5
kind = lesson
""" + "".join(f"""
[code code{button}]
title = Code {button}
button = {button}
kind = point
before = 1
after = 1
""" for button in (1, 2, 3, 4))


def bounces(source):
	"""Moments at which a contact jumps after its first touch, up to 8 ms later."""
	n = source.choice((0, 2, 4, 6))
	return sorted(source.uniform(0.0002, BOUNCE_MOST_S) for _ in range(n))


def burst(source, begin):
	"""
	Presses of one second: (at, button, edges). A button's next press comes after
	its last one is over, as fingers are; between buttons they come as they like.
	"""
	free = {button: 0.0 for button in "1234"}
	presses = []
	for at in sorted(source.uniform(0, 1) for _ in range(PRESSES)):
		button = min(free, key=lambda b: (max(free[b], at), source.random()))
		at = max(at, free[button])
		hold = source.uniform(0.025, 0.06)
		edges = [(begin + at, 1)]
		level = 1
		for moment in bounces(source):
			level = 1 - level
			edges.append((begin + at + moment, level))
		edges.append((begin + at + hold, 0))
		level = 0
		for moment in bounces(source):
			level = 1 - level
			edges.append((begin + at + hold + moment, level))
		free[button] = at + hold + BOUNCE_MOST_S + QUIET_S + SETTLED_S
		presses.append((begin + at, button, begin + at + hold, edges))
	return sorted(presses)


class Burst(Case):
	def test_no_press_of_a_burst_is_lost_doubled_or_moved(self):
		box = self.box(sound=False, scheme=SCHEME)
		# A kernel does not hand out edges late, as a test on a busy machine may:
		# they are sent a little before their stamps, and a burst of which one
		# came too late all the same is not counted but done again.
		box.early = 0.010
		bursts, fair = [], 0
		for seed in range(4 * SEEDS):
			begin = box.now() + 0.05
			presses = burst(random.Random(seed), begin)
			for _, button, _, edges in presses:
				for at, level in edges:
					box.edge(button, level, at)
			box.wait_sent()
			box.sleep_until(max(over for _, _, over, _ in presses) + 0.05)
			in_time = box.late() < 0
			bursts.append((seed, begin, presses, in_time))
			fair += in_time
			if fair == SEEDS:
				break
		self.assertEqual(fair, SEEDS, "the machine is too busy for this test")
		box.stop()

		entries = box.entries()
		seqs = {e["seq"]: e for e in entries}
		ends = [begin for _, begin, _, _ in bursts[1:]] + [float("inf")]
		for (seed, begin, presses, in_time), end in zip(bursts, ends):
			mine = [e for e in entries if begin - 0.02 <= e["at"] < end - 0.02]
			kept = [(e["code"], e["t_ns"]) for e in mine if e["kind"] == "press"]
			if in_time:
				self.assertEqual(kept, [("code" + button, box.ns(at)) for at, button, _, _ in
					presses], f"seed {seed}")
				self.assertEqual(
					sorted((e["code"], e["t_ns"], seqs[e["ref"]]["t_ns"], e["value"])
						for e in mine if e["kind"] == "release"),
					sorted(("code" + button, box.ns(over), box.ns(at), 0)
						for at, button, over, _ in presses), f"seed {seed}")
		box.check()
		say(f"| {fair} bursts of {PRESSES} presses a second, each kept once, in order; "
			f"{len(bursts) - fair} came too late and were done again")

	def test_edges_that_come_late_and_all_at_once_are_kept_with_their_stamps(self):
		source = random.Random(21)
		box = self.box(sound=False, scheme=SCHEME)
		box.sleep_until(2.0)
		presses = burst(source, 0.6)
		os.kill(box.pid, signal.SIGSTOP) # a loop that is kept from turning
		for at, button, level in sorted((at, button, level) for _, button, _, edges in presses
				for at, level in edges):
			box.send(f"edge {button} {level} {box.ns(at)}")
		os.kill(box.pid, signal.SIGCONT)
		box.wait_for(lambda: len(box.entries("release")) >= PRESSES, "the releases")
		box.stop()
		self.assertEqual([(e["t_ns"], e["code"]) for e in box.entries("press")],
			[(box.ns(at), "code" + button) for at, button, _, _ in presses])

	def test_a_lost_release_is_found_by_the_level_and_said_to_be_estimated(self):
		box = self.box(sound=False, scheme=SCHEME)
		at = box.now() + 0.2
		box.edge("1", 1, at)
		box.wait_confirm(at)
		box.send("level 1 0")
		release = box.wait_entry("release")
		self.assertEqual(release["value"], 1)
		self.assertGreater(release["at"], at)
		box.press("1", box.now() + 0.3)
		box.wait_for(lambda: len(box.entries("release")) == 2, "the second release")
		box.stop()
		self.assertEqual(len(box.entries("press")), 2)


if __name__ == "__main__":
	unittest.main()
