/*
 * Time mapping. At each wake the card tells how many frames it holds at which
 * kernel time: that is an anchor for the sample clock, in the ring's absolute
 * frame index. After an overrun the index must not slip, so the first anchor
 * afterwards is compared with where the line said that the card should be, and
 * the difference goes into the ring as silence:
 *
 *	card    |----frames----|  lost  |----frames----
 *	ring    |----frames----|silence |----frames----
 *	                       ^head    ^ line(t of the first anchor)
 *
 * A hole of more than GAP_MOST_NS, a card that runs and gives nothing, and a
 * card that is gone end the generation: the card is closed and opened anew.
 */
#include "firmware/listener.h"

#include "app/base/clock.h"
#include "firmware/microphone.h"
#include "firmware/sampleclock.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define HEARD_MAX 32
#define NOTHING_MOST_NS (3 * NS_PER_S)
#define GAP_MOST_NS (10 * NS_PER_S)
#define REOPEN_NS (2 * NS_PER_S)
#define TURN_NS NS_PER_S
#define FRAMES_A_READ 4800
#define LATE_MOST_NS (3 * MICROPHONE_PERIOD_NS)
#define LOOKS 3

struct listener {
	const struct config *config;
	struct ring *ring;
	pthread_t thread;
	bool started;
	int wake_fd; /* main -> thread */
	int tell_fd; /* thread -> main */
	atomic_bool stop, mute;
	atomic_uint_fast64_t heartbeat;
	pthread_mutex_t lock; /* of what follows */
	struct sampleclock clock;
	int rate_hz;
	bool live;
	struct heard heard[HEARD_MAX];
	size_t n_heard;
	/* the thread's own */
	int16_t frames[FRAMES_A_READ];
	char lost_cause[160]; /* the last one told; "" while live */
	bool told_muted;
	bool after_loss;      /* an overrun: the next anchor closes the gap */
	bool anchored;        /* this card's line has begun */
};

static void tell(struct listener *listener, const struct heard *heard)
{
	pthread_mutex_lock(&listener->lock);
	if (listener->n_heard == HEARD_MAX) { /* nobody reads: the latest matter most */
		memmove(&listener->heard[0], &listener->heard[1],
			(HEARD_MAX - 1) * sizeof(listener->heard[0]));
		listener->n_heard--;
	}
	listener->heard[listener->n_heard++] = *heard;
	pthread_mutex_unlock(&listener->lock);
	eventfd_write(listener->tell_fd, 1);
}

static void tell_lost(struct listener *listener, int64_t since_ns, const char *cause)
{
	if (strcmp(listener->lost_cause, cause) == 0) {
		return;
	}
	struct heard heard = {.what = HEARD_LOST, .t_ns = since_ns};
	snprintf(heard.cause, sizeof(heard.cause), "%s", cause);
	snprintf(listener->lost_cause, sizeof(listener->lost_cause), "%s", cause);
	listener->told_muted = false;
	tell(listener, &heard);
}

static void tell_live(struct listener *listener, const struct microphone *mic)
{
	struct heard heard = {.what = HEARD_LIVE,
		.t_ns = clock_now_ns(),
		.rate_hz = microphone_rate_hz(mic)};
	snprintf(heard.card, sizeof(heard.card), "%s", microphone_name(mic));
	listener->lost_cause[0] = '\0';
	listener->told_muted = false;
	pthread_mutex_lock(&listener->lock);
	listener->live = true;
	pthread_mutex_unlock(&listener->lock);
	tell(listener, &heard);
}

static int real_ms(int64_t ns)
{
	int64_t now_ns = clock_now_ns();
	int64_t ms = (clock_to_kernel_ns(now_ns + ns) - clock_to_kernel_ns(now_ns)) / NS_PER_MS;
	return ms < 1 ? 1 : (int)ms;
}

static bool interrupted(struct listener *listener)
{
	eventfd_t unused;
	eventfd_read(listener->wake_fd, &unused);
	return atomic_load(&listener->stop) || atomic_load(&listener->mute);
}

/*
 * Puts the card's position on the line. After a loss the index is first moved on
 * to where the line says that it must be. -EIO when the hole is too big.
 */
static int anchor(struct listener *listener, int64_t avail, int64_t t_ns)
{
	int64_t head = ring_span(listener->ring).head;
	struct heard gap = {.what = HEARD_GAP, .t_ns = t_ns, .from_ns = t_ns};
	int64_t missing = 0;
	int r = 0;

	pthread_mutex_lock(&listener->lock);
	struct sampleclock *clock = &listener->clock;
	if (listener->after_loss && sampleclock_ready(clock)) {
		missing = sampleclock_frame(clock, t_ns) - (head + avail);
		missing = missing < 0 ? 0 : missing;
		gap.from_ns = sampleclock_time(clock, head);
		gap.t_ns = sampleclock_time(clock, head + missing);
		if (gap.t_ns - gap.from_ns > GAP_MOST_NS) {
			r = -EIO;
		}
		sampleclock_restart(clock);
	}
	if (r == 0) {
		sampleclock_anchor(clock, head + missing + avail, t_ns);
	}
	pthread_mutex_unlock(&listener->lock);

	listener->anchored = true;
	if (r == 0 && listener->after_loss) {
		ring_write(listener->ring, NULL, (size_t)missing);
		snprintf(gap.cause, sizeof(gap.cause), "overrun");
		tell(listener, &gap);
		listener->after_loss = false;
	}
	return r;
}

/* How far the card is behind the line at this stamp. */
static int64_t behind_ns(struct listener *listener, int64_t avail, int64_t t_ns)
{
	int64_t head = ring_span(listener->ring).head;
	pthread_mutex_lock(&listener->lock);
	bool ready = sampleclock_ready(&listener->clock);
	int64_t ns = ready ? t_ns - sampleclock_time(&listener->clock, head + avail) : 0;
	pthread_mutex_unlock(&listener->lock);
	return ns;
}

/*
 * The card's position. A stamp far behind the line is either a late look (the
 * next look is back on it) or frames that the card lost without a word (it is
 * not): so look again before believing it. Where there is no line yet to hold a
 * late look against, at the start and after a loss, the least late of a few is
 * taken: all that follows is reckoned from it.
 */
static int look(struct listener *listener, struct microphone *mic, int64_t *ret_avail,
	int64_t *ret_t_ns)
{
	bool fresh = listener->after_loss || !listener->anchored;
	int64_t least_ns = INT64_MAX;
	for (int looks = 0;; looks++) {
		int64_t avail, t_ns;
		int r = microphone_stamp(mic, &avail, &t_ns);
		if (r < 0) {
			return r;
		}
		int64_t begin_ns = t_ns - avail * NS_PER_S / microphone_rate_hz(mic);
		if (begin_ns < least_ns) {
			least_ns = begin_ns;
			*ret_avail = avail;
			*ret_t_ns = t_ns;
		}
		if (avail < microphone_period_frames(mic) ||
			(!fresh && behind_ns(listener, avail, t_ns) < LATE_MOST_NS)) {
			*ret_avail = avail;
			*ret_t_ns = t_ns;
			return 0;
		}
		if (looks == LOOKS) {
			listener->after_loss |= !fresh;
			return 0;
		}
	}
}

/* One wake's worth of frames: how many, or -errno when the card must be closed. */
static ssize_t take(struct listener *listener, struct microphone *mic)
{
	int64_t avail = 0, t_ns = 0;
	int r = look(listener, mic, &avail, &t_ns);
	if (r == -EPIPE) {
		listener->after_loss = true;
		return 0;
	}
	if (r < 0) {
		return r;
	}
	/* less than a wake's worth: the wait ran out, and the card may be standing
	   still; its frames count, but the moment says nothing of where it is */
	bool standing = avail < microphone_period_frames(mic);
	if (avail == 0 || (standing && (listener->after_loss || !listener->anchored))) {
		return 0;
	}
	r = standing ? 0 : anchor(listener, avail, t_ns);
	if (r < 0) {
		return r;
	}
	ssize_t total = 0;
	while (total < avail) {
		ssize_t got = microphone_read(mic, listener->frames, FRAMES_A_READ);
		if (got == -EPIPE) {
			listener->after_loss = true;
			break;
		}
		if (got < 0) {
			return got;
		}
		if (got == 0) {
			break;
		}
		ring_write(listener->ring, listener->frames, (size_t)got);
		total += got;
	}
	return total;
}

/* Listens until the card is lost (returns why) or somebody wants otherwise (0). */
static int listen(struct listener *listener, struct microphone *mic)
{
	bool live = false;
	int64_t last_ns = clock_now_ns();
	listener->after_loss = listener->anchored = false;
	while (!interrupted(listener)) {
		atomic_fetch_add(&listener->heartbeat, 1);
		int r = microphone_wait(mic, listener->wake_fd, real_ms(TURN_NS));
		if (r < 0 && r != -EPIPE && r != -ESTRPIPE) {
			return r;
		}
		ssize_t got = take(listener, mic);
		if (got < 0) {
			return (int)got;
		}
		int64_t now_ns = clock_now_ns();
		if (got > 0) {
			last_ns = now_ns;
			if (!live) {
				live = true;
				tell_live(listener, mic);
			}
		} else if (now_ns - last_ns > NOTHING_MOST_NS) {
			return -ETIMEDOUT;
		}
	}
	return 0;
}

static void pause_for(struct listener *listener, int64_t ns)
{
	struct pollfd fd = {.fd = listener->wake_fd, .events = POLLIN};
	atomic_fetch_add(&listener->heartbeat, 1);
	(void)poll(&fd, 1, ns < 0 ? -1 : real_ms(ns));
}

static void hear(struct listener *listener)
{
	struct microphone *mic;
	struct error error;
	int r = microphone_open(listener->config, &mic, &error);
	if (r < 0) {
		tell_lost(listener, clock_now_ns(), error.text);
		pause_for(listener, REOPEN_NS);
		return;
	}
	int rate_hz = microphone_rate_hz(mic);
	pthread_mutex_lock(&listener->lock);
	sampleclock_init(&listener->clock, rate_hz, MICROPHONE_PERIOD_NS);
	listener->rate_hz = rate_hz;
	pthread_mutex_unlock(&listener->lock);
	r = ring_reset(listener->ring, (size_t)rate_hz * (size_t)listener->config->ring_s);
	if (r == 0) {
		r = listen(listener, mic);
	}
	int64_t since_ns;
	if (!listener_time(listener, ring_span(listener->ring).head, &since_ns)) {
		since_ns = clock_now_ns();
	}
	microphone_close(mic);
	explicit_bzero(listener->frames, sizeof(listener->frames));
	pthread_mutex_lock(&listener->lock);
	listener->live = false;
	pthread_mutex_unlock(&listener->lock);
	if (r < 0) {
		tell_lost(listener, since_ns,
			r == -ETIMEDOUT         ? "the card runs but gives no sound"
				: r == -ENODEV ? "the card was unplugged"
				: r == -EIO    ? "the card stood still for too long"
					       : strerror(-r));
		pause_for(listener, REOPEN_NS);
	}
}

static void *run(void *data)
{
	struct listener *listener = data;
	pthread_setname_np(pthread_self(), "listener");
	while (!atomic_load(&listener->stop)) {
		if (!atomic_load(&listener->mute)) {
			hear(listener);
			continue;
		}
		if (!listener->told_muted) {
			struct heard heard = {.what = HEARD_MUTED, .t_ns = clock_now_ns()};
			listener->told_muted = true;
			listener->lost_cause[0] = '\0';
			tell(listener, &heard);
		}
		pause_for(listener, TURN_NS);
		interrupted(listener);
	}
	return NULL;
}

int listener_new(const struct config *config, struct ring *ring, struct listener **ret_listener)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	if (!listener) {
		return -ENOMEM;
	}
	listener->config = config;
	listener->ring = ring;
	pthread_mutex_init(&listener->lock, NULL);
	listener->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	listener->tell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (listener->wake_fd < 0 || listener->tell_fd < 0) {
		int r = -errno;
		listener_free(listener);
		return r;
	}
	*ret_listener = listener;
	return 0;
}

int listener_start(struct listener *listener, bool muted)
{
	sigset_t all, before;
	atomic_store(&listener->mute, muted);
	sigfillset(&all); /* signals are the loop's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = -pthread_create(&listener->thread, NULL, run, listener);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	listener->started = r == 0;
	return r;
}

void listener_free(struct listener *listener)
{
	if (!listener) {
		return;
	}
	atomic_store(&listener->stop, true);
	if (listener->started) {
		eventfd_write(listener->wake_fd, 1);
		pthread_join(listener->thread, NULL);
	}
	if (listener->wake_fd >= 0) {
		close(listener->wake_fd);
	}
	if (listener->tell_fd >= 0) {
		close(listener->tell_fd);
	}
	pthread_mutex_destroy(&listener->lock);
	explicit_bzero(listener->frames, sizeof(listener->frames));
	free(listener);
}

int listener_fd(const struct listener *listener)
{
	return listener->tell_fd;
}

bool listener_next(struct listener *listener, struct heard *ret_heard)
{
	eventfd_t unused;
	pthread_mutex_lock(&listener->lock);
	bool there = listener->n_heard > 0;
	if (there) {
		*ret_heard = listener->heard[0];
		listener->n_heard--;
		memmove(&listener->heard[0], &listener->heard[1],
			listener->n_heard * sizeof(listener->heard[0]));
	} else {
		eventfd_read(listener->tell_fd, &unused);
	}
	pthread_mutex_unlock(&listener->lock);
	return there;
}

void listener_mute(struct listener *listener, bool muted)
{
	atomic_store(&listener->mute, muted);
	eventfd_write(listener->wake_fd, 1);
}

bool listener_frame(struct listener *listener, int64_t t_ns, int64_t *ret_frame)
{
	pthread_mutex_lock(&listener->lock);
	bool known = sampleclock_ready(&listener->clock);
	if (known) {
		*ret_frame = sampleclock_frame(&listener->clock, t_ns);
	}
	pthread_mutex_unlock(&listener->lock);
	return known;
}

bool listener_time(struct listener *listener, int64_t frame, int64_t *ret_t_ns)
{
	pthread_mutex_lock(&listener->lock);
	bool known = sampleclock_ready(&listener->clock);
	if (known) {
		*ret_t_ns = sampleclock_time(&listener->clock, frame);
	}
	pthread_mutex_unlock(&listener->lock);
	return known;
}

int listener_rate_hz(struct listener *listener)
{
	pthread_mutex_lock(&listener->lock);
	int rate_hz = listener->live ? listener->rate_hz : 0;
	pthread_mutex_unlock(&listener->lock);
	return rate_hz;
}

int listener_last_rate_hz(struct listener *listener)
{
	pthread_mutex_lock(&listener->lock);
	int rate_hz = listener->rate_hz;
	pthread_mutex_unlock(&listener->lock);
	return rate_hz;
}

uint64_t listener_heartbeat(const struct listener *listener)
{
	return atomic_load(&listener->heartbeat);
}
