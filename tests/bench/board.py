"""
What the recorder costs on arm64, by the virtual board's own accounting, against the
plainest programs that do the same in the same guest at the same time: arecord on a
card of its own kind, opusenc on the same speech.

An emulated second is good as a ratio only: neither the seconds nor the milliwatts of a
real board can be read off it. Memory and bytes are what they would be there.

usage: board.py [--quick]     (a third of the time)
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, path) for path in ("tests/bench", "board/vm")]

import vm as board # noqa: E402 (the path above leads to it)
from bench import OPUSENC, Figure # noqa: E402

RATE_HZ = 48000
HOUR_S = 3600
SNIPPETS = 60 # a lesson's hour
WINDOW_S = 30 # of sound around a press that is alone
SPACED_S = 38 # from press to press: windows that do not meet
OURS, THEIRS = "chalkboxd", "rival"
ARECORD = ("arecord -q -D hw:Loopback,1,1 -f S16_LE -r 48000 -c 1 --period-time=100000 "
	"--buffer-time=2000000 /dev/null")
PLAY = ("sh -c 'while :; do aplay -q -B 4000000 -D hw:Loopback,0,{n} /root/lesson.wav; done'")
CPU_OF = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
	"used = resource.getrusage(resource.RUSAGE_CHILDREN); print(used.ru_utime + used.ru_stime)")


def sound(folder, seconds=None):
	path = os.path.join(folder, "sound.wav")
	subprocess.run(["sox", os.path.join(ROOT, "build/lesson/lesson.wav"), "-b", "16", "-c", "1",
		"-r", str(RATE_HZ), path, *(["trim", "30", str(seconds)] if seconds else [])], check=True)
	with open(path, "rb") as file:
		return file.read()


class Guest:
	def __init__(self, vm):
		self.vm = vm

	def text(self, path):
		return self.vm.get(path).decode()

	def cpu_s(self, unit):
		text = self.text(f"/sys/fs/cgroup/system.slice/{unit}.service/cpu.stat")
		return int(re.search(r"usage_usec (\d+)", text)[1]) / 1e6

	def written_bytes(self):
		"""What the state disk was given to write."""
		return int(self.text("/sys/block/vdb/stat").split()[6]) * 512

	def look(self, *units):
		"""Now, on the host's clock, what these units have used, what the disk was given."""
		self.vm.run("sync")
		return (board.now_ns() / 1e9, *(self.cpu_s(unit) for unit in units), self.written_bytes())

	def start(self, unit, command):
		self.vm.run(f"systemd-run -q --unit={unit} {command}", timeout=120)

	def memory_mib(self):
		pid = self.vm.run("systemctl show -P MainPID chalkboxd").out.strip()
		sizes = dict(re.findall(r"^(\w+):\s+(\d+) kB", self.text(f"/proc/{pid}/status") +
			self.text(f"/proc/{pid}/smaps_rollup"), re.M))
		peak = int(self.text("/sys/fs/cgroup/system.slice/chalkboxd.service/memory.peak"))
		return int(sizes["VmRSS"]) / 1024, int(sizes["Pss"]) / 1024, peak / 1024 / 1024

	def encoder_s(self, path):
		command = " ".join([*OPUSENC, path, "/tmp/rival.opus"])
		return float(self.vm.run(f"python3 -c '{CPU_OF}' {command}", timeout=600).out.split()[-1])

	def kept(self):
		"""Seconds of sound and bytes in all snippets."""
		out = self.vm.run("sqlite3 -readonly /var/lib/chalkbox/journal.db \"SELECT "
			"sum(json_extract(body, '$.to_ns') - json_extract(body, '$.from_ns')) / 1e9, "
			"sum(json_extract(body, '$.bytes')), count(*) FROM entry WHERE kind = 10\"").out
		seconds, size, n = out.strip().split("|")
		return float(seconds), int(size), int(n)


def difference(before, after):
	return [b - a for a, b in zip(before, after)]


def measure(vm, listen_s, presses):
	guest = Guest(vm)
	vm.wait_unit(OURS)
	vm.wait_lamp("red", 1, timeout=600)
	for n in (0, 1):
		guest.start(f"player{n}", PLAY.format(n=n))
	guest.start(THEIRS, ARECORD)
	started_ns = vm.press("5")
	vm.wait_lamp("green", 1, started_ns)
	# code that ran once is translated: encoding too, before anything is measured
	warm_ns = vm.press("1")
	board.sleep_until(warm_ns + (WINDOW_S + 15) * board.NS)

	before = guest.look(OURS, THEIRS)
	board.sleep_until(board.now_ns() + listen_s * board.NS)
	took_s, ours, theirs, listened_bytes = difference(before, guest.look(OURS, THEIRS))

	kept_before = guest.kept()
	before = guest.look(OURS)
	for _ in range(presses):
		pressed_ns = vm.press("1")
		board.sleep_until(pressed_ns + SPACED_S * board.NS)
	vm.wait_for(lambda: guest.kept()[2] - kept_before[2] >= presses, 300, "the snippets", 1)
	loud_s, loud, loud_bytes = difference(before, guest.look(OURS))
	kept_s, kept_bytes, _ = difference(kept_before, guest.kept())
	rss, pss, peak = guest.memory_mib()
	vm.run(f"systemctl stop {THEIRS} player0 player1")
	guest.encoder_s("/root/second.wav") # what the program's start costs
	encoder = guest.encoder_s("/root/minute.wav") - guest.encoder_s("/root/second.wav")

	listening, rival = ours / took_s, theirs / took_s
	encoding = (loud - listening * loud_s) / kept_s
	sound_s = SNIPPETS * WINDOW_S
	idle_bytes = listened_bytes / took_s
	lesson_bytes = idle_bytes * HOUR_S + SNIPPETS / presses * (loud_bytes - idle_bytes * loud_s)
	return [
		Figure("listening, of one processor", listening * 1e3, "ms/s", "arecord", rival * 1e3, 1.5),
		Figure("encoding a second of sound", encoding * 1e3, "ms/s", "opusenc",
			encoder / 59 * 1e3, 1.2),
		Figure("a lesson's hour, listening only", listening * HOUR_S, "s", "arecord",
			rival * HOUR_S, 1.5),
		Figure(f"a lesson's hour, {SNIPPETS} snippets", listening * HOUR_S + encoding * sound_s, "s",
			"arecord+enc", rival * HOUR_S + encoder / 59 * sound_s, 1.5),
		Figure("memory, a minute of sound in it", rss, "MiB", goal=16,
			note=f"proportional {pss:.1f}, peak of the service with the files it touched {peak:.1f}"),
		Figure("disk, an hour of listening only", idle_bytes * HOUR_S / 1e6, "MB"),
		Figure(f"disk, an hour with {SNIPPETS} snippets", lesson_bytes / 1e6, "MB", "the sound",
			kept_bytes / presses * SNIPPETS / 1e6),
	]


def main():
	parser = argparse.ArgumentParser(usage="board.py [--quick]")
	parser.add_argument("--quick", action="store_true")
	quick = parser.parse_args().quick
	why = board.why_not()
	if why:
		print(f"skipped: {why}")
		return
	with tempfile.TemporaryDirectory(prefix="cb-") as folder:
		files = {"/root/lesson.wav": sound(folder), "/root/minute.wav": sound(folder, 60),
			"/root/second.wav": sound(folder, 1)}
	with board.VM(files=files) as vm:
		figures = measure(vm, 30 if quick else 90, 1 if quick else 4)
		release = vm.run("uname -mr").out.strip()
		vm.power_off(300)
	load = " ".join(f"{one:.1f}" for one in os.getloadavg())
	print(f"| Chalkbox on the virtual board, Linux {release}; load of this machine {load}\n|")
	for figure in figures:
		print("| " + figure.row() + (f"  ({figure.note})" if figure.note else ""))
	print("|\n| The processor is emulated: its seconds are good as ratios only.")


if __name__ == "__main__":
	main()
