/*
 * Cards drift by tens of ppm against the system clock (100 ppm is 0.36 s an
 * hour), and each anchor is late by the jitter between the card's interrupt and
 * our look at it. So: a line through the anchors of the last minute. Its slope
 * is a least-squares fit without the outliers (beyond three median deviations,
 * and once more); its height is the median of what remains, because lateness
 * has a long tail on one side only. Until 15 s of anchors are there the slope
 * is the one known before, at first the card's own word.
 */
#include "firmware/sampleclock.h"

#include "app/base/clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SPACING_NS (250 * NS_PER_MS)
#define SLOPE_NEEDS_NS (15 * NS_PER_S)
#define SLOPE_MOST_OFF 0.01 /* a card more than 1 % off is not believed */
#define REFUSALS_MOST 5
#define FIT_EACH_UNTIL 16 /* then every fourth anchor, once a second, will do */

void sampleclock_init(struct sampleclock *clock, int rate_hz, int64_t period_ns)
{
	memset(clock, 0, sizeof(*clock));
	clock->nominal = (double)NS_PER_S / rate_hz;
	clock->slope = clock->nominal;
	clock->period_ns = period_ns;
}

/*
 * Reorders: what is not greater than the k-th smallest before it, the others
 * behind it (Hoare's selection). Unlike qsort(), it allocates nothing.
 */
static double smallest(double *values, int n, int k)
{
	int low = 0, high = n - 1;
	while (low < high) {
		double pivot = values[k];
		int i = low, j = high;
		while (i <= j) {
			while (values[i] < pivot) {
				i++;
			}
			while (pivot < values[j]) {
				j--;
			}
			if (i <= j) {
				double other = values[i];
				values[i++] = values[j];
				values[j--] = other;
			}
		}
		low = j < k ? i : low;
		high = i > k ? j : high;
	}
	return values[k];
}

static double median(double *values, int n)
{
	double middle = smallest(values, n, n / 2);
	if (n % 2) {
		return middle;
	}
	double below = values[0];
	for (int i = 1; i < n / 2; i++) {
		below = values[i] > below ? values[i] : below;
	}
	return (below + middle) / 2;
}

/* How late each anchor is against a line through anchor 0; both relative to it. */
struct cloud {
	int n;
	double x[SAMPLECLOCK_ANCHORS]; /* frames */
	double y[SAMPLECLOCK_ANCHORS]; /* ns */
};

static double slope_of(const struct cloud *cloud, double otherwise)
{
	double sx = 0, sy = 0, sxx = 0, sxy = 0;
	for (int i = 0; i < cloud->n; i++) {
		sx += cloud->x[i];
		sy += cloud->y[i];
	}
	double mx = sx / cloud->n, my = sy / cloud->n;
	for (int i = 0; i < cloud->n; i++) {
		sxx += (cloud->x[i] - mx) * (cloud->x[i] - mx);
		sxy += (cloud->x[i] - mx) * (cloud->y[i] - my);
	}
	return sxx > 0 ? sxy / sxx : otherwise;
}

static double height_of(const struct cloud *cloud, double slope)
{
	double rest[SAMPLECLOCK_ANCHORS];
	for (int i = 0; i < cloud->n; i++) {
		rest[i] = cloud->y[i] - slope * cloud->x[i];
	}
	return median(rest, cloud->n);
}

static void drop_outliers(struct cloud *cloud, double slope, double height)
{
	double off[SAMPLECLOCK_ANCHORS];
	for (int i = 0; i < cloud->n; i++) {
		off[i] = fabs(cloud->y[i] - slope * cloud->x[i] - height);
	}
	double limit = 3 * median(off, cloud->n) + 1000;
	int kept = 0;
	for (int i = 0; i < cloud->n; i++) {
		if (fabs(cloud->y[i] - slope * cloud->x[i] - height) <= limit) {
			cloud->x[kept] = cloud->x[i];
			cloud->y[kept++] = cloud->y[i];
		}
	}
	cloud->n = kept;
}

static void fit(struct sampleclock *clock)
{
	int oldest = clock->n < SAMPLECLOCK_ANCHORS ? 0 : clock->next;
	int newest = (clock->next + SAMPLECLOCK_ANCHORS - 1) % SAMPLECLOCK_ANCHORS;
	int64_t frame0 = clock->anchors[oldest].frame, t0_ns = clock->anchors[oldest].t_ns;

	struct cloud cloud = {.n = clock->n};
	for (int i = 0; i < clock->n; i++) {
		cloud.x[i] = (double)(clock->anchors[i].frame - frame0);
		cloud.y[i] = (double)(clock->anchors[i].t_ns - t0_ns);
	}

	bool enough = clock->anchors[newest].t_ns - t0_ns >= SLOPE_NEEDS_NS;
	double slope = enough ? slope_of(&cloud, clock->slope) : clock->slope;
	double height = height_of(&cloud, slope);
	for (int pass = 0; enough && pass < 2; pass++) {
		drop_outliers(&cloud, slope, height);
		slope = slope_of(&cloud, slope);
		height = height_of(&cloud, slope);
	}
	if (fabs(slope / clock->nominal - 1) < SLOPE_MOST_OFF) {
		clock->slope = slope;
	} else {
		height = height_of(&cloud, clock->slope);
	}
	clock->frame = frame0;
	clock->t_ns = t0_ns + llround(height);
}

void sampleclock_anchor(struct sampleclock *clock, int64_t frame, int64_t t_ns)
{
	if (clock->n > 0) {
		int newest = (clock->next + SAMPLECLOCK_ANCHORS - 1) % SAMPLECLOCK_ANCHORS;
		if (t_ns - clock->anchors[newest].t_ns < SPACING_NS) {
			return;
		}
		int64_t off_ns = t_ns - sampleclock_time(clock, frame);
		if (llabs(off_ns) > 3 * clock->period_ns) {
			if (++clock->refused < REFUSALS_MOST) {
				return;
			}
			sampleclock_restart(clock);
		}
	}
	clock->refused = 0;
	clock->anchors[clock->next].frame = frame;
	clock->anchors[clock->next].t_ns = t_ns;
	clock->next = (clock->next + 1) % SAMPLECLOCK_ANCHORS;
	if (clock->n < SAMPLECLOCK_ANCHORS) {
		clock->n++;
	}
	if (clock->n < FIT_EACH_UNTIL || clock->next % 4 == 0) {
		fit(clock);
	}
}

void sampleclock_restart(struct sampleclock *clock)
{
	clock->n = 0;
	clock->next = 0;
	clock->refused = 0;
}

bool sampleclock_ready(const struct sampleclock *clock)
{
	return clock->n > 0;
}

int64_t sampleclock_time(const struct sampleclock *clock, int64_t frame)
{
	return clock->t_ns + llround((double)(frame - clock->frame) * clock->slope);
}

int64_t sampleclock_frame(const struct sampleclock *clock, int64_t t_ns)
{
	return clock->frame + llround((double)(t_ns - clock->t_ns) / clock->slope);
}

double sampleclock_ppm(const struct sampleclock *clock)
{
	return (clock->nominal / clock->slope - 1) * 1e6;
}
