"""
What systemd is told: ready soon, alive only while every thread turns. A thread is
frozen as a debugger would, all others go on.
"""
import contextlib
import ctypes
import os
import select
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from harness import BUILD, DEADLINE_S, SLOW, Box, Case, noise, say, write_wav
from people import free_port
from syncing import Station

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
LIBC.ptrace.restype = ctypes.c_long
HEARD = noise(16000 * 4, 1)


def ptrace(request, tid):
	if LIBC.ptrace(request, tid, None, None) < 0:
		raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@contextlib.contextmanager
def frozen(tid):
	"""That thread stands still, and no other."""
	ptrace(PTRACE_SEIZE, tid)
	ptrace(PTRACE_INTERRUPT, tid)
	os.waitpid(tid, WALL)
	try:
		yield
	finally:
		ptrace(PTRACE_DETACH, tid)


def can_freeze():
	child = subprocess.Popen(["sleep", "60"])
	try:
		with frozen(child.pid):
			return True
	except OSError:
		return False
	finally:
		child.kill()
		child.wait()


def threads(pid):
	"""{name: tid}"""
	found = {}
	for tid in sorted(os.listdir(f"/proc/{pid}/task"), key=int): # the first is the loop
		with contextlib.suppress(FileNotFoundError, ProcessLookupError): # over already
			with open(f"/proc/{pid}/task/{tid}/comm", encoding="ascii") as file:
				found.setdefault(file.read().strip(), int(tid))
	return found


class Signs:
	"""The signs of life that came to a notify socket."""

	def __init__(self):
		self.times = []
		self.changed = threading.Condition()

	def listen(self, notify):
		def run():
			with contextlib.suppress(OSError):
				while True:
					text = notify.recv(4096)
					if not text:
						return
					if b"WATCHDOG=1" in text.split(b"\n"):
						with self.changed:
							self.times.append(time.monotonic())
							self.changed.notify_all()
		thread = threading.Thread(target=run, daemon=True)
		thread.start()
		return thread

	def wait_more(self, n):
		"""Until it gave so many signs more."""
		with self.changed:
			begun = len(self.times)
			return self.changed.wait_for(lambda: len(self.times) >= begun + n, DEADLINE_S)

	def wait_silence(self, seconds):
		"""Until none came for so long. False if they go on and on."""
		deadline = time.monotonic() + 10 * seconds
		with self.changed:
			last = time.monotonic()
			while time.monotonic() < deadline:
				self.changed.wait(0.05)
				last = max([last] + self.times[-1:])
				if time.monotonic() - last > seconds:
					return True
		return False


class Watched(Box):
	"""A box whose signs of life are looked at; `patience` is systemd's, in its time."""

	def __init__(self, patience, **more):
		super().__init__(env={"WATCHDOG_USEC": str(int(patience * 1e6))}, **more)
		self.signs = Signs()

	def _drain_notify(self):
		self._drainer = self.signs.listen(self.notify)


class Watchdog(Case):
	def watched(self, patience, **more):
		box = Watched(patience, **more)
		self.addCleanup(box.close)
		if more.get("wav") is None and "sound" not in more:
			box.wav = write_wav(os.path.join(box.folder, "heard.wav"), HEARD)
		return box.start()

	def freeze(self, pid, tid, signs, patience):
		self.assertTrue(signs.wait_more(2), "it gives no sign of life")
		with frozen(tid):
			self.assertTrue(signs.wait_silence(patience), "it says that it is alive")
		self.assertTrue(signs.wait_more(2), "it gives no sign of life any more")

	@unittest.skipUnless(can_freeze(), "threads cannot be stopped here")
	def test_a_frozen_thread_is_noticed_whichever_it_is(self):
		patience = 1.5 * SLOW
		box = self.watched(patience)
		box.wait_mic("live")
		self.assertEqual(set(threads(box.pid)), {"chalkboxd", "listener"})
		for name, tid in threads(box.pid).items():
			with self.subTest(name):
				self.freeze(box.pid, tid, box.signs, patience)
		box.stop()

	@unittest.skipUnless(can_freeze(), "threads cannot be stopped here")
	def test_presses_are_kept_while_the_listener_is_frozen(self):
		box = self.watched(60)
		box.wait_mic("live")
		with frozen(threads(box.pid)["listener"]):
			box.press("5", box.now() + 0.1)
			box.press("1", box.now() + 1.0)
			box.wait_entry("press", lambda entry: entry["code"] == "questioning")
		box.stop()
		box.check()

	def test_a_lost_microphone_is_shown_and_is_no_reason_to_start_anew(self):
		box = self.watched(7.5, speed=4, faults="unplug@1:600")
		box.wait_mic("lost")
		box.wait_lamp("amber", 1)
		self.assertTrue(box.signs.wait_more(3))
		self.assertEqual(box.lamp("red"), 0)
		box.stop()

	def test_a_muted_microphone_and_none_at_all_are_no_reason_to_start_anew(self):
		box = self.watched(7.5, speed=4)
		box.edge("mute", 1, box.now() + 0.1)
		box.wait_mic("muted")
		self.assertTrue(box.signs.wait_more(3))
		box.stop()
		box = self.watched(7.5, speed=4, sound=False)
		self.assertTrue(box.signs.wait_more(3))
		box.stop()


class Server(unittest.TestCase):
	@unittest.skipUnless(can_freeze(), "threads cannot be stopped here")
	def test_a_frozen_thread_of_the_server_is_noticed_whichever_it_is(self):
		patience = 6 * SLOW
		folder = tempfile.TemporaryDirectory(prefix="cs-")
		self.addCleanup(folder.cleanup)
		notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		self.addCleanup(notify.close)
		notify.bind(os.path.join(folder.name, "notify"))
		signs = Signs()
		signs.listen(notify)
		server = subprocess.Popen([os.path.join(BUILD, "chalkbox-server"), "--plain", "--data",
			os.path.join(folder.name, "data"), "--listen", f"127.0.0.1:{free_port()}"],
			env={**os.environ, "NOTIFY_SOCKET": notify.getsockname(),
				"WATCHDOG_USEC": str(int(patience * 1e6))},
			stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
		self.addCleanup(server.wait)
		self.addCleanup(server.kill)
		self.assertTrue(signs.wait_more(1), "it gives no sign of life")
		lasting = {name: tid for name, tid in threads(server.pid).items()
			if name != "MHD-connection"}
		self.assertEqual(len(lasting), 2, lasting) # the loop, and who takes connections
		for tid in lasting.values():
			self.assertTrue(signs.wait_more(2), "it gives no sign of life any more")
			with frozen(tid):
				self.assertTrue(signs.wait_silence(patience), "it says that it is alive")
		self.assertTrue(signs.wait_more(2), "it gives no sign of life any more")
		notify.shutdown(socket.SHUT_RDWR)


class Ready(unittest.TestCase):
	def start(self, station):
		"""How long the recorder takes until it is ready, and to end."""
		path = os.path.join(station.folder, "notify")
		notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		notify.bind(path)
		begin = time.monotonic()
		recorder = subprocess.Popen([os.path.join(BUILD, "chalkboxd"), "-c", station.config_path],
			env={**os.environ, "NOTIFY_SOCKET": path}, stderr=subprocess.PIPE)
		try:
			while select.select([notify], [], [], DEADLINE_S)[0]:
				if b"READY=1" in notify.recv(4096):
					return time.monotonic() - begin
			self.fail(f"not ready: {recorder.stderr.read()}")
		finally:
			recorder.terminate()
			recorder.wait()
			recorder.stderr.close()
			notify.close()
			os.unlink(path)

	def test_a_long_record_does_not_keep_a_box_from_being_ready(self):
		long, short = Station(), Station()
		self.addCleanup(long.close)
		self.addCleanup(short.close)
		long.grow(lessons=200, events=50, snippets=2, sizes=(10, 20)) # 20000 entries and more
		short.grow(lessons=1)
		with_long = min(self.start(long) for _ in range(3))
		with_short = min(self.start(short) for _ in range(3))
		say(f"\n| ready after {1000 * with_long:.0f} ms with {long.seq} entries, "
			f"{1000 * with_short:.0f} ms with {short.seq}")
		self.assertLess(with_long, 2 * SLOW)


if __name__ == "__main__":
	unittest.main()
