#include "firmware/recorder.h"

#include "app/journal/entry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define S NS_PER_S
#define MS NS_PER_MS
#define T0_NS (5000 * S)
#define IDLE_NS (1800 * S)
#define BOOT_ID "0f5a3c1e-9d2b-4c6f-8a17-2b3c4d5e6f70"
#define OBSERVATION_ID "11111111-2222-4333-8444-555555555555"

static const char scheme_text[] =
	"[scheme]\nname = test\ntitle = Test\nhold_ms = 500\ndouble_ms = 400\nend_hold_ms = 2000\n"
	"[code ask]\ntitle = Ask\nbutton = 1\nkind = point\ndouble = open\nhold = wait\n"
	"before = 10\nafter = 20\n"
	"[code level]\ntitle = Level\nbutton = 2\nkind = sample\nlevels = most, half, few\n"
	"before = 5\nafter = 5\ncue = 60\n"
	"[code shift]\ntitle = Shift\nbutton = 3\nkind = state\nbefore = 10\nafter = 20\n"
	"[code talk]\ntitle = Talk\nbutton = 4\nkind = held\nbefore = 0\nafter = 0\n"
	"[code undo]\ntitle = Undo\nbutton = 5\nkind = undo\n"
	"[code lesson]\ntitle = Lesson\nbutton = 6\nkind = lesson\n"
	"[code mute]\ntitle = Mute\nbutton = 7\nkind = mute\n";

struct bench {
	struct scheme scheme;
	struct recorder recorder;
};

static void new_id(char ret_id[static UUID_CHARS])
{
	memcpy(ret_id, OBSERVATION_ID, UUID_CHARS);
}

static void begin(struct bench *bench)
{
	struct error error;
	if (scheme_parse(scheme_text, "test", &bench->scheme, &error) < 0) {
		fail_msg("%s", error.text);
	}
	recorder_init(&bench->recorder, &bench->scheme, scheme_text, IDLE_NS, 40, new_id);
	recorder_boot(&bench->recorder, T0_NS - S, BOOT_ID, "box");
}

static int set_up(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	assert_non_null(bench);
	begin(bench);
	recorder_clear(&bench->recorder);
	*state = bench;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *bench = *state;
	recorder_fini(&bench->recorder);
	free(bench);
	return 0;
}

static void press(struct bench *bench, const char *code, int64_t t_ns)
{
	recorder_press(&bench->recorder, scheme_code(&bench->scheme, code), t_ns);
}

static void release(struct bench *bench, const char *code, int64_t t_ns)
{
	recorder_release(&bench->recorder, scheme_code(&bench->scheme, code), t_ns, false);
}

static void tap(struct bench *bench, const char *code, int64_t t_ns)
{
	press(bench, code, t_ns);
	release(bench, code, t_ns + 100 * MS);
}

/* As the box does: advances at each deadline. */
static void wait_until(struct bench *bench, int64_t t_ns)
{
	for (int64_t due_ns; (due_ns = recorder_deadline(&bench->recorder)) <= t_ns;) {
		recorder_advance(&bench->recorder, due_ns);
		assert_true(recorder_deadline(&bench->recorder) > due_ns);
	}
	recorder_advance(&bench->recorder, t_ns);
}

static const struct entry *entry_at(const struct bench *bench, size_t i)
{
	assert_true(i < bench->recorder.out.entries.n);
	return &bench->recorder.out.entries.list[i];
}

static void assert_entry(
	const struct bench *bench, size_t i, enum entry_kind kind, const char *code, int64_t t_ns)
{
	const struct entry *entry = entry_at(bench, i);
	assert_string_equal(entry_kind_name(entry->kind), entry_kind_name(kind));
	assert_string_equal(entry->code, code);
	assert_int_equal(entry->t_ns, t_ns);
}

static void assert_cause(const struct bench *bench, size_t i, const char *cause)
{
	struct facts facts;
	assert_int_equal(entry_get_facts(entry_at(bench, i), &facts), 0);
	assert_string_equal(facts.cause, cause);
	facts_fini(&facts);
}

static size_t n_entries(const struct bench *bench)
{
	return bench->recorder.out.entries.n;
}

/* Seconds of the lesson, in tenths, that the wishes cover. */
static void cover(const struct bench *bench, bool *ret_wanted, size_t n)
{
	memset(ret_wanted, 0, n * sizeof(*ret_wanted));
	for (size_t i = 0; i < bench->recorder.out.n_keeps; i++) {
		const struct keep *keep = &bench->recorder.out.keeps[i];
		for (int64_t t = keep->from_ns; t < keep->to_ns; t += 100 * MS) {
			int64_t at = (t - T0_NS) / (100 * MS) + 200;
			assert_true(at >= 0 && (size_t)at < n);
			ret_wanted[at] = true;
		}
	}
}

/* That exactly [from, to) around T0 is wanted, in tenths of seconds. */
static void assert_wanted(const struct bench *bench, int from, int to)
{
	bool wanted[2000];
	cover(bench, wanted, 2000);
	for (int i = 0; i < 2000; i++) {
		if (wanted[i] != (i - 200 >= from && i - 200 < to)) {
			fail_msg("at %.1f s: %s", (i - 200) / 10.0,
				wanted[i] ? "nobody wanted this" : "this is missing");
		}
	}
}

static void a_run_begins_with_who_and_which_boot(void **state)
{
	struct bench bench = {0};
	struct facts facts;
	begin(&bench);
	assert_entry(&bench, 0, ENTRY_BOOT, "", T0_NS - S);
	assert_int_equal(entry_at(&bench, 0)->seq, 41);
	assert_int_equal(entry_at(&bench, 0)->boot, 41);
	assert_int_equal(entry_get_facts(entry_at(&bench, 0), &facts), 0);
	assert_string_equal(facts.boot_id, BOOT_ID);
	assert_string_equal(facts.box, "box");
	assert_true(facts.version[0]);
	facts_fini(&facts);
	recorder_fini(&bench.recorder);
}

static void the_lesson_button_starts_and_ends_by_a_hold(void **state)
{
	struct bench *bench = *state;
	tap(bench, "lesson", T0_NS);
	assert_int_equal(n_entries(bench), 1);
	assert_entry(bench, 0, ENTRY_START, "", T0_NS);
	assert_int_equal(entry_at(bench, 0)->observation, entry_at(bench, 0)->seq);
	assert_cause(bench, 0, "button");
	assert_true(bench->recorder.out.confirm);
	assert_int_equal(bench->recorder.out.n_keeps, 0);

	tap(bench, "lesson", T0_NS + 10 * S); /* too short to end anything */
	assert_int_equal(n_entries(bench), 1);

	press(bench, "lesson", T0_NS + 20 * S);
	wait_until(bench, T0_NS + 21 * S);
	assert_int_equal(n_entries(bench), 1);
	wait_until(bench, T0_NS + 30 * S);
	assert_int_equal(n_entries(bench), 2);
	assert_entry(bench, 1, ENTRY_END, "", T0_NS + 22 * S);
	assert_cause(bench, 1, "button");
	assert_true(bench->recorder.out.ended_ns > 0);
	assert_int_equal(bench->recorder.observation, 0);
	release(bench, "lesson", T0_NS + 31 * S);
	assert_int_equal(n_entries(bench), 2);
}

static void the_hold_that_starts_does_not_end_too(void **state)
{
	struct bench *bench = *state;
	press(bench, "lesson", T0_NS);
	wait_until(bench, T0_NS + 30 * S);
	release(bench, "lesson", T0_NS + 31 * S);
	assert_int_equal(n_entries(bench), 1);
	assert_true(bench->recorder.observation);
}

static void a_press_without_an_observation_starts_one(void **state)
{
	struct bench *bench = *state;
	press(bench, "ask", T0_NS);
	assert_int_equal(n_entries(bench), 2);
	assert_entry(bench, 0, ENTRY_START, "", T0_NS);
	assert_cause(bench, 0, "press");
	assert_entry(bench, 1, ENTRY_PRESS, "ask", T0_NS);
	assert_int_equal(entry_at(bench, 1)->observation, entry_at(bench, 0)->seq);
	assert_wanted(bench, -100, 200);
}

static void each_kind_of_code_gives_press_and_release(void **state)
{
	static const char *const codes[] = {"ask", "level", "shift", "talk"};
	struct bench *bench = *state;
	tap(bench, "lesson", T0_NS);
	for (size_t i = 0; i < 4; i++) {
		int64_t t_ns = T0_NS + (int64_t)(i + 1) * 5 * S;
		recorder_clear(&bench->recorder);
		tap(bench, codes[i], t_ns);
		assert_int_equal(n_entries(bench), 2);
		assert_entry(bench, 0, ENTRY_PRESS, codes[i], t_ns);
		assert_entry(bench, 1, ENTRY_RELEASE, codes[i], t_ns + 100 * MS);
		assert_int_equal(entry_at(bench, 1)->ref, entry_at(bench, 0)->seq);
		assert_int_equal(entry_at(bench, 1)->value, 0);
		assert_true(bench->recorder.out.confirm);
	}
	assert_true(coding_running(bench->recorder.coding, "shift"));
}

static void a_release_whose_edge_was_lost_is_marked(void **state)
{
	struct bench *bench = *state;
	press(bench, "ask", T0_NS);
	recorder_release(&bench->recorder, scheme_code(&bench->scheme, "ask"), T0_NS + S, true);
	assert_entry(bench, 2, ENTRY_RELEASE, "ask", T0_NS + S);
	assert_int_equal(entry_at(bench, 2)->value, 1);
}

static void a_release_without_a_press_is_nothing(void **state)
{
	struct bench *bench = *state;
	release(bench, "ask", T0_NS);
	release(bench, "lesson", T0_NS);
	tap(bench, "lesson", T0_NS + S);
	release(bench, "ask", T0_NS + 2 * S);
	assert_int_equal(n_entries(bench), 1);
}

static void undo_takes_back_the_last_and_held_the_one_before(void **state)
{
	struct bench *bench = *state;
	tap(bench, "ask", T0_NS);
	tap(bench, "ask", T0_NS + 5 * S);
	tap(bench, "shift", T0_NS + 10 * S);
	int64_t first = entry_at(bench, 1)->seq, second = entry_at(bench, 3)->seq;
	int64_t third = entry_at(bench, 5)->seq;
	recorder_clear(&bench->recorder);
	tap(bench, "undo", T0_NS + 12 * S);
	assert_int_equal(n_entries(bench), 1);
	assert_entry(bench, 0, ENTRY_UNDO, "", T0_NS + 12 * S);
	assert_int_equal(entry_at(bench, 0)->ref, third);
	assert_false(coding_running(bench->recorder.coding, "shift"));
	assert_true(bench->recorder.out.confirm);

	press(bench, "undo", T0_NS + 20 * S);
	wait_until(bench, T0_NS + 25 * S);
	release(bench, "undo", T0_NS + 25 * S);
	assert_int_equal(n_entries(bench), 3);
	assert_int_equal(entry_at(bench, 1)->ref, second);
	assert_entry(bench, 2, ENTRY_UNDO, "", T0_NS + 20 * S + 500 * MS);
	assert_int_equal(entry_at(bench, 2)->ref, first);

	recorder_clear(&bench->recorder);
	tap(bench, "undo", T0_NS + 30 * S); /* nothing is left */
	assert_int_equal(n_entries(bench), 0);
	assert_false(bench->recorder.out.confirm);
}

static void undo_outside_an_observation_is_nothing(void **state)
{
	struct bench *bench = *state;
	press(bench, "undo", T0_NS);
	wait_until(bench, T0_NS + 5 * S);
	release(bench, "undo", T0_NS + 5 * S);
	assert_int_equal(n_entries(bench), 0);
	assert_int_equal(bench->recorder.observation, 0);
}

static void a_tap_wants_the_sound_around_its_press_only(void **state)
{
	struct bench *bench = *state;
	tap(bench, "ask", T0_NS);
	wait_until(bench, T0_NS + 60 * S);
	assert_wanted(bench, -100, 200);
}

static void a_hold_wants_its_whole_span_and_the_seconds_after(void **state)
{
	struct bench *bench = *state;
	press(bench, "ask", T0_NS);
	wait_until(bench, T0_NS + 43 * S);
	release(bench, "ask", T0_NS + 43 * S);
	wait_until(bench, T0_NS + 100 * S);
	assert_wanted(bench, -100, 630);
}

static void a_held_code_without_seconds_around_wants_its_span_and_no_more(void **state)
{
	static const int tenths[] = {1, 3, 5, 9, 14, 15, 16, 31};
	for (size_t i = 0; i < sizeof(tenths) / sizeof(tenths[0]); i++) {
		struct bench *bench = *state;
		recorder_clear(&bench->recorder);
		press(bench, "talk", T0_NS);
		wait_until(bench, T0_NS + tenths[i] * 100 * MS);
		release(bench, "talk", T0_NS + tenths[i] * 100 * MS);
		assert_wanted(bench, 0, tenths[i]);
	}
}

static void a_loop_that_stood_still_comes_to_the_same(void **state)
{
	struct bench *bench = *state;
	press(bench, "lesson", T0_NS);
	release(bench, "lesson", T0_NS + S);
	press(bench, "ask", T0_NS + 2 * S);
	release(bench, "ask", T0_NS + 32 * S);
	/* held for 3 s; another press before anybody looked */
	press(bench, "lesson", T0_NS + 40 * S);
	press(bench, "shift", T0_NS + 42 * S + 500 * MS);
	release(bench, "lesson", T0_NS + 43 * S);
	assert_int_equal(n_entries(bench), 6);
	assert_entry(bench, 3, ENTRY_END, "", T0_NS + 42 * S);
	assert_entry(bench, 4, ENTRY_START, "", T0_NS + 42 * S + 500 * MS);
	assert_entry(bench, 5, ENTRY_PRESS, "shift", T0_NS + 42 * S + 500 * MS);
}

static void nothing_is_wanted_beyond_the_end(void **state)
{
	struct bench *bench = *state;
	tap(bench, "ask", T0_NS);
	tap(bench, "ask", T0_NS + 5 * S);
	recorder_end(&bench->recorder, T0_NS + 7 * S, "shutdown");
	assert_wanted(bench, -100, 70);
	assert_cause(bench, n_entries(bench) - 1, "shutdown");
	recorder_end(&bench->recorder, T0_NS + 8 * S, "shutdown");
	assert_int_equal(n_entries(bench), 6);
}

static void a_button_let_go_after_the_end_gives_no_entry(void **state)
{
	struct bench *bench = *state;
	press(bench, "ask", T0_NS);
	recorder_end(&bench->recorder, T0_NS + S, "shutdown");
	size_t n = n_entries(bench);
	release(bench, "ask", T0_NS + 2 * S);
	tap(bench, "lesson", T0_NS + 3 * S);
	press(bench, "ask", T0_NS + 4 * S);
	assert_int_equal(n_entries(bench), n + 2);
}

static void prompts_come_at_their_interval_and_not_in_heaps(void **state)
{
	struct bench *bench = *state;
	tap(bench, "lesson", T0_NS);
	recorder_clear(&bench->recorder);
	wait_until(bench, T0_NS + 59 * S);
	assert_false(bench->recorder.out.cue);
	wait_until(bench, T0_NS + 61 * S);
	assert_true(bench->recorder.out.cue);
	assert_entry(bench, 0, ENTRY_CUE, "level", T0_NS + 60 * S);
	recorder_clear(&bench->recorder);
	recorder_advance(&bench->recorder, T0_NS + 610 * S); /* a loop that stood still */
	assert_int_equal(n_entries(bench), 1);
	assert_int_equal(recorder_deadline(&bench->recorder), T0_NS + 660 * S);
	recorder_end(&bench->recorder, T0_NS + 611 * S, "button");
	recorder_clear(&bench->recorder);
	recorder_advance(&bench->recorder, T0_NS + 700 * S);
	assert_int_equal(n_entries(bench), 0);
}

static void an_observation_without_presses_ends_by_itself(void **state)
{
	struct bench *bench = *state;
	tap(bench, "lesson", T0_NS);
	tap(bench, "ask", T0_NS + 100 * S);
	for (int64_t t_ns = T0_NS; t_ns < T0_NS + 100 * S + IDLE_NS; t_ns += 10 * S) {
		wait_until(bench, t_ns);
	}
	assert_true(bench->recorder.observation);
	recorder_clear(&bench->recorder);
	wait_until(bench, T0_NS + 101 * S + IDLE_NS);
	assert_int_equal(bench->recorder.observation, 0);
	size_t last = n_entries(bench) - 1;
	assert_entry(bench, last, ENTRY_END, "", T0_NS + 100 * S + IDLE_NS);
	assert_cause(bench, last, "idle");
}

static void mute_is_a_wish_and_no_event(void **state)
{
	struct bench *bench = *state;
	tap(bench, "mute", T0_NS);
	assert_true(bench->recorder.mute_wanted);
	tap(bench, "mute", T0_NS + S);
	assert_false(bench->recorder.mute_wanted);
	recorder_mute(&bench->recorder, true);
	recorder_mute(&bench->recorder, true);
	assert_true(bench->recorder.mute_wanted);
	assert_int_equal(n_entries(bench), 0);
	assert_int_equal(bench->recorder.observation, 0);
}

static void more_wishes_than_there_is_room_lose_no_sound(void **state)
{
	struct bench *bench = *state;
	for (int i = 0; i < 3 * RECORDER_KEEPS_MAX; i++) {
		press(bench, "ask", T0_NS + i * 500 * MS);
	}
	assert_int_equal(bench->recorder.out.n_keeps, RECORDER_KEEPS_MAX);
	assert_wanted(bench, -100, (3 * RECORDER_KEEPS_MAX - 1) * 5 + 200);
}

static void a_press_in_the_first_seconds_after_power_on_looks_back_to_zero(void **state)
{
	struct bench *bench = *state;
	press(bench, "ask", 3 * S);
	assert_int_equal(bench->recorder.out.keeps[0].from_ns, 0);
	assert_int_equal(bench->recorder.out.keeps[0].to_ns, 23 * S);
}

/* --- anything at all --- */

static int choose(int n)
{
	return rand() % n;
}

static void happen(struct bench *bench, int64_t t_ns)
{
	struct recorder *recorder = &bench->recorder;
	const struct code *code = &bench->scheme.codes[choose((int)bench->scheme.n_codes)];
	struct clock_pair pair = {.t_ns = t_ns, .realtime_ns = t_ns + 5, .uncertainty_ns = 7};
	uint8_t levels[] = {1, 2, 3};
	struct facts loud = {
		.from_ns = t_ns, .step_ms = 100, .levels = levels, .n_levels = sizeof(levels)};
	struct facts gap = {.from_ns = t_ns - S, .to_ns = t_ns, .cause = "overrun"};
	switch (choose(16)) {
	case 0:
		recorder_clock(recorder, &pair, "hourly");
		break;
	case 1:
		recorder_fault(recorder, t_ns, "journal", choose(2), choose(2) ? "why" : NULL);
		break;
	case 2:
		recorder_mic(recorder, t_ns, (enum mic_state)choose(5),
			&(struct facts){.card = "card", .rate_hz = 48000});
		break;
	case 3:
		recorder_note(recorder, ENTRY_GAP, t_ns, recorder->observation, 0, &gap);
		break;
	case 4:
		if (recorder->observation) {
			recorder_note(
				recorder, ENTRY_LOUDNESS, t_ns, recorder->observation, 0, &loud);
		}
		break;
	case 5:
		recorder_mute(recorder, choose(2));
		break;
	case 6:
		if (choose(20) == 0) {
			recorder_end(recorder, t_ns, "shutdown");
		}
		break;
	case 7:
	case 8:
	case 9:
		recorder_advance(recorder, t_ns);
		assert_true(recorder_deadline(recorder) > t_ns);
		break;
	case 10:
	case 11:
		recorder_release(recorder, code, t_ns, choose(10) == 0);
		break;
	default:
		recorder_press(recorder, code, t_ns);
		break;
	}
}

/* Seqs go on, boots and observations are real ones, refs point at presses. */
static void assert_sound(const struct entries *entries, int64_t first_seq)
{
	int64_t boot = 0;
	for (size_t i = 0; i < entries->n; i++) {
		const struct entry *entry = &entries->list[i];
		struct error error;
		if (entry_check(entry, &error) < 0) {
			fail_msg("%s", error.text);
		}
		assert_int_equal(entry->seq, first_seq + (int64_t)i);
		boot = entry->kind == ENTRY_BOOT ? entry->seq : boot;
		assert_int_equal(entry->boot, boot);
		if (entry->observation) {
			assert_true(entry->observation >= first_seq);
			assert_int_equal(
				entries->list[entry->observation - first_seq].kind, ENTRY_START);
		}
		if (entry->kind == ENTRY_RELEASE || entry->kind == ENTRY_UNDO) {
			assert_true(entry->ref >= first_seq);
			const struct entry *ref = &entries->list[entry->ref - first_seq];
			assert_int_equal(ref->kind, ENTRY_PRESS);
			assert_int_equal(ref->observation, entry->observation);
			assert_true(entry->kind == ENTRY_UNDO || !strcmp(ref->code, entry->code));
		}
	}
}

static void whatever_happens_gives_entries_that_keep_the_rules(void **state)
{
	for (unsigned int seed = 1; seed <= 100; seed++) {
		struct bench bench = {0};
		struct entries all = {0};
		int64_t t_ns = T0_NS;
		srand(seed);
		begin(&bench);
		for (int i = 0; i < 400; i++) {
			int64_t before_ns = choose(10) ? 0 : choose(1000) * MS; /* out of order */
			t_ns += choose(20) ? choose(3000) * MS : choose(2000) * S;
			happen(&bench, t_ns - before_ns);
			for (size_t k = 0; k < bench.recorder.out.n_keeps; k++) {
				assert_true(bench.recorder.out.keeps[k].from_ns >= 0);
			}
			if (choose(5) == 0 || i == 399) {
				struct entries *out = &bench.recorder.out.entries;
				for (size_t k = 0; k < out->n; k++) {
					assert_int_equal(entries_add(&all, &out->list[k]), 0);
				}
				recorder_clear(&bench.recorder);
			}
		}
		assert_false(bench.recorder.short_of_memory);
		assert_true(all.n > 200);
		assert_sound(&all, 41);
		entries_fini(&all);
		recorder_fini(&bench.recorder);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_run_begins_with_who_and_which_boot),
		TEST(the_lesson_button_starts_and_ends_by_a_hold),
		TEST(the_hold_that_starts_does_not_end_too),
		TEST(a_press_without_an_observation_starts_one),
		TEST(each_kind_of_code_gives_press_and_release),
		TEST(a_release_whose_edge_was_lost_is_marked),
		TEST(a_release_without_a_press_is_nothing),
		TEST(undo_takes_back_the_last_and_held_the_one_before),
		TEST(undo_outside_an_observation_is_nothing),
		TEST(a_tap_wants_the_sound_around_its_press_only),
		TEST(a_hold_wants_its_whole_span_and_the_seconds_after),
		TEST(a_held_code_without_seconds_around_wants_its_span_and_no_more),
		TEST(a_loop_that_stood_still_comes_to_the_same),
		TEST(nothing_is_wanted_beyond_the_end),
		TEST(a_button_let_go_after_the_end_gives_no_entry),
		TEST(prompts_come_at_their_interval_and_not_in_heaps),
		TEST(an_observation_without_presses_ends_by_itself),
		TEST(mute_is_a_wish_and_no_event),
		TEST(more_wishes_than_there_is_room_lose_no_sound),
		TEST(a_press_in_the_first_seconds_after_power_on_looks_back_to_zero),
		TEST(whatever_happens_gives_entries_that_keep_the_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
