/* The one seam of time. Everything that asks "when" asks here. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "app/base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_US INT64_C(1000)

#define BOOT_ID_CHARS 37 /* a UUID and its NUL */

/*
 * Reads CHALKBOX_SIM_CLOCK and CHALKBOX_SIM_WALL (board/sim/README.md) once;
 * without them every function below speaks of the real clocks. Call before the
 * first thread starts. Returns 0, or -EINVAL with an explanation.
 */
int clock_init(struct error *error) MUST_CHECK;

/* CLOCK_MONOTONIC now, ns. Any thread; does not block. */
int64_t clock_now_ns(void);

/*
 * The simulated clock's epoch, ns of CLOCK_MONOTONIC: where second 0 of a press
 * script and of the simulated microphone's sound lie. Without a simulated clock,
 * the moment of clock_init().
 */
int64_t clock_epoch_ns(void);

/*
 * A stamp made by the kernel (an edge, an ALSA status) as the time of this
 * program, and back: what a kernel timer must be set to. Identity, unless the
 * simulated clock runs at another speed. Any thread.
 */
int64_t clock_from_kernel_ns(int64_t kernel_ns);
int64_t clock_to_kernel_ns(int64_t t_ns);

/* How many program seconds pass in a real one: 1 but for a simulated clock. */
double clock_speed(void);

/*
 * A moment on both clocks. @trusted tells that something (NTP, a battery clock
 * that NTP disciplined) stands behind the wall time; @uncertainty_ns is the
 * kernel's own bound, which it widens by 500 ppm while nobody corrects it.
 * Source of the rule: adjtimex(2), maxerror below 16 s.
 */
struct clock_pair {
	int64_t t_ns;
	int64_t realtime_ns;
	int64_t uncertainty_ns;
	bool trusted;
};

/* The pair of now. Any thread; does not block on a real clock. */
void clock_pair(struct clock_pair *ret_pair);

/*
 * A descriptor that becomes readable when somebody steps the wall clock, or
 * -errno; the caller closes it. After each wake call clock_step_rearm().
 */
int clock_step_open(void);
int clock_step_rearm(int fd);

/* The kernel's boot id as text; "00000000-..." if it cannot be read. */
void clock_boot_id(char ret_id[static BOOT_ID_CHARS]);

#endif
