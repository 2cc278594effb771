/*
 * Frame index <-> CLOCK_MONOTONIC, for a card whose clock is not ours. Pure; one
 * thread at a time.
 */
#ifndef FIRMWARE_SAMPLECLOCK_H
#define FIRMWARE_SAMPLECLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define SAMPLECLOCK_ANCHORS 240

struct sampleclock {
	double nominal; /* ns a frame, as the card says */
	double slope;   /* ns a frame, as measured */
	int64_t frame, t_ns; /* a point on the line */
	int64_t period_ns;
	int n, next;
	int refused;
	struct {
		int64_t frame, t_ns;
	} anchors[SAMPLECLOCK_ANCHORS];
};

/* A new card of @rate_hz; @period_ns is how often anchors come. */
void sampleclock_init(struct sampleclock *clock, int rate_hz, int64_t period_ns);

/*
 * At @t_ns the card had captured exactly the frames before @frame. Anchors
 * closer than 250 ms to the last are not needed and ignored; one further than
 * three periods off the line is refused, unless five in a row say the same.
 */
void sampleclock_anchor(struct sampleclock *clock, int64_t frame, int64_t t_ns);

/* Frames were lost: the line is drawn anew from here on, at the known slope. */
void sampleclock_restart(struct sampleclock *clock);

/* False until the first anchor: nothing can be said yet. */
bool sampleclock_ready(const struct sampleclock *clock);

/* The line, both ways. Meaningless before it is ready. */
int64_t sampleclock_time(const struct sampleclock *clock, int64_t frame);
int64_t sampleclock_frame(const struct sampleclock *clock, int64_t t_ns);

/* The card's clock error as measured, parts per million. */
double sampleclock_ppm(const struct sampleclock *clock);

#endif
