#include "app/timeline/sums.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void name_rows(struct timeline_sum *sum, const struct code *code)
{
	size_t i;

	sum->code = code;
	sum->modifiers[sum->n_modifiers++] = "";
	if (code->double_tap[0]) {
		sum->modifiers[sum->n_modifiers++] = code->double_tap;
	}
	if (code->hold[0]) {
		sum->modifiers[sum->n_modifiers++] = code->hold;
	}
	for (i = 0; i < code->n_levels && i < SCHEME_LEVELS_MAX; i++) {
		sum->modifiers[sum->n_modifiers++] = code->levels[i];
	}
}

static size_t row_of(const struct timeline_sum *sum, const char *modifier)
{
	size_t i;

	for (i = 1; i < sum->n_modifiers; i++) {
		if (strcmp(sum->modifiers[i], modifier) == 0) {
			return i;
		}
	}
	return 0;
}

static int by_length(const void *left, const void *right)
{
	const int64_t *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

/* @lengths_ns has room for all events. */
static void add_up(struct timeline_sum *sum, const struct timeline *timeline, int64_t *lengths_ns)
{
	const struct timeline_event *event;
	size_t i, middle;

	for (i = 0; i < timeline->n_events; i++) {
		event = &timeline->events[i];
		if (event->code != sum->code || event->undone) {
			continue;
		}
		sum->count++;
		sum->by_modifier[row_of(sum, event->modifier)]++;
		if (event->span) {
			lengths_ns[sum->spans++] = event->end_ns - event->t_ns;
			sum->total_ns += event->end_ns - event->t_ns;
		}
	}
	if (sum->spans == 0) {
		return;
	}
	qsort(lengths_ns, sum->spans, sizeof(*lengths_ns), by_length);
	middle = sum->spans / 2;
	sum->shortest_ns = lengths_ns[0];
	sum->longest_ns = lengths_ns[sum->spans - 1];
	sum->median_ns = sum->spans % 2 ? lengths_ns[middle]
					: (lengths_ns[middle - 1] + lengths_ns[middle]) / 2;
}

int sums_make(struct timeline *timeline)
{
	int64_t *lengths_ns;
	size_t i;

	lengths_ns = calloc(timeline->n_events + 1, sizeof(*lengths_ns));
	if (!lengths_ns) {
		return -ENOMEM;
	}
	for (i = 0; i < timeline->scheme.n_codes; i++) {
		const struct code *code = &timeline->scheme.codes[i];
		struct timeline_sum *sum = &timeline->sums[timeline->n_sums];

		if (code->kind == CODE_POINT || code->kind == CODE_STATE ||
			code->kind == CODE_HELD || code->kind == CODE_SAMPLE) {
			*sum = (struct timeline_sum){0};
			name_rows(sum, code);
			add_up(sum, timeline, lengths_ns);
			timeline->n_sums++;
		}
	}
	free(lengths_ns);
	return 0;
}
