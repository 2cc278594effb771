/*
 * Two lists grow with the presses: the events, and the presses themselves, each
 * with the event it belongs to and what it did there. Nothing is ever taken out
 * of either. An undo marks an event, or opens a state again; what an undo would
 * hit is the last press that began, continued or ended something still standing.
 *
 *     press   1     2     3        4      5
 *     did     begin tap   begin    end    begin
 *     event   0     0     1        1      2
 *
 * An event stands from its first press on. Whether a button still down is a hold
 * is asked for when time is known to have passed: at its release, at the next
 * press of its code, at the end. That the recorder asks in between too, for its
 * lamps, therefore changes nothing in what comes out.
 */
#include "app/scheme/coding.h"

#include "app/base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum did {
	DID_BEGIN,
	DID_TAP, /* one more tap of the event */
	DID_END, /* of a state */
	DID_NOTHING,
};

struct press {
	int64_t seq;
	size_t event;
	enum did did;
};

/* What is remembered of each code. */
struct track {
	size_t latest; /* its newest event, counted from 1; 0 for none */
	bool pressed;
	int64_t pressed_ns; /* its last press, whether it counted or not */
};

struct coding {
	const struct scheme *scheme;
	struct track tracks[SCHEME_CODES_MAX];
	struct coded *events;
	size_t n_events, room_events;
	struct press *presses; /* seq rises */
	size_t n_presses, room_presses;
};

struct coding *coding_new(const struct scheme *scheme)
{
	struct coding *coding = calloc(1, sizeof(*coding));

	if (coding) {
		coding->scheme = scheme;
	}
	return coding;
}

void coding_free(struct coding *coding)
{
	if (!coding) {
		return;
	}
	free(coding->events);
	free(coding->presses);
	free(coding);
}

/* From one moment to a later one, held at the end of the range; -1 backwards. */
static int64_t elapsed(int64_t from_ns, int64_t to_ns)
{
	int64_t apart_ns;

	if (to_ns < from_ns) {
		return -1;
	}
	if (__builtin_sub_overflow(to_ns, from_ns, &apart_ns)) {
		return INT64_MAX;
	}
	return apart_ns;
}

static bool within(int64_t from_ns, int64_t to_ns, int ms)
{
	int64_t apart_ns = elapsed(from_ns, to_ns);

	return apart_ns >= 0 && apart_ns <= ms * NS_PER_MS;
}

static int make_room(struct coding *coding)
{
	if (coding->n_presses == coding->room_presses) {
		size_t room = coding->room_presses * 2 + 64;
		struct press *more = realloc(coding->presses, room * sizeof(*more));

		if (!more) {
			return -ENOMEM;
		}
		coding->presses = more;
		coding->room_presses = room;
	}
	if (coding->n_events == coding->room_events) {
		size_t room = coding->room_events * 2 + 64;
		struct coded *more = realloc(coding->events, room * sizeof(*more));

		if (!more) {
			return -ENOMEM;
		}
		coding->events = more;
		coding->room_events = room;
	}
	return 0;
}

static void set_modifier(struct coded *event, const char *modifier)
{
	memcpy(event->modifier, modifier, sizeof(event->modifier));
}

static void end_span(struct coded *event, int64_t end_ns)
{
	event->end_ns = end_ns > event->t_ns ? end_ns : event->t_ns;
	event->open = false;
}

/* A button that has been down long enough makes its event a span. */
static void note_hold(const struct coding *coding, struct coded *event, int64_t now_ns)
{
	if (event->down && event->code->kind == CODE_POINT && event->code->hold[0] &&
		event->taps == 1 && !event->span &&
		elapsed(event->t_ns, now_ns) >= coding->scheme->hold_ms * NS_PER_MS) {
		event->span = true;
		event->open = true;
		set_modifier(event, event->code->hold);
	}
}

/* The button is up: a hold or a held event ends. */
static void lift(const struct coding *coding, struct coded *event, int64_t t_ns)
{
	note_hold(coding, event, t_ns);
	event->down = false;
	event->last_release_ns = t_ns;
	if (event->open && event->code->kind != CODE_STATE) {
		end_span(event, t_ns);
	}
}

/*
 * The button is pressed again and its release never came. How long it was held
 * nobody knows: what looked like a hold is a tap. A held event ends here.
 */
static void lift_unseen(struct coded *event, int64_t t_ns)
{
	event->down = false;
	if (event->open && event->code->kind == CODE_POINT) {
		event->span = false;
		event->open = false;
		event->modifier[0] = '\0';
	} else if (event->open && event->code->kind == CODE_HELD) {
		end_span(event, t_ns);
	}
}

static struct coded *latest(struct coding *coding, const struct track *track)
{
	return track->latest ? &coding->events[track->latest - 1] : NULL;
}

/* The running state of a code: its newest event that stands, if that is open. */
static struct coded *running(const struct coding *coding, const struct code *code)
{
	size_t i = coding->tracks[code - coding->scheme->codes].latest;

	for (; i > 0; i--) {
		struct coded *event = &coding->events[i - 1];

		if (event->code == code && !event->undone) {
			return event->span && event->open ? event : NULL;
		}
	}
	return NULL;
}

static size_t begin(struct coding *coding, const struct code *code, int64_t t_ns, int64_t seq)
{
	struct coded *event = &coding->events[coding->n_events];
	bool span = code->kind == CODE_STATE || code->kind == CODE_HELD;

	*event = (struct coded){
		.seq = seq,
		.code = code,
		.t_ns = t_ns,
		.end_ns = t_ns,
		.span = span,
		.open = span,
		.taps = 1,
		.last_press_seq = seq,
		.last_release_ns = t_ns,
		.down = true,
	};
	if (code->kind == CODE_SAMPLE && code->n_levels > 0) {
		set_modifier(event, code->levels[0]);
	}
	return coding->n_events++;
}

/*
 * Another tap of the code's newest event, if it is one: soon enough after the
 * last release (or press, where the release is missing), and of an event that
 * can still take it.
 */
static bool tap_again(const struct coding *coding, struct coded *event, int64_t t_ns, int64_t seq,
	enum did *ret_did)
{
	const struct code *code = event->code;

	if (event->undone || event->span ||
		!within(event->last_release_ns, t_ns, coding->scheme->double_ms)) {
		return false;
	}
	if (code->kind == CODE_POINT && code->double_tap[0] && event->taps == 1) {
		event->taps = 2;
		set_modifier(event, code->double_tap);
		*ret_did = DID_TAP;
	} else if (code->kind == CODE_SAMPLE && (size_t)event->taps < code->n_levels) {
		event->taps++;
		set_modifier(event, code->levels[event->taps - 1]);
		*ret_did = DID_TAP;
	} else if (code->kind == CODE_SAMPLE) {
		*ret_did = DID_NOTHING; /* one tap more than there are levels */
	} else {
		return false;
	}
	event->last_press_seq = seq;
	event->last_release_ns = t_ns;
	event->down = true;
	return true;
}

/* The event a press belongs to, made where there is none, and what it did. */
static size_t apply(struct coding *coding, const struct code *code, struct track *track,
	int64_t t_ns, int64_t seq, enum did *ret_did)
{
	struct coded *event = latest(coding, track);

	if (event && event->down) {
		lift_unseen(event, t_ns);
	}
	if (code->kind == CODE_STATE) {
		struct coded *open = running(coding, code);

		if (track->pressed && within(track->pressed_ns, t_ns, coding->scheme->double_ms)) {
			*ret_did = DID_NOTHING;
			return track->latest - 1;
		}
		if (open) {
			end_span(open, t_ns);
			open->end_seq = seq;
			open->last_press_seq = seq;
			*ret_did = DID_END;
			return (size_t)(open - coding->events);
		}
	} else if (event && tap_again(coding, event, t_ns, seq, ret_did)) {
		return track->latest - 1;
	}

	*ret_did = DID_BEGIN;
	track->latest = begin(coding, code, t_ns, seq) + 1;
	return track->latest - 1;
}

int coding_press(struct coding *coding, const char *code_name, int64_t t_ns, int64_t seq)
{
	const struct code *code = scheme_code(coding->scheme, code_name);
	struct press press = {.seq = seq};
	struct track *track;
	int r;

	if (!code || code->kind == CODE_UNDO || code->kind == CODE_LESSON ||
		code->kind == CODE_MUTE) {
		return 0;
	}
	/* The journal's seq rises; one that does not is no press of a journal. */
	if (seq <= (coding->n_presses ? coding->presses[coding->n_presses - 1].seq : 0)) {
		return 0;
	}
	r = make_room(coding);
	if (r < 0) {
		return r;
	}

	track = &coding->tracks[code - coding->scheme->codes];
	press.event = apply(coding, code, track, t_ns, seq, &press.did);
	coding->presses[coding->n_presses++] = press;
	track->pressed = true;
	track->pressed_ns = t_ns;
	return 0;
}

static const struct press *find_press(const struct coding *coding, int64_t seq)
{
	size_t from = 0, to = coding->n_presses;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (coding->presses[middle].seq < seq) {
			from = middle + 1;
		} else {
			to = middle;
		}
	}
	if (from < coding->n_presses && coding->presses[from].seq == seq) {
		return &coding->presses[from];
	}
	return NULL;
}

void coding_release(struct coding *coding, int64_t press_seq, int64_t t_ns)
{
	const struct press *press = find_press(coding, press_seq);
	struct coded *event;

	if (!press) {
		return;
	}
	event = &coding->events[press->event];
	if (event->last_press_seq != press_seq || !event->down) {
		return;
	}
	lift(coding, event, t_ns);
}

/* What the press did still stands. */
static bool stands(const struct coding *coding, const struct press *press)
{
	const struct coded *event = &coding->events[press->event];

	if (event->undone || press->did == DID_NOTHING) {
		return false;
	}
	return press->did != DID_END || event->end_seq == press->seq;
}

int64_t coding_last(const struct coding *coding)
{
	for (size_t i = coding->n_presses; i > 0; i--) {
		const struct press *press = &coding->presses[i - 1];

		if (stands(coding, press)) {
			return press->did == DID_END ? press->seq
						     : coding->events[press->event].seq;
		}
	}
	return 0;
}

/* A state that has begun anew since cannot go on from its earlier end. */
static bool begun_since(const struct coding *coding, size_t event)
{
	for (size_t i = event + 1; i < coding->n_events; i++) {
		if (coding->events[i].code == coding->events[event].code &&
			!coding->events[i].undone) {
			return true;
		}
	}
	return false;
}

void coding_undo(struct coding *coding, int64_t seq)
{
	const struct press *press = find_press(coding, seq);
	struct coded *event;

	if (!press || !stands(coding, press)) {
		return;
	}
	event = &coding->events[press->event];
	if (press->did != DID_END) {
		event->undone = true;
	} else if (!begun_since(coding, press->event)) {
		event->open = true;
		event->end_ns = event->t_ns;
		event->end_seq = 0;
	}
}

void coding_advance(struct coding *coding, int64_t now_ns)
{
	for (size_t i = 0; i < coding->scheme->n_codes; i++) {
		struct coded *event = latest(coding, &coding->tracks[i]);

		if (event) {
			note_hold(coding, event, now_ns);
		}
	}
}

void coding_finish(struct coding *coding, int64_t end_ns)
{
	coding_advance(coding, end_ns);
	for (size_t i = 0; i < coding->n_events; i++) {
		struct coded *event = &coding->events[i];

		if (event->span && event->open) {
			event->end_ns = end_ns > event->t_ns ? end_ns : event->t_ns;
		}
	}
}

const struct coded *coding_events(const struct coding *coding, size_t *ret_n)
{
	*ret_n = coding->n_events;
	return coding->events;
}

bool coding_running(const struct coding *coding, const char *code_name)
{
	const struct code *code = scheme_code(coding->scheme, code_name);

	return code && running(coding, code);
}
