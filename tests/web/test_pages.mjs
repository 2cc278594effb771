/*
 * Every page in light and dark, on a wide screen and a phone: axe finds nothing
 * serious, nothing is cut off, and a picture of each is left in build/screenshots
 * for eyes to look at. What coaches and administrators do on their pages.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import {
	axePath, Box, browse, enter, HEALTHY, open, PASSWORD, Person, school, Server, SHOTS,
} from './house.mjs';

const axe = fs.readFileSync(axePath, 'utf8');
const failures = [];
let place, browser, url;

before(async () => {
	place = await school();
	url = place.server.url;
	browser = await browse();
	fs.mkdirSync(SHOTS, { recursive: true });
	const jonas = await new Person(place.server).join(place.invitation);

	place.worn = await Box.pair(place.coach, 'Worn box');
	await place.worn.report({ ...HEALTHY, power: 'low-before', total_bytes: 29_000_000_000,
		microphone: 'lost', loud_db: -57, clock_trusted: false },
	{ faults: ['buttons: gpiochip0: no line GPIO6'], free_bytes: 1_900_000_000, unsent_snippets: 12 });
	await Box.pair(place.coach, 'New box');
	place.waiting = await place.coach.invite('Aylin Demir', 'teacher');
	await place.administrator.inviteAndJoin('Tom Adeyemi', 'teacher');
	for (const [name, title] of [['fractions', 'Fractions, group 7b'], ['unsure', ''], ['lost', '']]) {
		await place.coach.request('PATCH', `observations/${place.lessons[name]}`,
			{ title, teacher: name === 'lost' ? null : jonas.id });
	}
}, { timeout: 240_000 });

after(async () => {
	await browser?.close();
	await place?.server.stop();
});

async function findings(page) {
	await page.evaluate(axe);
	const { violations } = await page.evaluate(() => globalThis.axe.run(document,
		{ resultTypes: ['violations'] }));

	return violations.filter((one) => one.impact === 'serious' || one.impact === 'critical')
		.map((one) => `${one.id}: ${one.help}: ${one.nodes.slice(0, 3).map((node) =>
			`${node.html.slice(0, 160)} ${node.any[0]?.message ?? ''}`).join(' | ')}`);
}

/* Things that can only be seen by scrolling sideways. */
const overflow = (page) => page.evaluate(() =>
	document.documentElement.scrollWidth - document.documentElement.clientWidth);

async function settled(page) {
	await page.evaluate(() => document.fonts.ready);
	await page.evaluate(() => new Promise((resolve) =>
		requestAnimationFrame(() => requestAnimationFrame(resolve))));
}

/* Name, whose, address, what tells that it is there, what is done first. */
const PAGES = [
	['sign-in', null, '/#/sign-in', 'h1:has-text("Welcome back")'],
	['observations', 'Jonas Lindqvist', '/#/', '.item'],
	['observation', 'Jonas Lindqvist', () => `/#/observations/${place.lessons.fractions}`, '.looks li',
		async (page) => {
			await page.locator('.mark').nth(4).focus();
			await page.keyboard.press('Enter');
			await page.locator('.close-up .wave').first().waitFor();
			await page.locator('.round.big[aria-label="Pause"]').waitFor();
			await page.getByRole('button', { name: 'Pause' }).click();
		}],
	['observation-unsure', 'Jonas Lindqvist', () => `/#/observations/${place.lessons.unsure}`, '.looks li'],
	['observation-assign', 'Maria Okonkwo', () => `/#/observations/${place.lessons.lost}`, '.assign select'],
	['teachers', 'Maria Okonkwo', '/#/people', '.people li'],
	['boxes', 'Maria Okonkwo', '/#/boxes', '.card'],
	['pairing', 'Maria Okonkwo', '/#/boxes', '.card', async (page) => {
		await page.getByRole('button', { name: 'Pair a box' }).click();
		await page.locator('.code').waitFor();
		await page.getByText('A box without a screen').click();
		assert.match(await page.locator('details pre').textContent(), /^url=http:.*\ncode=[A-Z]{4}-[A-Z]{4}$/);
	}],
	['people', 'administrator', '/#/people', '.people li', async (page, scheme) => {
		await page.getByLabel('Name').fill(scheme === 'light' ? 'Ines Moreau' : 'Ida Moreau');
		await page.getByRole('button', { name: 'Make a link' }).click();
		await page.locator('.hand-on').waitFor();
		await page.evaluate(() => { /* no secret in a picture */
			document.querySelector('.hand-on pre').textContent = 'https://chalkbox.example/#/welcome/…';
		});
	}],
	['site', 'administrator', '/#/site', 'textarea', async (page) => {
		if (await page.locator('textarea').inputValue() === '') {
			await page.getByRole('button', { name: 'Begin with the usual one' }).click();
		}
		await page.getByText('This scheme is good.').waitFor();
	}],
	['account', 'Maria Okonkwo', '/#/account', 'h1:has-text("My account")'],
	['nowhere', 'Jonas Lindqvist', '/#/nowhere', 'h1:has-text("no such page")'],
];

for (const scheme of ['light', 'dark']) {
	describe(`the pages in ${scheme}`, () => {
		const pages = new Map();

		async function pageOf(name) {
			if (!pages.has(name)) {
				const page = await open(browser, url, { scheme, failures });

				if (name) {
					await enter(page, url, name);
				}
				pages.set(name, page);
			}
			return pages.get(name);
		}

		after(async () => {
			for (const page of pages.values()) {
				await page.context().close();
			}
		});

		test('welcome: axe finds nothing serious, nothing is cut off', async () => {
			const page = await open(browser, url, { scheme, failures });

			await page.goto(place.waiting);
			await page.getByRole('heading', { name: 'Welcome, Aylin Demir' }).waitFor();
			await settled(page);
			await page.screenshot({ path: path.join(SHOTS, `welcome-${scheme}.png`) });
			assert.deepEqual(await findings(page), []);
			await page.context().close();
		});

		for (const [name, who, where, there, act] of PAGES) {
			test(`${name}: axe finds nothing serious, nothing is cut off`, async () => {
				const page = await pageOf(who);

				await page.setViewportSize({ width: 1280, height: 900 });
				await page.goto(`${url}/#/sign-in`);
				await page.goto(url + (typeof where === 'function' ? where() : where));
				await page.locator(there).first().waitFor();
				await act?.(page, scheme);
				await page.evaluate(() => scrollTo(0, 0));
				await settled(page);
				assert.deepEqual(await findings(page), []);
				await page.screenshot({ path: path.join(SHOTS, `${name}-${scheme}.png`) });
				await page.screenshot({ path: path.join(SHOTS, `${name}-whole-${scheme}.png`), fullPage: true });
				await page.setViewportSize({ width: 360, height: 780 });
				await page.evaluate(() => scrollTo(0, 0));
				await settled(page);
				assert.ok(await overflow(page) <= 0, 'nothing scrolls sideways on a phone');
				await page.screenshot({ path: path.join(SHOTS, `${name}-phone-${scheme}.png`) });
				assert.deepEqual(await findings(page), []);
			});
		}
	});
}

describe('a new server', () => {
	let server;

	before(async () => {
		server = await Server.start();
	});

	after(async () => {
		await server?.stop();
	});

	for (const [scheme, width] of [['light', 1280], ['dark', 360]]) {
		test(`its first page in ${scheme}, ${width} wide: axe finds nothing serious`, async () => {
			const page = await open(browser, server.url, { scheme, width, height: 800, failures });

			await page.goto(server.link());
			await page.getByLabel('I also observe lessons').waitFor();
			await settled(page);
			await page.screenshot({ path: path.join(SHOTS, `first-${scheme}.png`), fullPage: true });
			assert.deepEqual(await findings(page), []);
			assert.ok(await overflow(page) <= 0);
			await page.context().close();
		});
	}

	test('a coach alone is administrator and coach with one account', async () => {
		const page = await open(browser, server.url, { failures });

		await page.goto(server.link());
		await page.getByLabel('Your name').fill('Maria Okonkwo');
		await page.getByLabel('I also observe lessons').check();
		await page.getByLabel('Choose a password').fill(PASSWORD);
		await page.getByLabel('Once more').fill(PASSWORD);
		await page.getByRole('button', { name: 'Come in' }).click();
		await page.getByRole('heading', { name: 'My observations' }).waitFor();
		assert.deepEqual(await page.locator('.top nav a').allTextContents(),
			['My observations', 'Boxes', 'People', 'Site']);
		await page.getByRole('link', { name: 'Maria Okonkwo' }).click();
		await page.getByText('administrator and coach').waitFor();
		await page.getByRole('button', { name: 'Sign out' }).click();
		await enter(page, server.url, 'Maria Okonkwo');
		await page.context().close();
	});
});

describe('on paper', () => {
	test('an observation prints its score, counts and list, and no controls', async () => {
		const page = await open(browser, url, { failures });

		await enter(page, url, 'Jonas Lindqvist');
		await page.goto(`${url}/#/observations/${place.lessons.fractions}`);
		await page.locator('.looks li').first().waitFor();
		await page.emulateMedia({ media: 'print' });
		await settled(page);
		for (const hidden of ['.player', '.filter', '.top', '.looks']) {
			assert.ok(!await page.locator(hidden).first().isVisible(), `${hidden} is not printed`);
		}
		for (const seen of ['.score', '.legend', '.cards', '.bins', '.list']) {
			assert.ok(await page.locator(seen).first().isVisible(), `${seen} is printed`);
		}
		assert.ok(await page.locator('.list').getByText('reminder to look, not answered').first().isVisible());
		assert.ok(Number(await page.locator('.ruler svg').getAttribute('width')) <= 680);
		await page.pdf({ path: path.join(SHOTS, 'observation.pdf'), format: 'A4', printBackground: false });
		await page.context().close();
	});
});

describe('what coaches and administrators do', () => {
	test('a coach gives an observation to its teacher', async () => {
		const page = await open(browser, url, { failures });

		await enter(page, url, 'Maria Okonkwo');
		let answer;
		const teachers = new Promise((resolve) => { /* they are known late */
			answer = resolve;
		});

		await page.route('**/api/v1/people', async (route) => {
			await teachers;
			await route.continue();
		});
		await page.goto(`${url}/#/observations/${place.lessons.lost}`);
		await page.getByLabel('Title').fill('Reading aloud');
		answer();
		await page.getByLabel('Teacher').selectOption({ label: 'Tom Adeyemi' });
		await page.getByRole('button', { name: 'Save' }).click();
		await page.getByRole('heading', { name: 'Reading aloud' }).waitFor();
		await page.locator('.lead').getByText('with Tom Adeyemi').waitFor();
		assert.equal(await page.getByText('Who looked').count(), 0, 'that is the teacher\'s');
		assert.equal(await page.getByRole('button', { name: /Withdraw/ }).count(), 0);
		await page.context().close();
	});

	test('a title is saved though the teacher is none any more', async () => {
		const page = await open(browser, url, { failures });
		const iris = await place.administrator.inviteAndJoin('Iris Vale', 'teacher');
		const where = `observations/${place.lessons.lost}`;

		await place.coach.request('PATCH', where, { teacher: iris.id });
		await place.administrator.request('PATCH', `people/${iris.id}`, { revoked: true });
		await enter(page, url, 'Maria Okonkwo');
		await page.goto(`${url}/#/${where}`);
		await page.getByText('Title and teacher').click();
		await page.getByLabel('Title').fill('Reading on');
		await page.getByRole('button', { name: 'Save' }).click();
		await page.getByRole('heading', { name: 'Reading on' }).waitFor();
		assert.equal((await place.coach.request('GET', where)).teacher?.name, 'Iris Vale');
		await page.getByLabel('Teacher').selectOption({ label: 'nobody yet' });
		await page.getByRole('button', { name: 'Save' }).click();
		await page.getByText('Give this observation to its teacher').waitFor();
		assert.equal((await place.coach.request('GET', where)).teacher, null);
		await page.context().close();
	});

	test('a coach without teachers is told to invite one', async () => {
		await place.administrator.inviteAndJoin('Nora Blum', 'coach');
		const page = await open(browser, url, { failures });

		await page.route('**/api/v1/people', async (route) => {
			const answer = await route.fetch();
			const { people } = await answer.json();

			await route.fulfill({ response: answer, json: { people: people
				.filter((one) => !one.roles.includes('teacher')) } });
		});
		await enter(page, url, 'Nora Blum');
		await page.getByText('Observe a lesson with your box').waitFor();
		await page.getByText('Plan a visit').click();
		await page.getByText('No teacher is here yet.').waitFor();
		await page.getByRole('link', { name: 'Invite one' }).click();
		await page.getByText('Nobody is here yet. Invite the first one.').waitFor();
		await page.context().close();
	});

	test('a name of one endless word stays within a narrow screen', async () => {
		const page = await open(browser, url, { width: 320, height: 640, failures });
		const title = 'Donaudampfschifffahrt'.repeat(9);

		await place.coach.request('PATCH', `observations/${place.lessons.lost}`, { title });
		await enter(page, url, 'Maria Okonkwo');
		for (const where of ['/#/', `/#/observations/${place.lessons.lost}`]) {
			await page.goto(url + where);
			await page.getByText(title).first().waitFor();
			assert.ok(await overflow(page) <= 0, where);
		}
		await page.context().close();
	});

	test('a coach plans a visit, and drops it', async () => {
		const page = await open(browser, url, { failures });

		await enter(page, url, 'Maria Okonkwo');
		await page.getByText('Plan a visit').click();
		await page.getByLabel('Teacher').selectOption({ label: 'Jonas Lindqvist' });
		await page.getByLabel('Title').fill('Fractions again');
		await page.getByLabel('Day').fill('2027-01-14');
		await page.getByLabel('From').fill('09:30');
		await page.getByLabel('To', { exact: true }).fill('10:30');
		await page.getByRole('button', { name: 'Plan it' }).click();
		const visit = page.locator('.plans li', { hasText: 'Jonas Lindqvist, Fractions again' });

		await visit.getByText('Thu, 14 Jan 2027, 09:30–10:30').waitFor();
		assert.deepEqual(await findings(page), []);
		await visit.getByRole('button', { name: 'Drop' }).click();
		await visit.waitFor({ state: 'detached' });
		await page.context().close();
	});

	test('a teacher lets a colleague see an observation, and no more', async () => {
		const page = await open(browser, url, { failures });
		const tom = await open(browser, url, { failures });
		const title = 'Fractions, group 7b';

		await enter(tom, url, 'Tom Adeyemi');
		await enter(page, url, 'Jonas Lindqvist');
		await page.goto(`${url}/#/observations/${place.lessons.fractions}`);
		await page.getByLabel('Their name, as they sign in').fill('Nobody Atall');
		await page.getByRole('button', { name: 'Let them see it' }).click();
		await page.locator('div.trouble').waitFor();
		await page.getByLabel('Their name, as they sign in').fill('Tom Adeyemi');
		await page.getByRole('button', { name: 'Let them see it' }).click();
		await page.getByRole('button', { name: 'No more for Tom Adeyemi' }).waitFor();
		await tom.reload();
		await tom.getByText('shown to you by Jonas Lindqvist').waitFor();
		await tom.getByText(title).click();
		await tom.locator('.mark').first().waitFor();
		assert.equal(await tom.getByText('Who looked').count(), 0);
		assert.equal(await tom.getByText('Let somebody else').count(), 0);
		await page.getByRole('button', { name: 'No more for Tom Adeyemi' }).click();
		await page.getByRole('button', { name: 'No more for Tom Adeyemi' }).waitFor({ state: 'detached' });
		await tom.reload();
		await tom.getByText('nothing for you to see').waitFor();
		await page.context().close();
		await tom.context().close();
	});

	test('a wrong scheme is told with its line while it is typed, and cannot be saved', async () => {
		const page = await open(browser, url, { failures });

		await enter(page, url, 'administrator');
		await page.goto(`${url}/#/site`);
		await page.getByRole('button', { name: 'Begin with the usual one' }).click();
		await page.getByText('This scheme is good.').waitFor();
		const text = await page.locator('textarea').inputValue();
		const line = text.split('\n').findIndex((one) => one === 'kind = state') + 1;

		await page.locator('textarea').fill(text.replace('kind = state', 'kind = stare'));
		await page.getByRole('button', { name: `Line ${line}` }).click();
		assert.equal(await page.evaluate(() => {
			const area = document.activeElement;

			return area.value.slice(area.selectionStart, area.selectionEnd);
		}), 'kind = stare');
		assert.ok(await page.getByRole('button', { name: 'Save' }).isDisabled());
		await page.locator('textarea').fill(text.replace('levels = most, half, few', 'levels = all, some'));
		await page.getByText('This scheme is good.').waitFor();
		await page.locator('.preview').getByText('1×: all · 2×: some').waitFor();
		await page.getByLabel('Days on the box').fill('7');
		await page.locator('textarea').press('End'); /* what was typed before stays */
		await page.locator('textarea').pressSequentially(' ');
		await page.getByRole('button', { name: 'Save' }).click();
		await page.getByText('Saved.').waitFor();
		const rules = await place.administrator.request('GET', 'site');

		assert.equal(rules.days_on_box, 7);
		assert.match(rules.scheme, /levels = all, some/);
		await page.context().close();
	});

	test('a box that needs a look says why, and one that is well says so', async () => {
		const page = await open(browser, url, { failures });
		const card = (name) => page.locator('.card', { has: page.getByRole('heading', { name }) });

		await enter(page, url, 'Maria Okonkwo');
		await page.goto(`${url}/#/boxes`);
		await card('Blue box').getByText('All is well').waitFor();
		await card('Blue box').getByText('27.4 GB free of 31.3 GB').waitFor();
		await card('New box').getByText('it has told nothing yet').waitFor();
		for (const line of ['Needs a look', 'The buttons do not work', 'no line GPIO6', 'nearly full',
			'too weak at some moment', 'is it plugged in?', '12 snippets']) {
			await card('Worn box').getByText(line).waitFor();
		}
		assert.equal(await card('Worn box').locator('.line.bad').count(), 1);
		await card('Worn box').getByText('What it is made of').click();
		await card('Worn box').getByText('Raspberry Pi 4 Model B').waitFor();
		await page.context().close();
	});

	test('the page tells by itself that a box has used its code', async () => {
		const page = await open(browser, url, { failures });

		await enter(page, url, 'Maria Okonkwo');
		await page.goto(`${url}/#/boxes`);
		await page.getByRole('button', { name: 'Pair a box' }).click();
		const code = await page.locator('.code').textContent();
		const focused = () => page.evaluate(() => document.activeElement.textContent);

		assert.equal(await focused(), 'Pair a box');
		await new Person(place.server).request('POST', 'pair', { code, name: 'Yellow box' });
		await page.getByText('Yellow box is paired.').waitFor();
		await page.waitForFunction(() => document.activeElement.textContent === 'Pair another box');
		assert.equal(await page.locator('.code').count(), 0);
		await page.getByRole('button', { name: 'Pair another box' }).click();
		await page.locator('.code').waitFor();
		await page.getByRole('button', { name: 'Done' }).click();
		await page.getByRole('button', { name: 'Pair a box' }).waitFor();
		await page.context().close();
	});

	test('an administrator pairs a box for the coach who will carry it', async () => {
		const page = await open(browser, url, { failures });
		const lena = await place.administrator.inviteAndJoin('Lena Fox', 'coach');

		await enter(page, url, 'administrator');
		await page.goto(`${url}/#/boxes`);
		await page.getByLabel('Who will carry it').selectOption({ label: 'Lena Fox' });
		assert.deepEqual(await findings(page), []);
		await page.getByRole('button', { name: 'Pair a box' }).click();
		const code = await page.locator('.code').textContent();

		await Box.pair(place.coach, 'Maria\'s next box'); /* somebody else's meanwhile */
		await page.getByRole('heading', { name: 'Maria\'s next box' }).waitFor();
		assert.equal(await page.locator('.code').textContent(), code);
		await new Person(place.server).request('POST', 'pair', { code, name: 'Red box' });
		await page.getByText('Red box is paired.').waitFor();
		assert.deepEqual((await lena.request('GET', 'boxes')).boxes.map((box) => box.name), ['Red box']);
		await page.context().close();
	});

	test('a box is renamed and revoked', async () => {
		const page = await open(browser, url, { failures });
		const card = (name) => page.locator('.card', { has: page.getByRole('heading', { name }) });

		await enter(page, url, 'Maria Okonkwo');
		await page.goto(`${url}/#/boxes`);
		await page.getByRole('button', { name: 'Rename Blue box' }).click();
		await page.getByLabel('Name').fill('Green box');
		await page.getByRole('button', { name: 'Save' }).click();
		await card('Green box').getByRole('button', { name: 'Revoke' }).click();
		await page.getByRole('dialog').getByRole('button', { name: 'Revoke it' }).click();
		await page.getByText('can bring nothing any more').waitFor();
		await assert.rejects(place.box.send('GET', `box?journal=${place.box.journal}`), /401/);
		await page.context().close();
	});

	test('a person gets another role, and nobody is without one', async () => {
		const page = await open(browser, url, { failures });

		await enter(page, url, 'administrator');
		await page.goto(`${url}/#/people`);
		const tom = page.locator('.people li', { hasText: 'Tom Adeyemi' });

		await tom.getByRole('button', { name: 'Roles of Tom Adeyemi' }).click();
		await tom.getByLabel('teacher').uncheck();
		await tom.getByRole('button', { name: 'Save' }).click();
		await tom.locator('div.trouble').waitFor();
		await tom.getByLabel('coach').check();
		await tom.getByLabel('teacher').check();
		assert.deepEqual(await findings(page), []);
		await tom.getByRole('button', { name: 'Save' }).click();
		await tom.locator('.role').getByText('coach and teacher').waitFor();
		assert.deepEqual((await place.administrator.request('GET', 'people')).people
			.find((one) => one.name === 'Tom Adeyemi').roles, ['coach', 'teacher']);
		await page.context().close();
	});

	test('people change their own password, and are signed out elsewhere', async () => {
		const page = await open(browser, url, { failures });
		const elsewhere = await open(browser, url, { failures });

		await enter(page, url, 'Tom Adeyemi');
		await enter(elsewhere, url, 'Tom Adeyemi');
		await page.getByRole('link', { name: 'Tom Adeyemi' }).click();
		const change = async (old, password, again) => {
			await page.getByLabel('The one you have now').fill(old);
			await page.getByLabel('The new one').fill(password);
			await page.getByLabel('Once more').fill(again);
			await page.getByRole('button', { name: 'Change it' }).click();
		};

		await change(PASSWORD, 'four quiet words now', 'four quiet words then');
		await page.getByText('The two are not the same.').waitFor();
		await change('not this one', 'four quiet words now', 'four quiet words now');
		await page.locator('div.trouble').waitFor();
		await change(PASSWORD, 'four quiet words now', 'four quiet words now');
		await page.getByText('you are not any more').waitFor();
		await page.getByRole('link', { name: 'My observations' }).click();
		await page.getByRole('heading', { name: 'My observations' }).waitFor();
		await elsewhere.reload();
		await elsewhere.getByRole('heading', { name: 'Welcome back' }).waitFor();
		await elsewhere.getByLabel('Name').fill('Tom Adeyemi');
		await elsewhere.getByLabel('Password').fill('four quiet words now');
		await elsewhere.getByRole('button', { name: 'Sign in' }).click();
		await elsewhere.getByRole('button', { name: 'Sign out' }).waitFor();
		await page.context().close();
		await elsewhere.context().close();
	});

	test('who could not be signed out is told so, and tries again', async () => {
		const page = await open(browser, url, { failures });
		const out = page.getByRole('button', { name: 'Sign out' });

		await enter(page, url, 'Jonas Lindqvist');
		await page.route('**/api/v1/session', (route) => route.abort());
		await out.click();
		await page.getByText('You are still signed in. The server does not answer.').waitFor();
		await out.waitFor();
		await page.unroute('**/api/v1/session');
		await page.getByRole('button', { name: 'Try again' }).click();
		await page.getByRole('heading', { name: 'Welcome back' }).waitFor();
		assert.deepEqual(await page.context().cookies(), []);
		await page.context().close();
	});

	test('signing out ends what another tab began', async () => {
		const page = await open(browser, url, { failures });

		await enter(page, url, 'Jonas Lindqvist');
		const tab = await page.context().newPage();

		await tab.goto(url);
		await tab.evaluate(([name, password]) => fetch('api/v1/session', { method: 'POST',
			headers: { 'Content-Type': 'application/json' },
			body: JSON.stringify({ name, password }) }), ['Jonas Lindqvist', PASSWORD]);
		await page.getByRole('button', { name: 'Sign out' }).click();
		await page.getByRole('heading', { name: 'Welcome back' }).waitFor();
		assert.deepEqual(await page.context().cookies(), []);
		await page.context().close();
	});

	test('a person is revoked, and let in again', async () => {
		const page = await open(browser, url, { failures });

		await enter(page, url, 'administrator');
		await page.goto(`${url}/#/people`);
		const tom = page.locator('.people li', { hasText: 'Tom Adeyemi' });

		await tom.getByRole('button', { name: 'Revoke' }).click();
		await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
		await tom.getByText('revoked').waitFor();
		await tom.getByRole('button', { name: 'Let in again' }).click();
		await tom.getByRole('button', { name: 'Revoke' }).waitFor();
		await page.context().close();
	});

	test('nothing went wrong in any page, and they asked nobody else', () => {
		assert.deepEqual(failures, []);
	});
});
