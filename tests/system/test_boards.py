"""
The boards that come with the program: their lines exist on the Raspberry Pis they are
for, the drawings show the wiring of their files, the microphone's overlay fits.
"""
import configparser
import glob
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from harness import BUILD, ROOT

BOARD = os.path.join(ROOT, "board")
RECORDER = os.path.join(BUILD, "chalkboxd")
sys.path.insert(0, BOARD)
import wiring # noqa: E402

# The lines' names on the header, from the kernel's device trees: gpio-line-names of
# bcm2710-rpi-zero-2-w, bcm2710-rpi-3-b, -3-b-plus, bcm2711-rpi-4-b and bcm2712-rpi-5-b.
# (On a Pi 3 B the pins with a bus on them bear the bus's name instead.)
ALL = {f"GPIO{n}" for n in range(2, 28)}
BUSES_OF_3B = {f"GPIO{n}" for n in (2, 3, 4, 7, 8, 9, 10, 11, 14, 15)}
MODELS = {"Zero 2 W": ALL, "3 B": ALL - BUSES_OF_3B, "3 B+": ALL, "4 B": ALL, "5": ALL}

BASE = """/dts-v1/;
/ {
	gpio: gpio { gpio-controller; #gpio-cells = <2>; };
	i2s_clk_producer: i2s { #sound-dai-cells = <0>; status = "disabled"; };
	sound: sound { status = "disabled"; };
};
"""


def path_of(name):
	return os.path.join(BOARD, name + ".conf")


def read(name):
	with open(path_of(name), encoding="utf-8") as file:
		return file.read()


def lines(name):
	board = wiring.read(path_of(name))
	return {**board["buttons"], **board["lamps"]}


class Files(unittest.TestCase):
	def test_every_board_is_one_that_the_recorder_takes(self):
		for path in glob.glob(path_of("*")):
			with self.subTest(path), tempfile.NamedTemporaryFile("w") as file:
				file.write(f"[box]\nboard = {path}\n")
				file.flush()
				run = subprocess.run([RECORDER, "-c", file.name, "--check-config"],
					capture_output=True, text=True, check=False)
				self.assertEqual(run.returncode, 0, run.stderr)

	def test_the_lines_of_the_boards_exist_on_every_model(self):
		for name in ("pi", "pi-i2s"):
			for model, known in MODELS.items():
				with self.subTest(f"{name} on a {model}"):
					self.assertLessEqual(set(lines(name).values()), known)

	def test_the_pins_beside_the_lines_are_right(self):
		for name in ("pi", "pi-i2s"):
			said = re.findall(r"(?m)^\S+ = (GPIO\d+)\s*; pin (\d+)", read(name))
			self.assertEqual({line for line, _ in said}, set(lines(name).values()))
			for line, pin in said:
				self.assertEqual(int(pin), wiring.pin_of(line, line), line)

	def test_both_microphones_go_with_the_same_buttons_and_lamps(self):
		self.assertEqual(lines("pi"), lines("pi-i2s"))

	def test_the_buses_are_left_free(self):
		bus = {f"GPIO{n}" for n in (2, 3, 7, 8, 9, 10, 11, 18, 19, 20, 21)}
		self.assertFalse(bus & set(lines("pi").values()))

	def test_the_keys_of_the_keypad_are_keys(self):
		with open("/usr/include/linux/input-event-codes.h", encoding="ascii") as file:
			known = set(re.findall(r"#define (KEY_\w+)", file.read()))
		self.assertLessEqual(set(wiring.read(path_of("keypad"))["buttons"].values()), known)


class Drawing(unittest.TestCase):
	def draw(self, text):
		with tempfile.NamedTemporaryFile("w", suffix=".conf", encoding="utf-8") as file:
			file.write(text)
			file.flush()
			return wiring.draw(file.name)

	def test_the_drawings_are_those_of_their_boards_files(self):
		for name, drawing in (("pi", "wiring.svg"), ("pi-i2s", "wiring-i2s.svg")):
			with open(os.path.join(BOARD, drawing), encoding="utf-8") as file:
				self.assertEqual(file.read(), wiring.draw(path_of(name)),
					f"board/{drawing} is an older one: make wiring")

	def test_another_wiring_is_another_drawing(self):
		moved = self.draw(read("pi").replace("GPIO13", "GPIO12"))
		self.assertIn("button 3, pin 32", moved)
		self.assertNotIn("button 3, pin 33", moved)

	def test_a_pin_that_another_part_needs_is_refused(self):
		for line, why in (("GPIO27", "the power-off button"), ("GPIO3", "the clock"),
				("GPIO6", "pin 31 is 2's"), ("GPIO28", "no pin of the header"),
				("KEY_1", "no pin of the header")):
			with self.assertRaisesRegex(wiring.Wrong, why):
				self.draw(read("pi").replace("GPIO13", line))
		with self.assertRaisesRegex(wiring.Wrong, "the microphone"):
			self.draw(read("pi-i2s").replace("GPIO13", "GPIO19"))

	def test_no_wire_crosses_another_whatever_the_pins(self):
		chance = random.Random(4)
		free = sorted(MODELS["3 B"] - {"GPIO27"})
		for _ in range(200):
			board = configparser.ConfigParser()
			board.read_dict({"board": {"buttons": "gpio", "lamps": "gpio"},
				"microphone": {}, "buttons": {}, "lamps": {}})
			chosen = chance.sample(free, chance.randint(1, 12))
			for n, line in enumerate(chosen):
				board["buttons" if n % 2 else "lamps"][str(n)] = line
			wires = [wire for part, wire in self.routes(wiring.parts(board))]
			for i, one in enumerate(wires):
				for other in wires[:i]:
					self.assertFalse(cross(one, other), (chosen, one, other))

	@staticmethod
	def routes(parts):
		for where in ("l", "r"):
			mine = [part for part in parts if wiring.side(part[3]) == where]
			for part, place, lane in wiring.places(mine, where):
				yield part, wiring.route(part[3], place, lane)


def cross(one, other):
	"""Whether two lines of level and upright stretches touch."""
	for a, b in zip(one, one[1:]):
		for c, d in zip(other, other[1:]):
			if all(max(min(a[i], b[i]), min(c[i], d[i])) <=
					min(max(a[i], b[i]), max(c[i], d[i])) for i in (0, 1)):
				return True
	return False


class Overlay(unittest.TestCase):
	def setUp(self):
		if not shutil.which("dtc") or not shutil.which("fdtoverlay"):
			self.skipTest("no device tree compiler on this machine")
		self.folder = tempfile.mkdtemp(prefix="cb-")
		self.addCleanup(shutil.rmtree, self.folder)

	def run_tool(self, *arguments):
		run = subprocess.run(arguments, capture_output=True, text=True, check=False)
		self.assertEqual((run.returncode, run.stderr), (0, ""))
		return run.stdout

	def at(self, name):
		return os.path.join(self.folder, name)

	def test_the_microphones_overlay_makes_the_card_that_its_board_names(self):
		with open(self.at("base.dts"), "w", encoding="ascii") as file:
			file.write(BASE)
		self.run_tool("dtc", "-@", "-o", self.at("base.dtb"), self.at("base.dts"))
		self.run_tool("dtc", "-@", "-o", self.at("mic.dtbo"),
			os.path.join(BOARD, "overlays/chalkbox-mic.dts"))
		self.run_tool("fdtoverlay", "-i", self.at("base.dtb"), "-o", self.at("all.dtb"),
			self.at("mic.dtbo"))

		def get(node, name):
			return self.run_tool("fdtget", self.at("all.dtb"), node, name).strip()
		card = wiring.read(path_of("pi-i2s"))["microphone"]["card"]
		self.assertEqual(get("/sound", "simple-audio-card,name"), card)
		self.assertEqual(get("/sound", "status"), "okay")
		self.assertEqual(get("/i2s", "status"), "okay")
		self.assertEqual(get("/sound/simple-audio-card,cpu", "sound-dai"),
			get("/i2s", "phandle"))
		self.assertEqual(get("/sound/simple-audio-card,codec", "sound-dai"),
			get("/chalkbox-mic", "phandle"))
		self.assertEqual(get("/sound", "simple-audio-card,bitclock-master"),
			get("/sound/simple-audio-card,cpu", "phandle"))
		self.assertLess(len(card), 16) # what ALSA keeps of an id
		self.assertTrue(card.isalnum())

	def test_the_microphones_overlay_takes_no_pin_of_buttons_and_lamps(self):
		self.run_tool("dtc", "-@", "-o", self.at("mic.dtbo"),
			os.path.join(BOARD, "overlays/chalkbox-mic.dts"))
		wanted = self.run_tool("fdtget", "-p", self.at("mic.dtbo"), "/__fixups__").split()
		self.assertEqual(set(wanted), {"i2s_clk_producer", "sound"})


if __name__ == "__main__":
	unittest.main()
