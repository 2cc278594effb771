/* Whom the teacher lets see an observation, besides the coach who made it. */
import { guests, letNotSee, letSee } from '../api.js';
import { html } from '../html.js';
import { and, shortDay } from '../words.js';
import { Trouble, useChange, useLoad } from './parts.js';

export function Guests({ id }) {
	const [list, problem, reload] = useLoad(() => guests(id), [id]);
	const [run, busy, wrong] = useChange();
	const submit = async (event) => {
		event.preventDefault();
		const form = event.target;
		const done = await run(() => letSee(id, new FormData(form).get('name').trim()));

		if (done) {
			form.reset();
			reload();
		}
	};
	const remove = async (person) => {
		await run(() => letNotSee(id, person));
		reload();
	};

	return html`
		<section aria-labelledby="guests-title" class="no-print">
			<h2 id="guests-title">Let somebody else see it</h2>
			<p class="quiet">Your coach sees this observation, and whom you name here: a colleague, or
				another coach. You can end that at any time.</p>
			${list && list.length > 0 && html`<ul class="looks">${list.map((guest) => html`
				<li><b>${guest.name}</b> ${and(guest.roles)}, since ${shortDay(guest.since)}
					<button type="button" class="small" disabled=${busy} onClick=${() => remove(guest.id)}>
						No more<span class="visually-hidden"> for ${guest.name}</span></button></li>`)}</ul>`}
			<form class="row" onSubmit=${submit}>
				<label>Their name, as they sign in<input name="name" required maxlength="100"
					autocomplete="off" /></label>
				<button type="submit" disabled=${busy}>Let them see it</button>
			</form>
			<${Trouble} problem=${problem ?? wrong} />
		</section>`;
}
