/* One's own account: who one is here, and another password. */
import { changePassword } from '../api.js';
import { html, useState } from '../html.js';
import { and } from '../words.js';
import { Heading, NewPassword, passwordIn, Trouble, useChange } from './parts.js';

export function Account({ me, enter }) {
	const [run, busy, problem] = useChange();
	const [differs, setDiffers] = useState(false);
	const [done, setDone] = useState(false);
	const submit = async (event) => {
		event.preventDefault();
		const form = event.target;
		const password = passwordIn(form);

		setDone(false);
		setDiffers(password === null);
		if (password === null) {
			return;
		}
		const person = await run(() => changePassword(form.elements.old.value, password));

		if (person) {
			form.reset();
			setDone(true);
			enter(person);
		}
	};

	return html`
		<main id="main">
			<${Heading}>My account<//>
			<p>You are signed in as <b>${me.name}</b>, ${and(me.roles)}.</p>
			<section class="sheet-of-paper narrow" aria-labelledby="password-title">
				<h2 id="password-title">Another password</h2>
				<form class="column" onSubmit=${submit} onInput=${() => setDone(false)}>
					<input type="text" name="username" value=${me.name} autocomplete="username" hidden />
					<label>The one you have now<input name="old" type="password"
						autocomplete="current-password" required /></label>
					<${NewPassword} label="The new one" differs=${differs} />
					<${Trouble} problem=${problem} />
					<button type="submit" class="primary" disabled=${busy}>Change it</button>
				</form>
				<p class="good" role="status" hidden=${!done}>Changed. Wherever else you were signed in,
					you are not any more.</p>
				<p class="quiet">Lost it? The administrator of this server can give you another link.</p>
			</section>
		</main>`;
}
