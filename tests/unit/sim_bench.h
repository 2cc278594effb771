/*
 * The simulated microphone through ALSA's real library. The sound files hold in
 * each sample the number of its frame, so that whatever is read says itself
 * which moment of the world it is; the moments in between which a look at the
 * card happened are known, and no test needs a tolerance for being late.
 *
 * CHALKBOX_SIM_ALSA names the alsa.conf to use.
 */
#ifndef TESTS_SIM_BENCH_H
#define TESTS_SIM_BENCH_H

#include <alsa/asoundlib.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
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

static inline int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static inline void until(int64_t t_ns)
{
	struct timespec then = { .tv_sec = t_ns / NS_PER_S, .tv_nsec = t_ns % NS_PER_S };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &then, NULL) == EINTR) {
		;
	}
}

/* The world's frame at that moment, give or take a rounding. */
static inline double world(const struct fixture *f, int64_t t_ns)
{
	return (double)(t_ns - f->epoch_ns) * f->hz / 1e9;
}

static inline void assert_world(const struct fixture *f, int64_t frame, int64_t from_ns, int64_t to_ns)
{
	if ((double)frame < world(f, from_ns) - BURST - 1 ||
		(double)frame > world(f, to_ns) + 1) {
		fail_msg("frame %" PRId64 " is not between %.1f and %.1f", frame,
			world(f, from_ns), world(f, to_ns));
	}
}

/* A file whose sample in frame k is k, scaled so that an S32 card gives k << 7. */
static inline void tape_make(struct fixture *f, int format, int channels, int frames)
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
static inline void clock_make(struct fixture *f, double ago_s, double ppm)
{
	char text[64];

	f->epoch_ns = now_ns() - (int64_t)(ago_s / SPEED * 1e9);
	f->hz = SPEED * RATE_HZ * (1 + ppm / 1e6);
	snprintf(text, sizeof(text), "%" PRId64 " %d", f->epoch_ns, SPEED);
	setenv("CHALKBOX_SIM_CLOCK", text, 1);
	snprintf(text, sizeof(text), "%.1f", ppm);
	setenv("CHALKBOX_SIM_PPM", text, 1);
}

static inline int setup(void **state)
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

static inline int teardown(void **state)
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
static inline int mic_open(struct fixture *f, int mode)
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

static inline void mic_close(struct fixture *f)
{
	snd_pcm_close(f->pcm);
	f->pcm = NULL;
}

/* Reads @n frames, all of them. */
static inline void mic_read(struct fixture *f, int n)
{
	assert_int_equal(snd_pcm_readi(f->pcm, f->frames, (snd_pcm_uframes_t)n), n);
}

static inline int64_t index_of(int32_t sample)
{
	return sample >> HIGH_BITS;
}

/* Starts and reads once: the first frame must be the world's at the start. */
static inline int64_t mic_start(struct fixture *f, int n)
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
static inline int64_t follows(const struct fixture *f, int64_t next, int n)
{
	for (int i = 0; i < n; i++, next++) {
		if (index_of(f->frames[i]) != next) {
			fail_msg("frame %" PRId64 " stands where %" PRId64 " should",
				index_of(f->frames[i]), next);
		}
	}
	return next;
}

/* Whether there is an alsa.conf to use; it is used from then on. */
static inline bool sim_found(void)
{
	const char *conf = getenv("CHALKBOX_SIM_ALSA");

	if (!conf) {
		fprintf(stderr, "CHALKBOX_SIM_ALSA must name the simulated board's alsa.conf\n");
		return false;
	}
	setenv("ALSA_CONFIG_PATH", conf, 1);
	return true;
}

#endif
