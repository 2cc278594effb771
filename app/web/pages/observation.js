/*
 * One observation: the lesson as a score, the sound of its moments, what was
 * counted, and every moment as a list. Filters and sums work on one list, the
 * one that is shown.
 */
import { changeObservation, looks, observation, timeline, withdraw } from '../api.js';
import { html, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from '../html.js';
import { Bar } from '../lesson/bar.js';
import { Counts } from '../lesson/counts.js';
import { after, before, codesOf, levelOf, remindersOf, shownOf, signOf } from '../lesson/events.js';
import { List } from '../lesson/list.js';
import { Player } from '../lesson/player.js';
import { seekKey } from '../lesson/playhead.js';
import { Score, SILENCES } from '../lesson/score.js';
import { Chip } from '../lesson/sign.js';
import { clock, count, day, hour, plusMinus, span, UNSURE_S } from '../words.js';
import { Guests } from './guests.js';
import { Looks } from './looks.js';
import { titleOf } from './observations.js';
import { Ask, Heading, NoTeachers, Trouble, useChange, useLoad, useThose } from './parts.js';

const ZOOMS = [[0, 'the whole lesson'], [20, '20 minutes'], [10, '10 minutes'],
	[5, '5 minutes'], [2, '2 minutes']];
const NARROW_PX = 640;
const ROW_PX = 48; /* of the list, as long as it is out of sight and not laid out */

/* Draws this component anew whenever the player says so. */
function usePlayer(lesson) {
	const [, draw] = useState(0);
	const player = useMemo(() => new Player(lesson.id, lesson.snippets, lesson.length), [lesson.id]);

	useLayoutEffect(() => { /* its end must not wait for a frame: the elements are gone by then */
		const listener = () => draw((n) => n + 1);

		player.changed.add(listener);
		return () => player.close();
	}, [player]);
	player.snippets = lesson.snippets;
	return player;
}

/* Keys that work wherever the focus is, but not while typing. */
function useKeys(player, walk) {
	const latest = useRef(null);

	latest.current = { player, walk };
	useEffect(() => {
		const onKeyDown = (press) => {
			const tag = press.target.tagName;
			const typing = tag === 'INPUT' || tag === 'TEXTAREA' || tag === 'SELECT';
			const pressing = tag === 'BUTTON' || tag === 'A' || tag === 'SUMMARY';
			const now = latest.current;

			if (typing || press.ctrlKey || press.altKey || press.metaKey
				|| press.target.closest?.('dialog')) {
				return;
			}
			if (press.key === ' ' && !pressing) {
				now.player.toggle();
			} else if (press.key === 'n') {
				now.walk(1);
			} else if (press.key === 'p') {
				now.walk(-1);
			} else if (press.key === 'l') {
				now.player.set('loop', !now.player.loop);
			} else if (!/^(Arrow(Left|Right)|Home|End)$/.test(press.key)
				|| press.target.matches?.('.scroll-x') /* it scrolls by these */
				|| !seekKey(now.player, press.key)) {
				return;
			}
			press.preventDefault();
		};

		document.addEventListener('keydown', onKeyDown);
		return () => document.removeEventListener('keydown', onKeyDown);
	}, []);
}

function Facts({ lesson, summary }) {
	const { wall, uncertainty } = lesson.start;
	const unsure = wall !== null && uncertainty >= UNSURE_S;

	return html`
		<p class="lead">
			${wall ? html`${day(wall)}, ${hour(wall)} <span class=${unsure ? 'unsure' : 'quiet'}>${
		plusMinus(uncertainty)}</span>` : html`<span class="unsure">Time unknown</span>`}
			${' · '}${lesson.running ? 'still coming in' : span(lesson.length)}
			${summary?.coach && html`${' · '}observed by ${summary.coach.name}`}
			${summary?.teacher && html`${' · '}with ${summary.teacher.name}`}
		</p>
		${!wall && html`<p class="note">The box did not know the time of day during this lesson.
			All times count from the lesson's beginning, and those are exact.</p>`}
		${unsure && html`<p class="note">The box's clock had not been set for a while: the time of
			day may be wrong by ${plusMinus(uncertainty).slice(2)} either way. Times counted from the
			lesson's beginning are exact.</p>`}
		${lesson.scheme.lost && html`<p class="note">The coding scheme of this lesson could not be
			read; the default one stands in for it.</p>`}`;
}

/* The coach names the lesson and gives it to its teacher. */
function Assign({ summary, changed }) {
	const [teachers, lost] = useThose('teacher');
	const [run, busy, problem] = useChange();
	const now = summary.teacher;
	/* who has it now may be no teacher any more */
	const choice = !teachers || !now || teachers.some((one) => one.id === now.id) ? teachers
		: [now, ...teachers];
	const submit = async (event) => {
		event.preventDefault();
		const form = new FormData(event.target);
		const what = { title: form.get('title').trim() };

		if (form.get('teacher') !== (now?.id ?? '')) {
			what.teacher = form.get('teacher') || null;
		}
		const one = await run(() => changeObservation(summary.id, what));

		if (one) {
			changed(one);
		}
	};

	return html`
		<details class="assign no-print" open=${!now}>
			<summary>${now ? 'Title and teacher' : 'Give this observation to its teacher'}</summary>
			<form class="row" onSubmit=${submit}>
				<label>Title<input name="title" defaultValue=${summary.title} maxlength="200" /></label>
				<label>Teacher<select name="teacher">
					<option value="">nobody yet</option>
					${(choice ?? []).map((one) => html`
						<option value=${one.id} selected=${one.id === now?.id}>${one.name}</option>`)}
				</select></label>
				<button type="submit" disabled=${busy || !teachers}>Save</button>
			</form>
			${teachers?.length === 0 && html`<${NoTeachers} />`}
			<${Trouble} problem=${problem ?? lost} />
		</details>`;
}

function Filter({ codes, lesson, hidden, setHidden, withUndone, setWithUndone, withReminders,
	setWithReminders, minutes, setMinutes }) {
	const undone = lesson.events.filter((event) => event.undone).length;
	const flip = (name) => {
		const next = new Set(hidden);

		next.delete(name) || next.add(name);
		setHidden(next);
	};

	return html`
		<div class="filter no-print">
			<fieldset><legend>Show</legend>
				${codes.map((code) => html`<label class=${`tick hue${code.hue}`}>
					<input type="checkbox" checked=${!hidden.has(code.name)}
						onChange=${() => flip(code.name)} /><span>${code.title}</span></label>`)}
				${undone > 0 && html`<label class="tick"><input type="checkbox" checked=${withUndone}
					onChange=${() => setWithUndone(!withUndone)} /><span>${undone} taken back</span></label>`}
				${lesson.cues.length > 0 && html`<label class="tick"><input type="checkbox" checked=${withReminders}
					onChange=${() => setWithReminders(!withReminders)} /><span>${
		count(lesson.cues.length, 'reminder')}</span></label>`}
			</fieldset>
			<label class="zoom">On one screen
				<select onChange=${(change) => setMinutes(Number(change.target.value))}>
					${ZOOMS.map(([m, name]) => html`<option value=${m} selected=${m === minutes}>${name}</option>`)}
				</select></label>
		</div>`;
}

/* What the signs that were drawn mean. */
function Legend({ lesson, codes, shown, reminders }) {
	const seen = useMemo(() => {
		const found = new Map();

		for (const event of shown) {
			const code = codes.find((one) => one.name === event.code);
			const key = `${code.name} ${event.modifier ?? ''} ${signOf(event, code)}`;

			if (!found.has(key)) {
				found.set(key, { code, event });
			}
		}
		/* in the order of the scheme, plain ones first */
		return [...found.values()].sort((a, b) => codes.indexOf(a.code) - codes.indexOf(b.code)
			|| levelOf(a.event, a.code) - levelOf(b.event, b.code));
	}, [codes, shown]);
	const asked = [true, false].filter((answered) =>
		reminders.some((one) => (one.answer !== null) === answered));

	return html`
		<ul class="legend" aria-label="What the signs mean">
			${seen.map(({ code, event }) => html`
				<li><${Chip} sign=${signOf(event, code)} hue=${code.hue} level=${levelOf(event, code)} />
					${' '}${event.modifier ? `${code.title}: ${event.modifier}` : code.title}</li>`)}
			${asked.map((answered) => html`
				<li><${Chip} sign=${answered ? 'asked' : 'missed'} /> reminder to look, ${
		answered ? 'answered' : 'not answered'}</li>`)}
			${lesson.silences.map((one) => html`<li class="quiet">${SILENCES[one.why] ?? one.why}${' '}
				${clock(one.from)}–${clock(one.to)}${one.cause ? ` (${one.cause})` : ''}</li>`)}
		</ul>`;
}

const Keys = () => html`
	<details class="keys no-print"><summary>Keys</summary>
		<dl>
			<div><dt><kbd>space</kbd></dt><dd>play, pause</dd></div>
			<div><dt><kbd>n</kbd> <kbd>p</kbd></dt><dd>next, previous event</dd></div>
			<div><dt><kbd>←</kbd> <kbd>→</kbd></dt><dd>5 seconds back, on; among the signs of a lane: the
				one before, the next</dd></div>
			<div><dt><kbd>Home</kbd> <kbd>End</kbd></dt><dd>the lesson's beginning, its end</dd></div>
			<div><dt><kbd>Enter</kbd></dt><dd>hear the sign that has the focus</dd></div>
			<div><dt><kbd>l</kbd></dt><dd>repeat the moment</dd></div>
		</dl></details>`;

function Lesson({ lesson, setLesson, summary, setSummary, me }) {
	const player = usePlayer(lesson);
	const codes = useMemo(() => codesOf(lesson), [lesson]);
	const [hidden, setHidden] = useState(new Set());
	const [withUndone, setWithUndone] = useState(false);
	const [minutes, setMinutes] = useState(innerWidth < NARROW_PX && lesson.length > 600 ? 10 : 0);
	const [asked, setAsked] = useState(null); /* the snippet to withdraw */
	const [run, busy, problem, clear] = useChange();
	const shown = useMemo(() => shownOf(lesson.events, hidden, withUndone),
		[lesson, hidden, withUndone]);
	const lanes = useMemo(() => codes.filter((code) => !hidden.has(code.name)), [codes, hidden]);
	const [withReminders, setWithReminders] = useState(true);
	const reminders = useMemo(() => (withReminders ? lanes : []).flatMap((code) =>
		remindersOf(lesson, shown, code)), [lesson, lanes, shown, withReminders]);
	const choose = useCallback((event) => player.playEvent(event), [player]);
	const walk = (way) => {
		const from = player.event?.time ?? player.time;
		const to = way > 0 ? after(shown, from) : before(shown, from);

		if (to) {
			player.playEvent(to);
		}
	};
	const isTeacher = summary?.teacher?.id === me.id;
	const chosen = player.event?.seq ?? 0;
	const counts = useMemo(() => html`
		<${Counts} codes=${lanes} shown=${shown} reminders=${reminders} length=${lesson.length} />`,
	[lanes, shown, reminders, lesson]);
	const list = useMemo(() => html`<${List} timeline=${lesson} codes=${codes} shown=${shown}
		reminders=${reminders} chosen=${chosen} choose=${choose} />`,
	[lesson, codes, shown, reminders, chosen, choose]);
	const takeBack = async () => {
		const gone = asked;
		const done = await run(async () => {
			await withdraw(lesson.id, gone.seq);
			return true;
		});

		setAsked(null);
		if (done) {
			player.drop();
			setLesson({ ...lesson, snippets: lesson.snippets.map((one) =>
				(one.seq === gone.seq ? { ...one, withdrawn: true } : one)) });
		}
	};

	useKeys(player, walk);
	return html`
		<${Facts} lesson=${lesson} summary=${summary} />
		${summary?.coach?.id === me.id && html`<${Assign} summary=${summary} changed=${setSummary} />`}
		<section aria-labelledby="score-title">
			<h2 id="score-title" class="visually-hidden">The lesson</h2>
			<${Filter} codes=${codes} lesson=${lesson} hidden=${hidden} setHidden=${setHidden}
				withUndone=${withUndone} setWithUndone=${setWithUndone} withReminders=${withReminders}
				setWithReminders=${setWithReminders} minutes=${minutes} setMinutes=${setMinutes} />
			<${Score} timeline=${lesson} codes=${lanes} shown=${shown} reminders=${reminders}
				player=${player} chosen=${chosen} choose=${choose} minutes=${minutes} />
			<${Legend} lesson=${lesson} codes=${codes} shown=${shown} reminders=${reminders} />
		</section>
		<${Bar} player=${player} timeline=${lesson} codes=${codes} shown=${shown} walk=${walk}
			mayWithdraw=${isTeacher} withdraw=${(snippet) => {
		clear();
		setAsked(snippet);
	}} />
		<${Trouble} problem=${problem} />
		<section aria-labelledby="counts-title">
			<h2 id="counts-title">What was counted</h2>
			<p class="quiet">${count(shown.filter((event) => !event.undone).length, 'event')} shown and
				counted${hidden.size ? '; some codes are switched off' : ''}.</p>
			${counts}
		</section>
		<section class="moments" aria-labelledby="list-title"
			style=${{ containIntrinsicSize: `auto ${120 + ROW_PX * (shown.length + reminders.length)}px` }}>
			<h2 id="list-title">Every moment</h2>
			${list}
		</section>
		${isTeacher && html`<${Guests} id=${lesson.id} /><${Looks} id=${lesson.id} load=${looks} lesson=${lesson} />`}
		<${Keys} />
		${asked && html`
			<${Ask} title="Withdraw this sound?" yes="Withdraw it" busy=${busy} onYes=${takeBack}
				onNo=${() => setAsked(null)}>
				<p>The sound from ${clock(asked.from)} to ${clock(asked.to)} is deleted from the
					server for good. Its events stay, without sound. Your coach sees that it was
					withdrawn.</p>
			<//>`}`;
}

export function Observation({ id, me }) {
	const [lesson, problem, again, setLesson] = useLoad(() => timeline(id), [id]);
	const [summary, , , setSummary] = useLoad(() => observation(id), [id]);

	return html`
		<main id="main" class="observation">
			<p class="back no-print"><a href="#/">My observations</a></p>
			<${Heading}>${summary ? titleOf(summary) : 'An observation'}<//>
			<${Trouble} problem=${problem} again=${problem?.status === 404 ? null : again} />
			${lesson && html`<${Lesson} key=${id} lesson=${lesson} setLesson=${setLesson}
				summary=${summary} setSummary=${setSummary} me=${me} />`}
		</main>`;
}
