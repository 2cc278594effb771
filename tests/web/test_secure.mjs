/*
 * The pages over TLS with the certificate that the server makes for itself. The
 * browser believes it by its key alone, as boxes do, and is told nothing else.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Box } from './box.mjs';
import { browse, DEADLINE_MS, enter, open, PASSWORD, Person, Server } from './house.mjs';

const failures = [];
let server, browser, page, lesson;

const pinned = (pin) => browse(`--ignore-certificate-errors-spki-list=${pin}`);

before(async () => {
	server = await Server.start({ secure: true });
	const administrator = await new Person(server).join(server.link());
	const coach = await administrator.inviteAndJoin('Maria Okonkwo', 'coach');
	const teacher = await coach.inviteAndJoin('Jonas Lindqvist', 'teacher');
	const box = await Box.pair(coach, 'Blue box');

	box.switchOn(Date.parse('2026-11-19T07:15:00Z'));
	lesson = box.lesson(100, 120, [[20, 'question'], [60, 'open']]);
	await box.bring();
	await coach.request('PATCH', `observations/${lesson}`, { title: 'Fractions', teacher: teacher.id });
	browser = await pinned(server.pin);
	page = await open(browser, server.url, { failures });
	await page.addInitScript(() => {
		const Real = globalThis.Audio;

		globalThis.Audio = function Audio() {
			globalThis.heard = new Real();
			return globalThis.heard;
		};
	});
}, { timeout: 240_000 });

after(async () => {
	await browser?.close();
	await server?.stop();
});

test('the server says the pin by which the browser knows it', () => {
	assert.ok(server.said.includes(`sha256//${server.pin}`), server.said);
});

test('a browser that pins another key does not come in', async () => {
	const other = await pinned(Buffer.alloc(32, 7).toString('base64'));

	try {
		const stranger = await open(other, server.url);

		await assert.rejects(stranger.goto(server.url), /ERR_CERT_AUTHORITY_INVALID/);
	} finally {
		await other.close();
	}
});

test('every answer asks to come back by TLS only, and names no other place', async () => {
	const answer = await page.goto(server.url);
	const headers = answer.headers();

	assert.equal(answer.status(), 200);
	assert.match(headers['strict-transport-security'], /^max-age=\d{7,}$/);
	assert.match(headers['content-security-policy'], /^default-src 'self';/);
	assert.ok(await page.evaluate(() => isSecureContext));
});

test('the session is a cookie that leaves by TLS only, and that no script sees', async () => {
	await enter(page, server.url, 'Jonas Lindqvist');
	const cookies = await page.context().cookies();

	assert.deepEqual(cookies.map(({ name, secure, httpOnly, sameSite, path: where }) =>
		({ name, secure, httpOnly, sameSite, where })),
	[{ name: '__Host-chalkbox', secure: true, httpOnly: true, sameSite: 'Strict', where: '/' }]);
	assert.equal(await page.evaluate(() => document.cookie), '');
});

test('a moment is heard', async () => {
	await page.getByText('Fractions').click();
	await page.locator('.mark').first().waitFor();
	await page.keyboard.press('n');
	await page.waitForFunction(() => globalThis.heard.src.startsWith('https://')
		&& !globalThis.heard.paused && globalThis.heard.currentTime > 0, null, { timeout: DEADLINE_MS });
	const first = await page.evaluate(() => globalThis.heard.currentTime);

	await page.waitForFunction((then) => globalThis.heard.currentTime > then + 0.2, first,
		{ timeout: DEADLINE_MS });
});

test('signing out while it plays ends the sound, and takes the cookie away', async () => {
	await page.getByRole('button', { name: 'Sign out' }).click();
	await page.getByRole('heading', { name: 'Welcome back' }).waitFor();
	assert.ok(await page.evaluate(() => globalThis.heard.paused));
	assert.deepEqual(await page.context().cookies(), []);
	await page.getByLabel('Name').fill('Jonas Lindqvist');
	await page.getByLabel('Password').fill(PASSWORD);
	await page.getByRole('button', { name: 'Sign in' }).click();
	await page.locator('.item').waitFor();
});

test('where a box is paired, the key it has to show is shown', async () => {
	const desk = await open(browser, server.url, { failures });
	const hex = Buffer.from(server.pin, 'base64').toString('hex');

	await enter(desk, server.url, 'Maria Okonkwo');
	await desk.getByRole('link', { name: 'Boxes' }).click();
	await desk.getByRole('button', { name: 'Pair a box' }).click();
	const shown = await desk.locator('.pin-text').textContent();

	assert.match(shown, /^[0-9a-f]{4}(-[0-9a-f]{4})+$/);
	assert.ok(hex.startsWith(shown.replaceAll('-', '')), `${shown} of ${hex}`);
	const command = await desk.getByLabel('Type this on the box').textContent();

	assert.match(command, new RegExp(`^sudo chalkbox pair ${server.url} [A-Z]{4}-[A-Z]{4} --pin ${shown}$`));
	await desk.getByText('A box without a screen').click();
	assert.ok((await desk.locator('details pre').textContent()).endsWith(`\npin=${shown}`));
	await desk.context().close();
});

test('without TLS nothing is said about it', async () => {
	const plain = await Server.start();

	try {
		const answer = await plain.fetch(plain.url);

		assert.equal(answer.headers.get('Strict-Transport-Security'), null);
	} finally {
		await plain.stop();
	}
});

test('nothing went wrong in the pages, and they asked nobody else', () => {
	assert.deepEqual(failures, []);
});
