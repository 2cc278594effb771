/* When frames come, what they hold, and what the card speaks. */
#include "tests/unit/sim_bench.h"

#include <poll.h>

static void frames_come_when_the_simulated_clock_says(void **state)
{
	struct fixture *f = *state;
	snd_pcm_status_t *status;
	snd_htimestamp_t stamp;

	tape_make(f, SF_FORMAT_WAV | SF_FORMAT_PCM_32, 1, RATE_HZ * 30);
	clock_make(f, 0, 0);
	assert_int_equal(mic_open(f, 0), 0);
	snd_pcm_status_alloca(&status);

	int n = RATE_HZ / 10;
	int64_t begun_ns = now_ns();
	int64_t next = follows(f, mic_start(f, n), n);
	while (now_ns() < begun_ns + NS_PER_S) {
		assert_int_equal(snd_pcm_wait(f->pcm, 1000), 1);
		int64_t woken_ns = now_ns();
		assert_int_equal(snd_pcm_status(f->pcm, status), 0);
		snd_pcm_status_get_htstamp(status, &stamp);
		int64_t stamp_ns = stamp.tv_sec * NS_PER_S + stamp.tv_nsec;
		snd_pcm_uframes_t avail = snd_pcm_status_get_avail(status);

		assert_in_range(stamp_ns, woken_ns, now_ns());
		assert_true(avail >= (snd_pcm_uframes_t)n);
		assert_world(f, next + (int64_t)avail, woken_ns, stamp_ns);
		mic_read(f, n);
		next = follows(f, next, n);
	}
}

static void a_reader_is_woken_once_a_period_and_in_time(void **state)
{
	struct fixture *f = *state;
	struct pollfd pfd;
	unsigned short events;
	int64_t least_late_ns = INT64_MAX;

	tape_make(f, SF_FORMAT_WAV | SF_FORMAT_PCM_32, 1, RATE_HZ * 30);
	clock_make(f, 0, 0);
	assert_int_equal(mic_open(f, SND_PCM_NONBLOCK), 0);
	assert_int_equal(snd_pcm_poll_descriptors(f->pcm, &pfd, 1), 1);
	int n = RATE_HZ / 10;
	assert_int_equal(snd_pcm_start(f->pcm), 0);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(poll(&pfd, 1, 2000), 1);
		int64_t woken_ns = now_ns();
		assert_int_equal(snd_pcm_poll_descriptors_revents(f->pcm, &pfd, 1, &events), 0);
		assert_int_equal(events, POLLIN);
		mic_read(f, n);
		int64_t next = index_of(f->frames[n - 1]) + 1;
		int64_t due_ns = f->epoch_ns + (int64_t)((double)next / f->hz * 1e9);
		assert_true(woken_ns >= due_ns);
		if (woken_ns - due_ns < least_late_ns) {
			least_late_ns = woken_ns - due_ns;
		}
	}
	/* however busy the machine is, one of so many comes within half a period */
	assert_true(least_late_ns < NS_PER_S / 10 / SPEED / 2);
}

static void reads_of_any_size_miss_no_frame(void **state)
{
	struct fixture *f = *state;

	tape_make(f, SF_FORMAT_WAV | SF_FORMAT_PCM_32, 1, RATE_HZ * 30);
	clock_make(f, 0, 0);
	assert_int_equal(mic_open(f, 0), 0);
	int64_t next = follows(f, mic_start(f, 1), 1);
	for (int n = 1; n < 20000; n = n * 2 + 13) {
		mic_read(f, n);
		next = follows(f, next, n);
	}
}

static void memory_mapped_reads_give_the_same(void **state)
{
	struct fixture *f = *state;

	tape_make(f, SF_FORMAT_WAV | SF_FORMAT_PCM_32, 1, RATE_HZ * 30);
	clock_make(f, 0, 0);
	f->access = SND_PCM_ACCESS_MMAP_INTERLEAVED;
	assert_int_equal(mic_open(f, 0), 0);
	int64_t from_ns = now_ns();
	assert_int_equal(snd_pcm_start(f->pcm), 0);
	int64_t to_ns = now_ns();
	int64_t next = -1;
	/* more than the buffer holds: it wraps around */
	for (int n = 0; n < 6 * RATE_HZ; n += RATE_HZ / 7) {
		assert_int_equal(snd_pcm_mmap_readi(f->pcm, f->frames, RATE_HZ / 7), RATE_HZ / 7);
		if (next < 0) {
			next = index_of(f->frames[0]);
			assert_world(f, next, from_ns, to_ns);
		}
		next = follows(f, next, RATE_HZ / 7);
	}
}

static void htimestamp_comes_back_at_a_raised_speed(void **state)
{
	struct fixture *f = *state;
	snd_pcm_uframes_t avail;
	snd_htimestamp_t stamp;

	tape_make(f, SF_FORMAT_WAV | SF_FORMAT_PCM_32, 1, RATE_HZ * 30);
	clock_make(f, 0, 0);
	assert_int_equal(mic_open(f, 0), 0);
	int n = RATE_HZ / 10;
	int64_t next = follows(f, mic_start(f, n), n);
	int64_t from_ns = now_ns();
	assert_int_equal(snd_pcm_htimestamp(f->pcm, &avail, &stamp), 0);
	assert_world(f, next + (int64_t)avail, from_ns, stamp.tv_sec * NS_PER_S + stamp.tv_nsec);
}

static void after_an_hour_and_a_half_the_clock_error_has_added_up(void **state)
{
	struct fixture *f = *state;
	static const double ppms[] = { -100, 0, 100 };
	int length = RATE_HZ * 20;

	tape_make(f, SF_FORMAT_WAV | SF_FORMAT_PCM_32, 1, length);
	setenv("CHALKBOX_SIM_END", "loop", 1);
	for (size_t i = 0; i < sizeof(ppms) / sizeof(ppms[0]); i++) {
		clock_make(f, 5400, ppms[i]);
		assert_int_equal(mic_open(f, 0), 0);
		int64_t from_ns = now_ns();
		assert_int_equal(snd_pcm_start(f->pcm), 0);
		int64_t to_ns = now_ns();
		mic_read(f, 100);
		int64_t first = index_of(f->frames[0]);
		int64_t rounds = (int64_t)floor(world(f, from_ns) / length);
		assert_world(f, rounds * length + first, from_ns, to_ns);
		mic_close(f);
	}
}

static void before_the_epoch_there_is_silence(void **state)
{
	struct fixture *f = *state;

	tape_make(f, SF_FORMAT_WAV | SF_FORMAT_PCM_32, 1, RATE_HZ * 30);
	clock_make(f, -0.5, 0);
	assert_int_equal(mic_open(f, 0), 0);
	assert_int_equal(snd_pcm_start(f->pcm), 0);
	mic_read(f, RATE_HZ);
	int i = 0;
	while (i < RATE_HZ && f->frames[i] == 0) {
		i++;
	}
	/* frame 0 itself is 0, too */
	assert_in_range(i, 2, RATE_HZ / 2 + 1);
	for (int64_t k = 1; i < RATE_HZ; i++, k++) {
		assert_int_equal(index_of(f->frames[i]), k);
	}
}

static void the_end_of_the_file_is_followed_by_silence(void **state)
{
	struct fixture *f = *state;
	int length = RATE_HZ / 2;

	tape_make(f, SF_FORMAT_WAV | SF_FORMAT_PCM_32, 1, length);
	clock_make(f, 0, 0);
	assert_int_equal(mic_open(f, 0), 0);
	int64_t first = mic_start(f, RATE_HZ);
	for (int64_t i = 0; i < RATE_HZ; i++) {
		assert_int_equal(index_of(f->frames[i]), first + i < length ? first + i : 0);
	}
}

static void or_by_its_beginning(void **state)
{
	struct fixture *f = *state;
	int length = RATE_HZ / 7;

	tape_make(f, SF_FORMAT_WAV | SF_FORMAT_PCM_32, 1, length);
	setenv("CHALKBOX_SIM_END", "loop", 1);
	clock_make(f, 0, 0);
	assert_int_equal(mic_open(f, 0), 0);
	assert_int_equal(snd_pcm_start(f->pcm), 0);
	mic_read(f, RATE_HZ);
	int64_t first = index_of(f->frames[0]);
	for (int64_t i = 0; i < RATE_HZ; i++) {
		assert_int_equal(index_of(f->frames[i]), (first + i) % length);
	}
}

static void float_files_come_whole_on_a_card_of_32_bits(void **state)
{
	struct fixture *f = *state;

	tape_make(f, SF_FORMAT_WAV | SF_FORMAT_FLOAT, 1, RATE_HZ * 10);
	clock_make(f, 0, 0);
	assert_int_equal(mic_open(f, 0), 0);
	follows(f, mic_start(f, RATE_HZ), RATE_HZ);
}

static void what_is_louder_than_full_scale_is_clipped(void **state)
{
	struct fixture *f = *state;
	SF_INFO info = { .samplerate = RATE_HZ, .channels = 1,
		.format = SF_FORMAT_WAV | SF_FORMAT_FLOAT };
	const double samples[] = { 1.5, -1.5, 1, -1, NAN, 0.5 };
	const int32_t expected[] = { INT32_MAX, INT32_MIN, INT32_MAX, INT32_MIN, 0, 1 << 30 };

	snprintf(f->path, sizeof(f->path), "%s/tape", f->dir);
	SNDFILE *file = sf_open(f->path, SFM_WRITE, &info);
	assert_non_null(file);
	assert_int_equal(sf_writef_double(file, samples, 6), 6);
	sf_close(file);
	setenv("CHALKBOX_SIM_WAV", f->path, 1);
	clock_make(f, -1, 0);
	assert_int_equal(mic_open(f, 0), 0);
	assert_int_equal(snd_pcm_start(f->pcm), 0);
	mic_read(f, RATE_HZ * 2);
	int i = 0;
	while (i < RATE_HZ && f->frames[i] == 0) {
		i++;
	}
	assert_memory_equal(f->frames + i, expected, sizeof(expected));
}

static void files_of_16_bits_come_whole_and_in_16_bits(void **state)
{
	struct fixture *f = *state;

	tape_make(f, SF_FORMAT_WAV | SF_FORMAT_PCM_16, 1, RATE_HZ * 10);
	clock_make(f, 0, 0);
	f->format = SND_PCM_FORMAT_S16_LE;
	assert_int_equal(mic_open(f, 0), 0);
	int64_t from_ns = now_ns();
	assert_int_equal(snd_pcm_start(f->pcm), 0);
	int64_t to_ns = now_ns();
	mic_read(f, RATE_HZ);
	/* 16 bits hold the index in steps of 512 frames */
	const int16_t *samples = (const int16_t *)f->frames;
	int i = 1;
	while (samples[i] == samples[i - 1]) {
		i++;
	}
	int64_t first = (int64_t)samples[i] * 512 - i - 256;
	assert_true(labs((long)(first - (int64_t)world(f, from_ns))) <=
		(long)(world(f, to_ns) - world(f, from_ns)) + 257);
	for (; i < RATE_HZ; i++) {
		assert_in_range(samples[i] - samples[i - 1], 0, 1);
	}
	assert_in_range(samples[RATE_HZ - 1] - samples[0], 93, 94);
}

static void a_card_may_speak_24_bits(void **state)
{
	struct fixture *f = *state;

	tape_make(f, SF_FORMAT_WAV | SF_FORMAT_PCM_24, 2, RATE_HZ * 10);
	setenv("CHALKBOX_SIM_FORMAT", "S24", 1);
	clock_make(f, 0, 0);
	f->format = SND_PCM_FORMAT_S24_LE;
	f->channels = 2;
	assert_int_equal(mic_open(f, 0), 0);
	assert_int_equal(snd_pcm_start(f->pcm), 0);
	mic_read(f, RATE_HZ / 2);
	/* 24 bits hold the index in steps of two frames */
	for (int i = 2; i < RATE_HZ / 2; i++) {
		assert_in_range(f->frames[2 * i], 0, (1 << 23) - 1);
		assert_int_equal(f->frames[2 * i], f->frames[2 * i - 4] + 1);
		assert_true(abs(f->frames[2 * i] + f->frames[2 * i + 1]) <= 1);
	}
}

static void or_24_bits_in_three_bytes(void **state)
{
	struct fixture *f = *state;
	const uint8_t *bytes = (const uint8_t *)f->frames;

	tape_make(f, SF_FORMAT_WAV | SF_FORMAT_PCM_24, 2, RATE_HZ * 10);
	setenv("CHALKBOX_SIM_FORMAT", "S24_3", 1);
	clock_make(f, 0, 0);
	f->format = SND_PCM_FORMAT_S24_3LE;
	f->channels = 2;
	assert_int_equal(mic_open(f, 0), 0);
	assert_int_equal(snd_pcm_start(f->pcm), 0);
	mic_read(f, RATE_HZ / 2);
	int32_t before = 0;
	for (int i = 0; i < RATE_HZ; i++) {
		int32_t sample = (int32_t)((uint32_t)bytes[3 * i] << 8 |
			(uint32_t)bytes[3 * i + 1] << 16 | (uint32_t)bytes[3 * i + 2] << 24) / 256;
		if (i % 2) { /* the second channel is the first, turned over */
			assert_true(abs(sample + before) <= 1);
		} else { /* in steps of two frames, as above */
			assert_in_range(sample - before, 0, i == 0 ? 1 << 23 : 1);
			before = sample;
		}
	}
	assert_true(before > 0);
}

static void channels_that_the_file_has_not_are_silent(void **state)
{
	struct fixture *f = *state;

	tape_make(f, SF_FORMAT_WAV | SF_FORMAT_PCM_32, 2, RATE_HZ * 10);
	setenv("CHALKBOX_SIM_CHANNELS", "4", 1);
	clock_make(f, 0, 0);
	f->channels = 4;
	assert_int_equal(mic_open(f, 0), 0);
	assert_int_equal(snd_pcm_start(f->pcm), 0);
	int n = RATE_HZ / 2;
	mic_read(f, n);
	int64_t first = index_of(f->frames[0]);
	for (int64_t i = 0; i < n; i++) {
		assert_int_equal(index_of(f->frames[4 * i]), first + i);
		assert_int_equal(index_of(f->frames[4 * i + 1]), -(first + i));
		assert_int_equal(f->frames[4 * i + 2], 0);
		assert_int_equal(f->frames[4 * i + 3], 0);
	}
}

static void the_card_speaks_one_rate_format_and_channel_count(void **state)
{
	struct fixture *f = *state;
	snd_pcm_hw_params_t *hw;
	unsigned value;
	int dir;

	tape_make(f, SF_FORMAT_WAV | SF_FORMAT_PCM_16, 2, RATE_HZ);
	assert_int_equal(
		snd_pcm_open(&f->pcm, "chalkbox_sim", SND_PCM_STREAM_CAPTURE, SND_PCM_NONBLOCK), 0);
	snd_pcm_hw_params_alloca(&hw);
	assert_true(snd_pcm_hw_params_any(f->pcm, hw) >= 0);
	assert_int_equal(snd_pcm_hw_params_get_rate(hw, &value, &dir), 0);
	assert_int_equal(value, RATE_HZ);
	assert_int_equal(snd_pcm_hw_params_get_channels(hw, &value), 0);
	assert_int_equal(value, 2);
	assert_int_equal(snd_pcm_hw_params_test_format(f->pcm, hw, SND_PCM_FORMAT_S16_LE), 0);
	assert_true(snd_pcm_hw_params_test_format(f->pcm, hw, SND_PCM_FORMAT_S32_LE) < 0);
	assert_true(snd_pcm_hw_params_test_rate(f->pcm, hw, 16000, 0) < 0);
	assert_int_equal(snd_pcm_hw_params_get_buffer_time_max(hw, &value, &dir), 0);
	assert_int_equal(value, 4000000);
	assert_int_equal(snd_pcm_hw_params_get_buffer_time_min(hw, &value, &dir), 0);
	assert_int_equal(value, 100000);
	assert_int_equal(snd_pcm_hw_params_get_period_time_min(hw, &value, &dir), 0);
	assert_int_equal(value, 5000);
}

static void without_a_file_it_hears_silence(void **state)
{
	struct fixture *f = *state;

	clock_make(f, 0, 0);
	f->format = SND_PCM_FORMAT_S16_LE;
	assert_int_equal(mic_open(f, 0), 0);
	assert_int_equal(snd_pcm_start(f->pcm), 0);
	memset(f->frames, 1, sizeof(f->frames));
	mic_read(f, RATE_HZ);
	for (int i = 0; i < RATE_HZ / 2; i++) {
		assert_int_equal(f->frames[i], 0);
	}
}

static void settings_that_mean_nothing_are_refused_by_name(void **state)
{
	struct fixture *f = *state;
	static const char *const bad[][2] = {
		{ "CLOCK", "12" },
		{ "CLOCK", "12 0" },
		{ "CLOCK", "-1 1" },
		{ "CLOCK", "12 1 x" },
		{ "PPM", "fast" },
		{ "PPM", "nan" },
		{ "END", "stop" },
		{ "FORMAT", "S8" },
		{ "FORMAT", "S24_4" },
		{ "CHANNELS", "0" },
		{ "CHANNELS", "2x" },
		{ "FAULTS", "stall" },
		{ "FAULTS", "stall@1" },
		{ "FAULTS", "stall@1:0" },
		{ "FAULTS", "stall@-1:1" },
		{ "FAULTS", "smoke@1:1" },
		{ "FAULTS", "dead@1:1,unplug@x:1" },
		{ "FAULTS", "dead@1:1,,dead@2:1" },
		{ "WAV", "/nonexistent/sound.wav" },
		{ "WAV", "/dev/null" },
	};
	char name[64], text[512];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(name, sizeof(name), "CHALKBOX_SIM_%s", bad[i][0]);
		setenv(name, bad[i][1], 1);
		fflush(stderr);
		int kept = dup(STDERR_FILENO);
		FILE *said = fopen(f->said, "w+");
		assert_non_null(said);
		dup2(fileno(said), STDERR_FILENO);
		int r = snd_pcm_open(&f->pcm, "chalkbox_sim", SND_PCM_STREAM_CAPTURE, 0);
		dup2(kept, STDERR_FILENO);
		close(kept);
		rewind(said);
		size_t n = fread(text, 1, sizeof(text) - 1, said);
		text[n] = '\0';
		fclose(said);
		if (r == 0 || !strstr(text, name)) {
			fail_msg("%s=%s: %d \"%s\"", name, bad[i][1], r, text);
		}
		f->pcm = NULL;
		unsetenv(name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(frames_come_when_the_simulated_clock_says),
		TEST(a_reader_is_woken_once_a_period_and_in_time),
		TEST(reads_of_any_size_miss_no_frame),
		TEST(memory_mapped_reads_give_the_same),
		TEST(htimestamp_comes_back_at_a_raised_speed),
		TEST(after_an_hour_and_a_half_the_clock_error_has_added_up),
		TEST(before_the_epoch_there_is_silence),
		TEST(the_end_of_the_file_is_followed_by_silence),
		TEST(or_by_its_beginning),
		TEST(float_files_come_whole_on_a_card_of_32_bits),
		TEST(what_is_louder_than_full_scale_is_clipped),
		TEST(files_of_16_bits_come_whole_and_in_16_bits),
		TEST(a_card_may_speak_24_bits),
		TEST(or_24_bits_in_three_bytes),
		TEST(channels_that_the_file_has_not_are_silent),
		TEST(the_card_speaks_one_rate_format_and_channel_count),
		TEST(without_a_file_it_hears_silence),
		TEST(settings_that_mean_nothing_are_refused_by_name),
#undef TEST
	};

	if (!sim_found()) {
		return 1;
	}
	int r = cmocka_run_group_tests_name("sim_microphone", tests, NULL, NULL);
	snd_config_update_free_global();
	return r;
}
