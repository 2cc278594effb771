"""
Sync converges: whatever is cut, delayed, doubled, lied about or killed, after a
bounded number of runs box and server hold the same entries and the same sound,
and at no moment has anything left the box that the server had not.

CHALKBOX_SCHEDULES says how many random schedules are tried (200), CHALKBOX_SEED
which is the first. They take 0.4 s each; tests/run lets a file take as long as
CHALKBOX_TEST_SECONDS says.
"""
import contextlib
import hashlib
import os
import random
import re
import subprocess
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

from harness import DEADLINE_S, Case, Failed, say
from syncing import FINE, SOMEBODY, Proxy, Site, Station, same_rows

SCHEDULES = int(os.environ.get("CHALKBOX_SCHEDULES", "200"))
SEED = int(os.environ.get("CHALKBOX_SEED", "1"))
DEATHS = ("kill before", "kill after", "server dies before", "server dies after",
	"server dies amid")
HARMS = Proxy.HARMS + tuple(Proxy.LIES) + DEATHS
SAY_EACH = 100 # schedules
REACH = 45 # requests among which harm is done


class Schedule:
	"""One box, one seed: what is recorded, what is harmed, and when."""

	def __init__(self, seed, site):
		self.seed, self.site = seed, site
		self.chance = random.Random(seed)
		self.lock = threading.Lock()
		n = self.chance.randint(2, 14)
		self.harms = {self.chance.randrange(REACH): self.chance.choice(HARMS)
			for _ in range(n)}
		self.growths = self.chance.randint(0, 2)
		self.runs = 0
		self.station = Station(name=f"box-{seed}")
		self.proxy = Proxy(site.server.port, self.harm, self.die, random.Random(seed))

	def close(self):
		self.proxy.close()
		self.station.close()

	def harm(self, number, method, path):
		return self.harms.get(number)

	def die(self, harm):
		with self.lock:
			if harm.startswith("kill"):
				self.station.kill()
			else:
				time.sleep(self.chance.random() * 0.005)
				with contextlib.suppress(Failed): # it is seen by the schedule
					self.site.restart()

	def grow(self):
		self.station.grow(1, events=self.chance.randint(0, 8), snippets=self.chance.randint(1, 3),
			sizes=self.chance.choice(((1, 5_000), (20_000, 60_000), (270_000, 400_000))),
			chance=self.chance)

	def check_server(self):
		"""Whom nobody killed lives, and whom we killed is up again."""
		with self.lock:
			process = self.site.server.process
			if process is None or process.poll() is not None:
				raise Failed(f"the server ended with {process and process.returncode}:\n"
					f"{self.site.server.log()[-4000:]}")

	def check_nothing_left_early(self):
		"""What is not on the box is on the server, and the journal says so."""
		files, gone = self.station.files(), self.station.gone()
		for seq, data in self.station.sounds.items():
			if seq in files:
				if files[seq] != data:
					raise Failed(f"snippet {seq} was changed on the box")
				continue
			if self.site.sound(gone.get(seq)) != data:
				raise Failed(f"snippet {seq} left the box before the server had it")

	def play(self):
		"""All of it; how many runs it took."""
		self.station.pair(self.site.server.url, self.site.code())
		self.station.move(self.proxy.url)
		self.grow()
		most = 2 * len(self.harms) + 2 * self.growths + 6
		while True:
			harms = len(self.proxy.done)
			done = self.station.sync()
			# a server that was told what is not so may say no, and the run calls for somebody
			lied = any(harm in Proxy.LIES for harm in self.proxy.done[harms:])
			self.runs += 1
			self.check_server()
			self.check_nothing_left_early()
			if done.returncode == FINE:
				if self.growths:
					self.growths -= 1
					self.grow()
				elif not self.station.files() and same_rows(self.station.rows(),
						self.site.rows(self.station.id)): # the rule lets all sound go
					break
			elif done.returncode == SOMEBODY and not lied:
				raise Failed(f"sync called for somebody:\n{done.stderr}")
			if self.runs > most:
				raise Failed(f"not done after {self.runs} runs:\n{done.stderr}")
		self.proxy.deliver() # what comes when all is over changes nothing either
		if not same_rows(self.station.rows(), self.site.rows(self.station.id)):
			raise Failed("what came late changed what the server keeps")
		for seq, data in self.station.sounds.items():
			if self.site.sound(hashlib.sha256(data).hexdigest()) != data:
				raise Failed(f"the server lacks the sound of {seq}")
		return self.runs


class Convergence(Case):
	def test_box_and_server_agree_after_any_harm(self):
		site = Site()
		self.addCleanup(site.close)
		site.rules(days_on_box=0)
		runs, harms, late = [], {}, 0
		for seed in range(SEED, SEED + SCHEDULES):
			schedule = Schedule(seed, site)
			try:
				runs.append(schedule.play())
				late += schedule.proxy.delivered
				for harm in schedule.proxy.done:
					harms[harm] = harms.get(harm, 0) + 1
			except Exception as error:
				raise Failed(f"seed {seed}, {schedule.harms}, done {schedule.proxy.done}: "
					f"{error}") from error
			finally:
				schedule.close()
			if len(runs) % SAY_EACH == 0:
				say(f"{len(runs)} of {SCHEDULES} schedules")
		say(f"| {len(runs)} schedules, {sum(harms.values())} harms, {late} requests delivered "
			f"late, {sum(runs)} runs, at most {max(runs)} each; seeds {SEED} to "
			f"{SEED + SCHEDULES - 1}")
		if SCHEDULES >= 200:
			self.assertEqual(sorted(harms), sorted(HARMS))
			self.assertGreater(late, 0)


class EveryStep(Case):
	"""A run, or the server below it, killed at each of its writes, one after the other."""

	OF_SYNC = ("fsync", "fdatasync", "renameat", "rename", "unlinkat", "sendto", "pwrite64")
	OF_SERVER = ("fsync", "fdatasync", "renameat", "renameat2", "rename", "linkat", "unlinkat",
		"pwrite64")

	def trace(self, call, when):
		return ("strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={call}", "-e",
			f"inject={call}:signal=SIGKILL:when={when}")

	def station(self, site):
		station = Station()
		self.addCleanup(station.close)
		station.pair(site.server.url, site.code())
		return station.grow(1, events=2, snippets=2, sizes=(1, 3000))

	def check_kept(self, station, site):
		files, gone, kept = station.files(), station.gone(), site.sounds()
		for seq, data in station.sounds.items():
			if seq not in files:
				self.assertEqual(kept.get(gone.get(seq)), data)

	def check_agreed(self, station, site):
		station.sync(expect=FINE)
		station.sync(expect=FINE)
		self.assertTrue(same_rows(station.rows(), site.rows(station.id)))
		self.assertEqual(station.files(), {})
		station.close()

	def test_a_run_killed_at_any_write_of_its_own_converges(self):
		site = Site()
		self.addCleanup(site.close)
		site.rules(days_on_box=0)
		kills = 0
		for call in self.OF_SYNC:
			for when in range(1, 60):
				station = self.station(site)
				done = station.sync(wrapper=self.trace(call, when))
				self.check_kept(station, site)
				if done.returncode == FINE:
					station.close()
					break
				kills += 1
				self.check_agreed(station, site)
		self.assertGreater(kills, 20)
		say(f"| sync killed at {kills} of its calls")

	def test_a_server_killed_at_any_write_of_its_own_converges(self):
		site = Site()
		self.addCleanup(site.close)
		site.rules(days_on_box=0)
		kills = 0
		for call in self.OF_SERVER:
			for when in range(1, 80):
				station = self.station(site)
				tracer = subprocess.Popen([*self.trace(call, when), "-p",
					str(site.server.process.pid)], stderr=subprocess.DEVNULL)
				self.wait_traced(site.server.process.pid)
				done = station.sync()
				died = site.server.process.poll() is not None
				tracer.terminate()
				tracer.wait()
				if died:
					kills += 1
					site.restart()
				self.check_kept(station, site)
				if not died:
					self.assertEqual(done.returncode, FINE, done.stderr)
					station.close()
					break
				self.check_agreed(station, site)
		self.assertGreater(kills, 20)
		say(f"| server killed at {kills} of its calls")

	def wait_traced(self, pid):
		"""Until each of its threads is traced."""
		def all_traced():
			for thread in os.listdir(f"/proc/{pid}/task"):
				with open(f"/proc/{pid}/task/{thread}/status", encoding="ascii") as file:
					if "TracerPid:\t0\n" in file.read():
						return False
			return True
		deadline = time.monotonic() + DEADLINE_S
		while not all_traced():
			self.assertLess(time.monotonic(), deadline, "the server cannot be traced")
			time.sleep(0.01)


class ManyBoxes(Case):
	"""A whole school at the end of the day."""

	def test_ten_boxes_at_once_lose_nothing_and_the_server_stays_small(self):
		site = Site()
		self.addCleanup(site.close)
		stations = []
		for seed in range(10):
			station = Station(name=f"box-{seed}").grow(50, events=20, snippets=2,
				sizes=(20_000, 60_000), chance=random.Random(seed))
			self.addCleanup(station.close)
			station.pair(site.server.url, site.code())
			stations.append(station)
		before = self.memory(site, "VmRSS")
		begin = time.monotonic()
		with ThreadPoolExecutor(10) as pool:
			list(pool.map(lambda station: station.sync(expect=FINE, patience=60), stations))
		seconds = time.monotonic() - begin
		sounds = set(site.sounds().values())
		for station in stations:
			self.assertTrue(same_rows(station.rows(), site.rows(station.id)))
			self.assertTrue(sounds.issuperset(station.sounds.values()))
		most = self.memory(site, "VmHWM")
		say(f"| 10 boxes, 500 observations, {sum(s.seq for s in stations)} entries, "
			f"{len(sounds)} snippets in {seconds:.1f} s; server from {before >> 10} to at most "
			f"{most >> 10} MiB")
		self.assertLess(most, 128 << 10)

	def memory(self, site, what):
		with open(f"/proc/{site.server.process.pid}/status", encoding="ascii") as file:
			return int(re.search(rf"{what}:\s+(\d+) kB", file.read())[1])


if __name__ == "__main__":
	unittest.main()
