/* The signs of events: shape says what it is, colour says it again. */
import { html } from '../html.js';

/* @level is the number in a sample's square; @r half the size. */
export function Sign({ sign, hue, level = 0, r = 7, x = 0, y = 0, undone = false }) {
	const at = `translate(${x} ${y})`;
	const name = `sign hue${hue}${undone ? ' undone' : ''}`;
	let shape;

	switch (sign) {
	case 'diamond':
		shape = html`<path d=${`M0 ${-r * 1.2}L${r * 1.2} 0 0 ${r * 1.2} ${-r * 1.2} 0z`} />`;
		break;
	case 'triangle':
		shape = html`<path d=${`M0 ${-r * 1.1}L${r * 1.15} ${r * 0.9}H${-r * 1.15}z`} />`;
		break;
	case 'level':
		shape = html`
			<rect x=${-r} y=${-r} width=${2 * r} height=${2 * r} rx="3" />
			<text y=${r * 0.58} font-size=${r * 1.7}>${level || '?'}</text>`;
		break;
	case 'asked': /* a reminder to look: hollow until it was answered */
	case 'missed':
		return html`<path class=${`asked${sign === 'missed' ? ' missed' : ''}`} transform=${at}
			d=${`M${-r * 0.8} ${-r * 0.5}H${r * 0.8}L0 ${r * 0.7}z`} />`;
	case 'bar':
		shape = html`<rect x=${-r * 1.4} y=${-r * 0.6} width=${r * 2.8} height=${r * 1.2}
			rx=${r * 0.6} />`;
		break;
	default:
		shape = html`<circle r=${r} />`;
	}
	return html`<g class=${name} transform=${at}>${shape}</g>`;
}

/* One sign by itself, in running text; the words beside it say the same. */
export function Chip(props) {
	return html`<svg class="chip" width="20" height="20" viewBox="-10 -10 20 20"
		aria-hidden="true"><${Sign} ...${props} /></svg>`;
}
