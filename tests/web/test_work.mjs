/* What coaches, teachers and administrators do on their pages, each on a page of their own. */
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { Box, school } from './box.mjs';
import { browse, enter, findings, open, overflow, PASSWORD, Person } from './house.mjs';

const failures = [];
let place, browser, url;

before(async () => {
	place = await school({ later: true });
	url = place.server.url;
	browser = await browse();
}, { timeout: 240_000 });

afterEach(() => Promise.all(browser.contexts().map((context) => context.close())));

after(async () => {
	await browser?.close();
	await place?.server.stop();
});

/* A page at @where, of somebody who has signed in there. */
async function as(name, where = '/#/', size = {}) {
	const page = await open(browser, url, { ...size, failures });

	await enter(page, url, name);
	await page.goto(url + where);
	return page;
}

/* Signs out, and nothing is left of who was there. */
async function leave(page, button = 'Sign out') {
	await page.getByRole('button', { name: button }).click();
	await page.getByRole('heading', { name: 'Welcome back' }).waitFor();
	assert.deepEqual(await page.context().cookies(), []);
}

const cardOf = (page, name) => page.locator('.card', { has: page.getByRole('heading', { name }) });
const rowOf = (page, name) => page.locator('.people li', { hasText: name });

test('a coach gives an observation to its teacher', async () => {
	const page = await as('Maria Okonkwo');
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
});

test('a title is saved though the teacher is none any more', async () => {
	const iris = await place.administrator.inviteAndJoin('Iris Vale', 'teacher');
	const where = `observations/${place.lessons.lost}`;

	await place.coach.request('PATCH', where, { teacher: iris.id });
	await place.administrator.request('PATCH', `people/${iris.id}`, { revoked: true });
	const page = await as('Maria Okonkwo', `/#/${where}`);

	await page.getByText('Title and teacher').click();
	await page.getByLabel('Title').fill('Reading on');
	await page.getByRole('button', { name: 'Save' }).click();
	await page.getByRole('heading', { name: 'Reading on' }).waitFor();
	assert.equal((await place.coach.request('GET', where)).teacher?.name, 'Iris Vale');
	await page.getByLabel('Teacher').selectOption({ label: 'nobody yet' });
	await page.getByRole('button', { name: 'Save' }).click();
	await page.getByText('Give this observation to its teacher').waitFor();
	assert.equal((await place.coach.request('GET', where)).teacher, null);
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
});

test('lessons over time are for their teacher alone', async () => {
	const page = await as('Maria Okonkwo');

	await page.locator('.item').first().waitFor();
	assert.equal(await page.getByText('over time').count(), 0);
	await page.goto(`${url}/#/over-time`);
	await page.getByRole('heading', { name: 'There is no such page' }).waitFor();
});

test('a name of one endless word stays within a narrow screen', async () => {
	const title = 'Donaudampfschifffahrt'.repeat(9);

	await place.coach.request('PATCH', `observations/${place.lessons.lost}`, { title });
	const page = await as('Maria Okonkwo', '/#/', { width: 320, height: 640 });

	for (const where of ['/#/', `/#/observations/${place.lessons.lost}`]) {
		await page.goto(url + where);
		await page.getByText(title).first().waitFor();
		assert.ok(await overflow(page) <= 0, where);
	}
});

test('a coach plans a visit, and drops it', async () => {
	const page = await as('Maria Okonkwo');

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
});

test('a teacher lets a colleague see an observation, and no more', async () => {
	const page = await as('Jonas Lindqvist', `/#/observations/${place.lessons.fractions}`);
	const tom = await as('Tom Adeyemi');
	const title = 'Fractions, group 7b';

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
});

test('a wrong scheme is told with its line while it is typed, and cannot be saved', async () => {
	const page = await as('administrator', '/#/site');

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
});

test('a box that needs a look says why, and one that is well says so', async () => {
	const page = await as('Maria Okonkwo', '/#/boxes');

	await cardOf(page, 'Blue box').getByText('All is well').waitFor();
	await cardOf(page, 'Blue box').getByText('27.4 GB free of 31.3 GB').waitFor();
	await cardOf(page, 'New box').getByText('it has told nothing yet').waitFor();
	for (const line of ['Needs a look', 'The buttons do not work', 'no line GPIO6', 'nearly full',
		'too weak at some moment', 'is it plugged in?', '12 snippets']) {
		await cardOf(page, 'Worn box').getByText(line).waitFor();
	}
	assert.equal(await cardOf(page, 'Worn box').locator('.line.bad').count(), 1);
	await cardOf(page, 'Worn box').getByText('What it is made of').click();
	await cardOf(page, 'Worn box').getByText('Raspberry Pi 4 Model B').waitFor();
});

test('the page tells by itself that a box has used its code', async () => {
	const page = await as('Maria Okonkwo', '/#/boxes');

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
});

test('an administrator pairs a box for the coach who will carry it', async () => {
	const lena = await place.administrator.inviteAndJoin('Lena Fox', 'coach');
	const page = await as('administrator', '/#/boxes');

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
});

test('a box is renamed and revoked', async () => {
	const page = await as('Maria Okonkwo', '/#/boxes');

	await page.getByRole('button', { name: 'Rename Blue box' }).click();
	await page.getByLabel('Name').fill('Green box');
	await page.getByRole('button', { name: 'Save' }).click();
	await cardOf(page, 'Green box').getByRole('button', { name: 'Revoke' }).click();
	await page.getByRole('dialog').getByRole('button', { name: 'Revoke it' }).click();
	await page.getByText('can bring nothing any more').waitFor();
	await assert.rejects(place.box.send('GET', `box?journal=${place.box.journal}`), /401/);
});

test('a person gets another role, and nobody is without one', async () => {
	const page = await as('administrator', '/#/people');
	const tom = rowOf(page, 'Tom Adeyemi');

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
});

test('people change their own password, and are signed out elsewhere', async () => {
	const page = await as('Tom Adeyemi');
	const elsewhere = await as('Tom Adeyemi');

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
});

test('who could not be signed out is told so, and tries again', async () => {
	const page = await as('Jonas Lindqvist');
	const out = page.getByRole('button', { name: 'Sign out' });

	await page.route('**/api/v1/session', (route) => route.abort());
	await out.click();
	await page.getByText('You are still signed in. The server does not answer.').waitFor();
	await out.waitFor();
	await page.unroute('**/api/v1/session');
	await leave(page, 'Try again');
});

test('signing out ends what another tab began', async () => {
	const page = await as('Jonas Lindqvist');
	const tab = await page.context().newPage();

	await tab.goto(url);
	await tab.evaluate(([name, password]) => fetch('api/v1/session', { method: 'POST',
		headers: { 'Content-Type': 'application/json' },
		body: JSON.stringify({ name, password }) }), ['Jonas Lindqvist', PASSWORD]);
	await leave(page);
});

test('a person is revoked, and let in again', async () => {
	const page = await as('administrator', '/#/people');
	const tom = rowOf(page, 'Tom Adeyemi');

	await tom.getByRole('button', { name: 'Revoke' }).click();
	await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
	await tom.getByText('revoked').waitFor();
	await tom.getByRole('button', { name: 'Let in again' }).click();
	await tom.getByRole('button', { name: 'Revoke' }).waitFor();
});

test('nothing went wrong in any page, and they asked nobody else', () => {
	assert.deepEqual(failures, []);
});
