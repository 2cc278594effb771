/* Waveforms and the loudness ribbon as SVG paths. Pure. */

/* The highest of values[i] for i in [from, to), which are fractions of an index. */
function highest(values, from, to) {
	const end = Math.min(values.length, Math.max(Math.ceil(to), Math.floor(from) + 1));
	let most = null;

	for (let i = Math.max(0, Math.floor(from)); i < end; i++) {
		if (values[i] !== null && (most === null || values[i] > most)) {
			most = values[i];
		}
	}
	return most;
}

/* Their mean; null where all of them are. */
function mean(values, from, to) {
	const end = Math.min(values.length, Math.max(Math.ceil(to), Math.floor(from) + 1));
	let sum = 0;
	let n = 0;

	for (let i = Math.max(0, Math.floor(from)); i < end; i++) {
		if (values[i] !== null) {
			sum += values[i];
			n++;
		}
	}
	return n ? sum / n : null;
}

/*
 * Bars of a snippet's sound between lesson times @from and @to, over @width
 * pixels around a middle line at @middle, at most @height to each side: a bar
 * each @step pixels, so that it reads as a drawing and not as a smear.
 */
export function wavePath(snippet, from, to, width, middle, height, step = 3) {
	const { values, step: each } = snippet.peaks;
	const perPixel = (to - from) / width / (each || 1);
	const first = (from - snippet.from) / (each || 1);
	const top = values.reduce((a, b) => Math.max(a, b), 40);
	let path = '';

	for (let x = 0; x < width; x += step) {
		const peak = highest(values, first + x * perPixel, first + (x + step) * perPixel) ?? 0;
		const half = Math.max(0.6, Math.sqrt(peak / top) * height);

		path += `M${(x + step / 2).toFixed(1)} ${(middle - half).toFixed(1)}v${(2 * half).toFixed(1)}`;
	}
	return path;
}

const QUIET_DB = -65;
const LOUD_DB = -12;

/*
 * The loudness as a filled ribbon standing on @height; nothing where nothing was
 * heard. @scale is pixels a second.
 */
export function ribbonPath(loudness, scale, width, height, step = 2) {
	const { values, step: each } = loudness;
	let path = '';
	let open = -1;

	for (let x = 0; x <= width; x += step) {
		const db = mean(values, x / scale / each, (x + step) / scale / each);

		if (db === null) {
			path += open >= 0 ? `V${height}H${open}z` : '';
			open = -1;
			continue;
		}
		const part = Math.min(Math.max((db - QUIET_DB) / (LOUD_DB - QUIET_DB), 0.03), 1);
		const y = (height - part * (height - 2)).toFixed(1);

		path += open < 0 ? `M${x} ${height}V${y}` : `L${x} ${y}`;
		open = open < 0 ? x : open;
	}
	return path + (open >= 0 ? `V${height}H${open}z` : '');
}

/* Minutes for the ruler: the finest step whose labels have room. */
export function ticks(length, scale) {
	const steps = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
	const step = steps.find((s) => s * scale >= 64) ?? 7200;
	const list = [];

	for (let t = 0; t <= length + 1e-6; t += step) {
		list.push(t);
	}
	return { step, list };
}
