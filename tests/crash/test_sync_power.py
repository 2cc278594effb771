"""
The box's side of sync against kills and power cuts: sound leaves the card only when
the server has confirmed it and the journal says so, pairing and notes are whole or
not there, and the next run goes on.

A run, a pairing, and a recorder that lets sound go are traced, their writes replayed
onto a model of a disk, and the power goes after each of them. And the recorder is
killed at each of its file operations while it lets sound go.

CHALKBOX_CRASH_POINTS=N takes N cuts of each sort instead of USUAL for the runs that
follow; "all", all.
"""
import contextlib
import json
import contextlib
import os
import random
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import crash # noqa: E402 (the path above leads to it)
import trace # noqa: E402
from harness import DEADLINE_S, KINDS, Case # noqa: E402
from syncing import FINE, UNPAIRED, Site, Station, same_rows # noqa: E402
from test_power import SEED # noqa: E402
from test_server_power import Disk, contents, lay_out # noqa: E402

USUAL = 16
TRACED = "fsync,fdatasync,pwrite64,write,/^rename,/^unlink,ftruncate,openat,recvfrom"
OF_RECORDER = ("pwrite64", "fsync", "fdatasync", "unlinkat", "sendto")
NOTES = ("config", "confirmed", "upload", "last")


def tracer(log):
	return ["strace", "-f", "-y", "-s", "1000000", "-o", log, "-e", "trace=" + TRACED]


@unittest.skipUnless(crash.have_strace(), "strace may not trace here")
class SyncCase(Case):
	def setUp(self):
		self.site = Site()
		self.addCleanup(self.site.close)
		self.log = os.path.join(self.folder(), "strace")

	def station(self, **more):
		station = Station(**more)
		self.addCleanup(station.close)
		station.pair(self.site.server.url, self.site.code())
		return station.grow(1, events=2, snippets=3, sizes=(1, 3000))

	def cuts(self, top, found, calls):
		"""
		After each call that changes the disk: (what was synced, that and some of the
		rest, hashes that the server had confirmed by then, what had been said).
		"""
		disk, source = Disk(top, found), random.Random(SEED)
		disk.top = top
		kept, said = set(), ""
		for call in calls:
			if call.name == "recvfrom":
				kept.update(re.findall("Chalkbox-Kept: ([0-9a-f]{64})", call.text))
			elif call.name == "write" and call.text.startswith("2<"):
				said += call.text
			elif disk.take(call):
				yield disk.cut(None), disk.cut(source), frozenset(kept), said

	def gone_of(self, path):
		"""{snippet: hash} that a journal lets go."""
		db = sqlite3.connect(path)
		try:
			if db.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
				raise sqlite3.DatabaseError("the journal is damaged")
			return {ref: json.loads(body)["sha256"] for ref, body in db.execute(
				"SELECT ref, body FROM entry WHERE kind = ?", (KINDS.index("gone"),))}
		finally:
			db.close()

	def left_early(self, image, station, kept):
		"""What of that box's sound is not on the card and should be; the first of it."""
		with tempfile.TemporaryDirectory() as folder:
			lay_out(image, station.folder, folder)
			try:
				gone = self.gone_of(os.path.join(folder, "state/journal.db"))
			except sqlite3.DatabaseError as error:
				return str(error)
			for seq, data in station.sounds.items():
				path = os.path.join(folder, "state/snippets", f"{seq}.opus")
				if os.path.exists(path):
					with open(path, "rb") as file:
						if file.read() != data:
							return f"the sound of {seq} was changed"
				elif seq not in gone:
					return f"the sound of {seq} is gone, and the journal does not say so"
				elif gone[seq] not in kept:
					return f"the sound of {seq} is gone, and the server had not confirmed it"
		return None

	def torn(self, image, station):
		"""A note, or the pairing, that is there in part."""
		for path, content in image.items():
			if path.startswith(station.memory + "/") and not path.endswith(".new") and \
					os.path.basename(path) in (*NOTES, "pairing") and not content.endswith(b"\n"):
				return f"{path} is torn: {content}"
		return None

	def losses(self, station, points):
		return [text for only_synced, by_chance, kept, _ in points
			for image in (only_synced, by_chance)
			if (text := self.left_early(image, station, kept) or self.torn(image, station))]

	def keep_server(self):
		"""The server as it is now, for each cut to meet."""
		self.site.server.kill()
		self.kept_server = os.path.join(self.folder(), "data")
		shutil.copytree(self.site.server.data, self.kept_server)
		self.site.restart()

	def server_as_kept(self, station=None):
		"""With the station: without the entries that it has not, and so cannot have sent."""
		self.site.server.kill()
		shutil.rmtree(self.site.server.data)
		shutil.copytree(self.kept_server, self.site.server.data)
		if station:
			self.only_what_it_has(station)
		self.site.restart()

	def only_what_it_has(self, station):
		with tempfile.TemporaryDirectory() as copy: # opening it would put it right
			for name in os.listdir(station.state):
				if name.startswith("journal.db"):
					shutil.copy(os.path.join(station.state, name), copy)
			with contextlib.closing(sqlite3.connect(os.path.join(copy, "journal.db"))) as db:
				last, = db.execute("SELECT max(seq) FROM entry").fetchone()
		path = os.path.join(self.site.server.data, "server.db")
		with contextlib.closing(sqlite3.connect(path)) as db:
			db.execute("DELETE FROM entry WHERE seq > ?", (last,))
			db.execute("UPDATE journal SET kept = min(kept, ?)", (last,))
			db.commit()

	def converge(self, station):
		station.sync(expect=FINE)
		station.sync(expect=FINE) # what that run itself gave rise to
		self.assertTrue(same_rows(station.rows(), self.site.rows(station.id)))
		self.assertEqual(station.files(), {})
		sounds = set(self.site.sounds().values())
		self.assertTrue(sounds.issuperset(station.sounds.values()))


class Runs(SyncCase):
	def traced(self):
		"""A run that brings everything and lets all sound go."""
		self.site.rules(days_on_box=0)
		station = self.station()
		found = contents(station.folder)
		station.sync(expect=FINE, wrapper=tracer(self.log))
		self.assertEqual(station.files(), {})
		return station, found, trace.calls(self.log)

	def test_a_power_cut_at_any_write_of_a_run_takes_no_sound_the_server_had_not(self):
		station, found, calls = self.traced()
		points = list(self.cuts(station.folder, found, calls))
		self.assertEqual(self.losses(station, points), [])
		self.assertEqual(len(points[-1][2]), len(station.sounds))
		self.keep_server()
		chosen = crash.thinned(points, crash.wanted_points(USUAL))
		for only_synced, by_chance, _, _ in chosen:
			for image in (only_synced, by_chance):
				lay_out(image, station.folder, station.folder)
				self.server_as_kept(station)
				self.converge(station)
		print(f"\n| power cut after {len(points)} changes of a run's disk, twice; "
			f"{2 * len(chosen)} runs on what was found", flush=True)

	def test_a_run_that_leaves_out_a_sync_is_seen(self):
		station, found, calls = self.traced()
		for what, place in (("the journal", r"/journal\.db-wal$"), ("a note", r"/last\.new$")):
			others = [call for call in calls if not (call.name in ("fsync", "fdatasync") and
				re.search(place, call.path))]
			self.assertLess(len(others), len(calls), what)
			self.assertTrue(self.losses(station, self.cuts(station.folder, found, others)), what)

	def test_a_run_that_removes_before_it_is_told_is_seen(self):
		station, found, calls = self.traced()
		deaf = [call for call in calls if "Chalkbox-Kept" not in call.text]
		self.assertLess(len(deaf), len(calls))
		self.assertTrue(self.losses(station, self.cuts(station.folder, found, deaf)))


class Pairings(SyncCase):
	def test_a_power_cut_at_any_write_of_a_pairing_leaves_it_whole_or_the_one_before(self):
		station = Station()
		self.addCleanup(station.close)
		station.grow(1, snippets=1)
		for before in (None, "the one before"):
			if before:
				before = station.pairing().encode()
			found = contents(station.folder)
			station.run("--pair", self.site.server.url, self.site.code(), expect=FINE,
				wrapper=tracer(self.log))
			after = station.pairing().encode()
			path = os.path.join(station.memory, "pairing")
			said = [0, 0]
			# the folders of a first pairing are made by it, and last with what is in them
			for only_synced, by_chance, _, text in self.cuts(station.folder, found,
					trace.calls(self.log)):
				for image in (only_synced, by_chance):
					self.assertIn(image.get(path), (before, after))
					said[image.get(path) == after] += 1
			self.assertTrue(all(said), said)
			final = Disk(station.folder, found)
			for call in trace.calls(self.log):
				if call.name == "write" and "paired with" in call.text:
					break
				final.take(call)
			self.assertEqual(final.cut(None).get(path), after, "said before it was kept")

	def test_a_box_whose_pairing_was_cut_off_is_paired_again(self):
		self.site.rules(days_on_box=0)
		station = Station()
		self.addCleanup(station.close)
		station.grow(1, snippets=1)
		found = contents(station.folder)
		station.run("--pair", self.site.server.url, self.site.code(), expect=FINE,
			wrapper=tracer(self.log))
		points = list(self.cuts(station.folder, found, trace.calls(self.log)))
		self.keep_server()
		for _, by_chance, _, _ in points:
			self.server_as_kept()
			lay_out(by_chance, station.folder, station.folder)
			if not os.path.exists(os.path.join(station.memory, "pairing")):
				station.sync(expect=UNPAIRED)
				station.pair(self.site.server.url, self.site.code())
			self.converge(station)


class LettingGo(SyncCase):
	"""The recorder, which is told what may go."""

	def paired(self):
		"""A recorder with all its sound on the server, and still on the card."""
		self.site.rules(days_on_box=30)
		box = self.box(start=False)
		station = self.station(folder=box.folder)
		station.sync(expect=FINE)
		self.assertEqual(station.files(), station.sounds)
		return box, station

	def hashes(self, station):
		return {row[0]: json.loads(row[8])["sha256"] for row in station.rows()
			if KINDS[row[3]] == "snippet"}

	def ask(self, box, station):
		"""Asks it to let all sound go, as sync does; how far it came."""
		done = 0
		with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as control:
			control.settimeout(DEADLINE_S)
			with contextlib.suppress(OSError): # it goes as we come
				control.connect(os.path.join(box.runtime, "control.sock"))
				for seq, sha256 in self.hashes(station).items():
					control.send(f"gone {seq} {sha256}".encode())
					if control.recv(512) != b"ok":
						break
					done += 1
		return done

	def check(self, station, least):
		"""The journal says so of all that is gone; and so many are."""
		files, gone = station.files(), station.gone()
		for seq, data in station.sounds.items():
			if seq not in files:
				self.assertEqual(self.site.sound(gone.get(seq)), data)
		self.assertGreaterEqual(len(gone), least)

	def again(self, box, station):
		"""The recorder anew; and sync, to whom it tells all."""
		box.wrapper = []
		box.start()
		self.check(station, 0)
		self.site.rules(days_on_box=0)
		self.converge(station)
		box.stop()

	def attach(self, box, call, when):
		"""It will be killed at that call."""
		tracing = subprocess.Popen(["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={call}",
			"-e", f"inject={call}:signal=KILL:when={when}", "-p", str(box.pid)],
			stderr=subprocess.DEVNULL)
		deadline = time.monotonic() + DEADLINE_S
		for thread in os.listdir(f"/proc/{box.pid}/task"):
			while True:
				with open(f"/proc/{box.pid}/task/{thread}/status", encoding="ascii") as file:
					if "TracerPid:\t0\n" not in file.read():
						break
				self.assertLess(time.monotonic(), deadline, "it cannot be traced")
				time.sleep(0.01)
		return tracing

	def test_a_recorder_killed_at_any_step_of_letting_go_loses_no_sound(self):
		kills = {}
		for call in OF_RECORDER:
			for when in range(1, 60):
				box, station = self.paired()
				box.start()
				tracing = self.attach(box, call, when)
				done = self.ask(box, station)
				killed = done < len(station.sounds)
				if killed:
					box.process.wait(DEADLINE_S)
					tracing.wait(DEADLINE_S)
				else:
					tracing.terminate()
					tracing.wait(DEADLINE_S)
					self.assertEqual(station.files(), {})
				box.kill()
				self.check(station, done)
				self.again(box, station)
				box.close()
				if not killed:
					break
				kills[call] = when
		# at least once for each sound
		self.assertEqual([call for call in ("fdatasync", "unlinkat", "fsync", "sendto")
			if kills.get(call, 0) < 3], [], kills)
		print(f"\n| the recorder killed at {sum(kills.values())} steps of letting sound go", flush=True)

	def test_a_power_cut_at_any_write_of_letting_go_loses_no_sound(self):
		box, station = self.paired()
		found = contents(station.folder)
		box.wrapper = crash.strace(log=self.log, also="openat", options=["-s", "1000000"])
		box.start()
		self.assertEqual(self.ask(box, station), len(station.sounds))
		box.kill()
		calls = trace.calls(self.log)
		kept = frozenset(self.hashes(station).values())
		points = [(*images, kept, said) for *images, _, said in
			self.cuts(station.folder, found, calls)]
		self.assertEqual(self.losses(station, points), [])
		missing = [sum(path.endswith(".opus") for path in images[0]) for images in points]
		self.assertEqual((max(missing), min(missing)), (len(station.sounds), 0))
		others = [call for call in calls if not (call.name in ("fsync", "fdatasync") and
			call.path.endswith("/journal.db-wal"))]
		self.assertTrue(self.losses(station, [(*images, kept, said) for *images, _, said in
			self.cuts(station.folder, found, others)]), "a journal that is not synced is seen")
		self.keep_server()
		# the changes of letting go are the last ones
		first = next(i for i, n in enumerate(missing) if n < len(station.sounds)) - 8
		chosen = crash.thinned(points[max(0, first):], crash.wanted_points(USUAL))
		for only_synced, by_chance, _, _ in chosen:
			for image in (only_synced, by_chance):
				self.server_as_kept()
				lay_out({path: content for path, content in image.items()
					if path.startswith(station.state + "/")}, station.state, station.state)
				self.again(box, station)
		print(f"\n| power cut after {len(points)} changes of the disk of a recorder that lets sound "
			f"go, twice; {2 * len(chosen)} starts on what was found", flush=True)


if __name__ == "__main__":
	unittest.main()
