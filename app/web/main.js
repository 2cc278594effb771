/*
 * Chalkbox's pages. They speak to the server they came from, and to nobody else.
 *
 *	main.js       who is signed in, which page, the frame around it
 *	api.js        the server's requests
 *	words.js      times and amounts in words
 *	health.js     what a box told of itself in words
 *	html.js       preact and htm
 *	pages/        a page each; parts.js is what they share
 *	lesson/       one observation: events.js computes, player.js plays, the rest draws
 *	style.css     paper, ink and controls; lesson.css the score; print.css for paper
 *
 * A page's address is behind the #, which browsers keep to themselves: the secret
 * of an invitation is in no request for a page. It goes to the server when its page
 * asks whom it is for, and when it is used.
 */
import { onSignedOut, session, signOut } from './api.js';
import { html, render, useEffect, useState } from './html.js';
import { Account } from './pages/account.js';
import { Boxes } from './pages/boxes.js';
import { Observation } from './pages/observation.js';
import { Observations } from './pages/observations.js';
import { OverTime } from './pages/overtime.js';
import { Heading, Trouble, useChange } from './pages/parts.js';
import { People } from './pages/people.js';
import { SignIn, Welcome } from './pages/signin.js';
import { Site } from './pages/site.js';

const EVERYBODY = ['teacher', 'coach', 'administrator'];
const PAGES = [
	{ name: '', title: 'My observations', page: Observations, roles: ['teacher', 'coach'] },
	{ name: 'boxes', title: 'Boxes', page: Boxes, roles: ['coach', 'administrator'] },
	{ name: 'people', title: 'People', page: People, roles: ['coach', 'administrator'] },
	{ name: 'site', title: 'Site', page: Site, roles: ['administrator'] },
	{ name: 'observations', title: 'An observation', page: Observation, roles: EVERYBODY, ofOne: true },
	{ name: 'over-time', title: 'Over time', page: OverTime, roles: ['teacher'], hidden: true },
	{ name: 'account', title: 'My account', page: Account, roles: EVERYBODY, hidden: true },
];
const mayOpen = (me, page) => page.roles.some((role) => me?.roles.includes(role));

function routeNow() {
	const [name = '', id = ''] = location.hash.replace(/^#\/?/, '').split('/');

	try {
		return { name, id: decodeURIComponent(id) };
	} catch {
		return { name: 'nowhere', id: '' };
	}
}

function useRoute() {
	const [route, setRoute] = useState(routeNow);

	useEffect(() => {
		const listener = () => setRoute(routeNow());

		addEventListener('hashchange', listener);
		return () => removeEventListener('hashchange', listener);
	}, []);
	return route;
}

function Frame({ me, here, leave, stays, children }) {
	const skip = (event) => {
		event.preventDefault();
		document.querySelector('#main h1')?.focus();
	};

	return html`
		<a class="skip" href="#main" onClick=${skip}>To the page</a>
		<header class="top no-print">
			<a class="brand" href="#/"><img src="icon.svg" alt="" width="28" height="28" /> Chalkbox</a>
			<nav aria-label="Pages">${PAGES.filter((one) =>
		!one.hidden && !one.ofOne && mayOpen(me, one)).map((one) => html`
				<a href=${`#/${one.name}`} aria-current=${one.name === here ? 'page' : undefined}>${
		one.name === 'people' && !me.roles.includes('administrator') ? 'Teachers' : one.title}</a>`)}</nav>
			<p class="me"><a href="#/account" title="My account"
				aria-current=${here === 'account' ? 'page' : undefined}>${me.name}</a>
				<button type="button" class="small" onClick=${leave}>Sign out</button></p>
		</header>
		<${Trouble} problem=${stays} again=${leave} />
		${children}`;
}

const Nowhere = () => html`
	<main id="main"><${Heading}>There is no such page<//>
		<p><a href="#/">To the first page</a></p></main>`;

function Chalkbox() {
	const [me, setMe] = useState(undefined); /* undefined: not known yet */
	const [problem, setProblem] = useState(null);
	const [run, , stays] = useChange();
	const route = useRoute();
	const find = () => session().then((person) => {
		setMe(person);
		setProblem(null);
	}, setProblem);

	useEffect(() => {
		onSignedOut(() => setMe(null));
		find();
	}, []);

	const enter = (person) => {
		if (route.name === 'welcome' || route.name === 'sign-in') {
			history.replaceState(null, '', '#/');
			dispatchEvent(new HashChangeEvent('hashchange'));
		}
		setMe(person);
	};
	const leave = () => run(async () => {
		try {
			await signOut();
		} catch (wrong) {
			if (wrong.status !== 401) { /* the cookie is as good as before */
				wrong.message = `You are still signed in. ${wrong.message}`;
				throw wrong;
			}
		}
		setMe(null);
		location.hash = '#/sign-in';
	});
	const first = PAGES.find((one) => mayOpen(me, one) && one.name !== 'boxes');
	const name = route.name || first?.name || '';
	const entry = PAGES.find((one) => one.name === name && mayOpen(me, one)
		&& (!one.ofOne || route.id !== ''));
	const title = route.name === 'welcome' ? 'Welcome' : me === null ? 'Sign in'
		: entry?.title ?? 'Nowhere';

	useEffect(() => {
		document.title = `${title} · Chalkbox`;
	}, [title]);

	if (route.name === 'welcome' && route.id) {
		return html`<${Welcome} key=${route.id} code=${route.id} enter=${enter} />`;
	}
	if (problem) {
		return html`<main class="door" id="main"><${Heading}>Chalkbox<//>
			<${Trouble} problem=${problem} again=${find} /></main>`;
	}
	if (me === undefined) {
		return html`<main class="door" id="main" aria-busy="true"><h1 class="visually-hidden">Chalkbox</h1></main>`;
	}
	if (me === null) {
		return html`<${SignIn} enter=${enter} />`;
	}
	if (route.name === 'sign-in') {
		location.replace('#/');
		return null;
	}
	return html`
		<${Frame} me=${me} here=${name} leave=${leave} stays=${stays}>
			${entry ? html`<${entry.page} key=${`${route.name}/${route.id}`} me=${me} id=${route.id} enter=${enter} />`
		: html`<${Nowhere} />`}
		<//>`;
}

render(html`<${Chalkbox} />`, document.getElementById('chalkbox'));
