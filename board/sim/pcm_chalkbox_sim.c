/*
 * A microphone for ALSA's library: a capture PCM of its external I/O plugin
 * interface that plays a sound file in true time. What it does and which
 * variables set it is in README.md beside this file.
 *
 * Nothing runs in the background. The card's pointer is a function of the clock
 * (world.h); a read fetches from the file what the world sounded at the frames
 * asked for. So a reader may be late, stop, or come back after an unplug, and
 * each frame it gets is the right one.
 *
 * Frames arrive in bursts of a millisecond, as over a real card's bus. If they
 * came singly, readers that take what is there would run after each one, and
 * snd_pcm_htimestamp(), which looks until two looks agree, might not come back.
 *
 * Waking: the poll descriptor is a timer of the real clock, set to the moment at
 * which avail_min frames wait to be read. Setting a timer takes back an expiry
 * that nobody has read, and one set to the past expires at once, so the timer
 * is set anew after each read and is readable exactly while there is something
 * to do. During a stall it is set to the stall's end, and reads are refused
 * (non-blocking) or held (blocking) while the pointer goes on.
 *
 * A suspended card says so until it is resumed or prepared anew, and as with the
 * kernel's, either waits until its power is back. It can be resumed: it then runs
 * again by itself.
 *
 * Stamps: alsa-lib itself takes the status stamp right after it asked for the
 * pointer, on the clock that the software parameters name: CLOCK_MONOTONIC in
 * real nanoseconds, as from a kernel driver.
 */
#ifndef PIC
#define PIC /* asks alsa's headers for the symbol that its loader looks for */
#endif
#include "board/sim/tape.h"
#include "board/sim/world.h"

#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>
#include <endian.h>
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SECOND INT64_C(1000000000)
#define AT_ONCE_NS 1 /* a moment long past */

struct sim {
	snd_pcm_ioplug_t io;
	struct world world;
	struct tape *tape;
	int timer_fd;
	unsigned channels;
	int64_t unplug_ns; /* this opening of the card ends then */
	int64_t suspend_ns; /* this run of it is suspended then */
	int64_t start;     /* the world's frame at the start */
	int64_t delivered; /* frames since then, as of the last look */
	int64_t burst;     /* frames that arrive together */
	snd_pcm_uframes_t boundary;
	snd_pcm_uframes_t avail_min;
	double samples[TAPE_RUN_FRAMES * TAPE_CHANNELS_MAX];
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

/* The epoch where the environment names none: the same for every opening. */
static int64_t first_look_ns(void)
{
	static _Atomic int64_t first_ns;
	int64_t none = 0, mine_ns = now_ns();

	return atomic_compare_exchange_strong(&first_ns, &none, mine_ns) ? mine_ns : none;
}

/* Frames that wait to be read, as of the last look. */
static int64_t waiting(const struct sim *sim)
{
	snd_pcm_uframes_t hw = (snd_pcm_uframes_t)sim->delivered % sim->boundary;
	snd_pcm_uframes_t appl = sim->io.appl_ptr;

	return (int64_t)(hw >= appl ? hw - appl : hw + sim->boundary - appl);
}

/*
 * Looks at the world: how far the card is, and whether it ran over or is gone.
 * A card in a state of trouble stays there until the reader acts.
 */
static snd_pcm_state_t look(struct sim *sim, int64_t t_ns)
{
	if (t_ns >= sim->unplug_ns) {
		snd_pcm_ioplug_set_state(&sim->io, SND_PCM_STATE_DISCONNECTED);
	}
	if (sim->io.state == SND_PCM_STATE_RUNNING) {
		bool suspended = t_ns >= sim->suspend_ns;
		t_ns = suspended ? sim->suspend_ns : t_ns;
		int64_t n = world_delivered(&sim->world, sim->start,
			world_frames(&sim->world, t_ns));
		n -= n % sim->burst;
		if (n > sim->delivered) {
			sim->delivered = n;
		}
		/* as the kernel has it: a full buffer is an overrun already */
		if (waiting(sim) >= (int64_t)sim->io.buffer_size) {
			snd_pcm_ioplug_set_state(&sim->io, SND_PCM_STATE_XRUN);
		} else if (suspended) {
			snd_pcm_ioplug_set_state(&sim->io, SND_PCM_STATE_SUSPENDED);
		}
	}
	return sim->io.state;
}

static int timer_set(struct sim *sim, int64_t t_ns)
{
	struct itimerspec when = { .it_value = {
		.tv_sec = t_ns / NS_PER_SECOND,
		.tv_nsec = t_ns % NS_PER_SECOND,
	} };

	return timerfd_settime(sim->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) ? -errno : 0;
}

/* Sets the timer for a reader that has read all before the frame @read_to. */
static int arm(struct sim *sim, int64_t read_to)
{
	int64_t run, to_ns;
	int64_t bursts = (read_to + (int64_t)sim->avail_min + sim->burst - 1) / sim->burst;
	int64_t last = bursts * sim->burst - 1;
	int64_t t_ns = world_frames_ns(&sim->world,
		world_source(&sim->world, sim->start, last, &run) + 1);

	int64_t ends_ns = sim->suspend_ns < sim->unplug_ns ? sim->suspend_ns : sim->unplug_ns;
	if (t_ns > ends_ns) {
		t_ns = ends_ns;
	}
	int64_t soonest_ns = now_ns();
	if (world_fault(&sim->world, WORLD_STALL, t_ns > soonest_ns ? t_ns : soonest_ns, &to_ns)) {
		t_ns = to_ns;
	}
	return timer_set(sim, t_ns > 0 ? t_ns : AT_ONCE_NS);
}

static int hold_until(int64_t t_ns)
{
	struct timespec until = {
		.tv_sec = t_ns / NS_PER_SECOND,
		.tv_nsec = t_ns % NS_PER_SECOND,
	};

	return -clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* Waits until the card has power. 0, or why it will not. */
static int wait_for_power(struct sim *sim)
{
	int64_t to_ns;
	int r = 0;

	if (world_fault(&sim->world, WORLD_SUSPEND, now_ns(), &to_ns)) {
		r = hold_until(to_ns < sim->unplug_ns ? to_ns : sim->unplug_ns);
	}
	return r ? r : now_ns() >= sim->unplug_ns ? -ENODEV : 0;
}

/* From @t_ns on it runs, until it is suspended next. */
static void runs_from(struct sim *sim, int64_t t_ns)
{
	int64_t to_ns;

	sim->suspend_ns = world_fault(&sim->world, WORLD_SUSPEND, t_ns, &to_ns)
		? t_ns
		: world_next(&sim->world, WORLD_SUSPEND, t_ns);
}

static int sim_prepare(snd_pcm_ioplug_t *io)
{
	struct sim *sim = io->private_data;

	if (io->state == SND_PCM_STATE_RUNNING) {
		return -EBUSY; /* as the kernel has it */
	}
	int r = wait_for_power(sim);
	if (r) {
		return r;
	}
	sim->delivered = 0;
	return timer_set(sim, 0);
}

static int sim_start(snd_pcm_ioplug_t *io)
{
	struct sim *sim = io->private_data;
	int64_t t_ns = now_ns();

	if (t_ns >= sim->unplug_ns) {
		return -ENODEV;
	}
	sim->start = world_frames(&sim->world, t_ns);
	sim->delivered = 0;
	runs_from(sim, t_ns);
	return arm(sim, 0);
}

static int sim_resume(snd_pcm_ioplug_t *io)
{
	struct sim *sim = io->private_data;

	if (io->state != SND_PCM_STATE_SUSPENDED) {
		return -EBADFD;
	}
	int r = wait_for_power(sim);
	if (r) {
		return r; /* (which alsa-lib takes for success) */
	}
	runs_from(sim, now_ns());
	snd_pcm_ioplug_set_state(io, SND_PCM_STATE_RUNNING);
	return arm(sim, sim->delivered - waiting(sim));
}

static int sim_stop(snd_pcm_ioplug_t *io)
{
	/* who polls a stopped card is told so, not left waiting */
	return timer_set(io->private_data, AT_ONCE_NS);
}

static int sim_drain(snd_pcm_ioplug_t *io)
{
	return 0;
}

static snd_pcm_sframes_t sim_pointer(snd_pcm_ioplug_t *io)
{
	struct sim *sim = io->private_data;

	/*
	 * Only an overrun may be answered with an error: alsa-lib takes every
	 * error for one, and a reader would try for ever to recover a card that
	 * is gone.
	 */
	if (look(sim, now_ns()) == SND_PCM_STATE_XRUN) {
		return -EPIPE;
	}
	return (snd_pcm_sframes_t)((snd_pcm_uframes_t)sim->delivered % sim->boundary);
}

/* One sample, full scale at 1, in units of 1 / @scale; what is louder is clipped. */
static int32_t sample_of(double sample, double scale)
{
	double value = sample * scale;

	if (value >= scale - 1) {
		return (int32_t)(scale - 1);
	}
	if (value <= -scale) {
		return (int32_t)-scale;
	}
	return value == value ? (int32_t)lrint(value) : 0;
}

/* Of one sample, as it lies in memory. */
static unsigned bytes_of(snd_pcm_format_t format)
{
	return (unsigned)snd_pcm_format_physical_width(format) / 8;
}

static void samples_put(const struct sim *sim, const snd_pcm_channel_area_t *area,
	snd_pcm_uframes_t offset, size_t n, unsigned channel)
{
	unsigned width = tape_channels(sim->tape);
	size_t step_bytes = area->step / 8;
	char *to = (char *)area->addr + area->first / 8 + offset * step_bytes;
	bool silent = channel >= width;
	double scale = ldexp(1, snd_pcm_format_width(sim->io.format) - 1);
	size_t sample_bytes = bytes_of(sim->io.format);

	for (size_t i = 0; i < n; i++, to += step_bytes) {
		double sample = silent ? 0 : sim->samples[i * width + channel];
		uint32_t word = htole32((uint32_t)sample_of(sample, scale));
		memcpy(to, &word, sample_bytes); /* the low bytes come first */
	}
}

/* Fetches the card's frames from @first on out of the world. */
static void fetch(struct sim *sim, int64_t first, const snd_pcm_channel_area_t *areas,
	snd_pcm_uframes_t offset, snd_pcm_uframes_t size)
{
	snd_pcm_uframes_t done = 0;

	while (done < size) {
		int64_t run;
		int64_t at = world_source(&sim->world, sim->start, first + (int64_t)done, &run);
		size_t n = size - done < TAPE_RUN_FRAMES ? size - done : TAPE_RUN_FRAMES;
		if (run < (int64_t)n) {
			n = (size_t)run;
		}
		tape_read(sim->tape, at, n, sim->samples);
		for (unsigned channel = 0; channel < sim->channels; channel++) {
			samples_put(sim, &areas[channel], offset + done, n, channel);
		}
		done += n;
	}
}

static snd_pcm_sframes_t sim_transfer(snd_pcm_ioplug_t *io, const snd_pcm_channel_area_t *areas,
	snd_pcm_uframes_t offset, snd_pcm_uframes_t size)
{
	struct sim *sim = io->private_data;
	int64_t to_ns;
	int r;

	if (world_fault(&sim->world, WORLD_STALL, now_ns(), &to_ns)) {
		if (io->nonblock) {
			r = arm(sim, sim->delivered - waiting(sim));
			return r ? r : -EAGAIN;
		}
		r = hold_until(to_ns);
		if (r) {
			return r;
		}
	}
	switch (look(sim, now_ns())) {
	case SND_PCM_STATE_XRUN:
		return -EPIPE;
	case SND_PCM_STATE_DISCONNECTED:
		return -ENODEV;
	case SND_PCM_STATE_SUSPENDED:
		return -ESTRPIPE;
	default:
		break;
	}

	int64_t first = sim->delivered - waiting(sim);
	fetch(sim, first, areas, offset, size);
	r = arm(sim, first + (int64_t)size);
	return r ? r : (snd_pcm_sframes_t)size;
}

static int sim_poll_revents(snd_pcm_ioplug_t *io, struct pollfd *pfd, unsigned n,
	unsigned short *ret_revents)
{
	struct sim *sim = io->private_data;
	int64_t t_ns = now_ns();
	int64_t to_ns;

	if (n != 1) {
		return -EINVAL;
	}
	*ret_revents = 0;
	if (!pfd->revents) {
		return 0;
	}
	switch (look(sim, t_ns)) {
	case SND_PCM_STATE_PREPARED:
		return 0;
	case SND_PCM_STATE_RUNNING:
		if (waiting(sim) >= (int64_t)sim->avail_min &&
			!world_fault(&sim->world, WORLD_STALL, t_ns, &to_ns)) {
			*ret_revents = POLLIN;
			return 0;
		}
		return arm(sim, sim->delivered - waiting(sim));
	default:
		*ret_revents = POLLIN | POLLERR;
		return 0;
	}
}

static int sim_sw_params(snd_pcm_ioplug_t *io, snd_pcm_sw_params_t *params)
{
	struct sim *sim = io->private_data;

	snd_pcm_sw_params_get_avail_min(params, &sim->avail_min);
	snd_pcm_sw_params_get_boundary(params, &sim->boundary);
	if (sim->avail_min < 1) {
		sim->avail_min = 1;
	}
	return 0;
}

static void sim_free(struct sim *sim)
{
	if (sim->timer_fd >= 0) {
		close(sim->timer_fd);
	}
	tape_close(sim->tape);
	free(sim);
}

static int sim_close(snd_pcm_ioplug_t *io)
{
	sim_free(io->private_data);
	return 0;
}

static const snd_pcm_ioplug_callback_t sim_callbacks = {
	.start = sim_start,
	.stop = sim_stop,
	.pointer = sim_pointer,
	.transfer = sim_transfer,
	.close = sim_close,
	.sw_params = sim_sw_params,
	.prepare = sim_prepare,
	.resume = sim_resume,
	.drain = sim_drain,
	.poll_revents = sim_poll_revents,
};

static int format_read(const struct sim *sim, unsigned *ret_format, struct error *error)
{
	const char *text = getenv("CHALKBOX_SIM_FORMAT");

	if (!text || !*text) {
		*ret_format =
			tape_fits_16(sim->tape) ? SND_PCM_FORMAT_S16_LE : SND_PCM_FORMAT_S32_LE;
	} else if (!strcmp(text, "S16")) {
		*ret_format = SND_PCM_FORMAT_S16_LE;
	} else if (!strcmp(text, "S24")) {
		*ret_format = SND_PCM_FORMAT_S24_LE;
	} else if (!strcmp(text, "S24_3")) {
		*ret_format = SND_PCM_FORMAT_S24_3LE;
	} else if (!strcmp(text, "S32")) {
		*ret_format = SND_PCM_FORMAT_S32_LE;
	} else {
		return error_set(error, -EINVAL,
			"CHALKBOX_SIM_FORMAT: \"%s\" is not S16, S24, S24_3 or S32", text);
	}
	return 0;
}

static int channels_read(const struct sim *sim, unsigned *ret_channels, struct error *error)
{
	const char *text = getenv("CHALKBOX_SIM_CHANNELS");
	char *end;

	if (!text || !*text) {
		*ret_channels = tape_channels(sim->tape);
		return 0;
	}
	long n = strtol(text, &end, 10);
	if (*end || n < 1 || n > TAPE_CHANNELS_MAX) {
		return error_set(error, -EINVAL,
			"CHALKBOX_SIM_CHANNELS: \"%s\" is not a number from 1 to %d", text,
			TAPE_CHANNELS_MAX);
	}
	*ret_channels = (unsigned)n;
	return 0;
}

static int loop_read(bool *ret_loop, struct error *error)
{
	const char *text = getenv("CHALKBOX_SIM_END");

	*ret_loop = text && !strcmp(text, "loop");
	if (text && *text && !*ret_loop && strcmp(text, "silence") != 0) {
		return error_set(error, -EINVAL, "CHALKBOX_SIM_END: \"%s\" is not silence or loop",
			text);
	}
	return 0;
}

/* The card speaks one rate, one format and one channel count, like the cheap ones. */
static int constraints_set(struct sim *sim, unsigned format)
{
	static const unsigned accesses[] = {
		SND_PCM_ACCESS_RW_INTERLEAVED,
		SND_PCM_ACCESS_MMAP_INTERLEAVED,
	};
	snd_pcm_ioplug_t *io = &sim->io;
	unsigned rate_hz = tape_rate_hz(sim->tape);
	unsigned frame_bytes = sim->channels * bytes_of((snd_pcm_format_t)format);
	int r;

	r = snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_ACCESS, 2, accesses);
	r = r < 0 ? r : snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_FORMAT, 1, &format);
	r = r < 0 ? r : snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_CHANNELS, 1,
		&sim->channels);
	r = r < 0 ? r : snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_RATE, 1, &rate_hz);
	/* periods of 5 ms to 1 s, buffers of 100 ms to 4 s */
	r = r < 0 ? r : snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_PERIOD_BYTES,
		rate_hz / 200 * frame_bytes, rate_hz * frame_bytes);
	r = r < 0 ? r : snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_BUFFER_BYTES,
		rate_hz / 10 * frame_bytes, rate_hz * 4 * frame_bytes);
	r = r < 0 ? r : snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_PERIODS, 2, 800);
	return r < 0 ? r : 0;
}

/*
 * Reads the environment and opens the file. A card that is not plugged in gives
 * -ENODEV and no explanation: that is what was asked for.
 */
static int sim_open(struct sim *sim, unsigned *ret_format, struct error *error)
{
	int64_t first_ns = first_look_ns();
	int64_t t_ns = now_ns(), to_ns;
	bool loop;
	int r;

	r = world_init(&sim->world, getenv("CHALKBOX_SIM_CLOCK"), getenv("CHALKBOX_SIM_PPM"),
		getenv("CHALKBOX_SIM_FAULTS"), first_ns, error);
	if (r) {
		return r;
	}
	if (world_fault(&sim->world, WORLD_UNPLUG, t_ns, &to_ns)) {
		return error_set(error, -ENODEV, "the simulated card is unplugged");
	}
	sim->unplug_ns = world_next(&sim->world, WORLD_UNPLUG, t_ns);
	r = loop_read(&loop, error);
	if (r) {
		return r;
	}
	r = tape_open(getenv("CHALKBOX_SIM_WAV"), loop, &sim->tape, error);
	if (r) {
		return r;
	}
	world_set_rate(&sim->world, tape_rate_hz(sim->tape));
	sim->burst = tape_rate_hz(sim->tape) / 1000;
	r = format_read(sim, ret_format, error);
	if (r) {
		return r;
	}
	r = channels_read(sim, &sim->channels, error);
	if (r) {
		return r;
	}
	sim->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (sim->timer_fd < 0) {
		return error_set(error, -errno, "no timer for the simulated card: %s",
			strerror(errno));
	}
	return 0;
}

#pragma GCC visibility push(default)
SND_PCM_PLUGIN_DEFINE_FUNC(chalkbox_sim);
SND_PCM_PLUGIN_SYMBOL(chalkbox_sim)
#pragma GCC visibility pop

SND_PCM_PLUGIN_DEFINE_FUNC(chalkbox_sim)
{
	struct error error;
	unsigned format = SND_PCM_FORMAT_S16_LE;
	int r;

	if (stream != SND_PCM_STREAM_CAPTURE) {
		return -ENODEV; /* a microphone does not play */
	}
	struct sim *sim = calloc(1, sizeof(*sim));
	if (!sim) {
		return -ENOMEM;
	}
	sim->timer_fd = -1;
	sim->suspend_ns = WORLD_NEVER;
	r = sim_open(sim, &format, &error);
	if (r) {
		if (r != -ENODEV) {
			fprintf(stderr, "chalkbox_sim: %s\n", error.text);
		}
		sim_free(sim);
		return r;
	}

	sim->boundary = sim->avail_min = 1; /* until the software parameters come */
	sim->io.version = SND_PCM_IOPLUG_VERSION;
	sim->io.name = "Chalkbox's simulated microphone";
	sim->io.flags = SND_PCM_IOPLUG_FLAG_MONOTONIC | SND_PCM_IOPLUG_FLAG_BOUNDARY_WA;
	sim->io.callback = &sim_callbacks;
	sim->io.private_data = sim;
	sim->io.poll_fd = sim->timer_fd;
	sim->io.poll_events = POLLIN;
	r = snd_pcm_ioplug_create(&sim->io, name, stream, mode);
	if (r < 0) {
		sim_free(sim);
		return r;
	}
	sim->io.nonblock = (mode & SND_PCM_NONBLOCK) != 0;
	r = constraints_set(sim, format);
	if (r) {
		snd_pcm_ioplug_delete(&sim->io);
		return r;
	}
	*pcmp = sim->io.pcm;
	return 0;
}
