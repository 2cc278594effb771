"""The server and TLS: its own key, a given one, and a proxy in front."""
import base64
import contextlib
import glob
import hashlib
import http.client
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import unittest

from harness import BUILD, DEADLINE_S, NS, ROOT, Case
from people import API, SCHEME, BoxSide, Client, Person, Server, free_port
from test_server_box import BYTES, TUS, metadata, sha256, sound, until

MANUAL = os.path.join(ROOT, "app/server/chalkbox-server.8")
NGINX = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")


class Encrypted(Case):
	def start(self, *arguments):
		server = Server(arguments=arguments)
		self.addCleanup(server.close)
		return server

	def test_it_makes_a_key_of_its_own_and_shows_its_pin(self):
		server = self.start()
		server.host = f"127.0.0.1:{server.port}"
		pins = []
		for _ in range(2): # the second start finds the key of the first
			with open(server.said_path, "wb") as said:
				process = subprocess.Popen([os.path.join(BUILD, "chalkbox-server"), "--data",
					server.data, "--listen", server.host], stdout=said, stderr=subprocess.STDOUT)
			self.addCleanup(process.kill)
			def pin():
				with open(server.said_path, encoding="utf-8") as said:
					return re.search(r"sha256//[A-Za-z0-9+/]{43}=", said.read())
			pins.append(until(pin, "the pin")[0])
			der = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", server.port)))
			begin = der.index(bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200"))
			self.assertEqual(pins[-1], "sha256//" + base64.b64encode(
				hashlib.sha256(der[begin:begin + 91]).digest()).decode())
			context = ssl.create_default_context(cadata=ssl.DER_cert_to_PEM_cert(der))
			with socket.create_connection(("127.0.0.1", server.port), DEADLINE_S) as link, \
					context.wrap_socket(link, server_hostname="127.0.0.1") as safe:
				self.assertIn(safe.version(), ("TLSv1.2", "TLSv1.3"))
				safe.sendall(b"GET /api/v1/session HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
				self.assertTrue(safe.recv(100).startswith(b"HTTP/1.1 401"))
			process.send_signal(signal.SIGTERM)
			self.assertEqual(process.wait(DEADLINE_S), 0)
		self.assertEqual(pins[0], pins[1])
		mode = os.stat(os.path.join(server.data, "tls/key.pem")).st_mode & 0o777
		self.assertEqual(mode, 0o600)

	def test_its_start_and_the_page_of_boxes_show_the_short_form_that_boxes_show(self):
		server = self.start()
		said = subprocess.Popen([os.path.join(BUILD, "chalkbox-server"), "--data", server.data,
			"--listen", f"127.0.0.1:{server.port}"], stdout=subprocess.PIPE, text=True)
		self.addCleanup(said.stdout.close)
		self.addCleanup(said.wait)
		self.addCleanup(said.kill)
		lines = iter(said.stdout.readline, "")
		pin, short = next(found.groups() for line in lines if
			(found := re.search(r"(sha256//\S+), which they show as ([0-9a-f-]+)$", line.strip())))
		digest = base64.b64decode(pin.removeprefix("sha256//")).hex()
		self.assertEqual(short, "-".join(re.findall("....", digest[:16])))
		server.link = next(line.strip() for line in lines if "/#/welcome/" in line)
		person = Person(server)
		person.connection = http.client.HTTPSConnection("127.0.0.1", server.port,
			timeout=DEADLINE_S, context=ssl._create_unverified_context())
		person.origin = f"https://127.0.0.1:{server.port}"
		person.join(server.link, coach=True)
		self.assertEqual(person.post("/boxes", {}).json["pin"], short)

	def test_behind_a_proxy_it_does_not_know_the_key_that_boxes_see(self):
		server = self.start("--behind-proxy")
		server.start()
		person = Person(server)
		person.join(server.link, coach=True)
		self.assertIsNone(person.post("/boxes", {}).json["pin"])

	def refused(self, *arguments):
		server = self.start()
		run = subprocess.run([os.path.join(BUILD, "chalkbox-server"), *arguments],
			cwd=server.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE_S,
			check=False)
		return run.returncode, run.stderr.decode()

	def test_it_does_not_speak_plainly_to_a_network(self):
		code, said = self.refused("--data", "d", "--listen", "0.0.0.0:0", "--plain")
		self.assertEqual(code, 1)
		self.assertIn("--behind-proxy", said)

	def test_mistakes_are_named_with_the_way_out(self):
		for arguments, word in ((("--data", "d"), "--listen"), (("--data", "d", "--listen", "x"), "ADDRESS:PORT"),
				(("--data", "d", "--listen", "127.0.0.1:0", "--tls-key", "x"), "--tls-cert"),
				(("--data", "d", "--listen", "127.0.0.1:0", "--tls-key", "x", "--tls-cert", "y"), "y"),
				(("--data", "/proc/x", "--listen", "127.0.0.1:0"), "/proc/x"),
				(("--data", "d", "--listen", "127.0.0.1:0", "--connections", "0"), "--connections")):
			code, said = self.refused(*arguments)
			self.assertNotEqual(code, 0)
			self.assertIn(word, said)

	def test_two_do_not_work_in_one_folder(self):
		server = self.start("--plain")
		server.start()
		code, said = self.refused("--data", server.data, "--listen", "127.0.0.1:0", "--plain")
		self.assertEqual(code, 1)
		self.assertIn("another chalkbox-server", said)
		server.stop()


class Authority:
	"""Certificates: a root that clients know, one between, and what that one issues."""
	CA = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign")

	def __init__(self):
		self.folder = tempfile.mkdtemp(prefix="cb-")
		self.issue("root", None, *self.CA)
		self.issue("between", "root", *self.CA)

	def close(self):
		shutil.rmtree(self.folder, ignore_errors=True)

	def path(self, name):
		return os.path.join(self.folder, name)

	def openssl(self, *words):
		return subprocess.run(["openssl", *words], cwd=self.folder, check=True,
			stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout

	def issue(self, name, by, *extensions):
		"""A certificate; the key is made the first time."""
		if not os.path.exists(self.path(name + ".key")):
			self.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
				"-out", name + ".key")
		self.openssl("req", "-new", "-key", name + ".key", "-subj", f"/CN={name}", "-out", "csr")
		with open(self.path("ext"), "w", encoding="ascii") as file:
			file.write("\n".join([*extensions, "subjectKeyIdentifier=hash",
				*(["authorityKeyIdentifier=keyid"] if by else [])]) + "\n")
		self.openssl("x509", "-req", "-in", "csr", "-days", "2", "-extfile", "ext", "-out",
			name + ".pem", *(["-CA", by + ".pem", "-CAkey", by + ".key", "-CAcreateserial"] if by
			else ["-signkey", name + ".key"]))

	def server(self, name):
		"""One for a server, its chain behind it: the file."""
		self.issue(name, "between", f"subjectAltName=DNS:{name},IP:127.0.0.1")
		with open(self.path("chain.pem"), "wb") as chain:
			for part in (name, "between"):
				with open(self.path(part + ".pem"), "rb") as file:
					chain.write(file.read())
		return self.path("chain.pem")

	def client(self):
		"""Who knows the root, and nothing else."""
		return ssl.create_default_context(cafile=self.path("root.pem"))


class Given(Case):
	"""A certificate and its key, made elsewhere."""

	@classmethod
	def setUpClass(cls):
		super().setUpClass()
		cls.authority = Authority()
		cls.addClassCleanup(cls.authority.close)

	def start(self, cert):
		server = Server(tls=self.authority.client(), arguments=["--tls-cert", cert, "--tls-key",
			self.authority.path("chalk.example.key")])
		self.addCleanup(server.close)
		return server.start()

	def pin(self, server):
		with open(server.said_path, encoding="utf-8") as said:
			return re.findall(r"sha256//\S+(?=,)", said.read())[-1]

	def test_people_and_boxes_come_by_it_and_its_chain(self):
		server = self.start(self.authority.server("chalk.example"))
		self.assertTrue(server.link.startswith(server.url + "/#/welcome/"))
		person = Person(server)
		answer = person.join(server.link, coach=True)
		self.assertEqual(answer.status, 201, answer)
		self.assertIn("max-age", answer.headers["Strict-Transport-Security"])
		box = BoxSide(server, person)
		box.add_boot()
		_, (seq,) = box.add_lesson(SCHEME, NS, (), [(0, NS, b"sound")], 9 * NS)
		box.bring()
		self.assertEqual(box.bring_sound(seq, b"sound").status, 201)
		key = self.authority.openssl("pkey", "-in", "chalk.example.key", "-pubout", "-outform", "DER")
		self.assertEqual(self.pin(server),
			"sha256//" + base64.b64encode(hashlib.sha256(key).digest()).decode())
		self.assertFalse(os.path.exists(os.path.join(server.data, "tls")))

	def test_without_the_chain_nobody_would_know_it(self):
		self.authority.server("chalk.example")
		server = self.start(self.authority.path("chalk.example.pem"))
		with self.assertRaises(ssl.SSLCertVerificationError):
			Person(server).get("/session")

	def test_a_renewed_one_that_keeps_its_key_keeps_the_pin(self):
		server = self.start(self.authority.server("chalk.example"))
		def shown():
			with socket.create_connection(("127.0.0.1", server.port), DEADLINE_S) as link, \
					server.tls.wrap_socket(link, server_hostname="127.0.0.1") as safe:
				return self.pin(server), safe.getpeercert(True)
		pin, cert = shown()
		server.stop()
		self.authority.server("chalk.example")
		server.start()
		renewed_pin, renewed = shown()
		self.assertEqual(renewed_pin, pin)
		self.assertNotEqual(renewed, cert)

	def test_a_key_of_another_certificate_is_named(self):
		cert = self.authority.server("chalk.example")
		run = subprocess.run([os.path.join(BUILD, "chalkbox-server"), "--data",
			os.path.join(self.folder(), "d"), "--listen", "127.0.0.1:0", "--tls-cert", cert,
			"--tls-key", self.authority.path("root.key")], stdout=subprocess.PIPE,
			stderr=subprocess.PIPE, timeout=DEADLINE_S, check=False)
		self.assertEqual(run.returncode, 1)
		self.assertIn(b"a pair", run.stderr)


# nginx around the manual's server block
CONF = """
daemon off; pid {folder}/pid;
events {{ worker_connections 256; }}
http {{
	access_log {folder}/access; client_body_temp_path {folder}/body;
	proxy_temp_path {folder}/x1; fastcgi_temp_path {folder}/x2; uwsgi_temp_path {folder}/x3;
	scgi_temp_path {folder}/x4;
	{site}
}}
"""


class Fronted(Server):
	"""A server and nginx in front of it, both set up as the manual says."""
	NAME = "chalk.example"

	def __init__(self, authority):
		with open(MANUAL, encoding="utf-8") as file:
			section = file.read().split(".Sh BEHIND A PROXY\n")[1].split("\n.Sh ")[0]
		settings, site = re.findall(r"(?s)\.Bd -literal[^\n]*\n(.*?)\.Ed", section)
		settings = dict(line.split("=", 1) for line in settings.splitlines())
		super().__init__()
		self.front_port = free_port()
		self.url = f"https://{self.NAME}:{self.front_port}"
		self.arguments = settings["OPTIONS"].replace("https://" + self.NAME, self.url).split()
		self.trust = authority.client()
		self.source = ("127.0.0.1", 0)
		self.front = os.path.join(self.folder, "nginx")
		os.mkdir(self.front, 0o755)
		os.chmod(self.folder, 0o755)
		for pattern, mine in ((r"listen 443 ssl;", f"listen 127.0.0.1:{self.front_port} ssl;"),
				(re.escape(settings["LISTEN"]), self.host),
				(r"ssl_certificate \S+;", f"ssl_certificate {authority.server(self.NAME)};"),
				(r"ssl_certificate_key \S+;",
					f"ssl_certificate_key {authority.path(self.NAME + '.key')};"),
				(r"error_log \S+ ", f"error_log {self.front}/error ")):
			site, n = re.subn(pattern, mine, site)
			assert n == 1, pattern
		with open(os.path.join(self.front, "conf"), "w", encoding="ascii") as file:
			file.write(CONF.format(folder=self.front, site=site))
		self.nginx = subprocess.Popen([NGINX, "-c", f"{self.front}/conf", "-e",
			f"{self.front}/begin"])

	def close(self):
		self.nginx.terminate()
		self.nginx.wait(DEADLINE_S)
		super().close()

	def is_fronted(self):
		with socket.socket() as probe:
			return probe.connect_ex(("127.0.0.1", self.front_port)) == 0

	def bytes_on_disk(self):
		"""What nginx holds in files of its own, those without a name included."""
		total = 0
		with open(f"/proc/{self.nginx.pid}/task/{self.nginx.pid}/children", encoding="ascii") as file:
			workers = file.read().split()
		for path in (path for worker in workers for path in glob.glob(f"/proc/{worker}/fd/*")):
			with contextlib.suppress(FileNotFoundError):
				if os.readlink(path).startswith(self.front):
					total += os.stat(path).st_size
		return total

	def unsent(self):
		"""The bytes of answers that nginx has not taken."""
		with open("/proc/net/tcp", encoding="ascii") as table:
			rows = [line.split() for line in table.readlines()[1:]]
		return sum(int(row[4].split(":")[0], 16) for row in rows
			if int(row[1].split(":")[1], 16) == self.port)

	def connect(self):
		server = self
		class Named(http.client.HTTPSConnection):
			def connect(self):
				link = socket.create_connection(("127.0.0.1", server.front_port), DEADLINE_S,
					source_address=server.source)
				self.sock = server.trust.wrap_socket(link, server_hostname=server.NAME)
		return Named(self.NAME, self.front_port, timeout=DEADLINE_S)

	def check_log(self):
		super().check_log()
		for name in ("access", "error"):
			path = os.path.join(self.front, name)
			if os.path.exists(path):
				with open(path, encoding="utf-8", errors="replace") as file:
					said = file.read()
				for secret in self.secrets:
					assert secret not in said, f"{name} of nginx holds `{secret}`"


@unittest.skipUnless(NGINX, "there is no nginx (nginx-light)")
class Proxied(Case):
	"""Everything by way of a real proxy."""

	@classmethod
	def setUpClass(cls):
		super().setUpClass()
		authority = Authority()
		cls.addClassCleanup(authority.close)
		cls.server = Fronted(authority)
		cls.addClassCleanup(cls.server.close)
		cls.server.start()
		until(cls.server.is_fronted, "nginx")
		cls.admin = Person(cls.server)
		cls.joined = cls.admin.join(cls.server.link, coach=True)

	def box_with(self, data):
		box = BoxSide(self.server, self.admin)
		box.add_boot()
		_, (seq,) = box.add_lesson(SCHEME, NS, (), [(0, NS, data)], 9 * NS)
		box.bring()
		return box, seq

	def test_people_sign_in_by_the_address_that_the_proxy_has(self):
		self.assertEqual(self.joined.status, 201, self.joined)
		self.assertTrue(self.server.link.startswith(self.server.url + "/#/welcome/"))
		self.assertIn("; Secure;", self.joined.headers["Set-Cookie"])
		self.assertIn("max-age", self.joined.headers["Strict-Transport-Security"])
		invited = self.admin.post("/people", {"name": "Grace", "roles": ["teacher"]}).json
		self.assertTrue(invited["link"].startswith(self.server.url + "/#/welcome/"))
		self.assertIsNone(self.admin.post("/boxes", {}).json["pin"])

	def test_another_origin_is_refused_through_it_too(self):
		port = self.server.front_port
		for origin in (None, f"http://chalk.example:{port}", "https://chalk.example",
				f"https://127.0.0.1:{port}", f"http://{self.server.host}", "https://evil.example"):
			answer = self.admin.post("/boxes", {}, headers={"Origin": origin})
			self.assertEqual((answer.status, answer.error), (403, "wrong-origin"), origin)
		self.assertEqual(self.admin.post("/boxes", {}).status, 201)

	def test_by_another_name_of_the_proxy_the_page_is_its_own_too(self):
		"""Host and X-Forwarded-Proto say where the page came from."""
		origin = f"https://other.example:{self.server.front_port}"
		answer = self.admin.post("/boxes", {}, headers={"Origin": origin,
			"Host": origin.removeprefix("https://")})
		self.assertEqual(answer.status, 201, answer)

	def test_who_guesses_is_counted_by_the_address_that_the_proxy_heard(self):
		def guess(source, i):
			self.server.source = (source, 0)
			client = Client(self.server)
			try:
				return client.send("POST", API + "/pair", b'{"code":"BBBB-BBBB","name":"box"}',
					{"Content-Type": "application/json", "X-Forwarded-For": f"192.0.2.{i}"})
			finally:
				client.close()
				self.server.source = ("127.0.0.1", 0)
		seen = [guess("127.0.0.2", i).error for i in range(8)]
		self.assertEqual((seen[0], seen[-1]), ("wrong-code", "too-many"))
		self.assertEqual(guess("127.0.0.3", 9).error, "wrong-code")

	def test_the_longest_sound_goes_through(self):
		data = sound(32 << 20, 50)
		box, seq = self.box_with(data)
		self.assertEqual(box.bring_sound(seq, data).status, 201)
		self.assertIn(sha256(data), self.server.blobs())

	def test_sound_is_handed_on_as_it_comes_and_a_cut_keeps_it(self):
		data = sound(400_000, 51)
		box, seq = self.box_with(data)
		begun = box.request("POST", "/uploads", None, {**TUS, "Upload-Length": str(len(data)),
			"Upload-Metadata": metadata(box.journal_id, seq, sha256(data))})
		self.assertEqual(begun.status, 201, begun)
		place = begun.headers["Location"].removeprefix(API)
		link = self.server.connect()
		link.connect()
		link.sock.sendall((f"PATCH {API}{place} HTTP/1.1\r\nHost: {self.server.NAME}\r\n"
			f"Tus-Resumable: 1.0.0\r\nAuthorization: Bearer {box.token}\r\nUpload-Offset: 0\r\n"
			f"Content-Type: {BYTES['Content-Type']}\r\n"
			f"Content-Length: {len(data)}\r\n\r\n").encode() + data[:300_000])
		def offset():
			return int(box.request("HEAD", place, headers=TUS).headers["Upload-Offset"])
		until(lambda: offset() == 300_000, "what was sent so far")
		link.close()
		answer = box.request("PATCH", place, data[300_000:],
			{**TUS, **BYTES, "Upload-Offset": "300000"})
		self.assertEqual(answer.status, 204, answer)
		self.assertIn(sha256(data), self.server.blobs())

	def test_sound_that_somebody_takes_slowly_is_in_no_file_of_the_proxys(self):
		data = sound(24 << 20, 52)
		box, seq = self.box_with(data)
		self.assertEqual(box.bring_sound(seq, data).status, 201)
		lesson = box.entries[-1]["observation"]
		lesson = next(entry["body"]["id"] for entry in box.entries if entry["seq"] == lesson)
		slow = self.server.connect()
		self.addCleanup(slow.close)
		slow.request("GET", f"{API}/audio/{lesson}/{seq}", headers={
			"Cookie": f"__Host-chalkbox={self.admin.cookie}"})
		answer = slow.getresponse()
		self.assertEqual((answer.status, answer.read(1000)), (200, data[:1000]))
		seen = []
		def stands(): # the rest waits where it was, or has gone into a file
			seen.append(self.server.unsent())
			return self.server.bytes_on_disk() > 1 << 20 or len(seen) > 20 and \
				len(set(seen[-20:])) == 1 and seen[-1] > 0
		until(stands, "nothing to move any more")
		self.assertLess(self.server.bytes_on_disk(), 1 << 20)
		self.assertEqual(answer.read(), data[1000:])

	def test_what_fails_leaves_no_secret_in_the_proxys_logs(self):
		link = self.admin.post("/people", {"name": "Late", "roles": ["teacher"]}).json["link"]
		self.server.stop()
		self.assertEqual(Person(self.server).join(link).status, 502)
		self.server.check_log()
		self.server.start()
		self.assertEqual(Person(self.server).join(link).status, 201)


if __name__ == "__main__":
	unittest.main()
