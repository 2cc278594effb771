/* Who looked at an observation: for the teacher it belongs to. */
import { html } from '../html.js';
import { clock, hour, shortDay } from '../words.js';
import { Trouble, useLoad } from './parts.js';

function whatOf(look, lesson) {
	if (look.what === 'timeline') {
		return 'the timeline';
	}
	const snippet = lesson.snippets.find((one) => one.seq === look.seq);

	return snippet ? `sound from ${clock(snippet.from)}` : 'sound';
}

export function Looks({ id, load, lesson }) {
	const [list, problem, again] = useLoad(() => load(id), [id]);

	return html`
		<section aria-labelledby="looks-title" class="no-print">
			<h2 id="looks-title">Who looked</h2>
			<p class="quiet">Only you see this list.</p>
			<${Trouble} problem=${problem} again=${again} />
			${list && html`<ul class="looks">${list.map((look) => html`
				<li><b>${look.person.name}</b> ${whatOf(look, lesson)}
					<time datetime=${look.at}>${shortDay(look.at)}, ${hour(look.at)}</time></li>`)}</ul>`}
		</section>`;
}
