/*
 * A teacher's own lessons beside each other: what was counted in each, to see what
 * became of a goal. A bar is as long as its number, there is no line through them and
 * nothing to reach: lessons differ, and nothing here is a grade. Nobody but the
 * teacher has this page. It reads each lesson, which the list of looks says.
 */
import { observations, timeline } from '../api.js';
import { rowsOf } from '../lesson/events.js';
import { html } from '../html.js';
import { count, monthDay, span } from '../words.js';
import { taughtBy, titleOf } from './observations.js';
import { Heading, Trouble, useLoad } from './parts.js';

const LESSONS_MOST = 12;
const BAR = 30;

/* The lesson with its timeline; null when it is too much to be shown at all. */
async function read(one) {
	try {
		return { ...one, timeline: await timeline(one.id) };
	} catch (problem) {
		if (problem.status === 422) {
			return null;
		}
		throw problem;
	}
}

/* The last ones, oldest first. */
async function lately(me) {
	const mine = taughtBy(me, await observations()).slice(0, LESSONS_MOST).reverse();

	return (await Promise.all(mine.map(read))).filter(Boolean);
}

function Cell({ value, most, inTime }) {
	if (value === null) {
		return html`<td class="quiet">–</td>`;
	}
	const high = most > 0 ? (value / most) * BAR : 0;

	return html`
		<td><svg class="bin" width="30" height=${BAR + 2} aria-hidden="true">
				<rect x="3" width="24" y=${BAR + 2 - high} rx="2" height=${high} /></svg>
			<span class=${value ? '' : 'quiet'}>${inTime ? span(value) : value}</span></td>`;
}

function Rows({ rows }) {
	let most = 1;

	return rows.map(({ kind, name, code, hue, values }) => {
		if (kind !== 'part') { /* a part is drawn as large as it is of its code */
			most = Math.max(...values);
		}
		return html`
			<tr class=${`${kind} hue${hue}`}><th scope="row">${kind !== 'count' && html`
				<span class="visually-hidden">${code}: </span>`}${name}</th>
				${values.map((value) => html`<${Cell} value=${value} most=${most}
					inTime=${kind === 'time'} />`)}</tr>`;
	});
}

const Table = ({ lessons }) => html`
	<div class="scroll-x" tabindex="0" role="region" aria-label="Your lessons beside each other">
		<table class="bins">
			<thead>
				<tr><th scope="col">lesson</th>${lessons.map((one) => html`
					<th scope="col"><a href=${`#/observations/${encodeURIComponent(one.id)}`}
						title=${titleOf(one)}>${monthDay(one.start)} <span
						class="visually-hidden">${titleOf(one)}</span></a></th>`)}</tr>
			</thead>
			<tbody>
				<tr><th scope="row">length</th>${lessons.map((one) => html`
					<td>${span(one.length_s)}</td>`)}</tr>
				<${Rows} rows=${rowsOf(lessons.map((one) => one.timeline))} />
			</tbody>
		</table>
	</div>`;

export function OverTime({ me }) {
	const [lessons, problem, again] = useLoad(() => lately(me), [me.id]);

	return html`
		<main id="main">
			<p class="back no-print"><a href="#/">My observations</a></p>
			<${Heading}>Your lessons over time<//>
			<${Trouble} problem=${problem} again=${again} />
			${lessons?.length === 0 && html`<p class="empty">No lesson of yours is here yet.</p>`}
			${lessons?.length > 0 && html`
				<p class="quiet">${lessons.length > 1 ? `Your last ${count(lessons.length, 'lesson')}, the
					newest on the right` : 'Your lesson'}. Lessons differ in length and in what they are for:
					this is to look back by, and no grade. Nobody else has this page.</p>
				<${Table} lessons=${lessons} />`}
		</main>`;
}
