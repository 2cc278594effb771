/* What was counted, from the list that is shown; nothing is judged. */
import { html } from '../html.js';
import { count, span } from '../words.js';
import { answeredOf, BIN_S, binName, binsOf, sumOf } from './events.js';
import { Chip } from './sign.js';

/* Each span a dot on a line of seconds: how waits were spread, at a glance. */
function Lengths({ lengths, hue, modifier }) {
	const most = Math.max(...lengths);
	const steps = [5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600];
	const end = steps.find((s) => s >= most) ?? most;
	const x = (s) => 8 + (s / end) * 224;

	return html`
		<svg class="lengths" viewBox="0 0 240 34" role="img"
			aria-label=${`${count(lengths.length, modifier || 'span')}, from ${span(lengths[0])} to ${span(most)}`}>
			<line class="staff" x1="8" x2="232" y1="12" y2="12" />
			<text x="8" y="31">0</text>
			<text x="232" y="31" text-anchor="end">${span(end).replace('.0', '')}</text>
			${lengths.map((s) => html`<circle class=${`dot hue${hue}`} cx=${x(s)} cy="12" r="5" />`)}
		</svg>`;
}

function signFor(code, modifier, spans) {
	if (code.kind === 'sample') {
		return { sign: 'level', level: code.modifiers.indexOf(modifier) + 1 };
	}
	if (code.kind !== 'point' || (spans && spans.has(modifier))) {
		return { sign: 'bar' };
	}
	return { sign: modifier === '' ? 'dot' : code.modifiers.indexOf(modifier) === 0
		? 'diamond' : 'triangle' };
}

/* The modifiers that are spans in this list: "wait". */
const spanModifiers = (shown, code) => new Set(shown.filter((event) =>
	event.code === code.name && event.duration !== null).map((event) => event.modifier ?? ''));

function Card({ code, shown, reminders }) {
	const sum = sumOf(shown, code);
	const spans = spanModifiers(shown, code);
	const rows = Object.entries(sum.by_modifier)
		.filter(([name, n]) => n > 0 || (name !== '' && code.modifiers.length > 0));
	const asked = reminders.filter((one) => one.code === code.name);
	const plain = code.kind === 'sample' ? 'no level' : 'plain';

	return html`
		<article class=${`card hue${code.hue}`}>
			<h3>${code.title}</h3>
			<p class="number"><strong>${sum.count}</strong> ${sum.count === 1 ? 'event' : 'events'}</p>
			${code.modifiers.length > 0 && html`
				<ul class="kinds">${rows.map(([name, n]) => html`
					<li><${Chip} hue=${code.hue} ...${signFor(code, name, spans)} />
						<span>${name || plain}</span> <b>${n}</b></li>`)}</ul>`}
			${asked.length > 0 && html`<p class="asked-for">${answeredOf(asked)}</p>`}
			${sum.spans > 0 && html`
				<${Lengths} lengths=${sum.lengths} hue=${code.hue}
					modifier=${[...spans].join(' or ')} />
				<dl class="facts">
					<div><dt>in all</dt><dd>${span(sum.total)}</dd></div>
					<div><dt>shortest</dt><dd>${span(sum.shortest)}</dd></div>
					<div><dt>median</dt><dd>${span(sum.median)}</dd></div>
					<div><dt>longest</dt><dd>${span(sum.longest)}</dd></div>
				</dl>`}
		</article>`;
}

function Bins({ codes, shown, length }) {
	const rows = codes.map((code) => ({ code, bins: binsOf(shown, code, length) }));
	const most = Math.max(1, ...rows.flatMap((row) => row.bins));
	const names = rows[0].bins.map((_, i) => binName(i, length));

	return html`
		<div class="scroll-x" tabindex="0" role="region" aria-labelledby="bins-title">
			<table class="bins">
				<thead><tr><th scope="col">minutes</th>${names.map((name) => html`<th scope="col">${name}</th>`)}
					<th scope="col">all</th></tr></thead>
				<tbody>${rows.map(({ code, bins }) => html`
					<tr class=${`hue${code.hue}`}><th scope="row">${code.title}</th>
						${bins.map((n) => html`<td>
							<svg class="bin" width="30" height="32" viewBox="0 0 30 32" aria-hidden="true">
								<rect x="3" width="24" y=${32 - (n / most) * 30} rx="2"
									height=${(n / most) * 30} /></svg>
							<span class=${n ? '' : 'quiet'}>${n}</span></td>`)}
						<td class="all">${bins.reduce((a, b) => a + b, 0)}</td></tr>`)}
				</tbody>
			</table>
		</div>`;
}

export function Counts({ codes, shown, reminders, length }) {
	if (codes.length === 0) {
		return html`<p class="quiet">No codes are shown. Switch one on above.</p>`;
	}
	return html`
		<div class="cards">
			${codes.map((code) => html`<${Card} key=${code.name} code=${code} shown=${shown}
				reminders=${reminders} />`)}
		</div>
		<h3 id="bins-title">Events in each ${BIN_S / 60} minutes</h3>
		<${Bins} codes=${codes} shown=${shown} length=${length} />`;
}
