"""
What chalkbox gives other programs: CSV, JSON as chalkbox(1) has it, and the sound
around an event; all of it against the journal and against what was played.
"""
import array
import csv
import datetime
import hashlib
import io
import json
import math
import os
import re
import shutil
import stat
import subprocess
import unittest
from operator import mul

from harness import (BUILD, DEADLINE_S, MORNING_NS, NS, REPORTS, ROOT, Box, Case, Failed, find,
	read_wav, write_wav)
from test_preroll import hiss

MANUAL = os.path.join(ROOT, "app/cli/chalkbox.1")
COMMANDS = ["observations", "show", "events", "play", "check", "doctor", "sync", "pair", "press",
	"console"]
RATE_HZ = 16000
SECONDS = 100
FAR_NS = 1 << 60 # how unsure a clock is that nobody set
SCHEME = """
[scheme]
name = cli
title = For other programs
[code question]
title = Question
button = 1
kind = point
double = open
hold = wait
before = 2
after = 3
[code engagement]
title = Engagement
button = 2
kind = sample
levels = most, some "on task", wenige für sich
before = 2
after = 3
cue = 20
[code change]
title = Change
button = 3
kind = state
before = 2
after = 3
[code undo]
button = 4
kind = undo
[code lesson]
button = 5
kind = lesson
[code mute]
button = mute
kind = mute
"""
LESSON_S, SECOND_AT_S, SECOND_S = 32.0, 40.0, 7.0
# what is done, in seconds from the lesson's start: (line, at, hold)
PRESSES = [("5", 0, 0.1), ("1", 2, 0.1), ("1", 4, 0.1), ("1", 4.26, 0.1), ("1", 6, 2.2),
	("2", 10, 0.1), ("2", 10.3, 0.1), ("3", 12, 0.1), ("3", 15, 0.1), ("1", 17, 0.1),
	("4", 18, 0.1), ("mute", 21, 0.1), ("mute", 24, 0.1), ("3", 26, 0.1), ("1", 28, 0.1),
	("5", 30, 2.5)]
# and what that means: (code, kind, seconds, modifier, comment)
ROWS = [("question", "POINT", 2.0, "", ""), ("question", "POINT", 4.0, "open", ""),
	("question", "START", 6.0, "wait", ""), ("question", "STOP", 8.2, "wait", ""),
	("engagement", "POINT", 10.0, 'some "on task"', ""), ("change", "START", 12.0, "", ""),
	("change", "STOP", 15.0, "", ""), ("change", "START", 26.0, "", ""),
	("question", "POINT", 28.0, "", ""),
	("change", "STOP", LESSON_S, "", "open when the observation ended")]
HELD = 3 # the event that was held, by its number

# --- the JSON forms: what each member is ---

WHOLE, SECS, TEXT, YES = int, float, str, bool
WALL = "wall"
MAYBE = lambda kind: (kind, None)
MOMENT = {"wall": MAYBE(WALL), "uncertainty": MAYBE(SECS)}
STRETCH = {"from": SECS, "to": SECS, "from_wall": MAYBE(WALL), "from_uncertainty": MAYBE(SECS),
	"to_wall": MAYBE(WALL), "to_uncertainty": MAYBE(SECS)}
HEAD = {"observation": WHOLE, "id": TEXT, "box": TEXT, "start": MOMENT, "end": MOMENT,
	"length": SECS, "running": YES, "ended_by": MAYBE(TEXT)}
EVENT = {"number": WHOLE, "seq": WHOLE, "code": TEXT, "kind": TEXT, "time": SECS,
	"end": MAYBE(SECS), "duration": MAYBE(SECS), "modifier": MAYBE(TEXT), "open": YES,
	"undone": YES, "snippet": MAYBE(WHOLE), **MOMENT, "end_wall": MAYBE(WALL),
	"end_uncertainty": MAYBE(SECS)}
TIMELINE = {"format": TEXT, "version": WHOLE, **HEAD,
	"scheme": {"name": TEXT, "title": TEXT, "lost": YES,
		"codes": [{"name": TEXT, "title": TEXT, "kind": TEXT}]},
	"events": [EVENT],
	"sums": [{"code": TEXT, "count": WHOLE, "by_modifier": {...: WHOLE}, "spans": WHOLE,
		"total": SECS, "shortest": MAYBE(SECS), "median": MAYBE(SECS), "longest": MAYBE(SECS)}],
	"snippets": [{"number": WHOLE, "seq": WHOLE, "file": TEXT, "codec": TEXT, "bytes": WHOLE,
		"sha256": TEXT, "complete": YES, "gone": YES,
		"peaks": {"step": SECS, "values": [WHOLE]}, **STRETCH}],
	"silences": [{**STRETCH, "why": TEXT, "cause": MAYBE(TEXT)}],
	"cues": [{"seq": WHOLE, "time": SECS, **MOMENT, "code": MAYBE(TEXT)}],
	"loudness": {"step": SECS, "unit": TEXT, "values": [MAYBE(SECS)]}}
OBSERVATIONS = {"format": TEXT, "version": WHOLE, "observations": [
	{**HEAD, "scheme": TEXT, "events": WHOLE, "snippets": WHOLE}]}
EVENTS = {"format": TEXT, "version": WHOLE, "observations": [{**HEAD, "events": [EVENT]}]}
CHECK = {"format": TEXT, "version": WHOLE, "entries": WHOLE, "observations": WHOLE,
	"snippets": WHOLE, "bytes": WHOLE, "findings": [TEXT]}
PLAY = {"format": TEXT, "version": WHOLE, "observation": WHOLE, "event": WHOLE, "seq": WHOLE,
	"snippet": WHOLE, "file": TEXT, "time": SECS, **MOMENT, **STRETCH}
LAMP = {"format": TEXT, "version": WHOLE, "time": SECS, "lamp": TEXT, "on": YES, "t_ns": WHOLE}
DOCTOR = {"format": TEXT, "version": WHOLE, "box": MAYBE(TEXT), "state": TEXT, "faults": WHOLE,
	"warnings": WHOLE, "findings": [{"check": TEXT, "part": MAYBE(TEXT), "state": TEXT,
		"says": TEXT, "fix": MAYBE(TEXT), "values": {...: object}}]}
FORMS = {"chalkbox-timeline": TIMELINE, "chalkbox-observations": OBSERVATIONS,
	"chalkbox-events": EVENTS, "chalkbox-check": CHECK, "chalkbox-play": PLAY,
	"chalkbox-lamp": LAMP, "chalkbox-doctor": DOCTOR}


def strays(value, form, where="it"):
	"""What of the value is not of the form: a list of sentences."""
	if isinstance(form, tuple):
		return [] if value is None else strays(value, form[0], where)
	if isinstance(form, list):
		if not isinstance(value, list):
			return [f"{where} is {value!r}, no list"]
		return [stray for i, one in enumerate(value) for stray in strays(one, form[0], f"{where}[{i}]")]
	if isinstance(form, dict):
		if not isinstance(value, dict):
			return [f"{where} is {value!r}, no object"]
		if ... not in form and value.keys() != form.keys():
			return [f"{where} has {sorted(value.keys() - form.keys())} too many, lacks "
				f"{sorted(form.keys() - value.keys())}"]
		return [stray for name, one in value.items()
			for stray in strays(one, form.get(name, form.get(...)), f"{where}.{name}")]
	if form is WALL:
		right = isinstance(value, str) and re.fullmatch(
			r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d", value)
	else:
		right = isinstance(value, form) and (form in (YES, object) or not isinstance(value, bool))
	return [] if right else [f"{where} is {value!r}, not {form}"]


def members(form):
	"""The names of all members, however deep."""
	if isinstance(form, (list, tuple)):
		return members(form[0])
	if isinstance(form, dict):
		return {name for name in form if name is not ...}.union(*map(members, form.values()))
	return set()


def seconds_of(wall):
	return datetime.datetime.fromisoformat(wall).timestamp()


class Program(Case):
	"""Runs chalkbox, whatever it ends with."""

	def run_on(self, box, *arguments, env=None, **how):
		how = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
			"text": True, "encoding": "utf-8", **how}
		run = subprocess.run([os.path.join(BUILD, "chalkbox"), *arguments], check=False,
			env={**box.environment(), **(env or {})}, timeout=DEADLINE_S * 4, **how)
		for report in REPORTS:
			if report in str(run.stderr):
				raise Failed(f"chalkbox {' '.join(arguments)}:\n{run.stderr}")
		return run

	def assert_told(self, run, code, *words):
		"""It failed with that code: one line on stderr that says why, nothing on stdout."""
		self.assertEqual((run.returncode, run.stdout), (code, ""), run)
		self.assertRegex(run.stderr, r"^chalkbox: [^\n]+\n$")
		for word in words:
			self.assertIn(word, run.stderr)

	def json_of(self, box, *arguments, code=0, **how):
		"""What it prints with --json, in the form that it must have."""
		run = self.run_on(box, *arguments, "--json", **how)
		self.assertEqual((run.returncode, run.stderr), (code, ""), run)
		value = json.loads(run.stdout)
		self.assertEqual(strays(value, FORMS[value["format"]]), [])
		self.assertEqual(value["version"], 1)
		return value


class Recorded(Program):
	"""Two lessons of one box, recorded once; tests do not change them."""

	@classmethod
	def setUpClass(cls):
		super().setUpClass()
		cls.taken = None

	def lesson(self):
		cls = type(self)
		if cls.taken is None:
			source = hiss(SECONDS * RATE_HZ, 11)
			box = Box(speed=8, scheme=SCHEME)
			cls.addClassCleanup(box.close)
			box.wav = write_wav(os.path.join(box.folder, "hiss.wav"), source)
			box.start()
			box.wait_mic("live")
			begin = box.now() + 3
			for line, at, hold in PRESSES:
				box.press(line, begin + at, hold=hold)
			second = begin + SECOND_AT_S
			for line, at, hold in (("5", 0, 0.1), ("1", 1, 0.1), ("5", SECOND_S - 2, 2.5)):
				box.press(line, second + at, hold=hold)
			box.wait_sent()
			box.wait_for(lambda: len(box.entries("observation_end")) == 2, "both ends")
			box.stop()
			cls.taken, cls.source, cls.begin = box, source, begin
			cls.first, cls.second = [str(e["seq"]) for e in box.entries("observation_start")]
		return cls.taken


class Rows(Recorded):
	"""`events --csv`"""

	def rows(self, box, *arguments):
		"""The rows below the header, as dicts; the bytes are RFC 4180's."""
		run = self.run_on(box, "events", *arguments, text=False, encoding=None)
		self.assertEqual((run.returncode, run.stderr), (0, b""))
		self.assertTrue(run.stdout.endswith(b"\r\n"))
		self.assertEqual(run.stdout.count(b"\n"), run.stdout.count(b"\r\n"))
		rows = list(csv.reader(io.StringIO(run.stdout.decode(), newline=""), strict=True))
		self.assertEqual(rows[0], ["observation", "date", "code", "kind", "seconds", "wall time",
			"modifier", "comment"])
		self.assertEqual({len(row) for row in rows}, {8})
		return [dict(zip(rows[0], row)) for row in rows[1:]], run.stdout

	def test_the_rows_are_what_was_pressed(self):
		box = self.lesson()
		rows, _ = self.rows(box, self.first)
		self.assertEqual([(row["code"], row["kind"], float(row["seconds"]), row["modifier"],
			row["comment"]) for row in rows], ROWS)
		start, = [e for e in box.entries("observation_start") if str(e["seq"]) == self.first]
		stamps = {e["t_ns"] for e in box.entries() if e["kind"] in ("press", "release")}
		for row in rows:
			self.assertEqual(row["observation"], start["body"]["id"])
			self.assertRegex(row["seconds"], r"^\d+\.\d{6}$")
			if not row["comment"]:
				self.assertIn(start["t_ns"] + round(float(row["seconds"]) * NS), stamps)

	def test_each_row_has_its_wall_time_and_the_lessons_date(self):
		rows, _ = self.rows(self.lesson(), self.first)
		start = (MORNING_NS + self.begin * NS) / NS
		for row in rows:
			self.assertAlmostEqual(seconds_of(row["wall time"]), start + float(row["seconds"]),
				delta=0.005)
			self.assertEqual(row["date"], row["wall time"][:10])

	def test_what_holds_a_quote_is_quoted_and_what_need_not_is_not(self):
		_, data = self.rows(self.lesson(), self.first)
		self.assertIn(b',"some ""on task""",', data)
		self.assertEqual(data.count(b'"'), 6)

	def test_all_is_every_lesson_under_one_header_and_the_default_is_the_last(self):
		box = self.lesson()
		first, _ = self.rows(box, self.first)
		second, _ = self.rows(box, self.second, "--csv")
		self.assertEqual([row["seconds"] for row in second], ["1.000000"])
		self.assertEqual(self.rows(box, "all")[0], first + second)
		self.assertEqual(self.rows(box)[0], second)

	def test_there_is_no_header_where_there_is_no_lesson(self):
		self.assert_told(self.run_on(self.lesson(), "events", "999"), 1, "there is none")
		empty = self.box(sound=False)
		self.assert_told(self.run_on(empty, "events"), 1, "nothing was observed yet")
		self.assertEqual(self.rows(empty, "all")[0], [])

	def test_an_unknown_time_is_an_empty_field_and_an_open_span_says_so(self):
		box = self.box(sound=False, scheme=SCHEME, wall=(100 * NS, False, FAR_NS))
		at = box.now()
		for line, later in (("5", 0), ("3", 0.2)):
			box.press(line, at + later, hold=0.05)
		box.wait_entry("press")
		rows, _ = self.rows(box)
		self.assertEqual([(row["kind"], row["date"], row["wall time"], row["comment"])
			for row in rows], [("START", "", "", ""), ("STOP", "", "", "still open")])


class Json(Recorded):
	def test_show_has_its_members_and_they_agree_with_the_record(self):
		box = self.lesson()
		shown = self.json_of(box, "show", self.first)
		start, = [e for e in box.entries("observation_start") if str(e["seq"]) == self.first]
		self.assertEqual((shown["observation"], shown["id"], shown["box"]),
			(start["seq"], start["body"]["id"], "test"))
		self.assertEqual((shown["length"], shown["running"], shown["ended_by"]),
			(LESSON_S, False, "button"))
		self.assertEqual([e["number"] for e in shown["events"]], list(range(1, 9)))
		self.assertEqual([e["undone"] for e in shown["events"]], [False] * 5 + [True, False, False])
		self.assertEqual([(e["code"], e["time"], e["end"], e["modifier"], e["open"])
			for e in shown["events"]], [("question", 2.0, None, None, False),
			("question", 4.0, None, "open", False), ("question", 6.0, 8.2, "wait", False),
			("engagement", 10.0, None, 'some "on task"', False),
			("change", 12.0, 15.0, None, False), ("question", 17.0, None, None, False),
			("change", 26.0, LESSON_S, None, True), ("question", 28.0, None, None, False)])
		for event in shown["events"]:
			self.assertEqual(event["duration"],
				None if event["end"] is None else round(event["end"] - event["time"], 6))
			snippet = shown["snippets"][event["snippet"] - 1]
			self.assertEqual(snippet["number"], event["snippet"])
			self.assertTrue(snippet["from"] <= event["time"] <= snippet["to"])
		sums = {one["code"]: one for one in shown["sums"]}
		self.assertEqual((sums["question"]["count"], sums["question"]["by_modifier"],
			sums["question"]["spans"], sums["question"]["total"], sums["question"]["median"]),
			(4, {"": 2, "open": 1, "wait": 1}, 1, 2.2, 2.2))
		self.assertEqual((sums["change"]["total"], sums["change"]["shortest"],
			sums["change"]["longest"]), (9.0, 3.0, 6.0))
		self.assertEqual((sums["engagement"]["spans"], sums["engagement"]["median"]), (0, None))

	def test_snippets_silences_cues_and_loudness_agree_with_the_record(self):
		box = self.lesson()
		shown = self.json_of(box, "show", self.first)
		self.assertEqual(len(shown["snippets"]), 2)
		for snippet in shown["snippets"]:
			with open(box.file_of(snippet["file"]), "rb") as file:
				data = file.read()
			self.assertEqual((snippet["bytes"], snippet["sha256"], snippet["codec"]),
				(len(data), hashlib.sha256(data).hexdigest(), "opus"))
			self.assertEqual((snippet["complete"], snippet["gone"]), (True, False))
			peaks = snippet["peaks"]
			self.assertAlmostEqual(len(peaks["values"]) * peaks["step"],
				snippet["to"] - snippet["from"], delta=2 * peaks["step"])
			self.assertTrue(all(0 <= peak <= 255 for peak in peaks["values"]))
		silence, = [one for one in shown["silences"] if one["why"] == "muted"]
		self.assertAlmostEqual(silence["from"], 21.0, delta=0.5) # when it was done, not pressed
		self.assertAlmostEqual(silence["to"], 24.0, delta=1.5)
		cue, = shown["cues"]
		self.assertEqual((cue["time"], cue["code"]), (20.0, "engagement"))
		loudness = shown["loudness"]
		self.assertEqual((loudness["step"], loudness["unit"]), (0.1, "dBFS"))
		self.assertEqual(len(loudness["values"]), LESSON_S / 0.1)
		self.assertIsNone(loudness["values"][225])
		played = self.source[round((self.begin + 5) * RATE_HZ):round((self.begin + 6) * RATE_HZ)]
		level_db = 10 * math.log10(2 * sum(map(mul, played, played)) / len(played) / 32768**2)
		for value in loudness["values"][50:60]: # a full-scale sine is 0
			self.assertAlmostEqual(value, level_db, delta=1)

	def test_every_time_has_its_wall_time_within_its_uncertainty(self):
		shown = self.json_of(self.lesson(), "show", self.first)
		dated = [(0.0, shown["start"], ""), (shown["length"], shown["end"], "")]
		dated += [(one["time"], one, "") for one in shown["events"] + shown["cues"]]
		dated += [(one["end"], one, "end_") for one in shown["events"] if one["end"] is not None]
		dated += [(one[end], one, end + "_") for one in shown["snippets"] + shown["silences"]
			for end in ("from", "to")]
		self.assertGreaterEqual(len(dated), 2 + 9 + 3 + 2 * 3)
		for time, one, name in dated:
			self.assertTrue(0 < one[name + "uncertainty"] < 0.05)
			self.assertAlmostEqual(seconds_of(one[name + "wall"]),
				MORNING_NS / NS + self.begin + time, delta=one[name + "uncertainty"] + 1e-4)

	def test_no_time_has_a_wall_time_while_the_clock_is_unknown(self):
		box = self.box(sound=False, scheme=SCHEME, wall=(100 * NS, False, FAR_NS))
		at = box.now()
		for line, later in (("5", 0), ("3", 0.2)):
			box.press(line, at + later, hold=0.05)
		box.wait_entry("press")
		shown = self.json_of(box, "show", "last")
		unknown = {"wall": None, "uncertainty": None}
		self.assertEqual((shown["start"], shown["end"]), (unknown, unknown))
		self.assertEqual((shown["running"], shown["ended_by"]), (True, None))
		event, = shown["events"]
		silence, = shown["silences"]
		self.assertEqual({value for one in (event, silence) for name, value in one.items()
			if "wall" in name or "uncertainty" in name}, {None})
		self.assertTrue(event["open"])

	def test_a_lesson_that_runs_has_no_end(self):
		box = self.box(sound=False, scheme=SCHEME)
		at = box.now()
		box.press("5", at)
		box.wait_confirm(at)
		one, = self.json_of(box, "observations")["observations"]
		self.assertEqual((one["running"], one["ended_by"], one["end"]),
			(True, None, {"wall": None, "uncertainty": None}))
		self.assertIsNotNone(one["start"]["wall"])

	def test_observations_and_events_say_what_show_says(self):
		box = self.lesson()
		shown = {seq: self.json_of(box, "show", seq) for seq in (self.first, self.second)}
		listed = self.json_of(box, "observations")["observations"]
		events = self.json_of(box, "events", "all")["observations"]
		self.assertEqual(len(listed), 2)
		for one, told, whole in zip(listed, events, shown.values()):
			self.assertEqual({name: one[name] for name in HEAD}, {name: whole[name] for name in HEAD})
			self.assertEqual(told, {name: whole[name] for name in (*HEAD, "events")})
			self.assertEqual((one["scheme"], one["events"], one["snippets"]), ("cli",
				sum(not e["undone"] for e in whole["events"]), len(whole["snippets"])))
		self.assertEqual(self.json_of(box, "events", self.first)["observations"], events[:1])
		self.assertEqual(self.json_of(box, "events")["observations"], events[1:])

	def test_nothing_observed_is_empty_lists(self):
		box = self.box(sound=False)
		self.assertEqual(self.json_of(box, "observations")["observations"], [])
		self.assertEqual(self.json_of(box, "events", "all")["observations"], [])
		self.assertEqual(self.json_of(box, "check")["findings"], [])

	def test_check_counts_what_it_looked_at(self):
		box = self.lesson()
		told = self.json_of(box, "check", "--decode")
		self.assertEqual(told, {"format": "chalkbox-check", "version": 1,
			"entries": len(box.entries()), "observations": 2, "snippets": 3,
			"bytes": sum(s.entry["body"]["bytes"] for s in box.snippets()), "findings": []})

	def test_check_tells_of_a_file_whatever_it_is_called(self):
		box = self.box(sound=False)
		box.stop()
		folder = os.path.join(box.state, "snippets").encode()
		os.makedirs(folder, exist_ok=True)
		for name in (b"\xff\x1b[31m\n.opus", "schön.opus".encode()):
			with open(os.path.join(folder, name), "wb"):
				pass
		findings = self.json_of(box, "check", code=1)["findings"]
		self.assertEqual(len(findings), 2)
		self.assertTrue(any("/schön.opus:" in finding for finding in findings), findings)
		self.assertTrue(any("/??[31m?.opus:" in finding for finding in findings), findings)
		run = self.run_on(box, "check")
		self.assertEqual((run.returncode, run.stdout.splitlines()[:-1], run.stderr),
			(1, findings, ""))

	def test_play_says_what_it_plays(self):
		box = self.lesson()
		shown = self.json_of(box, "show", self.first)
		event = shown["events"][HELD - 1]
		told = self.json_of(box, "play", self.first, f"@{event['seq']}", "--out",
			os.path.join(self.folder(), "a.wav"))
		snippet = shown["snippets"][event["snippet"] - 1]
		self.assertEqual((told["observation"], told["event"], told["seq"], told["snippet"],
			told["file"]), (shown["observation"], HELD, event["seq"], 1, snippet["file"]))
		self.assertEqual((told["time"], told["wall"], told["uncertainty"], told["from"], told["to"]),
			(6.0, event["wall"], event["uncertainty"], 4.0, snippet["to"]))
		self.assertAlmostEqual(seconds_of(told["from_wall"]), seconds_of(told["wall"]) - 2.0,
			delta=1e-5)
		self.assertEqual((told["to_wall"], told["to_uncertainty"]),
			(snippet["to_wall"], snippet["to_uncertainty"]))

	def test_doctor_has_the_form_too(self):
		box = self.lesson()
		run = self.run_on(box, "doctor", "--json",
			env={"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent"})
		self.assertIn(run.returncode, (0, 1))
		self.assertEqual(strays(json.loads(run.stdout), DOCTOR), [])


class Manual(unittest.TestCase):
	"""chalkbox(1) against the program."""

	@classmethod
	def setUpClass(cls):
		with open(MANUAL, encoding="utf-8") as file:
			cls.text = file.read()
		cls.json = cls.text.split("\n.Sh JSON\n")[1].split("\n.Sh ")[0]

	def test_its_example_has_the_form_of_show(self):
		example = re.search(r"\n\.Bd -literal[^\n]*\n(.*?)\n\.Ed\n", self.json, re.S)[1]
		self.assertEqual(strays(json.loads(example), TIMELINE), [])

	def test_it_tells_every_member_of_every_form(self):
		for name, form in FORMS.items():
			self.assertIn(name, self.json)
			for member in members(form):
				self.assertRegex(self.json, rf"(?<![\w-]){member}(?![\w-])", name)

	def test_the_help_of_each_command_has_the_options_of_its_part(self):
		parts = dict(re.findall(r"\n\.Ss chalkbox (\w+)\n(.*?)(?=\n\.S[sh] )", self.text, re.S))
		self.assertEqual(list(parts), COMMANDS)
		for command, part in parts.items():
			shown = subprocess.run([os.path.join(BUILD, "chalkbox"), command, "--help"],
				capture_output=True, text=True, check=True).stdout
			told = set(re.findall(r"\n\.It Fl -([a-z-]+)", part))
			helped = set(re.findall(r"^  --([a-z-]+)", shown, re.M)) - {"config", "json", "help"}
			helped.discard("csv") # what there is anyway
			self.assertEqual(helped, told, command)


class Playing(Recorded):
	def alsa(self, name="kept"):
		"""A configuration with a PCM of that name that writes a file: both paths."""
		folder = self.folder()
		conf, raw = os.path.join(folder, "asound.conf"), os.path.join(folder, "played.raw")
		with open(conf, "w", encoding="ascii") as file:
			file.write(f"<confdir:alsa.conf>\npcm.!{name} {{\n\ttype file\n\tslave.pcm \"null\"\n"
				f"\tfile \"{raw}\"\n\tformat \"raw\"\n}}\n")
		return {"ALSA_CONFIG_PATH": conf}, raw

	def assert_sounds(self, samples, begin, end):
		"""The 48 kHz samples are the source's, from and to these moments of the lesson."""
		self.assertAlmostEqual(len(samples) / 48000, end - begin, delta=0.02)
		for at in (begin + 0.1, (begin + end) / 2, end - 0.3):
			first = round((self.begin + at) * RATE_HZ)
			off, alike = find(self.source[first:first + 1600], samples[::3],
				round((at - begin) * RATE_HZ), 160)
			self.assertGreater(alike, 0.6, f"at {at:.3f} s")
			self.assertLess(abs(off) / RATE_HZ, 0.005, f"at {at:.3f} s")

	def end_of(self, box):
		return self.json_of(box, "show", self.first)["snippets"][0]["to"]

	def test_a_device_is_given_the_sound_from_before_the_event_on(self):
		box = self.lesson()
		for arguments, name, begin in (((), "default", 4.0), (("--device", "kept"), "kept", 4.0),
				(("--device", "kept", "--lead", "0.5"), "kept", 5.5)):
			env, raw = self.alsa(name)
			run = self.run_on(box, "play", self.first, str(HELD), *arguments, env=env)
			self.assertEqual((run.returncode, run.stderr), (0, ""))
			self.assertRegex(run.stdout, r"^event 3, question wait at 0:06\.0: [^\n]*\n$")
			with open(raw, "rb") as file:
				samples = array.array("h", file.read())
			end = self.end_of(box)
			frames = round((end - begin) * 48000)
			self.assertFalse(any(samples[frames + 480:])) # aplay fills its last period
			self.assert_sounds(samples[:frames + 480], begin, end)

	def test_a_file_is_a_wav_of_the_owners(self):
		box = self.lesson()
		begin = self.json_of(box, "show", self.first)["snippets"][0]["from"]
		for arguments, begin in ((("--lead", "1.25"), 4.75), (("--all",), begin)):
			path = os.path.join(self.folder(), "out.wav")
			with open(path + ".part", "w", encoding="ascii"): # an earlier one's, for all to read
				os.chmod(path + ".part", 0o644)
			run = self.run_on(box, "play", self.first, str(HELD), *arguments, "--out", path)
			self.assertEqual((run.returncode, run.stderr), (0, ""))
			self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
			self.assertEqual(os.listdir(os.path.dirname(path)), ["out.wav"])
			samples, rate_hz = read_wav(path)
			self.assertEqual(rate_hz, 48000)
			self.assert_sounds(samples, begin, self.end_of(box))

	def test_a_file_there_is_replaced_whole_and_anything_else_is_left_alone(self):
		box = self.lesson()
		folder = self.folder()
		path, fifo = os.path.join(folder, "out.wav"), os.path.join(folder, "fifo")
		with open(path, "wb") as file:
			file.write(b"old")
		os.mkfifo(fifo)
		os.symlink(path, os.path.join(folder, "link"))
		for name in ("fifo", "link", ".", "nowhere/out.wav"):
			self.assert_told(self.run_on(box, "play", self.first, "1", "--out",
				os.path.join(folder, name)), 1, name)
		self.assertTrue(stat.S_ISFIFO(os.stat(fifo).st_mode))
		with open(path, "rb") as file:
			self.assertEqual(file.read(), b"old")
		self.assertEqual(self.run_on(box, "play", self.first, "1", "--out", path).returncode, 0)
		self.assertGreater(len(read_wav(path)[0]), 48000)
		self.assertEqual(sorted(os.listdir(folder)), ["fifo", "link", "out.wav"])

	def test_what_cannot_be_played_is_told_with_a_way_out(self):
		box = self.lesson()
		env, _ = self.alsa()
		run = self.run_on(box, "play", self.first, "1", "--device", "nosuch", env=env)
		self.assertEqual(run.returncode, 1)
		self.assertIn("--device (`aplay -L` lists them)", run.stderr)
		run = self.run_on(box, "play", self.first, "1", env={"PATH": "/nonexistent"})
		self.assertEqual(run.returncode, 1)
		self.assertIn("install alsa-utils", run.stderr)
		for event, words in (("9", "there are only 8"), ("0", "is no event"), ("x", "is no event"),
				("@1", "no event of observation"), ("99999999999999999999", "is no event")):
			self.assert_told(self.run_on(box, "play", self.first, event), 1, words)

	def test_sound_that_was_changed_or_is_gone_is_not_played(self):
		box = self.lesson()
		copy = Box(scheme=SCHEME)
		self.addCleanup(copy.close)
		shutil.copytree(box.state, copy.state)
		path = os.path.join(copy.state, "snippets", box.snippets()[0].file)
		out = os.path.join(self.folder(), "out.wav")
		with open(path, "r+b") as file:
			file.seek(-1, os.SEEK_END)
			file.write(b"x")
		self.assert_told(self.run_on(copy, "play", self.first, "1", "--out", out), 1,
			"is not the file that was recorded")
		os.unlink(path)
		self.assert_told(self.run_on(copy, "play", self.first, "1", "--out", out), 1,
			"No such file or directory")
		self.assertFalse(os.path.exists(out))

	def test_an_event_without_sound_is_told(self):
		box = self.box(sound=False)
		at = box.now()
		for line, later in (("5", 0), ("1", 0.2)):
			box.press(line, at + later, hold=0.05)
		box.wait_entry("press")
		self.assert_told(self.run_on(box, "play", "last", "1"), 1, "no sound was kept")


if __name__ == "__main__":
	unittest.main()
