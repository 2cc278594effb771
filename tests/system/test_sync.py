"""
chalkbox-sync against the real server: what a run brings, what cuts it short, what
it says then, and that nothing leaves the box before the server has it.
"""
import base64
import fcntl
import json
import os
import re
import socket
import threading
import time
import unittest

from harness import KINDS, MORNING_NS, Case
from syncing import (FINE, LATER, SITE_SCHEME, SOMEBODY, UNPAIRED, Proxy, Site, Station,
	same_rows)

DAY_S = 86400


class Sync(Case):
	@classmethod
	def setUpClass(cls):
		cls.site = Site()
		cls.addClassCleanup(cls.site.close)

	def station(self, pair=True, **more):
		station = Station(**more)
		self.addCleanup(station.close)
		if pair:
			station.pair(self.site.server.url, self.site.code())
		return station

	def proxy(self, station, harm=lambda number, method, path: None, **more):
		"""Puts a proxy between the station and the server."""
		proxy = Proxy(self.site.server.port, harm, **more)
		self.addCleanup(proxy.close)
		station.move(proxy.url)
		return proxy

	def assert_whole(self, station):
		self.assertTrue(same_rows(station.rows(), self.site.rows(station.id)))
		sounds = set(self.site.sounds().values())
		for seq, data in station.sounds.items():
			self.assertIn(data, sounds, f"the sound of entry {seq}")


class Runs(Sync):
	def test_everything_is_brought_over_once(self):
		station = self.station().grow(3)
		proxy = self.proxy(station)
		said = station.sync(expect=FINE).stderr
		self.assertIn("6 snippets sent", said)
		self.assert_whole(station)
		n = len(proxy.seen)
		station.sync(expect=FINE)
		self.assertEqual([method for method, _ in proxy.seen[n:]], ["GET", "POST"])
		self.assertTrue(proxy.seen[-1][1].endswith("/box/report"))

	def test_the_server_hears_how_the_box_is(self):
		station = self.station(name="health").grow(1)
		with station.database() as db:
			station._add(db, "mic", value=1, body={"card": "hw:CARD=usb"})
			station._add(db, "fault", code="lamps", value=1, body={"cause": "unplugged"})
		station.sync(expect=FINE)
		box = [box for box in self.site.admin.get("/boxes").json["boxes"] if box["name"] == "health"][0]
		self.assertEqual(box["faults"], ["lamps: unplugged"])
		health = box["health"]
		self.assertEqual((health["microphone"], health["microphone_card"], health["faults"],
			health["recorder"], health["wiring"], health["read_only"]),
			("live", "hw:CARD=usb", 1, False, "The simulated board", False))
		self.assertGreater(health["total_bytes"], box["free_bytes"])
		self.assertGreaterEqual(health["write_p99_us"], health["write_median_us"])
		self.assertIn("clock_trusted", health)
		self.assertEqual(os.listdir(station.memory).count("pairing"), 1)

	def test_what_is_recorded_later_follows(self):
		station = self.station().grow(1)
		station.sync(expect=FINE)
		station.grow(2)
		station.sync(expect=FINE)
		self.assert_whole(station)

	def test_what_is_recorded_during_a_run_goes_along(self):
		station = self.station().grow(1)
		begin = len(station.rows())
		def harm(number, method, path):
			if number == 0: # the journal was looked through, and nothing sent yet
				station.grow(1)
		self.proxy(station, harm)
		station.sync(expect=FINE)
		self.assertGreater(len(station.rows()), begin)
		self.assert_whole(station)

	def test_what_is_recorded_on_and_on_is_left_to_the_next_run(self):
		station = self.station().grow(1)
		def harm(number, method, path):
			if method == "GET": # each time it asks what the server has
				station.grow(1, events=2, snippets=1)
		proxy = self.proxy(station, harm)
		station.sync(expect=FINE)
		self.assertFalse(same_rows(station.rows(), self.site.rows(station.id)))
		proxy.harm = lambda number, method, path: None
		station.sync(expect=FINE)
		self.assert_whole(station)

	def test_a_long_journal_goes_in_batches_oldest_first(self):
		station = self.station().grow(2, events=700, snippets=0)
		proxy = self.proxy(station)
		station.sync(expect=FINE)
		posts = [path for _, path in proxy.seen if "/box/entries" in path]
		self.assertEqual(len(posts), -(-station.seq // 500))
		self.assert_whole(station)

	def test_a_large_snippet_goes_on_in_its_middle(self):
		station = self.station().grow(1, snippets=1, sizes=(900_000, 900_000))
		cut = iter(["cut body"] * 4)
		proxy = self.proxy(station, lambda number, method, path:
			next(cut, None) if method == "PATCH" else None)
		codes = [station.sync().returncode]
		while codes[-1] == LATER and len(codes) < 6:
			codes.append(station.sync().returncode)
		self.assertEqual((codes[0], codes[-1]), (LATER, FINE), codes)
		methods = [method for method, path in proxy.seen if "/uploads" in path]
		self.assertEqual(methods.count("POST"), 1, methods)
		self.assertIn("HEAD", methods)
		self.assert_whole(station)

	def test_a_network_that_is_away_for_a_while_costs_no_part_of_a_snippet(self):
		station = self.station().grow(1, snippets=1, sizes=(900_000, 900_000))
		harms = iter(["cut body", "refuse", "refuse", "refuse"])
		proxy = self.proxy(station, lambda number, method, path:
			next(harms, None) if method == "PATCH" or "cut body" in proxy.done else None)
		station.sync(expect=FINE, patience=300)
		self.assertEqual(proxy.done, ["cut body", "refuse", "refuse", "refuse"])
		methods = [method for method, path in proxy.seen if "/uploads" in path]
		self.assertEqual(methods.count("POST"), 1, methods)
		self.assert_whole(station)

	def test_a_run_waits_for_the_server_and_goes_on_by_itself(self):
		station = self.station().grow(1)
		proxy = self.proxy(station, lambda number, method, path:
			{1: "503", 3: "500", 4: "drop answer", 6: "429"}.get(number))
		said = station.sync(expect=FINE, patience=60).stderr
		self.assertIn("trying again in", said)
		self.assertEqual(proxy.done, ["503", "500", "drop answer", "429"])
		self.assert_whole(station)

	def test_a_server_that_asks_for_time_gets_it(self):
		station = self.station().grow(1)
		self.proxy(station, lambda number, method, path: "503" if number == 0 else None)
		begin = time.monotonic()
		station.sync(expect=FINE, patience=60)
		self.assertGreaterEqual(time.monotonic() - begin, 1)
		station.grow(1)
		self.proxy(station, lambda number, method, path: "503")
		self.assertIn("503", station.sync(expect=LATER).stderr)

	def test_a_dry_run_changes_nothing(self):
		station = self.station().grow(1)
		proxy = self.proxy(station)
		said = station.sync("--dry-run", expect=FINE).stderr
		self.assertIn(f"{station.seq} entries, 2 snippets", said)
		self.assertEqual([method for method, _ in proxy.seen], ["GET"])
		self.assertEqual(self.site.rows(station.id), [])

	def test_sound_that_was_damaged_on_the_box_is_named_and_the_rest_goes(self):
		station = self.station().grow(2, snippets=3)
		harmed = sorted(station.sounds)[1]
		path = os.path.join(station.state, "snippets", f"{harmed}.opus")
		with open(path, "r+b") as file:
			file.write(b"\0\0\0\0")
		said = station.sync(expect=SOMEBODY).stderr
		self.assertIn(f"snippet {harmed}", said)
		self.assertIn("is not what was recorded", said)
		sounds = set(self.site.sounds().values())
		self.assertEqual([seq for seq, data in sorted(station.sounds.items()) if data not in sounds],
			[harmed])
		os.unlink(path)
		self.assertIn(f"snippet {harmed}", station.sync(expect=SOMEBODY).stderr)

	def test_two_runs_at_a_time_are_one(self):
		station = self.station().grow(1)
		proxy = self.proxy(station, lambda number, method, path: "delay")
		codes = []
		first = threading.Thread(target=lambda: codes.append(station.sync().returncode))
		first.start()
		deadline = time.monotonic() + 30
		while not proxy.seen and time.monotonic() < deadline:
			time.sleep(0.005)
		second = station.sync()
		first.join()
		self.assertEqual(codes, [FINE])
		self.assertIn(second.returncode, (FINE, LATER))
		if second.returncode == LATER:
			self.assertIn("another run", second.stderr)
		self.assert_whole(station)

	def test_the_status_tells_of_the_last_run(self):
		station = self.station()
		self.assertIn("never", station.run("--status", expect=FINE).stdout)
		station.grow(1)
		station.sync(expect=FINE)
		self.assertIn("all is on the server", station.run("--status").stdout)
		self.proxy(station, lambda number, method, path: "507")
		station.sync(expect=LATER)
		self.assertIn("disk is full", station.run("--status").stdout)


class Answers(Sync):
	def refused(self, harm, code=LATER, **more):
		"""What a run says when every request meets this harm."""
		station = self.station().grow(1)
		self.proxy(station, lambda number, method, path: harm)
		return station.sync(expect=code, **more).stderr

	def test_a_login_page_is_no_answer(self):
		self.assertIn("not by our server", self.refused("portal"))

	def test_a_redirect_is_not_followed(self):
		self.assertIn("answered 302, but not by our server", self.refused("redirect"))

	def test_a_full_server_is_said_plainly_and_nothing_is_lost(self):
		station = self.station().grow(1)
		self.proxy(station, lambda number, method, path:
			"507" if "/uploads" in path else None)
		said = station.sync(expect=LATER).stderr
		self.assertIn("disk is full", said)
		self.assertEqual(station.files(), station.sounds)

	def test_a_revoked_box_stops_and_says_how_to_go_on(self):
		station = self.station().grow(1)
		self.site.revoke()
		proxy = self.proxy(station)
		said = station.sync(expect=UNPAIRED, patience=60).stderr
		self.assertIn("chalkbox pair", said)
		self.assertEqual(len(proxy.seen), 1)
		station.pair(self.site.server.url, self.site.code())
		station.sync(expect=FINE)

	def test_a_journal_that_belongs_to_another_pairing_is_said_with_the_way_out(self):
		station = self.station().grow(1)
		station.sync(expect=FINE)
		coach = self.site.admin.invite("Coach", "coach")
		station.pair(self.site.server.url, coach.post("/boxes", {}).json["code"])
		said = station.sync(expect=SOMEBODY).stderr
		self.assertIn("belongs to another box", said)
		self.assertNotIn("too old", said)

	def test_a_box_without_a_pairing_says_so(self):
		station = self.station(pair=False).grow(1)
		self.assertIn("chalkbox pair URL CODE", station.sync(expect=UNPAIRED).stderr)
		self.assertEqual(station.run("--status").returncode, UNPAIRED)

	def test_a_server_that_is_away_is_waited_for(self):
		station = self.station().grow(1)
		with socket.create_server(("127.0.0.1", 0)) as nobody:
			port = nobody.getsockname()[1]
		station.use(f"http://127.0.0.1:{port}", "0" * 64)
		self.assertIn("chalkbox-sync: http://127.0.0.1", station.sync(expect=LATER).stderr)

	def test_a_server_that_goes_silent_is_left(self):
		station = self.station().grow(1)
		with socket.create_server(("127.0.0.1", 0)) as mute:
			station.use(f"http://127.0.0.1:{mute.getsockname()[1]}", "0" * 64)
			begin = time.monotonic()
			station.sync(expect=LATER)
			self.assertLess(time.monotonic() - begin, 20)

	def test_plain_http_to_another_machine_is_refused(self):
		station = self.station(pair=False).grow(1)
		said = station.pair("http://192.0.2.1:80", "WDJB-MJHT", expect=SOMEBODY).stderr
		self.assertIn("https only", said)

	def test_a_clock_far_off_is_no_hindrance(self):
		station = self.station().grow(1)
		wall = os.path.join(station.folder, "wall")
		with open(wall, "w", encoding="ascii") as file:
			file.write(f"{MORNING_NS // 2} 0 0\n")
		said = station.sync(expect=FINE, env={"CHALKBOX_SIM_WALL": wall,
			"CHALKBOX_SIM_CLOCK": f"{time.clock_gettime_ns(time.CLOCK_MONOTONIC)} 1"}).stderr
		self.assertIn("clock is", said)
		self.assert_whole(station)


class FakeServer:
	"""
	A server of another version: answers by a table {(method, path): (status, body)},
	with a header line more if there is a third.
	"""

	def __init__(self, answers):
		self.answers, self.seen = answers, []
		self.listener = socket.create_server(("127.0.0.1", 0), backlog=16)
		self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
		threading.Thread(target=self._run, daemon=True).start()

	def close(self):
		self.listener.close()

	def _run(self):
		while True:
			try:
				client, _ = self.listener.accept()
			except OSError:
				return
			with client, client.makefile("rb") as stream:
				head = b""
				while not head.endswith(b"\r\n\r\n"):
					head += stream.readline() or b"\r\n\r\n"
				length = re.search(rb"(?i)content-length: (\d+)", head)
				body = stream.read(int(length[1])) if length else b""
				method, path = head.decode().split(" ")[:2]
				path = path.removeprefix("/api/v1").partition("?")[0]
				self.seen.append((method, path, body))
				status, said, *more = self.answers.get((method, path), (404, {"error": "nothing"}))
				text = said if isinstance(said, bytes) else json.dumps(said).encode()
				client.sendall(f"HTTP/1.1 {status} X\r\nChalkbox-Server: 9.0\r\nConnection: close\r\n"
					f"{''.join(line + chr(13) + chr(10) for line in more)}Content-Length: {len(text)}\r\n\r\n".encode() + text)


class OtherVersions(Sync):
	BOX = {"box": {"id": "0-1", "name": "x"}, "kept": 0, "time_ns": MORNING_NS, "config": "\"1\"",
		"snippets": {"missing": []}, "news": {"deep": [1, 2]}}
	CONFIG = {"scheme": None, "retention": {"days_on_box": 3}, "planned": []}

	def met(self, answers, code, grow=1):
		server = FakeServer(answers)
		self.addCleanup(server.close)
		station = self.station(pair=False).grow(grow)
		station.use(server.url, "0" * 64)
		return station, server, station.sync(expect=code).stderr

	def test_a_server_without_our_paths_is_named_with_both_versions(self):
		_, _, said = self.met({}, SOMEBODY)
		self.assertIn("version 9.0", said)
		self.assertIn("too old for the other", said)

	def test_an_answer_that_lacks_what_is_needed_names_it(self):
		box = {key: value for key, value in self.BOX.items() if key != "kept"}
		_, _, said = self.met({("GET", "/box"): (200, box)}, SOMEBODY)
		self.assertIn("lacks kept", said)

	def test_an_older_server_keeps_what_it_knows_and_the_rest_is_said(self):
		station, server, said = self.met({
			("GET", "/box"): (200, self.BOX),
			("POST", "/box/entries"): (200, {"kept": 3, "refused": [{"seq": 4,
				"reason": "invalid: kind \"gone\" is not known"}]}),
			("GET", "/box/config"): (200, self.CONFIG),
			("POST", "/box/report"): (200, {})}, SOMEBODY)
		self.assertIn("refuses entry 4", said)
		self.assertIn("bring it up to date", said)
		self.assertEqual(server.seen[-1][1], "/box/report") # the rest went on
		self.assertEqual([path for _, path, _ in server.seen].count("/box/entries"), 1)
		self.assertEqual(station.files(), station.sounds)

	def test_sound_stays_unless_its_own_hash_is_confirmed(self):
		"""The server lacks no sound, and the rule lets all go: its word for the hash decides."""
		for answer in ((201, {}, "Location: /api/v1/uploads/1"), (200, {}), (204, {}),
				(200, {}, "Chalkbox-Kept: " + "0" * 64), (404, {}), (409, {"error": "differs"}),
				(201, {}, "Chalkbox-Kept: " + "0" * 64)):
			station, server, _ = self.met({
				("GET", "/box"): (200, {**self.BOX, "kept": 18}),
				("GET", "/box/config"): (200, {**self.CONFIG, "retention": {"days_on_box": 0}}),
				("POST", "/uploads"): answer,
				("DELETE", "/uploads/1"): (204, b""),
				("POST", "/box/report"): (200, {})}, FINE)
			self.assertIn(("POST", "/uploads"), [seen[:2] for seen in server.seen])
			self.assertEqual(station.files(), station.sounds, answer)
			self.assertEqual(station.gone(), {})

	def test_another_hash_confirms_no_upload(self):
		for header in ("Chalkbox-Kept: " + "0" * 64, "Chalkbox-Kept:"):
			_, _, said = self.met({
				("GET", "/box"): (200, {**self.BOX, "kept": 18, "snippets": {"missing": [16]}}),
				("POST", "/uploads"): (200, {}, header)}, SOMEBODY)
			self.assertIn("creating an upload", said)

	def test_a_journal_older_than_what_the_server_has_is_not_mixed_in(self):
		_, server, said = self.met({("GET", "/box"): (200, {**self.BOX, "kept": 10**9})}, SOMEBODY)
		self.assertIn("older copy", said)
		self.assertEqual(len(server.seen), 1)

	def test_a_scheme_of_a_newer_server_is_refused_and_the_rest_goes_on(self):
		station, server, said = self.met({
			("GET", "/box"): (200, {**self.BOX, "kept": 18}),
			("GET", "/box/config"): (200, {**self.CONFIG, "scheme": "[scheme 2]\n"}),
			("POST", "/box/report"): (200, {})}, SOMEBODY)
		self.assertIn("the scheme that came from the server", said)
		self.assertFalse(os.path.exists(os.path.join(station.state, "site.scheme")))
		self.assertEqual(server.seen[-1][1], "/box/report")


class Rules(Sync):
	def tearDown(self):
		self.site.rules(scheme=None, days_on_box=14, days_on_server=365)

	def test_the_scheme_comes_down_once(self):
		self.site.rules(scheme=SITE_SCHEME)
		station = self.station().grow(1)
		station.sync(expect=FINE)
		with open(os.path.join(station.state, "site.scheme"), encoding="utf-8") as file:
			self.assertEqual(file.read(), SITE_SCHEME)
		proxy = self.proxy(station)
		station.sync(expect=FINE)
		self.assertNotIn("/api/v1/box/config", [path for _, path in proxy.seen])
		self.site.rules(scheme=None)
		station.sync(expect=FINE)
		self.assertFalse(os.path.exists(os.path.join(station.state, "site.scheme")))

	def test_a_scheme_that_nobody_can_take_now_comes_again(self):
		self.site.rules(scheme=SITE_SCHEME)
		station = self.station().grow(1)
		kept = os.path.join(station.state, "site.scheme")
		with open(os.path.join(station.state, "journal.lock"), "w", encoding="utf-8") as lock:
			fcntl.flock(lock, fcntl.LOCK_EX) # a recorder that does not answer
			self.assertIn("the scheme that came", station.sync(expect=LATER).stderr)
			self.assertFalse(os.path.exists(kept))
		self.assert_whole(station) # all else went on
		station.sync(expect=FINE)
		self.assertTrue(os.path.exists(kept))

	def test_sound_leaves_the_box_when_the_server_has_it_and_the_rule_says_so(self):
		self.site.rules(days_on_box=0)
		station = self.station().grow(1)
		station.sync(expect=FINE)
		self.assertEqual(station.files(), {})
		self.assertEqual(sorted(station.gone()), sorted(station.sounds))
		station.sync(expect=FINE) # brings the entries that say so
		self.assert_whole(station)
		last = station.seq
		station.sync(expect=FINE)
		self.assertEqual(station.rows()[-1][0], station.rows()[-1][0])
		self.assertGreater(len(station.rows()), last)

	def test_sound_stays_for_as_many_days_as_the_site_says(self):
		self.site.rules(days_on_box=3)
		station = self.station().grow(1)
		station.sync(expect=FINE)
		self.assertEqual(station.files(), station.sounds)
		path = os.path.join(station.memory, "confirmed")
		with open(path, encoding="utf-8") as file:
			journal, server_ns, seq = file.read().split()
		for days, there in ((2.9, True), (3.1, False)):
			with open(path, "w", encoding="utf-8") as file:
				file.write(f"{journal} {int(server_ns) - int(days * DAY_S) * 10**9} {seq}\n")
			station.sync(expect=FINE)
			self.assertEqual(bool(station.files()), there)

	def test_sound_that_the_box_lost_does_not_keep_the_rest_on_it(self):
		self.site.rules(days_on_box=0)
		station = self.station().grow(2, snippets=3)
		harmed, lost = sorted(station.sounds)[1:3]
		def path(seq):
			return os.path.join(station.state, "snippets", f"{seq}.opus")
		with open(path(harmed), "r+b") as file:
			file.write(b"\0\0\0\0")
		os.unlink(path(lost))
		station.sync(expect=SOMEBODY)
		self.assertEqual(list(station.files()), [harmed])
		self.assertEqual(set(station.gone()), set(station.sounds) - {harmed, lost})

	def test_sound_that_could_not_be_read_for_a_while_keeps_the_rest_on_the_box(self):
		self.site.rules(days_on_box=0)
		station = self.station().grow(1)
		folder = os.path.join(station.state, "snippets")
		held = os.path.join(folder, f"{sorted(station.sounds)[0]}.opus")
		os.rename(held, held + ".real")
		os.symlink(held + ".real", held) # not followed: refused, but neither lost nor damaged
		station.sync(expect=SOMEBODY)
		self.assertEqual(station.gone(), {})

	def test_the_box_can_have_a_rule_of_its_own(self):
		self.site.rules(days_on_box=0)
		station = self.station(config="days_on_box = 30").grow(1)
		station.sync(expect=FINE)
		self.assertEqual(station.files(), station.sounds)

	def test_sound_that_the_server_lost_does_not_leave_the_box(self):
		"""It had the sound, and has it no more: its word of then counts for nothing."""
		self.site.rules(days_on_box=30)
		station = self.station().grow(1)
		station.sync(expect=FINE)
		lost = sorted(station.sounds)[0]
		with self.site.server.stopped() as db:
			sha256 = json.loads(db.execute("SELECT body FROM entry WHERE journal = ? AND seq = ?",
				(station.id, lost)).fetchone()[0])["sha256"]
			db.execute("DELETE FROM blob WHERE sha256 = ?", (sha256,))
			db.execute("UPDATE site SET days_on_box = 0")
		self.proxy(station, lambda number, method, path:
			"507" if method == "POST" and "/uploads" in path else None)
		station.sync(expect=LATER)
		self.assertIn(lost, station.files())

	def test_sound_that_its_teacher_took_back_leaves_the_box_too(self):
		self.site.rules(days_on_box=3000)
		coach = self.site.admin.invite("Coach", "coach")
		station = self.station(pair=False).grow(1)
		station.pair(self.site.server.url, coach.post("/boxes", {}).json["code"])
		station.sync(expect=FINE)
		start = next(row for row in station.rows() if KINDS[row[3]] == "observation_start")
		lesson = json.loads(start[8])["id"]
		teacher = self.site.admin.invite("Teacher", "teacher")
		self.assertEqual(coach.patch(f"/observations/{lesson}",
			{"teacher": teacher.id}).status, 200)
		seq = sorted(station.sounds)[0]
		self.assertEqual(teacher.delete(f"/audio/{lesson}/{seq}").status, 204)
		station.sync(expect=FINE)
		self.assertNotIn(seq, station.files())
		self.assertEqual(list(station.gone()), [seq])
		station.sync(expect=FINE)
		station.sync(expect=FINE)
		self.assertEqual(len(station.gone()), 1)
		self.assertTrue(same_rows(station.rows(), self.site.rows(station.id)))

	def test_a_cut_off_observation_is_left_to_the_recorder(self):
		self.site.rules(days_on_box=0)
		station = self.station().grow(1)
		with station.database() as db:
			db.execute("DELETE FROM entry WHERE seq = ?", (station.seq,))
		station.sync(expect=FINE)
		self.assertEqual(station.files(), station.sounds)
		self.assertEqual(station.gone(), {})


class Pairing(Sync):
	def test_a_code_works_once(self):
		station, other = self.station(pair=False), self.station(pair=False)
		code = self.site.code()
		self.assertIn("paired with", station.pair(self.site.server.url, code).stderr)
		self.assertIn("was used", other.pair(self.site.server.url, code, expect=SOMEBODY).stderr)
		self.assertFalse(os.path.exists(os.path.join(other.memory, "pairing")))

	def test_a_wrong_code_is_said(self):
		station = self.station(pair=False)
		said = station.pair(self.site.server.url, "BCDF-GHJK", expect=SOMEBODY).stderr
		self.assertIn("does not know that code", said)

	def test_a_file_on_the_boot_partition_pairs_and_is_consumed(self):
		station = self.station(pair=False, config="boot_file = ./pair.txt").grow(1)
		path = os.path.join(station.folder, "pair.txt")
		with open(path, "wb") as file:
			file.write(b"\xef\xbb\xbf# for room 4\r\nurl = " + self.site.server.url.encode()
				+ b"/\r\ncode = " + self.site.code().lower().encode() + b"\r\n")
		station.sync(expect=FINE)
		self.assertFalse(os.path.exists(path))
		self.assert_whole(station)

	def test_a_dry_run_leaves_a_boot_file_alone(self):
		station = self.station(pair=False, config="boot_file = ./pair.txt").grow(1)
		path = os.path.join(station.folder, "pair.txt")
		with open(path, "w", encoding="utf-8") as file:
			file.write(f"url={self.site.server.url}\ncode={self.site.code()}\n")
		self.assertIn("belongs to no server", station.sync("--dry-run", expect=UNPAIRED).stderr)
		self.assertTrue(os.path.exists(path))
		station.sync(expect=FINE) # the code is not spent

	def test_a_boot_file_is_tried_again_while_the_server_is_away_and_not_once_refused(self):
		station = self.station(pair=False, config="boot_file = ./pair.txt").grow(1)
		path = os.path.join(station.folder, "pair.txt")
		with socket.create_server(("127.0.0.1", 0)) as nobody:
			url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
		def write(url, code):
			with open(path, "w", encoding="utf-8") as file:
				file.write(f"url={url}\ncode={code}\n")
		write(url, "BCDF-GHJK")
		station.sync(expect=LATER)
		station.sync(expect=LATER)
		write(self.site.server.url, "BCDF-GHJK")
		self.assertIn("does not know that code", station.sync(expect=UNPAIRED).stderr)
		self.assertNotIn("that code", station.sync(expect=UNPAIRED).stderr)
		write(self.site.server.url, self.site.code())
		station.sync(expect=FINE)
		self.assert_whole(station)

	def test_a_broken_boot_file_is_named_with_its_line(self):
		station = self.station(pair=False, config="boot_file = ./pair.txt").grow(1)
		path = os.path.join(station.folder, "pair.txt")
		with open(path, "w", encoding="utf-8") as file:
			file.write("url=https://x\npassword=3\n")
		self.assertIn("pair.txt:2: `password`", station.sync(expect=UNPAIRED).stderr)
		self.assertTrue(os.path.exists(path))


class OwnCertificate(Case):
	"""A server with a key of its own: pinned at pairing, and nobody else after that."""

	def test_the_key_is_pinned_and_no_other_is_taken(self):
		first, second = Site(), Site()
		self.addCleanup(first.close)
		self.addCleanup(second.close)
		station = Station()
		self.addCleanup(station.close)
		code, port = first.code(), first.server.port
		url = f"https://127.0.0.1:{port}"
		pin = first.over_tls(port)
		short = "-".join(re.findall("....", base64.b64decode(pin[8:]).hex()[:16]))
		wrong = station.pair(url, code, "--pin", "0000-0000-0000-0000", expect=SOMEBODY)
		self.assertIn(f"has the key {short}", wrong.stderr)
		said = station.pair(url, code, "--pin", short.upper()).stderr
		self.assertIn(short, said)
		self.assertIn(pin, said)
		station.grow(1)
		station.sync(expect=FINE)
		first.server.kill()
		second.over_tls(port)
		self.assertIn("does not have the key", station.sync(expect=LATER).stderr)


if __name__ == "__main__":
	unittest.main()
