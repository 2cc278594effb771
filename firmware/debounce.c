/*
 * A contact bounces for some milliseconds at both ends of a press:
 *
 *	level  ___|-|_|--------------|_|-|______
 *	          ^ first  ^ settled ^ first  ^ settled
 *
 * The time of a press is the first edge away from the level that counted; the
 * press is believed after `quiet_ns` without edges, if the level is still
 * another one. Letting the kernel do this would move the stamp behind the
 * quiet, and round it to a tick of its timer.
 */
#include "firmware/debounce.h"

void debounce_init(struct debounce *debounce, int64_t quiet_ns, bool down)
{
	*debounce = (struct debounce){.quiet_ns = quiet_ns, .down = down, .raw = down};
}

static struct debounced settle(struct debounce *debounce, bool level, int64_t noticed_ns)
{
	struct debounced result = {.change = DEBOUNCE_NONE};
	if (level != debounce->down) {
		result.change = level ? DEBOUNCE_PRESS : DEBOUNCE_RELEASE;
		result.estimated = !debounce->restless || !debounce->stamped;
		result.t_ns = result.estimated ? noticed_ns : debounce->first_ns;
	}
	debounce->down = level;
	debounce->raw = level;
	debounce->restless = false;
	debounce->stamped = false;
	debounce->doubted = false;
	return result;
}

struct debounced debounce_edge(struct debounce *debounce, bool active, int64_t t_ns)
{
	struct debounced result = {.change = DEBOUNCE_NONE};
	if (debounce->restless && t_ns - debounce->last_ns >= debounce->quiet_ns) {
		result = settle(debounce, debounce->raw, debounce->last_ns);
	}
	if (active != debounce->down && !debounce->stamped) {
		debounce->first_ns = t_ns;
		debounce->stamped = true;
	}
	debounce->raw = active;
	debounce->restless = true;
	debounce->doubted = false;
	debounce->last_ns = t_ns;
	return result;
}

int64_t debounce_deadline(const struct debounce *debounce)
{
	return debounce->doubted ? debounce->doubt_ns + debounce->quiet_ns
		: debounce->restless ? debounce->last_ns + debounce->quiet_ns
				     : INT64_MAX;
}

struct debounced debounce_settle(struct debounce *debounce, bool level, int64_t now_ns)
{
	if (debounce->restless && now_ns - debounce->last_ns < debounce->quiet_ns) {
		return (struct debounced){.change = DEBOUNCE_NONE};
	}
	if (level == debounce->raw) {
		return settle(debounce, level, now_ns);
	}
	if (!debounce->doubted) {
		debounce->doubted = true;
		debounce->doubt_ns = now_ns;
	}
	if (now_ns - debounce->doubt_ns < debounce->quiet_ns) {
		return (struct debounced){.change = DEBOUNCE_NONE};
	}
	return settle(debounce, level, debounce->doubt_ns);
}

int64_t debounce_earliest(const struct debounce *debounce)
{
	return debounce->restless && debounce->stamped ? debounce->first_ns
		: debounce->doubted                    ? debounce->doubt_ns
						       : INT64_MAX;
}
