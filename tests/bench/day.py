"""
A day of one box (8 lessons, 480 events, 240 snippets) from the start of sync to all
of it confirmed, in turns with `curl` putting the same bytes in as many requests to
nginx DAV on the same disk. Ours is verified by hash and durable when it is confirmed;
nginx leaves the bytes to the kernel. For server.py.
"""
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../system"))
from harness import Failed, say # noqa: E402
from people import free_port # noqa: E402
from syncing import FINE, Proxy, Site, Station # noqa: E402

ROUNDS = 7
GOAL = 1.5
NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/error; worker_processes 1;
events {{ worker_connections 64; }}
http {{
	access_log off; client_body_temp_path {folder}/body; client_max_body_size 64m;
	proxy_temp_path {folder}/x1; fastcgi_temp_path {folder}/x2; uwsgi_temp_path {folder}/x3;
	scgi_temp_path {folder}/x4;
	server {{
		listen 127.0.0.1:{port}; root {folder}/put;
		location / {{ dav_methods PUT; create_full_put_path on; }}
	}}
}}
"""


def record(seed, later):
	station = Station()
	later.callback(station.close)
	return station.grow(8, events=60, snippets=30, sizes=(60_000, 120_000),
		chance=random.Random(seed))


def new_site(later):
	site = Site()
	later.callback(site.close)
	return site


def ours(seed, later):
	"""Seconds."""
	site, station = new_site(later), record(seed, later)
	station.pair(site.server.url, site.code())
	begin = time.perf_counter()
	station.sync(expect=FINE)
	seconds = time.perf_counter() - begin
	site.server.stop()
	return seconds


def requests_of_a_day(later):
	site, station = new_site(later), record(0, later)
	proxy = Proxy(site.server.port)
	try:
		station.pair(proxy.url, site.code())
		before = len(proxy.seen)
		station.sync(expect=FINE)
		return len(proxy.seen) - before
	finally:
		proxy.close()
		site.server.stop()


def theirs(seed, requests, later):
	folder = tempfile.mkdtemp(prefix="nginx-")
	later.callback(shutil.rmtree, folder, ignore_errors=True)
	station = record(seed, later)
	os.chmod(folder, 0o777)
	os.mkdir(f"{folder}/put", 0o777)
	os.chmod(f"{folder}/put", 0o777)
	port = free_port()
	with open(f"{folder}/conf", "w", encoding="ascii") as file:
		file.write(NGINX.format(folder=folder, port=port))
	nginx = subprocess.Popen(["nginx", "-c", f"{folder}/conf", "-e", f"{folder}/error"])
	try:
		parts = list(station.sounds.values())
		entries = 512 * len(station.rows())
		others = requests - len(parts)
		parts += [os.urandom(entries // others)] * others
		with open(f"{folder}/curl", "w", encoding="ascii") as config:
			for i, part in enumerate(parts):
				with open(f"{folder}/{i}", "wb") as file:
					file.write(part)
				config.write(f"upload-file = {folder}/{i}\nurl = http://127.0.0.1:{port}/{i}\n")
		while subprocess.run(["curl", "-s", "-o", os.devnull, f"http://127.0.0.1:{port}/"],
				check=False).returncode:
			if nginx.poll() is not None:
				raise Failed(open(f"{folder}/error", encoding="utf-8").read())
			time.sleep(0.02)
		begin = time.perf_counter()
		subprocess.run(["curl", "-s", "-f", "-H", "Expect:", "-K", f"{folder}/curl"], check=True)
		return time.perf_counter() - begin
	finally:
		nginx.terminate()
		nginx.wait()


def bench_day(later):
	if not shutil.which("nginx"):
		say("| a day of one box: skipped, there is no nginx to hold it against (nginx-light)")
		return
	requests = requests_of_a_day(later)
	pairs = [(ours(seed, later), theirs(seed, requests, later)) for seed in range(ROUNDS)]
	mine, other = (statistics.median(side) for side in zip(*pairs))
	ratio = statistics.median(a / b for a, b in pairs)
	say(f"| a day of one box, 240 snippets in {requests} requests, verified and durable: "
		f"{mine:.2f} s; curl to nginx DAV, neither: {other:.2f} s; ratio {ratio:.2f} (goal {GOAL}, "
		f"{'met' if ratio <= GOAL else 'MISSED'})")
