#include "firmware/microphone.h"

#include "app/base/clock.h"

#include <alsa/asoundlib.h>
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>

#define BUFFER_US 2000000
#define RESUME_TRIES 20
#define POLL_FDS_MAX 16
#define REST_HZ 10 /* below any speech */

struct microphone {
	snd_pcm_t *pcm;
	snd_pcm_status_t *status;
	snd_pcm_format_t format;
	unsigned int rate_hz, channels;
	snd_pcm_uframes_t period; /* frames that a wake stands for */
	size_t frame_bytes, sample_bytes;
	unsigned int channel; /* the chosen one, from 0 */
	double gain;
	double rest, rest_share; /* where silence lies; how fast that is followed */
	uint8_t *raw;
	size_t raw_frames;
	char name[64];
};

/* What ALSA's library would print at each try: the caller is told why, once. */
static void say_nothing(
	const char *file, int line, const char *function, int code, const char *format, ...)
{
}

static int alsa_error(struct error *error, const char *name, const char *doing, int code)
{
	return error_set(error, code, "microphone %s: %s: %s", name, doing, snd_strerror(code));
}

/* "hw:CARD=<id>,DEV=<n>" of the first card that can record. */
static int first_card(char *ret_name, size_t room, struct error *error)
{
	snd_ctl_card_info_t *info;
	snd_pcm_info_t *pcm_info;
	snd_ctl_card_info_alloca(&info);
	snd_pcm_info_alloca(&pcm_info);
	for (int card = -1; snd_card_next(&card) == 0 && card >= 0;) {
		char name[32];
		snd_ctl_t *ctl;
		snprintf(name, sizeof(name), "hw:%d", card);
		if (snd_ctl_open(&ctl, name, 0) < 0) {
			continue;
		}
		bool found = false;
		if (snd_ctl_card_info(ctl, info) == 0) {
			for (int dev = -1; snd_ctl_pcm_next_device(ctl, &dev) == 0 && dev >= 0;) {
				snd_pcm_info_set_device(pcm_info, (unsigned int)dev);
				snd_pcm_info_set_subdevice(pcm_info, 0);
				snd_pcm_info_set_stream(pcm_info, SND_PCM_STREAM_CAPTURE);
				if (snd_ctl_pcm_info(ctl, pcm_info) == 0) {
					snprintf(ret_name, room, "hw:CARD=%s,DEV=%d",
						snd_ctl_card_info_get_id(info), dev);
					found = true;
					break;
				}
			}
		}
		snd_ctl_close(ctl);
		if (found) {
			return 0;
		}
	}
	return error_set(error, -ENODEV, "microphone: no sound card that records; plug one in");
}

static int set_format(struct microphone *mic, snd_pcm_hw_params_t *hw, struct error *error)
{
	static const snd_pcm_format_t formats[] = {SND_PCM_FORMAT_S16_LE, SND_PCM_FORMAT_S32_LE,
		SND_PCM_FORMAT_S24_LE, SND_PCM_FORMAT_S24_3LE};
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (snd_pcm_hw_params_set_format(mic->pcm, hw, formats[i]) == 0) {
			mic->format = formats[i];
			return 0;
		}
	}
	return error_set(error, -EINVAL, "microphone %s: speaks none of S16, S24 and S32", mic->name);
}

/* 48 kHz where the card has it, else the nearest it has. */
static int set_rate(struct microphone *mic, snd_pcm_hw_params_t *hw, struct error *error)
{
	mic->rate_hz = 48000;
	snd_pcm_hw_params_set_rate_resample(mic->pcm, hw, 0);
	int r = snd_pcm_hw_params_set_rate_near(mic->pcm, hw, &mic->rate_hz, NULL);
	return r < 0 ? alsa_error(error, mic->name, "no usable rate", r) : 0;
}

/* As few channels as hold the chosen one. */
static int set_channels(struct microphone *mic, snd_pcm_hw_params_t *hw, struct error *error)
{
	unsigned int most = 0;
	mic->channels = mic->channel + 1;
	int r = snd_pcm_hw_params_get_channels_max(hw, &most);
	if (r < 0 || most <= mic->channel) {
		return error_set(error, -EINVAL,
			"microphone %s: has %u channels; set channel in [microphone] to 1-%u",
			mic->name, most, most);
	}
	snd_pcm_hw_params_set_channels_min(mic->pcm, hw, &mic->channels);
	r = snd_pcm_hw_params_set_channels_first(mic->pcm, hw, &mic->channels);
	return r < 0 ? alsa_error(error, mic->name, "no usable channel count", r) : 0;
}

static int set_hardware(struct microphone *mic, struct error *error)
{
	snd_pcm_hw_params_t *hw;
	snd_pcm_hw_params_alloca(&hw);
	int r = snd_pcm_hw_params_any(mic->pcm, hw);
	r = r < 0 ? r : snd_pcm_hw_params_set_access(mic->pcm, hw, SND_PCM_ACCESS_RW_INTERLEAVED);
	if (r < 0) {
		return alsa_error(error, mic->name, "cannot be read", r);
	}
	if ((r = set_format(mic, hw, error)) < 0 || (r = set_channels(mic, hw, error)) < 0 ||
		(r = set_rate(mic, hw, error)) < 0) {
		return r;
	}
	unsigned int period_us = MICROPHONE_PERIOD_NS / NS_PER_US, buffer_us = BUFFER_US;
	snd_pcm_hw_params_set_period_time_near(mic->pcm, hw, &period_us, NULL);
	snd_pcm_hw_params_set_buffer_time_near(mic->pcm, hw, &buffer_us, NULL);
	r = snd_pcm_hw_params(mic->pcm, hw);
	if (r < 0) {
		return alsa_error(error, mic->name, "refuses its own settings", r);
	}
	return 0;
}

static int set_software(struct microphone *mic, struct error *error)
{
	snd_pcm_sw_params_t *sw;
	snd_pcm_sw_params_alloca(&sw);
	int r = snd_pcm_sw_params_current(mic->pcm, sw);
	if (r < 0) {
		return alsa_error(error, mic->name, "has no software parameters", r);
	}
	/* best effort: without stamps microphone_stamp() falls back to its own look */
	snd_pcm_sw_params_set_tstamp_mode(mic->pcm, sw, SND_PCM_TSTAMP_ENABLE);
	snd_pcm_sw_params_set_tstamp_type(mic->pcm, sw, SND_PCM_TSTAMP_TYPE_MONOTONIC);
	snd_pcm_uframes_t period = (snd_pcm_uframes_t)mic->rate_hz / 10, actual;
	if (snd_pcm_get_params(mic->pcm, &actual, &period) < 0) {
		period = (snd_pcm_uframes_t)mic->rate_hz / 10;
	}
	mic->period = period;
	snd_pcm_sw_params_set_avail_min(mic->pcm, sw, period);
	r = snd_pcm_sw_params(mic->pcm, sw);
	return r < 0 ? alsa_error(error, mic->name, "refuses its own settings", r) : 0;
}

static int start(struct microphone *mic)
{
	int r = snd_pcm_prepare(mic->pcm);
	return r < 0 ? r : snd_pcm_start(mic->pcm);
}

int microphone_open(const struct config *config, struct microphone **ret_mic, struct error *error)
{
	struct microphone *mic = calloc(1, sizeof(*mic));
	if (!mic || snd_pcm_status_malloc(&mic->status) < 0) {
		free(mic);
		return error_set(error, -ENOMEM, "microphone: out of memory");
	}
	(void)snd_lib_error_set_handler(say_nothing);
	mic->channel = (unsigned int)config->channel - 1;
	mic->gain = pow(10, config->gain_db / 20.0);
	int r = 0;
	if (config->pcm[0]) {
		snprintf(mic->name, sizeof(mic->name), "%s", config->pcm);
	} else if (config->card[0]) {
		snprintf(mic->name, sizeof(mic->name), "hw:CARD=%s", config->card);
	} else {
		r = first_card(mic->name, sizeof(mic->name), error);
	}
	if (r < 0) {
		goto fail;
	}
	r = snd_pcm_open(&mic->pcm, mic->name, SND_PCM_STREAM_CAPTURE, SND_PCM_NONBLOCK);
	if (r < 0) {
		mic->pcm = NULL;
		alsa_error(error, mic->name, "cannot be opened", r);
		goto fail;
	}
	if ((r = set_hardware(mic, error)) < 0 || (r = set_software(mic, error)) < 0) {
		goto fail;
	}
	mic->sample_bytes = (size_t)snd_pcm_format_physical_width(mic->format) / 8;
	mic->frame_bytes = mic->sample_bytes * mic->channels;
	mic->raw_frames = mic->rate_hz / 5;
	mic->rest_share = 2 * M_PI * REST_HZ / mic->rate_hz;
	mic->raw = malloc(mic->raw_frames * mic->frame_bytes);
	if (!mic->raw) {
		r = error_set(error, -ENOMEM, "microphone: out of memory");
		goto fail;
	}
	r = start(mic);
	if (r < 0) {
		alsa_error(error, mic->name, "cannot be started", r);
		goto fail;
	}
	*ret_mic = mic;
	return 0;
fail:
	microphone_close(mic);
	return r;
}

void microphone_close(struct microphone *mic)
{
	if (!mic) {
		return;
	}
	if (mic->pcm) {
		snd_pcm_close(mic->pcm);
	}
	snd_pcm_status_free(mic->status);
	if (mic->raw) {
		explicit_bzero(mic->raw, mic->raw_frames * mic->frame_bytes);
	}
	free(mic->raw);
	free(mic);
}

int microphone_rate_hz(const struct microphone *mic)
{
	return (int)mic->rate_hz;
}

int64_t microphone_period_frames(const struct microphone *mic)
{
	return (int64_t)mic->period;
}

const char *microphone_name(const struct microphone *mic)
{
	return mic->name;
}

/* After a loss: -EPIPE when the card runs again, else why it does not. */
static int restart(struct microphone *mic, int why)
{
	if (why == -ESTRPIPE) {
		int r = -EAGAIN;
		for (int i = 0; r == -EAGAIN && i < RESUME_TRIES; i++) {
			r = snd_pcm_resume(mic->pcm);
			if (r == -EAGAIN) {
				poll(NULL, 0, 50);
			}
		}
		/* one that was resumed runs, and one that runs cannot be prepared */
		(void)snd_pcm_drop(mic->pcm);
		why = -EPIPE;
	}
	if (why != -EPIPE) {
		return why;
	}
	int r = start(mic);
	return r < 0 ? r : -EPIPE;
}

int microphone_wait(struct microphone *mic, int wake_fd, int timeout_ms)
{
	struct pollfd fds[POLL_FDS_MAX + 1];
	int n = snd_pcm_poll_descriptors(mic->pcm, fds, POLL_FDS_MAX);
	if (n < 0) {
		return n;
	}
	fds[n] = (struct pollfd){.fd = wake_fd, .events = POLLIN};
	if (poll(fds, (nfds_t)n + 1, timeout_ms) < 0 && errno != EINTR) {
		return -errno;
	}
	/* the plugin or driver may have its own idea of its descriptors' events */
	unsigned short revents;
	int r = snd_pcm_poll_descriptors_revents(mic->pcm, fds, (unsigned int)n, &revents);
	return r < 0 ? r : 0;
}

int microphone_stamp(struct microphone *mic, int64_t *ret_avail, int64_t *ret_t_ns)
{
	int r = snd_pcm_status(mic->pcm, mic->status);
	if (r < 0) {
		return restart(mic, r);
	}
	switch (snd_pcm_status_get_state(mic->status)) {
	case SND_PCM_STATE_XRUN:
		return restart(mic, -EPIPE);
	case SND_PCM_STATE_SUSPENDED:
		return restart(mic, -ESTRPIPE);
	case SND_PCM_STATE_DISCONNECTED:
		return -ENODEV;
	default:
		break;
	}
	snd_htimestamp_t stamp;
	snd_pcm_status_get_htstamp(mic->status, &stamp);
	int64_t kernel_ns = (int64_t)stamp.tv_sec * NS_PER_S + stamp.tv_nsec;
	*ret_t_ns = kernel_ns ? clock_from_kernel_ns(kernel_ns) : clock_now_ns();
	*ret_avail = (int64_t)snd_pcm_status_get_avail(mic->status);
	return 0;
}

/* The chosen channel's sample of one frame, full scale of 32 bits. */
static int32_t sample(const struct microphone *mic, const uint8_t *frame)
{
	const uint8_t *at = frame + mic->channel * mic->sample_bytes;
	switch (mic->format) {
	case SND_PCM_FORMAT_S32_LE:
		return (int32_t)((uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
			(uint32_t)at[3] << 24);
	case SND_PCM_FORMAT_S24_LE:
	case SND_PCM_FORMAT_S24_3LE:
		return (int32_t)(
			(uint32_t)at[0] << 8 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 24);
	default:
		return (int32_t)((uint32_t)at[0] << 16 | (uint32_t)at[1] << 24);
	}
}

/*
 * Louder. Some I2S microphones' silence lies far off the middle; that is taken away
 * first, or the gain would push it to the edge, and every loud word over it.
 */
static double lift(struct microphone *mic, double value)
{
	mic->rest += (value - mic->rest) * mic->rest_share;
	return (value - mic->rest) * mic->gain;
}

static int16_t to_16_bits(double value)
{
	double scaled = value / 65536.0;
	return scaled >= INT16_MAX ? INT16_MAX
		: scaled <= INT16_MIN ? INT16_MIN
				      : (int16_t)lrint(scaled);
}

ssize_t microphone_read(struct microphone *mic, int16_t *ret_frames, size_t n)
{
	if (n > mic->raw_frames) {
		n = mic->raw_frames;
	}
	bool as_it_is = mic->format == SND_PCM_FORMAT_S16_LE && mic->channels == 1 && mic->gain == 1;
	snd_pcm_sframes_t got = snd_pcm_readi(mic->pcm, as_it_is ? (void *)ret_frames : mic->raw, n);
	if (got == -EAGAIN) {
		return 0;
	}
	if (got < 0) {
		return restart(mic, (int)got);
	}
	for (snd_pcm_sframes_t i = 0; !as_it_is && i < got; i++) {
		double value = sample(mic, mic->raw + (size_t)i * mic->frame_bytes);
		ret_frames[i] = to_16_bits(mic->gain == 1 ? value : lift(mic, value));
	}
	return got;
}

const char *microphone_library(void)
{
	return snd_asoundlib_version();
}
