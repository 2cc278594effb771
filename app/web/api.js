/*
 * The server's people's side. Every answer is JSON or nothing; what is not 2xx
 * is thrown as a Problem with a sentence that can be shown as it is.
 */
const ROOT = 'api/v1/';

/* The anti-forgery token of the session; only this page knows it. */
let token = '';

/* Called when the server says that nobody is signed in (any more). */
let signedOut = () => {};

export class Problem extends Error {
	constructor(status, word, message) {
		super(message);
		this.status = status;
		this.word = word;
	}
}

export function onSignedOut(listener) {
	signedOut = listener;
}

async function send(method, path, { json, text } = {}) {
	const headers = { Accept: 'application/json' };
	let body;

	if (json !== undefined) {
		headers['Content-Type'] = 'application/json';
		body = JSON.stringify(json);
	} else if (text !== undefined) {
		headers['Content-Type'] = 'text/plain; charset=utf-8';
		body = text;
	}
	if (method !== 'GET' && token) {
		headers['X-Chalkbox-Token'] = token;
	}
	try {
		return await fetch(ROOT + path, { method, headers, body, credentials: 'same-origin' });
	} catch {
		throw new Problem(0, 'no-answer',
			'The server does not answer. Check that you are in its network, then try again.');
	}
}

/* What is wrong with a field is said as "name: nobody has that name". */
function sentence(message) {
	const said = message?.replace(/^\w+: /, '');

	return said && said[0].toUpperCase() + said.slice(1) + (/[.?!]$/.test(said) ? '' : '.');
}

async function ask(method, path, body, { quiet = false } = {}) {
	const response = await send(method, path, body);
	let answer = null;

	try {
		const text = response.headers.has('Chalkbox-Server') ? await response.text() : '?';

		answer = text ? JSON.parse(text) : null;
	} catch {
		throw new Problem(response.status, 'no-sense',
			'Something else than Chalkbox answered. Is this network asking you to sign in first?');
	}
	if (response.ok) {
		return answer;
	}
	if (response.status === 401 && !quiet) {
		token = '';
		signedOut();
	}
	throw new Problem(response.status, answer?.error ?? 'failed',
		sentence(answer?.message) ?? `The server answered ${response.status}. Try again in a moment.`);
}

function begin(session) {
	token = session.token;
	return session.person;
}

const at = (...parts) => parts.map(encodeURIComponent).join('/');

/* Who is signed in, or null. */
export async function session() {
	try {
		return begin(await ask('GET', 'session', {}, { quiet: true }));
	} catch (problem) {
		if (problem.status === 401) {
			return null;
		}
		throw problem;
	}
}

export async function signIn(name, password) {
	return begin(await ask('POST', 'session', { json: { name, password } }, { quiet: true }));
}

export async function signOut() {
	try {
		await ask('DELETE', 'session');
	} catch (problem) {
		if (problem.word !== 'wrong-token' || await session() === null) {
			throw problem;
		}
		await ask('DELETE', 'session'); /* another tab had signed in since */
	}
	token = '';
}

export const invitation = (code) => ask('GET', at('invitations', code), {}, { quiet: true });

export async function acceptInvitation(code, answer) {
	return begin(await ask('POST', at('invitations', code), { json: answer }, { quiet: true }));
}

/* Another password; whoever else is signed in with this name is signed out. */
export async function changePassword(old, password) {
	return begin(await ask('PUT', 'password', { json: { old, new: password } }));
}

/* A list comes under its name. */
const list = async (path) => (await ask('GET', path))[path];

export const people = () => list('people');
export const invite = (name, roles) => ask('POST', 'people', { json: { name, roles } });
export const inviteAgain = (id) => ask('POST', at('people', id, 'invitation'));
export const changePerson = (id, change) => ask('PATCH', at('people', id), { json: change });

export const boxes = () => list('boxes');
export const pairBox = (coach) => ask('POST', 'boxes', { json: { coach } });
export const changeBox = (id, change) => ask('PATCH', at('boxes', id), { json: change });

export const observations = () => list('observations');
export const observation = (id) => ask('GET', at('observations', id));
export const changeObservation = (id, change) =>
	ask('PATCH', at('observations', id), { json: change });
export const timeline = (id) => ask('GET', at('observations', id, 'timeline'));

export const looks = async (id) => (await ask('GET', at('observations', id, 'looks'))).looks;

export const guests = async (id) => (await ask('GET', at('observations', id, 'guests'))).guests;
export const letSee = (id, name) =>
	ask('POST', at('observations', id, 'guests'), { json: { name } });
export const letNotSee = (id, person) => ask('DELETE', at('observations', id, 'guests', person));

export const plans = () => list('plans');
export const plan = (what) => ask('POST', 'plans', { json: what });
export const dropPlan = (id) => ask('DELETE', at('plans', id));

export const audioPath = (observation, seq, asWav) =>
	`${ROOT}${at('audio', observation, String(seq))}${asWav ? '?as=wav' : ''}`;
export const withdraw = (observation, seq) =>
	ask('DELETE', at('audio', observation, String(seq)));

export const checkScheme = (text) => ask('POST', 'schemes/check', { text });
export const site = () => ask('GET', 'site');
export const changeSite = (rules) => ask('PUT', 'site', { json: rules });
