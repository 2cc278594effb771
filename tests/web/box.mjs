/*
 * A box as the server meets it, with lessons made by hand and the sound of the spoken
 * one; and a school in which there are some.
 */
import { spawnSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

import { Person, ROOT, Server } from './house.mjs';

const CUTS = path.join(ROOT, 'build/web-cuts');
const LESSON_WAV = path.join(ROOT, 'build/lesson/lesson.wav');
const S = 1_000_000_000;

/* Samples of a 16-bit mono WAV file, and their rate. */
function readWav(file) {
	const data = fs.readFileSync(file);
	const rate = data.readUInt32LE(24);
	const begin = data.indexOf('data', 12) + 8;

	return { rate, samples: new Int16Array(data.buffer, data.byteOffset + begin,
		(data.length - begin) >> 1) };
}

/* Cuts of the spoken lesson, which is played again and again. */
class Tape {
	constructor() {
		const { rate, samples } = readWav(LESSON_WAV);

		this.rate = rate;
		this.length = Math.floor(samples.length / rate);
		this.twice = new Int16Array(2 * this.length * rate);
		this.twice.set(samples.subarray(0, this.length * rate));
		this.twice.copyWithin(this.length * rate, 0, this.length * rate);
	}

	/* Samples from a whole second of the tape on; less than its length of them. */
	take(from, seconds) {
		const begin = Math.floor(((from % this.length) + this.length) % this.length) * this.rate;

		return this.twice.subarray(begin, begin + Math.round(seconds * this.rate));
	}

	/* The sound from @from to @to as Ogg Opus; encoded once, kept in the build folder. */
	opus(from, to) {
		const pcm = this.take(from, to - from);
		const hash = createHash('sha256').update(pcm).digest('hex').slice(0, 16);
		const file = path.join(CUTS, `${hash}.opus`);

		if (fs.existsSync(file)) {
			return fs.readFileSync(file);
		}
		const done = spawnSync('opusenc', ['--quiet', '--raw', '--raw-rate', String(this.rate),
			'--raw-chan', '1', '--bitrate', '24', '--comp', '0', '-', '-'],
		{ input: Buffer.from(pcm.buffer, pcm.byteOffset, pcm.byteLength), maxBuffer: 1 << 26 });

		if (done.status !== 0) {
			throw new Error(`opusenc: ${done.error ?? done.stderr}`);
		}
		fs.mkdirSync(CUTS, { recursive: true });
		fs.writeFileSync(`${file}.${process.pid}`, done.stdout);
		fs.renameSync(`${file}.${process.pid}`, file);
		return done.stdout;
	}

	/* The highest of |sample| in steps of @step seconds, as bytes. */
	peaks(from, to, step) {
		const pcm = this.take(from, to - from);
		const each = Math.round(step * this.rate);

		return Buffer.from(Array.from({ length: Math.ceil((to - from) / step) }, (_, k) => {
			let most = 0;

			for (let i = k * each; i < (k + 1) * each && i < pcm.length; i += 2) {
				most = Math.max(most, Math.abs(pcm[i]));
			}
			return Math.min(255, most >> 7);
		}));
	}

	/* Half decibels below full scale for each 100 ms of a minute. */
	loudness(from) {
		const pcm = this.take(from, 60);
		const each = this.rate / 10;

		return Buffer.from(Array.from({ length: 600 }, (_, k) => {
			let sum = 0;

			for (let i = k * each; i < (k + 1) * each; i += 4) {
				sum += pcm[i] ** 2;
			}
			const db = 10 * Math.log10(sum / (each / 4) / 32768 ** 2 + 1e-9);

			return Math.min(254, Math.round(-2 * db));
		}));
	}
}

/* Always the same numbers, between 0 and 1. */
function numbers(seed) {
	let state = seed;

	return () => {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		return state / 2 ** 32;
	};
}

/*
 * What a coach might press in @length seconds: [seconds, what], where what is
 * 'question', 'open', 'wait N', 'level N', 'transition', 'undo'.
 */
export function pressesOf(n, length, seed) {
	const random = numbers(seed);
	const list = [];
	let t = 15;

	for (let i = 0; i < n; i++) {
		const kind = random();

		if (kind < 0.34) {
			list.push([t, 'question']);
		} else if (kind < 0.46) {
			list.push([t, 'open']);
		} else if (kind < 0.64) {
			list.push([t, `wait ${(0.7 + random() * random() * 7).toFixed(2)}`]);
		} else if (kind < 0.86) {
			list.push([t, `level ${1 + Math.floor(random() * 3)}`]);
		} else if (kind < 0.91) {
			list.push([t, 'transition'], [t + 20 + 60 * random(), 'transition']);
		} else if (kind < 0.95) {
			list.push([t, 'open']);
		} else {
			list.push([t, 'question'], [t + 1.5, 'undo']);
		}
		t += ((length - 40) / n) * (0.35 + 1.3 * random());
	}
	return list.filter(([at]) => at < length - 12).sort((a, b) => a[0] - b[0]);
}

/* The same presses, those of a level soon after most of the box's reminders. */
function asked(presses, remindS) {
	let n = 0;

	return presses.map(([t, what]) => {
		if (!what.startsWith('level')) {
			return [t, what];
		}
		n += n % 7 === 4 ? 2 : 1;
		return [n * remindS + 2 + (t % 6), what];
	}).sort((a, b) => a[0] - b[0]);
}

const HEALTHY = { machine: 'Raspberry Pi 4 Model B Rev 1.5', wiring: 'Chalkbox on a Pi',
	system: 'Debian GNU/Linux 12 (bookworm)', kernel: '6.1.0-rpi7', uptime_s: 21_000, power: 'good',
	hot: false, total_bytes: 31_300_000_000, read_only: false, write_median_us: 2400,
	write_p99_us: 18_000, clock_trusted: true, clock_uncertainty_ms: 12, recorder: true,
	microphone: 'live', microphone_card: 'USB PnP Sound Device', loud_db: -31, clipped_permille: 2,
	faults: 0 };

/* Paired to a coach; what it records is brought by bring(). */
export class Box {
	static async pair(coach, name) {
		const box = new Box();
		const { code } = await coach.request('POST', 'boxes', {});
		const said = await new Person(coach.server).request('POST', 'pair', { code, name });

		box.server = coach.server;
		box.token = said.token;
		box.tape = new Tape();
		box.journal = randomUUID();
		box.entries = [];
		box.sounds = [];
		box.name = name;
		return box;
	}

	add(kind, at, more = {}) {
		const seq = this.entries.length + 1;

		this.boot = kind === 'boot' ? seq : this.boot;
		this.entries.push({ seq, boot: this.boot, t_ns: Math.round(at * S), kind, ...more });
		return seq;
	}

	/* The box is switched on; @wall is when, in ms, or null when its clock is wrong. */
	switchOn(wall, uncertaintyS = 0.004) {
		this.add('boot', 0, { body: { boot_id: randomUUID(), version: '0.1.0', box: this.name } });
		if (wall !== null) {
			this.add('clock', 0, { value: wall * 1_000_000,
				body: { uncertainty_ns: Math.round(uncertaintyS * S), trusted: true, cause: 'start' } });
		}
	}

	/*
	 * A lesson from @begin on (seconds of the box's clock), with what was pressed, and
	 * stretches of silence: [from, to, 'muted' or 'gap']; @remindS is how often the box
	 * asked its coach to look. Its id.
	 */
	lesson(begin, length, presses, { silences = [], remindS = 0, sound = true, encode = true,
		keep = () => true } = {}) {
		const id = randomUUID();
		const seq = this.entries.length + 1;
		const todo = [];
		const at = (t, kind, more) => todo.push([t, kind, more]);
		const scheme = fs.readFileSync(path.join(ROOT, 'app/scheme/default.scheme'), 'utf8')
			.replace('cue = 0', `cue = ${remindS}`);

		this.add('observation_start', begin,
			{ observation: seq, body: { id, scheme, cause: 'button' } });
		if (sound) {
			at(0, 'mic', { value: 1, body: { card: 'test', rate_hz: 16000 } });
		}
		for (const [from, to, why] of silences) {
			if (why === 'muted') {
				at(from, 'mic', { value: 2 });
				at(to, 'mic', { value: 1, body: { card: 'test', rate_hz: 16000 } });
			} else {
				at(to, 'gap', { body: { from_ns: Math.round((begin + from) * S),
					to_ns: Math.round((begin + to) * S), cause: 'overrun' } });
			}
		}
		for (const [t, what] of presses) {
			for (const [from, to, code] of strokes(t, what)) {
				at(from, what === 'undo' ? 'undo' : 'press', { code, until: to });
			}
		}
		for (let t = remindS; remindS && t < length; t += remindS) {
			at(t, 'cue', { code: 'engagement' });
		}
		if (sound) {
			this.cut(begin, length, presses, silences, at, encode);
			for (let t = 0; t + 60 <= length; t += 60) {
				at(t + 60, 'loudness', { body: { from_ns: Math.round((begin + t) * S), step_ms: 100,
					levels: this.tape.loudness(t).toString('base64') } });
			}
		}
		this.write(begin, seq, todo, keep);
		this.add('observation_end', begin + length,
			{ observation: seq, body: { cause: 'button' } });
		return id;
	}

	/* Seconds around the presses, merged as the recorder does. */
	cut(begin, length, presses, silences, at, encode) {
		const spans = [];

		for (const [t] of presses) {
			const from = Math.max(0, t - 10);
			const to = Math.min(length, t + 20);
			const last = spans[spans.length - 1];

			if (silences.some(([a, b, why]) => why === 'muted' && from < b && to > a)) {
				continue;
			}
			if (last && from < last[1] && to - last[0] <= 120) {
				last[1] = Math.max(to, last[1]);
			} else {
				spans.push([last ? Math.max(from, last[1]) : from, to]);
			}
		}
		for (const [from, to] of spans) {
			const data = encode ? this.tape.opus(from, to) : Buffer.from(`${from}, never brought`);

			at(to, 'snippet', { data, body: { file: `${Math.round(from * 1000)}.opus`, codec: 'opus',
				from_ns: Math.round((begin + from) * S), to_ns: Math.round((begin + to) * S),
				bytes: data.length, sha256: createHash('sha256').update(data).digest('hex'),
				complete: true, step_ms: 50,
				peaks: this.tape.peaks(from, to, 0.05).toString('base64') } });
		}
	}

	write(begin, observation, todo, keep) {
		const all = [];
		let last = 0;
		let n = 0;

		for (const [t, kind, more] of todo) {
			const { until, data, code, ...rest } = more;

			all.push({ t, kind, code, data, rest, press: null });
			if (kind === 'press') {
				all.push({ t: until, kind: 'release', code, rest: {}, press: all[all.length - 1] });
			}
		}
		all.sort((a, b) => a.t - b.t);
		for (const one of all) {
			const more = { observation, ...one.rest };

			if (one.kind === 'undo') {
				more.ref = last;
			} else if (one.code) {
				more.code = one.code;
			}
			if (one.press) {
				more.ref = one.press.seq;
			}
			one.seq = this.add(one.kind, begin + one.t, more);
			last = one.kind === 'press' ? one.seq : last;
			if (one.data && keep(n++)) {
				this.sounds.push([one.seq, one.data]);
			}
		}
	}

	async send(method, where, body, headers = {}) {
		const response = await this.server.speak(`${this.server.url}/api/v1/${where}`,
			{ method, body, headers: { Authorization: `Bearer ${this.token}`, ...headers } });

		if (!response.ok) {
			throw new Error(`${method} ${where}: ${response.status} ${await response.text()}`);
		}
		return response;
	}

	/* What it says of itself at the end of a sync. */
	async report(health, more = {}) {
		await this.send('POST', 'box/report', JSON.stringify({ version: '0.1.0',
			time_ns: Date.now() * 1_000_000, free_bytes: 27_400_000_000, state_bytes: 310_000_000,
			faults: [], unsent_entries: 0, unsent_snippets: 0, health, ...more }),
		{ 'Content-Type': 'application/json' });
	}

	/* Brings all of it to the server. */
	async bring() {
		let kept = 0;

		while (kept < this.entries.length) {
			const lines = this.entries.slice(kept, kept + 60).map((one) => `${JSON.stringify(one)}\n`);
			const said = await (await this.send('POST', `box/entries?journal=${this.journal}`,
				lines.join(''), { 'Content-Type': 'application/x-ndjson' })).json();

			if (said.refused.length || said.kept <= kept) {
				throw new Error(`refused: ${JSON.stringify(said.refused.slice(0, 3))}`);
			}
			kept = said.kept;
		}
		const b64 = (text) => Buffer.from(String(text)).toString('base64');

		for (const [seq, data] of this.sounds.splice(0)) {
			const sha256 = createHash('sha256').update(data).digest('hex');

			await this.send('POST', 'uploads', data, {
				'Tus-Resumable': '1.0.0', 'Upload-Length': String(data.length),
				'Content-Type': 'application/offset+octet-stream',
				'Upload-Metadata': `journal ${b64(this.journal)},seq ${b64(seq)},sha256 ${b64(sha256)}`,
			});
		}
		await this.report(HEALTHY);
	}
}

/* Presses of one gesture: [from, to, code]. */
function strokes(t, what) {
	const [word, number] = what.split(' ');

	switch (word) {
	case 'question':
		return [[t, t + 0.12, 'questioning']];
	case 'open':
		return [[t, t + 0.1, 'questioning'], [t + 0.22, t + 0.32, 'questioning']];
	case 'wait':
		return [[t, t + Number(number), 'questioning']];
	case 'level':
		return Array.from({ length: Number(number) }, (_, i) =>
			[t + i * 0.25, t + i * 0.25 + 0.1, 'engagement']);
	case 'transition':
		return [[t, t + 0.12, 'transition']];
	default:
		return [[t, t, '']];
	}
}

/*
 * A school with its people and three lessons of one teacher, who is invited. @later:
 * the teacher has come and has two of them, and boxes are worn or new.
 */
export async function school({ later = false } = {}) {
	const server = await Server.start();

	try {
		const place = await furnish(server);

		if (later) {
			await furnishLater(place);
		}
		return place;
	} catch (error) { /* a server that nobody knows of would keep the tests from ending */
		server.process.kill('SIGKILL');
		throw error;
	}
}

async function furnish(server) {
	const administrator = await new Person(server).join(server.link());
	const coach = await administrator.inviteAndJoin('Maria Okonkwo', 'coach');
	const invitation = await coach.invite('Jonas Lindqvist', 'teacher');
	const box = await Box.pair(coach, 'Blue box');
	const lessons = {};

	box.switchOn(Date.parse('2026-11-19T07:15:00Z'));
	lessons.fractions = box.lesson(4719, 2800, asked(pressesOf(58, 2800, 11), 120),
		{ remindS: 120, silences: [[1120, 1210, 'muted'], [1800, 1803, 'gap']], keep: (i) => i !== 12 });
	box.switchOn(Date.parse('2026-11-12T08:00:00Z'), 190);
	lessons.unsure = box.lesson(900, 1500, pressesOf(20, 1500, 5));
	box.switchOn(null);
	lessons.lost = box.lesson(300, 900, pressesOf(14, 900, 8), { sound: false });
	await box.bring();
	return { server, administrator, coach, invitation, box, lessons };
}

async function furnishLater(place) {
	const { server, administrator, coach, lessons } = place;
	const worn = await Box.pair(coach, 'Worn box');

	await worn.report({ ...HEALTHY, power: 'low-before', total_bytes: 29_000_000_000,
		microphone: 'lost', loud_db: -57, clock_trusted: false },
	{ faults: ['buttons: gpiochip0: no line GPIO6'], free_bytes: 1_900_000_000, unsent_snippets: 12 });
	await Box.pair(coach, 'New box');
	place.jonas = await new Person(server).join(place.invitation);
	place.waiting = await coach.invite('Aylin Demir', 'teacher');
	await administrator.inviteAndJoin('Tom Adeyemi', 'teacher');
	for (const [name, title] of [['fractions', 'Fractions, group 7b'], ['unsure', ''], ['lost', '']]) {
		await coach.request('PATCH', `observations/${lessons[name]}`,
			{ title, teacher: name === 'lost' ? null : place.jonas.id });
	}
}
