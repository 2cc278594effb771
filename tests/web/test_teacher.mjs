/*
 * The teacher's whole way in a real browser, on a real server: from the invitation
 * to hearing the seconds around an event, by keyboard alone; what is counted; what
 * the page does about sound that is not there; taking sound back.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { school } from './box.mjs';
import { browse, DEADLINE_MS, enter, open, PASSWORD } from './house.mjs';

let place, browser, page, heard;
const failures = [];

/* Presses Tab until what has the focus fits. */
async function tabTo(fits, most = 120) {
	for (let i = 0; i < most; i++) {
		await page.keyboard.press('Tab');
		if (await page.evaluate(fits)) {
			return;
		}
	}
	throw new Error(`Tab never came to ${fits}`);
}

const focused = () => page.evaluate(() => {
	const at = document.activeElement;

	return at.getAttribute('aria-label') ?? at.textContent.trim();
});

/* What the page's only <audio> is doing; the element is not in the document. */
const audio = () => page.evaluate(() => {
	const { currentTime, paused, playbackRate, src, duration } = globalThis.heard ?? {};

	return { currentTime, paused, playbackRate, src, duration };
});

async function until(what, test_, deadline = DEADLINE_MS) {
	const end = Date.now() + deadline;

	for (;;) {
		const value = await test_();

		if (value) {
			return value;
		}
		assert.ok(Date.now() < end, `not in time: ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 30));
	}
}

/* The audio's time goes on while it plays. */
async function advances() {
	const first = await until('sound runs', async () => {
		const now = await audio();

		return now.paused === false && now.currentTime > 0 ? now : null;
	});

	return until('its time goes on', async () => {
		const now = await audio();

		return now.currentTime > first.currentTime + 0.15 ? now : null;
	});
}

const slider = () => page.getByRole('slider', { name: 'Place in the lesson' });
const sliderTime = async () => Number(await slider().getAttribute('aria-valuenow'));

before(async () => {
	place = await school();
	browser = await browse();
	page = await open(browser, place.server.url, { failures });
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
	await place?.server.stop();
});

describe('a teacher, by keyboard alone', () => {
	test('comes in by the invitation, and chooses a password', async () => {
		await page.goto(place.invitation);
		await page.getByRole('heading', { name: 'Welcome, Jonas Lindqvist' }).waitFor();
		await tabTo(() => document.activeElement.name === 'password');
		await page.keyboard.type(PASSWORD);
		await page.keyboard.press('Tab');
		await page.keyboard.type('three kind wurds');
		await page.keyboard.press('Enter');
		await page.getByText('The two are not the same.').waitFor();
		await page.keyboard.press('Control+A');
		await page.keyboard.type(PASSWORD);
		await page.keyboard.press('Enter');
		await page.getByRole('heading', { name: 'My observations' }).waitFor();
		assert.ok(!page.url().includes('welcome'), 'the secret has left the address');
	});

	test('finds nothing that nobody gave them', async () => {
		await page.getByText('Nothing here yet.').waitFor();
	});

	test('sees the observation once the coach has assigned it', async () => {
		const { coach, lessons } = place;
		const jonas = (await coach.request('GET', 'people')).people
			.find((one) => one.name === 'Jonas Lindqvist');

		for (const [name, title] of [['fractions', 'Fractions, group 7b'], ['unsure', ''], ['lost', '']]) {
			await coach.request('PATCH', `observations/${lessons[name]}`, { title, teacher: jonas.id });
		}
		await page.reload();
		await tabTo(() => document.activeElement.textContent.startsWith('Fractions'));
		await page.keyboard.press('Enter');
		await page.getByRole('heading', { name: 'Fractions, group 7b' }).waitFor();
		await page.getByText('observed by Maria Okonkwo').waitFor();
		heard = await place.coach.request('GET', `observations/${lessons.fractions}/timeline`);
	});

	test('walks into a lane and hears an event with its lead-in', async () => {
		await tabTo(() => document.activeElement.matches('.mark'));
		assert.match(await focused(), /^Questioning/);
		await page.keyboard.press('ArrowRight');
		await page.keyboard.press('ArrowRight');
		const seq = await page.evaluate(() => Number(document.activeElement.dataset.seq));
		const event = heard.events.find((one) => one.seq === seq);
		const snippet = heard.snippets.find((one) => one.number === event.snippet);

		await page.keyboard.press('Enter');
		const now = await advances();
		const began = event.time - snippet.from - 3;

		assert.ok(now.src.endsWith(`/audio/${heard.id}/${snippet.seq}`), now.src);
		assert.ok(now.currentTime >= began - 0.1 && now.currentTime < began + 4,
			`lead-in of 3 s: ${now.currentTime} for ${began}`);
		assert.equal(await page.locator('.mark[aria-current]').getAttribute('data-seq'), String(seq));
	});

	test('pauses, goes back and on, to the ends, and to the next event', async () => {
		await page.keyboard.press('Tab');
		await page.evaluate(() => document.activeElement.blur());
		await page.keyboard.press('Space');
		await until('it pauses', async () => (await audio()).paused);
		const at = await sliderTime();

		await page.keyboard.press('ArrowLeft');
		await until('5 s back', async () => Math.abs(await sliderTime() - (at - 5)) <= 1);
		await page.keyboard.press('End');
		await until('the end', async () => await sliderTime() === 2800);
		await page.keyboard.press('Home');
		await until('the beginning', async () => await sliderTime() === 0);
		await page.keyboard.press('n');
		await advances();
		const first = heard.events.find((one) => !one.undone);

		await page.locator(`.mark[aria-current][data-seq="${first.seq}"]`).waitFor();
		await page.keyboard.press('n');
		const second = heard.events.filter((one) => !one.undone)[1];

		await page.locator(`.mark[aria-current][data-seq="${second.seq}"]`).waitFor();
		await page.keyboard.press('p');
		await page.locator(`.mark[aria-current][data-seq="${first.seq}"]`).waitFor();
	});

	test('is told by the slider what is where', async () => {
		await page.keyboard.press('Space');
		await slider().focus();
		await page.keyboard.press('Home');
		await until('at the beginning',
			async () => /^0 seconds of 46 minutes 40 seconds/.test(await slider().getAttribute('aria-valuetext')));
		await page.keyboard.press('PageUp');
		await page.keyboard.press('PageUp');
		await page.keyboard.press('PageDown');
		await until('10 s on', async () => await sliderTime() === 10);
		assert.match(await slider().getAttribute('aria-valuetext'), /^10 seconds of .*sound kept$/);
	});

	test('chooses lead-in, speed and repeat', async () => {
		const wait = heard.events.find((one) => one.duration !== null && one.snippet !== null
			&& one.code === 'questioning' && !one.undone);

		await page.getByLabel('Lead-in').selectOption('0');
		await page.getByLabel('Speed').selectOption('2');
		await page.getByRole('button', { name: 'Repeat' }).click();
		await page.locator(`[data-row="${wait.seq}"] button`).click();
		const begin = await advances();

		assert.equal(begin.playbackRate, 2);
		await until('it comes back to the moment', async () => {
			const before_ = (await audio()).currentTime;

			await new Promise((resolve) => setTimeout(resolve, 60));
			return (await audio()).currentTime < before_ - 1;
		});
		await page.keyboard.press('l');
		await page.getByRole('button', { name: 'Repeat', pressed: false }).waitFor();
		await page.evaluate(() => document.activeElement.blur());
		await page.keyboard.press('Space');
		await page.getByLabel('Speed').selectOption('1');
		await page.getByLabel('Lead-in').selectOption('3');
	});
});

describe('what is counted', () => {
	const rows = () => page.locator('table.list [data-row]').count();
	const cards = () => page.locator('.cards .number strong').allTextContents();

	test('equals the list, the lanes and the server\'s own sums', async () => {
		const shown = heard.events.filter((one) => !one.undone);

		assert.equal(await rows(), shown.length);
		assert.equal(await page.locator('.lane .mark').count(), shown.length);
		assert.deepEqual((await cards()).map(Number), heard.sums.map((sum) => sum.count));
		assert.deepEqual((await page.locator('table.bins .all').allTextContents()).map(Number),
			heard.sums.map((sum) => sum.count));
		for (const sum of heard.sums.filter((one) => one.spans > 0)) {
			const title = heard.scheme.codes.find((one) => one.name === sum.code).title;
			const card = page.locator('.card', { has: page.getByRole('heading', { name: title }) });

			assert.match(await card.textContent(),
				new RegExp(`median${sum.median < 9.95 ? sum.median.toFixed(1) : ''}`));
		}
	});

	test('follows the filter, in lanes, cards and list alike', async () => {
		await page.locator('.filter').getByLabel('Engagement').uncheck();
		const left = heard.events.filter((one) => !one.undone && one.code !== 'engagement');

		await until('the list is shorter', async () => await rows() === left.length);
		assert.equal((await cards()).map(Number).reduce((a, b) => a + b), left.length);
		assert.equal(await page.locator('.lane .mark').count(), left.length);
		await page.locator('.filter').getByLabel('Engagement').check();
	});

	test('says how many reminders to look were answered, in lane, card and list alike', async () => {
		const looks = heard.events.filter((one) => one.code === 'engagement' && !one.undone);
		const answered = heard.cues.map((cue, i) => looks.some((look) => look.time >= cue.time
			&& look.time < (heard.cues[i + 1]?.time ?? Infinity)));
		const said = `${answered.length} reminders, ${answered.filter(Boolean).length} answered`;
		const missed = answered.filter((one) => !one).length;

		assert.ok(answered.length > 20 && missed > 0 && missed < 10, said);
		assert.equal(await page.locator('.lane .reminder').count(), answered.length);
		assert.equal(await page.locator('.lane .missed').count(), missed);
		await page.locator('.card').getByText(said).waitFor();
		assert.ok((await page.locator('.lane[aria-label^="Engagement"]').getAttribute('aria-label')).endsWith(said));
		assert.equal(await page.locator('.list [data-reminder]').count(), answered.length);
		assert.equal(await page.locator('.list [data-reminder]', { hasText: 'not answered' }).count(), missed);
		await page.locator('.legend').getByText('reminder to look, not answered').waitFor();
		await page.locator('.filter').getByLabel('reminders').uncheck();
		await page.locator('.lane .reminder').first().waitFor({ state: 'detached' });
		assert.equal(await page.locator('[data-reminder]').count(), 0);
		await page.locator('.filter').getByLabel('reminders').check();
	});

	test('leaves out what was taken back, even while it is shown', async () => {
		const before_ = await cards();

		await page.locator('.filter').getByLabel(/taken back/).check();
		await until('all rows', async () => await rows() === heard.events.length);
		assert.ok(await page.locator('tr.undone').count() > 0, 'this lesson has some');
		assert.deepEqual(await cards(), before_);
		await page.locator('.filter').getByLabel(/taken back/).uncheck();
	});

	test('can be looked at more closely, up to minutes', async () => {
		const wide = () => page.locator('.score').evaluate((box) => box.scrollWidth / box.clientWidth);

		assert.ok(await wide() < 1.01);
		await page.getByLabel('On one screen').selectOption('5');
		await until('it is wider', async () => await wide() > 4);
		await page.getByLabel('On one screen').selectOption('0');
	});
});

describe('lessons over time', () => {
	const row = (name) => page.getByRole('row', { name }).locator('td').allTextContents();

	test('stand beside each other with what was counted in each', async () => {
		const earlier = await place.coach.request('GET', `observations/${place.lessons.unsure}/timeline`);
		const sums = (name) => [earlier, heard].map((one) => one.sums.find((sum) => sum.code === name));

		await page.goto(`${place.server.url}/#/`);
		await page.getByRole('link', { name: 'Your lessons over time' }).click();
		await page.getByRole('link', { name: '19 Nov Fractions, group 7b' }).waitFor();
		assert.deepEqual(await page.locator('.bins thead a').evaluateAll((all) =>
			all.map((one) => one.firstChild.data.trim())), ['12 Nov', '19 Nov'], 'not the one without a date');
		for (const [code, name] of [['questioning', 'Questioning'], ['engagement', 'Engagement'],
			['transition', 'Transition']]) {
			assert.deepEqual((await row(new RegExp(`^${name} \\d`))).map((text) => Number(text)),
				sums(code).map((sum) => sum.count), name);
		}
		assert.deepEqual((await row(/^Questioning: open/)).map((text) => Number(text)),
			sums('questioning').map((sum) => sum.by_modifier.open));
		assert.deepEqual((await row(/^Questioning: median length/)).map((text) => parseFloat(text)),
			sums('questioning').map((sum) => Number(sum.median.toFixed(1))));
		assert.equal(await page.locator('.bins svg').count(), await page.locator('.bins td').count() - 2
			- await page.locator('.bins td').getByText('–').count(), 'a bar for each number');
	});

	test('lead back to each', async () => {
		await page.getByRole('link', { name: '19 Nov' }).click();
		await page.getByRole('heading', { name: 'Fractions, group 7b' }).waitFor();
		await page.locator('.mark').first().waitFor();
	});
});

describe('the player', () => {
	for (const [width, height] of [[360, 740], [1280, 900]]) {
		test(`stays in sight while the list is heard, ${width} wide`, async () => {
			await page.setViewportSize({ width, height });
			const row = page.locator('.list [data-row]', { has: page.getByRole('button') }).last();

			await page.reload(); /* nothing was heard yet: it is small */
			await row.waitFor();
			/* all at once, for what is still being drawn moves it; the mouse would scroll before */
			await row.evaluate((one) => {
				scrollBy(0, one.getBoundingClientRect().bottom
					- document.querySelector('.player').getBoundingClientRect().top);
				one.querySelector('button').click();
			});
			await advances();
			const [player, heardRow] = await Promise.all([page.locator('.player').boundingBox(),
				row.boundingBox()]);

			assert.ok(player.y >= 0 && player.y + player.height <= height, JSON.stringify(player));
			assert.ok(heardRow.y >= player.y + player.height || heardRow.y + heardRow.height <= player.y,
				'and the row is not behind it');
			await page.evaluate(() => document.activeElement.blur());
			await page.keyboard.press('Space');
			await until('it pauses', async () => (await audio()).paused);
		});
	}
});

describe('sound that is not there', () => {
	test('is said to be on the box still, and nothing plays', async () => {
		const away = heard.snippets.find((one) => !one.kept);
		const event = heard.events.find((one) => one.snippet === away.number && !one.undone);

		await page.locator(`.mark[data-seq="${event.seq}"]`).focus();
		await page.keyboard.press('Enter');
		await page.locator('.problem').getByText('still on the box').waitFor();
		assert.ok((await audio()).paused);
	});

	test('is drawn as gap and mute, and listed in words', async () => {
		assert.equal(await page.locator('.sound .silence.muted').count(), 1);
		assert.equal(await page.locator('.ribbon .silence.gap').count(), 1);
		await page.locator('.legend').getByText('muted 18:40–20:10').waitFor();
		await page.locator('.legend').getByText('sound lost 30:00–30:03').waitFor();
	});

	test('can be withdrawn by the teacher, for good', async () => {
		const event = heard.events.find((one) => one.snippet === 2 && !one.undone);
		const snippet = heard.snippets[1];

		await page.locator(`.mark[data-seq="${event.seq}"]`).focus();
		await page.keyboard.press('Enter');
		await advances();
		await page.getByRole('button', { name: 'Withdraw this sound…' }).click();
		await page.getByRole('dialog').getByRole('button', { name: 'Keep it' }).click();
		assert.equal(await page.locator('.snippet.withdrawn').count(), 0);
		await page.getByRole('button', { name: 'Withdraw this sound…' }).click();
		await page.getByRole('dialog').getByRole('button', { name: 'Withdraw it' }).click();
		await page.locator('.snippet.withdrawn').waitFor();
		await assert.rejects(place.coach.request('GET', `audio/${heard.id}/${snippet.seq}`), /410/);
		await page.reload();
		await page.locator('.snippet.withdrawn').waitFor();
		await page.locator(`[data-row="${event.seq}"]`).getByText('withdrawn').waitFor();
	});
});

describe('a browser that plays no Ogg', () => {
	test('hears the same seconds as WAV', async () => {
		const old = await open(browser, place.server.url, { failures });

		await old.addInitScript(() => {
			HTMLMediaElement.prototype.canPlayType = () => '';
			const Real = globalThis.Audio;

			globalThis.Audio = function Audio() {
				globalThis.heard = new Real();
				return globalThis.heard;
			};
		});
		await enter(old, place.server.url, 'Jonas Lindqvist');
		await old.goto(`${place.server.url}/#/observations/${place.lessons.fractions}`);
		await old.locator('.mark').first().waitFor();
		await old.keyboard.press('n');
		await until('WAV plays', () => old.evaluate(() => globalThis.heard.src.endsWith('?as=wav')
			&& !globalThis.heard.paused && globalThis.heard.currentTime > 0.2));
		await old.context().close();
	});
});

describe('times and looks', () => {
	test('the teacher sees who looked', async () => {
		const looks = page.locator('.looks li');

		await looks.filter({ hasText: 'Maria Okonkwo' }).first().waitFor();
		await looks.filter({ hasText: 'Jonas Lindqvist' }).filter({ hasText: 'sound from' }).first().waitFor();
	});

	test('a clock that was not trusted is told at first sight', async () => {
		await page.goto(`${place.server.url}/#/observations/${place.lessons.unsure}`);
		await page.locator('.lead').getByText('± 4 min').waitFor();
		await page.getByText('may be wrong by 4 min either way').waitFor();
		await page.locator('table.list').getByText('± 4 min').first().waitFor();
	});

	test('a time that nobody knows is not made up', async () => {
		await page.goto(`${place.server.url}/#/observations/${place.lessons.lost}`);
		await page.locator('.lead').getByText('Time unknown').waitFor();
		assert.deepEqual(new Set(await page.locator('table.list td.wide').allTextContents()),
			new Set(['–']));
	});

	test('another\'s observation looks like none at all', async () => {
		await page.goto(`${place.server.url}/#/observations/0f8fad5b-d9cb-469f-a165-70867728950e`);
		await page.getByText('nothing for you to see').waitFor();
	});

	test('signs out, and the page shows nothing any more', async () => {
		await page.goto(`${place.server.url}/#/observations/${place.lessons.fractions}`);
		await page.getByRole('heading', { name: 'Fractions' }).waitFor();
		await page.getByRole('button', { name: 'Sign out' }).click();
		await page.getByRole('heading', { name: 'Welcome back' }).waitFor();
		await page.goto(`${place.server.url}/#/observations/${place.lessons.fractions}`);
		await page.getByRole('heading', { name: 'Welcome back' }).waitFor();
		await page.getByLabel('Name').fill('Jonas Lindqvist');
		await page.getByLabel('Password').fill('not this one');
		await page.getByRole('button', { name: 'Sign in' }).click();
		await page.getByText('do not fit together').waitFor();
		await page.getByLabel('Password').fill(PASSWORD);
		await page.getByRole('button', { name: 'Sign in' }).click();
		await page.getByRole('heading', { name: 'Fractions' }).waitFor();
	});

	test('nothing went wrong in the pages, and they asked nobody else', () => {
		assert.deepEqual(failures, []);
	});
});
