/* What several pages are made of. */
import { people } from '../api.js';
import { html, useEffect, useRef, useState } from '../html.js';

/* The page's heading; a new page begins there for the keyboard and for ears. */
export function Heading({ children, kicker }) {
	const ref = useRef(null);

	useEffect(() => ref.current?.focus({ preventScroll: true }), []);
	return html`
		<header class="heading">
			${kicker && html`<p class="kicker">${kicker}</p>`}
			<h1 ref=${ref} tabindex="-1">${children}</h1>
		</header>`;
}

export const Trouble = ({ problem, again }) => problem && html`
	<div class="trouble" role="alert"><p>${problem.message}</p>
		${again && html`<button type="button" onClick=${again}>Try again</button>`}</div>`;

/* What the server gives, loaded at once: [value, problem, reload, setValue]. */
export function useLoad(load, inputs = []) {
	const [state, setState] = useState({ value: null, problem: null });
	const turn = useRef(0);
	const reload = async () => {
		const mine = ++turn.current;

		try {
			const value = await load();

			if (mine === turn.current) {
				setState({ value, problem: null });
			}
		} catch (problem) {
			if (mine === turn.current) {
				setState((old) => ({ ...old, problem }));
			}
		}
	};

	useEffect(() => {
		reload();
		return () => {
			turn.current++;
		};
	}, inputs);
	return [state.value, state.problem, reload, (value) => setState({ value, problem: null })];
}

/* Runs one change at a time: [run, busy, problem, clear]. */
export function useChange() {
	const [busy, setBusy] = useState(false);
	const [problem, setProblem] = useState(null);
	const run = async (change) => {
		setBusy(true);
		setProblem(null);
		try {
			return await change();
		} catch (wrong) {
			setProblem(wrong);
			return undefined;
		} finally {
			setBusy(false);
		}
	};

	return [run, busy, problem, () => setProblem(null)];
}

/* Who is here in that role, for a choice: [list or null, problem]. */
export function useThose(role) {
	const [list, problem] = useLoad(people);

	return [list && list.filter((one) => one.roles.includes(role) && !one.revoked), problem];
}

export const NoTeachers = () => html`
	<p class="empty">No teacher is here yet. <a href="#/people">Invite one</a> first.</p>`;

/* A question before something that cannot be undone. */
export function Ask({ title, children, yes, onYes, onNo, busy }) {
	const ref = useRef(null);

	useEffect(() => {
		ref.current.showModal();
	}, []);
	return html`
		<dialog ref=${ref} aria-labelledby="ask-title" onCancel=${(event) => {
		event.preventDefault();
		onNo();
	}}>
			<h2 id="ask-title">${title}</h2>
			${children}
			<div class="buttons">
				<button type="button" class="danger" disabled=${busy} onClick=${onYes}>${yes}</button>
				<button type="button" autofocus onClick=${onNo}>Keep it</button>
			</div>
		</dialog>`;
}

/* Something to type or hand on, all of it in sight, with a button that copies it. */
export function HandOn({ text, label }) {
	const [done, setDone] = useState(false);
	const ref = useRef(null);
	const words = text.split(' ').flatMap((word, i) => [i ? ' ' : '', html`<span>${word}</span>`]);
	const select = () => getSelection().selectAllChildren(ref.current);
	const copy = async () => {
		select();
		try {
			await navigator.clipboard.writeText(text);
			setDone(true);
		} catch {
			setDone(false); /* it is selected: Ctrl-C is left */
		}
	};

	return html`
		<div class="hand-on">
			<p>${label}</p>
			<pre ref=${ref} tabindex="0" role="textbox" aria-readonly="true" aria-label=${label}
				onFocus=${select}>${words}</pre>
			<button type="button" onClick=${copy}>${done ? 'Copied' : 'Copy'}</button>
		</div>`;
}

const PASSWORD_LEAST = 10;

/* A new password, typed twice. */
export function NewPassword({ label, differs }) {
	return html`
		<label>${label}
			<input name="password" type="password" autocomplete="new-password" required
				minlength=${PASSWORD_LEAST} aria-describedby="password-hint" /></label>
		<p class="hint" id="password-hint">At least ${PASSWORD_LEAST} characters. A few words
			in a row are good, and easy to keep in mind.</p>
		<label>Once more
			<input name="again" type="password" autocomplete="new-password" required
				aria-invalid=${differs} aria-describedby=${differs ? 'again-hint' : undefined} /></label>
		${differs && html`<p class="trouble" id="again-hint" role="alert">The two are not the same.</p>`}`;
}

/* What was typed into it; null, and the second field has the focus, if it differs. */
export function passwordIn(form) {
	const { password, again } = form.elements;

	if (password.value === again.value) {
		return password.value;
	}
	again.focus();
	return null;
}
