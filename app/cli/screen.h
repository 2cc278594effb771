/* What the console shows, as a picture. */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include "app/cli/canvas.h"
#include "app/cli/keys.h"
#include "app/timeline/timeline.h"

struct screen_lamp {
	char name[CONFIG_NAME_CHARS];
	bool on;
};

/* All of it borrowed. */
struct screen {
	const char *box;
	const struct keys *keys;
	bool down[CONFIG_LINES_MAX]; /* as keys->list */
	struct screen_lamp lamps[CONFIG_LINES_MAX];
	size_t n_lamps;
	const struct timeline *timeline; /* the newest observation; NULL for none yet */
	int64_t running_ns; /* how long it has been going on; -1: it is not */
	const char *microphone; /* its state in a word */
	bool microphone_live;
	const char *note; /* what the user should know; "" for nothing */
};

/* Paints @rows x @width, over what was there. 0, -ENOMEM or -EIO. */
int screen_paint(const struct screen *screen, int rows, const struct drawing *drawing,
	FILE *stream) MUST_CHECK;

#endif
