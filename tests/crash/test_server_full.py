"""
A small disk under the server, really filled: boxes are told so while people still
sign in, look and listen; at the last byte nothing that was confirmed is lost; and
with room again everything comes.

As a program, `test_server_full.py --disk FOLDER`: the story on the disk mounted there.
"""
import os
import random
import socket
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "system"))
sys.path.insert(0, HERE)

import harness # noqa: E402 (the path above leads to it)
from people import API, BoxSide, Person, Server # noqa: E402
from test_full import MIB, MOUNTED, expect, fill, private_mounts # noqa: E402
from test_server import SCHEME, sha256 # noqa: E402
from test_server_box import BYTES, LINES, TUS, metadata, until # noqa: E402

SOUNDS = 60 # of 1 MiB: more than fit
NS = 10**9


def equal(what, seen, wanted):
	expect(f"{what}: {seen!r}, not {wanted!r}", seen == wanted)


class Story:
	def __init__(self, folder):
		self.folder = folder
		self.server = Server(folder=folder, arguments=["--plain"]).start()
		self.coach = Person(self.server)
		self.coach.join(self.server.link, name="Coach", coach=True)
		self.teacher = self.coach.invite("Teacher", "teacher")
		self.box = BoxSide(self.server, self.coach)
		dice = random.Random(3)
		self.sounds = [dice.randbytes(MIB) for _ in range(SOUNDS)]
		self.box.add_boot(wall_ns=10**18)
		self.lesson, self.seqs = self.box.add_lesson(SCHEME, NS, [(NS, "questioning")],
			[(i * NS, (i + 1) * NS, data) for i, data in enumerate(self.sounds)], 90 * NS)
		self.box.bring()
		self.kept = {}

	def bring(self, i):
		answer = self.box.bring_sound(self.seqs[i], self.sounds[i])
		if answer.status in (200, 201):
			self.kept[self.seqs[i]] = sha256(self.sounds[i])
		else:
			equal("a sound without room", (answer.status, answer.error), (507, "full"))
			expect("it says when to come again", int(answer.headers["Retry-After"]) > 0)
		return answer.status

	def bring_entry(self):
		self.box.add("press", 100 * NS + len(self.box.entries), code="questioning")
		line = str(self.box.entries[-1]).replace("'", '"')
		answer = self.box.request("POST", f"/box/entries?journal={self.box.journal_id}",
			line.encode() + b"\n", LINES)
		if answer.status != 200:
			self.box.entries.pop()
		return answer.status

	def look(self):
		person = Person(self.server)
		equal("signing in", person.sign_in("Teacher").status, 200)
		for path in ("/session", "/observations", f"/observations/{self.lesson}",
				f"/observations/{self.lesson}/timeline", f"/audio/{self.lesson}/{self.seqs[0]}"):
			equal(path, person.get(path).status, 200)

	def missing(self):
		return set(self.box.request("GET", f"/box?journal={self.box.journal_id}")
			.json["snippets"]["missing"])

	def promise(self):
		"""Many uploads begin at once: together they are promised no more than there is."""
		before = os.statvfs(self.folder).f_bavail * os.statvfs(self.folder).f_frsize
		begun = []
		for seq, data in zip(self.seqs[1:], self.sounds[1:]):
			begun.append(socket.create_connection(("127.0.0.1", self.server.port)))
			begun[-1].settimeout(harness.DEADLINE_S)
			begun[-1].sendall((f"POST {API}/uploads HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\n"
				f"Authorization: Bearer {self.box.token}\r\nUpload-Length: {MIB}\r\n"
				f"Content-Type: {BYTES['Content-Type']}\r\nContent-Length: {MIB}\r\n"
				"Expect: 100-continue\r\nUpload-Metadata: "
				f"{metadata(self.box.journal_id, seq, sha256(data))}\r\n\r\n").encode())
		told = [one.recv(12) for one in begun]
		expect(f"what they are told: {set(told)}", set(told) == {b"HTTP/1.1 100", b"HTTP/1.1 507"})
		promised = told.count(b"HTTP/1.1 100") * MIB
		expect(f"{promised} bytes promised of {before}", promised + 16 * MIB <= before)
		for one in begun:
			one.close()
		until(lambda: not os.listdir(os.path.join(self.server.data, "uploads")), "their end")

	def tell(self):
		self.coach.patch(f"/observations/{self.lesson}", {"teacher": self.teacher.id})
		equal("the first sound", self.bring(0), 201)
		self.promise()
		begun = self.box.request("POST", "/uploads", None, {**TUS, "Upload-Length": str(MIB),
			"Upload-Metadata": metadata(self.box.journal_id, self.seqs[-1], sha256(self.sounds[-1]))})
		equal("an upload begun in time", begun.status, 201)

		# boxes alone: they stop by themselves
		last = next(i for i in range(1, SOUNDS) if self.bring(i) == 507)
		left = os.statvfs(self.folder).f_bavail * os.statvfs(self.folder).f_frsize
		expect(f"{left} bytes are left for people", 8 * MIB < left < 24 * MIB)
		self.look()

		# somebody else takes more
		fill(self.folder, "filler", 6 * MIB)
		equal("an entry", self.bring_entry(), 507)
		answer = self.box.request("PATCH", begun.headers["Location"].removeprefix(API),
			self.sounds[-1], {**TUS, **BYTES, "Upload-Offset": "0"})
		equal("going on with an upload", answer.status, 507)
		self.look()
		looks = self.teacher.get(f"/observations/{self.lesson}/looks").json["looks"]
		expect(f"looks are noted: {looks}", {look["what"] for look in looks} >= {"timeline", "audio"})

		# to the last byte
		signed_in = Person(self.server)
		signed_in.sign_in("Teacher")
		fill(self.folder, "filler2")
		equal("an entry at the last byte", self.bring_entry(), 507)
		equal("a sound at the last byte", self.bring(last), 507)
		for path in ("/session", "/observations"):
			equal(f"{path} at the last byte", signed_in.get(path).status, 200)
		for path in (f"/observations/{self.lesson}/timeline", f"/audio/{self.lesson}/{self.seqs[0]}"):
			status = signed_in.get(path).status # a look that cannot be noted is not given
			expect(f"{path} at the last byte: {status}", status in (200, 507))
		self.server.kill() # as a machine that is switched off in despair

		# room again
		os.unlink(os.path.join(self.folder, "filler"))
		os.unlink(os.path.join(self.folder, "filler2"))
		self.box.close()
		self.box.connection = None
		self.server.start()
		expect("what was confirmed is kept", not self.missing() & set(self.kept))
		expect("its bytes too", set(self.kept.values()) <= set(self.server.blobs()))
		equal("an entry", self.bring_entry(), 200)
		self.look()
		equal("the entries", self.box.request("GET", f"/box?journal={self.box.journal_id}")
			.json["kept"], len(self.box.entries))
		self.server.stop()
		print(f"\n| {len(self.kept)} MiB of sound confirmed on a full disk and kept; "
			f"{left // MIB} MiB stayed people's", flush=True)


def story(folder):
	told = Story(folder)
	try:
		told.tell()
	finally:
		told.server.close()


class FullDisk(harness.Case):
	def test_a_full_disk_stops_boxes_and_not_people(self):
		command, why = private_mounts()
		if command is None:
			self.skipTest(f"no file system can be mounted here: {why}")
		folder = self.folder()
		run = subprocess.run([*command, "sh", "-c", MOUNTED, folder, sys.executable, "-W",
			"ignore", "-u", os.path.abspath(__file__), "--disk", folder],
			capture_output=True, text=True, check=False)
		print(run.stdout, end="", flush=True)
		self.assertEqual(run.returncode, 0, run.stderr)


if __name__ == "__main__":
	if sys.argv[1:2] == ["--disk"]:
		story(sys.argv[2])
	else:
		unittest.main()
