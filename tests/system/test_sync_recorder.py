"""
Sync beside a recorder at work: it waits for the lesson's end, and the recorder
alone writes what comes of it.
"""
import os
import subprocess
import unittest

from harness import BUILD, Case
from syncing import FINE, LATER, SITE_SCHEME, Proxy, Site, Station, same_rows


class BesideTheRecorder(Case):
	def setUp(self):
		self.site = Site()
		self.addCleanup(self.site.close)
		self.box = self.station()

	def station(self):
		box = self.box_of_two_taps()
		self.chalkbox(box, "pair", self.site.server.url, self.site.code())
		return box

	def box_of_two_taps(self):
		memory = os.path.join(self.folder(), "sync")
		box = self.box(speed=20, config={"sync": {"state": memory}}, start=False)
		return box.start()

	def chalkbox(self, box, *arguments, expect=FINE):
		done = subprocess.run([os.path.join(BUILD, "chalkbox"), "--config", box.config_path,
			*arguments], env=box.environment(), capture_output=True, text=True, check=False,
			timeout=120)
		self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
		return done.stdout + done.stderr

	def lesson(self, box):
		"""A lesson of two taps, to its end and the last of its sound."""
		at = box.now() + 2
		n = len(box.entries("observation_end"))
		folder = os.path.join(box.state, "snippets")
		box.press("5", at)
		box.press("1", at + 5)
		box.press("1", at + 60)
		box.press("5", at + 100, hold=3)
		box.wait_for(lambda: len(box.entries("observation_end")) > n, "the lesson's end")
		box.wait_for(lambda: not any(name.endswith(".part") for name in os.listdir(folder)),
			"the last sound's name")

	def test_a_lesson_is_brought_over_while_the_recorder_runs(self):
		self.lesson(self.box)
		said = self.chalkbox(self.box, "sync")
		self.assertIn("2 snippets sent", said)
		sounds = self.site.sounds()
		for entry in self.box.entries("snippet"):
			with open(self.box.file_of(entry["body"]["file"]), "rb") as file:
				self.assertEqual(sounds[entry["body"]["sha256"]], file.read())
		self.box.check()

	def test_sync_waits_for_the_end_of_a_lesson_unless_told_otherwise(self):
		self.box.press("5", self.box.now() + 1)
		self.box.wait_entry("observation_start")
		self.assertIn("a lesson is being observed", self.chalkbox(self.box, "sync", expect=LATER))
		self.chalkbox(self.box, "sync", "--now")

	def test_the_recorder_lets_go_what_the_server_has(self):
		self.site.rules(days_on_box=0)
		self.lesson(self.box)
		self.chalkbox(self.box, "sync")
		gone = self.box.entries("gone")
		self.assertEqual([entry["ref"] for entry in gone],
			[entry["seq"] for entry in self.box.entries("snippet")])
		self.assertEqual({entry["boot"] for entry in gone}, {self.box.entries("boot")[-1]["seq"]})
		self.assertEqual(os.listdir(os.path.join(self.box.state, "snippets")), [])
		self.box.check()
		snippets = self.box.timeline()["snippets"]
		self.assertTrue(all(snippet["gone"] for snippet in snippets))
		self.assertIn("listen there", self.box.cli("play", "last", "1", check=False).stderr)
		self.lesson(self.box) # it goes on
		self.chalkbox(self.box, "sync")
		self.box.stop()

	def test_with_no_recorder_sync_writes_by_the_same_rules(self):
		self.site.rules(days_on_box=0)
		self.lesson(self.box)
		self.box.stop()
		self.chalkbox(self.box, "sync")
		self.assertEqual(os.listdir(os.path.join(self.box.state, "snippets")), [])
		self.box.check()
		self.box.start()
		self.lesson(self.box)
		self.chalkbox(self.box, "sync")
		self.box.check()

	def test_a_scheme_that_came_down_counts_from_the_next_lesson_on(self):
		self.site.rules(scheme=SITE_SCHEME)
		self.lesson(self.box)
		self.chalkbox(self.box, "sync")
		self.lesson(self.box)
		first, second = (entry["body"]["scheme"] for entry in self.box.entries("observation_start"))
		self.assertNotEqual(first, SITE_SCHEME)
		self.assertEqual(second, SITE_SCHEME)
		self.assertEqual({entry["code"] for entry in self.box.entries("press")
			if entry["observation"] == self.box.entries("observation_start")[1]["seq"]}, {"question"})
		self.box.stop()
		self.box.start() # and after a restart
		self.lesson(self.box)
		self.assertEqual(self.box.entries("observation_start")[2]["body"]["scheme"], SITE_SCHEME)

	def test_a_scheme_does_not_change_in_the_middle_of_a_lesson(self):
		self.site.rules(scheme=SITE_SCHEME)
		self.box.press("5", self.box.now() + 1)
		self.box.wait_entry("observation_start")
		self.chalkbox(self.box, "sync", "--now")
		at = self.box.now() + 2
		self.box.press("1", at)
		self.box.wait_entry("release")
		self.assertEqual(self.box.entries("press")[-1]["code"], "questioning")
		self.box.press("5", self.box.now() + 2, hold=3)
		self.box.wait_entry("observation_end")
		self.box.press("1", self.box.now() + 6)
		self.box.wait_entry("press", lambda entry: entry["code"] == "question")


class ALessonBegins(Case):
	"""In the midst of a run: it stops where it is, and the next one goes on."""

	def setUp(self):
		self.site = Site()
		self.addCleanup(self.site.close)
		self.box = self.box(speed=20, start=False)
		self.station = Station(folder=self.box.folder)
		self.station.pair(self.site.server.url, self.site.code())
		self.proxy = Proxy(self.site.server.port, self.look)
		self.addCleanup(self.proxy.close)
		self.station.move(self.proxy.url)
		self.awaited = None

	def look(self, number, method, path):
		"""Does no harm; when the request that is awaited comes, the lesson is opened."""
		if self.awaited and path.startswith("/api/v1" + self.awaited):
			self.awaited = None
			n = len(self.box.entries("observation_start"))
			self.box.press("5", self.box.now() + 1)
			self.box.wait_for(lambda: len(self.box.entries("observation_start")) > n, "the lesson")

	def posts(self, path):
		return sum(seen[0] == "POST" and seen[1].startswith("/api/v1" + path)
			for seen in self.proxy.seen)

	def begins_at(self, path):
		"""A run in which the lesson begins at the first request for that path."""
		self.awaited = path
		self.proxy.seen.clear()
		done = self.station.run("--patience", "0", expect=LATER)
		self.assertIsNone(self.awaited, "it never came so far")
		self.assertEqual(done.stderr.splitlines()[-1], "chalkbox-sync: a lesson is being "
			"observed; sync waits for its end (--now does not)")
		self.assertEqual(self.posts("/box/report"), 0)
		self.assertIn("a lesson is being observed", self.station.run("--status").stdout)

	def ends(self):
		"""The lesson; after it all is brought over."""
		n = len(self.box.entries("observation_end"))
		self.box.press("5", self.box.now() + 1, hold=3)
		self.box.wait_for(lambda: len(self.box.entries("observation_end")) > n, "the lesson's end")
		self.station.sync(expect=FINE)
		self.station.sync(expect=FINE) # what that run itself gave rise to
		self.assertTrue(same_rows(self.station.rows(), self.site.rows(self.station.id)))
		self.assertEqual(set(self.site.sounds().values()), set(self.station.sounds.values()))

	def test_sync_stops_between_two_batches_of_entries(self):
		self.station.grow(1, events=700, snippets=1)
		self.box.start()
		self.begins_at("/box/entries")
		self.assertEqual(self.posts("/box/entries"), 1)
		self.assertEqual(len(self.site.rows(self.station.id)), 500)
		self.assertEqual(self.site.sounds(), {})
		self.ends()

	def test_sync_stops_between_two_snippets(self):
		self.station.grow(1, snippets=4, sizes=(300_000, 300_000))
		self.box.start()
		self.begins_at("/uploads")
		self.assertEqual(self.posts("/uploads"), 1)
		self.assertEqual(len(self.site.sounds()), 1)
		self.ends()

	def test_sync_stops_after_the_small_snippets_that_go_at_a_time(self):
		self.station.grow(1, snippets=40, sizes=(1000, 2000))
		self.box.start()
		self.begins_at("/uploads")
		self.assertEqual(len(self.site.sounds()), 16)
		self.ends()

	def test_sync_stops_between_two_snippets_that_leave_the_box(self):
		self.station.grow(1, snippets=4)
		self.box.start()
		self.station.sync(expect=FINE)
		self.site.rules(days_on_box=0)
		self.begins_at("/uploads")
		self.assertEqual(len(self.station.gone()), 1)
		self.assertEqual(len(self.station.files()), 3)
		self.ends()
		self.assertEqual(self.station.files(), {})


if __name__ == "__main__":
	unittest.main()
