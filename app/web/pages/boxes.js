/* Boxes: what each last said about itself, pairing, naming, revoking. */
import { boxes, changeBox, pairBox } from '../api.js';
import { html, useEffect, useState } from '../html.js';
import { ago, bytes, count, plusMinus } from '../words.js';
import { Ask, HandOn, Heading, Trouble, useChange, useLoad } from './parts.js';

const FAST_CLOCK_MS = 2000; /* worth telling */

function Left({ until }) {
	const [now, setNow] = useState(Date.now());

	useEffect(() => {
		const timer = setInterval(() => setNow(Date.now()), 1000);

		return () => clearInterval(timer);
	}, []);
	const s = Math.max(0, Math.round((new Date(until) - now) / 1000));

	return s > 0 ? html`<p class="quiet">It works once, for another
		${` ${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`} minutes.</p>`
		: html`<p class="trouble">This code is over. Make another one.</p>`;
}

function Pairing({ code, expires, close }) {
	return html`
		<section class="sheet-of-paper" aria-labelledby="pair-title">
			<h2 id="pair-title">Pair a box</h2>
			<p class="code" aria-label=${`The code: ${[...code].join(' ')}`}>${code}</p>
			<${Left} until=${expires} />
			<${HandOn} label="Type this on the box" text=${`sudo chalkbox pair ${location.origin} ${code}`} />
			<p class="quiet">The box shows a short key; compare it with the one that the server showed when
				it was started.</p>
			<details><summary>A box without a screen</summary>
				<p>Save these two lines as <code>chalkbox-pair.txt</code> on the boot partition of its card,
					and switch it on.</p>
				<pre>${`url=${location.origin}\ncode=${code}`}</pre></details>
			<button type="button" onClick=${close}>Done</button>
		</section>`;
}

function Health({ box }) {
	const clockMs = Math.abs(box.clock_error_ms ?? 0);
	const notes = [
		...box.faults ?? [],
		clockMs > FAST_CLOCK_MS && `clock wrong by ${plusMinus(clockMs / 1000).slice(2)}`,
	].filter(Boolean);

	return html`
		<dl class="facts">
			<div><dt>last heard of</dt><dd>${ago(box.last_heard)}</dd></div>
			<div><dt>free on its card</dt><dd>${box.free_bytes ? bytes(box.free_bytes) : 'not known'}</dd></div>
			<div><dt>still to bring</dt><dd>${box.unsent_snippets || box.unsent_entries
		? count(box.unsent_snippets ?? 0, 'snippet') : 'nothing'}</dd></div>
			${box.version && html`<div><dt>version</dt><dd>${box.version}</dd></div>`}
		</dl>
		${notes.length > 0 && html`<ul class="faults">${notes.map((note) => html`<li>${note}</li>`)}</ul>`}`;
}

function Box({ box, me, reload }) {
	const [naming, setNaming] = useState(false);
	const [asked, setAsked] = useState(false);
	const [run, busy, problem] = useChange();
	const change = async (what) => {
		await run(() => changeBox(box.id, what));
		setNaming(false);
		setAsked(false);
		reload();
	};
	const rename = (event) => {
		event.preventDefault();
		change({ name: new FormData(event.target).get('name').trim() });
	};

	return html`
		<li class=${`card${box.revoked ? ' over' : ''}`}>
			${naming ? html`<form class="row" onSubmit=${rename}>
					<label>Name<input name="name" defaultValue=${box.name} required maxlength="60" /></label>
					<button type="submit" disabled=${busy}>Save</button>
					<button type="button" onClick=${() => setNaming(false)}>Leave it</button></form>`
		: html`<h2>${box.name}</h2>`}
			${box.coach && box.coach.id !== me.id && html`<p class="quiet">carried by ${box.coach.name}</p>`}
			${box.revoked ? html`<p class="quiet">Revoked: this box can bring nothing any more. What it
				brought stays.</p>` : html`<${Health} box=${box} />`}
			<${Trouble} problem=${problem} />
			${!box.revoked && !naming && html`<div class="buttons">
				<button type="button" class="small" onClick=${() => setNaming(true)}>Rename
					<span class="visually-hidden"> ${box.name}</span></button>
				<button type="button" class="small" onClick=${() => setAsked(true)}>Revoke
					<span class="visually-hidden"> ${box.name}</span></button></div>`}
			${asked && html`<${Ask} title=${`Revoke ${box.name}?`} yes="Revoke it" busy=${busy}
				onYes=${() => change({ revoked: true })} onNo=${() => setAsked(false)}>
				<p>The box can bring nothing to this server until it is paired anew. Do this when it is
					lost or stolen. What it brought before stays.</p><//>`}
		</li>`;
}

export function Boxes({ me }) {
	const [list, problem, reload] = useLoad(boxes, [me.id]);
	const [code, setCode] = useState(null);
	const [run, busy, wrong] = useChange();
	const pair = async () => setCode(await run(pairBox) ?? null);

	return html`
		<main id="main">
			<${Heading}>Boxes<//>
			<${Trouble} problem=${problem ?? wrong} again=${problem ? reload : null} />
			${code ? html`<${Pairing} ...${code} close=${() => {
		setCode(null);
		reload();
	}} />` : html`<p><button type="button" class="primary" disabled=${busy} onClick=${pair}>
				Pair a box</button></p>`}
			${list && list.length === 0 && html`<p class="empty">No box is paired yet.</p>`}
			<ul class="cards">${(list ?? []).map((box) => html`
				<${Box} key=${box.id} box=${box} me=${me} reload=${reload} />`)}</ul>
		</main>`;
}
