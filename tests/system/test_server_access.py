"""Who may see and do what, over HTTP: every route against everybody."""
import glob
import hashlib
import os
import re
import unittest

from harness import NS, ROOT
from people import API, NOBODY_ID, PASSWORD, SCHEME, BoxSide, Client, Lessons, Person, ServerCase
from test_server_box import BYTES, LINES, TUS, metadata, sha256


def routes():
	"""Every route that the server's tables have: (method, pattern, for whom)."""
	found, rows = set(), 0
	for path in glob.glob(os.path.join(ROOT, "app/server/*.c")):
		with open(path, encoding="utf-8") as file:
			text = file.read()
		rows += len(re.findall(r"\bWHO_(?:PERSON|BOX|ANYBODY),", text))
		found |= {(method, pattern, who) for method, pattern, who in
			re.findall(r'\{HTTP_(\w+), "([^"]+)", WHO_(PERSON|BOX|ANYBODY),', text)}
	assert rows == len(found) > 0, "a row in a form that this does not read"
	return found


def named(rows, who):
	"""The routes of those people that (method, path, ...) rows ask for."""
	def matches(pattern, path):
		parts, asked = pattern.split("/"), path.split("?")[0].lstrip("/").split("/")
		return len(parts) == len(asked) and all(part in ("+", one)
			for part, one in zip(parts, asked))
	return {(method, pattern) for method, pattern, whose in routes() if whose == who
		and any(row[0] == method and matches(pattern, row[1]) for row in rows)}


class Access(Lessons):
	"""The table over HTTP: each kind of person against each resource."""

	def people(self):
		revoked, guest = self.invite("teacher"), self.invite("coach")
		self.administrator.patch(f"/people/{revoked.id}", {"revoked": True})
		self.teacher.post(f"/observations/{self.lesson}/guests", {"name": guest.name})
		return {"nobody": Person(self.server), "revoked": revoked,
			"administrator": self.administrator, "other coach": self.other_coach,
			"its coach": self.coach, "other teacher": self.other_teacher,
			"its teacher": self.teacher, "its guest": guest,
			"all roles": self.invite("administrator", "coach", "teacher")}

	# method, path, body; then what each of the people above is told
	TABLE = (
		("GET", "/session", None, 401, 401, 200, 200, 200, 200, 200, 200, 200),
		("GET", "/people", None, 401, 401, 200, 200, 200, 403, 403, 200, 200),
		("POST", "/people", {"name": "", "roles": ["teacher"]},
			401, 401, 400, 400, 400, 403, 403, 400, 400),
		("POST", "/people", {"name": "", "roles": ["coach"]},
			401, 401, 400, 403, 403, 403, 403, 403, 400),
		("POST", "/people", {"name": "", "roles": ["administrator"]},
			401, 401, 400, 403, 403, 403, 403, 403, 400),
		("POST", "/people", {"name": "", "roles": ["teacher", "coach"]},
			401, 401, 400, 403, 403, 403, 403, 403, 400),
		("PATCH", "/people/{nobody}", {"revoked": True},
			401, 401, 404, 403, 403, 403, 403, 403, 404),
		("PATCH", "/people/{coach}", {"revoked": 7}, 401, 401, 400, 403, 403, 403, 403, 403, 400),
		("PATCH", "/people/{coach}", {"roles": ["boss"]},
			401, 401, 400, 403, 403, 403, 403, 403, 400),
		("PUT", "/password", {"old": PASSWORD, "new": "short"},
			401, 401, 400, 400, 400, 400, 400, 400, 400),
		("POST", "/people/{nobody}/invitation", None,
			401, 401, 404, 403, 403, 403, 403, 403, 404),
		("GET", "/boxes", None, 401, 401, 200, 200, 200, 403, 403, 200, 200),
		("POST", "/boxes", {}, 401, 401, 400, 201, 201, 403, 403, 201, 201),
		("POST", "/boxes", {"coach": "{coach}"}, 401, 401, 201, 403, 201, 403, 403, 403, 201),
		("PATCH", "/boxes/{box}", {"name": "its name"},
			401, 401, 200, 404, 200, 404, 404, 404, 200),
		("PATCH", "/boxes/{nobody}", {"name": "its name"},
			401, 401, 404, 404, 404, 404, 404, 404, 404),
		("PATCH", "/boxes/{box}", {"coach": "{coach}"},
			401, 401, 200, 404, 403, 404, 404, 404, 200),
		("PATCH", "/boxes/{spare}", {"revoked": True},
			401, 401, 200, 404, 200, 404, 404, 404, 200),
		("GET", "/observations", None, 401, 401, 200, 200, 200, 200, 200, 200, 200),
		("GET", "/observations/{lesson}", None, 401, 401, 404, 404, 200, 404, 200, 200, 404),
		("GET", "/observations/{nobody}", None, 401, 401, 404, 404, 404, 404, 404, 404, 404),
		("PATCH", "/observations/{lesson}", {"title": "Fractions"},
			401, 401, 404, 404, 200, 404, 404, 404, 404),
		("GET", "/observations/{lesson}/timeline", None,
			401, 401, 404, 404, 200, 404, 200, 200, 404),
		("GET", "/observations/{nobody}/timeline", None,
			401, 401, 404, 404, 404, 404, 404, 404, 404),
		("GET", "/observations/{lesson}/looks", None,
			401, 401, 404, 404, 404, 404, 200, 404, 404),
		("GET", "/audio/{lesson}/{heard}", None, 401, 401, 404, 404, 200, 404, 200, 200, 404),
		("GET", "/audio/{lesson}/{heard}?as=wav", None,
			401, 401, 404, 404, 200, 404, 200, 200, 404),
		("GET", "/audio/{nobody}/{heard}", None, 401, 401, 404, 404, 404, 404, 404, 404, 404),
		# a snippet of another observation, by one's own
		("GET", "/audio/{second}/{heard}", None, 401, 401, 404, 404, 404, 404, 404, 404, 404),
		("DELETE", "/audio/{lesson}/999", None, 401, 401, 404, 404, 404, 404, 404, 404, 404),
		("DELETE", "/audio/{lesson}/{unheard}", None,
			401, 401, 404, 404, 404, 404, 204, 404, 404),
		("GET", "/observations/{lesson}/guests", None,
			401, 401, 404, 404, 404, 404, 200, 404, 404),
		("POST", "/observations/{lesson}/guests", {}, 401, 401, 404, 404, 404, 404, 400, 404, 404),
		("POST", "/observations/{lesson}/guests", {"name": "{name}"},
			401, 401, 404, 404, 404, 404, 201, 404, 404),
		("DELETE", "/observations/{lesson}/guests/{nobody}", None,
			401, 401, 404, 404, 404, 404, 404, 404, 404),
		("DELETE", "/observations/{lesson}/guests/{guest}", None,
			401, 401, 404, 404, 404, 404, 204, 404, 404),
		("GET", "/plans", None, 401, 401, 403, 200, 200, 403, 403, 200, 200),
		("POST", "/plans", {}, 401, 401, 403, 400, 400, 403, 403, 400, 400),
		("DELETE", "/plans/{nobody}", None, 401, 401, 403, 404, 404, 403, 403, 404, 404),
		("GET", "/site", None, 401, 401, 200, 403, 403, 403, 403, 403, 200),
		("PUT", "/site", {"days_on_box": 14}, 401, 401, 200, 403, 403, 403, 403, 403, 200),
		("POST", "/schemes/check", {}, 401, 401, 200, 200, 200, 200, 200, 200, 200),
		("DELETE", "/session", None, 401, 401, 204, 204, 204, 204, 204, 204, 204),
	)

	def test_everybody_is_told_what_the_table_says(self):
		people = self.people()
		names = {"nobody": NOBODY_ID, "lesson": self.lesson, "second": self.second,
			"heard": self.heard, "unheard": self.unheard, "box": self.box_side.id,
			"spare": BoxSide(self.server, self.coach).id, "coach": self.coach.id,
			"guest": people["its guest"].id, "name": people["its guest"].name}
		wrong = []
		for method, path, body, *expected in self.TABLE:
			self.assertEqual(len(expected), len(people), (method, path))
			body = body and {key: value.format(**names) if isinstance(value, str) else value
				for key, value in body.items()}
			for (kind, person), status in zip(people.items(), expected):
				answer = person.request(method, path.format(**names), body)
				if answer.status != status:
					wrong.append(f"{kind}: {method} {path}: {answer.status}, not {status}")
		for person in list(people.values())[2:]: # the last row signed them out
			person.sign_in()
		self.assertEqual(wrong, [])

	def test_the_table_names_every_route_of_people(self):
		self.assertEqual(named(self.TABLE, "PERSON"),
			{(method, pattern) for method, pattern, who in routes() if who == "PERSON"})

	def test_what_is_not_theirs_looks_like_what_is_not_there(self):
		for path in ("/observations/{}", "/observations/{}/timeline", "/observations/{}/looks",
				f"/audio/{{}}/{self.heard}", f"/audio/{{}}/{self.heard}?as=wav"):
			for person in (self.administrator, self.other_coach, self.other_teacher):
				theirs = person.get(path.format(self.lesson))
				none = person.get(path.format(NOBODY_ID))
				self.assertEqual((theirs.status, theirs.body), (none.status, none.body))
				for odd in ("..", ".", "x", "0" * 36, self.lesson.upper(), self.lesson + "x",
						self.lesson[:-1], "' OR 1=1 --".replace(" ", "%20"), "%00"):
					self.assertIn(person.get(path.format(odd)).status, (400, 404), (path, odd))

	def test_only_its_teacher_can_withdraw(self):
		path = f"/audio/{self.second}/{self.same}"
		for person in (self.administrator, self.coach, self.other_coach, self.teacher):
			self.refused(person.delete(path), 404, "nothing")
		self.assertEqual(self.other_teacher.get(path).status, 200)

	def test_lists_hold_what_is_theirs_and_no_more(self):
		def ids(person):
			return {item["id"] for item in person.get("/observations").json["observations"]}
		self.assertEqual(ids(self.coach), {self.lesson, self.second, self.third})
		self.assertEqual(ids(self.teacher), {self.lesson})
		self.assertEqual(ids(self.other_teacher), {self.second})
		self.assertEqual(ids(self.other_coach), set())
		self.assertEqual(ids(self.administrator), set())

	def test_a_box_is_no_person_and_a_person_no_box(self):
		for path in ("/observations", f"/observations/{self.lesson}/timeline",
				f"/audio/{self.lesson}/{self.heard}", "/people", "/site"):
			self.refused(self.box_side.request("GET", path), 401, "sign-in")
		answer = self.coach.get(f"/box?journal={self.box_side.journal_id}")
		self.refused(answer, 401, "unpaired")

	def test_an_expired_session_sees_nothing(self):
		people = []
		for person in (self.administrator, self.coach, self.teacher):
			people.append(Person(self.server))
			self.assertEqual(people[-1].sign_in(person.name).status, 200)
		with self.server.stopped() as database:
			database.executemany("UPDATE session SET expires_ns = 1 WHERE id = ?",
				[(hashlib.sha256(person.cookie.encode()).hexdigest(),) for person in people])
		for person in people:
			for path in ("/session", "/observations", f"/observations/{self.lesson}/timeline",
					f"/audio/{self.lesson}/{self.heard}"):
				self.refused(person.get(path), 401, "sign-in")
		self.assertEqual(self.teacher.get("/session").status, 200)

	def test_methods_that_a_path_does_not_have_change_nothing(self):
		for method in ("PUT", "DELETE", "PATCH", "POST"):
			answer = self.coach.request(method, f"/observations/{self.lesson}/timeline")
			self.assertEqual(answer.status, 405, answer)


class Forged(ServerCase):
	"""What changes something is done for who means it, and no other page."""

	# what changes something, with a body that would be right
	CHANGES = (("DELETE", "/session", None), ("POST", "/people", {"name": "x", "roles": ["teacher"]}),
		("PUT", "/password", {"old": PASSWORD, "new": "other kind words"}),
		("PATCH", "/people/{teacher}", {"revoked": True}), ("POST", "/people/{teacher}/invitation", None),
		("POST", "/boxes", {}), ("PATCH", f"/boxes/{NOBODY_ID}", {"name": "x"}),
		("PATCH", f"/observations/{NOBODY_ID}", {"title": "x"}),
		("DELETE", f"/audio/{NOBODY_ID}/5", None), ("POST", "/plans", {}),
		("DELETE", f"/plans/{NOBODY_ID}", None),
		("POST", f"/observations/{NOBODY_ID}/guests", {}),
		("DELETE", f"/observations/{NOBODY_ID}/guests/{NOBODY_ID}", None), ("PUT", "/site", {"days_on_box": 1}),
		("POST", "/schemes/check", {}))

	def test_without_its_token_nothing_is_changed(self):
		teacher = self.invite("teacher")
		other = self.invite("administrator")
		for token in (None, "", "0" * 64, other.token, self.administrator.cookie):
			for method, path, body in self.CHANGES:
				answer = self.administrator.request(method, path.format(teacher=teacher.id), body,
					headers={"X-Chalkbox-Token": token})
				self.refused(answer, 403, "wrong-token")
		self.assertEqual(teacher.get("/session").status, 200)
		self.assertEqual(self.administrator.get("/session").status, 200)

	def test_from_another_origin_nothing_is_changed(self):
		teacher = self.invite("teacher")
		port = self.server.port
		for origin in (None, "", "null", "https://evil.example", f"https://127.0.0.1:{port}",
				f"http://127.0.0.1:{port + 1}", "http://127.0.0.1", f"http://127.0.0.1:{port}/",
				f"http://127.0.0.1:{port}.evil.example", f"http://localhost:{port}"):
			for method, path, body in self.CHANGES:
				answer = self.administrator.request(method, path.format(teacher=teacher.id), body,
					headers={"Origin": origin})
				self.refused(answer, 403, "wrong-origin")
			answer = Person(self.server).post("/session",
				{"name": teacher.name, "password": PASSWORD}, headers={"Origin": origin})
			self.refused(answer, 403, "wrong-origin")
			self.assertIsNone(answer.headers["Set-Cookie"])
		self.assertEqual(teacher.get("/session").status, 200)

	def test_every_route_that_changes_something_is_among_them(self):
		self.assertEqual(named(self.CHANGES, "PERSON"), {(method, pattern)
			for method, pattern, who in routes() if who == "PERSON" and method != "GET"})

	def test_what_needs_no_session_is_this_and_no_more(self):
		self.assertEqual({(method, pattern) for method, pattern, who in routes() if who == "ANYBODY"},
			{("POST", "session"), ("GET", "invitations/+"), ("POST", "invitations/+"),
				("POST", "pair"), ("OPTIONS", "uploads"), ("OPTIONS", "uploads/+")})

	def test_an_invitation_is_not_taken_by_another_page(self):
		link = self.administrator.post("/people", {"name": "Eve", "roles": ["teacher"]}).json["link"]
		for origin in (None, "null", "https://evil.example"):
			person = Person(self.server)
			person.origin = origin
			self.refused(person.join(link), 403, "wrong-origin")
		self.assertEqual(Person(self.server).join(link).status, 201)


class Boxes(ServerCase):
	"""Every route of boxes, against who is not that box, or not any more."""
	# method, path, body, headers
	BOXES = (
		("GET", "/box?journal={journal}", None, {}),
		("GET", "/box/config", None, {}),
		("POST", "/box/report", b"{}", {"Content-Type": "application/json"}),
		("POST", "/box/entries?journal={journal}", b"", LINES),
		("HEAD", "/uploads/{upload}", None, TUS),
		("PATCH", "/uploads/{upload}", b"so", {**TUS, **BYTES, "Upload-Offset": "0"}),
		("DELETE", "/uploads/{upload}", None, TUS),
		("POST", "/uploads", None, {**TUS, "Upload-Length": "5", "Upload-Metadata": "{about}"}),
	)

	def requests(self, box):
		"""They, for a box in the middle of an upload."""
		_, (seq,) = box.add_lesson(SCHEME, 60 * NS, (), [(0, NS, b"sound")], 9 * NS)
		box.bring()
		about = metadata(box.journal_id, seq, sha256(b"sound"))
		begun = box.request("POST", "/uploads", None,
			{**TUS, "Upload-Length": "5", "Upload-Metadata": about})
		names = {"journal": box.journal_id, "about": about,
			"upload": begun.headers["Location"].rsplit("/", 1)[1]}
		for method, path, body, headers in self.BOXES:
			yield (method, path.format(**names), body,
				{key: value.format(**names) for key, value in headers.items()})

	def setUp(self):
		self.coach = self.invite("coach")

	def box(self, coach=None):
		box = BoxSide(self.server, coach or self.coach)
		box.add_boot()
		return box

	def test_the_list_names_every_route_of_boxes(self):
		self.assertEqual(named(self.BOXES, "BOX"),
			{(method, pattern) for method, pattern, who in routes() if who == "BOX"})

	def test_whoever_is_no_box_is_told_to_pair(self):
		box, stranger = self.box(), Client(self.server)
		cookie = {"Cookie": f"__Host-chalkbox={self.coach.cookie}", "Origin": self.server.url,
			"X-Chalkbox-Token": self.coach.token}
		for method, path, body, headers in self.requests(box):
			for sent in ({}, {"Authorization": "Bearer " + "0" * 64}, cookie,
					{"Authorization": f"Bearer {self.coach.cookie}"}):
				answer = stranger.send(method, API + path, body, {**headers, **sent})
				self.assertEqual(answer.status, 401, (method, path, sent))
			self.assertLess(box.request(method, path, body, headers).status, 300, (method, path))

	def test_a_revoked_box_is_told_to_pair_anew_whatever_it_asks(self):
		box = self.box()
		requests = list(self.requests(box))
		self.assertEqual(self.coach.patch(f"/boxes/{box.id}", {"revoked": True}).status, 200)
		for method, path, body, headers in requests:
			answer = box.request(method, path, body, headers)
			self.assertEqual(answer.status, 401, (method, path))
			if method != "HEAD":
				self.assertEqual(answer.error, "unpaired")

	def test_another_coachs_box_neither_sees_nor_changes_it(self):
		box, other = self.box(), self.box(self.invite("coach"))
		for method, path, body, headers in self.requests(box):
			if box.journal_id in path or "/uploads" in path:
				answer = other.request(method, path, body, headers)
				self.assertIn(answer.status, (404, 409), (method, path))


if __name__ == "__main__":
	unittest.main()
