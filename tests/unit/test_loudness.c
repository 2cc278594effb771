#include "firmware/level.h"
#include "firmware/loudness.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RATE_HZ 48000
#define STEP (RATE_HZ / 10)

static uint8_t level_of_sine(double amplitude, double hz)
{
	struct loudness loudness;
	int16_t frames[STEP];
	uint8_t level = 255;
	loudness_init(&loudness, RATE_HZ);
	for (int i = 0; i < STEP; i++) {
		frames[i] = (int16_t)lrint(amplitude * sin(2 * M_PI * hz * i / RATE_HZ));
	}
	assert_true(loudness_add(&loudness, frames, STEP, &level));
	return level;
}

static void a_full_scale_sine_is_zero(void **state)
{
	assert_int_equal(level_of_sine(32767, 1000), 0);
}

static void each_halving_is_twelve_half_decibels(void **state)
{
	for (int i = 1; i < 10; i++) {
		double half_db = 40 * log10(pow(2, i));
		assert_true(abs(level_of_sine(32767 / pow(2, i), 1000) - (int)lrint(half_db)) <= 1);
	}
}

static void silence_is_the_lowest_level_and_a_square_wave_the_highest(void **state)
{
	struct loudness loudness;
	int16_t frames[STEP] = {0};
	uint8_t level;
	loudness_init(&loudness, RATE_HZ);
	assert_true(loudness_add(&loudness, frames, STEP, &level));
	assert_int_equal(level, LOUDNESS_SILENT);
	for (int i = 0; i < STEP; i++) {
		frames[i] = i % 2 ? INT16_MIN : INT16_MAX;
	}
	assert_true(loudness_add(&loudness, frames, STEP, &level));
	assert_int_equal(level, 0);
	frames[0] = 1;
	memset(frames + 1, 0, sizeof(frames) - sizeof(frames[0]));
	assert_true(loudness_add(&loudness, frames, STEP, &level));
	assert_in_range(level, 200, LOUDNESS_SILENT);
}

static void pieces_of_any_size_give_the_same_levels(void **state)
{
	static int16_t frames[10 * STEP];
	uint8_t whole[10], level;
	struct loudness loudness;
	uint32_t seed = 1;
	for (int i = 0; i < 10 * STEP; i++) {
		seed = seed * 1664525 + 1013904223;
		frames[i] = (int16_t)(seed >> 16) / (1 + i / STEP);
	}
	loudness_init(&loudness, RATE_HZ);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(loudness_missing(&loudness), STEP);
		assert_true(loudness_add(&loudness, frames + i * STEP, STEP, &whole[i]));
	}
	int n = 0;
	for (size_t at = 0; at < 10 * STEP;) {
		seed = seed * 1664525 + 1013904223;
		size_t piece = seed >> 22, most = loudness_missing(&loudness);
		piece = piece < most ? piece : most;
		if (loudness_add(&loudness, frames + at, piece, &level)) {
			assert_int_equal(level, whole[n++]);
		}
		at += piece;
	}
	assert_int_equal(n, 10);
}

static void a_step_is_a_tenth_of_a_second_at_any_rate(void **state)
{
	struct loudness loudness;
	loudness_init(&loudness, 44100);
	assert_int_equal(loudness_missing(&loudness), 4410);
	loudness_init(&loudness, 8000);
	assert_int_equal(loudness_missing(&loudness), 800);
	loudness_init(&loudness, 0);
	assert_int_equal(loudness_missing(&loudness), 0);
}

static void the_level_of_now_is_that_of_the_last_seconds(void **state)
{
	struct ring *ring = ring_new();
	struct level level;
	int16_t frames[STEP];
	assert_false(level_look(ring, RATE_HZ, &level));
	assert_int_equal(ring_reset(ring, RATE_HZ * 10), 0);
	assert_false(level_look(ring, RATE_HZ, &level));
	for (int i = 0; i < STEP; i++) {
		frames[i] = (int16_t)lrint(32767 * sin(2 * M_PI * 1000 * i / RATE_HZ));
	}
	ring_write(ring, frames, STEP);
	assert_true(level_look(ring, RATE_HZ, &level));
	assert_true(fabs(level.rms_db) < 0.1);
	assert_int_equal(level.peak_permille, 1000);
	assert_int_equal(level.ms, 100);
	for (int i = 0; i < STEP; i++) {
		frames[i] /= 100;
	}
	for (int i = 0; i < LEVEL_S * 10; i++) { /* what came before is past */
		ring_write(ring, frames, STEP);
	}
	assert_true(level_look(ring, RATE_HZ, &level));
	assert_true(fabs(level.rms_db - -40) < 0.5);
	assert_in_range(level.peak_permille, 9, 10);
	assert_int_equal(level.ms, LEVEL_S * 1000);
	ring_write(ring, NULL, STEP * LEVEL_S * 10);
	assert_true(level_look(ring, RATE_HZ, &level));
	assert_true(level.rms_db < -150);
	assert_int_equal(level.peak_permille, 0);
	assert_false(level_look(ring, 0, &level));
	ring_free(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_scale_sine_is_zero),
		cmocka_unit_test(each_halving_is_twelve_half_decibels),
		cmocka_unit_test(silence_is_the_lowest_level_and_a_square_wave_the_highest),
		cmocka_unit_test(pieces_of_any_size_give_the_same_levels),
		cmocka_unit_test(the_level_of_now_is_that_of_the_last_seconds),
		cmocka_unit_test(a_step_is_a_tenth_of_a_second_at_any_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
