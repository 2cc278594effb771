"""Lessons as people see them: lists, plans, guests, journals that go on."""
import base64
import gzip
import threading
import time
import unittest

from harness import MORNING_NS, NS
from people import DAY_NS, NOBODY_ID, SCHEME, BoxSide, Lessons, Person, ServerCase


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

	def test_what_is_long_travels_compressed_to_whoever_takes_it(self):
		lesson, _ = self.box_side.add_lesson(SCHEME, 9000 * NS,
			[(i * NS, "questioning") for i in range(100)], end_ns=200 * NS)
		self.box_side.bring()
		path = f"/observations/{lesson}/timeline"
		plain = self.coach.get(path)
		self.assertEqual(len(plain.json["events"]), 100)
		for accepts in ("gzip", "br, *;q=0.5"):
			packed = self.coach.get(path, headers={"Accept-Encoding": accepts})
			self.assertEqual(packed.headers["Content-Encoding"], "gzip")
			self.assertEqual(gzip.decompress(packed.body), plain.body)
			self.assertLess(len(packed.body), len(plain.body) / 4)
		for answer in (plain, self.coach.get(path, headers={"Accept-Encoding": "gzip;q=0, br"})):
			self.assertIsNone(answer.headers["Content-Encoding"])
			self.assertEqual((answer.body, answer.headers["Vary"]), (plain.body, "Accept-Encoding"))
		short = self.coach.get("/session", headers={"Accept-Encoding": "gzip"})
		self.assertEqual((short.status, short.headers["Content-Encoding"]), (200, None))

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


if __name__ == "__main__":
	unittest.main()
