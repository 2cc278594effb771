/*
 * The player at the foot of the page: the moment that is heard, its sound close
 * up, and how it is played.
 */
import { html, useEffect, useMemo, useRef, useState } from '../html.js';
import { clock, plusMinus, second, UNSURE_S } from '../words.js';
import { audible, levelOf, nameOf, signOf, snippetAt, whyAway } from './events.js';
import { Chip, Sign } from './sign.js';
import { wavePath } from './wave.js';

const LEADS = [0, 2, 3, 5, 10, 20];
const RATES = [0.75, 1, 1.25, 1.5, 2];
const HEIGHT = 56;

const ICONS = {
	play: 'M8 5.5v13l11-6.5z',
	pause: 'M7 5h3.500v14H7zM13.500 5H17v14h-3.500z',
	next: 'M6 6v12l8.500-6zM15.500 6H18v12h-2.500z',
	previous: 'M18 6v12l-8.500-6zM6 6h2.500v12H6z',
	loop: 'M7 8h9.500l-2-2 1.200-1.200L19.800 9l-4.100 4.200-1.200-1.200 2-2.300H8.500V12H7zm10 8H7.500l2 2-1.200 1.200L4.200 15l4.100-4.200 1.200 1.200-2 2.300h8V12H17z',
};

const Icon = ({ name }) => html`<svg class="icon" width="24" height="24" viewBox="0 0 24 24"
	aria-hidden="true"><path d=${ICONS[name]} /></svg>`;

/* The snippet under the playhead close up; click to go there. */
function CloseUp({ player, snippet, shown, codes }) {
	const ref = useRef(null);
	const played = useRef(null);
	const [width, setWidth] = useState(0);
	const x = (time) => ((time - snippet.from) / (snippet.to - snippet.from)) * width;

	useEffect(() => {
		const observer = new ResizeObserver(() => setWidth(ref.current?.clientWidth ?? 0));

		observer.observe(ref.current);
		return () => observer.disconnect();
	}, []);
	useEffect(() => {
		const place = (time) => {
			const part = (time - snippet.from) / (snippet.to - snippet.from);

			played.current?.setAttribute('width', String(Math.min(Math.max(part, 0), 1) * width));
		};

		place(player.time);
		player.moved.add(place);
		return () => player.moved.delete(place);
	}, [player, snippet, width]);

	const path = useMemo(() => (width
		? wavePath(snippet, snippet.from, snippet.to, width, HEIGHT / 2, HEIGHT / 2 - 4, 4) : ''),
	[snippet, width]);
	const go = (click) => {
		const at = (click.clientX - ref.current.getBoundingClientRect().left) / width;

		player.playAt(snippet.from + at * (snippet.to - snippet.from));
	};
	const clip = `played-${snippet.seq}`;

	return html`
		<svg ref=${ref} class="close-up" height=${HEIGHT} onClick=${go} aria-hidden="true">
			<clipPath id=${clip}><rect ref=${played} height=${HEIGHT} width="0" /></clipPath>
			<path class="wave" d=${path} />
			<path class="wave played" d=${path} clip-path=${`url(#${clip})`} />
			${width > 0 && shown.filter((event) => event.snippet === snippet.number).map((event) => {
		const code = codes.find((one) => one.name === event.code);

		return html`<g key=${event.seq} class=${`pin hue${code.hue}`}>
			<line x1=${x(event.time)} x2=${x(event.time)} y1="12" y2=${HEIGHT} />
			<${Sign} sign=${signOf(event, code)} hue=${code.hue} level=${levelOf(event, code)}
				x=${x(event.time)} y="8" r="5" /></g>`;
	})}
		</svg>`;
}

function Where({ player, timeline }) {
	const ref = useRef(null);

	useEffect(() => {
		const place = (time) => {
			const text = clock(time);

			if (ref.current.textContent !== text) {
				ref.current.textContent = text;
			}
		};

		place(player.time);
		player.moved.add(place);
		return () => player.moved.delete(place);
	}, [player]);
	return html`<span class="where"><span ref=${ref} class="now"></span>
		<span class="of"> / ${clock(timeline.length)}</span></span>`;
}

function wallOf(event) {
	if (!event.wall) {
		return 'time of day unknown';
	}
	return second(event.wall) + (event.uncertainty >= UNSURE_S
		? ` ${plusMinus(event.uncertainty)}` : '');
}

/* What the playhead is at: the event it was asked for, else the last one before. */
export function momentOf(player, shown) {
	if (player.event && shown.some((event) => event.seq === player.event.seq)) {
		return player.event;
	}
	return shown.findLast((event) => event.time <= player.time
		&& player.time <= (event.end ?? event.time) + 10) ?? null;
}

export function Bar({ player, timeline, codes, shown, walk, mayWithdraw, withdraw }) {
	const moment = momentOf(player, shown);
	const code = moment && codes.find((one) => one.name === moment.code);
	const here = snippetAt(timeline.snippets, player.time);
	const snippet = player.snippet && player.time >= player.snippet.from
		&& player.time <= player.snippet.to ? player.snippet : here;
	const going = player.playing || player.waiting;
	const idle = !moment && !going && !player.problem && player.time === 0;

	return html`
		<section class=${`player${idle ? ' idle' : ''}`} aria-label="Player">
			<div class="head">
				<div class="moment" aria-live="polite">
					${moment ? html`
						<${Chip} sign=${signOf(moment, code)} hue=${code.hue} level=${levelOf(moment, code)} />
						<span class="what">${nameOf(moment, code)}</span>
						<span class="when">${clock(moment.time)} · ${wallOf(moment)}</span>`
			: html`<span class="what quiet">Choose a moment to hear it.</span>`}
					${player.problem && html`<span class="problem" role="status">${player.problem}</span>`}
				</div>
				<div class="ways">
					<button type="button" class="toggle" aria-pressed=${player.loop} title="Repeat (l)"
						onClick=${() => player.set('loop', !player.loop)}>
						<${Icon} name="loop" /><span>Repeat</span></button>
					<label title="How much is heard before a moment"><span>Lead-in</span>
						<select value=${player.lead} onChange=${(change) =>
			player.set('lead', Number(change.target.value))}>
							${LEADS.map((s) => html`<option value=${s} selected=${s === player.lead}>${s} s before</option>`)}
						</select></label>
					<label><span>Speed</span>
						<select value=${player.rate} onChange=${(change) =>
			player.set('rate', Number(change.target.value))}>
							${RATES.map((r) => html`<option value=${r} selected=${r === player.rate}>${r}×</option>`)}
						</select></label>
					${mayWithdraw && snippet && !snippet.withdrawn && html`
						<button type="button" class="plain-button" onClick=${() => withdraw(snippet)}>
							Withdraw<span class="more"> this sound</span>…</button>`}
				</div>
			</div>
			<div class="transport">
				<button type="button" class="round" aria-label="Previous event" title="Previous event (p)"
					onClick=${() => walk(-1)}><${Icon} name="previous" /></button>
				<button type="button" class="round big" aria-label=${going ? 'Pause' : 'Play'}
					title=${`${going ? 'Pause' : 'Play'} (space)`} aria-busy=${player.waiting}
					onClick=${() => player.toggle()}><${Icon} name=${going ? 'pause' : 'play'} /></button>
				<button type="button" class="round" aria-label="Next event" title="Next event (n)"
					onClick=${() => walk(1)}><${Icon} name="next" /></button>
				<${Where} player=${player} timeline=${timeline} />
			</div>
			<div class="close">
				${snippet && audible(snippet)
		? html`<${CloseUp} key=${snippet.seq} player=${player} snippet=${snippet} shown=${shown}
						codes=${codes} />`
		: html`<p class="quiet">${snippet ? `This sound is ${whyAway(snippet)}.`
			: idle ? '' : 'No sound kept here.'}</p>`}
			</div>
		</section>`;
}
