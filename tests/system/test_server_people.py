"""The server's people: who gets in, and how they stay who they are."""
import http.client
import json
import os
import time
import unittest
import uuid
from concurrent.futures import ThreadPoolExecutor

from harness import MORNING_NS, NS, Case
from people import API, PASSWORD, SCHEME, BoxSide, Client, Person, Server, ServerCase


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
		coach = self.invite("coach")
		box, code = BoxSide(self.server, coach), coach.post("/boxes", {}).json["code"]
		body = json.dumps({"code": code, "name": "box"}).encode()
		asked = (("POST invitations/+", lambda: Person(self.server).join(link)),
			("POST session", lambda: Person(self.server).sign_in(coach.name)),
			("PUT password", lambda: coach.change_password(PASSWORD, "another kind of words")),
			("POST pair", lambda: Client(self.server).send("POST", API + "/pair", body,
				{"Content-Type": "application/json"})),
			("GET box", lambda: box.request("GET", f"/box?journal={uuid.uuid4()}")))
		with self.server.database() as database, ThreadPoolExecutor(len(asked)) as pool:
			database.execute("BEGIN IMMEDIATE") # for longer than the server waits
			for answer in pool.map(lambda one: one[1](), asked):
				self.refused(answer, 503, "busy")
			database.execute("ROLLBACK")
		for what, _ in asked:
			self.assertIn(what + ": ", self.server.log())
		self.assertGreaterEqual(len(self.server.secrets), 8)
		self.server.check_log()
		self.assertEqual(Person(self.server).join(link).status, 201)

	def test_what_somebody_guesses_is_not_logged_either(self):
		stranger = Person(self.server)
		stranger.cookie = stranger.token = "5" * 64
		for ask in (lambda: stranger.sign_in("nobody", "a guess at a password"),
				lambda: stranger.join("/#/welcome/" + "6" * 64), lambda: stranger.get("/session"),
				lambda: stranger.request("PUT", "/site", {}),
				lambda: stranger.post("/pair", {"code": "BCDF-GHJK", "name": "x"}),
				lambda: stranger.get("/box/config", headers={"Authorization": "Bearer " + "7" * 64})):
			self.assertIn(ask().status, (401, 403, 404))
		self.assertLessEqual({"5" * 64, "6" * 64, "7" * 64, "a guess at a password", "BCDF-GHJK"},
			self.server.secrets)
		self.server.check_log()

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

	def test_a_link_that_a_log_would_keep_goes_to_a_file_for_the_owner(self):
		server = Server()
		self.addCleanup(server.close)
		server.in_journal = True
		server.start()
		self.assertIsNone(server.link)
		path = os.path.join(server.data, "first-link")
		with open(server.said_path, encoding="utf-8") as said:
			self.assertIn(path, said.read())
		self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
		with open(path, encoding="ascii") as file:
			self.assertEqual(Person(server).join(file.read().strip()).status, 201)

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


if __name__ == "__main__":
	unittest.main()
