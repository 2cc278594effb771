"""The server's people: who gets in, who sees what, and whose sound it is."""
import base64
import hashlib
import http.client
import json
import os
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import uuid

from harness import MORNING_NS, NS, ROOT, Box, Case, Failed, noise, write_wav
from people import API, PASSWORD, BoxSide, Person, Server

DAY_NS = 24 * 3600 * NS
NOBODY_ID = str(uuid.uuid4())
with open(os.path.join(ROOT, "app/scheme/default.scheme"), encoding="utf-8") as file:
	SCHEME = file.read()


def opus(seconds, seed):
	"""Real sound: noise as Ogg Opus."""
	with tempfile.TemporaryDirectory() as folder:
		wav = write_wav(os.path.join(folder, "a.wav"), noise(int(16000 * seconds), seed))
		path = os.path.join(folder, "a.opus")
		subprocess.run(["opusenc", "--quiet", "--bitrate", "24", "--serial", "7", wav, path],
			check=True)
		with open(path, "rb") as encoded:
			return encoded.read()


class ServerCase(Case):
	"""One server for a class of tests; its log must hold no secret at the end."""

	@classmethod
	def setUpClass(cls):
		super().setUpClass()
		cls.server = Server()
		cls.addClassCleanup(cls.server.close)
		cls.server.start()
		cls.administrator = Person(cls.server)
		cls.first_link = cls.server.link
		joined = cls.administrator.join(cls.first_link)
		if joined.status != 201:
			raise Failed(f"the first administrator: {joined}")

	@classmethod
	def tearDownClass(cls):
		if cls.server.process:
			cls.server.stop()
		cls.server.check_log()
		super().tearDownClass()

	def invite(self, *roles, name=None):
		return self.administrator.invite(name or f"{roles[0]} {uuid.uuid4().hex[:8]}", *roles)

	def refused(self, answer, status, word):
		self.assertEqual((answer.status, answer.error), (status, word), answer)


class Joining(ServerCase):
	def link(self, role="teacher", name=None):
		answer = self.administrator.post("/people",
			{"name": name or f"new {uuid.uuid4().hex[:8]}", "roles": [role]})
		self.assertEqual(answer.status, 201, answer)
		return answer.json

	def test_the_first_link_makes_one_administrator(self):
		self.assertEqual(self.administrator.roles, ["administrator"])
		self.assertEqual(self.administrator.name, "administrator")
		self.assertIn("/#/welcome/", self.first_link)
		self.refused(Person(self.server).join(self.first_link), 404, "no-invitation")

	def test_with_an_administrator_there_is_no_first_link(self):
		self.server.stop()
		self.server.start()
		self.assertIsNone(self.server.link)

	def test_an_invitation_says_whom_it_is_for_and_leads_in(self):
		invited = self.link("coach", "Ada Lovelace")
		code = invited["link"].rsplit("/", 1)[1]
		self.assertEqual(invited["person"]["name"], "Ada Lovelace")
		self.assertFalse(invited["person"]["joined"])
		ada = Person(self.server)
		seen = ada.get(f"/invitations/{code}").json
		self.assertEqual([seen[key] for key in ("name", "roles", "server", "first")],
			["Ada Lovelace", ["coach"], "Test school", False])
		self.assertEqual(ada.join(invited["link"]).status, 201)
		seen = ada.get("/session").json["person"]
		self.assertEqual([seen[key] for key in ("id", "name", "roles")],
			[invited["person"]["id"], "Ada Lovelace", ["coach"]])
		self.assertEqual(Person(self.server).sign_in("ada lovelace").status, 200)

	def test_it_works_once(self):
		link = self.link()["link"]
		self.assertEqual(Person(self.server).join(link).status, 201)
		code = link.rsplit("/", 1)[1]
		self.refused(Person(self.server).join(link, "another password"), 404, "no-invitation")
		self.refused(Person(self.server).get(f"/invitations/{code}"), 404, "no-invitation")

	def test_two_at_one_time_are_not_both_let_in(self):
		link = self.link()["link"]
		code = link.rsplit("/", 1)[1]
		raw = []
		for _ in range(2): # both requests are on their way before either is answered
			connection = http.client.HTTPConnection(self.server.host, timeout=60)
			connection.request("POST", f"{API}/invitations/{code}",
				json.dumps({"password": PASSWORD}).encode(),
				{"Content-Type": "application/json", "Origin": self.server.url})
			raw.append(connection)
		got = sorted(connection.getresponse().status for connection in raw)
		for connection in raw:
			connection.close()
		self.assertEqual(got, [201, 404])

	def test_a_weak_password_is_refused_and_the_link_still_works(self):
		link = self.link()["link"]
		self.refused(Person(self.server).join(link, "short"), 400, "weak-password")
		self.refused(Person(self.server).join(link, "x" * 300), 400, "weak-password")
		self.assertEqual(Person(self.server).join(link).status, 201)

	def test_after_a_week_it_is_too_old(self):
		link = self.link()["link"]
		with self.server.stopped() as database:
			database.execute("UPDATE invitation SET expires_ns = ? WHERE used_ns = 0",
				(time.time_ns(),))
		self.refused(Person(self.server).join(link), 404, "no-invitation")

	def test_who_is_revoked_before_joining_does_not_get_in(self):
		invited = self.link()
		self.administrator.patch(f"/people/{invited['person']['id']}", {"revoked": True})
		self.refused(Person(self.server).join(invited["link"]), 404, "no-invitation")

	def test_a_new_link_ends_the_old_one_and_then_the_old_password(self):
		teacher = self.invite("teacher")
		links = [self.administrator.post(f"/people/{teacher.id}/invitation").json["link"]
			for _ in range(2)]
		self.assertEqual(teacher.get("/session").status, 200)
		self.refused(Person(self.server).join(links[0]), 404, "no-invitation")
		again = Person(self.server)
		self.assertEqual(again.join(links[1], "four kind words now").status, 201)
		self.assertEqual(again.id, teacher.id)
		self.refused(teacher.get("/session"), 401, "sign-in")
		self.refused(Person(self.server).sign_in(teacher.name), 403, "wrong")

	def test_two_people_cannot_have_one_name(self):
		self.link(name="Grace Hopper")
		self.refused(self.administrator.post("/people", {"name": "grace hopper", "roles": ["coach"]}),
			409, "name-taken")

	def test_names_and_roles_that_are_none_are_refused(self):
		for name in ("", " x", "x ", "two\nlines", "x" * 200, ["x"], None):
			self.refused(self.administrator.post("/people", {"name": name, "roles": ["coach"]}),
				400, "wrong-value")
		for roles in (None, [], "coach", 3, {"coach": True}, ["headmaster"], ["coach", "coach"],
				["coach", "nobody"], ["coach", 2], [["coach"]], ["Coach"]):
			self.refused(self.administrator.post("/people", {"name": "x", "roles": roles}),
				400, "wrong-value")
		self.refused(self.administrator.post("/people", {"name": "x"}), 400, "wrong-value")

	def test_the_last_administrator_stays(self):
		self.refused(self.administrator.patch(f"/people/{self.administrator.id}", {"revoked": True}),
			409, "last-administrator")
		other = self.invite("administrator")
		self.assertEqual(other.patch(f"/people/{other.id}", {"revoked": True}).status, 200)

	def test_a_coach_invites_teachers_only_and_sees_no_one_else(self):
		coach = self.invite("coach")
		teacher = coach.invite("A teacher of theirs", "teacher")
		for roles in (["coach"], ["administrator"], ["teacher", "coach"],
				["administrator", "teacher"]):
			self.refused(coach.post("/people", {"name": "not so", "roles": roles}), 403, "refused")
		seen = coach.get("/people").json["people"]
		self.assertIn(teacher.id, [person["id"] for person in seen])
		self.assertEqual({tuple(person["roles"]) for person in seen}, {("teacher",)})

	def test_what_fails_is_logged_without_the_secret_in_its_path(self):
		link = self.link()["link"]
		with self.server.database() as database:
			database.execute("BEGIN IMMEDIATE") # for longer than the server waits
			self.refused(Person(self.server).join(link), 503, "busy")
			database.execute("ROLLBACK")
		self.assertIn("POST invitations/+: ", self.server.log())
		self.server.check_log()
		self.assertEqual(Person(self.server).join(link).status, 201)

	def test_an_invitation_may_give_several_roles(self):
		both = self.invite("teacher", "coach")
		self.assertEqual(both.roles, ["coach", "teacher"])
		self.assertEqual(both.get("/session").json["person"]["roles"], ["coach", "teacher"])
		self.assertEqual(both.get("/plans").status, 200)
		self.refused(both.get("/site"), 403, "refused")

	def test_other_roles_hold_from_the_next_request_on(self):
		person = self.invite("coach")
		path = f"/people/{person.id}"
		self.refused(person.get("/site"), 403, "refused")
		answer = self.administrator.patch(path, {"roles": ["coach", "administrator"]})
		self.assertEqual(answer.json["roles"], ["administrator", "coach"])
		self.assertEqual(person.get("/site").status, 200)
		self.assertEqual(person.get("/plans").status, 200)
		self.administrator.patch(path, {"roles": ["teacher"]})
		for refused in ("/site", "/plans"):
			self.refused(person.get(refused), 403, "refused")
		for body in ({}, {"roles": []}, {"roles": ["coach", "x"]}, {"roles": None},
				{"roles": ["coach"], "revoked": None}):
			self.refused(self.administrator.patch(path, body), 400, "wrong-value")
		self.assertEqual(person.get("/session").json["person"]["roles"], ["teacher"])

	def test_the_last_administrator_cannot_lay_it_down(self):
		path = f"/people/{self.administrator.id}"
		self.refused(self.administrator.patch(path, {"roles": ["coach"]}), 409, "last-administrator")
		answer = self.administrator.patch(path, {"roles": ["administrator", "coach"]})
		self.assertEqual(answer.json["roles"], ["administrator", "coach"])
		answer = self.administrator.patch(path, {"roles": ["administrator"]})
		self.assertEqual(answer.status, 200, answer)

	def test_who_was_invited_has_a_name_and_roles_already(self):
		link = self.link("administrator")["link"]
		for more in ({"name": "Somebody else"}, {"coach": True}):
			self.refused(Person(self.server).join(link, **more), 400, "wrong-value")
		joined = Person(self.server)
		self.assertEqual(joined.join(link).status, 201)
		self.assertEqual(joined.roles, ["administrator"])

	def test_nothing_that_could_be_hashed_back_is_kept_in_the_clear(self):
		teacher = self.invite("teacher")
		link = self.link()["link"]
		with self.server.stopped():
			with open(os.path.join(self.server.data, "server.db"), "rb") as database:
				data = database.read()
		for secret in (PASSWORD, teacher.cookie, teacher.token, link.rsplit("/", 1)[1]):
			self.assertNotIn(secret.encode(), data)


class First(Case):
	"""Somebody alone with a new server."""

	def setUp(self):
		self.server = Server().start()
		self.addCleanup(self.server.close)

	def test_the_first_says_their_name_and_that_they_observe_lessons(self):
		code = self.server.link.rsplit("/", 1)[1]
		first = Person(self.server)
		seen = first.get(f"/invitations/{code}").json
		self.assertEqual((seen["first"], seen["roles"]), (True, ["administrator"]))
		for more in ({"name": ""}, {"name": 5}, {"coach": "yes"}, {"name": "two\nlines"}):
			answer = first.join(self.server.link, **more)
			self.assertEqual((answer.status, answer.error), (400, "wrong-value"), answer)
		self.assertEqual(first.join(self.server.link, name="Ada", coach=True).status, 201)
		self.assertEqual((first.name, first.roles), ("Ada", ["administrator", "coach"]))
		again = Person(self.server)
		self.assertEqual(again.sign_in("Ada").status, 200)
		self.assertEqual(again.roles, ["administrator", "coach"])

	def test_one_account_is_enough_from_the_box_to_the_teacher(self):
		alone = Person(self.server)
		alone.join(self.server.link, name="Ada", coach=True)
		box = BoxSide(self.server, alone)
		box.add_boot(MORNING_NS)
		lesson, (seq,) = box.add_lesson(SCHEME, 60 * NS, [(NS, "questioning")],
			[(0, 2 * NS, b"sound")], 9 * NS)
		box.bring()
		self.assertIn(box.bring_sound(seq, b"sound").status, (201, 204))
		teacher = alone.invite("Grace", "teacher")
		answer = alone.patch(f"/observations/{lesson}", {"teacher": teacher.id, "title": "5b"})
		self.assertEqual(answer.status, 200, answer)
		for person in (alone, teacher):
			self.assertEqual(person.get(f"/observations/{lesson}/timeline").status, 200)
			self.assertEqual(person.get(f"/audio/{lesson}/{seq}").body, b"sound")
		looks = teacher.get(f"/observations/{lesson}/looks").json["looks"]
		self.assertIn((alone.id, ["administrator", "coach"]),
			[(look["person"]["id"], look["person"]["roles"]) for look in looks])
		self.assertEqual(alone.delete(f"/audio/{lesson}/{seq}").status, 404)
		alone.patch(f"/people/{alone.id}", {"roles": ["administrator"]})
		self.assertEqual(alone.get(f"/observations/{lesson}/timeline").status, 404)
		self.assertEqual(alone.get("/observations").json["observations"], [])

	def test_a_server_from_before_has_its_people_as_they_were(self):
		admin = Person(self.server)
		admin.join(self.server.link)
		people = {role: admin.invite(f"A {role}", role) for role in ("coach", "teacher")}
		with self.server.stopped() as database:
			database.execute("UPDATE person SET roles = 3 WHERE roles = 4")
			database.execute("ALTER TABLE person RENAME COLUMN roles TO role")
			database.execute("ALTER TABLE box DROP COLUMN health")
			database.execute("PRAGMA user_version = 1")
		self.assertEqual(admin.get("/session").json["person"]["roles"], ["administrator"])
		for role, person in people.items():
			self.assertEqual(person.get("/session").json["person"]["roles"], [role])


class Passwords(ServerCase):
	NEW = "four other kind words"

	def test_a_new_one_ends_every_other_session_and_the_old_one(self):
		teacher = self.invite("teacher")
		phone = Person(self.server)
		phone.sign_in(teacher.name)
		link = self.administrator.post(f"/people/{teacher.id}/invitation").json["link"]
		before, token = teacher.cookie, teacher.token
		answer = teacher.change_password(PASSWORD, self.NEW)
		self.assertEqual(answer.status, 200, answer)
		self.assertEqual(answer.json["person"]["id"], teacher.id)
		self.assertNotIn(before, (None, teacher.cookie))
		self.assertNotEqual(token, teacher.token)
		self.assertEqual(teacher.get("/session").status, 200)
		self.assertEqual(teacher.delete("/session").status, 204)
		self.refused(phone.get("/session"), 401, "sign-in")
		phone.cookie = before
		self.refused(phone.get("/session"), 401, "sign-in")
		self.refused(Person(self.server).join(link), 404, "no-invitation")
		self.refused(Person(self.server).sign_in(teacher.name), 403, "wrong")
		self.assertEqual(Person(self.server).sign_in(teacher.name, self.NEW).status, 200)

	def test_without_the_old_one_it_stays(self):
		teacher = self.invite("teacher")
		for old in ("not the password", PASSWORD.upper(), "", 5):
			self.refused(teacher.put("/password", {"old": old, "new": self.NEW}), 403, "wrong")
		self.assertEqual(teacher.get("/session").status, 200)
		self.assertEqual(Person(self.server).sign_in(teacher.name).status, 200)

	def test_a_weak_one_is_refused_and_nothing_ends(self):
		teacher = self.invite("teacher")
		for new in ("short", "x" * 300):
			self.refused(teacher.change_password(PASSWORD, new), 400, "weak-password")
		self.refused(teacher.put("/password", {"old": PASSWORD}), 400, "weak-password")
		self.assertEqual(teacher.get("/session").status, 200)
		self.assertEqual(Person(self.server).sign_in(teacher.name).status, 200)

	def test_guessing_the_old_one_waits_as_at_the_door(self):
		teacher = self.invite("teacher")
		told = [teacher.change_password(f"guess number {i}", self.NEW).status for i in range(7)]
		self.assertEqual(told[:5], [403] * 5)
		self.assertIn(429, told)
		self.refused(teacher.change_password(PASSWORD, self.NEW), 429, "too-many")


class Sessions(ServerCase):
	def test_the_cookie_is_for_this_host_over_https_and_not_for_scripts(self):
		teacher = self.invite("teacher")
		answer = Person(self.server).sign_in(teacher.name)
		name, *flags = answer.headers["Set-Cookie"].split("; ")
		self.assertTrue(name.startswith("__Host-chalkbox="))
		self.assertLessEqual({"Path=/", "Secure", "HttpOnly", "SameSite=Strict"}, set(flags))
		self.assertFalse([flag for flag in flags if flag.startswith("Domain")])
		self.assertEqual(answer.headers["Cache-Control"], "no-store")

	def test_a_wrong_name_is_told_what_a_wrong_password_is_told(self):
		teacher = self.invite("teacher")
		wrong = Person(self.server).sign_in(teacher.name, "not the password")
		nobody = Person(self.server).sign_in("nobody at all", "not the password")
		self.refused(wrong, 403, "wrong")
		self.assertEqual(wrong.body, nobody.body)
		self.assertIsNone(wrong.headers["Set-Cookie"])

	def test_signing_out_ends_this_session_and_no_other(self):
		teacher = self.invite("teacher")
		other = Person(self.server)
		other.sign_in(teacher.name)
		cookie = teacher.cookie
		self.assertEqual(teacher.delete("/session").status, 204)
		self.assertIsNone(teacher.cookie)
		teacher.cookie = cookie
		self.refused(teacher.get("/session"), 401, "sign-in")
		self.assertEqual(other.get("/session").status, 200)

	def test_who_is_revoked_is_signed_out_everywhere_at_once(self):
		teacher = self.invite("teacher")
		phone = Person(self.server)
		phone.sign_in(teacher.name)
		answer = self.administrator.patch(f"/people/{teacher.id}", {"revoked": True})
		self.assertTrue(answer.json["revoked"])
		for person in (teacher, phone):
			self.refused(person.get("/session"), 401, "sign-in")
			self.refused(person.get("/observations"), 401, "sign-in")
		self.refused(Person(self.server).sign_in(teacher.name), 403, "wrong")
		self.administrator.patch(f"/people/{teacher.id}", {"revoked": False})
		self.refused(phone.get("/session"), 401, "sign-in")
		self.assertEqual(Person(self.server).sign_in(teacher.name).status, 200)

	def test_a_session_ends_after_half_a_day_or_two_idle_hours(self):
		for change in ("UPDATE session SET expires_ns = expires_ns - 43200 * 1000000000",
				"UPDATE session SET seen_ns = seen_ns - 7200 * 1000000000"):
			teacher = self.invite("teacher")
			self.assertEqual(teacher.get("/session").status, 200)
			with self.server.stopped() as database:
				database.execute(change + " WHERE person = ?", (teacher.id,))
			self.refused(teacher.get("/session"), 401, "sign-in")
			self.refused(teacher.post("/schemes/check", body=b"x"), 401, "sign-in")

	def test_a_session_in_use_goes_on(self):
		teacher = self.invite("teacher")
		for _ in range(2):
			with self.server.stopped() as database:
				database.execute("UPDATE session SET seen_ns = seen_ns - 7100 * 1000000000 "
					"WHERE person = ?", (teacher.id,))
			self.assertEqual(teacher.get("/session").status, 200)

	def test_cookies_that_are_none_are_nobody(self):
		for cookie in ("", "0", "x" * 64, "0" * 64, "0" * 63, "0" * 65, "A" * 64, "0" * 4000):
			stranger = Person(self.server)
			stranger.cookie = cookie
			self.refused(stranger.get("/session"), 401, "sign-in")

	def test_too_many_tries_wait_and_the_right_password_waits_too(self):
		teacher, other = self.invite("teacher"), self.invite("teacher")
		tries = []
		for i in range(12):
			tries.append(Person(self.server).sign_in(teacher.name, f"guess number {i}"))
			if tries[-1].status == 429:
				break
		self.assertEqual([answer.status for answer in tries[:5]], [403] * 5)
		self.refused(tries[-1], 429, "too-many")
		self.assertGreaterEqual(int(tries[-1].headers["Retry-After"]), 1)
		self.refused(Person(self.server).sign_in(teacher.name.upper()), 429, "too-many")
		self.assertEqual(Person(self.server).sign_in(other.name).status, 200)
		deadline = time.monotonic() + 60
		while (answer := Person(self.server).sign_in(teacher.name)).status == 429:
			self.assertLess(time.monotonic(), deadline)
			time.sleep(0.2)
		self.assertEqual(answer.status, 200)

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

	def test_a_form_of_another_page_cannot_sign_in(self):
		body = json.dumps({"name": "x", "password": "y"}).encode()
		for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None):
			answer = Person(self.server).post("/session", body=body, headers={"Content-Type": kind})
			self.assertIn(answer.status, (400, 415), answer)

	def test_bodies_that_are_no_session_are_refused(self):
		for body in (b"", b"[]", b"{", b'{"name":"a","name":"b"}', b"\xff\xfe", b"null",
				b'{"name":' + b"[" * 500 + b"]" * 500 + b"}"):
			answer = Person(self.server).post("/session", body=body,
				headers={"Content-Type": "application/json"})
			self.assertIn(answer.status, (400, 415), (body[:40], answer))
		self.refused(Person(self.server).post("/session", {"name": 5, "password": {"a": 1}}),
			403, "wrong")
		answer = Person(self.server).post("/session", {"name": "x", "password": "y" * 100000})
		self.assertEqual(answer.status, 413)


class Site(ServerCase):
	def test_rules_are_set_checked_and_kept(self):
		before = self.administrator.get("/site").json
		self.assertEqual((before["scheme"], before["days_on_box"], before["days_on_server"]),
			(None, 14, 365))
		answer = self.administrator.put("/site",
			{"scheme": SCHEME, "days_on_box": 0, "days_on_server": 30})
		self.assertEqual(answer.status, 200, answer)
		self.server.stop()
		self.server.start()
		kept = self.administrator.get("/site").json
		self.assertEqual((kept["scheme"], kept["days_on_box"], kept["days_on_server"]),
			(SCHEME, 0, 30))
		for body in ({"days_on_box": -1}, {"days_on_server": 1.5}, {"days_on_box": "3"},
				{"scheme": 5}, {"scheme": "[scheme]\nnonsense = 1\n"}):
			self.refused(self.administrator.put("/site", body), 400, "wrong-value")
		self.assertEqual(self.administrator.get("/site").json, kept)
		self.administrator.put("/site", {"scheme": None, "days_on_server": 365})
		self.assertIsNone(self.administrator.get("/site").json["scheme"])

	def test_a_scheme_is_checked_and_the_line_named(self):
		teacher = self.invite("teacher")
		good = teacher.post("/schemes/check", body=SCHEME.encode()).json
		self.assertTrue(good["ok"])
		self.assertIn("questioning", [code["name"] for code in good["scheme"]["codes"]])
		lines = SCHEME.splitlines(keepends=True)
		at = next(i for i, line in enumerate(lines) if line.startswith("[")) + 1
		lines.insert(at, "colour = green\n")
		bad = teacher.post("/schemes/check", body="".join(lines).encode()).json
		self.assertFalse(bad["ok"])
		self.assertEqual(bad["line"], at + 1)
		self.assertIn("colour", bad["message"])
		for text in (b"", b"\0", b"\xff\xff", b"[" * 5000, b"a=b"):
			answer = teacher.post("/schemes/check", body=text)
			self.assertEqual(answer.status, 200, answer)
			self.assertFalse(answer.json["ok"])
			self.assertTrue(answer.json["message"])


class Lessons(ServerCase):
	"""A coach's box with three lessons; one teacher each for the first two."""

	@classmethod
	def setUpClass(cls):
		super().setUpClass()
		admin = cls.administrator
		cls.coach, cls.other_coach = admin.invite("Coach", "coach"), admin.invite("Coach 2", "coach")
		cls.teacher, cls.other_teacher = (admin.invite("Teacher", "teacher"),
			admin.invite("Teacher 2", "teacher"))
		cls.sounds = [opus(3, 1), opus(2, 2)]
		box = cls.box_side = BoxSide(cls.server, cls.coach)
		box.add_boot(MORNING_NS)
		cls.lesson, (cls.heard, cls.unheard) = box.add_lesson(SCHEME, 60 * NS,
			[(5 * NS, "questioning"), (9 * NS, "transition"), (30 * NS, "transition")],
			[(4 * NS, 7 * NS, cls.sounds[0]), (8 * NS, 10 * NS, cls.sounds[1])], 100 * NS)
		cls.second, (cls.same,) = box.add_lesson(SCHEME, 600 * NS, [(5 * NS, "questioning")],
			[(4 * NS, 7 * NS, cls.sounds[0])], 100 * NS)
		cls.third, _ = box.add_lesson(SCHEME, 1200 * NS, [(5 * NS, "questioning")])
		box.bring()
		kept = box.bring_sound(cls.heard, cls.sounds[0])
		if kept.status not in (200, 201, 204):
			raise Failed(f"sound: {kept}")
		for lesson, teacher in ((cls.lesson, cls.teacher), (cls.second, cls.other_teacher)):
			answer = cls.coach.patch(f"/observations/{lesson}", {"teacher": teacher.id})
			if answer.status != 200:
				raise Failed(f"assigning: {answer}")


class Access(Lessons):
	"""The table over HTTP: each kind of person against each resource."""

	def people(self):
		revoked = self.invite("teacher")
		self.administrator.patch(f"/people/{revoked.id}", {"revoked": True})
		return {"nobody": Person(self.server), "revoked": revoked,
			"administrator": self.administrator, "other coach": self.other_coach,
			"its coach": self.coach, "other teacher": self.other_teacher,
			"its teacher": self.teacher}

	# method, path, body; then what each of the people above is told
	TABLE = (
		("GET", "/session", None, 401, 401, 200, 200, 200, 200, 200),
		("GET", "/people", None, 401, 401, 200, 200, 200, 403, 403),
		("POST", "/people", {"name": "", "roles": ["teacher"]}, 401, 401, 400, 400, 400, 403, 403),
		("POST", "/people", {"name": "", "roles": ["coach"]}, 401, 401, 400, 403, 403, 403, 403),
		("POST", "/people", {"name": "", "roles": ["administrator"]},
			401, 401, 400, 403, 403, 403, 403),
		("PATCH", "/people/{nobody}", {"revoked": True}, 401, 401, 404, 403, 403, 403, 403),
		("PATCH", "/people/{coach}", {"revoked": 7}, 401, 401, 400, 403, 403, 403, 403),
		("PATCH", "/people/{coach}", {"roles": ["boss"]}, 401, 401, 400, 403, 403, 403, 403),
		("PUT", "/password", {"old": PASSWORD, "new": "short"},
			401, 401, 400, 400, 400, 400, 400),
		("POST", "/people/{nobody}/invitation", None, 401, 401, 404, 403, 403, 403, 403),
		("GET", "/boxes", None, 401, 401, 200, 200, 200, 403, 403),
		("PATCH", "/boxes/{box}", {"name": "its name"}, 401, 401, 200, 404, 200, 404, 404),
		("PATCH", "/boxes/{nobody}", {"name": "its name"}, 401, 401, 404, 404, 404, 404, 404),
		("GET", "/observations", None, 401, 401, 200, 200, 200, 200, 200),
		("GET", "/observations/{lesson}", None, 401, 401, 404, 404, 200, 404, 200),
		("GET", "/observations/{nobody}", None, 401, 401, 404, 404, 404, 404, 404),
		("PATCH", "/observations/{lesson}", {"title": "Fractions"},
			401, 401, 404, 404, 200, 404, 404),
		("GET", "/observations/{lesson}/timeline", None, 401, 401, 404, 404, 200, 404, 200),
		("GET", "/observations/{nobody}/timeline", None, 401, 401, 404, 404, 404, 404, 404),
		("GET", "/observations/{lesson}/looks", None, 401, 401, 404, 404, 404, 404, 200),
		("GET", "/audio/{lesson}/{heard}", None, 401, 401, 404, 404, 200, 404, 200),
		("GET", "/audio/{lesson}/{heard}?as=wav", None, 401, 401, 404, 404, 200, 404, 200),
		("GET", "/audio/{nobody}/{heard}", None, 401, 401, 404, 404, 404, 404, 404),
		# a snippet of another observation, by one's own
		("GET", "/audio/{second}/{heard}", None, 401, 401, 404, 404, 404, 404, 404),
		("DELETE", "/audio/{lesson}/999", None, 401, 401, 404, 404, 404, 404, 404),
		("GET", "/observations/{lesson}/guests", None, 401, 401, 404, 404, 404, 404, 200),
		("POST", "/observations/{lesson}/guests", {}, 401, 401, 404, 404, 404, 404, 400),
		("DELETE", "/observations/{lesson}/guests/{nobody}", None,
			401, 401, 404, 404, 404, 404, 404),
		("GET", "/plans", None, 401, 401, 403, 200, 200, 403, 403),
		("POST", "/plans", {}, 401, 401, 403, 400, 400, 403, 403),
		("DELETE", "/plans/{nobody}", None, 401, 401, 403, 404, 404, 403, 403),
		("GET", "/site", None, 401, 401, 200, 403, 403, 403, 403),
		("PUT", "/site", {"days_on_box": 14}, 401, 401, 200, 403, 403, 403, 403),
		("POST", "/schemes/check", {}, 401, 401, 200, 200, 200, 200, 200),
	)

	def test_everybody_is_told_what_the_table_says(self):
		people = self.people()
		names = {"nobody": NOBODY_ID, "lesson": self.lesson, "second": self.second,
			"heard": self.heard, "box": self.box_side.id, "coach": self.coach.id}
		wrong = []
		for method, path, body, *expected in self.TABLE:
			for (kind, person), status in zip(people.items(), expected):
				answer = person.request(method, path.format(**names), body)
				if answer.status != status:
					wrong.append(f"{kind}: {method} {path}: {answer.status}, not {status}")
		self.assertEqual(wrong, [])

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


class Observing(Lessons):
	def item(self, person, lesson):
		return next(item for item in person.get("/observations").json["observations"]
			if item["id"] == lesson)

	def test_the_list_says_when_how_long_how_much_and_whose(self):
		item = self.item(self.teacher, self.lesson)
		self.assertEqual(item["start"], "2025-05-14T09:01:00.000Z")
		self.assertEqual(item["start_uncertainty_ms"], 8) # 5, and 50 ppm of the minute since
		self.assertEqual((item["length_s"], item["running"]), (100, False))
		self.assertEqual((item["events"], item["snippets"]), (2, 2))
		self.assertEqual(item["coach"], {"id": self.coach.id, "name": "Coach"})
		self.assertEqual(item["teacher"], {"id": self.teacher.id, "name": "Teacher"})
		self.assertTrue(self.item(self.coach, self.third)["running"])
		order = [item["id"] for item in self.coach.get("/observations").json["observations"]]
		self.assertEqual(order, [self.third, self.second, self.lesson])

	def test_it_is_its_coachs_whoever_carries_the_box_later(self):
		answer = self.administrator.patch(f"/boxes/{self.box_side.id}",
			{"coach": self.other_coach.id})
		self.assertEqual(answer.status, 200, answer)
		self.assertEqual(self.other_coach.get("/observations").json["observations"], [])
		self.assertEqual(self.coach.get(f"/observations/{self.lesson}/timeline").status, 200)
		self.administrator.patch(f"/boxes/{self.box_side.id}", {"coach": self.coach.id})

	def test_once_its_teacher_has_opened_it_nobody_can_take_it_away(self):
		path = f"/observations/{self.third}"
		wrong = self.coach.patch(path, {"teacher": self.other_coach.id})
		self.refused(wrong, 400, "wrong-value")
		self.assertEqual(self.coach.patch(path, {"teacher": self.teacher.id}).status, 200)
		self.assertEqual(self.coach.patch(path, {"teacher": None}).json["teacher"], None)
		self.refused(self.teacher.get(path), 404, "nothing")
		self.assertEqual(self.coach.patch(path, {"teacher": self.other_teacher.id}).status, 200)
		self.assertEqual(self.other_teacher.get(path + "/timeline").status, 200)
		for teacher in (self.teacher.id, None):
			self.refused(self.coach.patch(path, {"teacher": teacher}), 409, "owned")
		self.assertEqual(self.coach.patch(path, {"title": "Still mine to name"}).status, 200)

	def test_titles_are_one_line_of_text(self):
		path = f"/observations/{self.lesson}"
		self.assertEqual(self.coach.patch(path, {"title": "Brüche, 5b"}).json["title"], "Brüche, 5b")
		for title in ("two\nlines", "x" * 300, 5, None, ["x"]):
			self.refused(self.coach.patch(path, {"title": title}), 400, "wrong-value")
		self.assertEqual(self.item(self.coach, self.lesson)["title"], "Brüche, 5b")

	def test_every_look_is_noted_for_its_teacher(self):
		path = f"/observations/{self.second}"
		self.coach.get(path + "/timeline")
		self.coach.get(f"/audio/{self.second}/{self.same}")
		self.coach.get(f"/audio/{self.second}/{self.same}", headers={"Range": "bytes=0-9"})
		self.other_teacher.get(path + "/timeline")
		for person in (self.administrator, self.teacher, self.other_coach):
			person.get(path + "/timeline") # not given, so that it is no look
		looks = self.other_teacher.get(path + "/looks").json["looks"]
		seen = {(look["person"]["name"], look["what"], look["seq"]) for look in looks}
		self.assertEqual(seen, {("Coach", "timeline", None), ("Coach", "audio", self.same),
			("Teacher 2", "timeline", None)})
		self.assertEqual(len(looks), 3)
		for look in looks:
			self.assertRegex(look["at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
			self.assertLessEqual(look["at"], look["until"])

	def test_what_arrives_later_is_shown_at_once(self):
		before = self.coach.get(f"/observations/{self.third}/timeline").json
		self.assertTrue(before["running"])
		start = next(entry["seq"] for entry in self.box_side.entries
			if entry["kind"] == "observation_start" and entry["body"]["id"] == self.third)
		self.box_side.add("press", 1210 * NS, observation=start, code="questioning")
		self.box_side.bring()
		after = self.coach.get(f"/observations/{self.third}/timeline").json
		self.assertEqual(len(after["events"]), len(before["events"]) + 1)
		self.assertEqual(self.item(self.coach, self.third)["events"], len(after["events"]))


class Planning(ServerCase):
	"""Whose a lesson will be, said before it is observed."""

	def setUp(self):
		self.coach, self.teacher = self.invite("coach"), self.invite("teacher")
		self.box_side = BoxSide(self.server, self.coach)
		self.morning_s = int(time.time()) - DAY_NS // NS # a plan that is long over is let be
		self.box_side.add_boot(self.morning_s * NS)

	def plan(self, begin_s, end_s, title="Fractions", teacher=None, coach=None):
		def iso(s):
			return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.morning_s + s))
		return (coach or self.coach).post("/plans", {"title": title, "from": iso(begin_s),
			"to": iso(end_s), "teacher": (teacher or self.teacher).id})

	def lesson(self, begin_s):
		lesson, _ = self.box_side.add_lesson(SCHEME, begin_s * NS, [(NS, "questioning")], (), 9 * NS)
		self.box_side.bring()
		return lesson

	def items(self, person):
		return {item["id"]: item for item in person.get("/observations").json["observations"]}

	def test_the_lesson_of_that_time_is_its_teachers_from_the_first_look_on(self):
		answer = self.plan(100, 200)
		self.assertEqual(answer.status, 201, answer)
		plan = answer.json
		self.assertEqual((plan["title"], plan["teacher"]["name"], plan["observation"]),
			("Fractions", self.teacher.name, None))
		before, meant, after = self.lesson(50), self.lesson(150), self.lesson(250)
		mine = self.items(self.teacher)
		self.assertEqual(list(mine), [meant])
		self.assertEqual(mine[meant]["title"], "Fractions")
		theirs = self.items(self.coach)
		self.assertEqual([theirs[one]["teacher"] for one in (before, after)], [None, None])
		listed, = self.coach.get("/plans").json["plans"]
		self.assertEqual((listed["id"], listed["observation"]), (plan["id"], meant))

	def test_a_plan_is_for_one_lesson_and_one_coachs_boxes(self):
		other = self.invite("coach")
		self.plan(0, 1000, "not theirs", coach=other)
		self.plan(0, 1000, "the first")
		first, second = self.lesson(100), self.lesson(300)
		items = self.items(self.coach)
		self.assertEqual(items[first]["title"], "the first")
		self.assertEqual((items[second]["title"], items[second]["teacher"]), ("", None))
		self.assertEqual(len(self.items(self.teacher)), 1)

	def test_many_plans_each_find_their_lesson(self):
		other = self.invite("teacher")
		for i in range(6):
			self.plan(100 * i, 100 * i + 60, f"lesson {i}", teacher=(self.teacher, other)[i % 2])
		lessons = [self.lesson(100 * i + 30) for i in range(6)]
		items = self.items(self.coach)
		self.assertEqual([items[lesson]["title"] for lesson in lessons],
			[f"lesson {i}" for i in range(6)])
		self.assertEqual(list(self.items(self.teacher)), lessons[4::-2])
		self.assertEqual(list(self.items(other)), lessons[5::-2])

	def test_a_plan_that_is_long_over_is_let_be(self):
		self.morning_s -= 70 * DAY_NS // NS
		self.box_side.add_boot(self.morning_s * NS)
		self.plan(0, 1000)
		lesson = self.lesson(100)
		self.assertIsNone(self.items(self.coach)[lesson]["teacher"])

	def test_what_the_coach_said_afterwards_stays(self):
		lesson = self.lesson(100)
		other = self.invite("teacher")
		self.coach.patch(f"/observations/{lesson}", {"teacher": other.id, "title": "Mine"})
		self.plan(0, 1000)
		self.assertEqual(self.items(self.coach)[lesson]["teacher"]["id"], other.id)
		self.assertEqual(self.items(self.teacher), {})

	def test_plans_can_be_taken_back_by_their_coach_alone(self):
		plan = self.plan(0, 1000).json
		other = self.invite("coach")
		self.refused(other.delete(f"/plans/{plan['id']}"), 404, "nothing")
		self.assertEqual(other.get("/plans").json["plans"], [])
		self.refused(self.teacher.get("/plans"), 403, "refused")
		self.refused(self.administrator.get("/plans"), 403, "refused")
		self.assertEqual(self.coach.delete(f"/plans/{plan['id']}").status, 204)
		self.refused(self.coach.delete(f"/plans/{plan['id']}"), 404, "nothing")
		self.lesson(100)
		self.assertEqual(self.items(self.teacher), {})

	def test_a_revoked_teacher_is_given_nothing(self):
		self.plan(0, 1000)
		self.administrator.patch(f"/people/{self.teacher.id}", {"revoked": True})
		lesson = self.lesson(100)
		self.assertIsNone(self.items(self.coach)[lesson]["teacher"])

	def test_plans_that_are_none_are_refused(self):
		good = {"title": "x", "teacher": self.teacher.id, "from": "2026-03-02T09:00:00Z",
			"to": "2026-03-02T10:00:00+01:00"}
		self.refused(self.coach.post("/plans", {**good, "from": "2026-03-02T09:00:01Z"}),
			400, "wrong-value")
		self.assertEqual(self.coach.post("/plans", good).status, 201)
		for change in ({"from": "09:00"}, {"to": "2026-03-04T09:00:00Z"}, {"to": 5}, {"from": None},
				{"title": "two\nlines"}, {"title": "x" * 300}, {"teacher": self.coach.id},
				{"teacher": NOBODY_ID}, {"teacher": "x" * 100}, {"teacher": None}):
			self.refused(self.coach.post("/plans", {**good, **change}), 400, "wrong-value")


class Releasing(Lessons):
	"""Nobody else sees it, unless its teacher lets them."""

	def test_a_guest_sees_and_hears_it_and_no_more_until_it_is_taken_back(self):
		path, sound = f"/observations/{self.lesson}", f"/audio/{self.lesson}/{self.heard}"
		for guest in (self.other_coach, self.other_teacher):
			self.refused(guest.get(path + "/timeline"), 404, "nothing")
			answer = self.teacher.post(path + "/guests", {"name": guest.name.upper()})
			self.assertEqual((answer.status, answer.json["id"]), (201, guest.id))
			self.assertEqual(self.teacher.post(path + "/guests", {"name": guest.name}).status, 201)
			self.assertEqual(guest.get(path + "/timeline").status, 200)
			self.assertEqual(guest.get(sound).body, self.sounds[0])
			item = next(item for item in guest.get("/observations").json["observations"]
				if item["id"] == self.lesson)
			self.assertTrue(item["guest"])
			for method, more, body in (("PATCH", "", {"title": "x"}), ("GET", "/looks", None),
					("GET", "/guests", None), ("POST", "/guests", {"name": "Coach"})):
				self.refused(guest.request(method, path + more, body), 404, "nothing")
			self.refused(guest.delete(sound), 404, "nothing")
		listed = self.teacher.get(path + "/guests").json["guests"]
		self.assertEqual([one["name"] for one in listed], ["Coach 2", "Teacher 2"])
		seen = {look["person"]["name"] for look in self.teacher.get(path + "/looks").json["looks"]}
		self.assertLessEqual({"Coach 2", "Teacher 2"}, seen)
		for guest in (self.other_coach, self.other_teacher):
			self.assertEqual(self.teacher.delete(f"{path}/guests/{guest.id}").status, 204)
			self.refused(self.teacher.delete(f"{path}/guests/{guest.id}"), 404, "nothing")
			self.refused(guest.get(path + "/timeline"), 404, "nothing")
			self.refused(guest.get(sound), 404, "nothing")
			self.assertNotIn(self.lesson,
				[item["id"] for item in guest.get("/observations").json["observations"]])

	def test_the_guests_of_a_teacher_go_with_them(self):
		path = f"/observations/{self.third}"
		self.assertEqual(self.coach.patch(path, {"teacher": self.teacher.id}).status, 200)
		self.assertEqual(
			self.teacher.post(path + "/guests", {"name": self.other_coach.name}).status, 201)
		self.assertEqual(self.coach.patch(path, {"title": "The same teacher"}).status, 200)
		self.assertEqual(self.other_coach.get(path).status, 200)
		self.assertEqual(self.coach.patch(path, {"teacher": self.other_teacher.id}).status, 200)
		self.refused(self.other_coach.get(path), 404, "nothing")
		self.assertEqual(self.other_teacher.get(path + "/guests").json["guests"], [])

	def test_administrators_and_strangers_cannot_be_guests(self):
		path = f"/observations/{self.lesson}/guests"
		for name in (self.administrator.name, "nobody at all", "", None, 5):
			self.refused(self.teacher.post(path, {"name": name}), 400, "wrong-value")
		self.refused(self.coach.post(path, {"name": "Teacher 2"}), 404, "nothing")
		self.refused(self.administrator.get(f"/observations/{self.lesson}"), 404, "nothing")


class Later(Lessons):
	"""The box is started anew, and its journal goes on for years."""

	def items(self):
		return {item["id"]: item for item in self.coach.get("/observations").json["observations"]}

	def test_lists_stay_right_while_the_journal_goes_on(self):
		box = self.box_side
		self.assertTrue(self.items()[self.third]["running"])
		box.add_boot(MORNING_NS + DAY_NS)
		box.bring()
		before = self.items()
		self.assertFalse(before[self.third]["running"])
		for day in range(3):
			fourth, _ = box.add_lesson(SCHEME, (day + 1) * 1000 * NS, [(NS, "questioning")], (), 2 * NS)
			box.bring()
			after = self.items()
			self.assertEqual(after[fourth]["events"], 1)
			self.assertEqual({id: after[id] for id in before}, before)
		# a snippet that a power cut tore is finished by the next start
		third = next(entry["seq"] for entry in box.entries if
			entry["kind"] == "observation_start" and entry["body"]["id"] == self.third)
		box.add("snippet", 9000 * NS, observation=third, body={"file": "late.opus", "codec": "opus",
			"from_ns": 1200 * NS, "to_ns": 1210 * NS, "bytes": 5, "sha256": "0" * 64,
			"complete": False})
		box.bring()
		after = self.items()
		self.assertEqual(after[self.third]["snippets"], before[self.third]["snippets"] + 1)
		shown = self.coach.get(f"/observations/{self.third}/timeline").json
		self.assertEqual(len(shown["snippets"]), after[self.third]["snippets"])


class Hostile(Lessons):
	"""A box that is paired, and sends what no recorder would."""

	def memory_kib(self):
		with open(f"/proc/{self.server.process.pid}/status", encoding="ascii") as file:
			return int(next(line for line in file if line.startswith("VmHWM")).split()[1])

	def test_a_lesson_that_is_too_much_is_not_shown_and_the_others_are(self):
		box = self.box_side
		def ids():
			return [item["id"] for item in self.coach.get("/observations").json["observations"]]
		before = ids()
		start = len(box.entries) + 1
		lesson, _ = box.add_lesson(SCHEME, 9000 * NS)
		levels = base64.b64encode(bytes(range(250)) * 700).decode()
		for i in range(60):
			box.add("loudness", 9000 * NS, observation=start,
				body={"from_ns": (9000 + i) * NS, "step_ms": 1, "levels": levels})
		box.bring(1)
		at_rest = self.memory_kib()
		for _ in range(3):
			self.refused(self.coach.get(f"/observations/{lesson}/timeline"), 422, "too-much")
		self.assertEqual(ids(), before)
		self.assertLess(self.memory_kib() - at_rest, 100_000)

	def test_what_left_the_box_of_other_lessons_does_not_make_it_too_much(self):
		box = self.box_side
		lesson, (seq, other) = box.add_lesson(SCHEME, 20000 * NS, (),
			[(0, NS, b"its own"), (NS, 2 * NS, b"stays")], 100 * NS)
		_, (others,) = box.add_lesson(SCHEME, 21000 * NS, (), [(0, NS, b"another's")], 100 * NS)
		def gone(ref, more):
			snippet = box.entries[ref - 1]["body"]
			box.add("gone", 22000 * NS, ref=ref, body={"file": snippet["file"],
				"sha256": snippet["sha256"], "more": more})
		gone(seq, "")
		for _ in range(60):
			gone(others, "x" * 200_000)
		box.bring(1)
		answer = self.coach.get(f"/observations/{lesson}/timeline")
		self.assertEqual(answer.status, 200, answer)
		self.assertEqual({one["seq"]: one["gone"] for one in answer.json["snippets"]},
			{seq: True, other: False})

	def test_many_at_once_are_answered_or_told_to_wait(self):
		box = self.box_side
		start = len(box.entries) + 1
		lesson, _ = box.add_lesson(SCHEME, 90000 * NS)
		levels = base64.b64encode(bytes(range(250)) * 100).decode()
		for i in range(80):
			box.add("loudness", 90000 * NS, observation=start,
				body={"from_ns": (90000 + 25 * i) * NS, "step_ms": 1, "levels": levels})
		box.bring(5)
		got = []

		def ask():
			person = Person(self.server)
			person.cookie = self.coach.cookie
			got.append(person.get(f"/observations/{lesson}/timeline"))
		threads = [threading.Thread(target=ask) for _ in range(20)]
		for thread in threads:
			thread.start()
		for thread in threads:
			thread.join()
		self.assertLessEqual({answer.status for answer in got}, {200, 503})
		self.assertGreaterEqual(len([1 for answer in got if answer.status == 200]), 4)
		for answer in got:
			if answer.status == 503:
				self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)


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
