/* Sign in; and the first visit, which begins with an invitation. */
import { acceptInvitation, invitation, signIn } from '../api.js';
import { html, useState } from '../html.js';
import { and } from '../words.js';
import { Heading, NewPassword, passwordIn, Trouble, useChange, useLoad } from './parts.js';

export function SignIn({ enter }) {
	const [run, busy, problem] = useChange();
	const submit = async (event) => {
		event.preventDefault();
		const form = new FormData(event.target);
		const person = await run(() => signIn(form.get('name').trim(), form.get('password')));

		if (person) {
			enter(person);
		}
	};

	return html`
		<main class="door" id="main">
			<${Heading} kicker="Chalkbox">Welcome back<//>
			<form onSubmit=${submit}>
				<label>Name<input name="name" autocomplete="username" required autocapitalize="none" /></label>
				<label>Password<input name="password" type="password" autocomplete="current-password"
					required /></label>
				<${Trouble} problem=${problem} />
				<button type="submit" class="primary" disabled=${busy}>Sign in</button>
			</form>
			<p class="quiet">No account yet, or the password is lost? Ask your coach or the
				administrator of this server for an invitation.</p>
		</main>`;
}

const PROMISES = {
	teacher: [
		'Your observations belong to you. Your coach sees them, and whom you let; nobody else.',
		'You can see who looked, and when.',
		'You can withdraw any sound; it is then deleted.',
		'Nothing here is a grade.',
	],
	coach: [
		'An observation belongs to its teacher; you see those you made.',
		'Your box keeps only the seconds around your presses.',
	],
	administrator: [
		'You look after people, boxes and rules.',
		'As administrator you see no observations: those belong to teachers and their coaches.',
	],
};

export function Welcome({ code, enter }) {
	const [offer, lost, again] = useLoad(() => invitation(code), [code]);
	const [run, busy, problem] = useChange();
	const [differs, setDiffers] = useState(false);
	const [coach, setCoach] = useState(false); /* the first administrator is one too */
	const submit = async (event) => {
		event.preventDefault();
		const form = new FormData(event.target);
		const password = passwordIn(event.target);

		setDiffers(password === null);
		if (password === null) {
			return;
		}
		const first = offer.first && { name: form.get('username').trim(), coach };
		const person = await run(() => acceptInvitation(code, { password, ...first }));

		if (person) {
			enter(person);
		}
	};

	if (lost && (lost.status < 400 || lost.status >= 500 || lost.status === 429)) {
		return html`<main class="door" id="main"><${Heading}>Chalkbox<//>
			<${Trouble} problem=${lost} again=${again} /></main>`;
	}
	if (lost) {
		return html`
			<main class="door" id="main">
				<${Heading} kicker="Chalkbox">This invitation is over<//>
				<p>${lost.message}</p>
				<p><a href="#/sign-in">Sign in</a> if you have a password already.</p>
			</main>`;
	}
	if (!offer) {
		return html`<main class="door" id="main" aria-busy="true"></main>`;
	}
	const roles = coach ? [...offer.roles, 'coach'] : offer.roles;

	return html`
		<main class="door" id="main">
			<${Heading} kicker=${offer.server ?? 'Chalkbox'}>Welcome${offer.first ? '' : `, ${offer.name}`}<//>
			<p>${offer.first ? 'You are the first here, and its administrator.'
		: `You are invited as ${roles[0] === 'administrator' ? 'an' : 'a'} ${and(roles)}.`}</p>
			<ul class="promises">${roles.flatMap((role) => PROMISES[role] ?? []).map((line) =>
		html`<li>${line}</li>`)}</ul>
			<form onSubmit=${submit}>
				${offer.first ? html`
					<label>Your name, as others see it<input name="username" autocomplete="username"
						required maxlength="100" /></label>
					<label class="tick"><input name="coach" type="checkbox" checked=${coach}
						onChange=${() => setCoach(!coach)} /><span>I also observe lessons,
						as a coach</span></label>`
		: html`<input type="text" name="username" value=${offer.name} autocomplete="username" hidden />`}
				<${NewPassword} label="Choose a password" differs=${differs} />
				<${Trouble} problem=${problem} />
				<button type="submit" class="primary" disabled=${busy}>Come in</button>
			</form>
		</main>`;
}
