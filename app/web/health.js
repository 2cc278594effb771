/*
 * What a box told of itself, as a few lines that a coach can read: each has a
 * name, a lamp ('well', 'care', 'bad', or 'none' where there is nothing to say) and
 * words. Pure. What a box did not tell has no line. `chalkbox doctor` judges by the
 * same limits, and knows more: it looks at the box itself.
 */
import { ago, bytes, count, plusMinus } from './words.js';

const DAY_MS = 86_400_000;
const SILENT_DAYS = 14;      /* longer than a holiday week: is it lost? */
const CLOCK_WRONG_MS = 2000;
const FULL_BYTES = 2e9;
const SLOW_US = 300_000;     /* the lamp's blink waits for it */
const DEAD_SLOW_US = 2_000_000;
const SILENT_DB = -100;
const QUIET_DB = -50;        /* voices below that are hard to make out */
const CLIPPED_PERMILLE = 5;

function heardOf(box, now) {
	const silent = box.last_heard && now - new Date(box.last_heard) > SILENT_DAYS * DAY_MS;

	return { name: 'last heard of', lamp: !box.last_heard ? 'none' : silent ? 'care' : 'well',
		says: ago(box.last_heard, now) };
}

function cardOf({ free_bytes: free, health }) {
	const total = health?.total_bytes ?? 0;
	const part = total > 0 ? Math.min(Math.max(1 - free / total, 0), 1) : null;
	const wrong = health?.read_only ? 'takes no more writes; make a copy and replace it'
		: free < FULL_BYTES ? 'nearly full' : '';
	const writeUs = health?.write_p99_us ?? 0;
	const slow = writeUs > SLOW_US ? `slow: ${(writeUs / 1e6).toFixed(1)} s for a small write` : '';

	return { name: 'card', part,
		lamp: health?.read_only || writeUs > DEAD_SLOW_US ? 'bad' : wrong || slow ? 'care' : 'well',
		says: [wrong, slow, `${bytes(free)} free${total ? ` of ${bytes(total)}` : ''}`]
			.filter(Boolean).join('; ') };
}

function clockOf({ clock_error_ms: error, health }) {
	const off = Math.abs(error ?? 0);

	if (off > CLOCK_WRONG_MS) {
		return { name: 'clock', lamp: 'care', says: `wrong by ${plusMinus(off / 1000).slice(2)}` };
	}
	if (health?.clock_trusted === false) {
		return { name: 'clock', lamp: 'care', says: 'set by nothing it can trust' };
	}
	return error === null || error === undefined ? null : { name: 'clock', lamp: 'well',
		says: `right ${plusMinus(Math.max(off, health?.clock_uncertainty_ms ?? 0) / 1000)}` };
}

const POWER = {
	good: ['well', 'steady'],
	low: ['bad', 'too weak now: try another supply or cable'],
	'low-before': ['care', 'too weak at some moment: try another supply or cable'],
};

function powerOf({ health }) {
	const [lamp, says] = POWER[health?.power] ?? [];

	if (health?.hot) {
		return { name: 'power', lamp: lamp === 'bad' ? 'bad' : 'care',
			says: `${lamp && lamp !== 'well' ? `${says}; ` : ''}it grew hot and slowed down` };
	}
	return lamp ? { name: 'power', lamp, says } : null;
}

const MICROPHONE = {
	live: ['well', 'there'],
	muted: ['none', 'muted by its switch'],
	off: ['none', 'switched off on this box'],
	lost: ['bad', 'lost: is it plugged in?'],
	full: ['care', 'there, but no room to keep its sound'],
};

function microphoneOf({ health }) {
	const [lamp, says] = MICROPHONE[health?.microphone] ?? [];

	return lamp ? { name: 'microphone', lamp, says } : null;
}

const LESSON = {
	silent: ['bad', 'silence: the microphone gives nothing'],
	loud: ['care', 'too loud: move it away, or lower its gain'],
	quiet: ['care', 'very quiet: move it nearer, or raise its gain'],
	right: ['well', 'good to hear'],
};

function lessonOf({ health }) {
	const { loud_db: db, clipped_permille: clipped = 0 } = health ?? {};

	if (db === undefined) {
		return null;
	}
	const [lamp, says] = LESSON[db <= SILENT_DB ? 'silent' : clipped >= CLIPPED_PERMILLE ? 'loud'
		: db < QUIET_DB ? 'quiet' : 'right'];

	return { name: 'last lesson', lamp, says };
}

function bringOf(box) {
	const { unsent_snippets: snippets, unsent_entries: entries } = box;
	const says = snippets ? count(snippets, 'snippet')
		: entries ? 'what was pressed last' : 'nothing';

	return { name: 'still to bring', lamp: snippets || entries ? 'none' : 'well', says };
}

/* The lines of a box that has reported at least once; else only when it was heard of. */
export function healthOf(box, now = Date.now()) {
	return [heardOf(box, now), ...box.reported ? [cardOf(box), clockOf(box), powerOf(box), microphoneOf(box),
		lessonOf(box), bringOf(box),
		box.health?.recorder === false && { name: 'recorder', lamp: 'care', says: 'did not answer' },
	].filter(Boolean) : []];
}

const FAULTS = {
	buttons: 'The buttons do not work',
	lamps: 'The lamps do not work',
	journal: 'The record cannot be written',
	'journal-damaged': 'A damaged record was set aside',
	recovery: 'What a power cut left could not be put in order',
	snippets: 'Sound cannot be kept',
	control: 'The recorder cannot be spoken to',
};

/* "buttons: no such line" in words: [sentence, the cause as it was told]. */
export function faultOf(text) {
	const [, code, cause] = /^([\w-]+): ?(.*)$/s.exec(text) ?? [null, '', text];

	return FAULTS[code] ? [FAULTS[code], cause] : ['Something is wrong', text];
}

/* What it is made of, for who asks: [name, value] pairs. */
export function madeOf(box) {
	const { machine, wiring, system, kernel, microphone_card: card } = box.health ?? {};

	return [['machine', machine], ['wiring', wiring], ['sound card', card], ['system', system],
		['kernel', kernel], ['Chalkbox', box.version]].filter(([, value]) => value);
}
