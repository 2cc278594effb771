/* Sign in; and the first visit, which begins with an invitation. */
import { acceptInvitation, invitation, signIn } from '../api.js';
import { html, useState } from '../html.js';
import { Heading, Trouble, useChange, useLoad } from './parts.js';

const PASSWORD_LEAST = 10;

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
		'You do not see observations: those belong to teachers and their coaches.',
	],
};

export function Welcome({ code, enter }) {
	const [offer, lost] = useLoad(() => invitation(code), [code]);
	const [run, busy, problem] = useChange();
	const [differs, setDiffers] = useState(false);
	const submit = async (event) => {
		event.preventDefault();
		const form = new FormData(event.target);

		if (form.get('password') !== form.get('again')) {
			setDiffers(true);
			event.target.elements.again.focus();
			return;
		}
		setDiffers(false);
		const person = await run(() => acceptInvitation(code, form.get('password')));

		if (person) {
			enter(person);
		}
	};

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
	return html`
		<main class="door" id="main">
			<${Heading} kicker=${offer.server ?? 'Chalkbox'}>Welcome, ${offer.name}<//>
			<p>You are invited as ${offer.role === 'administrator' ? 'an' : 'a'} ${offer.role}.</p>
			<ul class="promises">${(PROMISES[offer.role] ?? []).map((line) => html`<li>${line}</li>`)}</ul>
			<form onSubmit=${submit}>
				<input type="text" name="username" value=${offer.name} autocomplete="username" hidden />
				<label>Choose a password
					<input name="password" type="password" autocomplete="new-password" required
						minlength=${PASSWORD_LEAST} aria-describedby="password-hint" /></label>
				<p class="hint" id="password-hint">At least ${PASSWORD_LEAST} characters. A few words
					in a row are good, and easy to keep in mind.</p>
				<label>Once more
					<input name="again" type="password" autocomplete="new-password" required
						aria-invalid=${differs} aria-describedby=${differs ? 'again-hint' : undefined} /></label>
				${differs && html`<p class="trouble" id="again-hint" role="alert">The two are not the same.</p>`}
				<${Trouble} problem=${problem} />
				<button type="submit" class="primary" disabled=${busy}>Come in</button>
			</form>
		</main>`;
}
