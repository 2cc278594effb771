/*
 * A card with a clock error, looked at every 100 ms by somebody who is late: by
 * some 100 us mostly, now and then by much more.
 */
#include "firmware/sampleclock.h"

#include "app/base/clock.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define PERIOD_NS (100 * NS_PER_MS)
#define START_NS (INT64_C(86400) * 30 * NS_PER_S) /* a month after power-on */

struct card {
	double hz; /* true */
	int64_t start_frame, start_ns;
	uint64_t seed;
};

static double chance(struct card *card)
{
	card->seed = card->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (double)(card->seed >> 11) / (double)(UINT64_C(1) << 53);
}

/* Late by 150 us on average, one in fifty by up to 80 ms. */
static int64_t lateness_ns(struct card *card)
{
	double us = -150 * log(1 - chance(card));
	if (chance(card) < 0.02) {
		us += 80000 * chance(card);
	}
	return (int64_t)(us * 1000);
}

static int64_t true_frame(const struct card *card, int64_t t_ns)
{
	return card->start_frame + (int64_t)((double)(t_ns - card->start_ns) * card->hz / 1e9);
}

static int64_t true_time(const struct card *card, int64_t frame)
{
	return card->start_ns + llround((double)(frame - card->start_frame) * 1e9 / card->hz);
}

/* Looks every period in [from, to); gives the worst error after @since. */
static double run(struct sampleclock *clock, struct card *card, int64_t from_ns, int64_t to_ns,
	int64_t since_ns)
{
	double worst_ms = 0;
	for (int64_t t_ns = from_ns; t_ns < to_ns; t_ns += PERIOD_NS) {
		int64_t frame = true_frame(card, t_ns);
		sampleclock_anchor(clock, frame, t_ns + lateness_ns(card));
		if (t_ns < since_ns) {
			continue;
		}
		for (int back_s = 0; back_s <= 30; back_s += 10) { /* as a press looks back */
			int64_t then = frame - (int64_t)(back_s * card->hz);
			if (then < card->start_frame) {
				continue;
			}
			double off =
				(double)(sampleclock_time(clock, then) - true_time(card, then));
			worst_ms = fmax(worst_ms, fabs(off) / 1e6);
		}
	}
	return worst_ms;
}

static struct card new_card(struct sampleclock *clock, int rate_hz, double ppm, uint64_t seed)
{
	sampleclock_init(clock, rate_hz, PERIOD_NS);
	return (struct card){.hz = rate_hz * (1 + ppm / 1e6), .start_ns = START_NS, .seed = seed};
}

static void a_drifting_card_is_known_within_a_millisecond_over_two_hours(void **state)
{
	static const double ppms[] = {-100, -50, 0, 50, 100};
	static const int rates_hz[] = {16000, 44100, 48000};
	double early = 0, late = 0;
	for (size_t i = 0; i < 5; i++) {
		for (size_t k = 0; k < 3; k++) {
			struct sampleclock clock;
			struct card card = new_card(&clock, rates_hz[k], ppms[i], i * 3 + k);
			int64_t settled_ns = START_NS + 20 * NS_PER_S;
			early = fmax(early, run(&clock, &card, START_NS, settled_ns, START_NS));
			late = fmax(late,
				run(&clock, &card, settled_ns, START_NS + 7200 * NS_PER_S,
					settled_ns));
			assert_true(fabs(sampleclock_ppm(&clock) - ppms[i]) < 10);
		}
	}
	print_message("figures: worst mapping error %.3f ms in the first 20 s, %.3f ms after\n",
		early, late);
	assert_true(early < 3);
	assert_true(late < 1);
}

static void nothing_can_be_said_before_the_first_anchor(void **state)
{
	struct sampleclock clock;
	sampleclock_init(&clock, 48000, PERIOD_NS);
	assert_false(sampleclock_ready(&clock));
	sampleclock_anchor(&clock, 1000, START_NS);
	assert_true(sampleclock_ready(&clock));
	assert_int_equal(sampleclock_time(&clock, 1000), START_NS);
	assert_int_equal(sampleclock_time(&clock, 1000 + 48000), START_NS + NS_PER_S);
	assert_int_equal(sampleclock_frame(&clock, START_NS - NS_PER_S), 1000 - 48000);
}

static void frame_and_time_are_each_others_reverse(void **state)
{
	struct sampleclock clock;
	struct card card = new_card(&clock, 48000, 73, 5);
	run(&clock, &card, START_NS, START_NS + 300 * NS_PER_S, INT64_MAX);
	for (int64_t frame = 0; frame < 300 * 48000; frame += 12345) {
		assert_int_equal(sampleclock_frame(&clock, sampleclock_time(&clock, frame)), frame);
	}
}

static void far_off_anchors_are_refused(void **state)
{
	struct sampleclock clock;
	struct card card = new_card(&clock, 48000, 20, 6);
	int64_t t_ns = START_NS + 60 * NS_PER_S;
	run(&clock, &card, START_NS, t_ns, INT64_MAX);
	for (int i = 0; i < 20; i++) {
		for (int k = 0; k < 4; k++) {
			t_ns += 300 * NS_PER_MS;
			sampleclock_anchor(&clock, true_frame(&card, t_ns) - 48000 * 2, t_ns);
		}
		t_ns += 300 * NS_PER_MS;
		sampleclock_anchor(&clock, true_frame(&card, t_ns), t_ns);
		int64_t frame = true_frame(&card, t_ns);
		assert_true(llabs(sampleclock_time(&clock, frame) - t_ns) < NS_PER_MS);
	}
}

static void five_anchors_that_say_the_same_are_believed(void **state)
{
	struct sampleclock clock;
	struct card card = new_card(&clock, 48000, 20, 7);
	int64_t t_ns = START_NS + 60 * NS_PER_S;
	run(&clock, &card, START_NS, t_ns, INT64_MAX);
	card.start_frame -= 48000 * 2;
	run(&clock, &card, t_ns, t_ns + 2 * NS_PER_S, INT64_MAX);
	int64_t frame = true_frame(&card, t_ns);
	assert_true(
		llabs(sampleclock_time(&clock, frame) - true_time(&card, frame)) < 3 * NS_PER_MS);
}

static void a_first_anchor_that_is_wrong_does_not_stay(void **state)
{
	struct sampleclock clock;
	struct card card = new_card(&clock, 48000, 0, 8);
	sampleclock_anchor(&clock, 0, START_NS + NS_PER_S);
	double worst_ms = run(&clock, &card, START_NS + 2 * NS_PER_S, START_NS + 30 * NS_PER_S,
		START_NS + 4 * NS_PER_S);
	assert_true(worst_ms < 3);
}

static void a_restart_after_a_gap_keeps_the_slope(void **state)
{
	struct sampleclock clock;
	struct card card = new_card(&clock, 48000, 100, 9);
	int64_t t_ns = START_NS + 120 * NS_PER_S;
	run(&clock, &card, START_NS, t_ns, INT64_MAX);
	double ppm = sampleclock_ppm(&clock);
	sampleclock_restart(&clock);
	assert_false(sampleclock_ready(&clock));
	card.start_frame -= 4800; /* lost ones */
	sampleclock_anchor(&clock, true_frame(&card, t_ns), t_ns);
	assert_true(sampleclock_ready(&clock));
	assert_float_equal(sampleclock_ppm(&clock), ppm, 1e-6);
	int64_t later = true_frame(&card, t_ns + 60 * NS_PER_S);
	/* the card's own word would be 6 ms off after a minute */
	assert_true(llabs(sampleclock_time(&clock, later) - true_time(&card, later)) < NS_PER_MS);
	assert_true(run(&clock, &card, t_ns + PERIOD_NS, t_ns + 20 * NS_PER_S, t_ns) < 3);
}

static void a_slope_nobody_believes_does_not_move_the_line(void **state)
{
	struct sampleclock clock;
	sampleclock_init(&clock, 48000, PERIOD_NS);
	int64_t worst_ns = 0;
	/* 1.2 % fast: 240 ms in 20 s, never three periods off while it is followed */
	for (int64_t t = 0; t < 20 * NS_PER_S; t += PERIOD_NS) {
		int64_t frame = (int64_t)((double)t * 48000 * 1.012 / 1e9);
		sampleclock_anchor(&clock, frame, START_NS + t);
		int64_t off_ns = llabs(sampleclock_time(&clock, frame) - (START_NS + t));
		worst_ns = off_ns > worst_ns ? off_ns : worst_ns;
	}
	assert_true(fabs(sampleclock_ppm(&clock)) < 1e-6);
	assert_true(worst_ns < 150 * NS_PER_MS);
}

static void a_week_of_frames_loses_no_precision(void **state)
{
	struct sampleclock clock;
	struct card card = new_card(&clock, 192000, -100, 10);
	card.start_frame = INT64_C(192000) * 86400 * 365;
	card.start_ns = START_NS + INT64_C(86400) * 365 * NS_PER_S;
	int64_t from_ns = card.start_ns;
	double worst_ms =
		run(&clock, &card, from_ns, from_ns + 120 * NS_PER_S, from_ns + 20 * NS_PER_S);
	assert_true(worst_ms < 1);
	int64_t frame = card.start_frame + 192000 * 100;
	assert_int_equal(sampleclock_frame(&clock, sampleclock_time(&clock, frame)), frame);
}

static void time_that_goes_backwards_is_passed_over(void **state)
{
	struct sampleclock clock;
	struct card card = new_card(&clock, 48000, 0, 11);
	run(&clock, &card, START_NS, START_NS + 60 * NS_PER_S, INT64_MAX);
	int64_t before_ns = sampleclock_time(&clock, 60 * 48000);
	sampleclock_anchor(&clock, 60 * 48000, START_NS - 5 * NS_PER_S);
	sampleclock_anchor(&clock, 0, 0);
	assert_int_equal(sampleclock_time(&clock, 60 * 48000), before_ns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_drifting_card_is_known_within_a_millisecond_over_two_hours),
		cmocka_unit_test(nothing_can_be_said_before_the_first_anchor),
		cmocka_unit_test(frame_and_time_are_each_others_reverse),
		cmocka_unit_test(far_off_anchors_are_refused),
		cmocka_unit_test(five_anchors_that_say_the_same_are_believed),
		cmocka_unit_test(a_first_anchor_that_is_wrong_does_not_stay),
		cmocka_unit_test(a_restart_after_a_gap_keeps_the_slope),
		cmocka_unit_test(a_slope_nobody_believes_does_not_move_the_line),
		cmocka_unit_test(a_week_of_frames_loses_no_precision),
		cmocka_unit_test(time_that_goes_backwards_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
