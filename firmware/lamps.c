#include "firmware/lamps.h"

#include <string.h>

#define CUE_STEP_NS (90 * NS_PER_MS) /* on, off, on */
#define CUE_STEPS 3

void lamps_confirm(struct lamps *lamps, int64_t now_ns)
{
	lamps->blink_ns = now_ns;
}

void lamps_cue(struct lamps *lamps, int64_t now_ns)
{
	lamps->cue_ns = now_ns;
}

static bool blinking(const struct lamps *lamps, int64_t now_ns)
{
	if (lamps->blink_ns && now_ns - lamps->blink_ns < LAMPS_BLINK_NS) {
		return true;
	}
	int64_t since_ns = now_ns - lamps->cue_ns;
	return lamps->cue_ns && since_ns < CUE_STEPS * CUE_STEP_NS &&
		since_ns / CUE_STEP_NS % 2 == 0;
}

bool lamps_lit(const struct lamps *lamps, const char *name, int64_t now_ns)
{
	if (strcmp(name, "red") == 0) {
		return lamps->mic_live;
	}
	if (strcmp(name, "green") == 0) {
		return lamps->observing != blinking(lamps, now_ns);
	}
	if (strcmp(name, "vibration") == 0) {
		return blinking(lamps, now_ns);
	}
	if (strcmp(name, "amber") == 0) {
		return lamps->not_saving ? now_ns / LAMPS_FAST_NS % 2 == 0 : lamps->degraded;
	}
	for (size_t i = 0; i < sizeof(lamps->running) / sizeof(lamps->running[0]); i++) {
		if (strcmp(name, lamps->running[i]) == 0) {
			return true;
		}
	}
	return false;
}

static void sooner(int64_t *deadline_ns, int64_t t_ns, int64_t now_ns)
{
	if (t_ns > now_ns && t_ns < *deadline_ns) {
		*deadline_ns = t_ns;
	}
}

int64_t lamps_deadline(const struct lamps *lamps, int64_t now_ns)
{
	int64_t deadline_ns = INT64_MAX;
	if (lamps->blink_ns) {
		sooner(&deadline_ns, lamps->blink_ns + LAMPS_BLINK_NS, now_ns);
	}
	for (int i = 1; lamps->cue_ns && i <= CUE_STEPS; i++) {
		sooner(&deadline_ns, lamps->cue_ns + i * CUE_STEP_NS, now_ns);
	}
	if (lamps->not_saving) {
		sooner(&deadline_ns, (now_ns / LAMPS_FAST_NS + 1) * LAMPS_FAST_NS, now_ns);
	}
	return deadline_ns;
}
