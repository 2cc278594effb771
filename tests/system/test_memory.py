"""What is heard and not kept stays in memory: not in a core dump, not in a swap."""
import os
import re
import resource
import unittest

from harness import BUILD, Case, noise, write_wav

CAP_IPC_LOCK = 14
RING_KIB = 60 * 16000 * 2 // 1024


def may_lock():
	with open("/proc/self/status", encoding="ascii") as file:
		able = int(re.search(r"CapEff:\s*(\w+)", file.read())[1], 16)
	return (able >> CAP_IPC_LOCK & 1 and os.geteuid() == 0) or \
		resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY


def read(pid, name):
	with open(f"/proc/{pid}/{name}", encoding="ascii") as file:
		return file.read()


class Memory(Case):
	def heard(self):
		box = self.box(start=False)
		box.wav = write_wav(os.path.join(box.folder, "heard.wav"), noise(16000 * 4, 1))
		box.start().wait_mic("live")
		return box

	def test_a_crash_leaves_no_core_dump(self):
		box = self.heard()
		limits = re.search(r"Max core file size\s+(\S+)\s+(\S+)", read(box.pid, "limits"))
		self.assertEqual(limits.groups(), ("0", "0"))
		box.stop()

	@unittest.skipUnless(may_lock(), "this user may not lock memory")
	@unittest.skipIf("san" in os.path.basename(BUILD), "sanitizers do not lock memory")
	def test_the_ring_is_not_swapped_out(self):
		box = self.heard()
		locked = int(re.search(r"VmLck:\s*(\d+) kB", read(box.pid, "status"))[1])
		self.assertGreater(locked, RING_KIB)
		box.stop()


if __name__ == "__main__":
	unittest.main()
