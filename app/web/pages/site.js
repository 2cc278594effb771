/* The site's rules: the coding scheme of its boxes, checked while it is typed. */
import { changeSite, checkScheme, site } from '../api.js';
import { html, useEffect, useRef, useState } from '../html.js';
import { Heading, Trouble, useChange, useLoad } from './parts.js';

const PAUSE_MS = 300;

/* What the server says of the text, a moment after the last key. */
function useCheck(text) {
	const [verdict, setVerdict] = useState(null);

	useEffect(() => {
		let current = true;
		const timer = setTimeout(async () => {
			let said = null;

			try {
				said = text.trim() === '' ? null : await checkScheme(text);
			} catch (problem) {
				said = { ok: false, message: problem.message, line: null };
			}
			if (current) {
				setVerdict(said);
			}
		}, PAUSE_MS);

		return () => {
			current = false;
			clearTimeout(timer);
		};
	}, [text]);
	return verdict;
}

/* The place of a line in a text: [begin, end]. */
function lineAt(text, line) {
	let begin = 0;

	for (let i = 1; i < line; i++) {
		begin = text.indexOf('\n', begin) + 1;
	}
	const end = text.indexOf('\n', begin);

	return [begin, end < 0 ? text.length : end];
}

const GESTURES = {
	point: (code) => ['tap', code.double && `twice: ${code.double}`, code.hold && `held: ${code.hold}`],
	state: () => ['press: begins', 'again: ends'],
	held: () => ['as long as it is held'],
	sample: (code) => (code.levels ?? []).map((level, i) => `${i + 1}×: ${level}`),
	undo: () => ['takes back the last event'],
	lesson: () => ['press: start', 'hold: end'],
	mute: () => ['closes the microphone, opens it again'],
};

function Preview({ scheme }) {
	return html`
		<table class="preview"><caption>${scheme.title || scheme.name}</caption>
			<thead><tr><th scope="col">Button</th><th scope="col">Code</th><th scope="col">Presses</th>
				<th scope="col">Sound kept</th></tr></thead>
			<tbody>${scheme.codes.map((code) => html`
				<tr><td><kbd>${code.button}</kbd></td><th scope="row">${code.title || code.name}</th>
					<td>${(GESTURES[code.kind]?.(code) ?? []).filter(Boolean).join(' · ')}${
		code.cue > 0 ? ` · a reminder every ${code.cue} s` : ''}</td>
					<td>${['undo', 'lesson', 'mute'].includes(code.kind) ? ''
		: code.before || code.after ? `${code.before} s before, ${code.after} s after` : 'none'}</td></tr>`)}
			</tbody></table>`;
}

function Verdict({ verdict, goTo }) {
	if (!verdict) {
		return null;
	}
	if (verdict.ok) {
		return html`<p class="good">This scheme is good.</p>`;
	}
	return html`<p class="trouble">${verdict.line && html`
		<button type="button" class="small" onClick=${() => goTo(verdict.line)}>Line ${verdict.line}</button> `}
		${verdict.message}</p>`;
}

function Rules({ rules, setRules }) {
	const [text, setText] = useState(rules.scheme ?? '');
	const [saved, setSaved] = useState(false);
	const [run, busy, problem] = useChange();
	const verdict = useCheck(text);
	const area = useRef(null);
	const bad = verdict !== null && !verdict.ok;
	const goTo = (line) => {
		const [begin, end] = lineAt(text, line);

		area.current.focus();
		area.current.setSelectionRange(begin, end);
		area.current.scrollTop = (line - 4) * parseFloat(getComputedStyle(area.current).lineHeight);
	};
	const submit = async (event) => {
		event.preventDefault();
		const form = new FormData(event.target);
		const now = await run(() => changeSite({
			scheme: text.trim() === '' ? null : text,
			days_on_box: Number(form.get('box')),
			days_on_server: Number(form.get('server')),
		}));

		if (now) {
			setRules(now);
			setSaved(true);
		}
	};
	const begin = async () => {
		setSaved(false);
		setText(await (await fetch('default.txt')).text());
	};

	return html`
		<form onSubmit=${submit} onInput=${() => setSaved(false)}>
			<section aria-labelledby="scheme-title">
				<h2 id="scheme-title">Coding scheme</h2>
				<p>What the buttons of all boxes mean. Boxes take it over at their next sync; lessons that
					were observed before keep the scheme they were observed with.</p>
				${text === '' && html`<p class="empty">Each box keeps its own scheme now.
					${' '}<button type="button" class="small" onClick=${begin}>Begin with the usual one</button></p>`}
				<label>The scheme's text
					<textarea ref=${area} rows=${text === '' ? 5 : 24} spellcheck="false" wrap="off" value=${text}
						aria-invalid=${bad} aria-describedby="verdict"
						onInput=${(event) => setText(event.target.value)}></textarea></label>
				<div id="verdict" role="status"><${Verdict} verdict=${verdict} goTo=${goTo} /></div>
				${verdict?.ok && html`<div class="scroll-x" tabindex="0" role="region"
					aria-label="What the buttons mean"><${Preview} scheme=${verdict.scheme} /></div>`}
			</section>
			<section aria-labelledby="keep-title">
				<h2 id="keep-title">How long sound is kept</h2>
				<div class="row">
					<label>Days on the box, once the server has it
						<input name="box" type="number" min="0" max="3650" required defaultValue=${rules.days_on_box} /></label>
					<label>Days on the server, 0 for as long as there is room
						<input name="server" type="number" min="0" max="3650" required
							defaultValue=${rules.days_on_server} /></label>
				</div>
				<p class="quiet">Events and counts stay; it is the sound that goes.</p>
			</section>
			<${Trouble} problem=${problem} />
			<p class="save"><button type="submit" class="primary" disabled=${busy || bad}>Save</button>
				<span role="status">${saved ? ' Saved.' : ''}</span></p>
		</form>`;
}

export function Site() {
	const [rules, problem, again, setRules] = useLoad(site);

	return html`
		<main id="main">
			<${Heading}>Site<//>
			<${Trouble} problem=${problem} again=${again} />
			${rules && html`<${Rules} rules=${rules} setRules=${setRules} />`}
		</main>`;
}
