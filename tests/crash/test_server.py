"""
The server, killed and refused by its disk at every step of taking in a box's
journal and sound: what it confirmed is there afterwards, each entry once, and what
is missing comes with the next visit.
"""
import hashlib
import http.client
import json
import os
import random
import shutil
import signal
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "system"))

from harness import DEADLINE_S, ROOT, Case, Failed # noqa: E402 (the path above leads to it)
from people import API, BoxSide, Person, Server # noqa: E402
from test_server_box import BYTES, LINES, TUS, metadata # noqa: E402

with open(os.path.join(ROOT, "app/scheme/default.scheme"), encoding="utf-8") as file:
	SCHEME = file.read()
SYNCS = "fsync,fdatasync"
CHANGES = "pwrite64,/^rename,/^unlink,ftruncate"
BATCH = 9
DENSE = int(os.environ.get("CHALKBOX_CRASH_DENSE", "0"))


def sha256(data):
	return hashlib.sha256(data).hexdigest()


class Visit:
	"""A box's visit, step by step; what it was told is kept."""

	def __init__(self, box, seqs, sounds):
		self.box = box
		self.sounds = dict(zip(seqs, sounds))
		self.kept = 0
		self.confirmed = set() # hashes
		self.troubles = []     # answers of 5xx

	def ask(self, method, path, body=None, headers=None):
		answer = self.box.request(method, path, body, headers)
		if answer.status >= 500:
			self.troubles.append(answer.status)
		return answer

	def look(self):
		return self.ask("GET", f"/box?journal={self.box.journal_id}")

	def run(self):
		"""Once through; True when everything is kept."""
		seen = self.look()
		if seen.status != 200:
			return False
		at = seen.json["kept"]
		while at < len(self.box.entries):
			answer = self.ask("POST", f"/box/entries?journal={self.box.journal_id}",
				"".join(json.dumps(line) + "\n" for line in self.box.entries[at:at + BATCH]).encode(),
				LINES)
			if answer.status != 200:
				return False
			if answer.json["refused"]:
				raise Failed(f"refused: {answer.json}")
			at = self.kept = answer.json["kept"]
		seen = self.look()
		if seen.status != 200:
			return False
		for i, seq in enumerate(seen.json["snippets"]["missing"]):
			if not (self.whole if i % 2 else self.in_pieces)(seq):
				return False
		seen = self.look()
		return seen.status == 200 and not seen.json["snippets"]["missing"]

	def create(self, seq, body):
		data = self.sounds[seq]
		answer = self.ask("POST", "/uploads", body, {**TUS, **(BYTES if body else {}),
			"Upload-Length": str(len(data)),
			"Upload-Metadata": metadata(self.box.journal_id, seq, sha256(data))})
		if answer.status == 200:
			self.confirmed.add(sha256(data))
		return answer

	def whole(self, seq):
		answer = self.create(seq, self.sounds[seq])
		if answer.status == 201:
			self.confirmed.add(sha256(self.sounds[seq]))
		return answer.status in (200, 201)

	def in_pieces(self, seq):
		data = self.sounds[seq]
		answer = self.create(seq, None)
		if answer.status != 201:
			return answer.status == 200
		place = answer.headers["Location"].removeprefix(API)
		for at in range(0, len(data), len(data) // 2):
			answer = self.ask("PATCH", place, data[at:at + len(data) // 2],
				{**TUS, **BYTES, "Upload-Offset": str(at)})
			if answer.status != 204:
				return False
		self.confirmed.add(sha256(data))
		return True


class DiskCase(Case):
	"""A server as after pairing, a box that is about to visit it, and strace."""

	@classmethod
	def setUpClass(cls):
		super().setUpClass()
		cls.server = Server(arguments=["--plain"])
		cls.addClassCleanup(cls.server.close)
		cls.server.start()
		admin = Person(cls.server)
		admin.join(cls.server.link, coach=True)
		cls.box = BoxSide(cls.server, admin)
		dice = random.Random(5)
		cls.sounds = [dice.randbytes(3000 + i) for i in range(3)]
		cls.box.add_boot(wall_ns=10**18)
		_, cls.seqs = cls.box.add_lesson(SCHEME, 10**9,
			presses=[(i * 10**9, "questioning") for i in range(6)],
			sounds=[(i * 10**9, (i + 1) * 10**9, data) for i, data in enumerate(cls.sounds)],
			end_ns=60 * 10**9)
		cls.server.stop()
		cls.fresh = os.path.join(cls.server.folder, "fresh")
		shutil.copytree(cls.server.data, cls.fresh)

	def begin(self, *inject):
		"""The server as after pairing, with strace beside it."""
		shutil.rmtree(self.server.data)
		shutil.copytree(self.fresh, self.server.data)
		self.strace_log = os.path.join(self.server.folder, "strace")
		self.server.wrapper = ["strace", "-D", "-f", "-o", self.strace_log, "-e",
			f"trace={SYNCS},{CHANGES}"]
		for one in inject:
			self.server.wrapper += ["-e", "inject=" + one]
		self.box.close()
		self.box.connection = None
		try:
			self.server.start()
			return True
		except Failed: # hit before it answered
			self.server.kill()
			return False

	def hit(self):
		"""Whether a call was refused."""
		with open(self.strace_log, encoding="utf-8", errors="replace") as log:
			return "INJECTED" in log.read()

	def visit(self):
		return Visit(self.box, self.seqs, self.sounds)

	def start_plainly(self):
		self.server.kill()
		self.server.wrapper = []
		self.box.close()
		self.box.connection = None
		self.server.start()

	def judge(self, visit, what):
		"""All that was confirmed is there, and the rest comes after all."""
		seen = visit.look()
		self.assertEqual(seen.status, 200, what)
		self.assertGreaterEqual(seen.json["kept"], visit.kept, what)
		self.assertLessEqual(visit.confirmed, set(self.server.blobs()), what)
		missing = {sha256(visit.sounds[seq]) for seq in seen.json["snippets"]["missing"]}
		self.assertFalse(missing & visit.confirmed, what)
		self.assertTrue(self.visit().run(), what)
		with self.server.database() as database:
			rows = database.execute("SELECT seq, t_ns, code FROM entry WHERE journal = ?"
				" ORDER BY seq", (self.box.journal_id,)).fetchall()
			self.assertEqual(rows, [(line["seq"], line["t_ns"], line.get("code", ""))
				for line in self.box.entries], what)
			self.assertEqual(database.execute("PRAGMA integrity_check").fetchall(), [("ok",)], what)
			self.assertEqual(database.execute("SELECT COUNT(*) FROM observation").fetchall(),
				[(1,)], what)
		self.assertEqual(self.server.blobs(), sorted(map(sha256, self.sounds)), what)
		for name in self.server.blobs():
			with open(os.path.join(self.server.data, "blobs", name[:2], name), "rb") as kept:
				self.assertEqual(sha256(kept.read()), name, what)


class Disk(DiskCase):
	def steps(self, calls, how, most, stride=1):
		"""One run for each Nth call of a thread, until one comes through untouched."""
		n, self.was_hit = 1, True
		while self.was_hit:
			yield n, self.begin(f"{calls}:{how}:when={n}")
			n += 1 if DENSE else stride
			self.assertLess(n, most)

	def survives(self, visit):
		"""The visit, up to its end or the server's."""
		try:
			self.assertTrue(visit.run(), visit.troubles)
			return True
		except (OSError, http.client.HTTPException):
			self.assertEqual(self.server.process.wait(DEADLINE_S), -signal.SIGKILL)
			return False

	def test_killed_at_every_sync(self):
		kills = 0
		for n, up in self.steps(SYNCS, "signal=KILL", 200):
			visit = self.visit()
			self.was_hit = not up or not self.survives(visit)
			kills += self.was_hit
			self.start_plainly()
			self.judge(visit, f"killed at sync {n}")
			self.server.stop()
		self.assertGreater(kills, 10)

	def test_killed_at_changes_of_files(self):
		kills = 0
		for n, up in self.steps(CHANGES, "signal=KILL", 1000, stride=7):
			visit = self.visit()
			self.was_hit = not up or not self.survives(visit)
			kills += self.was_hit
			self.start_plainly()
			self.judge(visit, f"killed at change {n}")
			self.server.stop()
		self.assertGreater(kills, 5)

	def refused(self, calls, error, stride):
		hits = 0
		for n, up in self.steps(calls, "error=" + error, 1000, stride):
			visit = self.visit()
			for _ in range(5 if up else 0):
				if visit.run():
					break
			else:
				self.assertFalse(up, f"{error} at {n}: {visit.troubles}")
			self.assertLessEqual(set(visit.troubles), {500, 503, 507}, n)
			self.was_hit = self.hit()
			hits += self.was_hit
			self.start_plainly()
			self.judge(visit, f"{error} at {n}")
			self.server.stop()
		self.assertGreater(hits, 3)

	def test_a_sync_that_fails_confirms_nothing(self):
		self.refused(SYNCS, "EIO", 1)

	def test_a_full_disk_is_said_and_passes(self):
		self.refused("pwrite64", "ENOSPC", 5)


if __name__ == "__main__":
	unittest.main()
