"""
chalkbox as scripts meet it: the buttons it presses, its exit codes, and what goes to
which stream.
"""
import json
import os
import re
import signal
import subprocess
import unittest

from harness import BUILD, DEADLINE_S, NS, ROOT
from test_cli_forms import COMMANDS, LAMP, SCHEME, Program, strays


class Pressing(Program):
	def test_a_button_is_pressed_by_its_codes_its_own_and_its_lines_name(self):
		board = os.path.join(self.folder(), "board.conf")
		with open(os.path.join(ROOT, "board/sim.conf"), encoding="utf-8") as file:
			text = file.read()
		with open(board, "w", encoding="utf-8") as file:
			file.write(text.replace("\n1 = 1\n", "\n1 = wire\n"))
		box = self.box(sound=False, scheme=SCHEME, board=board)
		for n, name in enumerate(("lesson", "question", "1", "wire")):
			run = self.run_on(box, "press", name)
			self.assertEqual((run.returncode, run.stdout, run.stderr), (0, "", ""), name)
			# (the next is too soon before that: a contact that bounces)
			box.wait_for(lambda: len(box.entries("release")) == n, "the release")
		self.assertEqual([code for code, _ in box.presses()], ["question"] * 3)
		held = [release["t_ns"] - press["t_ns"]
			for press, release in zip(box.entries("press"), box.entries("release"))]
		self.assertEqual(held, [NS // 10] * 3)

	def test_a_press_is_held_as_long_as_asked(self):
		box = self.box(sound=False, scheme=SCHEME)
		self.assertEqual(self.run_on(box, "press", "lesson").returncode, 0)
		self.assertEqual(self.run_on(box, "press", "1", "--hold", "0.75").returncode, 0)
		release = box.wait_entry("release")
		self.assertEqual(release["t_ns"] - box.presses()[0][1], NS * 3 // 4)

	def test_a_script_is_pressed_at_its_times_from_a_file_or_standard_input(self):
		box = self.box(sound=False, scheme=SCHEME, speed=4)
		for how in ("file", "input"):
			begin = round(box.now() + 1, 3)
			steps = [(0, "lesson", "press"), (0.1, "lesson", "release"), (1, "1", "press"),
				(1.125, "1", "release"), (2, "lesson", "press"), (4.5, "lesson", "release")]
			text = "# a lesson\n\n" + "".join(f"{begin + at:.3f}  {line} {what} # so\n"
				for at, line, what in steps)
			if how == "file":
				path = os.path.join(self.folder(), "script")
				with open(path, "w", encoding="ascii") as file:
					file.write(text)
				run = self.run_on(box, "press", "--script", path)
			else:
				run = self.run_on(box, "press", "--script", "-", input=text, stdin=None)
			self.assertEqual((run.returncode, run.stdout, run.stderr), (0, "", ""))
			box.wait_for(lambda: not self.json_of(box, "observations")["observations"][-1]["running"],
				"the lesson's end")
			self.assertEqual(box.presses()[-1], ("question", box.ns(begin + 1)))
			self.assertEqual(box.entries("observation_end")[-1]["t_ns"], box.ns(begin + 4))

	def test_lamps_are_printed_as_they_change(self):
		box = self.box(sound=False, scheme=SCHEME)
		run = self.run_on(box, "press", "lesson", "--lamps")
		self.assertEqual((run.returncode, run.stderr), (0, ""))
		lines = run.stdout.splitlines()
		self.assertIn("vibration on", [line.split(" ", 1)[1] for line in lines])
		for line in lines:
			self.assertRegex(line, r"^-?\d+\.\d{6} (red|green|amber|vibration|transition) (on|off)$")
		run = self.run_on(box, "--json", "press", "1", "--lamps", "--linger", "0.5")
		self.assertEqual((run.returncode, run.stderr), (0, ""))
		lamps = [json.loads(line) for line in run.stdout.splitlines()]
		for lamp in lamps:
			self.assertEqual(strays(lamp, LAMP), [])
			self.assertEqual((lamp["format"], lamp["version"]), ("chalkbox-lamp", 1))
		blink = next(lamp for lamp in lamps if lamp["lamp"] == "vibration" and lamp["on"])
		press_ns = box.presses()[0][1]
		self.assertAlmostEqual(blink["time"], (blink["t_ns"] - press_ns) / NS, delta=1e-6)

	def test_it_waits_for_the_board_only_if_asked_to(self):
		box = self.box(start=False, sound=False)
		self.assert_told(self.run_on(box, "press", "1"), 1, "no simulated board there")
		waiting = subprocess.Popen([os.path.join(BUILD, "chalkbox"), "press", "5", "--wait"],
			env=box.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
		box.start()
		self.assertEqual((waiting.communicate(timeout=DEADLINE_S)[0], waiting.returncode), (b"", 0))
		box.wait_entry("observation_start")

	def test_the_console_needs_a_terminal(self):
		self.assert_told(self.run_on(self.box(sound=False), "console"), 1, "needs a terminal")

	def test_what_cannot_be_pressed_is_told(self):
		box = self.box(sound=False)
		self.assert_told(self.run_on(box, "press", "nosuch"), 1, "`nosuch` is no button", "mute")
		for text, words in (("1 1 press\n0.5 1 release\n", ":2: `0.5` lies before line 1"),
				("1 1 push\n", ":1: `push` is neither"), ("x 1 press\n", ":1: `x` is no time"),
				("1 press\n", ":1: has 2 words"), ("1 nosuch press\n", ":1: `nosuch` is no button")):
			run = self.run_on(box, "press", "--script", "-", input=text, stdin=None)
			self.assert_told(run, 1, "standard input" + words)
		self.assert_told(self.run_on(box, "press", "--script", "/nonexistent/a"), 1, "/nonexistent/a")
		self.assertEqual(box.presses(), [])
		real = self.box(start=False, board=os.path.join(ROOT, "board/pi.conf"))
		for command in (("press", "1"), ("console",)):
			self.assert_told(self.run_on(real, *command), 1, "its board has real buttons")


class Streams(Program):
	"""Exit codes; what goes to standard output and what to standard error."""

	def test_help_goes_to_standard_output_and_is_fine(self):
		box = self.box(start=False)
		run = self.run_on(box, "--help")
		self.assertEqual((run.returncode, run.stderr), (0, ""))
		self.assertEqual(re.findall(r"^  (\w+) ", run.stdout, re.M), COMMANDS)
		for command in COMMANDS:
			for words in ((command, "--help"), (command, "-h"), ("--json", command, "--help")):
				run = self.run_on(box, *words)
				self.assertEqual((run.returncode, run.stderr), (0, ""), words)
				self.assertRegex(run.stdout, rf"^Usage: chalkbox {command}\b")
		run = self.run_on(box, "--version")
		self.assertEqual((run.returncode, run.stderr), (0, ""))
		self.assertRegex(run.stdout, r"^chalkbox \d+\.\d+")

	def test_a_wrong_command_line_is_2_and_says_where_help_is(self):
		box = self.box(start=False)
		wrong = [((), "no command"), (("nosuch",), "`nosuch`"), (("--json=1", "show"), "--json takes"),
			(("-v",), "no option -v"), (("--csv", "events"), "no option --csv"),
			(("--config",), "--config needs a value")]
		for arguments, words in wrong:
			run = self.run_on(box, *arguments)
			self.assert_told(run, 2, words)
			self.assertTrue(run.stderr.endswith("; see chalkbox --help\n"), run.stderr)

	def test_wrong_options_and_arguments_of_every_command_are_2(self):
		box = self.box(start=False)
		many, lone = "one argument too many", "takes one observation"
		wrong = {
			"observations": [(("1",), many)],
			"show": [((), lone), (("1", "2"), lone), (("1", "--width", "39"), "--width is `39`"),
				(("1", "--width", "1001"), "40 to 1000"), (("1", "--width", "x"), "--width is `x`")],
			"events": [(("1", "2"), many), (("--csv", "--json"), "exclude each other"),
				(("-v",), "no option -v")],
			"play": [((), "takes an observation"), (("1",), "takes an observation"),
				(("1", "2", "3"), "takes an observation"), (("1", "2", "--lead", "x"), "--lead is `x`"),
				(("1", "2", "--lead", "1", "--all"), "exclude each other"),
				(("1", "2", "--device", "a", "--out", "b"), "exclude each other")],
			"check": [(("1",), many), (("-d",), "no option -d")],
			"doctor": [(("1",), many), (("--seconds", "0"), "1 to 25"), (("--seconds", "26"), "1 to 25")],
			"sync": [(("1",), many), (("--status", "--now"), "--status goes alone"),
				(("--json",), "no JSON form")],
			"pair": [((), "takes the server's address"), (("a", "b", "c"), "takes the server's"),
				(("a", "b", "--json"), "no JSON form")],
			"press": [((), "takes one line"), (("1", "2"), "takes one line"),
				(("--script", "-", "1"), "takes one line"),
				(("--script", "-", "--hold", "1"), "takes one line"),
				(("1", "--hold", "-1"), "--hold is `-1`"), (("1", "--linger", ""), "--linger is ``")],
			"console": [(("1",), many), (("--json",), "no JSON form")],
		}
		self.assertEqual(list(wrong), COMMANDS)
		for command, cases in wrong.items():
			cases = cases + [(("--nosuch",), "no option --nosuch"), (("-x",), "no option -x"),
				(("--json=1",), "--json takes no value"), (("--config",), "--config needs a value")]
			for arguments, words in cases:
				run = self.run_on(box, command, *arguments)
				self.assert_told(run, 2, f"chalkbox: {command}: ", words)
				self.assertTrue(run.stderr.endswith(f"; see chalkbox {command} --help\n"), run.stderr)

	def test_what_does_not_work_is_1_and_says_why(self):
		box = self.box(start=False)
		for command in (["observations"], ["show", "1"], ["events"], ["play", "1", "1"], ["check"]):
			self.assert_told(self.run_on(box, *command), 1, "no journal there")
			self.assert_told(self.run_on(box, "--config", "/nonexistent/a.conf", *command), 1,
				"/nonexistent/a.conf: no configuration there")
		with open(box.config_path, "a", encoding="ascii") as file:
			file.write("[box]\nnosuch = 1\n")
		for command in (["observations"], ["show", "1"], ["events"], ["play", "1", "1"], ["check"],
				["press", "1"], ["console"]):
			self.assert_told(self.run_on(box, *command), 1, box.config_path + ":")

	def test_an_unknown_observation_is_1(self):
		box = self.box(sound=False)
		for command, *more in (["show"], ["events"], ["play", "1"]):
			self.assert_told(self.run_on(box, command, "last", *more), 1, "nothing was observed yet")
			self.assert_told(self.run_on(box, command, "7", *more), 1, "observation 7: there is none")
			for which in ("x", "0", "1x", "99999999999999999999"):
				self.assert_told(self.run_on(box, command, which, *more), 1, f"`{which}` is no")
		run = self.run_on(box, "observations")
		self.assertEqual((run.returncode, run.stderr), (0, ""))
		self.assertIn("Nothing was observed yet", run.stdout)

	def test_a_full_standard_output_is_told(self):
		box = self.box(sound=False)
		self.assertEqual(self.run_on(box, "press", "lesson").returncode, 0)
		box.wait_entry("observation_start")
		for words in (["--help"], ["observations"], ["observations", "--json"], ["show", "last"],
				["show", "last", "--json"], ["events"], ["events", "--json"], ["check"],
				["check", "--json"], ["doctor"], ["doctor", "--json"], ["press", "1", "--lamps"]):
			self.assert_full(box, words)

	def test_findings_that_cannot_be_printed_are_not_lost_without_a_word(self):
		box = self.box(sound=False)
		box.stop()
		os.makedirs(os.path.join(box.state, "snippets"), exist_ok=True)
		with open(os.path.join(box.state, "snippets/stray.opus"), "wb"):
			pass
		for words in (["check"], ["check", "--json"], ["doctor"], ["doctor", "--json"]):
			self.assertEqual(self.run_on(box, *words).returncode, 1, words)
			self.assert_full(box, words)

	def assert_full(self, box, words):
		with open("/dev/full", "w", encoding="ascii") as full:
			run = self.run_on(box, *words, stdout=full)
		self.assertEqual(run.returncode, 1, words)
		self.assertRegex(run.stderr, r"^chalkbox: .*standard output[^\n]*\n$", words)

	def test_a_reader_that_goes_away_ends_it_without_a_word(self):
		box = self.box(sound=False)
		self.assertEqual(self.run_on(box, "press", "lesson").returncode, 0)
		box.wait_entry("observation_start")
		for words in (["--help"], ["observations"], ["show", "last"], ["events", "--json"], ["check"]):
			read, write = os.pipe()
			os.close(read)
			try:
				run = self.run_on(box, *words, stdout=write)
			finally:
				os.close(write)
			self.assertEqual((run.returncode, run.stderr), (-signal.SIGPIPE, ""), words)

	def test_sync_gives_its_own_words_and_code(self):
		box = self.box(start=False, config={"sync": {"state": self.folder()}})
		own = subprocess.run([os.path.join(BUILD, "chalkbox-sync"), "-c", box.config_path,
			"--status"], env=box.environment(), capture_output=True, text=True, check=False)
		run = self.run_on(box, "sync", "--status")
		self.assertEqual((run.returncode, run.stdout, run.stderr),
			(own.returncode, own.stdout, own.stderr))
		self.assertEqual(run.returncode, 77)

	def test_the_recorder_says_what_is_wrong_with_sysexits(self):
		box = self.box(start=False)
		wrong = box.config_path + ".wrong"
		with open(box.config_path, encoding="utf-8") as file, \
				open(wrong, "w", encoding="utf-8") as copy:
			copy.write(file.read() + "[box]\nnosuch = 1\n")
		for arguments, code, words in ((["--nosuch"], 64, "nosuch"), (["extra"], 64, "extra"),
				(["-c"], 64, "c"), (["-c", "/nonexistent/a.conf"], 78, "/nonexistent/a.conf"),
				(["-c", wrong], 78, wrong + ":"), (["-c", wrong, "--check-config"], 78, wrong + ":")):
			run = subprocess.run([os.path.join(BUILD, "chalkboxd"), *arguments],
				env=box.environment(), capture_output=True, text=True, check=False)
			self.assertEqual((run.returncode, run.stdout), (code, ""), arguments)
			self.assertIn(words, run.stderr)
		for arguments, words in ((["--help"], "chalkboxd [OPTIONS]"), (["--version"], "chalkboxd "),
				(["-c", box.config_path, "--check-config"], "is sound")):
			run = subprocess.run([os.path.join(BUILD, "chalkboxd"), *arguments],
				env=box.environment(), capture_output=True, text=True, check=False)
			self.assertEqual((run.returncode, run.stderr), (0, ""), arguments)
			self.assertIn(words, run.stdout)


if __name__ == "__main__":
	unittest.main()
