#include "app/sync/patience.h"

void patience_init(struct patience *patience, int64_t budget_ms, uint32_t (*dice)(uint32_t below))
{
	*patience = (struct patience){.left_ms = budget_ms, .dice = dice};
}

void patience_worked(struct patience *patience)
{
	patience->failures = 0;
}

bool patience_failed(struct patience *patience, int64_t retry_after_s, int64_t *ret_wait_ms)
{
	int64_t most_ms = PATIENCE_BASE_MS, wait_ms = 0;
	int i;

	for (i = 0; i < patience->failures && most_ms < PATIENCE_CAP_MS; i++) {
		most_ms *= 2;
	}
	if (most_ms > PATIENCE_CAP_MS) {
		most_ms = PATIENCE_CAP_MS;
	}
	if (++patience->failures >= PATIENCE_TRIES_MAX) {
		return false;
	}
	if (retry_after_s > 0) {
		/* no sooner than asked; far off, it is not for this run */
		if (retry_after_s > patience->left_ms / 1000) {
			return false;
		}
		wait_ms = retry_after_s * 1000;
		most_ms = PATIENCE_BASE_MS;
	}
	wait_ms += patience->dice((uint32_t)most_ms);
	if (wait_ms > patience->left_ms) {
		return false;
	}
	patience->left_ms -= wait_ms;
	*ret_wait_ms = wait_ms;
	return true;
}
