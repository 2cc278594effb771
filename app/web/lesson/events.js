/*
 * What is computed from a timeline: names, shapes, sums. Pure. Every number on
 * the page is computed here from the list that is shown, never taken from
 * elsewhere, so that the two cannot differ.
 */
import { clock, count, span } from '../words.js';

export const BIN_S = 300;
const HUES = 8;

/* Codes that stand for events; undo, lesson and mute do not. */
const counted = new Set(['point', 'state', 'held', 'sample']);

/*
 * The codes of a timeline, each with its hue (a number below 8) and its
 * modifiers in the order of the scheme: the server lists them all in the sums,
 * seen or not.
 */
export function codesOf(timeline) {
	const rows = new Map(timeline.sums.map((sum) => [sum.code, Object.keys(sum.by_modifier)]));

	return timeline.scheme.codes.filter((code) => counted.has(code.kind)).map((code, i) => ({
		name: code.name,
		title: code.title ?? code.name,
		kind: code.kind,
		hue: i % HUES,
		modifiers: (rows.get(code.name) ?? []).filter((name) => name !== ''),
	}));
}

/*
 * The sign of an event: 'dot' for a plain one, 'diamond' for the first modifier,
 * 'triangle' for others, 'bar' for a span, 'level' (with its number) for a sample.
 */
export function signOf(event, code) {
	if (event.end !== null && event.end !== undefined) {
		return 'bar';
	}
	if (code.kind === 'sample') {
		return 'level';
	}
	if (!event.modifier) {
		return 'dot';
	}
	return code.modifiers.indexOf(event.modifier) <= 0 ? 'diamond' : 'triangle';
}

export const levelOf = (event, code) => code.modifiers.indexOf(event.modifier) + 1;

/* The same for ears, which do not see a sample's number: "Engagement 2, half". */
export function spokenName(event, code) {
	return code.kind === 'sample' ? nameOf(event, { ...code,
		title: `${code.title} ${levelOf(event, code) || '?'}` }) : nameOf(event, code);
}

/* "Questioning, open"; "Transition, 7.8 s". */
export function nameOf(event, code) {
	const parts = [code.title];

	if (event.modifier) {
		parts.push(event.modifier);
	}
	if (event.duration !== null) {
		parts.push(span(event.duration) + (event.open ? ' until the end' : ''));
	}
	return parts.join(', ');
}

/* The list that is shown: of the codes switched on, with those taken back or not. */
export function shownOf(events, hidden, withUndone) {
	return events.filter((event) => !hidden.has(event.code) && (withUndone || !event.undone));
}

function median(sorted) {
	const middle = sorted.length >> 1;

	if (sorted.length === 0) {
		return null;
	}
	return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/* Sums of one code over the shown list, in the form of the server's. */
export function sumOf(shown, code) {
	const events = shown.filter((event) => event.code === code.name && !event.undone);
	const lengths = events.filter((event) => event.duration !== null)
		.map((event) => event.duration).sort((a, b) => a - b);
	const by = { '': 0 };

	for (const name of code.modifiers) {
		by[name] = 0;
	}
	for (const event of events) {
		by[event.modifier in by ? event.modifier : '']++;
	}
	return {
		code: code.name,
		count: events.length,
		by_modifier: by,
		spans: lengths.length,
		total: lengths.reduce((a, b) => a + b, 0),
		shortest: lengths[0] ?? null,
		median: median(lengths),
		longest: lengths[lengths.length - 1] ?? null,
		lengths,
	};
}

/*
 * Lessons beside each other: a row of values, one for each timeline, for the count of
 * each code, for its modifiers ('part'), and for its spans ('time', in seconds). null
 * is for what a lesson's scheme did not know, or did not happen in it: not the same
 * as 0. A code that several lessons know is called as in the last of them.
 */
export function rowsOf(timelines) {
	const lessons = timelines.map((timeline) => new Map(codesOf(timeline).map((code) =>
		[code.name, { code, sum: sumOf(timeline.events, code) }])));
	const known = new Map(lessons.flatMap((lesson) =>
		[...lesson].map(([name, { code }]) => [name, code])));

	return [...known.values()].flatMap((code, i) => {
		const sums = lessons.map((lesson) => lesson.get(code.name)?.sum);
		const all = new Set([...lessons].reverse().flatMap((lesson) => lesson.get(code.name)?.code.modifiers ?? []));
		const row = (kind, name, value) => ({ kind, name, code: code.title, hue: i % HUES,
			values: sums.map((sum) => (sum ? value(sum) ?? null : null)) });
		const spans = sums.some((sum) => sum?.spans > 0);

		return [row('count', code.title, (sum) => sum.count),
			...[...all].map((name) => row('part', name, (sum) => sum.by_modifier[name])),
			...spans ? [row('time', 'median length', (sum) => sum.median),
				row('time', 'length in all', (sum) => (sum.spans ? sum.total : null))] : []];
	});
}

/*
 * The reminders to look for one code, each with the event that answered it: the
 * first one shown of that code before the next reminder, or null.
 */
export function remindersOf(timeline, shown, code) {
	const cues = timeline.cues.filter((cue) => cue.code === code.name);
	const mine = shown.filter((event) => event.code === code.name && !event.undone);

	return cues.map((cue, i) => ({
		...cue,
		answer: mine.find((event) => event.time >= cue.time
			&& event.time < (cues[i + 1]?.time ?? Infinity)) ?? null,
	}));
}

/* "answered after 4.2 s", "not answered" */
export const answerOf = ({ time, answer }) =>
	(answer ? `answered after ${span(answer.time - time)}` : 'not answered');

/* "9 reminders, 8 answered" */
export const answeredOf = (reminders) => `${count(reminders.length, 'reminder')}, ${
	reminders.filter((one) => one.answer).length} answered`;

/* How many events of one code began in each five minutes of the lesson. */
export function binsOf(shown, code, length) {
	const bins = new Array(Math.max(1, Math.ceil(length / BIN_S))).fill(0);

	for (const event of shown) {
		if (event.code === code.name && !event.undone) {
			const i = Math.floor(event.time / BIN_S);

			bins[Math.min(Math.max(i, 0), bins.length - 1)]++;
		}
	}
	return bins;
}

/* "10–15", in minutes; the last one ends with the lesson: "45–46:40". */
export function binName(i, length) {
	const minutes = BIN_S / 60;
	const end = (i + 1) * BIN_S;

	return `${i * minutes}–${end <= length ? (i + 1) * minutes : clock(length)}`;
}

/* A snippet's sound can be asked for: on the server, not withdrawn. */
export const audible = (snippet) => snippet.kept !== false && !snippet.withdrawn;

/* Why a snippet's sound is not here, in a few words. */
export function whyAway(snippet) {
	if (!snippet.withdrawn) {
		return 'still on the box';
	}
	return snippet.withdrawn_by === 'rule' ? 'no longer kept' : 'withdrawn';
}

/* The snippet in which a moment is heard, or undefined. */
export function snippetAt(snippets, time) {
	return snippets.find((snippet) => snippet.from <= time && time < snippet.to);
}

/* The one an event is heard in, as the fold says. */
export function snippetOf(snippets, event) {
	return event.snippet === null ? undefined
		: snippets.find((snippet) => snippet.number === event.snippet);
}

/* The event to walk to: the nearest of the list after @time, or before it. */
export function after(shown, time) {
	return shown.find((event) => event.time > time + 1e-6);
}

export function before(shown, time) {
	return shown.findLast((event) => event.time < time - 1e-6);
}

/* From sound's place in the lesson to its place in the decoded file, and back. */
export const toFile = (snippet, time, length) =>
	((time - snippet.from) / (snippet.to - snippet.from)) * length;
export const toLesson = (snippet, place, length) =>
	snippet.from + (place / length) * (snippet.to - snippet.from);
