/*
 * The world goes on whether somebody listens or not. Its frames are numbered
 * from the epoch; everything the card says is worked out from three of those
 * numbers, never counted up, so that neither a late reader nor a rounding can
 * shift the sound:
 *
 *   start          the world's frame at snd_pcm_start()
 *   now            the world's frame now
 *   dead windows   frames nobody delivers; the card's own count skips them (nor
 *                  does a card that is suspended)
 *
 *   world    0 . . start . . . [dead) . . . . now
 *   card             0 1 2 3           4 5 6 7
 */
#include "board/sim/world.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_SECOND 1e9
#define SECONDS_MAX 1e7 /* four months: keeps every sum far from overflow */
#define EPOCH_MAX_NS INT64_C(4000000000000000000)

static int clock_read(struct world *world, const char *text, struct error *error)
{
	char *end;

	errno = 0;
	intmax_t epoch_ns = strtoimax(text, &end, 10);
	if (errno || end == text || *end != ' ' || epoch_ns < 0 || epoch_ns > EPOCH_MAX_NS) {
		goto bad;
	}
	const char *at = end + 1;
	double speed = strtod(at, &end);
	if (end == at || *end || !(speed >= 0.1 && speed <= 1000)) {
		goto bad;
	}
	world->epoch_ns = epoch_ns;
	world->speed = speed;
	return 0;
bad:
	return error_set(error, -EINVAL,
		"CHALKBOX_SIM_CLOCK: \"%s\" is not \"EPOCH_NS SPEED\", such as \"81234000000 10\" "
		"(speed 0.1 to 1000)",
		text);
}

static int ppm_read(struct world *world, const char *text, struct error *error)
{
	char *end;

	double ppm = strtod(text, &end);
	if (end == text || *end || !(fabs(ppm) <= 100000)) {
		return error_set(error, -EINVAL,
			"CHALKBOX_SIM_PPM: \"%s\" is not a number from -100000 to 100000", text);
	}
	world->ppm = ppm;
	return 0;
}

static int64_t second_ns(const struct world *world, double s)
{
	return world->epoch_ns + llrint(s / world->speed * NS_PER_SECOND);
}

static int fault_read(struct world *world, const char *text, size_t n, struct error *error)
{
	static const char *const names[] = { "stall", "dead", "unplug", "suspend" };
	const size_t n_names = sizeof(names) / sizeof(names[0]);
	char item[64];
	char *end;

	if (n >= sizeof(item)) {
		goto bad;
	}
	memcpy(item, text, n);
	item[n] = '\0';

	size_t word = strcspn(item, "@");
	size_t fault = 0;
	while (fault < n_names &&
		(strlen(names[fault]) != word || memcmp(item, names[fault], word))) {
		fault++;
	}
	if (fault == n_names || !item[word]) {
		goto bad;
	}
	const char *at = item + word + 1;
	double from_s = strtod(at, &end);
	if (end == at || *end != ':' || !(from_s >= 0 && from_s <= SECONDS_MAX)) {
		goto bad;
	}
	at = end + 1;
	double length_s = strtod(at, &end);
	if (end == at || *end || !(length_s > 0 && length_s <= SECONDS_MAX)) {
		goto bad;
	}
	if (world->n_windows == WORLD_WINDOWS_MAX) {
		return error_set(error, -EINVAL, "CHALKBOX_SIM_FAULTS: more than %d faults",
			WORLD_WINDOWS_MAX);
	}
	world->windows[world->n_windows++] = (struct world_window){
		.fault = (enum world_fault)fault,
		/* what holds from the very start held before the epoch, too */
		.from_ns = from_s > 0 ? second_ns(world, from_s) : INT64_MIN,
		.to_ns = second_ns(world, from_s + length_s),
	};
	return 0;
bad:
	return error_set(error, -EINVAL,
		"CHALKBOX_SIM_FAULTS: \"%.*s\" is not KIND@START:LENGTH in seconds, with stall, "
		"dead, unplug or suspend as KIND, such as \"stall@12.5:3\"",
		(int)(n < 80 ? n : 80), text);
}

static int faults_read(struct world *world, const char *text, struct error *error)
{
	while (*text) {
		size_t n = strcspn(text, ",");
		int r = fault_read(world, text, n, error);
		if (r) {
			return r;
		}
		text += n;
		text += *text == ',';
	}
	return 0;
}

static int window_order(const void *a, const void *b)
{
	const struct world_window *left = a, *right = b;

	return (left->from_ns > right->from_ns) - (left->from_ns < right->from_ns);
}

/* Windows of one fault that touch or overlap become one. */
static void windows_merge(struct world *world)
{
	size_t kept = 0;

	qsort(world->windows, world->n_windows, sizeof(world->windows[0]), window_order);
	for (size_t i = 0; i < world->n_windows; i++) {
		struct world_window *window = &world->windows[i];
		size_t k = kept;
		while (k > 0 && world->windows[k - 1].fault != window->fault) {
			k--;
		}
		if (k > 0 && world->windows[k - 1].to_ns >= window->from_ns) {
			if (window->to_ns > world->windows[k - 1].to_ns) {
				world->windows[k - 1].to_ns = window->to_ns;
			}
			continue;
		}
		world->windows[kept++] = *window;
	}
	world->n_windows = kept;
}

int world_init(struct world *world, const char *clock, const char *ppm, const char *faults,
	int64_t first_look_ns, struct error *error)
{
	int r = 0;

	*world = (struct world){ .epoch_ns = first_look_ns, .speed = 1 };
	if (clock && *clock) {
		r = clock_read(world, clock, error);
	}
	if (!r && ppm && *ppm) {
		r = ppm_read(world, ppm, error);
	}
	if (!r && faults) {
		r = faults_read(world, faults, error);
	}
	if (r) {
		return r;
	}
	windows_merge(world);
	world_set_rate(world, 48000);
	return 0;
}

void world_set_rate(struct world *world, unsigned rate_hz)
{
	world->card_hz = world->speed * rate_hz * (1 + world->ppm / 1e6);
}

int64_t world_frames(const struct world *world, int64_t t_ns)
{
	return (int64_t)floor((double)(t_ns - world->epoch_ns) * world->card_hz / NS_PER_SECOND);
}

int64_t world_frames_ns(const struct world *world, int64_t frames)
{
	int64_t t_ns = world->epoch_ns +
		(int64_t)ceil((double)frames / world->card_hz * NS_PER_SECOND);

	while (world_frames(world, t_ns) < frames) {
		t_ns++; /* a rounding short of it */
	}
	return t_ns;
}

bool world_fault(const struct world *world, enum world_fault fault, int64_t t_ns,
	int64_t *ret_to_ns)
{
	for (size_t i = 0; i < world->n_windows; i++) {
		const struct world_window *window = &world->windows[i];
		if (window->fault == fault && t_ns >= window->from_ns && t_ns < window->to_ns) {
			*ret_to_ns = window->to_ns;
			return true;
		}
	}
	return false;
}

int64_t world_next(const struct world *world, enum world_fault fault, int64_t t_ns)
{
	for (size_t i = 0; i < world->n_windows; i++) {
		if (world->windows[i].fault == fault && world->windows[i].from_ns > t_ns) {
			return world->windows[i].from_ns;
		}
	}
	return WORLD_NEVER;
}

static int64_t nearest_frame(const struct world *world, int64_t t_ns)
{
	return llrint((double)(t_ns - world->epoch_ns) * world->card_hz / NS_PER_SECOND);
}

/* A window of no frames as the world's, clipped to what lies behind @start. */
static bool hole(const struct world *world, size_t i, int64_t start, int64_t *ret_from,
	int64_t *ret_to)
{
	const struct world_window *window = &world->windows[i];

	if (window->fault != WORLD_DEAD && window->fault != WORLD_SUSPEND) {
		return false;
	}
	int64_t from = window->from_ns == INT64_MIN ? start : nearest_frame(world, window->from_ns);
	int64_t to = nearest_frame(world, window->to_ns);
	*ret_from = from > start ? from : start;
	*ret_to = to;
	return to > *ret_from;
}

int64_t world_delivered(const struct world *world, int64_t start, int64_t now)
{
	int64_t n = now - start;
	int64_t from, to;

	for (size_t i = 0; i < world->n_windows; i++) {
		if (hole(world, i, start, &from, &to) && now > from) {
			n -= (now < to ? now : to) - from;
			start = to; /* the next may overlap */
		}
	}
	return n;
}

int64_t world_source(const struct world *world, int64_t start, int64_t n, int64_t *ret_run)
{
	int64_t at = start + n;
	int64_t from, to;

	for (size_t i = 0; i < world->n_windows; i++) {
		if (!hole(world, i, start, &from, &to)) {
			continue;
		}
		if (at < from) {
			*ret_run = from - at;
			return at;
		}
		at += to - from;
		start = to;
	}
	*ret_run = INT64_MAX;
	return at;
}
