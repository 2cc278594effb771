/* What the pages compute and how they say it, without a browser. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as events from '../../app/web/lesson/events.js';
import { ribbonPath, ticks, wavePath } from '../../app/web/lesson/wave.js';
import * as words from '../../app/web/words.js';

const question = { name: 'questioning', title: 'Questioning', kind: 'point', hue: 0,
	modifiers: ['open', 'wait'] };
const look = { name: 'engagement', title: 'Engagement', kind: 'sample', hue: 1,
	modifiers: ['most', 'half', 'few'] };

function event(time, more = {}) {
	return { seq: Math.round(time * 10), code: 'questioning', time, end: null, duration: null,
		modifier: null, open: false, undone: false, snippet: null, ...more };
}

const wait = (time, duration, more) =>
	event(time, { modifier: 'wait', end: time + duration, duration, ...more });

test('a place in the lesson is cut off, not rounded up', () => {
	assert.equal(words.clock(0), '0:00');
	assert.equal(words.clock(59.99), '0:59');
	assert.equal(words.clock(3725), '1:02:05');
	assert.equal(words.clock(65.25, true), '1:05.2');
	assert.equal(words.clock(-2), '−0:02');
});

test('a place is said aloud in words', () => {
	assert.equal(words.spoken(0), '0 seconds');
	assert.equal(words.spoken(61), '1 minute 1 second');
	assert.equal(words.spoken(7200), '2 hours');
	assert.equal(words.spoken(-3), 'before the lesson by 3 seconds');
});

test('a length is short and has its unit', () => {
	assert.deepEqual([0.83, 9.96, 59.6, 60, 200, 3600, 5400].map(words.span),
		['0.8 s', '10 s', '1 min', '1 min', '3 min 20 s', '1 h', '1 h 30 min']);
});

test('an uncertainty is never told smaller than it is', () => {
	assert.deepEqual([0, 0.0021, 0.9991, 2.1, 119.5, 190, 9000].map(words.plusMinus),
		['± 1 ms', '± 3 ms', '± 1000 ms', '± 3 s', '± 120 s', '± 4 min', '± 3 h']);
});

test('how long ago is told roughly, and a box never heard of is told so', () => {
	const now = Date.parse('2026-11-21T12:00:00Z');

	assert.equal(words.ago(null, now), 'never');
	assert.equal(words.ago('2026-11-21T11:59:30Z', now), 'just now');
	assert.equal(words.ago('2026-11-21T11:48:00Z', now), '12 minutes ago');
	assert.equal(words.ago('2026-11-18T12:00:00Z', now), '3 days ago');
});

test('bytes are told as people buy them', () => {
	assert.deepEqual([0, 999, 85068, 27.4e9, 512e9].map(words.bytes),
		['0 bytes', '999 bytes', '85.1 kB', '27.4 GB', '512 GB']);
});

test('each sign has a shape of its own', () => {
	assert.equal(events.signOf(event(1), question), 'dot');
	assert.equal(events.signOf(event(1, { modifier: 'open' }), question), 'diamond');
	assert.equal(events.signOf(event(1, { modifier: 'other' }),
		{ ...question, modifiers: ['open', 'other'] }), 'triangle');
	assert.equal(events.signOf(wait(1, 2), question), 'bar');
	assert.equal(events.signOf(event(1, { modifier: 'half' }), look), 'level');
	assert.equal(events.levelOf(event(1, { modifier: 'half' }), look), 2);
});

test('a span of no length is still a span', () => {
	assert.equal(events.signOf(wait(1, 0), question), 'bar');
});

test('an event taken back is not counted, shown or not', () => {
	const all = [event(1), event(2, { undone: true }), wait(3, 2), wait(9, 4, { undone: true })];

	for (const withUndone of [false, true]) {
		const sum = events.sumOf(events.shownOf(all, new Set(), withUndone), question);

		assert.equal(sum.count, 2);
		assert.deepEqual(sum.by_modifier, { '': 1, open: 0, wait: 1 });
		assert.equal(sum.total, 2);
	}
});

test('the median of an even number of waits lies between the middle two', () => {
	const sum = events.sumOf([wait(1, 4), wait(9, 1), wait(20, 2), wait(30, 10)], question);

	assert.deepEqual([sum.spans, sum.shortest, sum.median, sum.longest], [4, 1, 3, 10]);
});

test('without spans there is no shortest one', () => {
	const sum = events.sumOf([event(1)], question);

	assert.deepEqual([sum.spans, sum.total, sum.shortest, sum.median], [0, 0, null, null]);
});

test('a reminder is answered by the first look before the next one', () => {
	const looks = [event(5), event(31), event(33), event(95, { undone: true }), event(100)]
		.map((one) => ({ ...one, code: 'engagement' }));
	const cues = [30, 60, 90].map((time) => ({ seq: time, time, code: 'engagement' }));
	const list = events.remindersOf({ cues: [{ seq: 1, time: 1, code: null }, ...cues] },
		[...looks, event(61)], look);

	assert.deepEqual(list.map((one) => one.answer?.time ?? null), [31, null, 100]);
	assert.deepEqual(list.map(events.answerOf),
		['answered after 1.0 s', 'not answered', 'answered after 10 s']);
	assert.equal(events.answeredOf(list), '3 reminders, 2 answered');
});

test('lessons stand beside each other, what one did not know is not nought', () => {
	const lesson = (codes, list) => ({ events: list, scheme: { codes },
		sums: codes.map(({ name, modifiers }) => ({ code: name,
			by_modifier: Object.fromEntries(['', ...modifiers].map((one) => [one, 0])) })) });
	const rows = events.rowsOf([
		lesson([{ ...question, title: 'Asking', modifiers: ['wait'] }], [event(1), event(2, { undone: true })]),
		lesson([question, look], [event(1, { modifier: 'open' }), wait(3, 2), wait(9, 5),
			event(4, { code: 'engagement', modifier: 'half' })]),
	]);

	assert.deepEqual(rows.map(({ kind, code, name, hue, values }) => [kind, code, name, hue, ...values]), [
		['count', 'Questioning', 'Questioning', 0, 1, 3],
		['part', 'Questioning', 'open', 0, null, 1],
		['part', 'Questioning', 'wait', 0, 0, 2],
		['time', 'Questioning', 'median length', 0, null, 3.5],
		['time', 'Questioning', 'length in all', 0, null, 7],
		['count', 'Engagement', 'Engagement', 1, null, 1],
		['part', 'Engagement', 'most', 1, null, 0],
		['part', 'Engagement', 'half', 1, null, 1],
		['part', 'Engagement', 'few', 1, null, 0],
	]);
});

test('every event falls into exactly one stretch of five minutes', () => {
	const list = [0, 1, 299.999, 300, 899, 901, 1500].map((time) => event(time));
	const bins = events.binsOf(list, question, 900);

	assert.deepEqual(bins, [3, 1, 3]); /* what lies behind the end belongs to the last */
	assert.equal(bins.reduce((a, b) => a + b), list.length);
	assert.deepEqual([events.binName(1, 700), events.binName(2, 700)], ['5–10', '10–11:40']);
});

test('a code switched off is neither shown nor counted', () => {
	const list = events.shownOf([event(1), event(2, { code: 'engagement' })],
		new Set(['questioning']), false);

	assert.deepEqual(list.map((one) => one.code), ['engagement']);
});

test('sound is found by the lesson\'s own clock, whatever the file is stretched to', () => {
	const snippet = { from: -2, to: 28, number: 1 };

	assert.equal(events.toFile(snippet, 13, 30.003), 15.0015);
	assert.ok(Math.abs(events.toLesson(snippet, 15.0015, 30.003) - 13) < 1e-9);
	assert.equal(events.snippetAt([snippet], -1), snippet);
	assert.equal(events.snippetAt([snippet], 28), undefined);
});

test('sound that was withdrawn or is still on the box cannot be asked for', () => {
	assert.ok(events.audible({ kept: true, withdrawn: false }));
	assert.ok(!events.audible({ kept: true, withdrawn: true }));
	assert.ok(!events.audible({ kept: false, withdrawn: false }));
});

test('walking goes to the next moment and the one before, never to the same', () => {
	const list = [event(1), event(5), event(9)];

	assert.equal(events.after(list, 5), list[2]);
	assert.equal(events.before(list, 5), list[0]);
	assert.equal(events.after(list, 9), undefined);
	assert.equal(events.before(list, 1), undefined);
});

test('the ribbon has a hole where nothing was heard', () => {
	const values = [...new Array(50).fill(-30), ...new Array(20).fill(null),
		...new Array(30).fill(-30)];
	const path = ribbonPath({ step: 0.1, values }, 10, 100, 40);

	assert.equal(path.match(/M/g).length, 2);
	assert.equal(path.match(/z/g).length, 2);
});

test('a waveform has room for its highest peak and a bar for silence', () => {
	const snippet = { from: 0, to: 10, peaks: { step: 1, values: [0, 0, 0, 0, 0, 255, 0, 0, 0, 0] } };
	const bars = [...wavePath(snippet, 0, 10, 30, 20, 15).matchAll(/v([\d.]+)/g)]
		.map((found) => Number(found[1]));

	assert.equal(bars.length, 10);
	assert.equal(Math.max(...bars), 30);
	assert.ok(Math.min(...bars) > 0);
});

test('the ruler\'s labels have room, on a phone and on a wide screen', () => {
	for (const [length, scale] of [[2800, 0.34], [2800, 0.13], [120, 8], [5400, 0.01], [60, 40]]) {
		const { step, list } = ticks(length, scale);

		assert.ok(step * scale >= 64 || step === 7200);
		assert.equal(list[0], 0);
		assert.ok(list[list.length - 1] <= length);
	}
});
