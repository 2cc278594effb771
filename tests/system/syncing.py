"""
A box's record without a recorder, the proxy that stands between it and its
server, and chalkbox-sync run between the two; for tests of sync.
"""
import base64
import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import uuid

from harness import BUILD, DEADLINE_S, KINDS, REPORTS, ROOT, Failed
from people import Person, Server

SCHEMA = """
PRAGMA page_size=1024; PRAGMA journal_mode=WAL; PRAGMA application_id=1128811595;
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE entry (seq INTEGER PRIMARY KEY, boot INTEGER NOT NULL, t_ns INTEGER NOT NULL,
 kind INTEGER NOT NULL, observation INTEGER NOT NULL, code TEXT NOT NULL,
 ref INTEGER NOT NULL, value INTEGER NOT NULL, body TEXT) STRICT;
PRAGMA user_version=1;
"""
FINE, SOMEBODY, LATER, UNPAIRED = 0, 1, 75, 77
S = 1_000_000_000
with open(os.path.join(ROOT, "app/scheme/default.scheme"), encoding="utf-8") as _file:
	SCHEME = _file.read()
SITE_SCHEME = """[scheme]
name = reading
title = Reading
[code lesson]
title = Lesson
kind = lesson
button = 5
[code question]
title = Question
kind = point
button = 1
"""


class Station:
	"""
	A box: `grow()` records more, `sync()` runs chalkbox-sync. Its journal is made
	by hand, as the recorder would have: lessons, presses, snippets of random bytes.
	"""

	def __init__(self, name="test", config="", folder=None):
		self.folder = folder or tempfile.mkdtemp(prefix="cy-")
		self.state = os.path.join(self.folder, "state")
		self.runtime = os.path.join(self.folder, "run")
		self.memory = os.path.join(self.folder, "sync")
		self.config_path = os.path.join(self.folder, "chalkbox.conf")
		os.makedirs(os.path.join(self.state, "snippets"))
		with open(self.config_path, "w", encoding="utf-8") as file:
			file.write(f"[box]\nname = {name}\nstate = {self.state}\nruntime = {self.runtime}\n"
				f"board = {ROOT}/board/sim.conf\n[sync]\nstate = {self.memory}\n{config}\n")
		self.sounds = {} # seq: bytes, all that was ever recorded
		self.t_ns = 1000 * S
		self.seq = self.boot = 0
		self.id = None

	def close(self):
		shutil.rmtree(self.folder, ignore_errors=True)

	# --- the record ---

	def database(self):
		db = sqlite3.connect(os.path.join(self.state, "journal.db"), timeout=DEADLINE_S,
			isolation_level=None)
		return contextlib.closing(db)

	def _add(self, db, kind, observation=0, code="", ref=0, value=0, body=None):
		self.seq += 1
		self.t_ns += S
		if kind == "boot":
			self.boot = self.seq
		db.execute("INSERT INTO entry VALUES (?,?,?,?,?,?,?,?,?)", (self.seq, self.boot, self.t_ns,
			KINDS.index(kind), observation or (self.seq if kind == "observation_start" else 0),
			code, ref, value, json.dumps(body, separators=(",", ":")) if body else None))
		return self.seq

	def grow(self, lessons=1, events=6, snippets=2, sizes=(3_000, 40_000), chance=random):
		"""Records so many lessons more."""
		with self.database() as db:
			if self.id is None:
				self.id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
				db.executescript(SCHEMA)
				db.execute("INSERT INTO meta VALUES ('id', ?)", (self.id,))
			# (sync may have written since)
			self.seq = db.execute("SELECT coalesce(max(seq), 0) FROM entry").fetchone()[0]
			db.execute("BEGIN IMMEDIATE")
			self._add(db, "boot", body={"boot_id": str(uuid.uuid4()), "version": "t", "box": "b"})
			self._add(db, "clock", value=1_747_213_200 * S + self.t_ns,
				body={"uncertainty_ns": 5_000_000, "trusted": True, "cause": "start"})
			for _ in range(lessons):
				self._lesson(db, events, snippets, sizes, chance)
			db.execute("COMMIT")
		return self

	def _lesson(self, db, events, snippets, sizes, chance):
		lesson = self._add(db, "observation_start", body={"id": str(uuid.uuid4()),
			"scheme": SCHEME, "cause": "button"})
		for _ in range(events):
			press = self._add(db, "press", lesson, "questioning")
			self._add(db, "release", lesson, "questioning", press)
		for _ in range(snippets):
			data = chance.randbytes(chance.randint(*sizes))
			file = f"{self.seq + 1}.opus"
			with open(os.path.join(self.state, "snippets", file), "wb") as sound:
				sound.write(data)
			seq = self._add(db, "snippet", lesson, body={"file": file, "codec": "opus",
				"from_ns": self.t_ns - 5 * S, "to_ns": self.t_ns, "bytes": len(data),
				"sha256": hashlib.sha256(data).hexdigest(), "complete": True, "step_ms": 100,
				"peaks": base64.b64encode(bytes(20)).decode()})
			self.sounds[seq] = data
		self._add(db, "observation_end", lesson, body={"cause": "button"})

	def rows(self):
		with self.database() as db:
			return db.execute("SELECT seq, boot, t_ns, kind, observation, code, ref, value, body "
				"FROM entry ORDER BY seq").fetchall()

	def gone(self):
		"""The snippets that the journal lets go: {seq: sha256}."""
		return {row[6]: json.loads(row[8])["sha256"] for row in self.rows()
			if KINDS[row[3]] == "gone"}

	def files(self):
		"""The snippets whose file is there: {seq: bytes}."""
		found = {}
		for row in self.rows():
			if KINDS[row[3]] == "snippet":
				path = os.path.join(self.state, "snippets", json.loads(row[8])["file"])
				if os.path.exists(path):
					with open(path, "rb") as file:
						found[row[0]] = file.read()
		return found

	# --- the program ---

	def command(self, *arguments):
		return [os.path.join(BUILD, "chalkbox-sync"), "-c", self.config_path, *arguments]

	def sync(self, *arguments, expect=None, wrapper=(), env=None, patience=0):
		"""One run; a CompletedProcess. `expect` is the exit code it must have."""
		return self.run(*arguments, "--patience", str(patience), "--stall", "2", expect=expect,
			wrapper=wrapper, env=env)

	def run(self, *arguments, expect=None, wrapper=(), env=None):
		full = {k: v for k, v in os.environ.items() if k != "JOURNAL_STREAM"}
		full.update(env or {})
		command = [*wrapper, *self.command(*arguments)]
		with subprocess.Popen(command, env=full, text=True, stdin=subprocess.DEVNULL,
				stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
			self.process = process
			try:
				out, err = process.communicate(timeout=DEADLINE_S * 4)
			except subprocess.TimeoutExpired:
				process.kill()
				raise
		done = subprocess.CompletedProcess(command, process.returncode, out, err)
		said = out + err
		if any(report in said for report in REPORTS):
			raise Failed(f"a sanitizer complained:\n{said}")
		if expect is not None and done.returncode != expect:
			raise Failed(f"sync ended with {done.returncode}, not {expect}:\n{said}")
		if done.returncode not in (FINE, SOMEBODY, LATER, UNPAIRED, -signal.SIGKILL):
			raise Failed(f"sync ended with {done.returncode}:\n{said}")
		return done

	def kill(self):
		"""SIGKILL to the run under way: a power cut, as far as a process can feel one."""
		self.process.kill()

	def pair(self, url, code, *arguments, expect=FINE):
		return self.run(*arguments, "--pair", url, code, expect=expect)

	def pairing(self):
		"""What it keeps of its pairing."""
		with open(os.path.join(self.memory, "pairing"), encoding="utf-8") as file:
			return file.read()

	def token(self):
		return re.search("token = (.*)", self.pairing())[1]

	def move(self, url):
		"""From now on its server is there: a proxy's address."""
		text = re.sub("(?m)^url = .*", f"url = {url}", self.pairing())
		with open(os.path.join(self.memory, "pairing"), "w", encoding="utf-8") as file:
			file.write(text)

	def use(self, url, token, box="0" * 8):
		"""A pairing written by hand."""
		os.makedirs(self.memory, exist_ok=True)
		path = os.path.join(self.memory, "pairing")
		with open(path, "w", encoding="utf-8") as file:
			file.write(f"[pairing]\nurl = {url}\nbox = {box}\ntoken = {token}\npin =\n")
		os.chmod(path, 0o600)


class Site:
	"""A real chalkbox-server with an administrator, and codes for boxes."""

	def __init__(self, arguments=()):
		self.server = Server(arguments=["--plain", *arguments]).start()
		self.admin = Person(self.server)
		answer = self.admin.join(self.server.link, coach=True)
		if answer.status != 201:
			raise Failed(f"the administrator joining: {answer}")

	def code(self):
		return self.admin.post("/boxes", {}).json["code"]

	def rules(self, **site):
		answer = self.admin.put("/site", site)
		if answer.status >= 300:
			raise Failed(f"the site's rules: {answer}")

	def revoke(self):
		for box in self.admin.get("/boxes").json["boxes"]:
			self.admin.patch(f"/boxes/{box['id']}", {"revoked": True})

	def restart(self):
		"""SIGKILL at this moment, and up again."""
		self.server.kill()
		self.server.start()
		self.admin.close()
		self.admin.connection = None

	def over_tls(self, port):
		"""Goes on at that port with TLS; the key it made itself, as it says it."""
		self.server.kill()
		with open(self.server.log_path, "ab") as log:
			process = self.server.process = subprocess.Popen([os.path.join(BUILD,
				"chalkbox-server"), "--data", self.server.data, "--listen", f"127.0.0.1:{port}"],
				stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
		with process.stdout:
			for line in process.stdout:
				found = re.search("sha256//[A-Za-z0-9+/=]+", line)
				if found:
					return found[0]
		raise Failed("the server said no key")

	def rows(self, journal):
		"""What is kept of a journal, as the box's own rows are."""
		with self.server.database() as db:
			return kept_rows(db, journal)

	def sound(self, sha256):
		"""The bytes of that hash on its disk, or None."""
		path = os.path.join(self.server.data, "blobs", (sha256 or "")[:2], sha256 or "none")
		if not os.path.exists(path):
			return None
		with open(path, "rb") as file:
			return file.read()

	def sounds(self):
		"""{sha256: bytes} on its disk."""
		found = {}
		for folder, _, names in os.walk(os.path.join(self.server.data, "blobs")):
			for name in names:
				with open(os.path.join(folder, name), "rb") as file:
					found[name] = file.read()
		return found

	def close(self):
		self.server.close()


def kept_rows(db, journal):
	columns = "seq, boot, t_ns, kind, observation, code, ref, value, body"
	return db.execute(f"SELECT {columns} FROM entry WHERE journal = ? ORDER BY seq",
		(journal,)).fetchall()


def same_rows(box, server):
	"""Whether both hold the same entries; bodies compared as what they say."""
	def plain(rows):
		return [(*row[:8], json.loads(row[8]) if row[8] else {}) for row in rows]
	return plain(box) == plain(server)


class Proxy:
	"""
	Stands between boxes and a server on this machine and does harm by a schedule:
	`harm(number, method, path)` names what happens to the request of that number,
	None for nothing. `seen` are the requests, `done` the harms, `delivered` counts the
	requests that came late; `kill` is told of harms that are deaths.
	"""

	HARMS = ("refuse", "cut body", "cut body early", "cut answer", "drop answer", "delay", "twice",
		"late", "twice late", "portal", "redirect", "500", "503", "503 soon", "507", "429",
		"long answer", "short answer", "more offset", "less offset", "no length", "garbage")
	# what the server is told of a request that is not so
	LIES = {"more length": b"content-length", "less length": b"content-length",
		"more from": b"upload-offset", "less from": b"upload-offset",
		"more whole": b"upload-length", "less whole": b"upload-length"}

	def __init__(self, port, harm=lambda number, method, path: None, kill=lambda harm: None, chance=None):
		self.port, self.harm, self.kill = port, harm, kill
		self.chance = chance or random.Random(1)
		self.seen, self.done, self.late, self.delivered = [], [], [], 0
		self.lock = threading.Lock()
		self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
		self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
		self.open = set()
		threading.Thread(target=self._accept, daemon=True).start()

	def close(self):
		self.listener.close()
		for one in list(self.open):
			self._shut(one)

	def _accept(self):
		while True:
			try:
				client, _ = self.listener.accept()
			except OSError:
				return
			threading.Thread(target=self._serve, args=(client,), daemon=True).start()

	def _shut(self, one):
		self.open.discard(one)
		with contextlib.suppress(OSError):
			one.shutdown(socket.SHUT_RDWR)
		one.close()

	def _serve(self, client):
		server = None
		self.open.add(client)
		client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
		stream = client.makefile("rb")
		try:
			while True:
				head = read_head(stream)
				if not head:
					return
				if server is None:
					server = socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_S)
					server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
					self.open.add(server)
					answers = server.makefile("rb")
				if not self._one(client, stream, head, server, answers):
					return
		except (OSError, ValueError):
			pass
		finally:
			stream.close()
			self._shut(client)
			if server:
				self._shut(server)

	def _one(self, client, stream, head, server, answers):
		"""One request and its answer; whether the connection goes on."""
		method, path = head.split(b" ", 2)[:2]
		method, path = method.decode(), path.decode()
		with self.lock:
			number = len(self.seen)
			self.seen.append((method, path))
			harm = self.harm(number, method, path)
			if harm:
				self.done.append(harm)
		self.deliver(number)
		length = int(header(head, b"content-length") or 0)
		if harm == "refuse":
			return False
		if harm in ("kill before", "server dies before"):
			self.kill(harm)
			return False
		if harm == "server dies amid":
			server.sendall(head + stream.read(length)) # and no answer is waited for
			self.kill(harm)
			return False
		if harm in ("cut body", "cut body early"):
			part = stream.read(self.chance.randint(0, length))
			server.sendall(head + part if harm == "cut body" else head[:-2])
			return False
		body = stream.read(length)
		early = self._early(harm)
		if early:
			client.sendall(early)
			return harm not in ("garbage",)
		if harm == "delay":
			time.sleep(self.chance.uniform(0.001, 0.1))
		if harm in ("late", "twice late"):
			with self.lock: # others go through before it
				self.late.append((number + self.chance.randint(2, 9), head + body))
			if harm == "late":
				return False
		said = self._lie(head, length, harm) if harm in self.LIES else head
		server.sendall(said + body)
		if header(said, b"content-length") != header(head, b"content-length"):
			server.shutdown(socket.SHUT_WR) # no more bytes come, whatever it waits for
			client.sendall(b"".join(read_answer(answers, method)))
			return False
		answer_head, answer = read_answer(answers, method)
		if harm == "twice":
			server.sendall(head + body)
			answer_head, answer = read_answer(answers, method)
		if harm in ("kill after", "server dies after"):
			self.kill(harm)
			return False
		return self._late(harm, client, answer_head, answer)

	def _lie(self, head, length, harm):
		"""The head with another number in it, where it has one."""
		said = header(head, self.LIES[harm])
		if said is None:
			return head
		if harm.startswith("more"):
			told = int(said) + self.chance.randint(1, 5000)
		else:
			told = max(0, int(said) - self.chance.randint(1, max(1, length)))
		return change(head, self.LIES[harm], str(told).encode())

	def deliver(self, number=None):
		"""Brings the server what is late and due at the request of that number; None: all."""
		with self.lock:
			due = [one for one in self.late if number is None or one[0] <= number]
			self.late = [one for one in self.late if one not in due]
		for _, request in due:
			with contextlib.suppress(OSError, ValueError), socket.create_connection(
					("127.0.0.1", self.port), timeout=DEADLINE_S) as server:
				server.sendall(request)
				with server.makefile("rb") as answers:
					read_answer(answers, request.split(b" ", 1)[0].decode())
				self.delivered += 1

	def _early(self, harm):
		"""An answer by the proxy itself; the server never hears of the request."""
		page = b"<html>Please accept the terms of this network</html>"
		ours = b"Chalkbox-Server: 0.1.0\r\n"
		def answer(status, headers=b"", body=b""):
			return (b"HTTP/1.1 " + status + b"\r\n" + headers + b"Content-Length: "
				+ str(len(body)).encode() + b"\r\n\r\n" + body)
		return {
			"portal": answer(b"200 OK", b"Content-Type: text/html\r\n", page),
			"redirect": answer(b"302 Found", b"Location: http://127.0.0.1:9/login\r\n"),
			"500": answer(b"500 Internal Server Error", b"", page),
			"503": answer(b"503 Service Unavailable", ours + b"Retry-After: 1\r\n"),
			"503 soon": answer(b"503 Service Unavailable", ours),
			"507": answer(b"507 Insufficient Storage", ours),
			"429": answer(b"429 Too Many Requests", ours + b"Retry-After: 1\r\n"),
			"garbage": b"\x00\xff\x16\x03 what\r\n\r\n",
		}.get(harm)

	def _late(self, harm, client, head, body):
		"""The server's answer on its way back."""
		if harm == "drop answer":
			return False
		if harm == "cut answer":
			whole = head + body
			client.sendall(whole[:self.chance.randint(1, max(1, len(whole) - 1))])
			return False
		if harm in ("long answer", "short answer", "no length"):
			value = len(body) + 7 if harm == "long answer" else max(0, len(body) - 3)
			head = change(head, b"content-length",
				None if harm == "no length" else str(value).encode())
			client.sendall(head + body)
			return False
		if harm in ("more offset", "less offset"):
			offset = header(head, b"upload-offset")
			if offset:
				moved = int(offset) + (1 if harm == "more offset" else -1) * self.chance.randint(1, 5000)
				head = change(head, b"upload-offset", str(max(0, moved)).encode())
		client.sendall(head + body)
		return header(head, b"connection") != b"close"


def read_head(stream):
	head = b""
	while not head.endswith(b"\r\n\r\n"):
		line = stream.readline(65536)
		if not line:
			return b""
		head += line
	return head


def header(head, name):
	for line in head.split(b"\r\n")[1:]:
		key, _, value = line.partition(b":")
		if key.strip().lower() == name:
			return value.strip()
	return None


def change(head, name, value):
	lines = []
	for line in head.split(b"\r\n"):
		key = line.partition(b":")[0]
		if key.strip().lower() != name:
			lines.append(line)
		elif value is not None:
			lines.append(key + b": " + value)
	return b"\r\n".join(lines)


def read_answer(stream, method):
	head = read_head(stream)
	if not head:
		raise ValueError("the server closed")
	status = int(head.split(b" ", 2)[1])
	if method == "HEAD" or status in (204, 304):
		return head, b""
	if header(head, b"transfer-encoding") == b"chunked":
		body = read_chunks(stream)
		return change(head, b"transfer-encoding", None).replace(b"\r\n",
			b"\r\nContent-Length: %d\r\n" % len(body), 1), body
	return head, stream.read(int(header(head, b"content-length") or 0))


def read_chunks(stream):
	body = b""
	while True:
		length = int(stream.readline().split(b";")[0], 16)
		body += stream.read(length)
		stream.readline()
		if length == 0:
			return body
