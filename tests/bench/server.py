#!/usr/bin/env python3
"""
A day of one box (day.py). How fast the server takes sound in, of 4 KiB and of 256 KiB,
over 16 connections: beside @tus/server, which does not sync, and nginx DAV, which
neither syncs nor verifies, in turns on the same disk. And entries in batches of 500,
beside bare SQLite inserts of the same rows in the same transactions, just as durable.

Nothing is removed before the end of it all: ext4 without a journal steps over each
inode that was freed in the last five minutes when it makes a file, so that the next
one in turn would pay for what its forerunner left. For the same reason, measure there
when nothing else has removed many files lately.
"""
import base64
import contextlib
import hashlib
import json
import os
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../system"))
from day import NGINX, bench_day # noqa: E402
from harness import BUILD, ROOT, Failed, say # noqa: E402
from people import BoxSide, Person, Server, free_port # noqa: E402

CONNECTIONS = 16
SIZES = ((4096, 1500), (262_144, 250))
ROUNDS = 5
ENTRIES = 20_000
TUS = os.path.join(ROOT, "build/npm/tus/node_modules")
POSTS = os.path.join(BUILD, "tests/bench/posts")


def coded(text):
	return base64.b64encode(str(text).encode()).decode()


def write_requests(path, requests):
	with open(path, "wb") as file:
		for head, body in requests:
			whole = head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body
			file.write(b"%08d" % len(whole) + whole)


def run(port, path, connections=CONNECTIONS):
	"""Seconds of the whole, ms of the 99th of a hundred."""
	done = subprocess.run([POSTS, str(port), str(connections), path], stdout=subprocess.PIPE,
		check=True)
	return tuple(map(float, done.stdout.split()))


class Ours:
	"""A server with a box whose journal tells of every sound to come."""

	def __init__(self, later, sounds=()):
		self.server = Server(arguments=["--plain"])
		later.callback(self.server.close)
		self.server.start()
		admin = Person(self.server)
		admin.join(self.server.link, coach=True)
		self.box = BoxSide(self.server, admin)
		self.port = self.server.port
		self.box.add_boot()
		self.seqs = {data: self.box.add("snippet", i, body={"file": f"{i}.opus", "codec": "opus",
			"from_ns": 1, "to_ns": 2, "bytes": len(data), "complete": True,
			"sha256": hashlib.sha256(data).hexdigest()}) for i, data in enumerate(sounds)}
		if sounds:
			self.box.bring()

	def head(self, method, path, **headers):
		return "".join([f"{method} {path} HTTP/1.1\r\nHost: x\r\n",
			f"Authorization: Bearer {self.box.token}\r\n",
			*(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())])

	def request(self, data):
		return self.head("POST", "/api/v1/uploads", Tus_Resumable="1.0.0", Upload_Length=len(data),
			Content_Type="application/offset+octet-stream",
			Upload_Metadata=f"journal {coded(self.box.journal_id)},seq {coded(self.seqs[data])},"
				f"sha256 {coded(hashlib.sha256(data).hexdigest())}"), data

	def close(self):
		self.server.stop()


def folder_of(name, later):
	folder = tempfile.mkdtemp(prefix=name)
	later.callback(shutil.rmtree, folder, ignore_errors=True)
	return folder


class Tus:
	SCRIPT = """
import http from 'node:http'
import { Server } from '%(modules)s/@tus/server/dist/index.js'
import { FileStore } from '%(modules)s/@tus/file-store/dist/index.js'
const tus = new Server({ path: '/files', relativeLocation: true,
	datastore: new FileStore({ directory: '%(folder)s' }) })
const server = http.createServer((request, response) => tus.handle(request, response))
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
"""

	def __init__(self, later, sounds):
		self.folder = folder_of("tus-", later)
		script = os.path.join(self.folder, "server.mjs")
		with open(script, "w", encoding="ascii") as file:
			file.write(self.SCRIPT % {"modules": TUS, "folder": self.folder})
		self.process = subprocess.Popen(["node", script], stdout=subprocess.PIPE)
		line = self.process.stdout.readline()
		if not line.strip():
			raise Failed("@tus/server does not start")
		self.port = int(line)

	def request(self, data):
		return ("POST /files HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\n"
			f"Upload-Length: {len(data)}\r\nContent-Type: application/offset+octet-stream\r\n", data)

	def close(self):
		self.process.kill()
		self.process.wait()
		self.process.stdout.close()


class Nginx:
	def __init__(self, later, sounds):
		self.folder = folder_of("nginx-", later)
		os.chmod(self.folder, 0o777)
		os.mkdir(f"{self.folder}/put")
		os.chmod(f"{self.folder}/put", 0o777)
		self.port = free_port()
		with open(f"{self.folder}/conf", "w", encoding="ascii") as file:
			file.write(NGINX.format(folder=self.folder, port=self.port))
		self.process = subprocess.Popen(["nginx", "-c", f"{self.folder}/conf", "-e",
			f"{self.folder}/error"])
		self.n = 0
		while subprocess.run(["curl", "-s", "-o", os.devnull, f"http://127.0.0.1:{self.port}/"],
				check=False).returncode:
			if self.process.poll() is not None:
				raise Failed(open(f"{self.folder}/error", encoding="utf-8").read())
			time.sleep(0.02)

	def request(self, data):
		self.n += 1
		return f"PUT /{self.n} HTTP/1.1\r\nHost: x\r\n", data

	def close(self):
		self.process.terminate()
		self.process.wait()


def uploads(side, size, n, seed, later):
	"""Requests a second, ms of the 99th of a hundred."""
	dice = random.Random(f"{size} {seed}")
	sounds = [dice.randbytes(size) for _ in range(n)]
	site = side(later, sounds)
	path = os.path.join(folder_of("posts-", later), "requests")
	try:
		write_requests(path, map(site.request, sounds))
		seconds, p99_ms = run(site.port, path)
		return n / seconds, p99_ms
	finally:
		site.close()


def lesson(n):
	"""Rows as a lesson leaves them, most of them presses and releases."""
	rows = [{"seq": 1, "boot": 1, "t_ns": 0, "kind": "boot",
		"body": {"boot_id": "0f5a3c1e-9d2b-4c6f-8a17-2b3c4d5e6f70", "version": "0.1.0"}}]
	for seq in range(2, n + 1):
		if seq % 20 == 0:
			rows.append({"seq": seq, "boot": 1, "t_ns": seq * 10**8, "kind": "gap", "body":
				{"from_ns": seq * 10**8, "to_ns": seq * 10**8 + 5, "cause": "overrun"}})
		elif seq % 2:
			rows.append({"seq": seq, "boot": 1, "t_ns": seq * 10**8, "kind": "press",
				"code": "questioning"})
		else:
			rows.append({"seq": seq, "boot": 1, "t_ns": seq * 10**8, "kind": "release",
				"code": "questioning", "ref": seq - 1})
	return rows


def entries_ours(rows, later):
	site = Ours(later)
	path = os.path.join(folder_of("posts-", later), "requests")
	try:
		head = site.head("POST", f"/api/v1/box/entries?journal={site.box.journal_id}",
			Content_Type="application/x-ndjson")
		write_requests(path, ((head, "".join(json.dumps(row, separators=(",", ":")) + "\n"
			for row in rows[at:at + 500]).encode()) for at in range(0, len(rows), 500)))
		seconds = run(site.port, path, 1)[0]
		kept = site.box.request("GET", f"/box?journal={site.box.journal_id}").json["kept"]
		if kept != len(rows):
			raise Failed(f"{kept} of {len(rows)} are kept")
		return len(rows) / seconds
	finally:
		site.close()


def entries_bare(rows, later):
	base = sqlite3.connect(os.path.join(folder_of("bare-", later), "bare.db"), isolation_level=None)
	try:
		base.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE entry("
			"journal TEXT NOT NULL, seq BIGINT NOT NULL, boot BIGINT NOT NULL, t_ns BIGINT NOT NULL,"
			"kind INTEGER NOT NULL, observation BIGINT NOT NULL, code TEXT NOT NULL,"
			"ref BIGINT NOT NULL, value BIGINT NOT NULL, body TEXT, PRIMARY KEY(journal, seq))")
		journal = "0f5a3c1e-9d2b-4c6f-8a17-2b3c4d5e6f70"
		tuples = [(journal, row["seq"], 1, row["t_ns"], 5, 0, row.get("code", ""), row.get("ref", 0),
			0, json.dumps(row["body"], separators=(",", ":")) if "body" in row else None)
			for row in rows]
		begin = time.perf_counter()
		for at in range(0, len(tuples), 500):
			base.execute("BEGIN IMMEDIATE")
			base.executemany("INSERT INTO entry VALUES(?,?,?,?,?,?,?,?,?,?)", tuples[at:at + 500])
			base.execute("COMMIT")
		return len(rows) / (time.perf_counter() - begin)
	finally:
		base.close()


def verdict(ratio, goal):
	return f"{ratio:.2f} (goal {goal}, {'met' if ratio >= goal else 'MISSED'})"


def bench_uploads(later):
	others = [side for side, there in ((Tus, os.path.isdir(TUS) and shutil.which("node")),
		(Nginx, shutil.which("nginx"))) if there]
	for size, n in SIZES:
		turns = [[uploads(side, size, n, seed, later) for side in (Ours, *others)]
			for seed in range(ROUNDS)]
		ours, *rest = ([turn[i] for turn in turns] for i in range(1 + len(others)))
		said = f"| uploads of {size // 1024} KiB, verified and durable: " \
			f"{statistics.median(rate for rate, _ in ours):.0f}/s, " \
			f"p99 {statistics.median(p99 for _, p99 in ours):.1f} ms"
		for side, seen in zip(others, rest):
			ratio = statistics.median(a[0] / b[0] for a, b in zip(ours, seen))
			goal = {(Tus, 4096): 5, (Nginx, 262_144): 1}.get((side, size))
			name = "@tus/server" if side is Tus else "nginx DAV"
			said += f"; {name}, not durable, {statistics.median(rate for rate, _ in seen):.0f}/s, " \
				f"ratio {verdict(ratio, goal) if goal else f'{ratio:.2f}'}"
		say(said)


def bench_entries(later):
	rows = lesson(ENTRIES)
	turns = [(entries_ours(rows, later), entries_bare(rows, later)) for _ in range(ROUNDS)]
	ours, bare = (statistics.median(side) for side in zip(*turns))
	ratio = statistics.median(a / b for a, b in turns)
	say(f"| entries in batches of 500, checked and durable: {ours:.0f}/s; bare SQLite inserts "
		f"of the same rows: {bare:.0f}/s; ratio {verdict(ratio, 0.5)}")


if __name__ == "__main__":
	if not shutil.which("nginx"):
		say("| nginx DAV: skipped, there is no nginx (nginx-light)")
	with contextlib.ExitStack() as end:
		bench_day(end)
		bench_uploads(end)
		bench_entries(end)
