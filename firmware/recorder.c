/*
 * What a press does depends on its code's kind alone:
 *
 *	lesson        starts an observation; held long enough, ends it
 *	undo          takes back the last press; held, the one before too
 *	mute          wishes the microphone closed, or open again
 *	all others    press and release entries, and a window of sound
 *
 * The meaning of the others' presses (taps, spans, levels) is worked out by
 * `coding`, here for undo and lamps, in the timeline for people.
 */
#include "firmware/recorder.h"

#include <stdio.h>
#include <string.h>

#define HOLD_EXTENDS_NS NS_PER_S

void recorder_init(struct recorder *recorder, const struct scheme *scheme, const char *scheme_text,
	int64_t idle_ns, int64_t last_seq, void (*new_id)(char ret_id[static UUID_CHARS]))
{
	*recorder = (struct recorder){
		.scheme = scheme,
		.scheme_text = scheme_text,
		.idle_ns = idle_ns,
		.next_seq = last_seq + 1,
		.new_id = new_id,
		.mic = MIC_OFF,
	};
}

void recorder_fini(struct recorder *recorder)
{
	coding_free(recorder->coding);
	entries_fini(&recorder->out.entries);
	recorder->coding = NULL;
}

void recorder_clear(struct recorder *recorder)
{
	entries_fini(&recorder->out.entries);
	recorder->out = (struct recorder_out){0};
}

/* Adds an entry and gives its seq; 0 when memory ran out. */
static int64_t emit(struct recorder *recorder, struct entry entry, const struct facts *facts)
{
	entry.seq = recorder->next_seq;
	if (!entry.boot) {
		entry.boot = recorder->boot ? recorder->boot : entry.seq;
	}
	if ((facts && entry_set_facts(&entry, facts) < 0) ||
		entries_add(&recorder->out.entries, &entry) < 0) {
		entry_fini(&entry);
		recorder->short_of_memory = true;
		return 0;
	}
	recorder->next_seq++;
	return entry.seq;
}

static void name_code(struct entry *entry, const char *name)
{
	snprintf(entry->code, sizeof(entry->code), "%s", name);
}

static void keep(struct recorder *recorder, int64_t from_ns, int64_t to_ns)
{
	struct recorder_out *out = &recorder->out;
	if (from_ns < 0) {
		from_ns = 0;
	}
	if (out->n_keeps == RECORDER_KEEPS_MAX) { /* rather too much in one than none */
		struct keep *last = &out->keeps[RECORDER_KEEPS_MAX - 1];
		last->from_ns = from_ns < last->from_ns ? from_ns : last->from_ns;
		last->to_ns = to_ns > last->to_ns ? to_ns : last->to_ns;
		return;
	}
	out->keeps[out->n_keeps++] = (struct keep){from_ns, to_ns};
}

static void keep_around(struct recorder *recorder, const struct code *code, int64_t t_ns)
{
	keep(recorder, t_ns - code->before_s * NS_PER_S, t_ns + code->after_s * NS_PER_S);
}

void recorder_boot(struct recorder *recorder, int64_t now_ns, const char *boot_id, const char *box)
{
	struct facts facts = {0};
	snprintf(facts.boot_id, sizeof(facts.boot_id), "%s", boot_id);
	snprintf(facts.version, sizeof(facts.version), "%s", CHALKBOX_VERSION);
	snprintf(facts.box, sizeof(facts.box), "%s", box);
	recorder->boot = emit(recorder, (struct entry){.t_ns = now_ns, .kind = ENTRY_BOOT}, &facts);
}

void recorder_recovered(struct recorder *recorder, int64_t now_ns, int64_t observation)
{
	struct entry entry = {.t_ns = now_ns, .kind = ENTRY_END, .observation = observation};
	emit(recorder, entry, &(struct facts){.cause = "recovered"});
}

static void start(struct recorder *recorder, int64_t t_ns, const char *cause)
{
	struct facts facts = {.scheme = (char *)recorder->scheme_text};
	snprintf(facts.cause, sizeof(facts.cause), "%s", cause);
	recorder->new_id(facts.id);
	coding_free(recorder->coding);
	recorder->coding = coding_new(recorder->scheme);
	if (!recorder->coding) {
		recorder->short_of_memory = true;
	}
	struct entry entry = {
		.t_ns = t_ns, .kind = ENTRY_START, .observation = recorder->next_seq};
	recorder->observation = emit(recorder, entry, &facts);
	recorder->started_ns = t_ns;
	recorder->last_press_ns = t_ns;
	for (size_t i = 0; i < recorder->scheme->n_codes; i++) {
		int cue_s = recorder->scheme->codes[i].cue_s;
		recorder->cue_next_ns[i] = cue_s ? t_ns + cue_s * NS_PER_S : INT64_MAX;
	}
	recorder->out.confirm = true;
}

void recorder_end(struct recorder *recorder, int64_t t_ns, const char *cause)
{
	if (!recorder->observation) {
		return;
	}
	struct facts facts = {0};
	snprintf(facts.cause, sizeof(facts.cause), "%s", cause);
	struct entry entry = {
		.t_ns = t_ns, .kind = ENTRY_END, .observation = recorder->observation};
	emit(recorder, entry, &facts);
	coding_free(recorder->coding);
	recorder->coding = NULL;
	recorder->observation = 0;
	for (size_t i = 0; i < recorder->out.n_keeps; i++) { /* nothing beyond the end */
		struct keep *wish = &recorder->out.keeps[i];
		wish->to_ns = wish->to_ns < t_ns ? wish->to_ns : t_ns;
	}
	for (size_t i = 0; i < recorder->scheme->n_codes; i++) {
		recorder->down[i].seq = 0;
	}
	recorder->out.confirm = true;
	recorder->out.ended_ns = t_ns;
}

static void undo(struct recorder *recorder, int64_t t_ns)
{
	int64_t seq = recorder->coding ? coding_last(recorder->coding) : 0;
	if (!seq) {
		return;
	}
	coding_undo(recorder->coding, seq);
	struct entry entry = {.t_ns = t_ns,
		.kind = ENTRY_UNDO,
		.observation = recorder->observation,
		.ref = seq};
	emit(recorder, entry, NULL);
	recorder->out.confirm = true;
}

static void press_event(struct recorder *recorder, const struct code *code, size_t i, int64_t t_ns)
{
	if (!recorder->observation) {
		start(recorder, t_ns, "press");
	}
	struct entry entry = {
		.t_ns = t_ns, .kind = ENTRY_PRESS, .observation = recorder->observation};
	name_code(&entry, code->name);
	recorder->down[i].seq = emit(recorder, entry, NULL);
	recorder->last_press_ns = t_ns;
	if (recorder->coding &&
		coding_press(recorder->coding, code->name, t_ns, recorder->down[i].seq) < 0) {
		recorder->short_of_memory = true;
	}
	keep_around(recorder, code, t_ns);
	recorder->out.confirm = true;
}

void recorder_press(struct recorder *recorder, const struct code *code, int64_t t_ns)
{
	size_t i = (size_t)(code - recorder->scheme->codes);
	/* a loop that was kept from turning still sees what came before, in order */
	recorder_advance(recorder, t_ns);
	recorder->down[i].t_ns = t_ns;
	recorder->down[i].since_ns = t_ns;
	recorder->down[i].seq = 0;
	recorder->down[i].spent = false;
	switch (code->kind) {
	case CODE_LESSON:
		if (!recorder->observation) {
			start(recorder, t_ns, "button");
			recorder->down[i].spent = true;
		}
		break;
	case CODE_UNDO:
		undo(recorder, t_ns);
		break;
	case CODE_MUTE:
		recorder->mute_wanted = !recorder->mute_wanted;
		break;
	default:
		press_event(recorder, code, i, t_ns);
		break;
	}
}

/* Whether the span of this code's button, held long enough, is of interest. */
static bool spans(const struct code *code)
{
	return code->kind == CODE_HELD || code->hold[0];
}

static int64_t hold_ns(const struct recorder *recorder, const struct code *code)
{
	int ms = code->kind == CODE_LESSON ? recorder->scheme->end_hold_ms
					   : recorder->scheme->hold_ms;
	return ms * NS_PER_MS;
}

/* Up to when the sound of a button that is down is kept, seconds after aside. */
static int64_t kept_to(const struct recorder *recorder, size_t i)
{
	int64_t since_ns = recorder->down[i].since_ns;
	return since_ns == recorder->down[i].t_ns
		? since_ns
		: since_ns - HOLD_EXTENDS_NS + hold_ns(recorder, &recorder->scheme->codes[i]);
}

void recorder_release(
	struct recorder *recorder, const struct code *code, int64_t t_ns, bool estimated)
{
	size_t i = (size_t)(code - recorder->scheme->codes);
	int64_t held_ns = t_ns - recorder->down[i].t_ns;
	int64_t seq = recorder->down[i].seq;
	recorder_advance(recorder, t_ns); /* as above: a hold that ended by now */
	int64_t kept_to_ns = kept_to(recorder, i);
	recorder->down[i].t_ns = 0;
	recorder->down[i].seq = 0;
	if (!seq || !recorder->observation) {
		return;
	}
	struct entry entry = {.t_ns = t_ns,
		.kind = ENTRY_RELEASE,
		.observation = recorder->observation,
		.ref = seq,
		.value = estimated};
	name_code(&entry, code->name);
	emit(recorder, entry, NULL);
	if (recorder->coding) {
		coding_release(recorder->coding, seq, t_ns);
	}
	if (code->kind == CODE_HELD || (code->hold[0] && held_ns >= hold_ns(recorder, code))) {
		int64_t from_ns = t_ns - code->before_s * NS_PER_S;
		keep(recorder, from_ns < kept_to_ns ? from_ns : kept_to_ns,
			t_ns + code->after_s * NS_PER_S);
	}
}

void recorder_mute(struct recorder *recorder, bool muted)
{
	recorder->mute_wanted = muted;
}

/* When the button that is down does its next thing by being held. */
static int64_t hold_due_ns(const struct recorder *recorder, size_t i)
{
	const struct code *code = &recorder->scheme->codes[i];
	bool ends = code->kind == CODE_LESSON && recorder->observation;
	if (!recorder->down[i].t_ns || recorder->down[i].spent ||
		!(ends || code->kind == CODE_UNDO || (spans(code) && recorder->down[i].seq))) {
		return INT64_MAX;
	}
	return recorder->down[i].since_ns + hold_ns(recorder, code);
}

static void held(struct recorder *recorder, size_t i, int64_t due_ns)
{
	const struct code *code = &recorder->scheme->codes[i];
	if (code->kind == CODE_LESSON) {
		recorder->down[i].spent = true;
		recorder_end(recorder, due_ns, "button");
	} else if (code->kind == CODE_UNDO) {
		recorder->down[i].spent = true;
		undo(recorder, due_ns);
	} else {
		/* the span goes on: so does the sound; look again in a while */
		keep(recorder, kept_to(recorder, i), due_ns + code->after_s * NS_PER_S);
		recorder->down[i].since_ns += HOLD_EXTENDS_NS;
	}
}

static void prompt(struct recorder *recorder, size_t i, int64_t now_ns)
{
	struct entry entry = {.t_ns = recorder->cue_next_ns[i],
		.kind = ENTRY_CUE,
		.observation = recorder->observation};
	name_code(&entry, recorder->scheme->codes[i].name);
	emit(recorder, entry, NULL);
	recorder->out.cue = true;
	while (recorder->cue_next_ns[i] <= now_ns) {
		recorder->cue_next_ns[i] += recorder->scheme->codes[i].cue_s * NS_PER_S;
	}
}

void recorder_advance(struct recorder *recorder, int64_t now_ns)
{
	for (size_t i = 0; i < recorder->scheme->n_codes; i++) {
		int64_t due_ns = hold_due_ns(recorder, i);
		while (due_ns <= now_ns) {
			held(recorder, i, due_ns);
			due_ns = hold_due_ns(recorder, i);
		}
		if (recorder->observation && recorder->cue_next_ns[i] <= now_ns) {
			prompt(recorder, i, now_ns);
		}
	}
	if (recorder->coding) {
		coding_advance(recorder->coding, now_ns);
	}
	int64_t idle_due_ns = recorder->last_press_ns + recorder->idle_ns;
	if (recorder->observation && idle_due_ns <= now_ns) {
		recorder_end(recorder, idle_due_ns, "idle");
	}
}

int64_t recorder_deadline(const struct recorder *recorder)
{
	int64_t deadline_ns = INT64_MAX;
	for (size_t i = 0; i < recorder->scheme->n_codes; i++) {
		int64_t due_ns = hold_due_ns(recorder, i);
		deadline_ns = due_ns < deadline_ns ? due_ns : deadline_ns;
		if (recorder->observation && recorder->cue_next_ns[i] < deadline_ns) {
			deadline_ns = recorder->cue_next_ns[i];
		}
	}
	if (recorder->observation) {
		int64_t idle_ns = recorder->last_press_ns + recorder->idle_ns;
		deadline_ns = idle_ns < deadline_ns ? idle_ns : deadline_ns;
	}
	return deadline_ns;
}

void recorder_mic(struct recorder *recorder, int64_t t_ns, enum mic_state state,
	const struct facts *facts)
{
	recorder->mic = state;
	struct entry entry = {.t_ns = t_ns,
		.kind = ENTRY_MIC,
		.observation = recorder->observation,
		.value = state};
	emit(recorder, entry, facts);
}

void recorder_note(struct recorder *recorder, enum entry_kind kind, int64_t t_ns,
	int64_t observation, int64_t boot, const struct facts *facts)
{
	struct entry entry = {
		.t_ns = t_ns, .kind = kind, .observation = observation, .boot = boot};
	emit(recorder, entry, facts);
}

void recorder_clock(struct recorder *recorder, const struct clock_pair *pair, const char *cause)
{
	struct facts facts = {
		.uncertainty_ns = pair->uncertainty_ns, .trusted = pair->trusted};
	snprintf(facts.cause, sizeof(facts.cause), "%s", cause);
	struct entry entry = {.t_ns = pair->t_ns,
		.kind = ENTRY_CLOCK,
		.observation = recorder->observation,
		.value = pair->realtime_ns};
	emit(recorder, entry, &facts);
}

void recorder_fault(struct recorder *recorder, int64_t t_ns, const char *name, bool raised,
	const char *cause)
{
	struct facts facts = {0};
	snprintf(facts.cause, sizeof(facts.cause), "%s", cause ? cause : "");
	struct entry entry = {.t_ns = t_ns,
		.kind = ENTRY_FAULT,
		.observation = recorder->observation,
		.value = raised};
	name_code(&entry, name);
	emit(recorder, entry, &facts);
}
