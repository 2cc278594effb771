/* Every moment as a row: the same list as the lanes, for eyes and ears that prefer it. */
import { html, useMemo, useRef } from '../html.js';
import { clock, plusMinus, second, span, UNSURE_S } from '../words.js';
import { answerOf, audible, levelOf, nameOf, signOf, snippetOf, whyAway } from './events.js';
import { useMarked } from './current.js';
import { Chip } from './sign.js';

function soundWord(snippet) {
	if (!snippet) {
		return 'none';
	}
	return whyAway(snippet);
}

function Row({ event, code, snippet, choose }) {
	const heard = snippet && audible(snippet);
	const hear = ({ target }) => {
		choose(event);
		/* the player has grown by then: the row must not be behind it */
		requestAnimationFrame(() => target.closest('tr').scrollIntoView({ block: 'nearest' }));
	};

	return html`
		<tr class=${event.undone ? 'undone' : ''} data-row=${event.seq}>
			<td class="number">${event.number}</td>
			<td class="time">${clock(event.time, true)}</td>
			<td class="time wide">${event.wall ? second(event.wall) : '–'}${
				event.wall && event.uncertainty >= UNSURE_S && html`
					<span class="unsure"> ${plusMinus(event.uncertainty)}</span>`}</td>
			<th scope="row"><${Chip} sign=${signOf(event, code)} hue=${code.hue}
				level=${levelOf(event, code)} /> <span class="what">${code.title}${
				event.modifier ? `, ${event.modifier}` : ''}</span>${
				event.duration !== null && html`<span class="within">, ${span(event.duration)}</span>`}${
				event.undone && html` <em>taken back</em>`}</th>
			<td class="time lasts">${event.duration === null ? '' : span(event.duration)}${
				event.open && html` <em>until the end</em>`}</td>
			<td>${heard ? html`<button type="button" class="small" onClick=${hear}
				aria-label=${`Hear ${nameOf(event, code)} at ${clock(event.time)}`}>Hear</button>`
		: html`<span class="quiet">${soundWord(snippet)}</span>`}</td>
		</tr>`;
}

/* Where the box asked its coach to look; not an event, so it has no number. */
const ReminderRow = ({ reminder, code }) => html`
	<tr class="asked-row" data-reminder=${reminder.seq}>
		<td class="number"></td>
		<td class="time">${clock(reminder.time, true)}</td>
		<td class="time wide"></td>
		<td colspan="3"><${Chip} sign=${reminder.answer ? 'asked' : 'missed'} />
			${' '}${code.title}: reminder to look, ${answerOf(reminder)}</td>
	</tr>`;

export function List({ timeline, codes, shown, reminders, chosen, choose }) {
	const ref = useRef(null);
	const rows = useMemo(() => {
		const byName = new Map(codes.map((code) => [code.name, code]));

		return [...reminders, ...shown].sort((a, b) => a.time - b.time).map((one) => ('answer' in one
			? html`<${ReminderRow} key=${one.seq} reminder=${one} code=${byName.get(one.code)} />`
			: html`<${Row} key=${one.seq} event=${one} code=${byName.get(one.code)}
				snippet=${snippetOf(timeline.snippets, one)} choose=${choose} />`));
	}, [timeline, codes, shown, reminders, choose]);

	useMarked(ref, chosen ? `[data-row="${chosen}"]` : '', 'aria-current', 'true', undefined, rows);
	if (rows.length === 0) {
		return html`<p class="quiet">Nothing to list.</p>`;
	}
	return html`
		<div class="scroll-x" tabindex="0" role="region" aria-labelledby="list-title">
			<table class="list">
				<thead><tr><th scope="col">No.</th><th scope="col">In the lesson</th>
					<th scope="col" class="wide">Time of day</th><th scope="col">What</th>
					<th scope="col" class="lasts">Lasts</th><th scope="col">Sound</th></tr></thead>
				<tbody ref=${ref}>${rows}</tbody>
			</table>
		</div>`;
}
