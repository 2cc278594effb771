"""
The coach's server as a person's browser and a box meet it, for tests: starts
chalkbox-server in a folder of its own, signs people in, brings entries and sound.
"""
import base64
import contextlib
import hashlib
import http.client
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
import time
import uuid

from harness import (BUILD, DEADLINE_S, KINDS, MORNING_NS, NS, REPORTS, ROOT, Case, Failed, noise,
	write_wav)

API = "/api/v1"
PASSWORD = "three kind words"
DAY_NS = 24 * 3600 * NS
NOBODY_ID = str(uuid.uuid4())
with open(os.path.join(ROOT, "app/scheme/default.scheme"), encoding="utf-8") as file:
	SCHEME = file.read()


class Answer:
	def __init__(self, status, headers, body):
		self.status, self.headers, self.body = status, headers, body

	@property
	def json(self):
		return json.loads(self.body)

	@property
	def error(self):
		"""The word of an error, with a sentence beside it."""
		if self.status < 400:
			return None
		said = self.json
		if not said.get("message"):
			raise Failed(f"{self.status} without a message: {self.body!r}")
		return said["error"]

	def __repr__(self):
		return f"<{self.status} {self.body[:200]!r}>"


def free_port():
	"""
	One for a server that goes away and comes back to it: below those that the kernel
	gives to whoever connects somewhere, who could have it by then.
	"""
	with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
		first = int(file.read().split()[0])
	while True:
		port = random.SystemRandom().randrange(first // 2, first)
		with socket.socket() as probe, contextlib.suppress(OSError):
			probe.bind(("127.0.0.1", port))
			return port


class Server:
	"""chalkbox-server on a port of its own; `url` is where, `link` the first one."""

	def __init__(self, folder=None, arguments=(), tls=None):
		self.own_folder = folder is None
		self.folder = folder or tempfile.mkdtemp(prefix="cs-")
		self.data = os.path.join(self.folder, "data")
		self.log_path = os.path.join(self.folder, "log") # what goes to the system's journal
		self.said_path = os.path.join(self.folder, "said") # what a person reads
		self.clients = []
		self.secrets = set() # none of these may be in the log
		self.arguments = list(arguments)
		self.port = free_port()
		self.host = f"127.0.0.1:{self.port}"
		self.tls = tls # how clients tell it from others, an ssl.SSLContext; None: no TLS
		self.url = f"http{'s' if tls else ''}://{self.host}"
		self.wrapper = [] # a command that runs it
		self.in_journal = False # what it says goes to the system's journal
		self.process = self.link = None

	def start(self):
		with open(self.log_path, "ab") as log, open(self.said_path, "ab") as said:
			begin = said.tell()
			file = os.fstat(said.fileno())
			journal = f"{file.st_dev}:{file.st_ino}" if self.in_journal else "1:1" # one of others
			self.process = subprocess.Popen([*self.wrapper, os.path.join(BUILD, "chalkbox-server"),
				"--data", self.data, "--listen", self.host, *([] if self.tls else ["--plain"]),
				"--name", "Test school", *self.arguments],
				env={**os.environ, "JOURNAL_STREAM": journal}, stdin=subprocess.DEVNULL, stdout=said,
				stderr=log, start_new_session=True)
		deadline = time.monotonic() + DEADLINE_S
		while not (said := self._said(begin)).endswith("\n"): # told in one piece, once ready
			if self.process.poll() is not None:
				raise Failed(f"the server ended with {self.process.returncode}:\n{self.log()}")
			if time.monotonic() > deadline:
				self.kill()
				raise Failed(f"the server was not ready in time:\n{self.log()}")
			time.sleep(0.02)
		found = re.findall(r"\S+/#/welcome/[0-9a-f]{64}", said)
		self.link = found[-1] if found else None
		return self

	def _said(self, begin):
		with open(self.said_path, encoding="utf-8") as said:
			said.seek(begin)
			return said.read()

	def log(self):
		with open(self.log_path, encoding="utf-8", errors="replace") as file:
			return file.read()

	def stop(self):
		"""Ends it as systemd does; fails if it complained."""
		self.process.send_signal(signal.SIGTERM)
		code = self.process.wait(DEADLINE_S)
		self.process = None
		said = self.log()
		if code != 0 or any(report in said for report in REPORTS):
			raise Failed(f"the server ended with {code}:\n{said[-4000:]}")

	def connect(self):
		"""A client's way to it."""
		if self.tls:
			return http.client.HTTPSConnection(self.host, timeout=DEADLINE_S, context=self.tls)
		return http.client.HTTPConnection(self.host, timeout=DEADLINE_S)

	def check_log(self):
		"""No secret that was ever sent or given is in the log."""
		said = self.log() if os.path.exists(self.log_path) else ""
		for secret in self.secrets:
			if secret in said:
				raise Failed(f"`{secret}` is in the log:\n{said[-4000:]}")

	def kill(self):
		if self.process:
			self.process.kill()
			self.process.wait(DEADLINE_S)
			self.process = None

	def close(self):
		self.kill()
		for client in self.clients:
			client.close()
		try:
			self.check_log()
		finally:
			if self.own_folder:
				shutil.rmtree(self.folder, ignore_errors=True)

	def database(self):
		"""Its database, for a look or a lie; only while it is stopped for the latter."""
		return contextlib.closing(sqlite3.connect(os.path.join(self.data, "server.db"),
			timeout=DEADLINE_S, isolation_level=None))

	@contextlib.contextmanager
	def stopped(self):
		"""Its database while it does not run; then it starts again."""
		self.stop()
		with self.database() as database:
			yield database
		self.start()

	def blobs(self):
		"""The hashes of all sound on its disk."""
		return sorted(name for _, _, names in os.walk(os.path.join(self.data, "blobs"))
			for name in names)


class Client:
	def __init__(self, server):
		self.server = server
		self.connection = None
		server.clients.append(self)

	def remember(self, path, body, headers):
		"""What somebody sends as a secret, be it right or wrong."""
		sent = re.findall(r"/invitations/([^/?]+)", path)
		sent += re.findall(r"__Host-chalkbox=([^;]+)", headers.get("Cookie", ""))
		sent += headers.get("Authorization", "").split()[1:]
		sent.append(headers.get("X-Chalkbox-Token", ""))
		if headers.get("Content-Type") == "application/json":
			with contextlib.suppress(ValueError, TypeError, AttributeError, RecursionError):
				said = json.loads(body)
				sent += [said.get(name) for name in ("password", "old", "new", "code")]
		self.server.secrets.update(one for one in sent if isinstance(one, str) and len(one) >= 8)

	def send(self, method, path, body=None, headers=None):
		"""One request; a connection that has gone stale is opened anew."""
		self.remember(path, body, headers or {})
		for left in (1, 0):
			if self.connection is None:
				self.connection = self.server.connect()
			try:
				self.connection.request(method, path, body=body, headers=headers or {})
				got = self.connection.getresponse()
				return Answer(got.status, got.headers, got.read())
			except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
				self.connection.close()
				self.connection = None
				if not left:
					raise

	def close(self):
		if self.connection:
			self.connection.close()


class Person(Client):
	"""A browser: a cookie, the anti-forgery token, the right Origin."""

	def __init__(self, server, name=None):
		super().__init__(server)
		self.name = name
		self.id = self.roles = self.cookie = self.token = None
		self.origin = server.url

	def request(self, method, path, json_body=None, body=None, headers=None):
		sent = {}
		if self.cookie:
			sent["Cookie"] = f"theme=dark; __Host-chalkbox={self.cookie}"
		if method not in ("GET", "HEAD"):
			sent["Origin"] = self.origin
			if self.token:
				sent["X-Chalkbox-Token"] = self.token
		if json_body is not None:
			body = json.dumps(json_body).encode()
			sent["Content-Type"] = "application/json"
		sent.update(headers or {})
		sent = {name: value for name, value in sent.items() if value is not None}
		answer = self.send(method, API + path, body, sent)
		for cookie in answer.headers.get_all("Set-Cookie") or []:
			value = re.match(r"__Host-chalkbox=([0-9a-f]*);", cookie)[1]
			self.cookie = value or None
			self.server.secrets.update({value} - {""})
		return answer

	def get(self, path, **more):
		return self.request("GET", path, **more)

	def post(self, path, json_body=None, **more):
		return self.request("POST", path, json_body, **more)

	def patch(self, path, json_body=None, **more):
		return self.request("PATCH", path, json_body, **more)

	def put(self, path, json_body=None, **more):
		return self.request("PUT", path, json_body, **more)

	def delete(self, path, **more):
		return self.request("DELETE", path, **more)

	def _signed_in(self, answer):
		if answer.status in (200, 201):
			said = answer.json
			self.token = said["token"]
			self.server.secrets.add(self.token)
			self.id, self.roles = said["person"]["id"], said["person"]["roles"]
			self.name = said["person"]["name"]
		return answer

	def join(self, link, password=PASSWORD, **more):
		"""Follows an invitation's link."""
		code = link.rsplit("/", 1)[1]
		return self._signed_in(self.post(f"/invitations/{code}", {"password": password, **more}))

	def sign_in(self, name=None, password=PASSWORD):
		return self._signed_in(self.post("/session",
			{"name": name or self.name, "password": password}))

	def change_password(self, old, new):
		return self._signed_in(self.request("PUT", "/password", {"old": old, "new": new}))

	def invite(self, name, *roles):
		"""Invites somebody, who joins. A Person."""
		answer = self.post("/people", {"name": name, "roles": roles})
		if answer.status != 201:
			raise Failed(f"inviting {name}: {answer}")
		person = Person(self.server)
		joined = person.join(answer.json["link"])
		if joined.status != 201:
			raise Failed(f"{name} joining: {joined}")
		return person


class BoxSide(Client):
	"""A box as the server meets it; `journal` is a list of entries as sent."""

	def __init__(self, server, coach, name="box"):
		super().__init__(server)
		code = coach.post("/boxes", {}).json["code"]
		answer = self.send("POST", API + "/pair", json.dumps({"code": code, "name": name}).encode(),
			{"Content-Type": "application/json"})
		if answer.status != 201:
			raise Failed(f"pairing: {answer}")
		self.id, self.token = answer.json["box"], answer.json["token"]
		server.secrets.add(self.token)
		self.journal_id = str(uuid.uuid4())
		self.entries = []

	def request(self, method, path, body=None, headers=None):
		return self.send(method, API + path, body,
			{"Authorization": f"Bearer {self.token}", **(headers or {})})

	def bring(self, at_once=100):
		"""Brings every entry that the server does not have."""
		kept = self.request("GET", f"/box?journal={self.journal_id}").json["kept"]
		while kept < len(self.entries):
			lines = self.entries[kept:kept + at_once]
			answer = self.request("POST", f"/box/entries?journal={self.journal_id}",
				"".join(json.dumps(line) + "\n" for line in lines).encode(),
				{"Content-Type": "application/x-ndjson"})
			if answer.status != 200 or answer.json["refused"] or answer.json["kept"] <= kept:
				raise Failed(f"entries: {answer}\n{self.server.log()[-2000:]}")
			kept = answer.json["kept"]

	def bring_again(self, begin, n=100):
		"""Brings entries that the server has: it must take them for what they are."""
		lines = self.entries[begin:begin + n]
		answer = self.request("POST", f"/box/entries?journal={self.journal_id}",
			"".join(json.dumps(line) + "\n" for line in lines).encode(),
			{"Content-Type": "application/x-ndjson"})
		if answer.status != 200 or answer.json != {"kept": len(self.entries), "refused": []}:
			raise Failed(f"entries once more: {answer}")

	def bring_sound(self, seq, data):
		"""Brings the sound of one snippet, in one piece."""
		def coded(text):
			return base64.b64encode(str(text).encode()).decode()
		answer = self.request("POST", "/uploads", data, {
			"Tus-Resumable": "1.0.0", "Upload-Length": str(len(data)),
			"Content-Type": "application/offset+octet-stream",
			"Upload-Metadata": f"journal {coded(self.journal_id)},seq {coded(seq)},"
				f"sha256 {coded(hashlib.sha256(data).hexdigest())}"})
		return answer

	# --- a journal made by hand ---

	def add(self, kind, t_ns=0, **more):
		seq = len(self.entries) + 1
		if kind == "boot":
			self.boot = seq
		entry = {"seq": seq, "boot": self.boot, "t_ns": t_ns, "kind": kind, **more}
		self.entries.append(entry)
		return seq

	def add_boot(self, wall_ns=None):
		self.add("boot", 0, body={"boot_id": str(uuid.uuid4()), "version": "test", "box": "box"})
		if wall_ns is not None:
			self.add("clock", 0, value=wall_ns,
				body={"uncertainty_ns": 5_000_000, "trusted": True, "cause": "start"})

	def add_lesson(self, scheme, begin_ns, presses=(), sounds=(), end_ns=None):
		"""
		A lesson: presses (ns from its begin, code), sounds (ns from its begin, ns to,
		the bytes). Its id and the seqs of its sounds.
		"""
		lesson = str(uuid.uuid4())
		start = len(self.entries) + 1
		self.add("observation_start", begin_ns, observation=start,
			body={"id": lesson, "scheme": scheme, "cause": "button"})
		for at_ns, code in presses:
			press = self.add("press", begin_ns + at_ns, observation=start, code=code)
			self.add("release", begin_ns + at_ns + 100_000_000, observation=start, code=code,
				ref=press)
		seqs = []
		for from_ns, to_ns, data in sounds:
			seqs.append(self.add("snippet", begin_ns + to_ns, observation=start, body={
				"file": f"{start:06}-{len(seqs)}.opus", "codec": "opus",
				"from_ns": begin_ns + from_ns, "to_ns": begin_ns + to_ns, "bytes": len(data),
				"sha256": hashlib.sha256(data).hexdigest(), "complete": True,
				"step_ms": 100, "peaks": base64.b64encode(bytes(range(0, 200, 10))).decode()}))
		if end_ns is not None:
			self.add("observation_end", begin_ns + end_ns, observation=start,
				body={"cause": "button"})
		return lesson, seqs

	def take_journal(self, box):
		"""The journal of a real recorder, and its sound: {seq: bytes}."""
		path = os.path.join(box.state, "journal.db")
		with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
			database.row_factory = sqlite3.Row
			rows = [dict(row) for row in database.execute("SELECT * FROM entry ORDER BY seq")]
		sounds = {}
		for row in rows:
			row["kind"] = KINDS[row["kind"]]
			row["body"] = json.loads(row["body"]) if row["body"] else {}
			if row["kind"] == "snippet":
				with open(box.file_of(row["body"]["file"]), "rb") as file:
					sounds[row["seq"]] = file.read()
		self.entries = rows
		return sounds


# --- what tests begin with ---

def opus(seconds, seed):
	"""Real sound: noise as Ogg Opus."""
	with tempfile.TemporaryDirectory() as folder:
		wav = write_wav(os.path.join(folder, "a.wav"), noise(int(16000 * seconds), seed))
		path = os.path.join(folder, "a.opus")
		subprocess.run(["opusenc", "--quiet", "--bitrate", "24", "--serial", "7", wav, path],
			check=True)
		with open(path, "rb") as encoded:
			return encoded.read()


class ServerCase(Case):
	"""One server for a class of tests."""

	@classmethod
	def setUpClass(cls):
		super().setUpClass()
		cls.server = Server()
		cls.addClassCleanup(cls.server.close)
		cls.server.start()
		cls.administrator = Person(cls.server)
		cls.first_link = cls.server.link
		joined = cls.administrator.join(cls.first_link)
		if joined.status != 201:
			raise Failed(f"the first administrator: {joined}")

	@classmethod
	def tearDownClass(cls):
		if cls.server.process:
			cls.server.stop()
		super().tearDownClass()

	def invite(self, *roles, name=None):
		return self.administrator.invite(name or f"{roles[0]} {uuid.uuid4().hex[:8]}", *roles)

	def refused(self, answer, status, word):
		self.assertEqual((answer.status, answer.error), (status, word), answer)


class Lessons(ServerCase):
	"""A coach's box with three lessons; one teacher each for the first two."""

	@classmethod
	def setUpClass(cls):
		super().setUpClass()
		admin = cls.administrator
		cls.coach, cls.other_coach = admin.invite("Coach", "coach"), admin.invite("Coach 2", "coach")
		cls.teacher, cls.other_teacher = (admin.invite("Teacher", "teacher"),
			admin.invite("Teacher 2", "teacher"))
		cls.sounds = [opus(3, 1), opus(2, 2)]
		box = cls.box_side = BoxSide(cls.server, cls.coach)
		box.add_boot(MORNING_NS)
		cls.lesson, (cls.heard, cls.unheard) = box.add_lesson(SCHEME, 60 * NS,
			[(5 * NS, "questioning"), (9 * NS, "transition"), (30 * NS, "transition")],
			[(4 * NS, 7 * NS, cls.sounds[0]), (8 * NS, 10 * NS, cls.sounds[1])], 100 * NS)
		cls.second, (cls.same,) = box.add_lesson(SCHEME, 600 * NS, [(5 * NS, "questioning")],
			[(4 * NS, 7 * NS, cls.sounds[0])], 100 * NS)
		cls.third, _ = box.add_lesson(SCHEME, 1200 * NS, [(5 * NS, "questioning")])
		box.bring()
		kept = box.bring_sound(cls.heard, cls.sounds[0])
		if kept.status not in (200, 201, 204):
			raise Failed(f"sound: {kept}")
		for lesson, teacher in ((cls.lesson, cls.teacher), (cls.second, cls.other_teacher)):
			answer = cls.coach.patch(f"/observations/{lesson}", {"teacher": teacher.id})
			if answer.status != 200:
				raise Failed(f"assigning: {answer}")
