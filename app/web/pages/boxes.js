/* Boxes: what each last said about itself, pairing, naming, revoking. */
import { boxes, changeBox, pairBox } from '../api.js';
import { faultOf, healthOf, madeOf } from '../health.js';
import { html, useEffect, useRef, useState } from '../html.js';
import { Ask, HandOn, Heading, Trouble, useChange, useLoad, useThose } from './parts.js';

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

function Pairing({ code, expires, pin, close }) {
	const title = useRef(null);

	useEffect(() => title.current.focus(), [code]); /* the button that had it is gone */
	return html`
		<section class="sheet-of-paper" aria-labelledby="pair-title">
			<h2 id="pair-title" ref=${title} tabindex="-1">Pair a box</h2>
			<p class="code" aria-label=${`The code: ${[...code].join(' ')}`}>${code}</p>
			<${Left} until=${expires} />
			<${HandOn} label="Type this on the box" text=${
		`sudo chalkbox pair ${location.origin} ${code}${pin ? ` --pin ${pin}` : ''}`} />
			${pin && html`<p>By this short key the box knows this server from now on. It takes no other, and
				shows it once it is paired:</p><p class="pin-text"><code>${pin}</code></p>`}
			<details><summary>A box without a screen</summary>
				<p>Save these lines as <code>chalkbox-pair.txt</code> on the boot partition of its card,
					and switch it on.</p>
				<pre>${`url=${location.origin}\ncode=${code}${pin ? `\npin=${pin}` : ''}`}</pre></details>
			<button type="button" onClick=${close}>Done</button>
		</section>`;
}

/* Its lamp says it by shape and colour, the words beside it say the same. */
const Line = ({ line }) => html`
	<div class=${`line ${line.lamp}`}><dt><span class="lamp" aria-hidden="true"></span>${line.name}</dt>
		<dd>${line.says}${line.part !== undefined && line.part !== null && html`
			<span class="meter" aria-hidden="true">
				<span style=${{ width: `${line.part * 100}%` }}></span></span>`}</dd></div>`;

function Health({ box }) {
	const lines = healthOf(box);
	const made = madeOf(box);
	const troubles = (box.faults ?? []).map(faultOf);
	const care = troubles.length > 0 || lines.some((line) => line.lamp === 'care' || line.lamp === 'bad');

	return html`
		<p class=${care ? 'state care' : 'state'}>${care ? 'Needs a look'
		: box.reported ? 'All is well' : 'Paired; it has told nothing yet'}</p>
		${troubles.length > 0 && html`<ul class="faults">${troubles.map(([what, cause]) => html`
			<li>${what}${cause && html`<span class="quiet"> (${cause})</span>`}</li>`)}</ul>`}
		<dl class="health">${lines.map((line) => html`<${Line} line=${line} />`)}</dl>
		${care && html`<p class="quiet"><code>chalkbox doctor</code> on the box says more.</p>`}
		${made.length > 0 && html`<details><summary>What it is made of</summary>
			<dl class="facts">${made.map(([name, value]) => html`
				<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl></details>`}`;
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

const LOOK_AGAIN_MS = 2000;

/* Looks again and again while a code is good, until a box has used it. */
function useNewBox(code, list, reload) {
	const [known, setKnown] = useState(null); /* who was here when the code was made */
	const paired = code && known
		&& list?.find((box) => !known.has(box.id) && box.coach?.id === code.coach);

	useEffect(() => {
		setKnown(code && new Set((list ?? []).map((box) => box.id)));
	}, [code]);
	useEffect(() => {
		if (!code || paired) {
			return undefined;
		}
		const timer = setInterval(() => {
			if (new Date(code.expires) > Date.now()) {
				reload();
			}
		}, LOOK_AGAIN_MS);

		return () => clearInterval(timer);
	}, [code, Boolean(paired)]);
	return paired;
}

/* Lessons are their coach's: who is none pairs boxes for somebody who is. */
function ForWhom({ pair, busy, button, label }) {
	const [coaches, problem] = useThose('coach');
	const submit = (event) => {
		event.preventDefault();
		pair(new FormData(event.target).get('coach'));
	};

	return html`
		<form class="row" onSubmit=${submit}>
			<label>Who will carry it<select name="coach" required>${(coaches ?? []).map((one) => html`
				<option value=${one.id}>${one.name}</option>`)}</select></label>
			<button type="submit" ref=${button} class="primary" disabled=${busy || !coaches}>${label}</button>
		</form>
		${coaches?.length === 0 && html`<p class="empty">No coach is here yet.${' '}
			<a href="#/people">Invite one</a> first.</p>`}
		<${Trouble} problem=${problem} />`;
}

export function Boxes({ me }) {
	const [list, problem, reload] = useLoad(boxes, [me.id]);
	const [code, setCode] = useState(null);
	const [run, busy, wrong] = useChange();
	const paired = useNewBox(code, list, reload);
	const button = useRef(null);
	const waits = Boolean(code && !paired);
	const waited = useRef(waits);
	const label = paired ? 'Pair another box' : 'Pair a box';
	const pair = async (coach) => {
		const made = await run(() => pairBox(coach));

		setCode(made ? { ...made, coach } : null);
	};

	useEffect(() => {
		if (waited.current && !waits) {
			button.current?.focus();
		}
		waited.current = waits;
	}, [waits]);
	return html`
		<main id="main">
			<${Heading}>Boxes<//>
			<${Trouble} problem=${problem ?? wrong} again=${problem ? reload : null} />
			<div role="status">${paired && html`<p class="good">${paired.name} is paired.</p>`}</div>
			${waits ? html`<${Pairing} ...${code} close=${() => setCode(null)} />`
		: me.roles.includes('coach') ? html`<p><button type="button" ref=${button} class="primary"
				disabled=${busy || !list} onClick=${() => pair(me.id)}>${label}</button></p>`
			: html`<${ForWhom} pair=${pair} busy=${busy || !list} button=${button} label=${label} />`}
			${list && list.length === 0 && html`<p class="empty">No box is paired yet.</p>`}
			<ul class="cards">${(list ?? []).map((box) => html`
				<${Box} key=${box.id} box=${box} me=${me} reload=${reload} />`)}</ul>
		</main>`;
}
