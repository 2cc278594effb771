/*
 * Plays a lesson's snippets in one <audio>, on the lesson's own clock. The
 * playhead is a time of the lesson; where no sound was kept it can stand still,
 * but not run. Two kinds of listeners: `changed` when something worth drawing
 * anew happened, `moved` at each frame while it runs.
 *
 * The element tells what it did some time after it did it. So `playing` is false
 * from the moment we halt it, and what it tells later never moves the playhead:
 * only a frame does, while it runs, and whoever asks for another place.
 */
import { audioPath } from '../api.js';
import { audible, snippetAt, toFile, toLesson, whyAway } from './events.js';

const AWAY = {
	'still on the box': 'The sound of this moment is still on the box; it comes with the next sync.',
	'no longer kept': 'The sound of this moment is older than this site keeps sound.',
	withdrawn: 'The sound of this moment was withdrawn.',
};

/* How much is heard behind a moment when it is looped. */
const LOOP_AFTER_S = 6;

/* Safari before 18.4 plays no Ogg: the server sends WAV then. */
function wantsWav(audio) {
	return audio.canPlayType('audio/ogg; codecs=opus') === '';
}

export class Player {
	constructor(observation, snippets, length) {
		this.observation = observation;
		this.snippets = snippets;
		this.length = length;
		this.time = 0;
		this.event = null;    /* the one it was asked to play last */
		this.snippet = null;  /* the one in the audio element */
		this.playing = false;
		this.waiting = false; /* asked to play, sound not here yet */
		this.problem = '';
		this.lead = 3;
		this.rate = 1;
		this.loop = false;
		this.changed = new Set();
		this.moved = new Set();
		this.audio = new Audio();
		this.audio.preload = 'auto';
		this.wav = wantsWav(this.audio);
		this.want = null;     /* the time to go to once the sound is known */
		this.frame = 0;
		this.listen();
	}

	listen() {
		const on = (name, act) => this.audio.addEventListener(name, act);

		on('loadedmetadata', () => this.arrive());
		on('playing', () => {
			if (this.audio.paused) {
				return;
			}
			this.playing = true;
			this.waiting = false;
			this.tell();
			this.run();
		});
		on('waiting', () => {
			this.waiting = !this.audio.paused;
			this.tell();
		});
		on('pause', () => {
			if (this.audio.paused) {
				this.halt();
				this.tell();
			}
		});
		on('ended', () => {
			if (this.loop && this.event && this.audio.ended) {
				this.again();
			}
		});
		on('error', () => {
			if (this.snippet) {
				this.fail('This sound could not be fetched. Try again in a moment.');
			}
		});
	}

	halt() {
		cancelAnimationFrame(this.frame);
		this.audio.pause();
		this.playing = false;
		this.waiting = false;
	}

	/* Lets go of the sound it holds: it is over, or was withdrawn. */
	drop() {
		this.halt();
		this.want = null;
		this.snippet = null;
		this.audio.removeAttribute('src');
		this.audio.load();
		this.tell();
	}

	close() {
		this.changed.clear();
		this.moved.clear();
		this.drop();
	}

	tell() {
		this.changed.forEach((listener) => listener());
	}

	move() {
		this.moved.forEach((listener) => listener(this.time));
	}

	fail(sentence) {
		this.halt();
		this.problem = sentence;
		this.want = null;
		this.tell();
	}

	/* The audio's length in seconds, or what the record says of it. */
	fileLength() {
		const length = this.audio.duration;

		return Number.isFinite(length) && length > 0 ? length
			: this.snippet.to - this.snippet.from;
	}

	follow() {
		if (this.snippet && this.want === null && this.audio.readyState > 0) {
			this.time = toLesson(this.snippet, this.audio.currentTime, this.fileLength());
			this.move();
		}
	}

	run() {
		cancelAnimationFrame(this.frame);
		const step = () => {
			if (!this.playing || !this.snippet) {
				return;
			}
			this.follow();
			if (this.loop && this.event && this.time >= this.loopEnd()) {
				this.again();
			}
			this.frame = requestAnimationFrame(step);
		};

		this.frame = requestAnimationFrame(step);
	}

	loopEnd() {
		return Math.min((this.event.end ?? this.event.time) + LOOP_AFTER_S,
			this.snippet.to - 0.05);
	}

	again() {
		this.playEvent(this.event);
	}

	arrive() {
		if (this.want === null || !this.snippet) {
			return;
		}
		const place = toFile(this.snippet, this.want, this.fileLength());

		this.audio.currentTime = Math.max(0, Math.min(place, this.fileLength() - 0.02));
		this.audio.playbackRate = this.rate;
		this.want = null;
	}

	/* Goes to a moment of a snippet, and plays from there if asked to. */
	load(snippet, time, play) {
		this.time = Math.min(Math.max(time, snippet.from), snippet.to);
		this.problem = '';
		this.want = this.time;
		if (this.snippet !== snippet || this.audio.error) {
			this.snippet = snippet;
			this.audio.src = audioPath(this.observation, snippet.seq, this.wav);
		} else if (this.audio.readyState > 0) {
			this.arrive();
		}
		if (play) {
			this.waiting = this.audio.paused || this.audio.readyState < 3;
			this.audio.playbackRate = this.rate;
			this.audio.play().catch((reason) => {
				if (reason.name === 'NotAllowedError') {
					this.fail('The browser wants a click before it plays sound.');
				}
			});
		}
		this.move();
		this.tell();
	}

	stand(time) {
		this.halt();
		this.want = null;
		this.time = time;
		this.move();
		this.tell();
	}

	/* Plays an event with its lead-in; without sound the playhead goes there. */
	playEvent(event) {
		const snippet = this.snippets.find((one) => one.number === event.snippet);

		this.event = event;
		if (snippet && audible(snippet)) {
			this.load(snippet, event.time - this.lead, true);
			return;
		}
		this.stand(event.time);
		this.problem = !snippet ? 'No sound was kept at this moment.'
			: AWAY[whyAway(snippet)];
		this.tell();
	}

	playAt(time) {
		const snippet = snippetAt(this.snippets, time);

		this.event = null;
		if (snippet && audible(snippet)) {
			this.load(snippet, time, true);
		} else {
			this.seek(time);
		}
	}

	toggle() {
		if (this.playing || this.waiting) {
			this.follow();
			this.halt();
			this.tell();
			return;
		}
		const here = snippetAt(this.snippets, this.time);
		const next = here && audible(here) && here.to - this.time > 0.1 ? here
			: this.snippets.find((one) => one.from >= this.time && audible(one));

		if (next) {
			this.load(next, Math.max(this.time, next.from), true);
		} else {
			this.problem = 'No sound was kept after this moment.';
			this.tell();
		}
	}

	/* Moves the playhead; goes on playing if it lands in kept sound. */
	seek(time) {
		const to = Math.min(Math.max(time, 0), this.length);
		const snippet = snippetAt(this.snippets, to);
		const wasPlaying = this.playing || this.waiting;

		this.event = null;
		this.problem = '';
		if (snippet && audible(snippet) && (wasPlaying || snippet === this.snippet)) {
			this.load(snippet, to, wasPlaying);
		} else {
			this.stand(to);
		}
	}

	set(what, value) {
		this[what] = value;
		if (what === 'rate') {
			this.audio.playbackRate = value;
		}
		this.tell();
	}
}
