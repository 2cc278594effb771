"""A write log, made by hand and by QEMU itself, and the disks that come of it."""
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import writelog # noqa: E402 (the path above leads to it)

PAGE = 4096
DISK_PAGES = 32


class Case(unittest.TestCase):
	def setUp(self):
		self.folder = tempfile.mkdtemp(prefix="cb-")
		self.addCleanup(shutil.rmtree, self.folder)
		self.image, self.log_path = self.path("image"), self.path("log")
		with open(self.image, "wb") as file:
			file.truncate(DISK_PAGES * PAGE)

	def path(self, name):
		return os.path.join(self.folder, name)

	def disk(self):
		"""A replay that begins with an empty disk."""
		shutil.copy(self.image, self.path("replayed"))
		return writelog.Disk(writelog.Log(self.log_path), self.path("replayed"))

	def cut(self, disk, n, source=None):
		disk.cut(n, self.path("cut"), source)
		with open(self.path("cut"), "rb") as file:
			return file.read()


class ByHand(Case):
	def write_log(self, *entries, n=None):
		"""Each entry is (page, fill, pages, flags); a flush is ()."""
		with open(self.log_path, "wb") as file:
			file.write(struct.pack("<QQQI", writelog.MAGIC, 1, len(entries) if n is None else n,
				512).ljust(512, b"\0"))
			for entry in entries:
				page, fill, pages, flags = entry or (0, 0, 0, writelog.FLUSH)
				file.write(struct.pack("<QQQQ", page * 8, pages * 8, flags, 0).ljust(512, b"\0"))
				if not flags & writelog.DISCARD:
					file.write(bytes([fill]) * pages * PAGE)

	def pages(self, data):
		"""The fill of each page that is whole, None for a torn one, zeros left out."""
		pages = {i: set(data[i * PAGE:(i + 1) * PAGE]) for i in range(DISK_PAGES)}
		return {i: fill.pop() if len(fill) == 1 else None for i, fill in pages.items()
			if fill != {0}}

	def test_without_a_flush_nothing_is_certain(self):
		self.write_log((0, 1, 1, 0), (1, 2, 1, 0))
		self.assertEqual(self.pages(self.cut(self.disk(), 2)), {})

	def test_what_was_flushed_is_there_and_what_came_after_is_not(self):
		self.write_log((0, 1, 1, 0), (), (1, 2, 1, 0), (), (2, 3, 1, 0))
		disk = self.disk()
		self.assertEqual([self.pages(self.cut(disk, n)) for n in (1, 2, 3, 4, 5)],
			[{}, {0: 1}, {0: 1}, {0: 1, 1: 2}, {0: 1, 1: 2}])
		self.assertEqual(disk.waiting(5), 1)

	def test_of_the_rest_any_part_may_be_there_but_no_other(self):
		self.write_log((0, 1, 1, 0), (), (1, 2, 2, 0), (0, 3, 1, 0), (9, 9, 1, 0), ())
		seen = set()
		for seed in range(200):
			data = self.cut(self.disk(), 4, random.Random(seed))
			found = self.pages(data)
			self.assertIn(found.get(0), (1, 3, None))
			self.assertNotIn(9, found)
			self.assertEqual(set(data[PAGE:3 * PAGE]) - {0, 2}, set())
			seen.add((found.get(0), found.get(1, 0), found.get(2, 0)))
		for whole in ((1, 0, 0), (1, 2, 2), (3, 0, 0), (3, 2, 2), (1, 0, 2), (3, 2, 0)):
			self.assertIn(whole, seen)
		self.assertIn((None, None, None), seen) # torn between blocks

	def test_the_same_seed_makes_the_same_disk(self):
		self.write_log(*[(i, i + 1, 1, 0) for i in range(20)])
		self.assertEqual(self.cut(self.disk(), 20, random.Random(7)),
			self.cut(self.disk(), 20, random.Random(7)))

	def test_a_later_write_of_a_page_wins(self):
		self.write_log((0, 1, 1, 0), (0, 2, 1, 0), ())
		self.assertEqual(self.pages(self.cut(self.disk(), 3)), {0: 2})

	def test_forced_unit_access_needs_no_flush(self):
		self.write_log((0, 1, 1, 0), (1, 2, 1, writelog.FUA))
		self.assertEqual(self.pages(self.cut(self.disk(), 2)), {1: 2})

	def test_what_was_discarded_is_empty(self):
		self.write_log((0, 1, 4, 0), (), (1, 0, 2, writelog.DISCARD), ())
		self.assertEqual(self.pages(self.cut(self.disk(), 4)), {0: 1, 3: 1})

	def test_entries_behind_the_count_do_not_count(self):
		self.write_log((0, 1, 1, 0), (), (1, 2, 2, 0), n=2)
		log = writelog.Log(self.log_path)
		self.assertEqual((len(log), log.flushes(), writelog.count(self.log_path)), (2, [2], 2))

	def test_a_replay_does_not_go_back(self):
		self.write_log((0, 1, 1, 0), ())
		disk = self.disk()
		self.cut(disk, 2)
		with self.assertRaises(ValueError):
			self.cut(disk, 1)

	def test_what_is_no_log_is_refused(self):
		for content in (b"", b"x" * 4096):
			with open(self.log_path, "wb") as file:
				file.write(content)
			with self.assertRaisesRegex(ValueError, "no write log"):
				writelog.Log(self.log_path)
		self.write_log((0, 1, 1, 0), n=3)
		with self.assertRaisesRegex(ValueError, "cut short after 1 entries"):
			writelog.Log(self.log_path)


@unittest.skipUnless(shutil.which("qemu-io"), "there is no qemu-io")
class ByQemu(Case):
	def test_a_log_replayed_to_its_end_gives_the_disk(self):
		source = random.Random(1)
		commands = []
		for i in range(120):
			at = source.randrange(DISK_PAGES * 8 - 24)
			size = f"{at * 512} {source.randint(1, 24) * 512}"
			commands.append(source.choice([f"write -P {i + 1} {size}"] * 4 +
				[f"write -z {size}", "flush"]))
		shutil.copy(self.image, self.path("disk"))
		with open(self.log_path, "wb"):
			pass
		options = [option for command in commands for option in ("-c", command)]
		subprocess.run(["qemu-io", *options, "-c", "flush", "--image-opts",
			"driver=blklogwrites,file.driver=file,log.driver=file,"
			f"file.filename={self.path('disk')},log.filename={self.log_path}"],
			check=True, stdout=subprocess.DEVNULL)
		log = writelog.Log(self.log_path)
		self.assertGreaterEqual(len(log), len(commands))
		self.assertEqual(len(log), writelog.count(self.log_path))
		with open(self.path("disk"), "rb") as file:
			self.assertEqual(self.cut(self.disk(), len(log)), file.read())


if __name__ == "__main__":
	unittest.main()
