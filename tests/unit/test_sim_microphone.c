/*
 * The simulated microphone through ALSA's real library. The sound files hold in
 * each sample the number of its frame, so that whatever is read says itself
 * which moment of the world it is; the moments in between which a look at the
 * card happened are known, and no test needs a tolerance for being late.
 *
 * CHALKBOX_SIM_ALSA names the alsa.conf to use.
 */
#include <alsa/asoundlib.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <setjmp.h>
#include <sndfile.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define NS_PER_S INT64_C(1000000000)
#define RATE_HZ 48000
#define SPEED 10
#define BURST (RATE_HZ / 1000) /* frames that arrive together */
#define HIGH_BITS 7 /* the 24 bits of S24 and float hold the index whole */

struct fixture {
	char dir[64];
	char path[128];
	char said[128];
	int64_t epoch_ns;
	double hz; /* frames of the world in a real second */
	snd_pcm_t *pcm;
	snd_pcm_access_t access;
	snd_pcm_format_t format;
	unsigned channels;
	unsigned buffer_ms;
	int32_t frames[RATE_HZ * 2];
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void until(int64_t t_ns)
{
	struct timespec then = { .tv_sec = t_ns / NS_PER_S, .tv_nsec = t_ns % NS_PER_S };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &then, NULL) == EINTR) {
		;
	}
}

/* The world's frame at that moment, give or take a rounding. */
static double world(const struct fixture *f, int64_t t_ns)
{
	return (double)(t_ns - f->epoch_ns) * f->hz / 1e9;
}

static void assert_world(const struct fixture *f, int64_t frame, int64_t from_ns, int64_t to_ns)
{
	if ((double)frame < world(f, from_ns) - BURST - 1 ||
		(double)frame > world(f, to_ns) + 1) {
		fail_msg("frame %" PRId64 " is not between %.1f and %.1f", frame,
			world(f, from_ns), world(f, to_ns));
	}
}

/* A file whose sample in frame k is k, scaled so that an S32 card gives k << 7. */
static void tape_make(struct fixture *f, int format, int channels, int frames)
{
	SF_INFO info = { .samplerate = RATE_HZ, .channels = channels, .format = format };
	int width = channels;

	snprintf(f->path, sizeof(f->path), "%s/tape", f->dir);
	SNDFILE *file = sf_open(f->path, SFM_WRITE, &info);
	assert_non_null(file);
	double *samples = calloc((size_t)frames * (size_t)width, sizeof(*samples));
	assert_non_null(samples);
	for (int i = 0; i < frames * width; i++) {
		samples[i] = ldexp(i / width, HIGH_BITS - 31) * (i % width ? -1 : 1);
	}
	assert_int_equal(sf_writef_double(file, samples, frames), frames);
	free(samples);
	sf_close(file);
	setenv("CHALKBOX_SIM_WAV", f->path, 1);
}

/* The simulated clock: @ago_s simulated seconds have passed since the epoch. */
static void clock_make(struct fixture *f, double ago_s, double ppm)
{
	char text[64];

	f->epoch_ns = now_ns() - (int64_t)(ago_s / SPEED * 1e9);
	f->hz = SPEED * RATE_HZ * (1 + ppm / 1e6);
	snprintf(text, sizeof(text), "%" PRId64 " %d", f->epoch_ns, SPEED);
	setenv("CHALKBOX_SIM_CLOCK", text, 1);
	snprintf(text, sizeof(text), "%.1f", ppm);
	setenv("CHALKBOX_SIM_PPM", text, 1);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	static const char *const names[] = { "CLOCK", "WAV", "END", "PPM", "FORMAT", "CHANNELS",
		"FAULTS" };
	char name[64];

	if (!f) {
		return -1;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(name, sizeof(name), "CHALKBOX_SIM_%s", names[i]);
		unsetenv(name);
	}
	snprintf(f->dir, sizeof(f->dir), "/tmp/test_sim_microphone.XXXXXX");
	if (!mkdtemp(f->dir)) {
		free(f);
		return -1;
	}
	snprintf(f->said, sizeof(f->said), "%s/said", f->dir);
	f->format = SND_PCM_FORMAT_S32_LE;
	f->channels = 1;
	f->buffer_ms = 4000;
	f->access = SND_PCM_ACCESS_RW_INTERLEAVED;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->pcm) {
		snd_pcm_close(f->pcm);
	}
	unlink(f->path);
	unlink(f->said);
	int r = rmdir(f->dir);
	free(f);
	return r;
}

/* Opens, with a period of 100 ms, waiting for a period, stamped monotonic. */
static int mic_open(struct fixture *f, int mode)
{
	snd_pcm_hw_params_t *hw;
	snd_pcm_sw_params_t *sw;
	snd_pcm_uframes_t period = RATE_HZ / 10;
	snd_pcm_uframes_t buffer = RATE_HZ / 1000 * f->buffer_ms;

	int r = snd_pcm_open(&f->pcm, "chalkbox_sim", SND_PCM_STREAM_CAPTURE, mode);
	if (r < 0) {
		f->pcm = NULL;
		return r;
	}
	snd_pcm_hw_params_alloca(&hw);
	snd_pcm_sw_params_alloca(&sw);
	assert_true(snd_pcm_hw_params_any(f->pcm, hw) >= 0);
	assert_int_equal(snd_pcm_hw_params_set_access(f->pcm, hw, f->access), 0);
	assert_int_equal(snd_pcm_hw_params_set_format(f->pcm, hw, f->format), 0);
	assert_int_equal(snd_pcm_hw_params_set_channels(f->pcm, hw, f->channels), 0);
	assert_int_equal(snd_pcm_hw_params_set_rate(f->pcm, hw, RATE_HZ, 0), 0);
	assert_int_equal(snd_pcm_hw_params_set_period_size(f->pcm, hw, period, 0), 0);
	assert_int_equal(snd_pcm_hw_params_set_buffer_size(f->pcm, hw, buffer), 0);
	assert_int_equal(snd_pcm_hw_params(f->pcm, hw), 0);
	assert_int_equal(snd_pcm_sw_params_current(f->pcm, sw), 0);
	assert_int_equal(snd_pcm_sw_params_set_tstamp_mode(f->pcm, sw, SND_PCM_TSTAMP_ENABLE), 0);
	assert_int_equal(
		snd_pcm_sw_params_set_tstamp_type(f->pcm, sw, SND_PCM_TSTAMP_TYPE_MONOTONIC), 0);
	assert_int_equal(snd_pcm_sw_params_set_avail_min(f->pcm, sw, period), 0);
	assert_int_equal(snd_pcm_sw_params(f->pcm, sw), 0);
	return 0;
}

static void mic_close(struct fixture *f)
{
	snd_pcm_close(f->pcm);
	f->pcm = NULL;
}

/* Reads @n frames, all of them. */
static void mic_read(struct fixture *f, int n)
{
	assert_int_equal(snd_pcm_readi(f->pcm, f->frames, (snd_pcm_uframes_t)n), n);
}

static int64_t index_of(int32_t sample)
{
	return sample >> HIGH_BITS;
}

/* Starts and reads once: the first frame must be the world's at the start. */
static int64_t mic_start(struct fixture *f, int n)
{
	int64_t from_ns = now_ns();
	assert_int_equal(snd_pcm_start(f->pcm), 0);
	int64_t to_ns = now_ns();

	mic_read(f, n);
	int64_t first = index_of(f->frames[0]);
	assert_world(f, first, from_ns, to_ns);
	return first;
}

/* Asserts that what was read follows @next, and returns what follows it. */
static int64_t follows(const struct fixture *f, int64_t next, int n)
{
	for (int i = 0; i < n; i++, next++) {
		if (index_of(f->frames[i]) != next) {
			fail_msg("frame %" PRId64 " stands where %" PRId64 " should",
				index_of(f->frames[i]), next);
		}
	}
	return next;
}

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

static void a_reader_that_comes_too_late_gets_a_true_overrun(void **state)
{
	struct fixture *f = *state;

	tape_make(f, SF_FORMAT_WAV | SF_FORMAT_PCM_32, 1, RATE_HZ * 30);
	clock_make(f, 0, 0);
	f->buffer_ms = 1000;
	assert_int_equal(mic_open(f, 0), 0);
	assert_int_equal(snd_pcm_start(f->pcm), 0);
	until(now_ns() + NS_PER_S / SPEED + NS_PER_S / 1000);
	assert_int_equal(snd_pcm_readi(f->pcm, f->frames, 100), -EPIPE);
	assert_int_equal(snd_pcm_state(f->pcm), SND_PCM_STATE_XRUN);
	assert_int_equal(snd_pcm_wait(f->pcm, 1000), -EPIPE);
	assert_int_equal(snd_pcm_prepare(f->pcm), 0);
	int64_t first = mic_start(f, 300);
	follows(f, first, 300);
}

static void a_stall_longer_than_the_buffer_is_an_overrun(void **state)
{
	struct fixture *f = *state;
	int r;

	tape_make(f, SF_FORMAT_WAV | SF_FORMAT_PCM_32, 1, RATE_HZ * 30);
	clock_make(f, 0, 0);
	setenv("CHALKBOX_SIM_FAULTS", "stall@1:4.5", 1);
	assert_int_equal(mic_open(f, 0), 0);
	int n = RATE_HZ / 10;
	int64_t next = follows(f, mic_start(f, n), n);
	while ((r = (int)snd_pcm_readi(f->pcm, f->frames, (snd_pcm_uframes_t)n)) > 0) {
		next = follows(f, next, r);
	}
	int64_t end_ns = f->epoch_ns + (int64_t)(5.5 / SPEED * 1e9);
	assert_int_equal(r, -EPIPE);
	assert_true(now_ns() >= end_ns);
	assert_true(next <= RATE_HZ);
	assert_int_equal(snd_pcm_prepare(f->pcm), 0);
	assert_true(follows(f, mic_start(f, n), n) >= RATE_HZ * 11 / 2);
}

static void a_stall_shorter_than_the_buffer_only_delays(void **state)
{
	struct fixture *f = *state;
	bool stalled = false;
	struct pollfd pfd;

	tape_make(f, SF_FORMAT_WAV | SF_FORMAT_PCM_32, 1, RATE_HZ * 30);
	clock_make(f, 0, 0);
	setenv("CHALKBOX_SIM_FAULTS", "stall@1:1.5", 1);
	assert_int_equal(mic_open(f, SND_PCM_NONBLOCK), 0);
	assert_int_equal(snd_pcm_poll_descriptors(f->pcm, &pfd, 1), 1);
	int64_t from_ns = f->epoch_ns + (int64_t)(1.0 / SPEED * 1e9);
	int64_t to_ns = f->epoch_ns + (int64_t)(2.5 / SPEED * 1e9);
	int64_t next = -1;
	assert_int_equal(snd_pcm_start(f->pcm), 0);
	while (next < RATE_HZ * 3) {
		unsigned short events;
		int64_t before_ns = now_ns();
		assert_int_equal(poll(&pfd, 1, 2000), 1);
		assert_int_equal(snd_pcm_poll_descriptors_revents(f->pcm, &pfd, 1, &events), 0);
		int64_t after_ns = now_ns();
		if (before_ns >= from_ns && after_ns < to_ns) {
			assert_int_equal(events, 0);
		}
		int r = (int)snd_pcm_readi(f->pcm, f->frames, RATE_HZ / 10);
		if (r == -EAGAIN) {
			/* not read, yet the frames go on arriving */
			stalled = stalled || (events == 0 && after_ns >= from_ns);
			continue;
		}
		assert_true(r > 0);
		assert_false(before_ns >= from_ns && now_ns() < to_ns);
		next = follows(f, next < 0 ? index_of(f->frames[0]) : next, r);
	}
	assert_true(stalled || next >= RATE_HZ * 5 / 2);
}

static void frames_go_on_arriving_while_the_reader_is_stalled(void **state)
{
	struct fixture *f = *state;
	struct pollfd pfd;
	unsigned short events;

	tape_make(f, SF_FORMAT_WAV | SF_FORMAT_PCM_32, 1, RATE_HZ * 30);
	clock_make(f, 0, 0);
	setenv("CHALKBOX_SIM_FAULTS", "stall@1:10", 1);
	assert_int_equal(mic_open(f, SND_PCM_NONBLOCK), 0);
	assert_int_equal(snd_pcm_poll_descriptors(f->pcm, &pfd, 1), 1);
	assert_int_equal(snd_pcm_start(f->pcm), 0);
	until(f->epoch_ns + NS_PER_S * 3 / 2 / SPEED);
	/* the wake was due before the stall: it is taken back */
	assert_int_equal(poll(&pfd, 1, 1000), 1);
	assert_int_equal(snd_pcm_poll_descriptors_revents(f->pcm, &pfd, 1, &events), 0);
	assert_int_equal(events, 0);
	assert_int_equal(poll(&pfd, 1, 1), 0);
	assert_true(snd_pcm_avail(f->pcm) >= RATE_HZ);
	assert_int_equal(snd_pcm_readi(f->pcm, f->frames, 100), -EAGAIN);
	until(f->epoch_ns + NS_PER_S * 6 / SPEED);
	assert_int_equal(snd_pcm_readi(f->pcm, f->frames, 100), -EPIPE);
}

static void a_dead_card_runs_and_gives_nothing(void **state)
{
	struct fixture *f = *state;

	tape_make(f, SF_FORMAT_WAV | SF_FORMAT_PCM_32, 1, RATE_HZ * 30);
	clock_make(f, 0, 0);
	setenv("CHALKBOX_SIM_FAULTS", "dead@1:2", 1);
	assert_int_equal(mic_open(f, 0), 0);
	int64_t next = follows(f, mic_start(f, 1), 1);
	int rest = (int)(RATE_HZ - next);
	until(f->epoch_ns + NS_PER_S * 3 / 2 / SPEED);
	int avail = (int)snd_pcm_avail(f->pcm);
	assert_in_range(avail, rest - BURST, rest);
	mic_read(f, avail);
	next = follows(f, next, avail);
	if (now_ns() < f->epoch_ns + NS_PER_S * 5 / 2 / SPEED) {
		assert_int_equal(snd_pcm_avail(f->pcm), 0);
		assert_int_equal(snd_pcm_state(f->pcm), SND_PCM_STATE_RUNNING);
		assert_int_equal(snd_pcm_wait(f->pcm, 1), 0);
	}
	int n = RATE_HZ / 10;
	mic_read(f, n);
	assert_true(now_ns() >= f->epoch_ns + NS_PER_S * 3 / SPEED);
	/* the frames of the last burst before it, and then those of two seconds on */
	rest -= avail;
	next = follows(f, next, rest);
	memmove(f->frames, f->frames + rest, (size_t)(n - rest) * sizeof(f->frames[0]));
	follows(f, next + RATE_HZ * 2, n - rest);
}

static void an_unplugged_card_is_gone_until_it_is_back(void **state)
{
	struct fixture *f = *state;
	int r;

	tape_make(f, SF_FORMAT_WAV | SF_FORMAT_PCM_32, 1, RATE_HZ * 30);
	clock_make(f, 0, 0);
	setenv("CHALKBOX_SIM_FAULTS", "unplug@1:2", 1);
	assert_int_equal(mic_open(f, 0), 0);
	int n = RATE_HZ / 10;
	int64_t next = follows(f, mic_start(f, n), n);
	while ((r = (int)snd_pcm_readi(f->pcm, f->frames, (snd_pcm_uframes_t)n)) > 0) {
		next = follows(f, next, r);
	}
	assert_int_equal(r, -ENODEV);
	assert_true(next <= RATE_HZ);
	assert_true(now_ns() >= f->epoch_ns + NS_PER_S / SPEED);
	assert_int_equal(snd_pcm_state(f->pcm), SND_PCM_STATE_DISCONNECTED);
	assert_int_equal(snd_pcm_wait(f->pcm, 1000), -ENODEV);
	assert_true(snd_pcm_prepare(f->pcm) < 0);
	mic_close(f);

	int64_t back_ns = f->epoch_ns + NS_PER_S * 3 / SPEED;
	for (;;) {
		r = mic_open(f, 0);
		if (r == 0) {
			break;
		}
		assert_int_equal(r, -ENODEV);
		until(now_ns() + NS_PER_S / 1000);
	}
	assert_true(now_ns() >= back_ns);
	follows(f, mic_start(f, n), n);
}

static void a_poll_is_woken_by_the_unplugging(void **state)
{
	struct fixture *f = *state;
	struct pollfd pfd;
	unsigned short events;

	tape_make(f, SF_FORMAT_WAV | SF_FORMAT_PCM_32, 1, RATE_HZ * 30);
	clock_make(f, 0, 0);
	setenv("CHALKBOX_SIM_FAULTS", "dead@0:20,unplug@1:2", 1);
	assert_int_equal(mic_open(f, SND_PCM_NONBLOCK), 0);
	assert_int_equal(snd_pcm_poll_descriptors(f->pcm, &pfd, 1), 1);
	assert_int_equal(snd_pcm_start(f->pcm), 0);
	assert_int_equal(poll(&pfd, 1, 2000), 1);
	assert_true(now_ns() >= f->epoch_ns + NS_PER_S / SPEED);
	assert_int_equal(snd_pcm_poll_descriptors_revents(f->pcm, &pfd, 1, &events), 0);
	assert_int_equal(events & POLLERR, POLLERR);
	assert_int_equal(snd_pcm_readi(f->pcm, f->frames, 1), -ENODEV);
}

static void a_card_may_appear_after_the_start(void **state)
{
	struct fixture *f = *state;

	tape_make(f, SF_FORMAT_WAV | SF_FORMAT_PCM_32, 1, RATE_HZ * 30);
	clock_make(f, -1, 0);
	setenv("CHALKBOX_SIM_FAULTS", "unplug@0:2", 1);
	assert_int_equal(mic_open(f, 0), -ENODEV);
	until(f->epoch_ns + NS_PER_S * 2 / SPEED);
	assert_int_equal(mic_open(f, 0), 0);
	mic_start(f, 100);
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
		TEST(a_reader_that_comes_too_late_gets_a_true_overrun),
		TEST(a_stall_longer_than_the_buffer_is_an_overrun),
		TEST(a_stall_shorter_than_the_buffer_only_delays),
		TEST(frames_go_on_arriving_while_the_reader_is_stalled),
		TEST(a_dead_card_runs_and_gives_nothing),
		TEST(an_unplugged_card_is_gone_until_it_is_back),
		TEST(a_poll_is_woken_by_the_unplugging),
		TEST(a_card_may_appear_after_the_start),
		TEST(before_the_epoch_there_is_silence),
		TEST(the_end_of_the_file_is_followed_by_silence),
		TEST(or_by_its_beginning),
		TEST(float_files_come_whole_on_a_card_of_32_bits),
		TEST(what_is_louder_than_full_scale_is_clipped),
		TEST(files_of_16_bits_come_whole_and_in_16_bits),
		TEST(a_card_may_speak_24_bits),
		TEST(channels_that_the_file_has_not_are_silent),
		TEST(the_card_speaks_one_rate_format_and_channel_count),
		TEST(without_a_file_it_hears_silence),
		TEST(settings_that_mean_nothing_are_refused_by_name),
#undef TEST
	};
	const char *conf = getenv("CHALKBOX_SIM_ALSA");

	if (!conf) {
		fprintf(stderr, "CHALKBOX_SIM_ALSA must name the simulated board's alsa.conf\n");
		return 1;
	}
	setenv("ALSA_CONFIG_PATH", conf, 1);
	int r = cmocka_run_group_tests_name("sim_microphone", tests, NULL, NULL);
	snd_config_update_free_global();
	return r;
}
