#include "firmware/keeper.h"

#include "app/base/file.h"
#include "firmware/snippet.h"
#include "firmware/window.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SYNC_NS NS_PER_S
#define FRAMES_A_STEP 4800
/* of one window: the sound before a press is many seconds, and presses do not wait */
#define STEPS_A_TURN 2

struct keeper {
	const struct config *config;
	struct ring *ring;
	struct listener *listener;
	char boot_id[BOOT_ID_CHARS];
	int64_t before_ns, boot, observation;
	int dir_fd;
	bool stopped;
	struct windows windows;
	int64_t next_ns, synced_ns;
	/* where the last full window ended: the next begins at that very frame */
	int64_t seam_ns, seam_frame;
	/* the card that was lost last, and the frame up to which its sound was kept */
	uint32_t gone_generation;
	int64_t gone_frame;
	int16_t frames[FRAMES_A_STEP];
};

/* A snippet being written, and where in the ring it is. */
struct writing {
	struct snippet *snippet;
	uint32_t generation;
	int rate_hz;
	int64_t first, cursor; /* frames */
	int64_t done_ns;       /* encoded up to this end of the window; 0: not to any */
	bool behind;           /* the ring has more of it */
};

int keeper_open(const struct config *config, struct ring *ring, struct listener *listener,
	const char *boot_id, int64_t before_ns, struct keeper **ret_keeper, struct error *error)
{
	char path[FILE_PATH_CHARS];
	struct keeper *keeper = calloc(1, sizeof(*keeper));
	if (!keeper) {
		return error_set(error, -ENOMEM, "snippets: out of memory");
	}
	keeper->config = config;
	keeper->ring = ring;
	keeper->listener = listener;
	keeper->before_ns = before_ns;
	keeper->next_ns = INT64_MAX;
	keeper->dir_fd = -1;
	snprintf(keeper->boot_id, sizeof(keeper->boot_id), "%s", boot_id);
	int r = file_path(path, sizeof(path), "%s/snippets", config->state);
	r = r < 0 ? r : file_make_dirs(path);
	if (r == 0) {
		keeper->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = keeper->dir_fd < 0 ? -errno : 0;
	}
	if (r < 0) {
		keeper_close(keeper);
		return error_set(error, r, "%s/snippets: %s", config->state, strerror(-r));
	}
	*ret_keeper = keeper;
	return 0;
}

static void drop(struct keeper *keeper, size_t i)
{
	struct writing *writing = keeper->windows.list[i].snippet;
	if (writing) {
		snippet_close(writing->snippet);
		free(writing);
	}
	windows_remove(&keeper->windows, i);
}

void keeper_close(struct keeper *keeper)
{
	if (!keeper) {
		return;
	}
	while (keeper->windows.n) {
		drop(keeper, 0);
	}
	if (keeper->dir_fd >= 0) {
		close(keeper->dir_fd);
	}
	explicit_bzero(keeper->frames, sizeof(keeper->frames));
	free(keeper);
}

int keeper_dir(const struct keeper *keeper)
{
	return keeper->dir_fd;
}

void keeper_belong(struct keeper *keeper, int64_t observation, int64_t boot)
{
	keeper->observation = observation;
	keeper->boot = boot;
}

void keeper_keep(struct keeper *keeper, const struct keep *keep)
{
	if (!keeper->stopped) {
		(void)windows_keep(&keeper->windows, keep->from_ns, keep->to_ns);
		keeper->next_ns = 0;
	}
}

int64_t keeper_deadline(const struct keeper *keeper)
{
	return keeper->windows.n ? keeper->next_ns : INT64_MAX;
}

/* Whether the ring has the last of a card that is gone: nothing more will come. */
static bool is_gone(const struct keeper *keeper)
{
	return listener_rate_hz(keeper->listener) == 0 &&
		ring_span(keeper->ring).generation == keeper->gone_generation;
}

/* Begins the snippet of a window, if there is sound for it by now. */
static int begin(struct keeper *keeper, struct window *window, struct error *error)
{
	struct ring_span span = ring_span(keeper->ring);
	int64_t first, from_ns, end;
	bool gone = is_gone(keeper);
	int rate_hz = gone ? listener_last_rate_hz(keeper->listener)
			   : listener_rate_hz(keeper->listener);
	if (rate_hz == 0 || !listener_frame(keeper->listener, window->from_ns, &first) ||
		!listener_frame(keeper->listener, window->to_ns, &end)) {
		return 0;
	}
	if (keeper->seam_ns == window->from_ns) {
		first = keeper->seam_frame;
	}
	if (gone && first < keeper->gone_frame) {
		first = keeper->gone_frame; /* what is finished is not begun again */
	}
	first = first < span.tail ? span.tail : first;
	if (first >= span.head || first >= end || !listener_time(keeper->listener, first, &from_ns)) {
		return 0;
	}
	struct writing *writing = calloc(1, sizeof(*writing));
	if (!writing) {
		return error_set(error, -ENOMEM, "snippet: out of memory");
	}
	struct snippet_head head = {.boot = keeper->boot,
		.observation = keeper->observation,
		.from_ns = from_ns};
	snprintf(head.boot_id, sizeof(head.boot_id), "%s", keeper->boot_id);
	int r = snippet_open(keeper->dir_fd, &head, rate_hz, keeper->config->bitrate_kbit,
		&writing->snippet, error);
	if (r < 0) {
		free(writing);
		return r;
	}
	writing->rate_hz = rate_hz;
	writing->generation = span.generation;
	writing->first = writing->cursor = first;
	window->snippet = writing;
	return 0;
}

/*
 * Encodes up to the window's end or the ring's head, or so many steps. -ESTALE:
 * another card.
 */
static int encode(struct keeper *keeper, struct window *window, int steps, struct error *error)
{
	struct writing *writing = window->snippet;
	int64_t end;
	writing->behind = false;
	if (writing->done_ns == window->to_ns) {
		return 0; /* a better fit of the clock is no reason to take more */
	}
	if (!listener_frame(keeper->listener, window->to_ns, &end)) {
		return -ESTALE;
	}
	for (; writing->cursor < end; steps--) {
		if (steps == 0) {
			writing->behind = true;
			return 0;
		}
		int64_t left = end - writing->cursor;
		size_t n = left < FRAMES_A_STEP ? (size_t)left : FRAMES_A_STEP;
		ssize_t got = ring_read(
			keeper->ring, writing->generation, writing->cursor, keeper->frames, n);
		if (got == 0) {
			return 0;
		}
		if (got < 0) {
			return -ESTALE; /* nobody may answer for what comes behind a hole */
		}
		int r = snippet_write(writing->snippet, keeper->frames, (size_t)got);
		if (r < 0) {
			return error_set(error, r, "snippet: %s", strerror(-r));
		}
		writing->cursor += got;
	}
	writing->done_ns = window->to_ns;
	keeper->seam_ns = window->to_ns;
	keeper->seam_frame = end;
	return 0;
}

/* Finishes window @i's snippet and takes it out. */
static int finish(struct keeper *keeper, size_t i, int64_t now_ns, bool complete,
	struct recorder *recorder, struct error *error)
{
	struct writing *writing = keeper->windows.list[i].snippet;
	if (!writing) {
		drop(keeper, i);
		return 0;
	}
	struct facts facts;
	int r = snippet_finish(writing->snippet, &facts);
	if (r < 0) {
		drop(keeper, i);
		return error_set(error, r, "snippet: %s", strerror(-r));
	}
	facts.complete = complete;
	/* the ring is asked last: a card that comes meanwhile has made it anew by then */
	if (!listener_time(keeper->listener, writing->cursor, &facts.to_ns) ||
		ring_span(keeper->ring).generation != writing->generation) {
		/* that card's clock is forgotten: by its nominal rate */
		facts.to_ns = facts.from_ns +
			(writing->cursor - writing->first) * NS_PER_S / writing->rate_hz;
	}
	recorder_note(recorder, ENTRY_SNIPPET, now_ns, keeper->observation, keeper->boot, &facts);
	facts_fini(&facts);
	drop(keeper, i);
	return 0;
}

/* Whether all of window @i is in its snippet. */
static bool is_whole(const struct keeper *keeper, size_t i)
{
	const struct window *window = &keeper->windows.list[i];
	const struct writing *writing = window->snippet;
	return writing && writing->done_ns == window->to_ns;
}

/* The disk refused: the files stay for repair, and nothing more is wanted. */
static int give_up(struct keeper *keeper, int code)
{
	while (keeper->windows.n) {
		drop(keeper, 0);
	}
	return code;
}

static int sync_all(struct keeper *keeper, int64_t now_ns, struct error *error)
{
	if (now_ns - keeper->synced_ns < SYNC_NS) {
		return 0;
	}
	keeper->synced_ns = now_ns;
	for (size_t i = 0; i < keeper->windows.n; i++) {
		struct writing *writing = keeper->windows.list[i].snippet;
		int r = writing ? snippet_sync(writing->snippet) : 0;
		if (r < 0) {
			return error_set(error, r, "snippet: %s", strerror(-r));
		}
	}
	return 0;
}

/* Whether the ring has more of window @i than one turn encodes. */
static bool is_behind(const struct keeper *keeper, size_t i)
{
	const struct writing *writing = keeper->windows.list[i].snippet;
	return writing && writing->behind;
}

/*
 * Begins and encodes; windows that another card's sound broke are finished. What
 * comes after one that is behind waits: it may begin at the frame where that ends.
 */
static int go_on(struct keeper *keeper, int steps, int64_t now_ns, struct recorder *recorder,
	struct error *error)
{
	for (size_t i = 0; i < keeper->windows.n && (i == 0 || !is_behind(keeper, i - 1)); i++) {
		struct window *window = &keeper->windows.list[i];
		int r = window->snippet ? 0 : begin(keeper, window, error);
		if (r == 0 && window->snippet) {
			r = encode(keeper, window, steps, error);
		}
		if (r == -ESTALE) {
			r = finish(keeper, i--, now_ns, false, recorder, error);
		}
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

int keeper_advance(struct keeper *keeper, int64_t now_ns, struct recorder *recorder,
	struct error *error)
{
	if (keeper->windows.n == 0) {
		return 0;
	}
	if (is_gone(keeper)) { /* the next card wipes the ring: what it has is kept now */
		keeper->next_ns = now_ns + KEEPER_TICK_NS;
		return keeper_cut(keeper, now_ns, recorder, error);
	}
	int r = go_on(keeper, STEPS_A_TURN, now_ns, recorder, error);
	r = r < 0 ? r : sync_all(keeper, now_ns, error);
	bool behind = false;
	for (size_t i = 0; r == 0 && i < keeper->windows.n; i++) {
		int64_t then_ns = now_ns - KEEPER_TICK_NS;
		if (is_behind(keeper, i)) { /* what comes after it waits, go_on() says why */
			behind = true;
			break;
		}
		if (windows_over(&keeper->windows, i, then_ns, keeper->before_ns)) {
			r = finish(keeper, i--, now_ns, true, recorder, error);
		}
	}
	keeper->next_ns = behind ? now_ns : now_ns + KEEPER_TICK_NS;
	return r < 0 ? give_up(keeper, r) : 0;
}

int keeper_cut(struct keeper *keeper, int64_t now_ns, struct recorder *recorder,
	struct error *error)
{
	struct windows before = keeper->windows;
	uint32_t generation = ring_span(keeper->ring).generation;
	if (generation != keeper->gone_generation) {
		keeper->gone_generation = generation;
		keeper->gone_frame = 0;
	}
	int r = go_on(keeper, INT_MAX, now_ns, recorder, error);
	explicit_bzero(keeper->frames, sizeof(keeper->frames));
	while (r == 0 && keeper->windows.n) {
		const struct writing *writing = keeper->windows.list[0].snippet;
		if (writing && writing->cursor > keeper->gone_frame) {
			keeper->gone_frame = writing->cursor;
		}
		r = finish(keeper, 0, now_ns, is_whole(keeper, 0), recorder, error);
	}
	if (r < 0) {
		return give_up(keeper, r);
	}
	for (size_t i = 0; i < before.n; i++) {
		int64_t from_ns = before.list[i].from_ns;
		(void)windows_keep(&keeper->windows, from_ns > now_ns ? from_ns : now_ns,
			before.list[i].to_ns);
	}
	return 0;
}

int keeper_end(struct keeper *keeper, int64_t end_ns, int64_t now_ns, struct recorder *recorder,
	struct error *error)
{
	for (size_t i = keeper->windows.n; i > 0; i--) {
		struct window *window = &keeper->windows.list[i - 1];
		if (window->from_ns >= end_ns) {
			drop(keeper, i - 1);
		} else if (window->to_ns > end_ns) {
			window->to_ns = end_ns;
		}
	}
	bool gone = is_gone(keeper);
	int r = go_on(keeper, INT_MAX, now_ns, recorder, error);
	explicit_bzero(keeper->frames, sizeof(keeper->frames));
	while (r == 0 && keeper->windows.n) {
		r = finish(keeper, 0, now_ns, !gone || is_whole(keeper, 0), recorder, error);
	}
	return r < 0 ? give_up(keeper, r) : 0;
}

void keeper_look_back(struct keeper *keeper, int64_t before_ns)
{
	keeper->before_ns = before_ns;
}

void keeper_stop(struct keeper *keeper, bool stopped)
{
	keeper->stopped = stopped;
	if (stopped) {
		give_up(keeper, 0);
	}
}
