/*
 * The meter behind a real listener, which hears the simulated microphone: two
 * seconds of a tone, two of silence, over and over. CHALKBOX_SIM_ALSA names the
 * alsa.conf to use; without it everything is skipped.
 */
#include "firmware/meter.h"

#include "app/base/clock.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define RATE_HZ 48000
#define SPEED 5
#define OBSERVATION 3
#define WAIT_NS (20 * NS_PER_S * SPEED)
#define TONE 24 /* half decibels */
#define GAPS_MAX 64

struct bench {
	struct config config;
	struct scheme scheme;
	struct recorder recorder;
	struct ring *ring;
	struct listener *listener;
	struct meter meter;
	struct heard gaps[GAPS_MAX]; /* of a machine that is too busy */
	size_t n_gaps;
};

static void new_id(char ret_id[static UUID_CHARS])
{
	memset(ret_id, 0, UUID_CHARS);
}

static void put(FILE *file, uint32_t value, int bytes)
{
	for (int i = 0; i < bytes; i++) {
		fputc((int)(value >> (8 * i) & 0xff), file);
	}
}

/* A square wave, 12 dB below a full-scale sine. */
static int write_wav(const char *path)
{
	FILE *file = fopen(path, "wb");
	if (!file) {
		return -1;
	}
	uint32_t bytes = 4 * RATE_HZ * 2;
	fwrite("RIFF", 1, 4, file);
	put(file, 36 + bytes, 4);
	fwrite("WAVEfmt ", 1, 8, file);
	put(file, 16, 4);
	put(file, 1, 2);
	put(file, 1, 2);
	put(file, RATE_HZ, 4);
	put(file, RATE_HZ * 2, 4);
	put(file, 2, 2);
	put(file, 16, 2);
	fwrite("data", 1, 4, file);
	put(file, bytes, 4);
	for (int i = 0; i < 4 * RATE_HZ; i++) {
		put(file, i >= 2 * RATE_HZ ? 0 : (uint32_t)(i % 100 < 50 ? 5792 : -5792), 2);
	}
	return fclose(file);
}

static int set_up(void **state)
{
	if (!getenv("CHALKBOX_SIM_ALSA")) {
		return 0;
	}
	struct bench *bench = calloc(1, sizeof(*bench));
	assert_non_null(bench);
	snprintf(bench->config.pcm, sizeof(bench->config.pcm), "chalkbox_sim");
	bench->config.ring_s = 60;
	bench->config.channel = 1;
	assert_int_equal(scheme_parse(scheme_default_text(), "default", &bench->scheme, NULL), 0);
	recorder_init(&bench->recorder, &bench->scheme, scheme_default_text(), 3600 * NS_PER_S,
		OBSERVATION, new_id);
	recorder_boot(&bench->recorder, clock_now_ns(), "", "box");
	recorder_clear(&bench->recorder);
	bench->ring = ring_new();
	assert_non_null(bench->ring);
	assert_int_equal(listener_new(&bench->config, bench->ring, &bench->listener), 0);
	meter_init(&bench->meter, bench->ring, bench->listener);
	*state = bench;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *bench = *state;
	if (bench) {
		listener_free(bench->listener);
		ring_free(bench->ring);
		recorder_fini(&bench->recorder);
		free(bench);
	}
	return 0;
}

static struct bench *begin(void **state)
{
	if (!*state) {
		print_message("skipped: CHALKBOX_SIM_ALSA is not set\n");
		skip();
	}
	return *state;
}

static void note_gap(struct bench *bench, const struct heard *heard)
{
	if (heard->what == HEARD_GAP && bench->n_gaps < GAPS_MAX) {
		bench->gaps[bench->n_gaps++] = *heard;
	}
}

static bool in_gap(const struct bench *bench, int64_t t_ns)
{
	bool inside = false;
	for (size_t i = 0; i < bench->n_gaps; i++) {
		inside |= t_ns > bench->gaps[i].from_ns - 200 * NS_PER_MS &&
			t_ns < bench->gaps[i].t_ns + 100 * NS_PER_MS;
	}
	return inside;
}

static struct heard wait_heard(struct bench *bench, int what)
{
	struct heard heard = {.what = HEARD_GAP};
	int64_t until_ns = clock_now_ns() + WAIT_NS;
	struct pollfd fd = {.fd = listener_fd(bench->listener), .events = POLLIN};
	while ((int)heard.what != what) {
		if (listener_next(bench->listener, &heard)) {
			note_gap(bench, &heard);
			continue;
		}
		if (clock_now_ns() > until_ns) {
			fail_msg("not heard: %d", what);
		}
		(void)poll(&fd, 1, 100);
	}
	return heard;
}

/* The loop: advances the meter when it is due, until @until_ns. */
static void turn_until(struct bench *bench, int64_t until_ns)
{
	struct heard heard;
	while (clock_now_ns() < until_ns) {
		while (listener_next(bench->listener, &heard)) {
			note_gap(bench, &heard);
		}
		if (clock_now_ns() >= meter_deadline(&bench->meter)) {
			meter_advance(&bench->meter, clock_now_ns(), &bench->recorder);
		}
		(void)poll(NULL, 0, 5);
	}
}

/*
 * Every level is where the tone or the silence was that it speaks of, and each
 * entry goes on where the one before ended. Gives where the last one ends.
 */
static int64_t assert_levels(const struct bench *bench, int64_t from_ns)
{
	int64_t at_ns = from_ns;
	for (size_t i = 0; i < bench->recorder.out.entries.n; i++) {
		const struct entry *entry = &bench->recorder.out.entries.list[i];
		struct facts facts;
		assert_int_equal(entry->kind, ENTRY_LOUDNESS);
		assert_int_equal(entry->observation, OBSERVATION);
		assert_int_equal(entry_get_facts(entry, &facts), 0);
		assert_int_equal(facts.step_ms, LOUDNESS_STEP_MS);
		assert_true(llabs(facts.from_ns - at_ns) < 20 * NS_PER_MS);
		for (size_t k = 0; k < facts.n_levels; k++) {
			int64_t t_ns = facts.from_ns + (int64_t)k * 100 * NS_PER_MS;
			int64_t phase_ms = (t_ns - clock_epoch_ns()) / NS_PER_MS % 2000;
			bool tone = (t_ns - clock_epoch_ns()) / NS_PER_S % 4 < 2;
			if (phase_ms > 50 && phase_ms < 1850 && !in_gap(bench, t_ns)) {
				assert_int_equal(facts.levels[k], tone ? TONE : LOUDNESS_SILENT);
			}
		}
		at_ns = facts.from_ns + (int64_t)facts.n_levels * 100 * NS_PER_MS;
		facts_fini(&facts);
	}
	return at_ns;
}

static void loudness_is_where_it_was_heard_a_minute_an_entry(void **state)
{
	struct bench *bench = begin(state);
	assert_int_equal(listener_start(bench->listener, false), 0);
	(void)wait_heard(bench, HEARD_LIVE);
	int64_t from_ns = clock_now_ns();
	meter_start(&bench->meter, from_ns, OBSERVATION);
	turn_until(bench, from_ns + 75 * NS_PER_S);
	assert_int_equal(bench->recorder.out.entries.n, 1);
	meter_stop(&bench->meter, clock_now_ns(), &bench->recorder);
	int64_t to_ns = clock_now_ns();
	assert_int_equal(meter_deadline(&bench->meter), INT64_MAX);
	assert_int_equal(bench->recorder.out.entries.n, 2);
	int64_t end_ns = assert_levels(bench, from_ns);
	/* but for the frames that are on their way */
	assert_in_range(end_ns, from_ns + 73 * NS_PER_S, to_ns);
}

static void the_last_seconds_before_a_mute_count(void **state)
{
	struct bench *bench = begin(state);
	assert_int_equal(listener_start(bench->listener, false), 0);
	(void)wait_heard(bench, HEARD_LIVE);
	int64_t from_ns = clock_now_ns();
	meter_start(&bench->meter, from_ns, OBSERVATION);
	turn_until(bench, from_ns + 17 * NS_PER_S); /* 7 s after the last look */
	listener_mute(bench->listener, true);
	struct heard muted = wait_heard(bench, HEARD_MUTED);
	assert_int_equal(listener_rate_hz(bench->listener), 0);
	meter_flush(&bench->meter, muted.t_ns, &bench->recorder);
	ring_wipe(bench->ring);
	assert_int_equal(bench->recorder.out.entries.n, 1);
	int64_t end_ns = assert_levels(bench, from_ns);
	assert_in_range(end_ns, from_ns + 15 * NS_PER_S, muted.t_ns);

	/* muted, there is nothing; live again, it goes on by itself */
	recorder_clear(&bench->recorder);
	meter_advance(&bench->meter, clock_now_ns(), &bench->recorder);
	meter_flush(&bench->meter, clock_now_ns(), &bench->recorder);
	assert_int_equal(bench->recorder.out.entries.n, 0);
	listener_mute(bench->listener, false);
	struct heard live = wait_heard(bench, HEARD_LIVE);
	turn_until(bench, live.t_ns + 12 * NS_PER_S);
	meter_stop(&bench->meter, clock_now_ns(), &bench->recorder);
	assert_int_equal(bench->recorder.out.entries.n, 1);
	struct facts facts;
	const struct entry *entry = &bench->recorder.out.entries.list[0];
	assert_int_equal(entry_get_facts(entry, &facts), 0);
	assert_in_range(facts.from_ns, muted.t_ns, live.t_ns);
	int64_t again_ns = facts.from_ns;
	facts_fini(&facts);
	(void)assert_levels(bench, again_ns);
}

static void without_a_microphone_there_is_nothing_to_measure(void **state)
{
	struct bench *bench = begin(state);
	meter_start(&bench->meter, clock_now_ns(), OBSERVATION);
	meter_advance(&bench->meter, clock_now_ns(), &bench->recorder);
	meter_stop(&bench->meter, clock_now_ns(), &bench->recorder);
	meter_stop(&bench->meter, clock_now_ns(), &bench->recorder);
	assert_int_equal(bench->recorder.out.entries.n, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(loudness_is_where_it_was_heard_a_minute_an_entry),
		TEST(the_last_seconds_before_a_mute_count),
		TEST(without_a_microphone_there_is_nothing_to_measure),
	};
	char wav[] = "/tmp/test_meter.XXXXXX", epoch[64];
	struct timespec now;
	struct error error;
	const char *alsa = getenv("CHALKBOX_SIM_ALSA");
	int fd = mkstemp(wav);
	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(epoch, sizeof(epoch), "%lld%09ld %d", (long long)now.tv_sec, now.tv_nsec, SPEED);
	if (fd < 0 || close(fd) < 0 || write_wav(wav) < 0 ||
		setenv("CHALKBOX_SIM_CLOCK", epoch, 1) < 0 ||
		setenv("CHALKBOX_SIM_WAV", wav, 1) < 0 ||
		setenv("CHALKBOX_SIM_END", "loop", 1) < 0 ||
		(alsa && setenv("ALSA_CONFIG_PATH", alsa, 1) < 0) || clock_init(&error) < 0) {
		return 1;
	}
	int r = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(wav);
	return r;
}
