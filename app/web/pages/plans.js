/* Visits a coach has planned: the lesson observed then becomes the teacher's by itself. */
import { dropPlan, plan, plans } from '../api.js';
import { html } from '../html.js';
import { hour, shortDay } from '../words.js';
import { NoTeachers, Trouble, useChange, useLoad, useThose } from './parts.js';

function Planned({ one, busy, drop }) {
	return html`
		<li><span><b>${one.teacher.name}</b>${one.title && `, ${one.title}`}</span>
			<span class="quiet">${shortDay(one.from)}, ${hour(one.from)}–${hour(one.to)}</span>
			${one.observation ? html`<a href=${`#/observations/${encodeURIComponent(one.observation)}`}>observed</a>`
		: html`<button type="button" class="small" disabled=${busy} onClick=${drop}>
				Drop<span class="visually-hidden"> the visit to ${one.teacher.name}</span></button>`}</li>`;
}

export function Plans() {
	const [list, problem, reload] = useLoad(plans);
	const [teachers, lost] = useThose('teacher');
	const [run, busy, wrong] = useChange();
	const submit = async (event) => {
		event.preventDefault();
		const form = event.target;
		const data = new FormData(form);
		const time = (name) => new Date(`${data.get('day')}T${data.get(name)}`).toISOString();
		const done = await run(() => plan({ title: data.get('title').trim(),
			teacher: data.get('teacher'), from: time('from'), to: time('to') }));

		if (done) {
			form.reset();
			reload();
		}
	};

	return html`
		<section aria-labelledby="plans-title" class="plans">
			<h2 id="plans-title">Planned visits</h2>
			<p class="quiet">The first lesson your box observes in that time goes to its teacher by itself,
				with that title.</p>
			${list && list.length > 0 && html`<ul>${list.map((one) => html`<${Planned} key=${one.id}
				one=${one} busy=${busy} drop=${async () => {
		await run(() => dropPlan(one.id));
		reload();
	}} />`)}</ul>`}
			<details><summary>Plan a visit</summary>
				${teachers?.length === 0 ? html`<${NoTeachers} />` : html`
				<form class="row" onSubmit=${submit}>
					<label>Teacher<select name="teacher" required>${(teachers ?? []).map((one) => html`
						<option value=${one.id}>${one.name}</option>`)}</select></label>
					<label>Title<input name="title" maxlength="200" /></label>
					<label class="short">Day<input name="day" type="date" required /></label>
					<label class="short">From<input name="from" type="time" required /></label>
					<label class="short">To<input name="to" type="time" required /></label>
					<button type="submit" disabled=${busy || !teachers}>Plan it</button>
				</form>`}
			</details>
			<${Trouble} problem=${problem ?? lost ?? wrong} />
		</section>`;
}
