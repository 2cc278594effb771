"""
What strace wrote, read: system calls in order, and a model of a disk that keeps
only what was synced, and nothing of what a failed sync was to write.
"""
import collections
import re

Call = collections.namedtuple("Call", "thread name path text result injected real_s stack")

WHOLE = re.compile(r"(\d+) +(?:(\d+\.\d+) )?(\w+)\((.*)$")
RESUMED = re.compile(r"(\d+) +(?:(\d+\.\d+) )?<\.\.\. (\w+) resumed>(.*)$")
UNFINISHED = " <unfinished ...>"
FRAME = re.compile(r" > (\S+)\(([^+]+)\+0x")
FD_PATH = re.compile(r"\d+<([^>]*)>")
ENDING = re.compile(r"^(.*)\) += +(.*)$")


def calls(log):
	"""
	The calls of a log written with -f -y, each when it was over. `stack` are the names
	of the program's functions, the inmost first; empty if it was written without -k.
	"""
	waiting, list_ = {}, []
	with open(log, encoding="utf-8", errors="replace") as file:
		for line in file:
			line = line.rstrip("\n")
			frame = FRAME.match(line)
			if frame and list_ and frame[1].endswith("/chalkboxd"):
				list_[-1].stack.append(frame[2])
			resumed = RESUMED.match(line)
			if resumed:
				thread, real_s, name, text = resumed.groups()
				text = waiting.pop(thread, "") + text
			else:
				whole = WHOLE.match(line)
				if not whole:
					continue
				thread, real_s, name, text = whole.groups()
				if text.endswith(UNFINISHED):
					waiting[thread] = text[:-len(UNFINISHED)]
					continue
			ending = ENDING.match(text)
			if ending:
				path = FD_PATH.match(text)
				list_.append(Call(thread, name, path[1] if path else "", ending[1],
					ending[2].split(" ")[0], "INJECTED" in ending[2],
					float(real_s or 0), []))
	return list_


DIRTY, SAFE, LOST = b"\1", b"\2", b"\3"
WORDS = {1: "not synced", 3: "lost"}


class Synced:
	"""Which bytes of a file would be on disk if the power went now."""

	def __init__(self):
		self.states = bytearray()

	def take(self, call):
		if call.name == "pwrite64" and call.result.isdigit():
			begin = int(call.text.rsplit(", ", 1)[1])
			end = begin + int(call.result)
			self.states.extend(bytes(max(0, end - len(self.states))))
			self.states[begin:end] = DIRTY * (end - begin)
		elif call.name in ("fdatasync", "fsync"):
			# after a failed one the kernel takes the pages for clean: they are lost
			self.states = self.states.replace(DIRTY, SAFE if call.result == "0" else LOST)
		elif call.name in ("unlink", "ftruncate"):
			self.states.clear()

	def unsafe(self):
		"""Words about the bytes that would not be there; None if all would."""
		for state, word in WORDS.items():
			n = self.states.count(state)
			if n:
				return f"{n} bytes from {self.states.index(state)} on are {word}"
		return None
