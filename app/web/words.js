/* How times, spans and amounts are written, and said aloud. Pure. */

const pad = (n) => String(n).padStart(2, '0');

/* Place in the lesson: "2:05", "1:02:05"; with tenths "2:05.3". */
export function clock(seconds, tenths = false) {
	const sign = seconds < 0 ? '−' : '';
	const units = tenths ? 10 : 1;
	const whole = Math.floor(Math.abs(seconds) * units + 1e-6);
	const s = Math.floor(whole / units);
	const rest = tenths ? `.${whole % 10}` : '';
	const h = Math.floor(s / 3600);
	const m = Math.floor(s / 60) % 60;

	return `${sign}${h ? `${h}:${pad(m)}` : m}:${pad(s % 60)}${rest}`;
}

const some = (n, one) => `${n} ${one}${n === 1 ? '' : 's'}`;

/* The same for a screen reader: "2 minutes 5 seconds". */
export function spoken(seconds) {
	const s = Math.floor(Math.abs(seconds) + 1e-6);
	const h = Math.floor(s / 3600);
	const m = Math.floor(s / 60) % 60;
	const parts = [];

	if (h) {
		parts.push(some(h, 'hour'));
	}
	if (m) {
		parts.push(some(m, 'minute'));
	}
	if (s % 60 || !parts.length) {
		parts.push(some(s % 60, 'second'));
	}
	return (seconds < 0 ? 'before the lesson by ' : '') + parts.join(' ');
}

/* How long: "4.2 s", "48 s", "3 min 20 s", "1 h 5 min". */
export function span(seconds) {
	if (seconds < 9.95) {
		return `${seconds.toFixed(1)} s`;
	}
	const s = Math.round(seconds);

	if (s < 60) {
		return `${s} s`;
	}
	if (s < 3600) {
		return s % 60 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${s / 60} min`;
	}
	const m = Math.round(s / 60);

	return m % 60 ? `${Math.floor(m / 60)} h ${m % 60} min` : `${m / 60} h`;
}

/* "± 2 ms", "± 3 s", "± 4 min". Never smaller than it is. */
export function plusMinus(seconds) {
	if (seconds < 1) {
		return `± ${Math.max(1, Math.ceil(seconds * 1000))} ms`;
	}
	if (seconds < 120) {
		return `± ${Math.ceil(seconds)} s`;
	}
	if (seconds < 7200) {
		return `± ${Math.ceil(seconds / 60)} min`;
	}
	return `± ${Math.ceil(seconds / 3600)} h`;
}

/* From here on people are told at first sight how uncertain a time is. */
export const UNSURE_S = 1;

const dayFormat = new Intl.DateTimeFormat('en-GB',
	{ weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
const shortFormat = new Intl.DateTimeFormat('en-GB',
	{ weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' });
const monthDayFormat = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const hourFormat = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const secondFormat = new Intl.DateTimeFormat('en-GB',
	{ hour: '2-digit', minute: '2-digit', second: '2-digit' });

export const day = (iso) => dayFormat.format(new Date(iso));
export const shortDay = (iso) => shortFormat.format(new Date(iso));
export const monthDay = (iso) => monthDayFormat.format(new Date(iso));
export const hour = (iso) => hourFormat.format(new Date(iso));
export const second = (iso) => secondFormat.format(new Date(iso));

/* "3 minutes ago", "2 days ago"; null is "never". */
export function ago(iso, now = Date.now()) {
	if (!iso) {
		return 'never';
	}
	const s = Math.max(0, (now - new Date(iso)) / 1000);

	if (s < 90) {
		return 'just now';
	}
	if (s < 5400) {
		return `${Math.round(s / 60)} minutes ago`;
	}
	if (s < 129600) {
		return `${Math.round(s / 3600)} hours ago`;
	}
	return `${Math.round(s / 86400)} days ago`;
}

/* "28.4 GB", "512 kB": what people buy cards in. */
export function bytes(n) {
	const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
	let i = 0;

	while (n >= 1000 && i < units.length - 1) {
		n /= 1000;
		i++;
	}
	return `${i === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${units[i]}`;
}

export const count = some;

const andFormat = new Intl.ListFormat('en-GB', { type: 'conjunction' });

/* "administrator and coach" */
export const and = (words) => andFormat.format(words);
