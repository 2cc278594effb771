"""
The server against a real power cut, which takes what was not synced: a box's visit
is traced, its writes are replayed onto a model of a disk, and the power goes after
each of them. What the box had been told by then is in the folder that is found:
every entry, and of every sound its row, its name and its bytes.

CHALKBOX_CRASH_POINTS=N takes N cuts instead of all for the start of a server.
"""
import contextlib
import os
import random
import re
import shutil
import sqlite3
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import crash # noqa: E402 (the path above leads to it)
import trace # noqa: E402
from harness import Failed # noqa: E402
from test_power import SEED, File, strings # noqa: E402
from test_power import Disk as Folder # noqa: E402
from test_server import DiskCase, Visit, sha256 # noqa: E402

STARTS = 8
TRACED = "fsync,fdatasync,pwrite64,write,/^rename,/^unlink,ftruncate,openat,sendto,sendmsg"
FDS = re.compile(r"\d+<([^>]*)>")


class Disk(Folder):
	"""A folder and those in it, begun from what is there and synced."""

	def __init__(self, top, found):
		super().__init__(top)
		for path, content in found.items():
			file = File()
			file.write(0, content)
			file.sync()
			self.names[path] = self.kept[path] = file

	def take(self, call):
		if call.name.startswith("rename") and not call.result.startswith("-"):
			folders = FDS.findall(call.text) or ["", ""]
			old, new = map(os.path.join, folders, (name.decode() for name in strings(call.text)))
			file = self.names[old]
			self._change(new, file)
			self._change(old, None)
			return True
		return super().take(call)


class Noted(Visit):
	"""A visit that remembers what it had been told before each request."""

	def __init__(self, *arguments):
		super().__init__(*arguments)
		self.history = []

	def note(self):
		self.history.append((self.kept, frozenset(self.confirmed)))

	def ask(self, *arguments, **more):
		self.note()
		return super().ask(*arguments, **more)


def contents(top):
	found = {}
	for folder, _, names in os.walk(top):
		for name in names:
			with open(os.path.join(folder, name), "rb") as file:
				found[os.path.join(folder, name)] = file.read()
	return found


def lay_out(image, top, folder):
	"""The image of what was at `top`, in another folder."""
	shutil.rmtree(folder, ignore_errors=True)
	os.makedirs(folder)
	for path, content in image.items():
		path = os.path.join(folder, os.path.relpath(path, top))
		os.makedirs(os.path.dirname(path), exist_ok=True)
		with open(path, "wb") as file:
			file.write(content)


@unittest.skipUnless(crash.have_strace(), "strace may not trace here")
class Power(DiskCase):
	def trace(self):
		"""A visit with nothing wrong, in several pieces: its calls and what it was told."""
		self.begin()
		self.server.kill()
		found = contents(self.server.data)
		self.server.wrapper = ["strace", "-D", "-f", "-y", "-s", "1000000", "-o", self.strace_log,
			"-e", "trace=" + TRACED]
		self.server.start()
		visit = Noted(self.box, self.seqs, self.sounds)
		self.assertTrue(visit.run(), visit.troubles)
		visit.note()
		self.server.stop()
		self.server.wrapper = []
		return found, trace.calls(self.strace_log), visit

	def cuts(self, found, calls, visit):
		"""After each call that changes the disk: (image, image of chance, kept, sounds)."""
		disk, answers, source = Disk(self.server.data, found), 0, random.Random(SEED)
		for call in calls:
			if call.name.startswith("send"):
				answers += '"HTTP/1.1 ' in call.text
			elif disk.take(call):
				yield disk.cut(None), disk.cut(source), *visit.history[answers]
		if answers != len(visit.history) - 1:
			raise Failed(f"{answers} answers were traced, {len(visit.history) - 1} seen")

	@staticmethod
	def rows(path):
		with contextlib.closing(sqlite3.connect(path)) as database:
			if database.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
				raise sqlite3.DatabaseError("the database is damaged")
			return ([seq for seq, in database.execute("SELECT seq FROM entry ORDER BY seq")],
				{name for name, in database.execute("SELECT sha256 FROM blob")})

	def lost(self, image, kept, confirmed):
		"""What of that is not in the folder as it was found; the first of it."""
		with tempfile.TemporaryDirectory() as folder:
			lay_out(image, self.server.data, folder)
			try:
				seqs, known = self.rows(os.path.join(folder, "server.db"))
			except sqlite3.DatabaseError as error:
				return str(error)
			if seqs != list(range(1, len(seqs) + 1)) or len(seqs) < kept:
				return f"{kept} entries were confirmed, {seqs} are there"
			if not confirmed <= known:
				return f"of {len(confirmed)} sounds {len(confirmed - known)} are not known"
			for name in known: # the box is told that it need not send these
				path = os.path.join(folder, "blobs", name[:2], name)
				if not os.path.exists(path):
					return f"a sound is known and has no file: {name}"
				with open(path, "rb") as file:
					if sha256(file.read()) != name:
						return f"a sound is known and its bytes are others: {name}"
		return None

	def losses(self, points):
		return [text for only_synced, by_chance, *told in points
			for image in (only_synced, by_chance) if (text := self.lost(image, *told))]

	def test_a_power_cut_after_any_write_loses_nothing_that_was_confirmed(self):
		found, calls, visit = self.trace()
		points = list(self.cuts(found, calls, visit))
		self.assertEqual(self.losses(points), [])
		self.assertEqual(len(points[-1][3]), len(self.sounds))
		chosen = crash.thinned(points, crash.wanted_points(STARTS))
		for i, (_, by_chance, kept, confirmed) in enumerate(chosen):
			lay_out(by_chance, self.server.data, self.server.data)
			self.start_plainly()
			later = self.visit()
			later.kept, later.confirmed = kept, set(confirmed)
			self.judge(later, f"started after cut {i} of {len(chosen)}")
			self.server.stop()
		print(f"\n| power cut after {len(points)} changes of the server's disk, twice; "
			f"{len(chosen)} starts on what was found", flush=True)

	def test_a_server_that_leaves_out_a_sync_is_seen(self):
		found, calls, visit = self.trace()
		for what, place in (("a sound's bytes", r"/(blobs|uploads)/.*[0-9a-f-]{36,}$"),
				("a sound's name", r"/blobs/[0-9a-f]{2}$"), ("the database", r"/server\.db-wal$")):
			others = [call for call in calls if not (call.name in ("fsync", "fdatasync") and
				re.search(place, call.path))]
			self.assertLess(len(others), len(calls), what)
			self.assertTrue(self.losses(self.cuts(found, others, visit)), what)


if __name__ == "__main__":
	unittest.main()
