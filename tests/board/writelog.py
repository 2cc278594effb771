"""
What a disk was told and in which order: the log that QEMU's blklogwrites driver
writes (in the format of Linux's dm-log-writes). And what such a disk may hold
after a power cut:

	write write FLUSH write write write | write FLUSH ...
	\\___ durable ___/ \\__ any of it __/  the cut

A disk may have written whatever it was told since the last flush, in any order,
or none of it; a request may have come through in part.
"""
import collections
import mmap
import os
import struct
import subprocess

MAGIC = 0x6a736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
SUPER = struct.Struct("<QQQI")
HEAD = struct.Struct("<QQQQ")
# What a disk may tear: nothing; a request between pages, or between a small file
# system's blocks. No less: ext4 counts on its superblock to be written whole.
GRAINS = (None, 4096, 1024)

# at, bytes: on the disk; data_at: in the log; end: where the next entry begins
Entry = collections.namedtuple("Entry", "at bytes flags data_at end")


class Log:
	"""The entries of a log that is not written any more."""

	def __init__(self, path):
		with open(path, "rb") as file:
			if os.fstat(file.fileno()).st_size < SUPER.size:
				raise ValueError(f"{path}: no write log, it is too short")
			self.bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
		magic, version, n, self.sector = SUPER.unpack_from(self.bytes)
		if magic != MAGIC or version != 1:
			raise ValueError(f"{path}: no write log of version 1")
		self.entries, at = [], self.sector
		for _ in range(n):
			entry = self._entry(path, at)
			self.entries.append(entry)
			at = entry.end

	def _entry(self, path, at):
		data_at = at + self.sector
		if data_at > len(self.bytes):
			raise ValueError(f"{path}: cut short after {len(self.entries)} entries")
		sector, n, flags, data_len = HEAD.unpack_from(self.bytes, at)
		bytes_ = n * self.sector
		inside = 0 if flags & DISCARD else data_len if flags & MARK else bytes_
		end = data_at + -(-inside // self.sector) * self.sector
		if end > len(self.bytes):
			raise ValueError(f"{path}: cut short after {len(self.entries)} entries")
		return Entry(sector * self.sector, 0 if flags & MARK else bytes_, flags, data_at, end)

	def __len__(self):
		return len(self.entries)

	def flushes(self):
		"""The number of entries up to each flush, itself included."""
		return [i + 1 for i, entry in enumerate(self.entries) if entry.flags & FLUSH]

	def data(self, entry):
		"""What it writes. What was discarded reads as zeros, as on most cards."""
		if entry.flags & DISCARD:
			return bytes(entry.bytes)
		return self.bytes[entry.data_at:entry.data_at + entry.bytes]


def count(path):
	"""
	How many entries there are in a log that is being written; with every flush, and
	as often as its log-super-update-interval says, it is brought up to date.
	"""
	with open(path, "rb", buffering=0) as file:
		head = file.read(SUPER.size)
	return SUPER.unpack(head)[2] if len(head) == SUPER.size else 0


class Disk:
	"""
	The disk while the log is replayed onto `image`, a copy of what it was like at
	the log's beginning; the file is changed. Goes forward only.
	"""

	def __init__(self, log, image):
		self.log, self.image = log, image
		self.durable = 0 # so many entries are in the image

	def _flushed(self, n):
		"""The entries that the last flush among the first n made durable."""
		for i in range(n - 1, self.durable - 1, -1):
			if self.log.entries[i].flags & FLUSH:
				return i + 1
		return self.durable

	def waiting(self, n):
		"""How many writes no flush has followed when n entries have been made."""
		return sum(entry.bytes > 0 for entry in self.log.entries[self._flushed(n):n])

	def cut(self, n, path, source=None):
		"""
		Makes `path` the disk after a cut when n entries have been made: what was
		flushed and, of the rest, what `source` (a random.Random) picks; None: nothing.
		"""
		if n < self.durable:
			raise ValueError("a replay does not go back")
		flushed = self._flushed(n)
		with open(self.image, "r+b", buffering=0) as file:
			for entry in self.log.entries[self.durable:flushed]:
				self._write(file, entry)
		self.durable = flushed
		subprocess.run(["cp", "--sparse=always", "--reflink=auto", self.image, path], check=True)
		if source is None and not any(e.flags & FUA for e in self.log.entries[flushed:n]):
			return
		with open(path, "r+b", buffering=0) as file:
			for entry in self.log.entries[flushed:n]:
				if entry.flags & FUA:
					self._write(file, entry)
				elif source is not None:
					self._write_some(file, entry, source)

	def _write(self, file, entry):
		if entry.bytes:
			os.pwrite(file.fileno(), self.log.data(entry), entry.at)

	def _write_some(self, file, entry, source):
		data, grain = self.log.data(entry), source.choice(GRAINS) or entry.bytes
		for i in range(0, entry.bytes, grain or 1):
			if source.random() < 0.5:
				os.pwrite(file.fileno(), data[i:i + grain], entry.at + i)
