"""
Nothing of the sound is kept outside the windows, and muted means closed.

The sound is a loud tone of another height each five seconds, so that whatever
is found can be told by its height, as sound or as raw bytes.
"""
import array
import base64
import math
import os
import re
import socket
import unittest

from harness import Case, decode, loudness_of, write_wav

RATE_HZ = 16000
STRETCH_S = 5
STRETCHES = 24
LOUD = 12000
BLOCK = 800 # samples to look at: 50 ms
SCHEME = """
[scheme]
name = short
title = Short windows
[code mark]
title = Mark
button = 1
kind = point
before = 2
after = 3
[code lesson]
title = Lesson
button = 5
kind = lesson
"""
MUTING = SCHEME + """
[code quiet]
title = Quiet
button = mute
kind = mute
"""


def height_hz(stretch):
	return 400 + 120 * stretch # a whole number of periods in BLOCK


def scale():
	samples = array.array("h")
	for stretch in range(STRETCHES):
		period = [round(LOUD * math.sin(2 * math.pi * height_hz(stretch) * i / RATE_HZ))
			for i in range(BLOCK)]
		samples.extend(period * (STRETCH_S * RATE_HZ // BLOCK))
	return samples


def heard_in(samples, rate_hz=RATE_HZ):
	"""The stretches that sound in some block of the samples, and the blocks where."""
	found = {}
	n = BLOCK * rate_hz // RATE_HZ
	for begin in range(0, len(samples) - n + 1, n):
		block = samples[begin:begin + n]
		strength = math.sqrt(2 * sum(s * s for s in block) / n)
		if strength < 20:
			continue
		for stretch in range(STRETCHES):
			if loudness_of(block, height_hz(stretch), rate_hz) > 0.5 * strength:
				found.setdefault(stretch, []).append(begin / rate_hz)
	return found


def raw_in(data):
	"""The stretches whose raw samples lie somewhere in the bytes."""
	found = {}
	for offset in (0, 1):
		samples = array.array("h")
		samples.frombytes(data[offset:offset + (len(data) - offset) // 2 * 2])
		found.update(heard_in(samples))
	return found


def hidden_in(data):
	"""As raw samples or in base64."""
	found = raw_in(data)
	for match in re.finditer(rb"[A-Za-z0-9+/_-]{2200,}", data):
		text = match[0].replace(b"-", b"+").replace(b"_", b"/")
		for offset in range(4):
			cut = text[offset:]
			found.update(raw_in(base64.b64decode(cut[:len(cut) // 4 * 4])))
	return found


def files_in(folder):
	paths = (os.path.join(path, name) for path, _, names in os.walk(folder) for name in names)
	return [path for path in paths if os.path.isfile(path)]


class Open:
	"""What a process has open of the microphone."""

	def __init__(self, box):
		folder = f"/proc/{box.pid}/fd"
		names = []
		for fd in os.listdir(folder):
			try:
				names.append(os.readlink(os.path.join(folder, fd)))
			except FileNotFoundError: # closed meanwhile
				pass
		with open(f"/proc/{box.pid}/maps", encoding="utf-8") as file:
			maps = file.read()
		self.sound_file = box.wav in names or box.wav in maps
		self.timers = names.count("anon_inode:[timerfd]")
		self.devices = [name for name in names if name.startswith("/dev/snd")]
		self.plugin = "libasound_module_pcm_chalkbox_sim" in maps


def memory_holds(box, needle):
	"""Whether the bytes are anywhere in the recorder's own memory."""
	with open(f"/proc/{box.pid}/maps", encoding="utf-8") as maps, \
			open(f"/proc/{box.pid}/mem", "rb", buffering=0) as memory:
		for line in maps:
			span, rights, _, _, inode, *_ = line.split()
			if not rights.startswith("rw") or int(inode) != 0:
				continue
			begin, end = (int(x, 16) for x in span.split("-"))
			try:
				memory.seek(begin)
				while begin < end:
					data = memory.read(min(end - begin, 1 << 24))
					if needle in data:
						return True
					begin += len(data) or end
			except OSError: # not ours to read: [vvar] and the like
				continue
	return False


class Privacy(Case):
	def listening(self, **arguments):
		wav = write_wav(os.path.join(self.folder(), "scale.wav"), scale())
		return self.box(wav=wav, scheme=SCHEME, **arguments)

	def kept(self, box):
		"""What sounds in the kept files, by stretch: moments, in the box's time."""
		found = {}
		spans = {snippet.path: snippet for snippet in box.snippets()}
		for path in files_in(os.path.join(box.state, "snippets")):
			self.assertIn(path, spans, "a sound file that no entry names")
			snippet = spans[path]
			for stretch, ats in heard_in(decode(path), 48000).items():
				found.setdefault(stretch, []).extend(snippet.begin + at for at in ats)
		return found

	def nothing_hidden(self, box):
		for path in files_in(box.folder):
			if not path.startswith(os.path.join(box.state, "snippets")):
				with open(path, "rb") as file:
					self.assertEqual(hidden_in(file.read()), {}, path)

	def test_the_search_finds_what_is_hidden(self):
		samples = scale()
		first = (7 * STRETCH_S + 1) * RATE_HZ
		raw = samples[first:first + 2 * BLOCK].tobytes()
		self.assertEqual(set(hidden_in(b"x" * 333 + raw + b"y" * 77)), {7})
		self.assertEqual(set(hidden_in(b'{"a":"' + base64.b64encode(raw) + b'"}')), {7})
		self.assertEqual(hidden_in(os.urandom(20000)), {})

	def test_nothing_outside_the_windows_is_in_any_file(self):
		presses = [32.5, 72.5, 73.5]
		windows = [(30.5, 35.5), (70.5, 76.5)]
		box = self.listening(speed=16)
		box.wait_mic("live")
		box.press("5", 3)
		for at in presses:
			box.press("1", at)
		box.wait_sent()
		box.sleep_until(110)
		self.nothing_hidden(box)
		box.stop()
		self.nothing_hidden(box)
		found = self.kept(box)
		self.assertEqual(set(found), {6, 7, 14, 15}, "stretches heard in the files")
		for stretch, ats in found.items():
			for at in ats:
				self.assertTrue(any(low - 0.06 <= at <= high + 0.01 for low, high in windows),
					f"stretch {stretch} at {at:.3f} s")
		for snippet, (low, high) in zip(box.snippets(), windows):
			self.assertAlmostEqual(snippet.begin, low, delta=0.01)
			self.assertAlmostEqual(snippet.end, high, delta=0.01)
		self.assertEqual(len(box.snippets()), len(windows))

	def test_without_a_press_there_is_no_sound_at_all(self):
		box = self.listening(speed=16)
		box.wait_mic("live")
		box.press("5", 10)
		box.wait_sent()
		box.sleep_until(60)
		box.stop()
		self.assertEqual(files_in(os.path.join(box.state, "snippets")), [])
		self.nothing_hidden(box)
		self.assertTrue(box.entries("loudness"))

	def test_muted_means_closed_and_forgotten(self):
		box = self.listening(speed=8)
		box.wait_lamp("red", 1)
		box.press("5", 10)
		box.press("1", 12)
		box.sleep_until(27) # in stretch 5
		live = Open(box)
		self.assertTrue(live.sound_file)
		needle = scale()[STRETCH_S * 4 * RATE_HZ:][:32].tobytes() # stretch 4: in the ring
		self.assertTrue(memory_holds(box, needle), "the ring does not hold what was heard")

		pressed = box.now()
		box.edge("mute", 1, pressed)
		muted = box.wait_mic("muted")
		box.wait_lamp("red", 0, pressed)
		closed = Open(box)
		self.assertFalse(closed.sound_file)
		self.assertEqual(closed.timers, live.timers - 1)
		self.assertEqual(closed.devices, [])
		self.assertFalse(memory_holds(box, needle), "muted, and still remembered")
		at = box.now() + 1
		box.press("1", at) # an event counts all the same
		box.wait_confirm(at)
		box.sleep_until(56)
		self.assertEqual(box.lamp("red"), 0)
		self.assertFalse(Open(box).sound_file)

		opened = box.now()
		box.edge("mute", 0, opened)
		back = box.wait_mic("live", opened)
		box.wait_lamp("red", 1, opened)
		self.assertTrue(Open(box).sound_file)
		box.press("1", back["at"] + 1) # reaches back into the muted time
		box.wait_sent()
		box.sleep_until(80)
		box.stop()

		self.assertEqual(len(box.presses()), 3)
		inside = range(int(muted["at"] / STRETCH_S) + 1, int(opened / STRETCH_S))
		self.assertGreaterEqual(len(inside), 3)
		for stretch, ats in self.kept(box).items():
			self.assertNotIn(stretch, inside)
			for at in ats:
				self.assertFalse(muted["at"] + 0.05 < at < opened - 0.05, f"kept at {at:.3f} s")
		self.nothing_hidden(box)
		for entry in box.entries("loudness"):
			begin = box.at(entry["body"]["from_ns"])
			end = begin + 0.1 * len(entry["body"]["levels"])
			self.assertTrue(end <= muted["at"] + 0.2 or begin >= opened,
				f"how loud it was is kept for {begin:.3f} to {end:.3f} s")
		box.check("--decode")

	def test_a_code_can_mute_and_open_again(self):
		wav = write_wav(os.path.join(self.folder(), "scale.wav"), scale())
		box = self.box(wav=wav, scheme=SCHEME + """
			[code quiet]
			title = Quiet
			button = 2
			kind = mute
			""".replace("\t", ""))
		box.wait_lamp("red", 1)
		box.press("2", box.now())
		box.wait_mic("muted")
		self.assertFalse(Open(box).sound_file)
		at = box.now() + 0.5
		box.press("2", at)
		box.wait_mic("live", at)
		self.assertTrue(Open(box).sound_file)
		box.stop()

	def test_muted_by_a_button_it_stays_so_over_a_restart(self):
		wav = write_wav(os.path.join(self.folder(), "scale.wav"), scale())
		box = self.box(wav=wav, scheme=MUTING)
		box.wait_lamp("red", 1)
		box.press("mute", box.now())
		box.wait_mic("muted")
		box.stop()
		box.start()
		again = box.wait_entry("boot", lambda entry: entry["seq"] > 1)
		box.wait_mic("muted", again["at"])
		self.assertFalse(Open(box).sound_file)
		at = box.now() + 0.5
		box.press("mute", at)
		box.wait_mic("live", at)
		self.assertNotIn(1, [entry["value"] for entry in box.entries("mic")
			if again["at"] < entry["at"] < at])
		box.stop()

	def test_a_scheme_that_cannot_mute_leaves_no_mute_behind(self):
		wav = write_wav(os.path.join(self.folder(), "scale.wav"), scale())
		box = self.box(wav=wav, start=False)
		os.mkdir(box.state)
		with open(os.path.join(box.state, "site.scheme"), "w", encoding="utf-8") as file:
			file.write(MUTING)
		box.start()
		box.wait_lamp("red", 1)
		box.press("mute", box.now())
		muted = box.wait_mic("muted")
		with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as link:
			link.connect(os.path.join(box.runtime, "control.sock"))
			link.send(b"scheme " + SCHEME.encode())
			self.assertEqual(link.recv(100), b"ok")
		box.wait_mic("live", muted["at"])
		box.stop()

	def test_sound_switched_off_never_opens_the_microphone(self):
		box = self.listening(sound=False, speed=16)
		box.press("5", 2)
		box.press("1", 4)
		box.wait_confirm(4)
		box.sleep_until(20)
		seen = Open(box)
		self.assertFalse(seen.sound_file or seen.plugin or seen.devices)
		self.assertEqual(box.lamp("red"), 0)
		box.stop()
		self.assertEqual([e["value"] for e in box.entries("mic")], [0])
		self.assertEqual(files_in(os.path.join(box.state, "snippets")), [])
		self.assertEqual(box.entries("loudness") + box.entries("gap"), [])


if __name__ == "__main__":
	unittest.main()
