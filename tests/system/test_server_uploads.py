"""Sound as boxes bring it, by tus: begun, cut, taken over, whole, and over."""
import contextlib
import os
import random
import shutil
import socket
import time
import unittest
import uuid

from harness import DEADLINE_S
from people import API, SCHEME, Client
from test_server_box import BYTES, TUS, BoxCase, metadata, sha256, sound, until


class Uploads(BoxCase):
	def create(self, box, seq, data, body=None, **headers):
		sent = {**TUS, "Upload-Length": str(len(data)),
			"Upload-Metadata": metadata(box.journal_id, seq, sha256(data))}
		if body is not None:
			sent.update(BYTES)
		sent.update({name.replace("_", "-"): value for name, value in headers.items()})
		return box.request("POST", "/uploads", body,
			{name: value for name, value in sent.items() if value is not None})

	def place(self, answer):
		self.assertEqual(answer.status, 201)
		self.assertRegex(answer.headers["Location"], "^/api/v1/uploads/[0-9a-f-]{36}$")
		return answer.headers["Location"].removeprefix(API)

	def patch(self, box, place, offset, data, **headers):
		sent = {**TUS, **BYTES, "Upload-Offset": str(offset)}
		sent.update({name.replace("_", "-"): value for name, value in headers.items()})
		return box.request("PATCH", place, data,
			{name: value for name, value in sent.items() if value is not None})

	def head(self, box, place):
		return box.request("HEAD", place, headers=TUS)

	def offset(self, box, place):
		answer = self.head(box, place)
		return int(answer.headers["Upload-Offset"]) if answer.status == 200 else answer.status

	def kept(self, data):
		return sha256(data) in self.server.blobs()

	def known(self, data):
		with self.server.database() as database:
			return database.execute("SELECT count(*) FROM blob WHERE sha256 = ?",
				(sha256(data),)).fetchone()[0] == 1

	# --- every request ---

	def test_options_say_what_is_spoken(self):
		answer = Client(self.server).send("OPTIONS", API + "/uploads")
		self.assertEqual((answer.status, answer.headers["Tus-Version"]), (204, "1.0.0"))
		self.assertEqual(set(answer.headers["Tus-Extension"].split(",")),
			{"creation", "creation-with-upload", "termination", "expiration"})
		self.assertGreater(int(answer.headers["Tus-Max-Size"]), 1 << 20)

	def test_a_wrong_version_is_told_the_right_one(self):
		data = sound(10)
		box, (seq,) = self.box_with(data)
		place = self.place(self.create(box, seq, data))
		for version in (None, "0.2.2", "1.0.1", ""):
			headers = {"Tus-Resumable": version} if version is not None else {}
			for method, path, more in (("POST", "/uploads", {"Upload-Length": "10"}),
					("HEAD", place, {}), ("PATCH", place, {**BYTES, "Upload-Offset": "0"}),
					("DELETE", place, {})):
				answer = box.request(method, path, b"x" if method == "PATCH" else None,
					{**headers, **more})
				self.assertEqual((answer.status, answer.headers["Tus-Version"]), (412, "1.0.0"))
		self.assertEqual(self.offset(box, place), 0)

	def test_every_answer_names_the_version(self):
		data = sound(10)
		box, (seq,) = self.box_with(data)
		place = self.place(self.create(box, seq, data))
		for method, path, headers in (("POST", "/uploads", TUS), ("HEAD", place, TUS),
				("HEAD", f"/uploads/{uuid.uuid4()}", TUS), ("PATCH", place, TUS),
				("DELETE", place, TUS), ("DELETE", place, TUS), ("POST", "/uploads", {})):
			answer = box.request(method, path, headers=headers)
			self.assertEqual(answer.headers["Tus-Resumable"], "1.0.0", (method, path))

	# --- creation ---

	def test_creation_gives_a_relative_place_and_an_end(self):
		data = sound(1000)
		box, (seq,) = self.box_with(data)
		answer = self.create(box, seq, data)
		self.place(answer)
		self.assertRegex(answer.headers["Upload-Expires"],
			r"^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$")
		self.assertEqual(answer.body, b"")

	def test_a_length_that_is_none_or_too_much_is_refused(self):
		data = sound(10)
		box, (seq,) = self.box_with(data)
		for length in (None, "", "0", "-1", "+1", "1.0", "0x10", "1 0", "9" * 30):
			answer = self.create(box, seq, data, Upload_Length=length)
			self.assertEqual((answer.status, answer.error), (400, "length"), length)
		most = Client(self.server).send("OPTIONS", API + "/uploads").headers["Tus-Max-Size"]
		answer = self.create(box, seq, data, Upload_Length=str(int(most) + 1))
		self.assertEqual((answer.status, answer.error), (413, "too-big"))

	def test_metadata_that_names_no_sound_is_refused(self):
		data = sound(10)
		box, (seq,) = self.box_with(data)
		good = metadata(box.journal_id, seq, sha256(data))
		for wrong in (None, "", ",", "journal", "seq MQ==", good + "," + good, good + ",\u00e4 MQ==",
				good.replace("seq ", "seq !"), metadata("x", seq, sha256(data)),
				metadata(box.journal_id, "0", sha256(data)),
				metadata(box.journal_id, seq, sha256(data).upper()),
				metadata(box.journal_id, seq, "../../../../etc/passwd")):
			answer = self.create(box, seq, data, Upload_Metadata=wrong)
			self.assertEqual((answer.status, answer.error), (400, "metadata"), wrong)

	def test_metadata_of_others_is_passed_over(self):
		data = sound(10)
		box, (seq,) = self.box_with(data)
		self.place(self.create(box, seq, data, Upload_Metadata=metadata(box.journal_id, seq,
			sha256(data), filename="a b.opus") + ", empty"))

	def test_sound_without_its_entry_is_refused(self):
		data = sound(10)
		box, (seq,) = self.box_with(data)
		other, _ = self.box_with(sound(11, 2))
		answer = self.create(box, seq + 1, data)
		self.assertEqual((answer.status, answer.error), (409, "no-such-snippet"))
		answer = box.request("POST", "/uploads", headers={**TUS, "Upload-Length": "10",
			"Upload-Metadata": metadata(other.journal_id, seq, sha256(data))})
		self.assertEqual((answer.status, answer.error), (409, "no-such-snippet"))

	def test_sound_that_is_not_the_entrys_is_refused(self):
		data = sound(10)
		box, (seq,) = self.box_with(data)
		for wrong in (sound(10, 2), data + b"x"):
			answer = self.create(box, seq, wrong)
			self.assertEqual((answer.status, answer.error), (409, "differs"))
		answer = self.create(box, seq, data, Upload_Length="11")
		self.assertEqual((answer.status, answer.error), (409, "differs"))

	def test_sound_that_is_kept_need_not_come_again(self):
		data = sound(5000, 3)
		box, (seq,) = self.box_with(data)
		self.assertEqual(self.create(box, seq, data, data).status, 201)
		for body in (None, data):
			answer = self.create(box, seq, data, body)
			self.assertEqual((answer.status, answer.headers["Chalkbox-Kept"]), (200, sha256(data)))
			self.assertIsNone(answer.headers["Location"])

	def test_creation_can_bring_all_of_it(self):
		data = sound(100_000, 4)
		box, (seq,) = self.box_with(data)
		answer = self.create(box, seq, data, data)
		place = self.place(answer)
		self.assertEqual(answer.headers["Upload-Offset"], str(len(data)))
		self.assertTrue(self.kept(data))
		self.assertEqual(self.look(box)["snippets"]["missing"], [])
		self.assertEqual(self.offset(box, place), len(data))

	def test_creation_can_bring_some_of_it(self):
		data = sound(100_000, 5)
		box, (seq,) = self.box_with(data)
		answer = self.create(box, seq, data, data[:30_000])
		place = self.place(answer)
		self.assertEqual(answer.headers["Upload-Offset"], "30000")
		self.assertEqual(self.look(box)["snippets"]["missing"], [seq])
		answer = self.patch(box, place, 30_000, data[30_000:])
		self.assertEqual((answer.status, answer.headers["Upload-Offset"]), (204, "100000"))
		self.assertTrue(self.kept(data))

	def test_a_later_creation_ends_an_earlier_one_of_the_same_snippet(self):
		data = sound(100, 6)
		box, (seq,) = self.box_with(data)
		first = self.place(self.create(box, seq, data, data[:50]))
		second = self.place(self.create(box, seq, data))
		self.assertEqual((self.offset(box, first), self.offset(box, second)), (404, 0))
		self.assertFalse(os.path.exists(os.path.join(self.server.data, first.lstrip("/"))))

	# --- going on ---

	def test_head_tells_where_it_stands(self):
		data = sound(100, 7)
		box, (seq,) = self.box_with(data)
		place = self.place(self.create(box, seq, data))
		self.patch(box, place, 0, data[:40])
		answer = self.head(box, place)
		self.assertEqual((answer.status, answer.headers["Upload-Offset"],
			answer.headers["Upload-Length"], answer.headers["Cache-Control"], answer.body),
			(200, "40", "100", "no-store", b""))
		self.assertEqual(answer.headers["Upload-Metadata"],
			metadata(box.journal_id, seq, sha256(data)))

	def test_what_is_unknown_is_not_found(self):
		box = self.box()
		for place in (f"/uploads/{uuid.uuid4()}", "/uploads/x", "/uploads/" + "a" * 900):
			for method in ("HEAD", "PATCH", "DELETE"):
				answer = box.request(method, place, None, {**TUS, **BYTES, "Upload-Offset": "0"})
				self.assertEqual(answer.status, 404, (method, place))

	def test_a_wrong_offset_is_a_conflict(self):
		data = sound(100, 8)
		box, (seq,) = self.box_with(data)
		place = self.place(self.create(box, seq, data))
		self.assertEqual(self.patch(box, place, 0, data[:40]).headers["Upload-Offset"], "40")
		for offset in (0, 39, 41, 100, 101):
			answer = self.patch(box, place, offset, data[offset:] or b"x")
			self.assertEqual((answer.status, answer.error), (409, "offset"))
		for offset in (None, "", "-1", "4O"):
			answer = self.patch(box, place, 0, b"x", Upload_Offset=offset)
			self.assertEqual((answer.status, answer.error), (400, "offset"))
		self.assertEqual(self.offset(box, place), 40)

	def test_bytes_of_another_type_are_refused(self):
		data = sound(100, 9)
		box, (seq,) = self.box_with(data)
		place = self.place(self.create(box, seq, data))
		for kind in (None, "application/octet-stream", "text/plain"):
			answer = self.patch(box, place, 0, data, Content_Type=kind)
			self.assertEqual((answer.status, answer.error), (415, "type"))
			self.assertEqual(self.create(box, seq, data, data, Content_Type=kind).status, 415)
		self.assertEqual(self.offset(box, place), 0)

	def test_more_than_was_said_is_refused(self):
		data = sound(100, 10)
		box, (seq,) = self.box_with(data)
		place = self.place(self.create(box, seq, data))
		self.assertEqual(self.patch(box, place, 0, data + b"x").status, 413)
		self.assertEqual(self.create(box, seq, data, data + b"x").status, 413)
		self.assertFalse(self.kept(data))

	def test_pieces_of_any_size_make_the_whole(self):
		data = sound(3000, 11)
		box, (seq,) = self.box_with(data)
		place, at, dice = self.place(self.create(box, seq, data)), 0, random.Random(1)
		while at < len(data):
			piece = data[at:at + dice.choice((1, 7, 300, 999))]
			answer = self.patch(box, place, at, piece)
			at += len(piece)
			self.assertEqual((answer.status, answer.headers["Upload-Offset"]), (204, str(at)))
			self.assertIsNotNone(answer.headers["Upload-Expires"])
		self.assertTrue(self.kept(data))
		# and after the end there is nothing to add
		self.assertEqual(self.patch(box, place, at, b"x").status, 409)

	def test_nothing_is_kept_before_the_whole_is_there(self):
		data = sound(100, 12)
		box, (seq,) = self.box_with(data)
		place = self.place(self.create(box, seq, data))
		self.patch(box, place, 0, data[:99])
		self.assertFalse(self.kept(data))
		self.assertEqual(self.look(box)["snippets"]["missing"], [seq])

	def test_a_wrong_hash_is_refused_and_the_upload_gone(self):
		data = sound(100, 13)
		box, (seq,) = self.box_with(data)
		place = self.place(self.create(box, seq, data))
		self.patch(box, place, 0, data[:50])
		answer = self.patch(box, place, 50, b"x" * 50)
		self.assertEqual((answer.status, answer.error), (460, "wrong-hash"))
		self.assertEqual(self.offset(box, place), 404)
		self.assertEqual(self.create(box, seq, data, b"y" * 100).status, 460)
		self.assertFalse(self.kept(data))
		self.assertEqual(self.create(box, seq, data, data).status, 201)

	def test_chunked_bytes_are_taken_too(self):
		data = sound(70_000, 14)
		box, (seq,) = self.box_with(data)
		place = self.place(self.create(box, seq, data))
		answer = self.patch(box, place, 0, iter([data[:1], data[1:40_000], data[40_000:]]))
		self.assertEqual((answer.status, answer.headers["Upload-Offset"]), (204, str(len(data))))

	def test_an_upload_is_its_boxs_alone(self):
		data = sound(100, 15)
		box, (seq,) = self.box_with(data)
		place = self.place(self.create(box, seq, data))
		other = self.box()
		self.assertEqual(self.offset(other, place), 404)
		self.assertEqual(self.patch(other, place, 0, data).status, 404)
		self.assertEqual(other.request("DELETE", place, headers=TUS).status, 404)
		self.assertEqual(self.offset(box, place), 0)

	# --- cuts ---

	def cut(self, box, place, length, data):
		"""Sends a PATCH that says @length and breaks off after the data; its socket."""
		link = socket.create_connection(("127.0.0.1", self.server.port), DEADLINE_S)
		link.sendall((f"PATCH {API}{place} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\n"
			f"Authorization: Bearer {box.token}\r\nUpload-Offset: 0\r\n"
			"Content-Type: application/offset+octet-stream\r\n"
			f"Content-Length: {length}\r\n\r\n").encode() + data)
		return link

	def test_what_came_before_a_cut_is_kept(self):
		data = sound(200_000, 16)
		box, (seq,) = self.box_with(data)
		place = self.place(self.create(box, seq, data))
		self.cut(box, place, len(data), data[:150_000]).close()
		until(lambda: self.offset(box, place) == 150_000, "the bytes before the cut")
		self.assertEqual(self.patch(box, place, 150_000, data[150_000:]).status, 204)
		self.assertTrue(self.kept(data))

	def test_a_new_request_takes_over_from_one_that_hangs(self):
		data = sound(200_000, 17)
		box, (seq,) = self.box_with(data)
		place = self.place(self.create(box, seq, data))
		hanging = self.cut(box, place, len(data), data[:100_000])
		self.addCleanup(hanging.close)
		until(lambda: self.offset(box, place) == 100_000, "the bytes before the stop")
		self.assertEqual(self.patch(box, place, 100_000, data[100_000:]).status, 204)
		self.assertTrue(self.kept(data))
		with contextlib.suppress(OSError):
			hanging.sendall(data[100_000:])
		self.assertTrue(self.kept(data))
		self.assertEqual(self.offset(box, place), len(data))

	def test_a_creation_that_is_cut_leaves_nothing(self):
		data = sound(200_000, 18)
		box, (seq,) = self.box_with(data)
		before = set(os.listdir(os.path.join(self.server.data, "uploads")))
		link = socket.create_connection(("127.0.0.1", self.server.port), DEADLINE_S)
		link.sendall((f"POST {API}/uploads HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\n"
			f"Authorization: Bearer {box.token}\r\nUpload-Length: {len(data)}\r\n"
			f"Upload-Metadata: {metadata(box.journal_id, seq, sha256(data))}\r\n"
			"Content-Type: application/offset+octet-stream\r\n"
			f"Content-Length: {len(data)}\r\n\r\n").encode() + data[:1000])
		until(lambda: set(os.listdir(os.path.join(self.server.data, "uploads"))) - before,
			"the upload's file")
		link.close()
		until(lambda: not set(os.listdir(os.path.join(self.server.data, "uploads"))) - before,
			"its end")

	# --- ends ---

	def test_an_upload_can_be_ended(self):
		data = sound(100, 19)
		box, (seq,) = self.box_with(data)
		place = self.place(self.create(box, seq, data, data[:50]))
		self.assertEqual(box.request("DELETE", place, headers=TUS).status, 204)
		for method in ("HEAD", "DELETE"):
			self.assertEqual(box.request(method, place, headers=TUS).status, 404)
		self.assertEqual(self.patch(box, place, 50, data[50:]).status, 404)

	def test_bytes_that_all_came_before_a_kill_are_looked_at_when_asked(self):
		data = sound(1000, 20)
		box, (seq,) = self.box_with(data)
		place = self.place(self.create(box, seq, data, data[:999]))
		self.server.kill() # as if just before the whole was looked at
		with open(os.path.join(self.server.data, place.lstrip("/")), "ab") as part:
			part.write(data[999:])
		self.server.start()
		self.assertEqual(self.look(box)["snippets"]["missing"], [seq])
		self.assertEqual(self.offset(box, place), 1000)
		self.assertTrue(self.kept(data))
		self.assertEqual(self.look(box)["snippets"]["missing"], [])

	def test_files_that_nobody_knows_are_swept_away_at_the_start(self):
		data = sound(1000, 21)
		box, (seq,) = self.box_with(data)
		place = self.place(self.create(box, seq, data, data[:500]))
		strange = [os.path.join(self.server.data, name) for name in
			("uploads/" + str(uuid.uuid4()), "blobs/ab/ab" + "0" * 62)]
		for path in strange:
			with open(path, "wb") as made:
				made.write(b"x")
		with self.server.stopped():
			pass
		self.assertEqual([os.path.exists(path) for path in strange], [False, True])
		month = time.time() - 31 * 24 * 3600
		os.utime(strange[1], (month, month))
		with self.server.stopped():
			pass
		self.assertFalse(os.path.exists(strange[1]))
		self.assertEqual(self.offset(box, place), 500)

	def test_a_start_on_an_older_database_loses_no_sound(self):
		early, late, torn, withdrawn = (sound(900, seed) for seed in (40, 41, 42, 43))
		box, (seq, gone) = self.box_with(early, withdrawn)
		database = os.path.join(self.server.data, "server.db")
		with self.server.stopped():
			shutil.copy(database, database + ".old")
		_, more = box.add_lesson(SCHEME, 100 * 10**9, sounds=[(i * 10**9, (i + 1) * 10**9, data)
			for i, data in enumerate((late, torn))], end_ns=60 * 10**9)
		box.bring()
		for number, data in zip((seq, gone, *more), (early, withdrawn, late, torn)):
			self.assertEqual(box.bring_sound(number, data).status, 201)
		self.server.stop()
		os.replace(database + ".old", database)
		with self.server.database() as older: # withdrawn before it came, and the copy knows
			older.execute("UPDATE snippet SET withdrawn_ns = 1 WHERE sha256 = ?", (sha256(withdrawn),))
		path = os.path.join(self.server.data, "blobs", sha256(torn)[:2], sha256(torn))
		with open(path, "r+b") as file: # as by a power cut
			file.write(b"\0" * 10)
		self.server.start()
		self.assertNotIn(sha256(withdrawn), self.server.blobs())
		self.assertEqual(self.look(box)["snippets"]["missing"], [])
		self.assertTrue(self.known(early))
		self.assertFalse(self.known(late))
		box.bring()
		self.assertEqual(self.look(box)["snippets"]["missing"], more[1:])
		self.assertTrue(self.known(late))
		self.assertEqual(box.bring_sound(more[0], late).headers["Chalkbox-Kept"], sha256(late))
		self.assertEqual(box.bring_sound(more[1], torn).status, 201)
		self.assertTrue(self.known(torn))


class Expiry(BoxCase):
	arguments = ("--upload-time", "1")

	def test_an_unfinished_upload_ends_with_its_time(self):
		data = sound(100, 30)
		box, (seq,) = self.box_with(data)
		answer = box.request("POST", "/uploads", headers={**TUS, "Upload-Length": "100",
			"Upload-Metadata": metadata(box.journal_id, seq, sha256(data))})
		place = answer.headers["Location"].removeprefix(API)
		until(lambda: box.request("HEAD", place, headers=TUS).status == 404, "its end")
		answer = box.request("PATCH", place, data, {**TUS, **BYTES, "Upload-Offset": "0"})
		self.assertEqual(answer.status, 404)


if __name__ == "__main__":
	unittest.main()
