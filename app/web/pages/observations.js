/* My observations, newest first. */
import { observations } from '../api.js';
import { html } from '../html.js';
import { count, hour, plusMinus, shortDay, span, UNSURE_S } from '../words.js';
import { Heading, Trouble, useLoad } from './parts.js';
import { Plans } from './plans.js';

function whenOf(one) {
	if (!one.start) {
		return 'Time unknown';
	}
	const unsure = one.start_uncertainty_ms / 1000;

	return `${shortDay(one.start)}, ${hour(one.start)}${
		unsure >= UNSURE_S ? ` ${plusMinus(unsure)}` : ''}`;
}

export const titleOf = (one) => one.title || (one.start ? `Lesson of ${shortDay(one.start)}`
	: 'Lesson without a date');

/* Lessons of which this person is the teacher, and of which the time is known; newest first. */
export const taughtBy = (me, list) => list.filter((one) => one.teacher?.id === me.id && one.start
	&& !one.running);

function Item({ one, me }) {
	const mine = one.coach?.id === me.id; /* I observed it */
	const other = mine || one.guest ? one.teacher : one.coach;
	const who = !other ? (mine ? 'not assigned yet' : '')
		: one.guest ? `shown to you by ${other.name}`
			: mine ? `with ${other.name}` : `observed by ${other.name}`;

	return html`
		<li><a class="item" href=${`#/observations/${encodeURIComponent(one.id)}`}>
			<span class="item-title">${titleOf(one)}</span>
			<span class="item-when">${whenOf(one)}</span>
			<span class=${`item-who${other ? '' : ' open'}`}>${who}</span>
			<span class="item-what">${one.running ? 'still coming in' : span(one.length_s)} ·
				${' '}${count(one.events, 'event')} · ${count(one.snippets, 'snippet')}</span>
		</a></li>`;
}

const EMPTY = {
	teacher: 'Nothing here yet. When your coach has observed a lesson of yours, it appears here '
		+ 'at the end of the day.',
	coach: 'Nothing here yet. Observe a lesson with your box; it brings the lesson here by itself.',
};

export function Observations({ me }) {
	const [list, problem, again] = useLoad(observations, [me.id]);
	const byMonth = new Map();

	for (const one of list ?? []) {
		const month = one.start ? new Date(one.start).toLocaleDateString('en-GB',
			{ month: 'long', year: 'numeric' }) : 'Without a date';

		byMonth.set(month, [...byMonth.get(month) ?? [], one]);
	}
	return html`
		<main id="main">
			<${Heading}>My observations<//>
			<${Trouble} problem=${problem} again=${again} />
			${list && list.length === 0 && html`<p class="empty">${
		me.roles.includes('coach') ? EMPTY.coach : EMPTY.teacher}</p>`}
			${taughtBy(me, list ?? []).length > 1 && html`
				<p><a href="#/over-time">Your lessons over time</a></p>`}
			${[...byMonth].map(([month, items]) => html`
				<section key=${month}>
					<h2 class="month">${month}</h2>
					<ul class="items">${items.map((one) => html`
						<${Item} key=${one.id} one=${one} me=${me} />`)}</ul>
				</section>`)}
			${me.roles.includes('coach') && html`<${Plans} />`}
		</main>`;
}
