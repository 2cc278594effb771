"""Sound as people hear it."""
import os
import socket
import subprocess
import tempfile
import time
import unittest

from harness import NS, Box, noise, write_wav
from people import API, SCHEME, BoxSide, Lessons, ServerCase, opus


class Hearing(Lessons):
	def path(self, lesson=None, seq=None):
		return f"/audio/{lesson or self.lesson}/{seq or self.heard}"

	def test_it_is_what_the_box_sent(self):
		answer = self.teacher.get(self.path())
		self.assertEqual(answer.body, self.sounds[0])
		self.assertEqual(answer.headers["Content-Type"], "audio/ogg; codecs=opus")
		self.assertEqual(answer.headers["Cache-Control"], "private, no-store")

	def test_what_is_in_memory_goes_to_no_core_dump(self):
		process = f"/proc/{self.server.process.pid}"
		with open(f"{process}/limits", encoding="ascii") as file:
			limit = next(line for line in file if line.startswith("Max core file size"))
		self.assertEqual(limit.split()[4:6], ["0", "0"])
		with open(f"{process}/coredump_filter", encoding="ascii") as file:
			self.assertEqual(int(file.read(), 16), 0)

	def test_a_part_of_it_can_be_had(self):
		whole = self.sounds[0]
		for asked, begin, end in (("0-0", 0, 1), ("10-19", 10, 20), (f"{len(whole) - 5}-",
				len(whole) - 5, len(whole)), ("-7", len(whole) - 7, len(whole)),
				("100-99999999", 100, len(whole))):
			answer = self.teacher.get(self.path(), headers={"Range": f"bytes={asked}"})
			self.assertEqual(answer.status, 206, asked)
			self.assertEqual(answer.body, whole[begin:end])
			self.assertEqual(answer.headers["Content-Range"], f"bytes {begin}-{end - 1}/{len(whole)}")
		answer = self.teacher.get(self.path(), headers={"Range": f"bytes={len(whole)}-"})
		self.assertEqual(answer.status, 416)
		answer = self.teacher.request("HEAD", self.path(), headers={"Range": "bytes=0-0"})
		self.assertEqual((answer.status, answer.headers["Content-Length"]), (200, str(len(whole))))

	def test_as_wav_it_is_the_same_sound(self):
		answer = self.teacher.get(self.path() + "?as=wav")
		self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "audio/wav"))
		with tempfile.TemporaryDirectory() as folder:
			path = os.path.join(folder, "a.opus")
			with open(path, "wb") as file:
				file.write(self.sounds[0])
			decoded = subprocess.run(["opusdec", "--quiet", "--no-dither", "--rate", "48000",
				"--force-wav", path, "-"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
				check=True).stdout
		begin = decoded.index(b"data") + 8
		ours = memoryview(answer.body[44:]).cast("h")
		theirs = memoryview(decoded[begin:begin + len(answer.body) - 44]).cast("h")
		self.assertEqual(answer.body[:4] + answer.body[8:16], b"RIFFWAVEfmt ")
		self.assertAlmostEqual(len(ours) / 48000, 3, delta=0.001)
		self.assertLessEqual(max(abs(a - b) for a, b in zip(ours, theirs)), 2)
		part = self.teacher.get(self.path() + "?as=wav", headers={"Range": "bytes=0-1"})
		self.assertEqual((part.status, part.body), (206, b"RI"))
		self.refused(self.teacher.get(self.path() + "?as=mp3"), 400, "wrong-value")

	def test_who_reads_slowly_does_not_fill_the_memory(self):
		data = opus(100, 9) # 9.6 MB as WAV
		lesson, (seq,) = self.box_side.add_lesson(SCHEME, 5000 * NS, (), [(0, 100 * NS, data)],
			100 * NS)
		self.box_side.bring()
		self.assertEqual(self.box_side.bring_sound(seq, data).status, 201)
		path = self.path(lesson, seq) + "?as=wav"
		slow = []
		for _ in range(12):
			reader = socket.create_connection(("127.0.0.1", self.server.port))
			self.addCleanup(reader.close)
			reader.sendall(f"GET {API}{path} HTTP/1.1\r\nHost: {self.server.host}\r\n"
				f"Cookie: __Host-chalkbox={self.coach.cookie}\r\n\r\n".encode())
			self.assertEqual(reader.recv(12), b"HTTP/1.1 200")
			slow.append(reader)
		answer = self.coach.get(path)
		self.refused(answer, 503, "busy")
		self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
		self.assertEqual(self.coach.get(self.path(lesson, seq)).status, 200)
		slow.pop().close()
		deadline = time.monotonic() + 30
		while self.coach.get(path).status == 503 and time.monotonic() < deadline:
			time.sleep(0.05)
		self.assertEqual(self.coach.get(path).status, 200)

	def test_what_has_not_arrived_says_so(self):
		self.refused(self.teacher.get(self.path(seq=self.unheard)), 404, "not-yet")
		snippets = self.teacher.get(f"/observations/{self.lesson}/timeline").json["snippets"]
		kept = {snippet["seq"]: snippet["kept"] for snippet in snippets}
		self.assertEqual(kept[self.unheard], False)

	def test_numbers_that_are_none_are_not_there(self):
		for seq in ("0", "-1", "01", "1.5", "x", "9" * 30, f"{self.heard}x", f"+{self.heard}"):
			self.assertIn(self.teacher.get(f"/audio/{self.lesson}/{seq}").status, (400, 404), seq)
		self.refused(self.teacher.get(f"/audio/{self.lesson}/1"), 404, "nothing")

	def test_sound_that_is_none_is_refused_as_wav_and_breaks_nothing(self):
		for junk in (b"OggS" * 50, self.sounds[0][:100], self.sounds[0][:2000] + b"\0" * 500):
			lesson, (seq,) = self.box_side.add_lesson(SCHEME, 3000 * NS, (), [(0, NS, junk)], NS)
			self.box_side.bring()
			self.assertIn(self.box_side.bring_sound(seq, junk).status, (201, 204))
			answer = self.coach.get(self.path(lesson, seq) + "?as=wav")
			self.assertIn(answer.status, (200, 422), answer)
			self.assertEqual(self.coach.get(self.path(lesson, seq)).body, junk)


class SameAsTheBox(ServerCase):
	"""Two short lessons of a real recorder, brought to the server."""

	def test_the_timeline_is_the_one_that_the_box_shows(self):
		wav = write_wav(os.path.join(self.folder(), "a.wav"), noise(16000 * 100, 5))
		recorder = Box(wav=wav, speed=8)
		self.addCleanup(recorder.close)
		recorder.start()
		recorder.wait_mic("live")
		at = recorder.now() + 2
		for begin in (at, at + 40):
			for line, offset, hold in (("5", 0, 0.1), ("1", 3, 0.1), ("3", 5, 0.1), ("1", 8, 1.5),
					("2", 12, 0.1), ("4", 13.5, 0.1), ("3", 16, 0.1), ("5", 24, 2.5)):
				recorder.edge(line, 1, begin + offset)
				recorder.edge(line, 0, begin + offset + hold)
		recorder.wait_sent()
		recorder.wait_for(lambda: len(recorder.entries("observation_end")) == 2, "both ends")
		recorder.stop()
		coach = self.invite("coach")
		box = BoxSide(self.server, coach)
		sounds = box.take_journal(recorder)
		box.bring()
		for seq, data in sounds.items():
			self.assertIn(box.bring_sound(seq, data).status, (201, 204))
		starts = recorder.entries("observation_start")
		self.assertEqual(len(starts), 2)
		for start in starts:
			expected = recorder.timeline(start["seq"])
			self.assertGreaterEqual(len(expected["events"]), 4)
			shown = coach.get(f"/observations/{start['body']['id']}/timeline").json
			for snippet in shown["snippets"]:
				self.assertEqual((snippet.pop("kept"), snippet.pop("withdrawn"),
					snippet.pop("withdrawn_by")), (True, False, None))
				heard = coach.get(f"/audio/{start['body']['id']}/{snippet['seq']}")
				self.assertEqual(heard.body, sounds[snippet["seq"]])
			self.assertEqual(shown, expected)


if __name__ == "__main__":
	unittest.main()
