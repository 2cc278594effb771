"""Ten boxes come home at once: 50 observations each, to one server."""
import hashlib
import os
import random
import threading
import time
import unittest

from harness import MORNING_NS, NS, ROOT, SLOW, Case, say
from people import BoxSide, Person, Server

BOXES = 10
LESSONS = 50
SOUNDS = 2 # of each lesson
SOUND_BYTES = 6000
MEMORY_KIB_MOST = 32 * 1024 * (1 if SLOW == 1 else 8) # above what it has at rest

with open(os.path.join(ROOT, "app/scheme/default.scheme"), encoding="utf-8") as file:
	SCHEME = file.read()


class TenBoxes(Case):
	def memory_kib(self, word):
		with open(f"/proc/{self.server.process.pid}/status", encoding="ascii") as status:
			return int(next(line for line in status if line.startswith(word)).split()[1])

	def home(self, box, seed, done, failed):
		"""Brings lesson after lesson, some of it more than once, as cuts make it."""
		try:
			source = random.Random(seed)
			box.add_boot(MORNING_NS)
			for i in range(LESSONS):
				begin = (60 + i * 3000) * NS
				presses = [(at * NS, "questioning") for at in range(1, 2 + i % 5)]
				sounds = [(at * NS, (at + 9) * NS, source.randbytes(SOUND_BYTES))
					for at in range(0, 20 * SOUNDS, 20)]
				lesson, seqs = box.add_lesson(SCHEME, begin, presses, sounds, 100 * NS)
				box.bring(source.choice((7, 50, 500)))
				if source.random() < 0.3:
					box.bring_again(source.randrange(len(box.entries)))
				for seq, (_, _, data) in zip(seqs, sounds):
					for _ in range(1 + (source.random() < 0.2)):
						answer = box.bring_sound(seq, data)
						if answer.status not in (200, 201, 204):
							raise AssertionError(f"sound {seq}: {answer}")
				done.append((box, lesson, len(presses), sounds))
		except Exception as problem: # told by the test
			failed.append(problem)

	def test_nothing_is_lost_nothing_doubled_and_memory_is_bounded(self):
		self.server = Server()
		self.addCleanup(self.server.close)
		self.server.start()
		administrator = Person(self.server)
		administrator.join(self.server.link)
		coaches = [administrator.invite(f"Coach {i}", "coach") for i in range(BOXES)]
		boxes = [BoxSide(self.server, coach, f"box {i}") for i, coach in enumerate(coaches)]
		with open(f"/proc/{self.server.process.pid}/clear_refs", "w", encoding="ascii") as peak:
			peak.write("5") # of hashing passwords: not meant here
		at_rest = self.memory_kib("VmRSS")
		done, failed = [], []
		begin = time.monotonic()
		threads = [threading.Thread(target=self.home, args=(box, seed, done, failed))
			for seed, box in enumerate(boxes)]
		for thread in threads:
			thread.start()
		while any(thread.is_alive() for thread in threads): # people look meanwhile
			for coach in coaches[:2]:
				self.assertEqual(coach.get("/observations").status, 200)
			time.sleep(0.1)
		for thread in threads:
			thread.join()
		took = time.monotonic() - begin
		self.assertEqual(failed, [])
		self.assertEqual(len(done), BOXES * LESSONS)
		for coach, box in zip(coaches, boxes):
			state = box.request("GET", f"/box?journal={box.journal_id}").json
			self.assertEqual(state["kept"], len(box.entries))
			self.assertEqual(state["snippets"]["missing"], [])
			items = {item["id"]: item for item in coach.get("/observations").json["observations"]}
			theirs = {lesson: presses for owner, lesson, presses, _ in done if owner is box}
			self.assertEqual(len(theirs), LESSONS)
			self.assertEqual({lesson: item["events"] for lesson, item in items.items()}, theirs)
		grown = self.memory_kib("VmHWM") - at_rest
		entries = sum(len(box.entries) for box in boxes)
		self.server.stop()
		with self.server.database() as database:
			kept = dict(database.execute("SELECT journal, count(*) FROM entry GROUP BY journal"))
		self.assertEqual(kept, {box.journal_id: len(box.entries) for box in boxes})
		hashes = sorted(hashlib.sha256(data).hexdigest() for *_, sounds in done
			for _, _, data in sounds)
		self.assertEqual(self.server.blobs(), hashes)
		for folder, _, names in os.walk(os.path.join(self.server.data, "blobs")):
			for name in names:
				with open(os.path.join(folder, name), "rb") as blob:
					self.assertEqual(hashlib.sha256(blob.read()).hexdigest(), name)
		self.assertLess(grown, MEMORY_KIB_MOST)
		say(f"| ten boxes at once: {entries} entries and {len(hashes)} sounds in {took:.1f} s, "
			f"{grown // 1024} MiB more than at rest")


if __name__ == "__main__":
	unittest.main()
