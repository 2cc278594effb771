/* Preact and htm in one place: components return html`...`. */
import { h } from './vendor/preact.js';
import htm from './vendor/htm.js';

export const html = htm.bind(h);
export { Fragment, render } from './vendor/preact.js';
export {
	useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState,
} from './vendor/hooks.js';
