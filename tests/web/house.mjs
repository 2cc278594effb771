/*
 * What the tests of the pages stand on: a real chalkbox-server in a folder of its
 * own, people who join it, and a real Chromium; box.mjs brings lessons to them.
 * Nothing here waits for luck: every wait has a condition and a deadline.
 */
import { spawn } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import https from 'node:https';
import { createRequire } from 'node:module';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const WEB = path.join(ROOT, 'build/web');
export const SHOTS = path.join(ROOT, 'build/screenshots');
export const PASSWORD = 'three kind words';
export const DEADLINE_MS = 30_000;
const BUILD = path.resolve(process.env.CHALKBOX_BUILD ?? path.join(ROOT, 'build/release'));

const require = createRequire(path.join(ROOT, 'build/npm/tests/package.json'));
const { chromium } = require('playwright-core');
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

export function browse(...more) {
	return chromium.launch({
		executablePath: process.env.CHALKBOX_CHROMIUM ?? '/usr/bin/chromium',
		args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
			'--disable-background-networking', '--disable-component-update', '--disable-sync', ...more],
	});
}

async function freePort() {
	const probe = net.createServer().listen(0, '127.0.0.1');

	await once(probe, 'listening');
	const { port } = probe.address();

	probe.close();
	await once(probe, 'close');
	return port;
}

/* One request to a server whose own certificate is the only one believed. */
function trusted(url, { method, headers, body } = {}, ca = undefined) {
	return new Promise((resolve, reject) => {
		const request = https.request(url, { method, headers, ca }, async (answer) => {
			const parts = await answer.toArray().catch(reject);
			const { statusCode: status, headers: said } = answer;

			resolve(new Response(status === 204 ? null : Buffer.concat(parts),
				{ status, headers: Object.entries(said).map(([name, value]) => [name, String(value)]) }));
		});

		request.on('error', reject);
		request.end(body);
	});
}

/*
 * chalkbox-server on a port of its own; `link` makes the first administrator. With
 * @secure it speaks TLS with the certificate that it makes; @web are its pages.
 */
export class Server {
	static async start({ secure = false, web = WEB } = {}) {
		const server = new Server();
		const place = `127.0.0.1:${await freePort()}`;

		server.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cw-'));
		server.secure = secure;
		server.url = `${secure ? 'https' : 'http'}://${place}`;
		server.said = '';
		server.process = spawn(path.join(BUILD, 'chalkbox-server'), [
			'--data', path.join(server.folder, 'data'), '--listen', place, ...secure ? [] : ['--plain'],
			'--static', web, '--name', 'Linden School',
		], { stdio: ['ignore', 'pipe', 'pipe'] });
		process.once('exit', () => server.process.kill('SIGKILL'));
		for (const stream of [server.process.stdout, server.process.stderr]) {
			stream.on('data', (data) => {
				server.said += data;
			});
		}
		await server.ready();
		return server;
	}

	async ready() {
		const end = Date.now() + DEADLINE_MS;

		for (;;) {
			const found = this.link();

			if (found && await this.fetch(`${this.url}/api/v1/session`).catch(() => null)) {
				return;
			}
			if (this.process.exitCode !== null || Date.now() > end) {
				throw new Error(`the server did not come up:\n${this.said}`);
			}
			await new Promise((resolve) => setTimeout(resolve, 20));
		}
	}

	get certificate() {
		return fs.readFileSync(path.join(this.folder, 'data/tls/cert.pem'));
	}

	/* Base64 of the SHA-256 of its public key, by which boxes and browsers pin it. */
	get pin() {
		const key = new X509Certificate(this.certificate).publicKey;

		return createHash('sha256').update(key.export({ type: 'spki', format: 'der' })).digest('base64');
	}

	fetch(url, options) {
		return this.secure ? trusted(url, options, this.certificate) : fetch(url, options);
	}

	/* The same; a connection that went stale while something was made is opened anew. */
	async speak(url, options) {
		try {
			return await this.fetch(url, options);
		} catch {
			return this.fetch(url, options);
		}
	}

	/* Printed on a terminal, else in a file beside the data. */
	link() {
		const said = /\S+\/#\/welcome\/[0-9a-f]{64}/.exec(this.said)?.[0];
		const file = path.join(this.folder, 'data/first-link');

		return said ?? (fs.existsSync(file) ? fs.readFileSync(file, 'utf8').trim() : undefined);
	}

	async stop() {
		this.process.kill('SIGTERM');
		if (this.process.exitCode === null) {
			await once(this.process, 'exit');
		}
		fs.rmSync(this.folder, { recursive: true, force: true });
		if (this.process.exitCode !== 0) {
			throw new Error(`the server ended with ${this.process.exitCode}:\n${this.said}`);
		}
	}
}

/* Somebody who speaks to the server without a browser, to set the scene. */
export class Person {
	constructor(server) {
		this.server = server;
	}

	async request(method, where, json) {
		const response = await this.server.speak(`${this.server.url}/api/v1/${where}`, {
			method,
			headers: {
				Origin: this.server.url,
				...this.cookie && { Cookie: this.cookie },
				...this.token && { 'X-Chalkbox-Token': this.token },
				...json && { 'Content-Type': 'application/json' },
			},
			body: json && JSON.stringify(json),
		});
		const text = await response.text();

		if (!response.ok) {
			throw new Error(`${method} ${where}: ${response.status} ${text}`);
		}
		this.cookie = response.headers.get('Set-Cookie')?.split(';')[0] ?? this.cookie;
		return text ? JSON.parse(text) : null;
	}

	async join(link) {
		const code = link.split('/').pop();
		const said = await this.request('POST', `invitations/${code}`, { password: PASSWORD });

		this.token = said.token;
		Object.assign(this, said.person);
		return this;
	}

	async invite(name, ...roles) {
		return (await this.request('POST', 'people', { name, roles })).link;
	}

	async inviteAndJoin(name, ...roles) {
		return new Person(this.server).join(await this.invite(name, ...roles));
	}
}

/* One page with nothing in its way; what goes wrong in it is added to @failures. */
export async function open(browser, url, { width = 1280, height = 900, scheme = 'light', failures } = {}) {
	const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme,
		reducedMotion: 'reduce', locale: 'en-GB', timezoneId: 'UTC' });
	const page = await context.newPage();

	page.setDefaultTimeout(DEADLINE_MS);
	page.on('pageerror', (error) => failures?.push(error.stack));
	page.on('console', (line) => {
		/* the browser reports each answer that is not 2xx; those are told on the page */
		if (line.type() === 'error' && !line.text().startsWith('Failed to load resource')) {
			failures?.push(line.text());
		}
	});
	page.on('request', (request) => {
		if (!request.url().startsWith(url)) {
			failures?.push(`asked somebody else: ${request.url()}`);
		}
	});
	return page;
}

/* Signs a page in as somebody who has joined already. */
export async function enter(page, url, name) {
	await page.goto(url);
	await page.getByLabel('Name').fill(name);
	await page.getByLabel('Password').fill(PASSWORD);
	await page.getByRole('button', { name: 'Sign in' }).click();
	await page.getByRole('button', { name: 'Sign out' }).waitFor();
}

/* Everything is drawn, in its own letters. */
export async function settled(page) {
	await page.evaluate(() => document.fonts.ready);
	await page.evaluate(() => new Promise((resolve) =>
		requestAnimationFrame(() => requestAnimationFrame(resolve))));
}

/* What axe finds serious or critical in what the page shows. */
export async function findings(page) {
	await page.evaluate(axe);
	const { violations } = await page.evaluate(() => globalThis.axe.run(document,
		{ resultTypes: ['violations'] }));

	return violations.filter((one) => one.impact === 'serious' || one.impact === 'critical')
		.map((one) => `${one.id}: ${one.help}: ${one.nodes.slice(0, 3).map((node) =>
			`${node.html.slice(0, 160)} ${node.any[0]?.message ?? ''}`).join(' | ')}`);
}

/* How many pixels can only be seen by scrolling sideways. */
export const overflow = (page) => page.evaluate(() =>
	document.documentElement.scrollWidth - document.documentElement.clientWidth);
