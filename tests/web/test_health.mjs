/* What a coach reads of a box, without a browser. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { faultOf, healthOf, madeOf } from '../../app/web/health.js';

const NOW = Date.parse('2026-11-21T12:00:00Z');
const WELL = { power: 'good', hot: false, total_bytes: 32e9, read_only: false, write_p99_us: 9000,
	clock_trusted: true, clock_uncertainty_ms: 20, recorder: true, microphone: 'live', loud_db: -30,
	clipped_permille: 1 };

function box(health = {}, more = {}) {
	return { last_heard: '2026-11-21T09:00:00Z', reported: '2026-11-21T09:00:00Z', free_bytes: 24e9,
		clock_error_ms: 3, faults: [], unsent_entries: 0, unsent_snippets: 0,
		health: health && { ...WELL, ...health }, ...more };
}

const line = (one, name) => healthOf(one, NOW).find((each) => each.name === name);
const lamps = (one) => healthOf(one, NOW).map((each) => each.lamp);

test('a healthy box has good lamps only, and how full it is', () => {
	assert.deepEqual(new Set(lamps(box())), new Set(['well']));
	assert.equal(line(box(), 'card').part, 0.25);
	assert.equal(line(box(), 'card').says, '24.0 GB free of 32.0 GB');
	assert.equal(line(box(), 'clock').says, 'right ± 20 ms');
});

test('a box that has told nothing but its name has one line', () => {
	assert.deepEqual(healthOf({ last_heard: null, reported: null }, NOW),
		[{ name: 'last heard of', lamp: 'none', says: 'never' }]);
});

test('an older box without health still has what it did tell', () => {
	assert.deepEqual(healthOf(box(null), NOW).map((each) => each.name),
		['last heard of', 'card', 'clock', 'still to bring']);
	assert.equal(line(box(null), 'card').part, null);
});

test('what is wrong is told with what to do', () => {
	for (const [health, name, lamp, says] of [
		[{ power: 'low' }, 'power', 'bad', /too weak now: try another supply/],
		[{ power: 'low-before' }, 'power', 'care', /at some moment/],
		[{ hot: true }, 'power', 'care', /grew hot/],
		[{ power: 'low', hot: true }, 'power', 'bad', /supply or cable; it grew hot/],
		[{ read_only: true }, 'card', 'bad', /takes no more writes/],
		[{ write_p99_us: 1_200_000 }, 'card', 'care', /slow: 1.2 s/],
		[{ write_p99_us: 2_400_000 }, 'card', 'bad', /slow: 2.4 s/],
		[{ loud_db: -110 }, 'last lesson', 'bad', /gives nothing/],
		[{ clock_trusted: false }, 'clock', 'care', /set by nothing/],
		[{ microphone: 'lost' }, 'microphone', 'bad', /plugged in/],
		[{ microphone: 'full' }, 'microphone', 'care', /no room/],
		[{ loud_db: -58 }, 'last lesson', 'care', /quiet: move it nearer/],
		[{ clipped_permille: 60 }, 'last lesson', 'care', /too loud/],
		[{ recorder: false }, 'recorder', 'care', /did not answer/],
	]) {
		const found = line(box(health), name);

		assert.equal(found.lamp, lamp, `${JSON.stringify(health)}: ${found.says}`);
		assert.match(found.says, says);
	}
});

test('a card is nearly full by what is free, however large it is', () => {
	assert.equal(line(box({ total_bytes: 512e9 }), 'card').lamp, 'well');
	assert.match(line(box({}, { free_bytes: 1.5e9 }), 'card').says, /nearly full; 1.5 GB free/);
	assert.equal(line(box(null, { free_bytes: 1.5e9 }), 'card').lamp, 'care');
});

test('what somebody chose is not a fault', () => {
	assert.equal(line(box({ microphone: 'muted' }), 'microphone').lamp, 'none');
	assert.equal(line(box({ microphone: 'off' }), 'microphone').lamp, 'none');
	assert.equal(line(box({ power: 'unknown' }), 'power'), undefined);
	assert.equal(line(box({}, { unsent_snippets: 3 }), 'still to bring').lamp, 'none');
	assert.equal(line(box({}, { unsent_snippets: 1 }), 'still to bring').says, '1 snippet');
});

test('a clock that is wrong is told by how much, never by less', () => {
	assert.equal(line(box({}, { clock_error_ms: -190_000 }), 'clock').says, 'wrong by 4 min');
	assert.equal(line(box({}, { clock_error_ms: 1900 }), 'clock').says, 'right ± 2 s');
});

test('a box not heard of for weeks is worth a look', () => {
	assert.equal(line(box({}, { last_heard: '2026-11-01T09:00:00Z' }), 'last heard of').lamp, 'care');
	assert.equal(line(box({}, { last_heard: '2026-11-10T09:00:00Z' }), 'last heard of').lamp, 'well');
});

test('faults are told in words, unknown ones as they came', () => {
	assert.deepEqual(faultOf('buttons: no line BTN1'), ['The buttons do not work', 'no line BTN1']);
	assert.deepEqual(faultOf('journal:'), ['The record cannot be written', '']);
	assert.deepEqual(faultOf('flux: 3'), ['Something is wrong', 'flux: 3']);
});

test('what a box is made of leaves out what it did not tell', () => {
	assert.deepEqual(madeOf(box({ machine: 'Pi' }, { version: '0.1.0' })),
		[['machine', 'Pi'], ['Chalkbox', '0.1.0']]);
	assert.deepEqual(madeOf({}), []);
});
