"""
What lies beyond the access point, inside the virtual board: run by
test_end_of_day.py in the network namespace of the access point.

	far_side.py page PORT TEXT [CERTIFICATE]	answers any request with 200 and TEXT
	far_side.py time EPOCH_NS	an NTP server; its clock is EPOCH_NS + CLOCK_MONOTONIC
"""
import http.server
import socket
import ssl
import struct
import sys
import time

SINCE_1900_S = 2208988800
NTP = struct.Struct(">BBbbII4sQQQQ")


class Page(http.server.BaseHTTPRequestHandler):
	protocol_version = "HTTP/1.1"

	def answer(self):
		self.rfile.read(int(self.headers.get("Content-Length") or 0))
		self.send_response(200)
		self.send_header("Content-Type", "text/html")
		self.send_header("Content-Length", str(len(self.server.text)))
		self.end_headers()
		if self.command != "HEAD":
			self.wfile.write(self.server.text)

	do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = answer


def page(port, text, certificate=None):
	server = http.server.ThreadingHTTPServer(("", int(port)), Page)
	server.text = text.encode()
	if certificate:
		context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
		context.load_cert_chain(certificate)
		server.socket = context.wrap_socket(server.socket, server_side=True)
	server.serve_forever()


def stamp(epoch_ns):
	"""Its time now, as NTP writes it: seconds since 1900 and their 2^32nd parts."""
	s, ns = divmod(epoch_ns + time.clock_gettime_ns(time.CLOCK_MONOTONIC), 1_000_000_000)
	return (s + SINCE_1900_S) << 32 | (ns << 32) // 1_000_000_000


def tell_time(epoch_ns):
	epoch_ns = int(epoch_ns)
	with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
		link.bind(("", 123))
		while True:
			question, whose = link.recvfrom(1024)
			came = stamp(epoch_ns)
			if len(question) >= NTP.size:
				sent = NTP.unpack_from(question)[-1]
				# version 4, a server, stratum 1
				link.sendto(NTP.pack(0x24, 1, 6, -20, 0, 0, b"TEST", came, sent, came,
					stamp(epoch_ns)), whose)


if __name__ == "__main__":
	{"page": page, "time": tell_time}[sys.argv[1]](*sys.argv[2:])
