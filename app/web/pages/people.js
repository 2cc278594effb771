/* People: who is here, inviting by a link, revoking. */
import { changePerson, invite, inviteAgain, people } from '../api.js';
import { html, useState } from '../html.js';
import { and } from '../words.js';
import { Ask, HandOn, Heading, Trouble, useChange, useLoad } from './parts.js';

const ROLES = ['administrator', 'coach', 'teacher'];

/* What somebody is here for: one thing or several. */
const Roles = ({ roles }) => html`
	<fieldset class="roles"><legend>As</legend>${ROLES.map((role) => html`
		<label class="tick"><input type="checkbox" name="role" value=${role}
			defaultChecked=${roles.includes(role)} /><span>${role}</span></label>`)}</fieldset>`;

function rolesOf(form) {
	const roles = new FormData(form).getAll('role');

	if (roles.length === 0) {
		throw new Error('Choose at least one: administrator, coach or teacher.');
	}
	return roles;
}

function Invite({ me, reload }) {
	const [run, busy, problem] = useChange();
	const [made, setMade] = useState(null);
	const mayChoose = me.roles.includes('administrator');
	const submit = async (event) => {
		event.preventDefault();
		const form = event.target;
		const name = new FormData(form).get('name').trim();
		const one = await run(async () => invite(name, mayChoose ? rolesOf(form) : ['teacher']));

		if (one) {
			setMade(one);
			form.reset();
			reload();
		}
	};

	return html`
		<section class="sheet-of-paper" aria-labelledby="invite-title">
			<h2 id="invite-title">Invite somebody</h2>
			<form class="row" onSubmit=${submit}>
				<label>Name<input name="name" required maxlength="100" autocomplete="off" /></label>
				${mayChoose && html`<${Roles} roles=${['teacher']} />`}
				<button type="submit" class="primary" disabled=${busy}>Make a link</button>
			</form>
			<${Trouble} problem=${problem} />
			${made && html`<${Link} made=${made} />`}
		</section>`;
}

const Link = ({ made }) => html`
	<div role="status">
		<${HandOn} text=${made.link} label=${`Give this link to ${made.person.name}, and to nobody else`} />
		<p class="quiet">It works once, for seven days.</p>
	</div>`;

function Person({ person, me, reload }) {
	const [asked, setAsked] = useState(false);
	const [choosing, setChoosing] = useState(false);
	const [made, setMade] = useState(null);
	const [run, busy, problem] = useChange();
	const change = async (what) => {
		const done = await run(async () => changePerson(person.id, what()));

		setAsked(false);
		setChoosing(choosing && !done);
		reload();
	};
	const choose = (event) => {
		event.preventDefault();
		change(() => ({ roles: rolesOf(event.target) }));
	};
	const again = async () => setMade(await run(() => inviteAgain(person.id)) ?? null);
	const state = person.revoked ? 'revoked' : person.joined ? '' : 'invited, not here yet';

	return html`
		<li class=${person.revoked ? 'over' : ''}>
			<span class="who"><b>${person.name}</b>${person.id === me.id ? ' (you)' : ''}</span>
			<span class="role">${and(person.roles)}</span>
			<span class="quiet">${state}</span>
			${me.roles.includes('administrator') && html`<span class="buttons">
				${!person.revoked && html`<button type="button" class="small" disabled=${busy}
					aria-expanded=${choosing} onClick=${() => setChoosing(!choosing)}>Roles<span
					class="visually-hidden"> of ${person.name}</span></button>`}
				${!person.revoked && html`<button type="button" class="small" disabled=${busy}
					onClick=${again}>New link<span class="visually-hidden"> for ${person.name}</span></button>`}
				${person.id !== me.id && html`<button type="button" class="small" disabled=${busy}
					onClick=${() => (person.revoked ? change(() => ({ revoked: false })) : setAsked(true))}>
					${person.revoked ? 'Let in again' : 'Revoke'}<span class="visually-hidden">
					${' '}${person.name}</span></button>`}</span>`}
			${choosing && html`<form class="row" onSubmit=${choose}><${Roles} roles=${person.roles} />
				<button type="submit" disabled=${busy}>Save</button>
				<button type="button" onClick=${() => setChoosing(false)}>Leave it</button></form>`}
			<${Trouble} problem=${problem} />
			${made && html`<${Link} made=${made} />`}
			${asked && html`<${Ask} title=${`Revoke ${person.name}?`} yes="Revoke" busy=${busy}
				onYes=${() => change(() => ({ revoked: true }))} onNo=${() => setAsked(false)}>
				<p>${person.name} is signed out everywhere and cannot come back in. What belongs to
					them stays theirs.</p><//>`}
		</li>`;
}

export function People({ me }) {
	const [list, problem, reload] = useLoad(people, [me.id]);

	return html`
		<main id="main">
			<${Heading}>${me.roles.includes('administrator') ? 'People' : 'Teachers'}<//>
			<${Invite} me=${me} reload=${reload} />
			<${Trouble} problem=${problem} again=${reload} />
			${list && list.length === 0 && html`<p class="empty">Nobody is here yet. Invite the first one.</p>`}
			<ul class="people">${(list ?? []).map((person) => html`
				<${Person} key=${person.id} person=${person} me=${me} reload=${reload} />`)}</ul>
		</main>`;
}
