/*
 * Time, real or simulated.
 *
 * Simulated time runs SPEED times as fast as CLOCK_MONOTONIC and meets it at the
 * epoch:
 *
 *     t = EPOCH + (kernel - EPOCH) x SPEED
 *
 * SPEED is kept as millionths and only differences from the epoch are scaled, in
 * whole numbers, so that every program that knows the two numbers computes the
 * same nanosecond. From the kernel's time to ours we round down, back we round
 * up: a kernel timer set for t never goes off before t.
 *
 * The state below is the one exception to "no state at file level": time is
 * asked for everywhere, from every thread, and a handle for it would have to be
 * carried through every function. It is written by clock_init() alone, before
 * there is a second thread, and only read after that.
 */
#include "app/base/clock.h"

#include "app/base/file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define SPEED_ONE INT64_C(1000000)
#define SPEED_MOST (INT64_C(1000) * SPEED_ONE)
#define UNKNOWN_NS (INT64_C(16) * NS_PER_S) /* where the kernel stops counting */
#define PAIR_TRIES 3

static struct {
	int64_t epoch_ns;
	int64_t speed; /* millionths */
	char wall[FILE_PATH_CHARS]; /* "": the real wall clock */
} state = {.speed = SPEED_ONE};

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;

	(void)clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* The sum, held at the ends of the range. */
static int64_t add(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum)) {
		return b > 0 ? INT64_MAX : INT64_MIN;
	}
	return sum;
}

static int64_t subtract(int64_t a, int64_t b)
{
	int64_t difference;

	if (__builtin_sub_overflow(a, b, &difference)) {
		return b < 0 ? INT64_MAX : INT64_MIN;
	}
	return difference;
}

/*
 * d x up / down, rounded down, in whole numbers: d is split by @down first, so
 * that the products stay small (up and down are at most SPEED_MOST).
 */
static int64_t scale(int64_t d, int64_t up, int64_t down)
{
	int64_t whole = d / down, rest = d % down, product;

	if (rest < 0) {
		rest += down;
		whole--;
	}
	if (__builtin_mul_overflow(whole, up, &product)) {
		return whole > 0 ? INT64_MAX : INT64_MIN;
	}
	return add(product, rest * up / down);
}

int64_t clock_from_kernel_ns(int64_t kernel_ns)
{
	if (state.speed == SPEED_ONE) {
		return kernel_ns;
	}
	return add(
		state.epoch_ns, scale(subtract(kernel_ns, state.epoch_ns), state.speed, SPEED_ONE));
}

int64_t clock_to_kernel_ns(int64_t t_ns)
{
	if (state.speed == SPEED_ONE) {
		return t_ns;
	}
	/* Rounded up: scaled as its negative. */
	return subtract(
		state.epoch_ns, scale(subtract(state.epoch_ns, t_ns), SPEED_ONE, state.speed));
}

int64_t clock_now_ns(void)
{
	return clock_from_kernel_ns(read_clock(CLOCK_MONOTONIC));
}

int64_t clock_epoch_ns(void)
{
	return state.epoch_ns;
}

double clock_speed(void)
{
	return (double)state.speed / (double)SPEED_ONE;
}

/* A decimal with at most six places ("1", "12.5"), free of the locale. */
static bool parse_speed(const char *text, int64_t *ret_speed)
{
	int64_t speed = 0, place = SPEED_ONE / 10;
	const char *c = text;

	if (*c < '0' || *c > '9') {
		return false;
	}
	for (; *c >= '0' && *c <= '9'; c++) {
		speed = speed * 10 + (*c - '0') * SPEED_ONE;
		if (speed > SPEED_MOST) {
			return false;
		}
	}
	if (*c == '.') {
		for (c++; *c >= '0' && *c <= '9' && place > 0; c++) {
			speed += (*c - '0') * place;
			place /= 10;
		}
	}
	if (*c != '\0' || speed < SPEED_ONE / 1000 || speed > SPEED_MOST) {
		return false;
	}
	*ret_speed = speed;
	return true;
}

static bool parse_sim_clock(const char *text, int64_t *ret_epoch_ns, int64_t *ret_speed)
{
	long long epoch_ns;
	char *end;

	if (*text < '0' || *text > '9') {
		return false;
	}
	errno = 0;
	epoch_ns = strtoll(text, &end, 10);
	if (errno || *end != ' ' || !parse_speed(end + 1, ret_speed)) {
		return false;
	}
	*ret_epoch_ns = epoch_ns;
	return true;
}

struct wall {
	int64_t offset_ns, uncertainty_ns;
	bool trusted;
};

static int read_wall(const char *path, struct wall *ret_wall)
{
	long long offset_ns, uncertainty_ns;
	char *text, *at;
	long trusted;
	size_t n;
	int r;

	r = file_read(path, 256, &text, &n);
	if (r < 0) {
		return r;
	}

	errno = 0;
	offset_ns = strtoll(text, &at, 10);
	trusted = *at == ' ' ? strtol(at, &at, 10) : -1;
	uncertainty_ns = *at == ' ' ? strtoll(at, &at, 10) : -1;
	if (errno || (trusted != 0 && trusted != 1) || uncertainty_ns < 0 ||
		at[strspn(at, " \n")] != '\0') {
		free(text);
		return -EINVAL;
	}
	free(text);
	ret_wall->offset_ns = offset_ns;
	ret_wall->trusted = trusted == 1;
	ret_wall->uncertainty_ns = uncertainty_ns;
	return 0;
}

int clock_init(struct error *error)
{
	const char *sim = getenv("CHALKBOX_SIM_CLOCK");
	const char *path = getenv("CHALKBOX_SIM_WALL");
	int64_t epoch_ns = read_clock(CLOCK_MONOTONIC), speed = SPEED_ONE;
	char kept[sizeof(state.wall)] = "";
	struct wall wall;
	int r;

	if (sim && *sim && !parse_sim_clock(sim, &epoch_ns, &speed)) {
		return error_set(error, -EINVAL,
			"CHALKBOX_SIM_CLOCK=%s: must be EPOCH_NS SPEED, as in "
			"\"123456789 20\", with a speed from 0.001 to 1000 of at most six decimals",
			sim);
	}
	if (path && *path) {
		if (file_path(kept, sizeof(kept), "%s", path) < 0) {
			return error_set(error, -EINVAL,
				"CHALKBOX_SIM_WALL: the path is longer than %zu bytes",
				sizeof(kept) - 1);
		}
		r = read_wall(path, &wall);
		if (r == -EINVAL || r == -EFBIG) {
			return error_set(error, -EINVAL,
				"CHALKBOX_SIM_WALL: %s: must hold one line, "
				"OFFSET_NS TRUSTED UNCERTAINTY_NS, TRUSTED being 0 or 1",
				path);
		}
		if (r < 0) {
			error_set(error, r, "%s", "");
			(void)error_prefix(error, r, "CHALKBOX_SIM_WALL: %s", path);
			return -EINVAL;
		}
	}

	state.epoch_ns = epoch_ns;
	state.speed = speed;
	memcpy(state.wall, kept, sizeof(state.wall));
	return 0;
}

/* A file that cannot be read just now is a clock nobody stands behind. */
static void sim_pair(struct clock_pair *ret_pair)
{
	struct wall wall = {.uncertainty_ns = UNKNOWN_NS};
	int64_t t_ns = clock_now_ns();

	if (read_wall(state.wall, &wall) < 0) {
		wall = (struct wall){.uncertainty_ns = UNKNOWN_NS};
	}
	*ret_pair = (struct clock_pair){
		.t_ns = t_ns,
		.realtime_ns = add(t_ns, wall.offset_ns),
		.uncertainty_ns = wall.uncertainty_ns,
		.trusted = wall.trusted,
	};
}

/*
 * The wall clock is read between two looks at the monotonic one; half of the
 * time between those is what the pair itself is unsure of. The tightest of a few
 * tries is kept, in case we lost the processor in the middle of one.
 */
static void real_pair(struct clock_pair *ret_pair)
{
	struct timex timex = {.modes = 0};
	int64_t best_ns = INT64_MAX, kernel_ns = 0, realtime_ns = 0, error_ns = UNKNOWN_NS;

	for (int i = 0; i < PAIR_TRIES; i++) {
		int64_t before_ns = read_clock(CLOCK_MONOTONIC);
		int64_t wall_ns = read_clock(CLOCK_REALTIME);
		int64_t apart_ns = read_clock(CLOCK_MONOTONIC) - before_ns;

		if (apart_ns < best_ns) {
			best_ns = apart_ns;
			kernel_ns = before_ns + apart_ns / 2;
			realtime_ns = wall_ns;
		}
	}
	if (adjtimex(&timex) >= 0) {
		error_ns = (int64_t)timex.maxerror * NS_PER_US;
	}
	*ret_pair = (struct clock_pair){
		.t_ns = clock_from_kernel_ns(kernel_ns),
		.realtime_ns = realtime_ns,
		.uncertainty_ns = add(error_ns, (best_ns + 1) / 2),
		.trusted = error_ns < UNKNOWN_NS,
	};
}

void clock_pair(struct clock_pair *ret_pair)
{
	if (state.wall[0] != '\0') {
		sim_pair(ret_pair);
	} else {
		real_pair(ret_pair);
	}
}

/* The folder is watched, not the file: a rename puts another file in its place. */
static int watch_wall(void)
{
	char folder[sizeof(state.wall)];
	const char *slash = strrchr(state.wall, '/');
	int fd, r;

	if (slash) {
		r = file_path(
			folder, sizeof(folder), "%.*s/", (int)(slash - state.wall), state.wall);
	} else {
		r = file_path(folder, sizeof(folder), ".");
	}
	if (r < 0) {
		return r;
	}

	fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (fd < 0) {
		return -errno;
	}
	if (inotify_add_watch(fd, folder, IN_MOVED_TO | IN_ONLYDIR) < 0) {
		r = -errno;
		(void)close(fd);
		return r;
	}
	return fd;
}

/*
 * A timer that never runs out, cancelled by the kernel when the clock is set.
 * ECANCELED here says that it was set just now, while we armed: whoever wakes
 * looks at the clock after arming, and so has seen that step already.
 */
static int arm_timer(int fd)
{
	/* As far ahead as the kernel counts. */
	struct itimerspec never = {.it_value.tv_sec = (time_t)(INT64_MAX / NS_PER_S)};

	if (sizeof(time_t) < sizeof(int64_t)) {
		never.it_value.tv_sec = (time_t)INT32_MAX;
	}
	while (timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) < 0) {
		if (errno != ECANCELED) {
			return -errno;
		}
	}
	return 0;
}

int clock_step_open(void)
{
	int fd, r;

	if (state.wall[0] != '\0') {
		return watch_wall();
	}

	fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (fd < 0) {
		return -errno;
	}
	r = arm_timer(fd);
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	return fd;
}

int clock_step_rearm(int fd)
{
	char spent[4096];
	ssize_t got;

	do { /* What woke us is in the clock's reading, not in these bytes. */
		got = read(fd, spent, sizeof(spent));
	} while (got > 0 || (got < 0 && errno == EINTR));
	if (got < 0 && errno != EAGAIN && errno != ECANCELED) {
		return -errno;
	}
	return state.wall[0] != '\0' ? 0 : arm_timer(fd);
}

void clock_boot_id(char ret_id[static BOOT_ID_CHARS])
{
	static const char unknown[BOOT_ID_CHARS] = "00000000-0000-0000-0000-000000000000";
	char *text;
	size_t n;

	memcpy(ret_id, unknown, sizeof(unknown));
	if (file_read("/proc/sys/kernel/random/boot_id", 64, &text, &n) < 0) {
		return;
	}
	if (n >= BOOT_ID_CHARS - 1 && strspn(text, "0123456789abcdef-") >= BOOT_ID_CHARS - 1) {
		memcpy(ret_id, text, BOOT_ID_CHARS - 1);
	}
	free(text);
}
