/*
 * The lesson drawn like a score: minutes from left to right, a lane for each
 * code, below them the loudness and the sound that was kept.
 *
 * All lanes share one scale (pixels a second) inside one scroller. The signs are
 * drawn anew only when the list, the scale or the chosen event changes; the
 * playhead moves at each frame without drawing anything else.
 *
 * By keyboard each lane is one stop of the tab key; arrows walk inside.
 */
import { html, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from '../html.js';
import { clock, count, span, spoken } from '../words.js';
import { answeredOf, answerOf, audible, levelOf, signOf, spokenName, whyAway } from './events.js';
import { useMarked } from './current.js';
import { Playhead } from './playhead.js';
import { Sign } from './sign.js';
import { ribbonPath, ticks, wavePath } from './wave.js';

const LANE = 44;
const RULER = 30;
const RIBBON = 52;
const SOUND = 54;
const BAR_LEAST_PX = 16; /* a span that is too short for the scale is still seen */
const PAPER_PX = 560; /* beside the names of the lanes on A4; browsers scale it to less */
const NEAR_PX = 16; /* how far beside a sign a click still means it */

export const SILENCES = {
	gap: 'sound lost', muted: 'muted', lost: 'no microphone', off: 'sound off', full: 'not kept',
};

function Lane({ code, events, reminders, geometry, chosen, choose }) {
	const { x, width, scale } = geometry;
	const mine = useMemo(() => events.filter((event) => event.code === code.name),
		[events, code]);
	const [stop, setStop] = useState(0); /* seq of the one the tab key stops at */
	const stopAt = mine.some((event) => event.seq === stop) ? stop : mine[0]?.seq;
	const ref = useRef(null);

	const focus = (event) => {
		setStop(event.seq);
		ref.current.querySelector(`[data-seq="${event.seq}"]`)?.focus();
	};
	const onKeyDown = (press) => {
		const seq = Number(press.target.dataset?.seq);
		const i = mine.findIndex((event) => event.seq === seq);
		const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: mine.length - 1 }[press.key];

		if (i < 0 || press.ctrlKey || press.altKey || press.metaKey) {
			return;
		}
		if (to !== undefined) {
			press.preventDefault();
			press.stopPropagation();
			if (mine[to]) {
				focus(mine[to]);
			}
		} else if (press.key === 'Enter' || press.key === ' ') {
			press.preventDefault();
			press.stopPropagation();
			choose(mine[i]);
		}
	};
	const onClick = (click) => {
		const seq = Number(click.target.closest('[data-seq]')?.dataset.seq);
		const at = click.clientX - ref.current.getBoundingClientRect().left;
		let best = mine.find((event) => event.seq === seq);
		let far = best ? Infinity : NEAR_PX;

		if (click.detail === 0 && best) { /* a screen reader's click has no place */
			choose(best);
			return;
		}
		for (const event of mine) {
			const left = x(event.time);
			const right = event.end === null ? left : x(event.end);
			const away = at < left ? left - at : at > right ? at - right : 0;

			if (away < far) {
				far = away;
				best = event;
			}
		}
		if (best) {
			setStop(best.seq);
			choose(best);
		}
	};

	const marks = useMemo(() => mine.map((event) => html`
		<${Mark} key=${event.seq} event=${event} code=${code} x=${x(event.time)}
			wide=${event.end === null ? 0 : (event.end - event.time) * scale} />`), [mine, geometry]);

	const asked = useMemo(() => reminders.filter((one) => one.code === code.name),
		[reminders, code]);
	const looks = useMemo(() => asked.map((one) => html`
		<${Reminder} key=${one.seq} reminder=${one} x=${x(one.time)} />`), [asked, geometry]);

	useMarked(ref, stopAt ? `[data-seq="${stopAt}"]` : '', 'tabindex', '0', '-1', marks);
	useMarked(ref, chosen ? `[data-seq="${chosen}"]` : '', 'aria-current', 'true', undefined, marks);
	return html`
		<section class="lane" aria-label=${`${code.title}: ${count(mine.length, 'event')}${
			asked.length ? `, ${answeredOf(asked)}` : ''}`}>
			<div class=${`lane-name hue${code.hue}`}><span>${code.title}</span></div>
			<svg ref=${ref} class="lane-signs" width=${width} height=${LANE}
				onClick=${onClick} onKeyDown=${onKeyDown}>
				<line class="staff" x1="0" x2=${width} y1=${LANE / 2} y2=${LANE / 2} />
				${looks}
				${marks}
			</svg>
		</section>`;
}

/* A notch in the lane's upper edge: here the box asked its coach to look. */
function Reminder({ reminder, x }) {
	const sign = reminder.answer ? 'asked' : 'missed';

	return html`
		<g class="reminder" data-reminder=${reminder.seq} aria-hidden="true">
			<title>${`reminder to look, ${clock(reminder.time)}, ${answerOf(reminder)}`}</title>
			<line x1=${x} x2=${x} y1="8" y2=${LANE - 6} />
			<${Sign} sign=${sign} x=${x} y="6" r="6" />
		</g>`;
}

function Mark({ event, code, x, wide }) {
	const sign = signOf(event, code);
	const y = LANE / 2;
	const bar = Math.max(wide, BAR_LEAST_PX);
	const name = `mark hue${code.hue}${event.undone ? ' undone' : ''}`;

	return html`
		<g class=${name} role="button" tabindex="-1" data-seq=${event.seq}
			aria-label=${`${spokenName(event, code)}, at ${spoken(event.time)}${
				event.undone ? ', taken back' : ''}`}>
			<rect class="reach" x=${x - 12} y=${y - 14} width=${Math.max(wide, 0) + 24} height="28" rx="9" />
			${sign === 'bar' ? html`
				<rect class=${`sign hue${code.hue}`} x=${x} y=${y - 7} width=${bar} height="14" rx="7" />
				${event.modifier && html`<circle class="bead" cx=${x + 7.5} cy=${y} r="2.5" />`}
				${event.open && html`<path class="torn" d=${`M${x + bar - 5} ${y - 8}l6 4-6 4 6 4-6 4`} />`}`
		: html`<${Sign} sign=${sign} hue=${code.hue} level=${levelOf(event, code)} x=${x} y=${y} />`}
			${event.undone && html`<line class="strike" x1=${x - 11} x2=${x + Math.max(wide, 0) + 11}
				y1=${y + 5} y2=${y - 5} />`}
		</g>`;
}

function Silence({ silence, geometry, height }) {
	const left = geometry.x(silence.from);
	const wide = Math.max(geometry.x(silence.to) - left, 2);
	const word = SILENCES[silence.why] ?? silence.why;

	return html`
		<g class=${`silence ${silence.why}`}>
			<title>${`${word}, ${clock(silence.from)} to ${clock(silence.to)}`}</title>
			<rect class="blank" x=${left} y="1" width=${wide} height=${height - 2} />
			<rect class="hatch" x=${left} y="1" width=${wide} height=${height - 2}
				fill=${silence.why === 'muted' ? 'url(#muted)' : 'url(#hatched)'} />
			${wide > word.length * 7 + 12 && html`
				<text x=${left + wide / 2} y=${height / 2 + 4}>${word}</text>`}
		</g>`;
}

function Ribbon({ timeline, geometry }) {
	const { width, scale, x } = geometry;
	const path = useMemo(() => ribbonPath(timeline.loudness, scale, width, RIBBON),
		[timeline, scale, width]);

	return html`
		<section class="lane ribbon" aria-label="Loudness of the room">
			<div class="lane-name"><span>Loudness</span></div>
			<svg class="lane-signs" width=${width} height=${RIBBON} aria-hidden="true">
				<g transform=${`translate(${x(0)} 0)`}><path class="loudness" d=${path} /></g>
				${timeline.silences.map((silence) => html`
					<${Silence} silence=${silence} geometry=${geometry} height=${RIBBON} />`)}
			</svg>
		</section>`;
}

function Snippet({ snippet, geometry, play }) {
	const left = geometry.x(snippet.from);
	const wide = Math.max((snippet.to - snippet.from) * geometry.scale, 4);
	const heard = audible(snippet);
	const path = useMemo(() => heard
		? wavePath(snippet, snippet.from, snippet.to, wide, SOUND / 2, SOUND / 2 - 9) : '',
	[snippet, wide, heard]);
	const state = heard ? '' : snippet.withdrawn ? ' withdrawn' : ' away';
	const word = heard ? '' : whyAway(snippet);
	const begin = (press) => {
		if (press.key === 'Enter' || press.key === ' ') {
			press.preventDefault();
			press.stopPropagation();
			play(snippet.from);
		}
	};

	return html`
		<g class=${`snippet${state}`} role=${heard ? 'button' : 'img'} tabindex=${heard ? 0 : undefined}
			onKeyDown=${heard ? begin : undefined}
			onClick=${heard ? (click) => (click.detail === 0 ? play(snippet.from) : undefined) : undefined}
			aria-label=${`Sound from ${spoken(snippet.from)}, ${span(snippet.to - snippet.from)}${
				heard ? '' : `, ${word}`}`}>
			<rect class="paper" x=${left} y="4" width=${wide} height=${SOUND - 8} rx="6" />
			<path class="wave" transform=${`translate(${left} 0)`} d=${path} />
			${!heard && wide > 80 && html`<text x=${left + wide / 2} y=${SOUND / 2 + 4}>${word}</text>`}
			${!snippet.complete && html`<path class="torn"
				d=${`M${left + wide - 3} 6l5 7-5 7 5 7-5 7 5 7-5 7`} />`}
		</g>`;
}

function Sound({ timeline, geometry, play }) {
	const { width, time } = geometry;
	const ref = useRef(null);
	const onClick = (click) => {
		if (click.detail !== 0) {
			play(time(click.clientX - ref.current.getBoundingClientRect().left));
		}
	};

	return html`
		<section class="lane sound" aria-label=${`Sound: ${timeline.snippets.length} snippets kept`}>
			<div class="lane-name"><span>Sound kept</span></div>
			<svg ref=${ref} class="lane-signs" width=${width} height=${SOUND} onClick=${onClick}>
				<line class="staff" x1="0" x2=${width} y1=${SOUND / 2} y2=${SOUND / 2} />
				${timeline.silences.map((silence) => html`
					<${Silence} silence=${silence} geometry=${geometry} height=${SOUND} />`)}
				${timeline.snippets.map((snippet) => html`<${Snippet} key=${snippet.seq}
					snippet=${snippet} geometry=${geometry} play=${play} />`)}
			</svg>
		</section>`;
}

function Ruler({ geometry, length, seek }) {
	const { width, scale, x, time } = geometry;
	const { step, list } = ticks(length, scale);
	const ref = useRef(null);

	return html`
		<div class="lane ruler">
			<div class="lane-name" aria-hidden="true"></div>
			<svg ref=${ref} class="lane-signs" width=${width} height=${RULER} aria-hidden="true"
				onClick=${(click) =>
		seek(time(click.clientX - ref.current.getBoundingClientRect().left))}>
				${list.map((t) => html`
					<line class="tick" x1=${x(t)} x2=${x(t)} y1=${RULER - 7} y2=${RULER} />
					<text x=${t === 0 ? x(t) + 10 : x(t)} y=${RULER - 11} text-anchor=${t === 0 ? 'start' : 'middle'}>
						${step % 60 ? clock(t) : `${t / 60}${t === 0 ? ' min' : ''}`}</text>`)}
			</svg>
		</div>`;
}

function geometryOf(timeline, room, minutes) {
	const first = Math.min(0, ...timeline.snippets.map((snippet) => snippet.from));
	const last = Math.max(timeline.length, 1,
		...timeline.snippets.map((snippet) => snippet.to));
	const margin = 12;
	const fit = (room - 2 * margin) / (last - first);
	const scale = minutes ? Math.max(fit, room / (minutes * 60)) : fit;

	return {
		scale,
		width: Math.ceil((last - first) * scale + 2 * margin),
		x: (t) => Math.round(((t - first) * scale + margin) * 10) / 10,
		time: (x) => Math.min(Math.max((x - margin) / scale + first, first), last),
	};
}

/* Whether it is drawn for paper: nobody can scroll there. */
function usePaper() {
	const [paper, setPaper] = useState(false);

	useLayoutEffect(() => {
		const print = matchMedia('print');
		const begin = () => setPaper(true);
		const look = () => setPaper(print.matches);

		look();
		addEventListener('beforeprint', begin);
		addEventListener('afterprint', look);
		print.addEventListener('change', look);
		return () => {
			removeEventListener('beforeprint', begin);
			removeEventListener('afterprint', look);
			print.removeEventListener('change', look);
		};
	}, []);
	return paper;
}

/*
 * @minutes is how much of the lesson one screen shows, 0 for all of it; a sheet of
 * paper shows all of it.
 */
export function Score({ timeline, codes, shown, reminders, player, chosen, choose, minutes }) {
	const scroller = useRef(null);
	const [room, setRoom] = useState(0);
	const paper = usePaper();

	useLayoutEffect(() => {
		const measure = () => {
			const box = scroller.current;
			const gutter = box.querySelector('.ruler .lane-name').offsetWidth;

			setRoom(Math.max(240, box.clientWidth - gutter));
		};
		const observer = new ResizeObserver(measure);

		measure();
		observer.observe(scroller.current);
		return () => observer.disconnect();
	}, []);

	const geometry = useMemo(() => (paper ? geometryOf(timeline, PAPER_PX, 0)
		: geometryOf(timeline, room || 800, minutes)), [timeline, room, minutes, paper]);
	const play = useCallback((time) => player.playAt(time), [player]);
	const seek = useCallback((time) => player.seek(time), [player]);
	const ribbon = useMemo(() => html`<${Ribbon} timeline=${timeline} geometry=${geometry} />`,
		[timeline, geometry]);
	const sound = useMemo(() => html`
		<${Sound} timeline=${timeline} geometry=${geometry} play=${play} />`,
	[timeline, geometry, play]);
	const ruler = useMemo(() => html`
		<${Ruler} geometry=${geometry} length=${timeline.length} seek=${seek} />`,
	[timeline, geometry, seek]);
	const lanes = useMemo(() => codes.map((code) => html`<${Lane} key=${code.name} code=${code}
		events=${shown} reminders=${reminders} geometry=${geometry} chosen=${chosen}
		choose=${choose} />`),
	[codes, shown, reminders, geometry, chosen, choose]);

	useEffect(() => { /* what is played or chosen is in sight */
		const box = scroller.current;
		const keep = (time) => {
			const gutter = box.querySelector('.ruler .lane-name').offsetWidth;
			const at = geometry.x(time) - box.scrollLeft;
			const wide = box.clientWidth - gutter;

			if (geometry.width > wide && (at < 20 || at > wide - 40)) {
				box.scrollLeft = geometry.x(time) - wide / 4;
			}
		};

		keep(player.time);
		player.moved.add(keep);
		return () => player.moved.delete(keep);
	}, [player, geometry]);

	return html`
		<div class="score" ref=${scroller}>
			<svg class="patterns" width="0" height="0" aria-hidden="true">
				<pattern id="hatched" width="7" height="7" patternUnits="userSpaceOnUse"
					patternTransform="rotate(45)"><line x1="0" y1="0" x2="0" y2="7" /></pattern>
				<pattern id="muted" width="7" height="7" patternUnits="userSpaceOnUse"
					patternTransform="rotate(45)"><path d="M0 0V7M0 0H7" /></pattern>
			</svg>
			<div class="sheet">
				${ruler}
				${room > 0 && [lanes, ribbon, sound]}
				<${Playhead} player=${player} timeline=${timeline} geometry=${geometry} shown=${shown}
					codes=${codes} />
			</div>
		</div>`;
}
