"""
Other people's tus and ours: chalkbox-sync against @tus/server, tus-js-client
against chalkbox-server, connections cut at random bytes both ways.
"""
import hashlib
import json
import os
import random
import subprocess
import unittest

from harness import DEADLINE_S, ROOT, Case, Failed
from syncing import FINE, LATER, Proxy, Site, Station

MODULES = os.path.join(ROOT, "build/npm/tus")


@unittest.skipUnless(os.path.exists(os.path.join(MODULES, "ready")),
	"its packages are not there: make build/npm/tus/ready")
class Tus(Case):
	def test_our_client_brings_everything_to_their_server_however_it_is_cut(self):
		files = self.folder()
		node = subprocess.Popen(["node", os.path.join(MODULES, "server.mjs"), files],
			stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
		self.addCleanup(node.wait)
		self.addCleanup(node.kill)
		self.addCleanup(node.stdout.close)
		port = int(node.stdout.readline())
		chance = random.Random(7)
		station = Station().grow(2, snippets=6, sizes=(100_000, 900_000), chance=chance)
		self.addCleanup(station.close)
		left = [60]

		def harm(number, method, path):
			if "/uploads" not in path or not left[0] or chance.random() < 0.3:
				return None
			left[0] -= 1
			return chance.choice(("cut body", "cut body", "cut answer", "drop answer", "delay"))
		proxy = Proxy(port, harm, chance=chance)
		self.addCleanup(proxy.close)
		station.use(proxy.url, "0" * 64)
		codes = []
		while FINE not in codes and len(codes) < 60:
			codes.append(station.sync().returncode)
		self.assertEqual(set(codes), {LATER, FINE})
		node.stdin.close()
		sounds = json.loads(node.stdout.readline())
		self.assertEqual(sounds, {str(seq): hashlib.sha256(data).hexdigest()
			for seq, data in station.sounds.items()})
		self.assertIn("HEAD", {method for method, _ in proxy.seen})

	def test_their_client_brings_a_file_to_our_server_however_it_is_cut(self):
		site = Site()
		self.addCleanup(site.close)
		station = Station().grow(1, snippets=1, sizes=(700_000, 700_000))
		self.addCleanup(station.close)
		station.pair(site.server.url, site.code())
		token = station.token()
		proxy = Proxy(site.server.port, lambda number, method, path:
			"507" if method == "POST" and "/uploads" in path else None)
		self.addCleanup(proxy.close)
		station.move(proxy.url)
		station.sync(expect=LATER) # the entries are there, the sound is not
		(seq, data), = station.sounds.items()
		chance = random.Random(5)
		left = [25]

		def harm(number, method, path):
			if not left[0] or chance.random() < 0.3:
				return None
			left[0] -= 1
			return chance.choice(("cut body", "cut answer", "drop answer"))
		cutter = Proxy(site.server.port, harm, chance=chance)
		self.addCleanup(cutter.close)
		sha256 = hashlib.sha256(data).hexdigest()
		path = os.path.join(self.folder(), "sound")
		with open(path, "wb") as file:
			file.write(data)
		done = subprocess.run(["node", os.path.join(MODULES, "client.mjs"),
			f"{cutter.url}/api/v1/uploads", token, path, station.id, str(seq), sha256],
			capture_output=True, text=True, check=False, timeout=DEADLINE_S)
		if done.returncode:
			raise Failed(done.stderr)
		self.assertEqual(site.sounds().get(sha256), data)
		self.assertGreater(len(cutter.done), 5)


if __name__ == "__main__":
	unittest.main()
