/* Where we are in the lesson: a slider across all lanes. Moves without drawing. */
import { html, useEffect, useRef } from '../html.js';
import { spoken } from '../words.js';
import { audible, nameOf, snippetAt } from './events.js';

const STEP_S = 5;
const PAGE_S = 10;

/* "2 minutes 5 seconds, Questioning, open, sound kept" */
function valueText(time, { timeline, shown, codes }) {
	const near = shown.findLast((event) =>
		event.time <= time + 0.5 && time <= (event.end ?? event.time) + 2);
	const code = near && codes.find((one) => one.name === near.code);
	const snippet = snippetAt(timeline.snippets, time);

	return [
		`${spoken(time)} of ${spoken(timeline.length)}`,
		code && nameOf(near, code),
		snippet && audible(snippet) ? 'sound kept' : 'no sound',
	].filter(Boolean).join(', ');
}

/* The keys of a slider; true when the key was one. */
export function seekKey(player, key) {
	const to = {
		ArrowRight: player.time + STEP_S, ArrowUp: player.time + STEP_S,
		ArrowLeft: player.time - STEP_S, ArrowDown: player.time - STEP_S,
		PageUp: player.time + PAGE_S, PageDown: player.time - PAGE_S,
		Home: 0, End: player.length,
	}[key];

	if (to !== undefined) {
		player.seek(to);
	}
	return to !== undefined;
}

export function Playhead(props) {
	const { player, timeline, geometry } = props;
	const ref = useRef(null);

	useEffect(() => {
		let said = -1;
		const place = (time) => {
			const head = ref.current;

			head.style.transform = `translateX(${geometry.x(time)}px)`;
			if (Math.floor(time) !== said) {
				said = Math.floor(time);
				head.setAttribute('aria-valuenow', String(Math.max(0, said)));
				head.setAttribute('aria-valuetext', valueText(time, props));
			}
		};

		place(player.time);
		player.moved.add(place);
		return () => player.moved.delete(place);
	}, [player, geometry, props.shown]);

	const drag = (down) => {
		const head = ref.current;
		const left = head.parentNode.getBoundingClientRect().left;
		const move = (event) => player.seek(geometry.time(event.clientX - left));
		const up = () => {
			head.removeEventListener('pointermove', move);
			head.removeEventListener('pointerup', up);
			head.removeEventListener('pointercancel', up);
		};

		down.preventDefault();
		head.focus();
		head.setPointerCapture(down.pointerId);
		head.addEventListener('pointermove', move);
		head.addEventListener('pointerup', up);
		head.addEventListener('pointercancel', up);
	};
	const onKeyDown = (press) => {
		if (!press.ctrlKey && !press.altKey && !press.metaKey && seekKey(player, press.key)) {
			press.preventDefault();
			press.stopPropagation();
		}
	};

	return html`
		<div class="track">
			<div ref=${ref} class="playhead" role="slider" tabindex="0" aria-label="Place in the lesson"
				aria-valuemin="0" aria-valuemax=${Math.ceil(timeline.length)}
				onPointerDown=${drag} onKeyDown=${onKeyDown}></div>
		</div>`;
}
