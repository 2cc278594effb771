/*
 * Every page, form and question in light and dark, on a wide screen and a phone: axe
 * finds nothing serious, nothing is cut off, and a picture of each is left in
 * build/screenshots for eyes to look at. What of it goes on paper.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';

import { school } from './box.mjs';
import { browse, enter, findings, open, overflow, PASSWORD, Server, settled, SHOTS } from './house.mjs';

const SHEET_PX = 688; /* A4 between its margins */
const LANES_PX = 568; /* beside the names of the lanes */
const failures = [];
let place, browser, url;

before(async () => {
	place = await school({ later: true });
	url = place.server.url;
	browser = await browse();
	fs.mkdirSync(SHOTS, { recursive: true });
	await place.jonas.request('POST', `observations/${place.lessons.fractions}/guests`,
		{ name: 'Tom Adeyemi' });
}, { timeout: 240_000 });

after(async () => {
	await browser?.close();
	await place?.server.stop();
});

const fractions = () => `/#/observations/${place.lessons.fractions}`;

async function hear(page) {
	await page.locator('.mark').nth(4).focus();
	await page.keyboard.press('Enter');
	await page.locator('.close-up .wave').first().waitFor();
	await page.locator('.round.big[aria-label="Pause"]').waitFor();
	await page.getByRole('button', { name: 'Pause' }).click();
}

/* Presses the button that asks before it does what cannot be undone. */
const askedBy = (name) => async (page) => {
	await page.getByRole('button', { name }).click();
	await page.getByRole('dialog').getByRole('button', { name: 'Keep it' }).waitFor();
};

/* Name, whose, address, what tells that it is there, what is done first. */
const PAGES = [
	['sign-in', null, '/#/sign-in', 'h1:has-text("Welcome back")'],
	['observations', 'Jonas Lindqvist', '/#/', '.item'],
	['observation', 'Jonas Lindqvist', fractions, '.looks li', hear],
	['over-time', 'Jonas Lindqvist', '/#/over-time', '.bins'],
	['observation-withdraw', 'Jonas Lindqvist', fractions, '.looks li', async (page) => {
		await hear(page);
		await askedBy('Withdraw this sound…')(page);
	}],
	['observations-guest', 'Tom Adeyemi', '/#/', '.item'],
	['observation-guest', 'Tom Adeyemi', fractions, '.mark', hear],
	['observation-unsure', 'Jonas Lindqvist', () => `/#/observations/${place.lessons.unsure}`, '.looks li'],
	['observation-assign', 'Maria Okonkwo', () => `/#/observations/${place.lessons.lost}`, '.assign select'],
	['plan', 'Maria Okonkwo', '/#/', '.plans summary', async (page) => {
		await page.getByText('Plan a visit').click();
		await page.locator('.plans option').first().waitFor({ state: 'attached' });
	}],
	['teachers', 'Maria Okonkwo', '/#/people', '.people li'],
	['boxes', 'Maria Okonkwo', '/#/boxes', '.card'],
	['pairing', 'Maria Okonkwo', '/#/boxes', '.card', async (page) => {
		await page.getByRole('button', { name: 'Pair a box' }).click();
		await page.locator('.code').waitFor();
		await page.getByText('A box without a screen').click();
		assert.match(await page.locator('details pre').textContent(), /^url=http:.*\ncode=[A-Z]{4}-[A-Z]{4}$/);
	}],
	['pairing-for-a-coach', 'administrator', '/#/boxes', 'form select'],
	['box-revoke', 'Maria Okonkwo', '/#/boxes', '.card', askedBy('Revoke Worn box')],
	['roles', 'administrator', '/#/people', '.people li', async (page) => {
		await page.getByRole('button', { name: 'Roles of Tom Adeyemi' }).click();
		await page.getByRole('button', { name: 'Leave it' }).waitFor();
	}],
	['person-revoke', 'administrator', '/#/people', '.people li', askedBy('Revoke Tom Adeyemi')],
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
	let page;

	async function observation(size) {
		page = await open(browser, url, { ...size, failures });
		await enter(page, url, 'Jonas Lindqvist');
		await page.goto(url + fractions());
		await page.locator('.looks li').first().waitFor();
	}

	afterEach(() => page.context().close());

	test('an observation prints its score, counts and list, and no controls', async () => {
		await observation();
		await page.emulateMedia({ media: 'print' });
		await settled(page);
		for (const hidden of ['.player', '.filter', '.top', '.looks']) {
			assert.ok(!await page.locator(hidden).first().isVisible(), `${hidden} is not printed`);
		}
		for (const seen of ['.score', '.legend', '.cards', '.bins', '.list']) {
			assert.ok(await page.locator(seen).first().isVisible(), `${seen} is printed`);
		}
		assert.ok(await page.locator('.list').getByText('reminder to look, not answered').first().isVisible());
	});

	for (const [name, width, minutes] of [['wide', 1280, '0'], ['zoomed', 1280, '2'], ['phone', 360, '10']]) {
		test(`all of the lesson is there, ${name} as the screen is`, async () => {
			await observation({ width });
			const end = () => page.waitForFunction((zoomed) => { /* the last minutes are in sight */
				const box = document.querySelector('.score');
				const left = box.scrollWidth - box.clientWidth - box.scrollLeft;

				return zoomed ? box.scrollWidth > 2 * box.clientWidth && left < 2 : left < 5;
			}, minutes !== '0');

			await page.getByLabel('On one screen').selectOption(minutes);
			await page.keyboard.press('End');
			await end();
			await page.evaluate(() => matchMedia('print').addEventListener('change', ({ matches }) => {
				if (matches) { /* as it is being printed */
					const at = document.querySelector('.score').getBoundingClientRect().left;

					globalThis.drawn = document.querySelector('.ruler svg').width.baseVal.value;
					globalThis.names = Math.max(...[...document.querySelectorAll('.lane-name')].map((one) =>
						one.getBoundingClientRect().right - at));
				}
			}));
			await page.pdf({ path: path.join(SHOTS, `observation-${name}.pdf`), format: 'A4' });
			assert.ok(await page.evaluate(() => globalThis.drawn) <= LANES_PX, 'as it was printed');
			assert.ok(await page.evaluate(() => globalThis.names) <= SHEET_PX - LANES_PX, 'names are beside it');
			await end(); /* on the screen nothing has changed */

			await page.setViewportSize({ width: SHEET_PX, height: 1000 });
			await page.emulateMedia({ media: 'print' });
			await settled(page);
			const sides = (what, side) => page.locator(what).evaluateAll((all, one) =>
				all.map((each) => each.getBoundingClientRect()[one]), side);
			const last = Math.max(...await sides('.mark, .snippet', 'right'));

			assert.ok(last > SHEET_PX - 100 && last <= SHEET_PX, `the last sign is at ${last}`);
			assert.ok(Math.min(...await sides('.mark, .snippet', 'left')) > SHEET_PX - LANES_PX - 10);
			assert.ok(await overflow(page) <= 0);
			await page.screenshot({ path: path.join(SHOTS, `paper-${name}.png`) });
		});
	}
});

test('nothing went wrong in any page, and they asked nobody else', () => {
	assert.deepEqual(failures, []);
});
