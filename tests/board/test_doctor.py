"""
`chalkbox doctor` on the virtual board: real lines and who holds them, real units and
their walls, buttons pressed by interrupts, lamps seen where they leave the chip.
"""
import json
import os
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "board", "vm"))

import vm # noqa: E402 (the path above leads to it)

PART = "/etc/chalkbox/chalkbox.conf.d/90-doctor.conf"
# takes a line by the kernel's own interface, as an overlay or another program would
THIEF = """
import fcntl, glob, os, struct, time
fd = os.open("/dev/gpiochip0", os.O_RDWR)
request = bytearray(struct.pack("<64I32sQI5I240xII5Ii", *[0] * 64, b"thief", 0, 0, *[0] * 5, 1, 0,
	*[0] * 5, 0))
fcntl.ioctl(fd, 0xc250b407, request)
print("held", flush=True)
time.sleep(600)
"""


@unittest.skipIf(vm.why_not(), vm.why_not())
class Doctor(unittest.TestCase):
	@classmethod
	def setUpClass(cls):
		cls.vm = vm.VM()
		cls.addClassCleanup(cls.vm.close)
		cls.vm.start()
		cls.vm.wait_unit("chalkboxd")

	def tearDown(self):
		self.vm.run(f"rm -f {PART}; systemctl restart chalkboxd")
		self.vm.wait_unit("chalkboxd")

	def take(self, result):
		said = json.loads(result.out)
		self.assertEqual(result.code, 1 if said["faults"] else 0)
		return said, lambda check: [f for f in said["findings"] if f["check"] == check]

	def doctor(self, arguments="", before=""):
		return self.take(self.vm.run(f"{before} chalkbox doctor --json {arguments} </dev/null",
			timeout=180, check=False))

	def play(self):
		"""Something into the card's other end, for a minute."""
		self.vm.run("test -e /root/noise || python3 -c 'import random, sys; sys.stdout.buffer.write("
			"b\"\".join(random.randrange(-1500, 1500).to_bytes(2, \"little\", signed=True) "
			"for _ in range(48000)) * 60)' >/root/noise")
		return self.vm.spawn("timeout 60 aplay -q -D hw:Loopback,0 -t raw -f S16_LE -r 48000 -c 1 "
			"/root/noise")

	def test_a_box_that_came_up_by_itself_has_no_fault(self):
		self.play()
		said, of = self.vm.wait_for(lambda: (found := self.doctor())[1]("level")[0]["state"] == "ok"
			and found, 60, "sound")
		self.assertEqual([f for f in said["findings"] if f["state"] == "fault"], [])
		self.assertEqual(said["faults"], 0)
		for check in ("configuration", "versions", "recorder", "record", "units", "sandbox", "lines",
				"microphone"):
			self.assertEqual({f["state"] for f in of(check)}, {"ok"}, of(check))
		self.assertEqual(of("lines")[0]["values"], {"right": len(vm.LINES)})
		self.assertIn("held by chalkboxd", of("lines")[0]["says"])
		self.assertTrue(of("versions")[0]["values"]["libgpiod"])
		values = of("card")[0]["values"]
		print(f"| a write is on the card after {values['median_ms']:.1f} ms, 99 of 100 within "
			f"{values['p99_ms']:.1f} ms")

	def test_who_has_no_rights_sees_no_fault_and_is_told_so(self):
		said, of = self.doctor(before="cd /; runuser -u nobody --")
		self.assertEqual([f for f in said["findings"] if f["state"] == "fault"], [])
		for check in ("recorder", "record", "lines", "pairing"):
			self.assertEqual(of(check)[0]["state"], "unknown", of(check))
			self.assertIn("sudo", of(check)[0]["fix"])
		self.assertEqual({f["state"] for f in of("units") + of("sandbox")}, {"ok"})

	def test_a_line_that_is_not_there_is_named(self):
		self.vm.put("[buttons]\n2 = GPIO99\n", PART)
		self.vm.run("systemctl restart chalkboxd")
		self.vm.wait_unit("chalkboxd")
		said, of = self.doctor()
		wrong = [f for f in of("lines") if f["state"] == "fault"]
		self.assertIn("2", [f["part"] for f in wrong])
		self.assertIn("GPIO99", next(f for f in wrong if f["part"] == "2")["says"])
		self.assertEqual([f["part"] for f in of("record")], ["buttons"])

	def test_a_line_that_somebody_else_holds_is_named(self):
		self.vm.run("systemctl stop chalkboxd")
		self.vm.put(THIEF, "/root/thief.py")
		self.vm.run("python3 -u /root/thief.py >/root/held 2>&1 & echo $! >/root/pid; "
			"for i in $(seq 100); do grep -q held /root/held && exit 0; sleep 0.1; done; "
			"cat /root/held >&2; exit 1")
		try:
			self.vm.run("systemctl start chalkboxd")
			said, of = self.doctor()
		finally:
			self.vm.run("kill $(cat /root/pid)")
		wrong = next(f for f in of("lines") if f["part"] == "1")
		self.assertEqual(wrong["state"], "fault")
		self.assertIn("held by thief", wrong["says"])

	def test_a_recorder_that_was_stopped_is_named(self):
		self.vm.run("systemctl stop chalkboxd")
		said, of = self.doctor()
		self.assertEqual(of("recorder")[0]["state"], "fault")
		self.assertEqual(of("units")[0]["state"], "fault")
		self.assertIn("held by nobody", of("lines")[0]["says"])

	def test_walls_that_were_taken_away_are_named(self):
		self.vm.run("mkdir -p /run/systemd/system/chalkboxd.service.d; printf '[Service]\\n"
			"PrivateNetwork=no\\n' >/run/systemd/system/chalkboxd.service.d/x.conf; "
			"systemctl daemon-reload; systemctl restart chalkboxd")
		try:
			said, of = self.doctor()
		finally:
			self.vm.run("rm -r /run/systemd/system/chalkboxd.service.d; systemctl daemon-reload")
		self.assertEqual(of("sandbox")[0]["state"], "fault")
		self.assertIn("PrivateNetwork", of("sandbox")[0]["says"])

	def test_each_button_is_seen_and_nothing_recorded(self):
		entries = self.doctor()[1]("record")[0]["values"]["entries"]
		trying = self.vm.spawn("chalkbox doctor --json --press --seconds 25 </dev/null 2>/root/asked",
			timeout=300)
		for button in vm.BUTTONS: # as soon as it is asked for
			self.vm.wait_for(lambda: trying.done() or
				f"(button {button}," in self.vm.run("cat /root/asked || :").out, 120, f"button {button}")
			self.vm.press(button)
		said, of = self.take(trying.wait(60, check=False))
		self.assertEqual([f["state"] for f in of("buttons")], ["ok"], of("buttons"))
		self.assertEqual(of("buttons")[0]["values"], {"seen": len(vm.BUTTONS)})
		self.assertEqual(of("record")[0]["values"]["entries"], entries)

	def test_each_lamp_is_lit_alone(self):
		before = {name: self.vm.lamp(name) for name in vm.LAMPS}
		n = len(self.vm.lamps)
		said, of = self.doctor("--lamps")
		self.assertEqual(of("lamps")[0]["values"], {"lit": len(vm.LAMPS)})
		alone = set()
		for name, level, _ in self.vm.lamps[n:]:
			before[name] = level
			alone.add(tuple(one for one in before if before[one]))
		for name in vm.LAMPS:
			self.assertIn((name,), alone, self.vm.lamps[n:])


if __name__ == "__main__":
	unittest.main()
