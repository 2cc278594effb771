"""A configuration with a mistake is refused, says where, and nothing is touched."""
import os
import re
import subprocess
import unittest

from harness import BUILD, ROOT, Case

REFUSED = 78 # EX_CONFIG of sysexits.h
GOOD = """[box]
name = test
state = {folder}/state
runtime = {folder}/run
board = {root}/board/sim.conf
[sound]
enabled = no
"""
# what a file beside the good one holds, the line at fault, words of the message
MISTAKES = {
	"an_unknown_key_is_named_with_the_right_one": ("[sound]\nring_seconds = 60\n", 2, ["ring_s"]),
	"a_key_mistyped_is_named_with_the_right_one": ("[sound]\nbitrate_kbits = 24\n", 2, ["bitrate_kbit"]),
	"an_unknown_section_is_named": ("[sounds]\nring_s = 60\n", 2, ["sounds"]),
	"a_number_too_small_is_told_its_range": ("[sound]\nring_s = 10\n", 2, ["60", "300"]),
	"a_number_too_large_is_told_its_range": ("[sound]\nring_s = 4000\n", 2, ["60", "300"]),
	"a_word_for_a_number_is_refused": ("[sound]\nring_s = sixty\n", 2, ["ring_s"]),
	"a_word_that_is_neither_yes_nor_no_is_refused": ("[sound]\nenabled = perhaps\n", 2, ["yes", "no"]),
	"a_key_given_twice_is_refused": ("[sound]\nring_s = 60\nring_s = 90\n", 3, ["ring_s"]),
	"a_line_that_is_none_is_refused": ("[sound]\nring_s\n", 2, []),
	"a_board_that_is_not_there_is_named": ("[box]\nboard = nowhere\n", 2, ["nowhere"]),
	"a_line_of_the_board_used_twice_is_refused": ("[buttons]\n2 = 1\n", 2, ["1"]),
}
SCHEMES = {
	"a_scheme_with_an_unknown_kind_is_refused": ("[code a]\nbutton = 1\nkind = dot\n", "point"),
	"a_scheme_without_a_lesson_is_refused": ("[code a]\ntitle = A\nbutton = 1\nkind = point\n", "lesson"),
	"a_scheme_that_looks_too_far_back_is_refused": (
		"[code a]\nbutton = 1\nkind = point\nbefore = 300\n", "45"),
}


class Config(Case):
	def write(self):
		folder = self.folder()
		path = os.path.join(folder, "chalkbox.conf")
		with open(path, "w", encoding="utf-8") as file:
			file.write(GOOD.format(folder=folder, root=ROOT))
		return folder, path

	def run_it(self, path, *arguments):
		return subprocess.run([os.path.join(BUILD, "chalkboxd"), "--config", path, *arguments],
			capture_output=True, text=True, check=False, timeout=60)

	def refused(self, folder, path, where, words):
		before = sorted(os.listdir(folder))
		for arguments in ((), ("--check-config",), ("--print-config",)):
			run = self.run_it(path, *arguments)
			self.assertEqual(run.returncode, REFUSED, f"{arguments}: {run.stderr}")
			self.assertRegex(run.stderr, re.escape(where))
			for word in words:
				self.assertIn(word, run.stderr)
			self.assertEqual(run.stdout, "")
			self.assertEqual(run.stderr.count("\n"), 1)
		self.assertEqual(sorted(os.listdir(folder)), before, "something was touched")

	def test_a_good_one_is_sound_and_printed_as_it_is_in_effect(self):
		folder, path = self.write()
		self.assertEqual(self.run_it(path, "--check-config").returncode, 0)
		printed = self.run_it(path, "--print-config").stdout
		self.assertIn(f"state = {folder}/state", printed)
		self.assertIn("ring_s = 60", printed)
		self.assertEqual(os.listdir(folder), ["chalkbox.conf"])

	def test_what_stands_in_the_folder_beside_it_wins_and_is_blamed(self):
		folder, path = self.write()
		os.mkdir(path + ".d")
		for name, ring in (("10-a.conf", 90), ("20-b.conf", 120)):
			with open(os.path.join(path + ".d", name), "w", encoding="utf-8") as file:
				file.write(f"[sound]\nring_s = {ring}\n")
		self.assertIn("ring_s = 120", self.run_it(path, "--print-config").stdout)
		with open(os.path.join(path + ".d", "30-c.conf"), "w", encoding="utf-8") as file:
			file.write("[sound]\n\nring_s = 1\n")
		self.refused(folder, path, "30-c.conf:3:", ["60"])

	def test_a_file_that_is_not_there_is_named(self):
		folder = self.folder()
		run = self.run_it(os.path.join(folder, "none.conf"))
		self.assertEqual(run.returncode, REFUSED)
		self.assertIn("none.conf", run.stderr)

	def test_a_running_box_is_not_joined_by_a_second(self):
		box = self.box(sound=False)
		run = subprocess.run([os.path.join(BUILD, "chalkboxd"), "-c", box.config_path],
			env=box.environment(), capture_output=True, text=True, check=False, timeout=60)
		self.assertNotEqual(run.returncode, 0)
		self.assertTrue(run.stderr)
		at = box.now() + 0.2
		box.press("1", at)
		box.wait_confirm(at)
		box.stop()
		self.assertEqual(len(box.presses()), 1)


def mistake(extra, line, words):
	def test(self):
		folder, path = self.write()
		os.mkdir(path + ".d")
		with open(path + ".d/50-site.conf", "w", encoding="utf-8") as file:
			file.write(extra)
		self.refused(folder, path, f"chalkbox.conf.d/50-site.conf:{line}:", words)
	return test


def bad_scheme(text, word):
	def test(self):
		folder, path = self.write()
		scheme = os.path.join(folder, "site.scheme")
		with open(scheme, "w", encoding="utf-8") as file:
			file.write("[scheme]\nname = site\ntitle = Site\n" + text)
		with open(path, encoding="utf-8") as file:
			config = file.read()
		with open(path, "w", encoding="utf-8") as file:
			file.write(config.replace("[sound]", f"scheme = {scheme}\n[sound]"))
		self.refused(folder, path, "site.scheme:", [word])
	return test


for name, arguments in MISTAKES.items():
	setattr(Config, "test_" + name, mistake(*arguments))
for name, arguments in SCHEMES.items():
	setattr(Config, "test_" + name, bad_scheme(*arguments))


if __name__ == "__main__":
	unittest.main()
