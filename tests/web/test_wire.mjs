/* How the pages' files go out: compressed or not, in part, again; and what never does. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';

import { Server, WEB } from './house.mjs';

const GZIP = { 'Accept-Encoding': 'gzip, deflate, br' };

/* One request as it is, with nothing added to its path and nothing unpacked. */
function ask(server, where, headers = {}, method = 'GET') {
	return new Promise((resolve, reject) => {
		http.request(server.url, { path: where, method, headers, agent: false }, async (answer) => {
			const parts = await answer.toArray().catch(reject);

			resolve({ status: answer.statusCode, said: answer.headers, body: Buffer.concat(parts) });
		}).on('error', reject).end();
	});
}

describe('a file of the pages', () => {
	const raw = fs.readFileSync(path.join(WEB, 'main.js'));
	let server;

	before(async () => {
		server = await Server.start();
	});

	after(async () => {
		await server?.stop();
	});

	test('goes out compressed to who takes that, and is the same file', async () => {
		const plain = await ask(server, '/main.js');
		const packed = await ask(server, '/main.js', GZIP);

		assert.deepEqual([plain.status, packed.status], [200, 200]);
		assert.equal(plain.said['content-encoding'], undefined);
		assert.equal(packed.said['content-encoding'], 'gzip');
		assert.ok(plain.body.equals(raw));
		assert.ok(gunzipSync(packed.body).equals(raw));
		assert.ok(packed.body.length < raw.length / 2, `${packed.body.length} of ${raw.length}`);
		for (const { said, body } of [plain, packed]) {
			assert.equal(said.vary, 'Accept-Encoding');
			assert.equal(said['content-type'], 'text/javascript; charset=utf-8');
			assert.equal(said['content-length'], String(body.length));
			assert.match(said['content-security-policy'], /^default-src 'self';/);
		}
		assert.notEqual(packed.said.etag, plain.said.etag);
	});

	test('is compressed for whom their Accept-Encoding says so, and for nobody else', async () => {
		for (const [accepts, packed] of [['gzip', true], ['GZIP', true], ['br;q=1.0, gzip;q=0.8', true],
			['*', true], ['br , gzip ; q=0.001', true], ['identity;q=0.5, *;q=0.1', true],
			['', false], ['identity', false], ['br', false], ['gzip;q=0', false], ['gzip; q=0.000', false],
			['gzip;q=0, *', false], ['*, gzip;q=0', false], ['*;q=0', false], ['gzipped', false],
			['x-gzip', false], [',,;q=1', false]]) {
			const { status, said } = await ask(server, '/main.js', { 'Accept-Encoding': accepts });

			assert.deepEqual([status, said['content-encoding'] === 'gzip'], [200, packed], accepts);
		}
	});

	test('every text is, and no font: those are compressed by themselves', async () => {
		for (const where of ['/', '/style.css', '/icon.svg', '/default.txt', '/vendor/preact.js',
			'/pages/site.js', '/vendor/LICENSE-preact.txt']) {
			assert.equal((await ask(server, where, GZIP)).said['content-encoding'], 'gzip', where);
		}
		const font = await ask(server, '/vendor/text.woff2', GZIP);

		assert.equal(font.said['content-encoding'], undefined);
		assert.ok(font.body.equals(fs.readFileSync(path.join(WEB, 'vendor/text.woff2'))));
	});

	test('is not sent again to who has it, in the form they have', async () => {
		const plain = (await ask(server, '/main.js')).said.etag;
		const packed = (await ask(server, '/main.js', GZIP)).said.etag;

		for (const [known, accepts, status] of [[plain, {}, 304], [packed, GZIP, 304],
			[packed, {}, 200], [plain, GZIP, 200], [`"other", ${packed}`, GZIP, 304]]) {
			const answer = await ask(server, '/main.js', { ...accepts, 'If-None-Match': known });

			assert.equal(answer.status, status, `${known} ${JSON.stringify(accepts)}`);
			assert.equal(answer.said.etag, accepts === GZIP ? packed : plain);
			assert.equal(answer.said.vary, 'Accept-Encoding');
			assert.equal(answer.body.length === 0, status === 304);
		}
	});

	test('a HEAD says the same without it', async () => {
		for (const accepts of [{}, GZIP]) {
			const whole = await ask(server, '/main.js', accepts);
			const head = await ask(server, '/main.js', accepts, 'HEAD');
			const same = ({ date, connection, ...said }) => said;

			assert.equal(head.status, 200);
			assert.equal(head.body.length, 0);
			assert.deepEqual(same(head.said), same(whole.said));
		}
	});

	test('a range is one of the bytes that go out', async () => {
		for (const accepts of [{}, GZIP]) {
			const whole = await ask(server, '/main.js', accepts);
			const part = await ask(server, '/main.js', { ...accepts, Range: 'bytes=100-299' });
			const behind = await ask(server, '/main.js', { ...accepts, Range: `bytes=${raw.length}-` });

			assert.equal(part.status, 206);
			assert.equal(part.said['content-range'], `bytes 100-299/${whole.body.length}`);
			assert.equal(part.said['content-encoding'], whole.said['content-encoding']);
			assert.equal(part.said.etag, whole.said.etag);
			assert.ok(part.body.equals(whole.body.subarray(100, 300)));
			assert.deepEqual([behind.status, behind.said['content-range']],
				[416, `bytes */${whole.body.length}`]);
		}
	});

	test('its compressed form has no name of its own', async () => {
		assert.ok(fs.existsSync(path.join(WEB, 'main.js.gz')));
		for (const accepts of [{}, GZIP]) {
			assert.equal((await ask(server, '/main.js.gz', accepts)).status, 404);
		}
	});
});

describe('a folder of pages', () => {
	const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cw-'));
	const secret = gzipSync('not for anybody');
	const text = 'as it is';
	let server;

	before(async () => {
		const web = path.join(folder, 'web');
		const put = (name, what) => {
			fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
			fs.writeFileSync(path.join(folder, name), what);
		};

		put('secret.txt', secret);
		put('secret.txt.gz', secret);
		put('web/index.html', 'index');
		for (const name of ['alone', 'linked', 'folder']) {
			put(`web/${name}.txt`, text);
		}
		put('web/twin.txt', Buffer.alloc(secret.length));
		put('web/twin.txt.gz', secret);
		for (const name of ['twin.txt', 'twin.txt.gz']) {
			fs.utimesSync(path.join(web, name), 1e9, 1e9);
		}
		put('web/only.txt.gz', secret);
		put('web/.hidden.txt', text);
		put('web/.hidden/page.txt', text);
		fs.symlinkSync('../secret.txt.gz', path.join(web, 'linked.txt.gz'));
		fs.symlinkSync('../secret.txt', path.join(web, 'link.txt'));
		fs.symlinkSync('..', path.join(web, 'up'));
		fs.mkdirSync(path.join(web, 'folder.txt.gz'));
		fs.mkdirSync(path.join(web, 'inner.txt'));
		server = await Server.start({ web });
	});

	after(async () => {
		await server?.stop();
		fs.rmSync(folder, { recursive: true, force: true });
	});

	test('without a good compressed form a page goes out as it is', async () => {
		for (const name of ['alone', 'linked', 'folder']) {
			const { status, said, body } = await ask(server, `/${name}.txt`, GZIP);

			assert.deepEqual([status, said['content-encoding'], body.toString()],
				[200, undefined, text], name);
		}
	});

	test('two forms of one size and time are still told apart', async () => {
		const [plain, packed] = [await ask(server, '/twin.txt'), await ask(server, '/twin.txt', GZIP)];

		assert.ok(packed.body.equals(secret));
		assert.notEqual(packed.said.etag, plain.said.etag);
	});

	test('gives nothing hidden, linked, outside, or there in its compressed form alone', async () => {
		for (const where of ['/only.txt', '/only.txt.gz', '/link.txt', '/up/secret.txt', '/inner.txt',
			'/.hidden.txt', '/.hidden/page.txt', '/../secret.txt', '/./alone.txt', '/web/../../secret.txt',
			'/%2e%2e/secret.txt', '/..%2fsecret.txt', '//secret.txt', '/alone', '/alone.txt/']) {
			for (const accepts of [{}, GZIP]) {
				const { status, body } = await ask(server, where, accepts);

				assert.ok(status === 404 || status === 400, `${where}: ${status}`);
				assert.ok(!body.includes(secret) && !body.includes(text), where);
			}
		}
	});
});
