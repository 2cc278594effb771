#include "app/scheme/coding.h"

#include "app/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS NS_PER_MS

static const char scheme_text[] = "[scheme]\nname = t\nhold_ms = 500\ndouble_ms = 400\n"
				  "[code q]\nkind=point\nbutton=1\ndouble=open\nhold=wait\n"
				  "[code p]\nkind=point\nbutton=2\n"
				  "[code s]\nkind=state\nbutton=3\n"
				  "[code h]\nkind=held\nbutton=4\n"
				  "[code e]\nkind=sample\nbutton=5\nlevels=most,half,few\n"
				  "[code undo]\nkind=undo\nbutton=6\n"
				  "[code lesson]\nkind=lesson\nbutton=7\n";

static struct scheme scheme;

static int set_up(void **state)
{
	struct error error = {""};

	if (scheme_parse(scheme_text, "t", &scheme, &error) != 0) {
		print_error("%s\n", error.text);
		return -1;
	}
	*state = coding_new(&scheme);
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	coding_free(*state);
	return 0;
}

static void press(struct coding *coding, const char *code, int64_t ms, int64_t seq)
{
	assert_int_equal(coding_press(coding, code, ms * MS, seq), 0);
}

static void tap(struct coding *coding, const char *code, int64_t ms, int64_t seq)
{
	press(coding, code, ms, seq);
	coding_release(coding, seq, (ms + 80) * MS);
}

static const struct coded *only(const struct coding *coding, size_t n, size_t i)
{
	size_t got;
	const struct coded *events = coding_events(coding, &got);

	assert_int_equal(got, n);
	return &events[i];
}

static void a_tap_is_an_event_from_its_press_on(void **state)
{
	const struct coded *event;

	press(*state, "q", 1000, 5);
	event = only(*state, 1, 0);
	assert_int_equal(event->seq, 5);
	assert_int_equal(event->t_ns, 1000 * MS);
	assert_int_equal(event->end_ns, 1000 * MS);
	assert_string_equal(event->code->name, "q");
	assert_string_equal(event->modifier, "");
	assert_false(event->span);
	assert_int_equal(coding_last(*state), 5);
}

static void a_second_tap_in_time_makes_a_double(void **state)
{
	const struct coded *event;

	tap(*state, "q", 1000, 1);
	tap(*state, "q", 1480, 2); /* 400 ms after the release: still in time */
	event = only(*state, 1, 0);
	assert_string_equal(event->modifier, "open");
	assert_int_equal(event->taps, 2);
	assert_int_equal(event->t_ns, 1000 * MS);
	assert_int_equal(event->last_press_seq, 2);

	tap(*state, "q", 1700, 3);
	event = only(*state, 2, 1);
	assert_string_equal(event->modifier, "");
}

static void a_second_tap_too_late_is_an_event_of_its_own(void **state)
{
	tap(*state, "q", 1000, 1);
	tap(*state, "q", 1481, 2);
	assert_string_equal(only(*state, 2, 0)->modifier, "");
	assert_string_equal(only(*state, 2, 1)->modifier, "");
}

static void a_missing_release_counts_from_the_press(void **state)
{
	press(*state, "q", 1000, 1);
	press(*state, "q", 1400, 2);
	assert_string_equal(only(*state, 1, 0)->modifier, "open");
	press(*state, "q", 5000, 3);
	press(*state, "q", 5401, 4);
	assert_string_equal(only(*state, 3, 1)->modifier, "");
	/* No release: nobody knows how long it was held, so it is no hold. */
	assert_false(only(*state, 3, 0)->span);
	assert_false(only(*state, 3, 1)->span);
}

static void a_point_without_a_double_is_one_event_a_press(void **state)
{
	tap(*state, "p", 1000, 1);
	tap(*state, "p", 1100, 2);
	tap(*state, "p", 1200, 3);
	only(*state, 3, 0);
}

static void taps_of_another_code_do_not_part_a_double(void **state)
{
	tap(*state, "q", 1000, 1);
	tap(*state, "p", 1100, 2);
	tap(*state, "q", 1200, 3);
	assert_string_equal(only(*state, 2, 0)->modifier, "open");
	/* The last press was the double's: the whole of it goes. */
	assert_int_equal(coding_last(*state), 1);
}

static void a_held_press_becomes_a_span_from_press_to_release(void **state)
{
	const struct coded *event;

	press(*state, "q", 1000, 1);
	coding_release(*state, 1, 1499 * MS);
	assert_false(only(*state, 1, 0)->span);

	press(*state, "q", 3000, 2);
	coding_release(*state, 2, 3500 * MS);
	event = only(*state, 2, 1);
	assert_true(event->span);
	assert_false(event->open);
	assert_string_equal(event->modifier, "wait");
	assert_int_equal(event->t_ns, 3000 * MS);
	assert_int_equal(event->end_ns, 3500 * MS);

	/* After a hold comes a new event, however soon. */
	tap(*state, "q", 3600, 3);
	assert_string_equal(only(*state, 3, 2)->modifier, "");
}

static void a_held_second_tap_stays_a_double(void **state)
{
	tap(*state, "q", 1000, 1);
	press(*state, "q", 1200, 2);
	coding_advance(*state, 9000 * MS);
	coding_release(*state, 2, 9000 * MS);
	assert_false(only(*state, 1, 0)->span);
	assert_string_equal(only(*state, 1, 0)->modifier, "open");
}

static void a_button_still_down_becomes_a_hold_when_time_passes(void **state)
{
	press(*state, "q", 1000, 1);
	coding_advance(*state, 1499 * MS);
	assert_false(only(*state, 1, 0)->span);
	coding_advance(*state, 1500 * MS);
	assert_true(only(*state, 1, 0)->span);
	assert_true(only(*state, 1, 0)->open);
	assert_string_equal(only(*state, 1, 0)->modifier, "wait");
	coding_release(*state, 1, 1700 * MS);
	assert_false(only(*state, 1, 0)->open);
	assert_int_equal(only(*state, 1, 0)->end_ns, 1700 * MS);
}

static void a_state_begins_and_ends_by_presses(void **state)
{
	const struct coded *event;

	tap(*state, "s", 1000, 1);
	assert_true(coding_running(*state, "s"));
	event = only(*state, 1, 0);
	assert_true(event->span);
	assert_true(event->open);
	tap(*state, "s", 9000, 2);
	assert_false(coding_running(*state, "s"));
	event = only(*state, 1, 0);
	assert_false(event->open);
	assert_int_equal(event->end_ns, 9000 * MS);
	assert_int_equal(event->end_seq, 2);
	tap(*state, "s", 20000, 3);
	assert_true(coding_running(*state, "s"));
	only(*state, 2, 1);
}

static void an_accidental_double_press_does_not_lose_a_state(void **state)
{
	tap(*state, "s", 1000, 1);
	tap(*state, "s", 1400, 2);
	assert_true(coding_running(*state, "s"));
	tap(*state, "s", 1801, 3); /* the press before it was at 1400 */
	assert_false(coding_running(*state, "s"));
	assert_int_equal(only(*state, 1, 0)->end_seq, 3);
	coding_undo(*state, 2);
	assert_false(only(*state, 1, 0)->undone);
}

static void a_held_code_lasts_from_press_to_release(void **state)
{
	press(*state, "h", 1000, 1);
	assert_true(coding_running(*state, "h"));
	coding_release(*state, 1, 1200 * MS);
	assert_true(only(*state, 1, 0)->span);
	assert_false(only(*state, 1, 0)->open);
	assert_int_equal(only(*state, 1, 0)->end_ns, 1200 * MS);
	press(*state, "h", 2000, 2);
	press(*state, "h", 3000, 3); /* the release of 2 never came */
	assert_false(only(*state, 3, 1)->open);
	assert_int_equal(only(*state, 3, 1)->end_ns, 3000 * MS);
	assert_true(only(*state, 3, 2)->open);
}

static void the_number_of_taps_is_the_level_of_a_sample(void **state)
{
	static const char *const levels[] = {"most", "half", "few", "few"};

	for (int i = 0; i < 4; i++) {
		tap(*state, "e", 1000 + 300 * i, 1 + i);
		assert_string_equal(only(*state, 1, 0)->modifier, levels[i]);
	}
	assert_int_equal(only(*state, 1, 0)->taps, 3);
	/* The tap too many keeps the group together, and counts for nothing. */
	assert_int_equal(coding_last(*state), 1);
	tap(*state, "e", 2381, 5);
	assert_string_equal(only(*state, 2, 1)->modifier, "most");

	press(*state, "e", 9000, 6);
	coding_advance(*state, 12000 * MS);
	coding_release(*state, 6, 12000 * MS);
	assert_false(only(*state, 3, 2)->span);
	tap(*state, "e", 12300, 7);
	assert_string_equal(only(*state, 3, 2)->modifier, "half");
}

static void undo_takes_the_whole_event_and_keeps_it_in_the_list(void **state)
{
	tap(*state, "p", 100, 1);
	tap(*state, "q", 1000, 2);
	tap(*state, "q", 1200, 3);
	assert_int_equal(coding_last(*state), 2);
	coding_undo(*state, 2);
	assert_true(only(*state, 2, 1)->undone);
	assert_int_equal(coding_last(*state), 1);
	coding_undo(*state, 2);
	coding_undo(*state, 1);
	assert_int_equal(coding_last(*state), 0);
	coding_undo(*state, 0);
	coding_undo(*state, 77);

	/* What was undone takes no second tap. */
	tap(*state, "q", 1300, 4);
	assert_string_equal(only(*state, 3, 2)->modifier, "");
	assert_int_equal(coding_last(*state), 4);
}

static void undo_of_a_later_tap_takes_its_event(void **state)
{
	tap(*state, "e", 1000, 1);
	tap(*state, "e", 1200, 2);
	tap(*state, "e", 1400, 3);
	coding_undo(*state, 2);
	assert_true(only(*state, 1, 0)->undone);
}

static void undo_of_an_ending_press_opens_the_state_again(void **state)
{
	tap(*state, "s", 1000, 1);
	tap(*state, "s", 9000, 2);
	assert_int_equal(coding_last(*state), 2);
	coding_undo(*state, 2);
	assert_true(coding_running(*state, "s"));
	assert_false(only(*state, 1, 0)->undone);
	assert_int_equal(coding_last(*state), 1);
	tap(*state, "s", 12000, 3);
	assert_int_equal(only(*state, 1, 0)->end_ns, 12000 * MS);
	coding_undo(*state, 2); /* undone already */
	assert_int_equal(only(*state, 1, 0)->end_seq, 3);
	coding_undo(*state, coding_last(*state));
	coding_undo(*state, coding_last(*state));
	assert_true(only(*state, 1, 0)->undone);
	assert_false(coding_running(*state, "s"));
	tap(*state, "s", 15000, 4);
	assert_true(coding_running(*state, "s"));
	only(*state, 2, 1);
}

static void an_end_is_not_undone_under_a_state_begun_since(void **state)
{
	tap(*state, "s", 1000, 1);
	tap(*state, "s", 2000, 2);
	tap(*state, "s", 3000, 3);
	coding_undo(*state, 2);
	assert_false(only(*state, 2, 0)->open);
	coding_undo(*state, 3);
	coding_undo(*state, 2);
	assert_true(only(*state, 2, 0)->open);
	assert_true(coding_running(*state, "s"));
	tap(*state, "s", 5000, 4);
	assert_int_equal(only(*state, 2, 0)->end_ns, 5000 * MS);
}

static void what_is_open_at_the_end_ends_there_and_says_so(void **state)
{
	tap(*state, "s", 1000, 1);
	press(*state, "h", 2000, 2);
	press(*state, "q", 3000, 3);
	press(*state, "p", 3900, 4);
	coding_finish(*state, 4000 * MS);
	for (size_t i = 0; i < 3; i++) {
		assert_true(only(*state, 4, i)->span);
		assert_true(only(*state, 4, i)->open);
		assert_int_equal(only(*state, 4, i)->end_ns, 4000 * MS);
	}
	assert_string_equal(only(*state, 4, 2)->modifier, "wait");
	assert_false(only(*state, 4, 3)->span);
}

static void what_codes_nothing_is_ignored(void **state)
{
	tap(*state, "undo", 1000, 1);
	tap(*state, "lesson", 2000, 2);
	tap(*state, "nobody", 3000, 3);
	tap(*state, "p", 4000, 4);
	tap(*state, "p", 5000, 4); /* a number that does not rise */
	tap(*state, "p", 6000, -3);
	coding_release(*state, 99, 1);
	only(*state, 1, 0);
	assert_false(coding_running(*state, "nobody"));
}

/* The recorder asks while time passes, the timeline only folds what is kept. */
static void asking_in_between_changes_nothing(void **state)
{
	static const char *const codes[] = {"q", "p", "s", "h", "e"};
	unsigned seed = 1;

	for (int round = 0; round < 200; round++) {
		struct coding *live = coding_new(&scheme), *fold = coding_new(&scheme);
		const struct coded *a, *b;
		size_t n, m;
		int64_t ms = 0;

		assert_non_null(live);
		assert_non_null(fold);
		for (int64_t seq = 1; seq <= 60; seq++) {
			int what = rand_r(&seed) % 8;

			ms += rand_r(&seed) % 700;
			coding_advance(live, ms * MS);
			if (what == 0) {
				coding_undo(fold, coding_last(fold));
				coding_undo(live, coding_last(live));
			} else if (what < 4) {
				int64_t which = seq - rand_r(&seed) % 4;

				coding_release(live, which, ms * MS);
				coding_release(fold, which, ms * MS);
			} else {
				const char *code = codes[rand_r(&seed) % 5];

				press(live, code, ms, seq);
				press(fold, code, ms, seq);
			}
		}
		coding_finish(live, ms * MS);
		coding_finish(fold, ms * MS);
		a = coding_events(live, &n);
		b = coding_events(fold, &m);
		assert_int_equal(n, m);
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(a[i].seq, b[i].seq);
			assert_int_equal(a[i].end_ns, b[i].end_ns);
			assert_int_equal(a[i].span, b[i].span);
			assert_int_equal(a[i].open, b[i].open);
			assert_int_equal(a[i].undone, b[i].undone);
			assert_int_equal(a[i].taps, b[i].taps);
			assert_string_equal(a[i].modifier, b[i].modifier);
		}
		coding_free(live);
		coding_free(fold);
	}
}

static void any_sequence_of_calls_at_any_times_is_survived(void **state)
{
	static const char *const codes[] = {"q", "p", "s", "h", "e", "undo", "", "nobody"};
	static const int64_t edges[] = {
		INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};
	struct coding *coding = *state;
	unsigned seed = 7;

	for (int64_t i = 1; i <= 20000; i++) {
		int64_t t_ns = edges[rand_r(&seed) % 7], undos = 0;
		int64_t seq = rand_r(&seed) % 50 ? i : edges[1 + rand_r(&seed) % 4];

		if (rand_r(&seed) % 2) {
			t_ns = (int64_t)(rand_r(&seed) % 5000) * MS;
		}
		switch (rand_r(&seed) % 5) {
		case 0:
			coding_release(coding, seq - rand_r(&seed) % 2, t_ns);
			break;
		case 1:
			coding_undo(coding, i - rand_r(&seed) % 9);
			break;
		case 2:
			coding_advance(coding, t_ns);
			break;
		default:
			assert_int_equal(
				coding_press(coding, codes[rand_r(&seed) % 8], t_ns, seq), 0);
		}
		if (i % 5000 == 0) {
			coding_finish(coding, t_ns);
			/* Undoing the last one again and again comes to an end. */
			for (int64_t last; (last = coding_last(coding)) != 0; undos++) {
				assert_true(undos < 20000);
				coding_undo(coding, last);
			}
		}
	}
	assert_int_equal(coding_last(coding), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_tap_is_an_event_from_its_press_on),
		TEST(a_second_tap_in_time_makes_a_double),
		TEST(a_second_tap_too_late_is_an_event_of_its_own),
		TEST(a_missing_release_counts_from_the_press),
		TEST(a_point_without_a_double_is_one_event_a_press),
		TEST(taps_of_another_code_do_not_part_a_double),
		TEST(a_held_press_becomes_a_span_from_press_to_release),
		TEST(a_held_second_tap_stays_a_double),
		TEST(a_button_still_down_becomes_a_hold_when_time_passes),
		TEST(a_state_begins_and_ends_by_presses),
		TEST(an_accidental_double_press_does_not_lose_a_state),
		TEST(a_held_code_lasts_from_press_to_release),
		TEST(the_number_of_taps_is_the_level_of_a_sample),
		TEST(undo_takes_the_whole_event_and_keeps_it_in_the_list),
		TEST(undo_of_a_later_tap_takes_its_event),
		TEST(undo_of_an_ending_press_opens_the_state_again),
		TEST(an_end_is_not_undone_under_a_state_begun_since),
		TEST(what_is_open_at_the_end_ends_there_and_says_so),
		TEST(what_codes_nothing_is_ignored),
		TEST(asking_in_between_changes_nothing),
		TEST(any_sequence_of_calls_at_any_times_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
