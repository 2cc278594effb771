"""
The server as boxes meet it: pairing, configuration, entries, and a server that is
killed.
"""
import base64
import contextlib
import hashlib
import json
import os
import random
import threading
import time
import unittest
import uuid

from harness import DEADLINE_S, SLOW, Case, Failed
from people import API, SCHEME, BoxSide, Client, Person, Server

TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {"Content-Type": "application/offset+octet-stream"}
LINES = {"Content-Type": "application/x-ndjson"}


def sound(n, seed=1):
	return random.Random(seed).randbytes(n)


def sha256(data):
	return hashlib.sha256(data).hexdigest()


def metadata(journal, seq, digest, **more):
	pairs = {"journal": journal, "seq": seq, "sha256": digest, **more}
	return ",".join(f"{key} {base64.b64encode(str(value).encode()).decode()}"
		for key, value in pairs.items())


def until(condition, what, seconds=None):
	"""Waits for a condition; what it returns."""
	deadline = time.monotonic() + (seconds or DEADLINE_S)
	while True:
		found = condition()
		if found:
			return found
		if time.monotonic() > deadline:
			raise Failed(f"waited in vain for {what}")
		time.sleep(0.01)


class BoxCase(Case):
	"""A server with an administrator and a coach, for a class of tests."""
	arguments = ()

	@classmethod
	def setUpClass(cls):
		super().setUpClass()
		cls.server = Server(arguments=["--plain", "--behind-proxy", *cls.arguments])
		cls.addClassCleanup(cls.server.close)
		cls.server.start()
		cls.admin = Person(cls.server)
		cls.admin.join(cls.server.link)
		cls.coach = cls.admin.invite("Coach", "coach")

	@classmethod
	def tearDownClass(cls):
		if cls.server.process:
			cls.server.stop()
		super().tearDownClass()

	def box(self, **more):
		return BoxSide(self.server, self.coach, **more)

	def box_with(self, *sounds):
		"""A box whose journal is on the server, with a snippet for each sound; the seqs."""
		box = self.box()
		box.add_boot()
		_, seqs = box.add_lesson(SCHEME, 10**9, sounds=[(i * 10**9, (i + 1) * 10**9, data)
			for i, data in enumerate(sounds)], end_ns=60 * 10**9)
		box.bring()
		return box, seqs

	def look(self, box):
		return box.request("GET", f"/box?journal={box.journal_id}").json

	def send_lines(self, box, lines, journal=None, headers=LINES):
		body = lines if isinstance(lines, bytes) else "".join(json.dumps(line) + "\n"
			for line in lines).encode()
		return box.request("POST", f"/box/entries?journal={journal or box.journal_id}", body,
			headers)


class Pairing(BoxCase):
	def pair(self, code, name="box", address="192.0.2.1"):
		return Client(self.server).send("POST", API + "/pair",
			json.dumps({"code": code, "name": name}).encode(),
			{"Content-Type": "application/json", "X-Forwarded-For": address})

	def test_a_code_pairs_one_box_and_is_used_up(self):
		code = self.coach.post("/boxes", {}).json["code"]
		first = self.pair(code)
		self.assertEqual(first.status, 201)
		self.assertRegex(first.json["token"], "^[0-9a-f]{64}$")
		again = self.pair(code)
		self.assertEqual((again.status, again.error), (410, "code-used"))

	def test_a_code_may_be_typed_in_small_letters_without_its_dash(self):
		code = self.coach.post("/boxes", {}).json["code"]
		self.assertRegex(code, "^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$")
		self.assertEqual(self.pair(" " + code.lower().replace("-", "")).status, 201)

	def test_a_wrong_code_is_refused_and_too_many_have_to_wait(self):
		address = "192.0.2.77"
		seen = [self.pair("BBBB-BBBB", address=address) for _ in range(8)]
		self.assertEqual([answer.error for answer in seen[:5]], ["wrong-code"] * 5)
		self.assertEqual(seen[-1].error, "too-many")
		self.assertGreater(int(seen[-1].headers["Retry-After"]), 0)
		# the right one has to wait too: guessing must not pay
		code = self.coach.post("/boxes", {}).json["code"]
		self.assertEqual(self.pair(code, address=address).status, 429)
		self.assertEqual(self.pair(code, address="192.0.2.78").status, 201)

	def test_a_code_lives_ten_minutes(self):
		code = self.coach.post("/boxes", {}).json["code"]
		with self.server.stopped() as database:
			database.execute("UPDATE pairing SET expires_ns = expires_ns - 601000000000")
		gone = self.pair(code, address="192.0.2.2")
		self.assertEqual((gone.status, gone.error), (410, "code-used"))

	def test_of_codes_and_tokens_only_hashes_are_on_the_disk(self):
		code = self.coach.post("/boxes", {}).json["code"]
		token = self.pair(code).json["token"]
		for folder, _, names in os.walk(self.server.data):
			for name in names:
				with open(os.path.join(folder, name), "rb") as kept:
					data = kept.read()
				self.assertNotIn(token.encode(), data, name)
				self.assertNotIn(code.encode(), data, name)

	def test_a_name_that_no_screen_can_show_is_refused(self):
		for name in ("", "a\nb", "x" * 65, " padded"):
			answer = self.pair("BBBB-BBBB", name=name, address="192.0.2.3")
			self.assertEqual((answer.status, answer.error), (400, "name"), name)

	def test_a_revoked_box_has_to_pair_anew(self):
		box, _ = self.box_with()
		self.assertEqual(self.coach.patch(f"/boxes/{box.id}", {"revoked": True}).status, 200)
		for method, path in (("GET", f"/box?journal={box.journal_id}"), ("GET", "/box/config"),
				("POST", f"/box/entries?journal={box.journal_id}"), ("POST", "/uploads")):
			answer = box.request(method, path, headers=TUS)
			self.assertEqual((answer.status, answer.error), (401, "unpaired"), path)

	def test_a_token_that_is_none_is_refused(self):
		for said in (None, "", "Bearer", "Bearer 0", "Bearer " + "0" * 64, "Basic " + "0" * 64,
				"Bearer " + "G" * 64, "Bearer " + "0" * 65):
			answer = Client(self.server).send("GET", API + "/box/config",
				headers={"Authorization": said} if said is not None else {})
			self.assertEqual((answer.status, answer.error), (401, "unpaired"), said)

	def test_people_see_what_the_box_reports(self):
		box = self.box(name="Room 7")
		now_ns = time.time_ns()
		answer = box.request("POST", "/box/report", json.dumps({"version": "1.2.3",
			"time_ns": now_ns + 7_000_000_000, "free_bytes": 1000, "state_bytes": 10,
			"faults": ["microphone lost"], "unsent_entries": 3, "unsent_snippets": 2}).encode(),
			{"Content-Type": "application/json"})
		self.assertEqual(answer.status, 200)
		self.assertLessEqual(answer.json["received_ns"], answer.json["sent_ns"])
		seen = [row for row in self.coach.get("/boxes").json["boxes"] if row["id"] == box.id][0]
		self.assertEqual((seen["name"], seen["version"], seen["free_bytes"], seen["faults"],
			seen["unsent_entries"], seen["unsent_snippets"]),
			("Room 7", "1.2.3", 1000, ["microphone lost"], 3, 2))
		self.assertAlmostEqual(seen["clock_error_ms"], 7000, delta=1000 * SLOW)
		self.assertRegex(seen["last_heard"], r"^\d{4}-\d\d-\d\dT[\d:.]+Z$")

	def test_a_report_that_is_none_is_refused(self):
		box = self.box()
		for report in ({"free_bytes": -1}, {"free_bytes": 1.5}, {"faults": "x"},
				{"faults": ["x"] * 17}, {"faults": ["x" * 201]}, {"version": "v" * 32}):
			answer = box.request("POST", "/box/report", json.dumps(report).encode(),
				{"Content-Type": "application/json"})
			self.assertEqual((answer.status, answer.error), (400, "report"), report)

	def report_health(self, box, health):
		return box.request("POST", "/box/report", json.dumps({"health": health}).encode(),
			{"Content-Type": "application/json"})

	def health_of(self, box):
		return [row for row in self.coach.get("/boxes").json["boxes"] if row["id"] == box.id][0]["health"]

	def test_the_last_health_of_a_box_is_seen_and_what_nobody_knows_left_out(self):
		box = self.box()
		self.assertIsNone(self.health_of(box))
		health = {"machine": "Raspberry Pi Zero 2 W Rev 1.0", "wiring": "Raspberry Pi, fünf Tasten",
			"power": "low-before", "hot": False, "uptime_s": 86400, "total_bytes": 31 << 30,
			"read_only": False, "write_median_us": 4100, "write_p99_us": 31000, "clock_trusted": True,
			"clock_uncertainty_ms": 21, "recorder": True, "microphone": "live",
			"microphone_card": "USB PnP", "loud_db": -22, "clipped_permille": 0, "faults": 0}
		self.assertEqual(self.report_health(box, {**health, "news": [1, {"a": 2}]}).status, 200)
		self.assertEqual(self.health_of(box), health)
		self.assertEqual(self.report_health(box, {"power": "good"}).status, 200)
		self.assertEqual(self.health_of(box), {"power": "good"})
		self.assertEqual(self.report_health(box, {}).status, 200)
		self.assertEqual(self.health_of(box), {})

	def test_a_hostile_health_is_refused_and_changes_nothing(self):
		box = self.box()
		self.assertEqual(self.report_health(box, {"power": "good"}).status, 200)
		for health in ([], "x", 1, {"power": "fine"}, {"power": "good low"}, {"power": ""},
				{"power": "ow"}, {"power": 1}, {"machine": "x" * 96}, {"machine": 1},
				{"machine": "a\x1b[31m"}, {"wiring": ["x"]}, {"uptime_s": -1},
				{"uptime_s": 1.5}, {"uptime_s": "1"}, {"uptime_s": 1 << 40}, {"hot": 0},
				{"read_only": "no"}, {"loud_db": 1}, {"loud_db": -201}, {"clipped_permille": 1001},
				{"faults": ["x"]}, {"total_bytes": -1}, {"clock_trusted": None}):
			answer = self.report_health(box, health)
			self.assertEqual((answer.status, answer.error), (400, "report"), health)
		for health in ({"news": "x" * 20000}, {"news": json.loads("[" * 60 + "]" * 60)},
				{"machine": "a\0b"}):
			self.assertIn(self.report_health(box, health).status, (400, 413), str(health)[:60])
		self.assertEqual(self.health_of(box), {"power": "good"})

	def test_a_box_is_a_coachs(self):
		"""Nobody would see the lessons of another's."""
		for coach in ({}, {"coach": self.admin.id}, {"coach": self.admin.invite("No coach", "teacher").id},
				{"coach": str(uuid.uuid4())}):
			answer = self.admin.post("/boxes", coach)
			self.assertEqual((answer.status, answer.error), (400, "wrong-value"), coach)
		self.assertEqual(self.admin.post("/boxes", {"coach": self.coach.id}).status, 201)
		box = self.box()
		answer = self.admin.patch(f"/boxes/{box.id}", {"coach": self.admin.id})
		self.assertEqual((answer.status, answer.error), (400, "wrong-value"))

	def test_a_box_stays_its_coachs_while_lessons_wait_on_it(self):
		box = self.box()
		other = self.admin.invite("Next coach", "coach")
		report = {"version": "t", "time_ns": 1, "free_bytes": 1, "state_bytes": 1, "faults": [],
			"unsent_entries": 3, "unsent_snippets": 0}
		for unsent, status in ((3, 409), (0, 200)):
			box.request("POST", "/box/report", json.dumps({**report, "unsent_entries": unsent}).encode(),
				{"Content-Type": "application/json"})
			for change in ({"name": "still"}, {"coach": self.coach.id}):
				self.assertEqual(self.admin.patch(f"/boxes/{box.id}", change).status, 200)
			answer = self.admin.patch(f"/boxes/{box.id}", {"coach": other.id})
			self.assertEqual(answer.status, status, answer)
			if status == 409:
				self.assertEqual(answer.error, "unsent")
				self.assertIn("Coach", answer.json["message"])

	def test_other_coaches_neither_see_nor_change_a_box(self):
		box = self.box()
		other = self.admin.invite("Other coach", "coach")
		self.assertNotIn(box.id, [row["id"] for row in other.get("/boxes").json["boxes"]])
		for change in ({"name": "mine"}, {"revoked": True}, {}):
			self.assertEqual(other.patch(f"/boxes/{box.id}", change).status, 404)
		self.assertIn(box.id, [row["id"] for row in self.admin.get("/boxes").json["boxes"]])
		self.assertEqual(self.admin.patch(f"/boxes/{box.id}", {"coach": other.id}).status, 200)
		self.assertIn(box.id, [row["id"] for row in other.get("/boxes").json["boxes"]])


class Configuration(BoxCase):
	def test_it_comes_down_once_and_then_only_when_it_changed(self):
		box = self.box()
		first = box.request("GET", "/box/config")
		self.assertEqual(first.status, 200)
		self.assertEqual(set(first.json), {"scheme", "retention"})
		etag = first.headers["ETag"]
		self.assertEqual(self.look(box)["config"], etag)
		again = box.request("GET", "/box/config", headers={"If-None-Match": etag})
		self.assertEqual((again.status, again.body), (304, b""))
		self.assertEqual(self.admin.put("/site", {"scheme": SCHEME, "days_on_box": 3,
			"days_on_server": 90}).status, 200)
		changed = box.request("GET", "/box/config", headers={"If-None-Match": etag})
		self.assertEqual(changed.status, 200)
		self.assertEqual(changed.json["retention"]["days_on_box"], 3)
		self.assertEqual(changed.json["scheme"], SCHEME)


class Entries(BoxCase):
	def start(self, n=5):
		"""A box with n entries kept."""
		box = self.box()
		box.add_boot()
		for i in range(n - 1):
			box.add("press", i, code="questioning")
		self.assertEqual(self.send_lines(box, box.entries).json, {"kept": n, "refused": []})
		return box

	def test_an_unknown_journal_is_known_from_now_on(self):
		box = self.box()
		seen = self.look(box)
		self.assertEqual((seen["kept"], seen["snippets"]),
			(0, {"missing": [], "withdrawn": []}))
		self.assertEqual(seen["box"], {"id": box.id, "name": "box"})
		self.assertAlmostEqual(seen["time_ns"], time.time_ns(), delta=10**10 * SLOW)

	def test_what_was_sent_before_is_kept_and_not_doubled(self):
		box = self.start()
		again = self.send_lines(box, box.entries)
		self.assertEqual(again.json, {"kept": 5, "refused": []})
		with self.server.database() as database:
			self.assertEqual(database.execute("SELECT COUNT(*) FROM entry WHERE journal = ?",
				(box.journal_id,)).fetchone(), (5,))

	def test_every_field_comes_out_as_it_went_in(self):
		box, _ = self.box_with(sound(100))
		with self.server.database() as database:
			rows = database.execute("SELECT seq, boot, t_ns, observation, code, ref, value, body"
				" FROM entry WHERE journal = ? ORDER BY seq", (box.journal_id,)).fetchall()
		for row, sent in zip(rows, box.entries, strict=True):
			self.assertEqual(row[:7], (sent["seq"], sent["boot"], sent["t_ns"],
				sent.get("observation", 0), sent.get("code", ""), sent.get("ref", 0),
				sent.get("value", 0)))
			self.assertEqual(json.loads(row[7] or "{}"), sent.get("body", {}))

	def test_an_entry_with_other_content_is_refused_and_changes_nothing(self):
		box = self.start()
		for change in ({"t_ns": 77}, {"code": "transition"}, {"body": {"cause": "x"}}):
			answer = self.send_lines(box, [{**box.entries[2], **change}])
			self.assertEqual(answer.json, {"kept": 5,
				"refused": [{"seq": 3, "reason": "differs"}]})
		self.assertEqual(self.send_lines(box, box.entries).json["refused"], [])

	def test_the_order_of_a_bodys_members_is_no_difference(self):
		box = self.box()
		box.add_boot()
		self.send_lines(box, box.entries)
		turned = dict(box.entries[0], body=dict(reversed(box.entries[0]["body"].items())))
		self.assertEqual(self.send_lines(box, [turned]).json, {"kept": 1, "refused": []})

	def test_a_hole_is_refused(self):
		box = self.start()
		box.add("press", 1, code="questioning")
		beyond = box.add("press", 2, code="questioning")
		answer = self.send_lines(box, box.entries[-1:])
		self.assertEqual(answer.json, {"kept": 5, "refused": [{"seq": beyond, "reason": "hole"}]})
		self.assertEqual(self.send_lines(box, box.entries[-2:]).json["kept"], 7)

	def test_an_entry_that_breaks_its_rules_is_refused_with_the_reason(self):
		box = self.start()
		for wrong, why in (({"kind": "dance"}, "kind"), ({"code": ""}, "code"),
				({"code": "x" * 32}, "code"), ({"t_ns": -1}, "t_ns"), ({"t_ns": "1"}, "t_ns"),
				({"t_ns": 1.5}, "t_ns"), ({"boot": 9}, "boot"), ({"ref": 1}, "ref"),
				({"observation": 8}, "observation"), ({"value": 2}, "value"),
				({"body": [1]}, "body"), ({"body": "x"}, "body"), ({"t_ns": None}, "t_ns")):
			line = {"seq": 6, "boot": 1, "t_ns": 1, "kind": "press", "code": "questioning", **wrong}
			answer = self.send_lines(box, [line])
			self.assertEqual((answer.status, answer.json["kept"]), (200, 5), wrong)
			reason = answer.json["refused"][0]["reason"]
			self.assertTrue(reason.startswith("invalid: ") and why in reason, (wrong, reason))

	def test_what_comes_before_a_wrong_one_is_kept_and_what_follows_is_not(self):
		box = self.start(2)
		lines = [{"seq": seq, "boot": 1, "t_ns": 1, "kind": "press", "code": "questioning"}
			for seq in (3, 4, 5, 6)]
		lines[2]["code"] = "Not A Word"
		answer = self.send_lines(box, lines).json
		self.assertEqual(answer["kept"], 4)
		self.assertEqual([(one["seq"], one["reason"][:7]) for one in answer["refused"]],
			[(5, "invalid"), (6, "hole")])

	def test_a_batch_is_limited(self):
		box = self.box()
		box.add_boot()
		for i in range(500):
			box.add("press", i, code="questioning")
		answer = self.send_lines(box, box.entries)
		self.assertEqual((answer.status, answer.error), (413, "too-many"))
		self.assertEqual(self.send_lines(box, box.entries[:500]).json["kept"], 500)
		answer = self.send_lines(box, b"\n" * (256 * 1024 + 1))
		self.assertEqual((answer.status, answer.error), (413, "too-big"))
		self.assertEqual(self.send_lines(box, b"\n" * (256 * 1024)).json["kept"], 500)

	def test_lines_that_are_no_entries_are_refused_whole(self):
		box = self.start()
		good = json.dumps(dict(box.entries[0])).encode()
		for wrong in (b"{", b"[]", b"1", b"null", b'{"seq":0}', b'{"seq":-1}', b'{"seq":"1"}',
				b'{"seq":1,"seq":2}', b'{"seq":6,"code":"\xff"}', b'{"seq":6,"code":"\\u0000"}',
				b'{"seq":6,"code":"\\ud800"}', b'{"seq":99999999999999999999}', b"\x00",
				b'{"seq":6,"body":' + b'{"a":' * 40 + b"1" + b"}" * 41,
				b"[" * 100000):
			answer = self.send_lines(box, good + b"\n" + wrong + b"\n")
			self.assertEqual((answer.status, answer.error), (400, "lines"), wrong[:60])
			self.assertIn("ine 2", answer.json["message"])
		self.assertEqual(self.look(box)["kept"], 5)

	def test_the_type_and_the_journal_must_be_named(self):
		box = self.box()
		for headers in ({}, {"Content-Type": "application/json"}):
			answer = self.send_lines(box, b"", headers=headers)
			self.assertEqual((answer.status, answer.error), (415, "type"))
		for journal in ("", "x", str(uuid.uuid4()).upper(), "%00", "%ff", "a" * 2000):
			answer = self.send_lines(box, b"", journal=journal or "&")
			self.assertEqual((answer.status, answer.error), (400, "journal"), journal)

	def test_a_journal_is_its_boxs_alone(self):
		box = self.start()
		other = BoxSide(self.server, self.admin.invite(f"Coach {uuid.uuid4().hex[:8]}", "coach"))
		answer = self.send_lines(other, box.entries, journal=box.journal_id)
		self.assertEqual((answer.status, answer.error), (409, "not-yours"))
		answer = other.request("GET", f"/box?journal={box.journal_id}")
		self.assertEqual((answer.status, answer.error), (409, "not-yours"))

	def test_a_box_paired_anew_takes_its_journal_along(self):
		box = self.start()
		anew = self.box()
		anew.journal_id = box.journal_id
		self.assertEqual(self.look(anew)["kept"], 5)
		self.assertEqual(box.request("GET", f"/box?journal={box.journal_id}").status, 200)
		# and to another coach only once the earlier pairing is over
		other = BoxSide(self.server, self.admin.invite(f"Coach {uuid.uuid4().hex[:8]}", "coach"))
		other.journal_id = box.journal_id
		self.assertEqual(other.request("GET", f"/box?journal={box.journal_id}").status, 409)
		self.coach.patch(f"/boxes/{box.id}", {"revoked": True})
		self.assertEqual(other.request("GET", f"/box?journal={box.journal_id}").status, 200)

	def test_a_batch_that_came_is_there_after_a_kill(self):
		box = self.start(100)
		self.server.kill()
		self.server.start()
		self.assertEqual(self.look(box)["kept"], 100)
		self.assertEqual(self.send_lines(box, box.entries).json, {"kept": 100, "refused": []})


class Killed(BoxCase):
	def test_what_was_confirmed_is_there_after_every_kill(self):
		dice = random.Random(11)
		for turn in range(6):
			box, confirmed = self.box(), [0]
			box.add_boot()
			for i in range(3000):
				box.add("press", i, code="questioning")
			def bring(box=box, confirmed=confirmed):
				with contextlib.suppress(Exception):
					while confirmed[0] < len(box.entries):
						at = confirmed[0]
						answer = self.send_lines(box, box.entries[at:at + 7])
						confirmed[0] = answer.json["kept"]
			thread = threading.Thread(target=bring)
			thread.start()
			target = dice.randrange(1, 600)
			until(lambda: confirmed[0] >= target, "some entries")
			self.server.kill()
			thread.join()
			box.close()
			box.connection = None
			self.server.start()
			kept = self.look(box)["kept"]
			self.assertGreaterEqual(kept, confirmed[0], turn)
			self.assertEqual(self.send_lines(box, box.entries[:min(kept, 500)]).json["refused"], [])

	def test_sound_that_was_confirmed_is_there_after_every_kill(self):
		dice = random.Random(12)
		for turn in range(4):
			sounds = [sound(3000, 1000 * turn + i) for i in range(200)]
			box, seqs = self.box_with(*sounds)
			confirmed = []
			def bring(box=box, seqs=seqs, sounds=sounds, confirmed=confirmed):
				with contextlib.suppress(Exception):
					for seq, data in zip(seqs, sounds):
						if box.bring_sound(seq, data).status in (200, 201):
							confirmed.append(data)
			thread = threading.Thread(target=bring)
			thread.start()
			target = dice.randrange(1, 100)
			until(lambda: len(confirmed) >= target, "some sound")
			self.server.kill()
			thread.join()
			box.close()
			box.connection = None
			self.server.start()
			missing = self.look(box)["snippets"]["missing"]
			kept = self.server.blobs()
			for data in confirmed:
				self.assertIn(sha256(data), kept)
			self.assertFalse(set(missing) & set(seqs[:len(confirmed)]))
			# and the rest comes after all
			for seq, data in zip(seqs, sounds):
				if seq in missing:
					self.assertIn(box.bring_sound(seq, data).status, (200, 201))
			self.assertEqual(self.look(box)["snippets"]["missing"], [])


if __name__ == "__main__":
	unittest.main()
