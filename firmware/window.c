/*
 * A later press can look back further than an earlier one:
 *
 *	first press         [----------------)
 *	second     [------------------------------)
 *	kept       [-------)[---------------------)
 *	            new      extended
 *
 * The new part lies wholly in the past and is written at one go.
 */
#include "firmware/window.h"

#include <string.h>

static int64_t limit_of(const struct window *window)
{
	return window->from_ns + WINDOW_LONGEST_NS;
}

/* The window that holds @t, else one that ends there and can grow; n for none. */
static size_t holder(const struct windows *windows, int64_t t_ns)
{
	size_t touched = windows->n;
	for (size_t i = 0; i < windows->n; i++) {
		const struct window *window = &windows->list[i];
		if (t_ns >= window->from_ns && t_ns < window->to_ns) {
			return i;
		}
		if (t_ns == window->to_ns && window->to_ns < limit_of(window)) {
			touched = i;
		}
	}
	return touched;
}

/* Where the next window after @t begins; @otherwise when there is none before. */
static int64_t next_begin(const struct windows *windows, int64_t t_ns, int64_t otherwise)
{
	int64_t begin = otherwise;
	for (size_t i = 0; i < windows->n; i++) {
		int64_t from_ns = windows->list[i].from_ns;
		if (from_ns > t_ns && from_ns < begin) {
			begin = from_ns;
		}
	}
	return begin;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void insert(struct windows *windows, struct window window)
{
	size_t i = windows->n;
	while (i > 0 && windows->list[i - 1].from_ns > window.from_ns) {
		windows->list[i] = windows->list[i - 1];
		i--;
	}
	windows->list[i] = window;
	windows->n++;
}

bool windows_keep(struct windows *windows, int64_t from_ns, int64_t to_ns)
{
	int64_t at_ns = from_ns;
	while (at_ns < to_ns) {
		int64_t end_ns = next_begin(windows, at_ns, to_ns);
		size_t i = holder(windows, at_ns);
		if (i < windows->n) {
			struct window *window = &windows->list[i];
			end_ns = least(end_ns, limit_of(window));
			if (end_ns > window->to_ns) {
				window->to_ns = end_ns;
			}
			at_ns = window->to_ns;
		} else if (windows->n < WINDOWS_MAX) {
			end_ns = least(end_ns, at_ns + WINDOW_LONGEST_NS);
			insert(windows, (struct window){.from_ns = at_ns, .to_ns = end_ns});
			at_ns = end_ns;
		} else {
			return false;
		}
	}
	return true;
}

void windows_remove(struct windows *windows, size_t i)
{
	windows->n--;
	memmove(&windows->list[i], &windows->list[i + 1],
		(windows->n - i) * sizeof(windows->list[0]));
}

bool windows_over(const struct windows *windows, size_t i, int64_t now_ns, int64_t before_ns)
{
	return now_ns > windows->list[i].to_ns + before_ns;
}
