"""What nobody wants any more leaves the server's disk, however much of it had come."""
import contextlib
import hashlib
import os
import random
import socket
import time
import unittest

from harness import DEADLINE_S, NS
from people import API, DAY_NS, SCHEME, Lessons
from test_server_box import BYTES, TUS, BoxCase, metadata, sha256, until


class Leaving(BoxCase):
	def setUp(self):
		self.teacher = self.admin.invite(f"Teacher of {self.id()}", "teacher")
		self.side = self.box()
		self.side.add_boot()
		self.data = random.Random(self.id()).randbytes(300_000)
		self.lesson, (self.seq,) = self.side.add_lesson(SCHEME, NS, sounds=[(0, 9 * NS, self.data)],
			end_ns=60 * NS)
		self.side.bring()
		answer = self.coach.patch(f"/observations/{self.lesson}", {"teacher": self.teacher.id})
		self.assertEqual(answer.status, 200, answer)

	def head(self, method, path, **more):
		"""The head of a request that will bring bytes."""
		return "".join([f"{method} {API}{path} HTTP/1.1\r\nHost: x\r\n",
			f"Authorization: Bearer {self.side.token}\r\n",
			*(f"{name.replace('_', '-')}: {value}\r\n" for name, value in
				{**TUS, **BYTES, **more}.items()), "\r\n"]).encode()

	def about(self):
		return {"Upload_Length": len(self.data),
			"Upload_Metadata": metadata(self.side.journal_id, self.seq, sha256(self.data))}

	def bring_half(self):
		"""Brings a third of the sound; where to go on."""
		answer = self.side.request("POST", "/uploads", self.data[:100_000], {**TUS, **BYTES,
			**{name.replace("_", "-"): str(value) for name, value in self.about().items()}})
		self.assertEqual((answer.status, answer.headers["Upload-Offset"]), (201, "100000"))
		self.assertEqual(len(self.traces()), 1)
		return answer.headers["Location"].removeprefix(API)

	def go_on(self, place):
		return self.side.request("PATCH", place, self.data[100_000:],
			{**TUS, **BYTES, "Upload-Offset": "100000"})

	def traces(self):
		"""The files under the data folder that hold some of the sound's bytes."""
		found = []
		for folder, _, names in os.walk(self.server.data):
			for path in (os.path.join(folder, name) for name in names):
				with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
					held = file.read()
					if any(self.data[at:at + 32] in held for at in range(0, len(self.data), 1000)):
						found.append(path)
		return found

	def withdraw(self):
		answer = self.teacher.delete(f"/audio/{self.lesson}/{self.seq}")
		self.assertEqual(answer.status, 204, answer)

	def revoke(self):
		answer = self.coach.patch(f"/boxes/{self.side.id}", {"revoked": True})
		self.assertEqual(answer.status, 200, answer)

	def is_over(self, place):
		"""The box learns that there is nothing to bring any more."""
		for answer in (self.side.request("HEAD", place, headers=TUS), self.go_on(place)):
			self.assertEqual(answer.status, 404)
		answer = self.side.bring_sound(self.seq, self.data)
		self.assertEqual((answer.status, answer.headers["Chalkbox-Kept"]), (200, sha256(self.data)))
		self.assertEqual(self.traces(), [])

	def test_what_is_withdrawn_half_come_leaves_at_once(self):
		place = self.bring_half()
		self.withdraw()
		self.assertEqual(self.traces(), [])
		self.is_over(place)

	def test_what_is_withdrawn_before_it_comes_never_stays(self):
		self.withdraw()
		self.assertEqual(self.side.bring_sound(self.seq, self.data).status, 200)
		self.assertEqual(self.traces(), [])

	def in_flight(self, head, ending):
		"""
		A request that brings most of the sound, and stops while that happens; its answer.
		By then some of it is on the disk, and some of it may be held back.
		"""
		with socket.create_connection(("127.0.0.1", self.server.port), DEADLINE_S) as link:
			link.sendall(head + self.data[-200_000:-1000])
			until(lambda: any(self.data[-100_000:-99_900] in open(path, "rb").read()
				for path in self.traces()), "the bytes")
			ending()
			self.assertEqual(self.traces(), [])
			link.sendall(self.data[-1000:])
			answer = link.recv(65536)
		self.assertEqual(self.traces(), [])
		return answer

	def test_what_is_withdrawn_while_it_comes_leaves_at_once(self):
		self.data = self.data[-200_000:]
		self.lesson, (self.seq,) = self.side.add_lesson(SCHEME, 100 * NS,
			sounds=[(0, 9 * NS, self.data)], end_ns=60 * NS)
		self.side.bring()
		self.coach.patch(f"/observations/{self.lesson}", {"teacher": self.teacher.id})
		answer = self.in_flight(self.head("POST", "/uploads", Content_Length=len(self.data),
			**self.about()), self.withdraw)
		self.assertTrue(answer.startswith(b"HTTP/1.1 409"), answer[:100])

	def test_what_is_withdrawn_while_it_goes_on_leaves_at_once(self):
		place = self.bring_half()
		answer = self.in_flight(self.head("PATCH", place, Upload_Offset=100_000,
			Content_Length=200_000), self.withdraw)
		self.assertTrue(answer.startswith(b"HTTP/1.1 409"), answer[:100])
		self.is_over(place)

	def test_another_snippet_of_the_same_sound_is_not_withdrawn_with_it(self):
		_, (other,) = self.side.add_lesson(SCHEME, 100 * NS, sounds=[(0, 9 * NS, self.data)],
			end_ns=60 * NS)
		self.side.bring()
		self.bring_half()
		mine, self.seq = self.seq, other
		answer = self.side.request("POST", "/uploads", self.data[:100_000], {**TUS, **BYTES,
			**{name.replace("_", "-"): str(value) for name, value in self.about().items()}})
		self.seq = mine
		self.withdraw()
		answer = self.go_on(answer.headers["Location"].removeprefix(API))
		self.assertEqual(answer.status, 204, answer)
		self.assertIn(sha256(self.data), self.server.blobs())

	def test_what_a_revoked_box_brought_half_leaves_at_once(self):
		self.bring_half()
		self.revoke()
		self.assertEqual(self.traces(), [])

	def test_what_a_box_brings_while_it_is_revoked_leaves_at_once(self):
		place = self.bring_half()
		answer = self.in_flight(self.head("PATCH", place, Upload_Offset=100_000,
			Content_Length=200_000), self.revoke)
		self.assertTrue(answer.startswith(b"HTTP/1.1 409"), answer[:100])

	def test_other_boxes_go_on(self):
		place = self.bring_half()
		other = self.box()
		self.assertEqual(self.coach.patch(f"/boxes/{other.id}", {"revoked": True}).status, 200)
		self.assertEqual(self.go_on(place).status, 204)

	def test_what_a_kill_left_of_it_goes_at_the_start(self):
		for change, key in (("UPDATE snippet SET withdrawn_ns = 1 WHERE journal = ?",
				self.side.journal_id), ("UPDATE box SET revoked_ns = 1 WHERE id = ?", self.side.id)):
			with self.subTest(change):
				self.bring_half()
				with self.server.stopped() as database: # as if killed before the upload was ended
					database.execute(change, (key,))
				self.assertEqual(self.traces(), [])
				with self.server.stopped() as database:
					database.execute("UPDATE snippet SET withdrawn_ns = 0")


class Withdrawing(Lessons):
	def test_withdrawn_sound_leaves_the_disk_when_nobody_else_has_it(self):
		name = hashlib.sha256(self.sounds[0]).hexdigest()
		self.assertIn(name, " ".join(self.server.blobs()))
		events = self.teacher.get(f"/observations/{self.lesson}/timeline").json["events"]
		path, same = f"/audio/{self.lesson}/{self.heard}", f"/audio/{self.second}/{self.same}"
		self.assertEqual(self.teacher.delete(path).status, 204)
		for person in (self.teacher, self.coach):
			self.refused(person.get(path), 410, "withdrawn")
			self.refused(person.get(path + "?as=wav"), 410, "withdrawn")
		self.refused(self.teacher.delete(path), 410, "withdrawn")
		# the other observation has the same sound: it is its teacher's to withdraw
		self.assertEqual(self.other_teacher.get(same).body, self.sounds[0])
		self.assertEqual(self.other_teacher.delete(same).status, 204)
		self.assertNotIn(name, " ".join(self.server.blobs()))
		timeline = self.coach.get(f"/observations/{self.lesson}/timeline").json
		self.assertEqual(timeline["events"], events)
		snippet = next(one for one in timeline["snippets"] if one["seq"] == self.heard)
		self.assertEqual((snippet["kept"], snippet["withdrawn"], snippet["withdrawn_by"]),
			(False, True, "teacher"))
		# and the box is not asked for it again
		missing = self.box_side.request("GET", f"/box?journal={self.box_side.journal_id}")
		self.assertNotIn(self.heard, missing.json["snippets"]["missing"])
		again = self.box_side.bring_sound(self.heard, self.sounds[0])
		self.assertLess(again.status, 500)
		self.assertNotIn(name, " ".join(self.server.blobs()))
		self.refused(self.teacher.get(path), 410, "withdrawn")

	def test_sound_can_be_withdrawn_before_it_arrives(self):
		path = f"/audio/{self.lesson}/{self.unheard}"
		self.assertEqual(self.teacher.delete(path).status, 204)
		self.box_side.bring_sound(self.unheard, self.sounds[1])
		self.refused(self.teacher.get(path), 410, "withdrawn")


class Retention(Lessons):
	def test_sound_goes_when_the_site_keeps_it_no_longer(self):
		self.assertEqual(len(self.server.blobs()), 1)
		self.administrator.put("/site", {"days_on_server": 30})
		with self.server.stopped() as database:
			database.execute("UPDATE blob SET kept_ns = kept_ns - ?", (29 * DAY_NS,))
		self.assertEqual(self.teacher.get(f"/audio/{self.lesson}/{self.heard}").status, 200)
		with self.server.stopped() as database:
			database.execute("UPDATE blob SET kept_ns = kept_ns - ?", (2 * DAY_NS,))
		deadline = time.monotonic() + 30
		while self.server.blobs() and time.monotonic() < deadline:
			time.sleep(0.05)
		self.assertEqual(self.server.blobs(), [])
		self.refused(self.teacher.get(f"/audio/{self.lesson}/{self.heard}"), 410, "withdrawn")
		timeline = self.teacher.get(f"/observations/{self.lesson}/timeline").json
		self.assertEqual(timeline["snippets"][0]["withdrawn_by"], "rule")
		self.assertEqual(len(timeline["events"]), 2)


	def test_what_is_much_goes_step_by_step_until_all_is_gone(self):
		sounds = [f"sound {i}".encode() for i in range(40)] # more than go at once
		_, seqs = self.box_side.add_lesson(SCHEME, 4000 * NS, (),
			[(i * NS, (i + 1) * NS, data) for i, data in enumerate(sounds)], 90 * NS)
		self.box_side.bring()
		for seq, data in zip(seqs, sounds):
			self.assertIn(self.box_side.bring_sound(seq, data).status, (201, 204))
		self.assertEqual(len(set(self.server.blobs()) & {hashlib.sha256(data).hexdigest()
			for data in sounds}), 40)
		self.administrator.put("/site", {"days_on_server": 30})
		with self.server.stopped() as database:
			database.execute("UPDATE blob SET kept_ns = kept_ns - ?", (31 * DAY_NS,))
		deadline = time.monotonic() + 30
		while self.server.blobs() and time.monotonic() < deadline:
			time.sleep(0.05)
		self.assertEqual(self.server.blobs(), [])


if __name__ == "__main__":
	unittest.main()
