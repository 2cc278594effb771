#include "firmware/trial.h"

#include <stdio.h>

void trial_begin(struct trial *trial, int64_t now_ns, const char *lamp)
{
	trial->until_ns = now_ns + TRIAL_NS;
	snprintf(trial->lamp, sizeof(trial->lamp), "%s", lamp);
}

void trial_end(struct trial *trial)
{
	*trial = (struct trial){.until_ns = 0};
}

bool trial_on(const struct trial *trial, int64_t now_ns)
{
	return trial && now_ns < trial->until_ns;
}

void trial_press(struct trial *trial, size_t button, bool down)
{
	if (trial->n < TRIAL_PRESSES_MAX) {
		trial->list[trial->n++] = (struct trial_press){.button = button, .down = down};
	}
}
