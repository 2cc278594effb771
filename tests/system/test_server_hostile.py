"""The server as somebody meets it who means it harm: requests that are none."""
import contextlib
import random
import re
import socket
import ssl
import time
import unittest

from harness import DEADLINE_S, SLOW, Case, say
from people import API, Client, Person, Server
from test_server_box import BoxCase, until


class Hostile(BoxCase):
	arguments = ("--request-time", "2", "--connections", "64", "--per-address", "40")

	def talk(self, data, half_close=False, piece=None, wait_s=0):
		"""Sends bytes and reads to the end; all that came."""
		with socket.create_connection(("127.0.0.1", self.server.port), DEADLINE_S) as link:
			with contextlib.suppress(OSError):
				for at in range(0, len(data), piece or len(data)):
					link.sendall(data[at:at + (piece or len(data))])
					time.sleep(wait_s)
				if half_close:
					link.shutdown(socket.SHUT_WR)
			came = b""
			with contextlib.suppress(OSError):
				while True:
					more = link.recv(65536)
					if not more:
						break
					came += more
			return came

	def assert_well(self):
		self.assertEqual(Person(self.server).get("/session").status, 401)

	def assert_refused(self, data, statuses=(b"400",), **how):
		"""One answer of ours with such a status, and the connection closed."""
		came = self.talk(data, **how)
		answers = set(re.findall(rb"HTTP/1\.1 (\d\d\d)", came))
		self.assertEqual(len(answers), 1, came[:400])
		self.assertLessEqual(answers, set(statuses), data[:200])
		self.assert_well()

	def test_shapes_that_two_could_read_in_two_ways_are_refused(self):
		inner = b"GET /api/v1/session HTTP/1.1\r\nHost: x\r\n\r\n"
		chunked = b"0\r\n\r\n" + inner
		for headers, body in (
				(b"Host: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n", inner),
				(b"Host: x\r\nContent-Length: 5\r\nContent-Length: 5\r\n", inner),
				(b"Host: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n", chunked),
				(b"Host: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n", chunked),
				(b"Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", chunked),
				(b"Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", chunked),
				(b"Host: x\r\nContent-Length : 5\r\n", inner),
				(b"Host: x\r\nTransfer-Encoding : chunked\r\n", chunked),
				(b"Host: x\r\nContent-Length: +5\r\n", inner),
				(b"Host: x\r\nContent-Length: 5, 5\r\n", inner),
				(b"Host: x\r\nContent-Length: 0x5\r\n", inner),
				(b"Host: x\r\nContent-Length: -5\r\n", inner),
				(b"Host: x\r\nHost: y\r\n", b""),
				(b"", b""),
				(b"Host: a b\r\n", b""),
				(b"Host: \r\n", b""),
				(b"Host: x\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n", b"")):
			with self.subTest(headers=headers):
				self.assert_refused(b"POST /api/v1/pair HTTP/1.1\r\n" + headers + b"\r\n" + body,
					half_close=True)

	def test_transfer_encodings_that_are_not_known_are_refused(self):
		for value in (b"gzip", b"xchunked", b"chunked, identity", b"identity", b"gzip, chunked"):
			with self.subTest(value=value):
				self.assert_refused(b"POST /api/v1/pair HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: " +
					value + b"\r\n\r\n0\r\n\r\n", (b"400", b"501"), half_close=True)

	def test_chunks_that_are_none_end_the_connection(self):
		head = (b"POST /api/v1/pair HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
			b"Transfer-Encoding: chunked\r\n\r\n")
		for body in (b"zz\r\n", b"-1\r\nx\r\n", b"FFFFFFFFFFFFFFFFF\r\n", b"5\r\nabc", b"1 \n"):
			came = self.talk(head + body, half_close=True)
			self.assertLessEqual(len(re.findall(rb"HTTP/1\.1 ", came)), 1)
			self.assert_well()

	def test_lines_that_are_no_request_are_answered_or_closed(self):
		for line in (b"GET\r\n\r\n", b"GET / HTTP/0.9\r\nHost: x\r\n\r\n", b"\x00\x01\x02\r\n\r\n",
				b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", b"\r\n\r\n\r\n", b"GET / FTP/1.1\r\n\r\n",
				b"G\xffT / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00" * 20,
				b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET http://evil/ HTTP/1.1\r\nHost: x\r\n\r\n",
				b"GET /a HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n", b"GET  /  HTTP/1.1\r\nHost: x\r\n\r\n"):
			came = self.talk(line, half_close=True)
			self.assertNotIn(b" 200 ", came[:20], line)
			self.assert_well()

	def test_paths_lead_nowhere_but_to_what_there_is(self):
		for path in ("/../etc/passwd", "/%2e%2e/etc/passwd", "/a%00b", "/api/v1/session%00",
				"/api/v1/../v1/session", "/api/v1//session", "/api/v1/session/", "//", "/.hidden",
				"/api/v1/%73ession", "/api", "/api/", "/api/v1", "/api/v1/", "/api/v2/session",
				"/index.html/", "/a/../index.html", "/" + "a/" * 400, "/" + "a" * 5000,
				"/api/v1/boxes/..", "/api/v1/audio/x", "/\\..\\x", "/api/v1/observations/+/timeline"):
			came = self.talk(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
			self.assertRegex(came[:13], rb"^HTTP/1\.1 (404|400|401|414|431)", path)
		self.assert_well()

	def test_headers_have_an_end(self):
		head = b"GET /api/v1/session HTTP/1.1\r\nHost: x\r\n"
		for headers in (b"X-Long: " + b"a" * 20_000 + b"\r\n", b"X-Long: " + b"a" * 200_000 + b"\r\n",
				b"".join(b"X-%d: y\r\n" % i for i in range(100)),
				b"".join(b"X-%d: y\r\n" % i for i in range(20_000))):
			came = self.talk(head + headers + b"\r\n", half_close=True)
			self.assertRegex(came[:12] or b"HTTP/1.1 431", rb"^HTTP/1\.1 (431|413|400)")
			self.assert_well()

	def test_bodies_have_an_end(self):
		head = b"POST /api/v1/pair HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
		self.assert_refused(head + b"Content-Length: 99999999999\r\n\r\n" + b"x" * 1000,
			(b"413",), half_close=True)
		self.assert_refused(head + b"Content-Length: 2000\r\nConnection: close\r\n\r\n" + b"x" * 2000,
			(b"413",))
		self.assert_refused(head + b"Expect: 100-continue\r\nContent-Length: 2000\r\n\r\n", (b"413",))
		# without a length, until it has gone too far
		came = self.talk(head + b"Transfer-Encoding: chunked\r\n\r\n" +
			b"10000\r\n" + b"x" * 0x10000 + b"\r\n" + b"10000\r\n" * 1, half_close=True)
		self.assertNotIn(b" 20", came[:13])
		self.assert_well()

	def test_a_request_that_should_have_no_body_has_none(self):
		self.assert_refused(b"GET /api/v1/session HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
			b"Content-Length: 3\r\n\r\nabc", (b"413",))

	def test_an_early_refusal_still_reaches_a_sender_that_sends_on(self):
		body = b"x" * 200_000
		came = self.talk(b"POST /api/v1/box/entries?journal=x HTTP/1.1\r\nHost: x\r\n"
			b"Connection: close\r\nContent-Length: 200000\r\n\r\n" + body)
		self.assertTrue(came.startswith(b"HTTP/1.1 401"), came[:100])

	def test_a_slow_request_is_cut_off_wherever_it_dawdles(self):
		head = b"POST /api/v1/pair HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
		for data in (b"GET /api/v1/session HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 10_000,
				head + b"Content-Length: 1000\r\n\r\n" + b" " * 1000, b"\r\n" * 10_000):
			with socket.create_connection(("127.0.0.1", self.server.port), DEADLINE_S) as link:
				begin, ended = time.monotonic(), None
				link.settimeout(0.02)
				for at in range(len(data)):
					try:
						link.sendall(data[at:at + 1])
						if link.recv(1) == b"":
							ended = True
					except TimeoutError:
						pass
					except OSError:
						ended = True
					if ended or time.monotonic() - begin > 20 * SLOW:
						break
				self.assertTrue(ended, data[:60])
		self.assert_well()

	def test_json_that_is_none_is_refused(self):
		client = Client(self.server)
		for body, status in ((b"", 400), (b"{", 400), (b"[]", 400), (b"\xff\xfe", 400),
				(b'{"a":"\xc3\x28"}', 400), (b'{"code":1,"code":2}', 400), (b"nul", 400),
				(b'{"a":' * 100 + b"1" + b"}" * 100, 400), (b"[" * 1000, 400),
				(b'{"a":1e999}', 400), (b'{"a":"\\u0000"}', 400), (b"{} {}", 400)):
			answer = client.send("POST", API + "/pair", body, {"Content-Type": "application/json"})
			self.assertEqual((answer.status, answer.error), (status, "json"), body[:40])
		for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx",
				"multipart/form-data; boundary=x"):
			answer = client.send("POST", API + "/pair", b"{}", {"Content-Type": kind})
			self.assertEqual((answer.status, answer.error), (415, "type"))

	def test_methods_that_a_path_does_not_know_are_named(self):
		client = Client(self.server)
		for method, path, allow in (("PUT", "/pair", "POST"), ("DELETE", "/box", "GET, HEAD"),
				("GET", "/uploads", "POST, OPTIONS"), ("TRACE", "/session", None)):
			answer = client.send(method, API + path)
			self.assertEqual((answer.status, answer.error), (405, "method"))
			if allow:
				self.assertEqual(answer.headers["Allow"], allow)

	def test_one_address_cannot_take_every_connection(self):
		links = []
		self.addCleanup(lambda: [link.close() for link in links])
		for _ in range(60):
			link = socket.create_connection(("127.0.0.1", self.server.port), DEADLINE_S)
			link.settimeout(0.05)
			links.append(link)
		# those above the limit are closed at once; the others stay until their time
		def closed():
			n = 0
			for link in links:
				try:
					n += link.recv(1) == b""
				except TimeoutError:
					pass
				except OSError:
					n += 1
			return n
		until(lambda: closed() >= 60 - 40, "connections to be refused")
		until(lambda: closed() == 60, "the rest to be cut off")
		self.assert_well()

	def test_floods_cost_bounded_memory(self):
		def memory():
			with open(f"/proc/{self.server.process.pid}/status", encoding="ascii") as status:
				return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])
		junk = b"POST /api/v1/pair HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + b"[" * 1000
		for _ in range(50):
			self.talk(junk, half_close=True)
		before = memory()
		dice = random.Random(3)
		for _ in range(400):
			self.talk(dice.choice((junk, junk[:90], dice.randbytes(300), b"GET / HTTP/1.1\r\n" * 50)),
				half_close=True)
		self.assertLess(memory() - before, 30_000 * SLOW)
		self.assert_well()


class Full(BoxCase):
	"""Every connection that the server allows, each with the most it may send."""
	arguments = ("--request-time", "600")
	ADDRESSES = 4 # of 64 connections each: as many as there may be
	EACH = 64
	HEADERS_BYTES = 60_000 # of what is read ahead, 64 KiB
	BODY_BYTES = 256 << 10
	KIB_MOST = 90_000 # of which the bodies are 48 MiB, what is read ahead 16 MiB

	def memory_kib(self):
		with open(f"/proc/{self.server.process.pid}/status", encoding="ascii") as status:
			return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])

	def unread(self):
		"""The bytes that came and that the server has not taken."""
		waiting = 0
		with open("/proc/net/tcp", encoding="ascii") as table:
			for line in table.readlines()[1:]:
				_, local, _, state, queues, *_ = line.split()
				if int(local.split(":")[1], 16) == self.server.port and state == "01":
					waiting += int(queues.split(":")[1], 16)
		return waiting

	def begun(self):
		box, _ = self.box_with()
		entries = (f"POST {API}/box/entries?journal={box.journal_id} HTTP/1.1\r\nHost: x\r\n"
			f"Authorization: Bearer {box.token}\r\nContent-Type: application/x-ndjson\r\n").encode()
		body = b" " * (self.BODY_BYTES - 100)
		return ((b"GET /api/v1/session HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * self.HEADERS_BYTES),
			entries + b"Content-Length: %d\r\n\r\n" % self.BODY_BYTES + body,
			entries + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % (1 << 20) + body,
			# more than it may be: refused, and the rest thrown away as it comes
			entries + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % (1 << 20) + body * 3)

	def test_held_at_once_they_cost_bounded_memory(self):
		begun = self.begun()
		for client in self.server.clients:
			client.close()
			client.connection = None
		before, links = self.memory_kib(), []
		self.addCleanup(lambda: [link.close() for link in links])
		for i in range(self.ADDRESSES * self.EACH):
			links.append(socket.create_connection(("127.0.0.1", self.server.port), DEADLINE_S,
				source_address=(f"127.0.0.{2 + i % self.ADDRESSES}", 0)))
			links[-1].sendall(begun[i // self.ADDRESSES % len(begun)])
		until(lambda: self.unread() == 0, "all to be taken")
		for _ in range(20): # slow senders: each byte is taken, and nothing ends
			for link in links:
				link.sendall(b" ")
		until(lambda: self.unread() == 0, "the slow ones' bytes")
		grown = self.memory_kib() - before
		say(f"| {len(links)} connections that hold the most: {grown >> 10} MiB")
		self.assertLess(grown, self.KIB_MOST * (1 if SLOW == 1 else 8))
		for link in links:
			link.settimeout(0)
			with self.assertRaises(BlockingIOError): # none was cut off to make room
				link.recv(1)
			link.close()
		until(lambda: Person(self.server).get("/session").status == 401, "room for others")


class Stalled(Case):
	"""Connections to a server with TLS that never come to a request."""
	REQUEST_S = 3

	def start(self):
		tls = ssl._create_unverified_context()
		self.server = Server(tls=tls, arguments=["--request-time", str(self.REQUEST_S)]).start()
		self.addCleanup(self.server.close)
		incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
		with self.assertRaises(ssl.SSLWantReadError):
			tls.wrap_bio(incoming, outgoing).do_handshake()
		self.hello = outgoing.read()

	def begin(self, said, rest, shaken=False):
		"""A connection that says something, and has more to say, byte by byte."""
		link = socket.create_connection(("127.0.0.1", self.server.port), DEADLINE_S,
			source_address=("127.0.0.2", 0))
		link = self.server.tls.wrap_socket(link) if shaken else link
		self.addCleanup(link.close)
		link.sendall(said)
		self.rest[link] = iter([rest[i:i + 1] for i in range(len(rest))])

	def stall(self):
		"""They stop or dawdle before, within and after their handshake."""
		self.rest = {}
		for said in (b"", self.hello[:1], self.hello[:5], self.hello[:100], self.hello[:-1],
				self.hello, self.hello * 3, b"\x16\x03\x01\xff\xff" + b"x" * 1000):
			for rest in (b"", self.hello[len(said):]) * 3:
				self.begin(said, rest)
		for said in (b"", b"GET /api/v1/session HTTP/1.1\r\nX: "):
			for rest in (b"", b"x" * 1000):
				self.begin(said, rest, shaken=True)
		return list(self.rest)

	def is_over(self, link):
		link.settimeout(0.01)
		try:
			return link.recv(65536) == b""
		except TimeoutError:
			return False
		except OSError:
			return True

	def test_handshakes_that_stall_are_cut_off_and_hold_up_nobody(self):
		self.start()
		links = self.stall()
		self.assertEqual(Person(self.server).get("/session").status, 401)
		begin = time.monotonic()
		while links:
			for link in links: # a byte now and then of what would be right does not help
				with contextlib.suppress(OSError):
					link.sendall(next(self.rest[link], b""))
			links = [link for link in links if not self.is_over(link)]
			self.assertLess(time.monotonic() - begin, (self.REQUEST_S + 10) * SLOW)
		self.assertEqual(Person(self.server).get("/session").status, 401)

	def test_the_server_ends_in_time_while_handshakes_stall(self):
		self.start()
		self.stall()
		begin = time.monotonic()
		self.server.stop()
		self.assertLess(time.monotonic() - begin, 10 * SLOW)


if __name__ == "__main__":
	unittest.main()
