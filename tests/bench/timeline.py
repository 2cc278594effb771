#!/usr/bin/env python3
"""
How long a timeline of 1,000 events takes to open, from the request's first byte to
the answer's last, over a connection that stays open. Beside it, in turns, a file of
the same bytes from the same server: what is above it is sessions, rights, the note of
who looked, and the finding of the timeline. The first opening, which folds, is apart.
"""
import base64
import os
import random
import statistics
import sys
import tempfile
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../system"))
from harness import MORNING_NS, NS, ROOT, say # noqa: E402
from people import BoxSide, Person, Server # noqa: E402

EVENTS = 1000
LESSONS = 8
ROUNDS = 1000


def add_lesson(box, scheme, begin_ns, source):
	"""A lesson of 1,000 presses, 250 snippets, and the loudness of each minute."""
	lesson, start = str(uuid.uuid4()), len(box.entries) + 1
	box.add("observation_start", begin_ns, observation=start,
		body={"id": lesson, "scheme": scheme, "cause": "button"})
	for i in range(EVENTS):
		t_ns = begin_ns + i * 5 * NS
		code = source.choice(("questioning", "transition"))
		press = box.add("press", t_ns, observation=start, code=code)
		box.add("release", t_ns + NS // 10, observation=start, code=code, ref=press)
		if i % 4 == 0:
			box.add("snippet", t_ns, observation=start, body={"file": f"{start}-{i}.opus",
				"codec": "opus", "from_ns": t_ns, "to_ns": t_ns + 18 * NS, "bytes": 50000,
				"sha256": source.randbytes(32).hex(), "complete": True, "step_ms": 50,
				"peaks": base64.b64encode(source.randbytes(360)).decode()})
		if i % 12 == 0:
			box.add("loudness", t_ns, observation=start, body={"from_ns": t_ns, "step_ms": 100,
				"levels": base64.b64encode(source.randbytes(600)).decode()})
	box.add("observation_end", begin_ns + EVENTS * 5 * NS, observation=start,
		body={"cause": "button"})
	return lesson


def timed(ask):
	begin = time.perf_counter()
	answer = ask()
	took_ms = (time.perf_counter() - begin) * 1000
	assert answer.status == 200, answer
	return took_ms, answer


def at(share, times):
	return sorted(times)[min(int(share * len(times)), len(times) - 1)]


def measure(server, folder):
	administrator = Person(server)
	administrator.join(server.link)
	coach = administrator.invite("Coach", "coach")
	with open(os.path.join(ROOT, "app/scheme/default.scheme"), encoding="utf-8") as file:
		scheme = file.read()
	source = random.Random(1)
	box = BoxSide(server, coach)
	box.add_boot(MORNING_NS)
	lessons = [add_lesson(box, scheme, (60 + i * 6000) * NS, source) for i in range(LESSONS)]
	begin = time.perf_counter()
	box.bring(500)
	rate = len(box.entries) / (time.perf_counter() - begin)
	paths = [f"/observations/{lesson}/timeline" for lesson in lessons]
	first = [timed(lambda path=path: coach.get(path))[0] for path in paths]
	body = coach.get(paths[0]).body
	with open(os.path.join(folder, "same.json"), "wb") as file:
		file.write(body)
	ours, file_ms = [], []
	for i in range(ROUNDS):
		ours.append(timed(lambda: coach.get(paths[i % LESSONS]))[0])
		file_ms.append(timed(lambda: coach.send("GET", "/same.json"))[0])
	say(f"| a timeline of {EVENTS} events, {len(body) // 1024} KiB: p50 {at(0.5, ours):.2f} ms, "
		f"p99 {at(0.99, ours):.2f} ms; a file of the same bytes: p50 {at(0.5, file_ms):.2f} ms, "
		f"p99 {at(0.99, file_ms):.2f} ms; ratio of medians "
		f"{statistics.median(ours) / statistics.median(file_ms):.2f}; the first opening "
		f"{statistics.median(first):.0f} ms; {rate:.0f} entries/s came in")


def main():
	with tempfile.TemporaryDirectory() as folder:
		server = Server(arguments=["--static", folder])
		try:
			measure(server.start(), folder)
			server.stop()
		finally:
			server.close()


if __name__ == "__main__":
	main()
