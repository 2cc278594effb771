/*
 * One turn of the loop:
 *
 *	edges -> contacts -> recorder -> entries -> journal (commit)
 *	                        |                      |
 *	                        +-> windows -> keeper  +-> lamps: only now
 *
 * A turn looks at everything; descriptors and the one timer only say that it is
 * time for another turn. So there is one order of events, whatever woke us.
 */
#include "firmware/box.h"

#include "app/base/id.h"
#include "app/journal/gone.h"
#include "app/scheme/site.h"
#include "firmware/buttons.h"
#include "firmware/contacts.h"
#include "firmware/control.h"
#include "firmware/keeper.h"
#include "firmware/lamps.h"
#include "firmware/listener.h"
#include "firmware/meter.h"
#include "firmware/recorder.h"
#include "firmware/recovery.h"
#include "firmware/saver.h"
#include "firmware/snippet.h"
#include "firmware/space.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#define UPKEEP_NS (10 * NS_PER_S)
#define LEVELS_NS (2 * NS_PER_S)
#define REOPEN_NS (2 * NS_PER_S)
#define CLOCK_NS (3600 * NS_PER_S)
#define EDGES_A_READ 64
#define HOLD_LOOKS_BACK_S 2 /* a hold's sound is wished for second by second */
#define LAST_SOUND_NS (500 * NS_PER_MS) /* a few periods of the card */
#define LOOK_NS (50 * NS_PER_MS)
#define LAST_TRIES 3

struct box {
	const struct config *config;
	struct scheme scheme;
	char *scheme_text;
	char boot_id[BOOT_ID_CHARS];
	bool stop;

	sd_event *event;
	sd_event_source *timer, *buttons_source, *heard_source, *step_source, *control_source;
	sd_event_source *signals[2];
	int step_fd;

	struct saver saver;
	struct recorder recorder;
	struct contacts contacts;
	struct lamps lamps;
	int lit[CONFIG_LINES_MAX]; /* as set last; -1: never */
	bool confirm; /* pending entries hold what the coach waits for */

	const struct button_driver *button_driver;
	void *buttons; /* NULL while they are gone */
	int buttons_fd;
	const struct lamp_driver *lamp_driver;
	void *lamp_lines;

	struct ring *ring;
	struct listener *listener; /* NULL: sound is off */
	struct keeper *keeper;
	struct meter meter;
	struct control *control; /* NULL: nobody can ask */
	bool muted;
	bool no_room;
	int64_t ending_ns; /* an observation ended then, and its last sound is on its way */

	struct clock_pair clock;
	bool stepped;
	int64_t clock_due_ns, upkeep_due_ns, levels_due_ns, reopen_due_ns, alive_due_ns;
	int64_t alive_ns; /* how often the watchdog is fed; 0: none */
	uint64_t heartbeat;
};

/* --- words --- */

static void say(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(int priority, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fprintf(stderr, "<%d>", priority);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

static void fault(struct box *box, int64_t now_ns, const char *name, bool raised, const char *cause)
{
	say(raised ? 4 : 5, "%s: %s", name, raised ? cause : "well again");
	recorder_fault(&box->recorder, now_ns, name, raised, cause);
}

/* --- sound --- */

/* What the keeper could not write shows that the disk is full or worse. */
static void keeper_result(struct box *box, int64_t now_ns, int code, const struct error *error)
{
	if (code < 0 && !box->no_room) {
		box->no_room = true;
		keeper_stop(box->keeper, true);
		fault(box, now_ns, "snippets", true, error->text);
		if (box->recorder.mic == MIC_LIVE) {
			recorder_mic(&box->recorder, now_ns, MIC_FULL,
				&(struct facts){.cause = "snippets cannot be written"});
		}
	}
}

static void sound_stops(struct box *box, int64_t now_ns)
{
	struct error error;
	meter_flush(&box->meter, now_ns, &box->recorder);
	keeper_result(box, now_ns, keeper_cut(box->keeper, now_ns, &box->recorder, &error), &error);
}

static void heard(struct box *box, const struct heard *heard)
{
	struct facts facts = {.rate_hz = heard->rate_hz};
	snprintf(facts.card, sizeof(facts.card), "%s", heard->card);
	snprintf(facts.cause, sizeof(facts.cause), "%s", heard->cause);
	switch (heard->what) {
	case HEARD_LIVE:
		say(5, "microphone %s is live at %d Hz", heard->card, heard->rate_hz);
		recorder_mic(&box->recorder, heard->t_ns, box->no_room ? MIC_FULL : MIC_LIVE, &facts);
		break;
	case HEARD_LOST:
		say(4, "%s", heard->cause);
		sound_stops(box, heard->t_ns);
		recorder_mic(&box->recorder, heard->t_ns, MIC_LOST, &facts);
		break;
	case HEARD_MUTED:
		say(5, "microphone is muted");
		sound_stops(box, heard->t_ns);
		ring_wipe(box->ring);
		recorder_mic(&box->recorder, heard->t_ns, MIC_MUTED, &facts);
		break;
	case HEARD_GAP:
		say(4, "microphone: %.3f s of sound were lost (%s)",
			(double)(heard->t_ns - heard->from_ns) / (double)NS_PER_S, heard->cause);
		facts.from_ns = heard->from_ns;
		facts.to_ns = heard->t_ns;
		recorder_note(&box->recorder, ENTRY_GAP, heard->t_ns, box->recorder.observation, 0,
			&facts);
		break;
	}
}

static void take_heard(struct box *box)
{
	struct heard next;
	while (box->listener && listener_next(box->listener, &next)) {
		heard(box, &next);
	}
}

/* --- buttons --- */

/* A switch of its own, not a code's button: its level is what counts. */
static bool is_mute_switch(const struct box *box, size_t button)
{
	const char *name = box->config->buttons.list[button].name;
	return strcmp(name, "mute") == 0 && !scheme_button(&box->scheme, name);
}

static void press(struct box *box, const struct contact *contact)
{
	const char *button = box->config->buttons.list[contact->button].name;
	const struct code *code = scheme_button(&box->scheme, button);
	if (code && contact->down) {
		recorder_press(&box->recorder, code, contact->t_ns);
	} else if (code) {
		recorder_release(&box->recorder, code, contact->t_ns, contact->estimated);
	} else if (is_mute_switch(box, contact->button)) {
		recorder_mute(&box->recorder, contact->down);
	}
}

static void buttons_gone(struct box *box, int64_t now_ns, const char *cause)
{
	box->buttons_source = sd_event_source_disable_unref(box->buttons_source);
	box->button_driver->close(box->buttons);
	box->buttons = NULL;
	box->reopen_due_ns = now_ns + REOPEN_NS;
	for (size_t i = 0; i < box->contacts.n; i++) {
		if (!is_mute_switch(box, i)) { /* the last word on mute stands */
			contacts_gone(&box->contacts, i, now_ns);
		}
	}
	fault(box, now_ns, "buttons", true, cause);
}

static void ask_levels(struct box *box, int64_t now_ns, bool all)
{
	for (size_t i = 0; box->buttons && i < box->contacts.n; i++) {
		if (!all && !contacts_due(&box->contacts, i, now_ns)) {
			continue;
		}
		int level = box->button_driver->level(box->buttons, i);
		if (level < 0) {
			buttons_gone(box, now_ns, strerror(-level));
		} else {
			contacts_level(&box->contacts, i, level, now_ns);
		}
	}
}

static void press_all(struct box *box)
{
	struct contact contact;
	while (contacts_next(&box->contacts, &contact)) {
		press(box, &contact);
	}
}

static void take_edges(struct box *box, int64_t now_ns)
{
	struct edge edges[EDGES_A_READ];
	bool lost = false, any_lost = false;
	int n = EDGES_A_READ;
	while (box->buttons && n == EDGES_A_READ) {
		n = box->button_driver->read(box->buttons, edges, EDGES_A_READ, &lost);
		any_lost |= lost;
		for (int i = 0; i < n; i++) {
			contacts_edge(&box->contacts, edges[i].button, edges[i].active,
				edges[i].t_ns);
		}
		press_all(box);
		if (n < 0) {
			buttons_gone(box, now_ns, strerror(-n));
		}
	}
	bool due = now_ns >= box->levels_due_ns;
	if (due) {
		box->levels_due_ns = now_ns + LEVELS_NS;
	}
	ask_levels(box, now_ns, any_lost || due);
	press_all(box);
}

static int on_wake(sd_event_source *source, int fd, uint32_t events, void *data)
{
	return 0; /* the turn looks at everything */
}

static int open_buttons(struct box *box, struct error *error)
{
	int r = box->button_driver->open(box->config, &box->buttons, &box->buttons_fd, error);
	if (r < 0) {
		box->buttons = NULL;
		return r;
	}
	r = sd_event_add_io(box->event, &box->buttons_source, box->buttons_fd, EPOLLIN, on_wake, box);
	if (r < 0) {
		box->button_driver->close(box->buttons);
		box->buttons = NULL;
		return error_set(error, r, "buttons: %s", strerror(-r));
	}
	for (size_t i = 0; i < box->contacts.n; i++) {
		bool down = box->button_driver->level(box->buttons, i) > 0;
		contacts_start(&box->contacts, i, down);
		if (is_mute_switch(box, i)) {
			recorder_mute(&box->recorder, down);
		}
	}
	return 0;
}

static void reopen_buttons(struct box *box, int64_t now_ns)
{
	struct error error;
	if (box->buttons || now_ns < box->reopen_due_ns) {
		return;
	}
	box->reopen_due_ns = now_ns + REOPEN_NS;
	if (open_buttons(box, &error) == 0) {
		fault(box, now_ns, "buttons", false, NULL);
	}
}

/* --- clock --- */

static int on_step(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct box *box = data;
	box->stepped = true;
	return clock_step_rearm(fd);
}

static void look_at_clock(struct box *box, int64_t now_ns)
{
	if (!box->stepped && now_ns < box->clock_due_ns) {
		return;
	}
	struct clock_pair pair;
	clock_pair(&pair);
	bool first_trusted = pair.trusted && !box->clock.trusted;
	bool due = now_ns >= box->clock_due_ns && pair.trusted;
	if (box->stepped || first_trusted || due) {
		recorder_clock(&box->recorder, &pair, box->stepped ? "step"
				: first_trusted                    ? "trusted"
								   : "hourly");
	}
	box->stepped = false;
	box->clock = pair;
	/* a clock that is not trusted may be any moment: look often */
	box->clock_due_ns = now_ns + (pair.trusted ? CLOCK_NS : UPKEEP_NS);
}

/* --- upkeep --- */

static void look_at_space(struct box *box, int64_t now_ns)
{
	bool room = space_for_sound(box->config);
	if (!room && !box->no_room) {
		keeper_result(box, now_ns, -ENOSPC,
			&(struct error){"little room is left: sound is not kept, events are"});
	} else if (room && box->no_room) {
		box->no_room = false;
		keeper_stop(box->keeper, false);
		fault(box, now_ns, "snippets", false, NULL);
		if (box->recorder.mic == MIC_FULL) {
			recorder_mic(&box->recorder, now_ns, MIC_LIVE, &(struct facts){0});
		}
	}
	if (room) {
		(void)!space_reserve(box->config); /* once there is room again */
	}
}

static void show_status(const struct box *box)
{
	sd_notifyf(0, "STATUS=%s; microphone %s%s", box->recorder.observation ? "observing" : "ready",
		mic_state_name(box->recorder.mic),
		box->saver.failing      ? "; NOT SAVING"
			: !box->buttons ? "; NO BUTTONS"
					: "");
}

static void upkeep(struct box *box, int64_t now_ns)
{
	if (now_ns >= box->upkeep_due_ns) {
		box->upkeep_due_ns = now_ns + UPKEEP_NS;
		look_at_space(box, now_ns);
		show_status(box);
	}
	/* alive: this loop turns, and so does the listener */
	if (box->alive_ns && now_ns >= box->alive_due_ns) {
		uint64_t beat = box->listener ? listener_heartbeat(box->listener)
					      : box->heartbeat + 1;
		if (beat != box->heartbeat) {
			sd_notify(0, "WATCHDOG=1");
		}
		box->heartbeat = beat;
		box->alive_due_ns = now_ns + box->alive_ns;
	}
}

/* --- what came of it --- */

static int64_t longest_before_ns(const struct scheme *scheme)
{
	int longest_s = HOLD_LOOKS_BACK_S;
	for (size_t i = 0; i < scheme->n_codes; i++) {
		int before_s = scheme->codes[i].before_s;
		longest_s = before_s > longest_s ? before_s : longest_s;
	}
	return longest_s * NS_PER_S;
}

/* The ended observation's sound is all there is going to be: finish it. */
static void end_sound(struct box *box, int64_t now_ns)
{
	struct error error;
	if (!box->listener || !box->ending_ns) {
		return;
	}
	meter_stop(&box->meter, now_ns, &box->recorder);
	int r = keeper_end(box->keeper, box->ending_ns, now_ns, &box->recorder, &error);
	keeper_result(box, now_ns, r, &error);
	box->ending_ns = 0;
}

/* Whether what was heard up to @t_ns has come out of the card by now. */
static bool has_come(struct box *box, int64_t t_ns, int64_t now_ns)
{
	int64_t heard_ns;
	return now_ns - t_ns > LAST_SOUND_NS ||
		!listener_time(box->listener, ring_span(box->ring).head, &heard_ns) ||
		heard_ns >= t_ns;
}

/* The wishes whose sound ends in (@after_ns, @to_ns]: one observation's. */
static void keep_all(struct box *box, int64_t after_ns, int64_t to_ns)
{
	const struct recorder_out *out = &box->recorder.out;
	for (size_t i = 0; i < out->n_keeps; i++) {
		if (out->keeps[i].to_ns > after_ns && out->keeps[i].to_ns <= to_ns) {
			keeper_keep(box->keeper, &out->keeps[i]);
		}
	}
}

static void wish(struct box *box, int64_t now_ns)
{
	struct recorder_out *out = &box->recorder.out;
	if (!box->listener) {
		return;
	}
	if (box->recorder.mute_wanted != box->muted) {
		box->muted = box->recorder.mute_wanted;
		listener_mute(box->listener, box->muted);
	}
	if (out->ended_ns) {
		end_sound(box, now_ns);
		keep_all(box, 0, out->ended_ns);
		box->ending_ns = out->ended_ns;
	}
	if (box->recorder.observation) {
		end_sound(box, now_ns); /* before another one's begins */
		keeper_belong(box->keeper, box->recorder.observation, box->recorder.boot);
		if (!box->meter.running) {
			meter_start(&box->meter, box->recorder.started_ns,
				box->recorder.observation);
		}
	}
	keep_all(box, out->ended_ns, INT64_MAX);
	out->ended_ns = 0;
	out->n_keeps = 0;
}

static void keep_sound(struct box *box, int64_t now_ns)
{
	struct error error;
	if (!box->listener) {
		return;
	}
	if (box->ending_ns && has_come(box, box->ending_ns, now_ns)) {
		end_sound(box, now_ns);
	}
	if (now_ns >= meter_deadline(&box->meter)) {
		meter_advance(&box->meter, now_ns, &box->recorder);
	}
	if (now_ns >= keeper_deadline(box->keeper)) {
		int r = keeper_advance(box->keeper, now_ns, &box->recorder, &error);
		keeper_result(box, now_ns, r, &error);
	}
}

/*
 * A file that the journal now names gets its name; one that the journal now says
 * a server has, goes.
 */
static void publish(void *data, const struct entry *entry)
{
	struct box *box = data;
	struct facts facts;
	if (entry->kind == ENTRY_GONE) {
		int r = gone_remove(keeper_dir(box->keeper), entry);
		if (r < 0) {
			say(3, "the file of snippet %lld: %s", (long long)entry->ref, strerror(-r));
		}
		return;
	}
	if (entry->kind != ENTRY_SNIPPET || entry_get_facts(entry, &facts) < 0) {
		return;
	}
	int r = snippet_publish(keeper_dir(box->keeper), facts.file);
	if (r < 0) {
		say(3, "snippets/%s: %s", facts.file, strerror(-r));
	}
	facts_fini(&facts);
}

/* Journal first, lamps after. -errno: must be started anew. */
static int save(struct box *box, int64_t now_ns, struct error *error)
{
	struct recorder_out *out = &box->recorder.out;
	box->confirm |= out->confirm;
	if (out->cue) {
		lamps_cue(&box->lamps, now_ns);
	}
	bool was_failing = box->saver.failing;
	if (saver_add(&box->saver, &out->entries) < 0 || box->recorder.short_of_memory) {
		return error_set(error, -ENOMEM, "out of memory; starting anew");
	}
	recorder_clear(&box->recorder);
	int r = saver_save(&box->saver, now_ns, publish, box);
	if (r == SAVER_E_ANOTHER) {
		return error_set(error, -ESTALE, "the journal was damaged and a new one was begun (%s); "
			"starting anew", box->saver.why.text);
	}
	if (r == 0 && box->confirm) {
		lamps_confirm(&box->lamps, clock_now_ns());
		box->confirm = false;
	}
	if (box->saver.failing != was_failing) {
		fault(box, now_ns, "journal", box->saver.failing, box->saver.why.text);
	}
	return 0;
}

static void show(struct box *box)
{
	int64_t now_ns = clock_now_ns();
	struct lamps *lamps = &box->lamps;
	enum mic_state mic = box->recorder.mic;
	lamps->mic_live = mic == MIC_LIVE || mic == MIC_FULL;
	lamps->observing = box->recorder.observation;
	lamps->degraded = (box->config->sound && (mic == MIC_LOST || mic == MIC_FULL)) ||
		!box->clock.trusted;
	lamps->not_saving = box->saver.failing || !box->buttons;
	size_t running = 0;
	memset(lamps->running, 0, sizeof(lamps->running));
	for (size_t i = 0; i < box->scheme.n_codes && box->recorder.coding; i++) {
		const char *name = box->scheme.codes[i].name;
		if (running < sizeof(lamps->running) / sizeof(lamps->running[0]) &&
			coding_running(box->recorder.coding, name)) {
			snprintf(lamps->running[running++], sizeof(lamps->running[0]), "%s", name);
		}
	}
	for (size_t i = 0; i < box->config->lamps.n && box->lamp_driver; i++) {
		bool lit = lamps_lit(lamps, box->config->lamps.list[i].name, now_ns);
		if (box->lit[i] != lit && box->lamp_driver->set(box->lamp_lines, i, lit) == 0) {
			box->lit[i] = lit;
		}
	}
}

/* --- what comes from the site --- */

static bool any_button_down(const struct box *box)
{
	for (size_t i = 0; i < box->scheme.n_codes; i++) {
		if (box->recorder.down[i].t_ns) {
			return true;
		}
	}
	return false;
}

/* A scheme that came down counts between two observations, no button held. */
static void renew_scheme(struct box *box)
{
	struct scheme scheme;
	struct error error;
	char *text;
	if (!control_scheme_came(box->control) || box->recorder.observation ||
		any_button_down(box)) {
		return;
	}
	control_renewed(box->control);
	int r = site_scheme(box->config, &scheme, &text, &error);
	if (r != 0) {
		say(4, "%s; going on with %s", error.text, r < 0 ? box->scheme.name : scheme.name);
	}
	if (r < 0) {
		return;
	}
	free(box->scheme_text);
	box->scheme_text = text;
	box->scheme = scheme;
	memset(box->recorder.down, 0, sizeof(box->recorder.down));
	box->recorder.scheme_text = text;
	keeper_look_back(box->keeper, longest_before_ns(&box->scheme));
	say(5, "from now on by the scheme %s", scheme.name);
}

/* A box that cannot be asked records all the same. */
static void open_control(struct box *box)
{
	struct error error;
	int r = control_open(box->config, &box->control, &error);
	if (r == 0) {
		r = sd_event_add_io(box->event, &box->control_source, control_fd(box->control),
			EPOLLIN, on_wake, box);
		r = r < 0 ? error_set(&error, r, "control socket: %s", strerror(-r)) : 0;
	}
	if (r < 0) {
		fault(box, clock_now_ns(), "control", true, error.text);
	}
}

/* --- the loop --- */

static int turn(struct box *box, struct error *error)
{
	int64_t now_ns = clock_now_ns();
	reopen_buttons(box, now_ns);
	take_edges(box, now_ns);
	take_heard(box);
	recorder_advance(&box->recorder, now_ns);
	look_at_clock(box, now_ns);
	control_take(box->control, &box->recorder, box->saver.journal, keeper_dir(box->keeper));
	wish(box, now_ns);
	int r = save(box, now_ns, error);
	control_saved(box->control, r == 0 && !box->saver.failing);
	show(box);
	renew_scheme(box);
	keep_sound(box, now_ns);
	upkeep(box, now_ns);
	return r;
}

static int64_t deadline(const struct box *box)
{
	int64_t now_ns = clock_now_ns();
	const int64_t all_ns[] = {
		box->recorder.out.entries.n ? now_ns : INT64_MAX,
		box->buttons ? contacts_deadline(&box->contacts) : INT64_MAX,
		recorder_deadline(&box->recorder),
		keeper_deadline(box->keeper),
		meter_deadline(&box->meter),
		box->ending_ns ? now_ns + LOOK_NS : INT64_MAX,
		lamps_deadline(&box->lamps, now_ns),
		saver_deadline(&box->saver),
		box->buttons ? box->levels_due_ns : box->reopen_due_ns,
		box->upkeep_due_ns,
		box->clock_due_ns,
		box->alive_ns ? box->alive_due_ns : INT64_MAX,
	};
	int64_t soonest_ns = INT64_MAX;
	for (size_t i = 0; i < sizeof(all_ns) / sizeof(all_ns[0]); i++) {
		soonest_ns = all_ns[i] < soonest_ns ? all_ns[i] : soonest_ns;
	}
	return soonest_ns;
}

static int arm(struct box *box)
{
	int64_t kernel_ns = clock_to_kernel_ns(deadline(box));
	int r = sd_event_source_set_time(
		box->timer, kernel_ns < 0 ? 0 : (uint64_t)(kernel_ns / NS_PER_US) + 1);
	return r < 0 ? r : sd_event_source_set_enabled(box->timer, SD_EVENT_ONESHOT);
}

int box_run(struct box *box, struct error *error)
{
	int r = 0;
	sd_notify(0, "READY=1");
	while (r == 0 && !box->stop) {
		r = turn(box, error);
		if (r == 0 && (r = arm(box)) >= 0) {
			r = sd_event_run(box->event, UINT64_MAX);
			r = r > 0 ? 0 : r < 0 ? error_set(error, r, "event loop: %s", strerror(-r)) : 0;
		}
	}
	if (r < 0) {
		return r;
	}
	sd_notify(0, "STOPPING=1");
	int64_t now_ns = clock_now_ns();
	recorder_end(&box->recorder, now_ns, "shutdown");
	wish(box, now_ns);
	end_sound(box, now_ns);
	for (int i = 0; i < LAST_TRIES && (i == 0 || box->saver.failing); i++) {
		r = save(box, box->saver.failing ? box->saver.retry_ns : now_ns, error);
	}
	if (box->saver.failing) {
		r = error_set(error, -EIO, "the last entries could not be saved: %s",
			box->saver.why.text);
	}
	return r;
}

/* --- setting up, and taking down in reverse --- */

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	struct box *box = data;
	box->stop = true;
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	return 0; /* the turn looks at everything */
}

static int open_scheme(struct box *box, struct error *error)
{
	int r = site_scheme(box->config, &box->scheme, &box->scheme_text, error);
	if (r == SITE_E_BUILT_IN) {
		say(4, "%s; the built-in scheme stands in", error->text);
		r = 0;
	}
	return r;
}

static int open_loop(struct box *box, struct error *error)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file size limit is ENOSPC's kin, not the end */
	uint64_t watchdog_us = 0;
	int r = sd_event_new(&box->event);
	r = r < 0 ? r : sd_event_add_signal(box->event, &box->signals[0], SIGTERM, on_signal, box);
	r = r < 0 ? r : sd_event_add_signal(box->event, &box->signals[1], SIGINT, on_signal, box);
	r = r < 0 ? r : sd_event_add_time(box->event, &box->timer, CLOCK_MONOTONIC, 0, 1000, on_timer, box);
	box->step_fd = r < 0 ? -1 : clock_step_open();
	if (box->step_fd >= 0) {
		r = sd_event_add_io(box->event, &box->step_source, box->step_fd, EPOLLIN, on_step, box);
	}
	if (sd_watchdog_enabled(0, &watchdog_us) > 0) {
		box->alive_ns = (int64_t)watchdog_us * NS_PER_US / 3;
	}
	return r < 0 ? error_set(error, r, "event loop: %s", strerror(-r)) : 0;
}

static int open_journal(struct box *box, struct error *error)
{
	int64_t now_ns = clock_now_ns();
	int repaired = 0;
	int r = saver_open(&box->saver, box->config, error);
	if (r < 0) {
		return r;
	}
	bool set_aside = r == JOURNAL_E_SET_ASIDE;
	recorder_init(&box->recorder, &box->scheme, box->scheme_text,
		box->config->idle_min * 60 * NS_PER_S, journal_last(box->saver.journal), id_new);
	recorder_boot(&box->recorder, now_ns, box->boot_id, box->config->name);
	clock_pair(&box->clock);
	recorder_clock(&box->recorder, &box->clock, "start");
	box->clock_due_ns = now_ns + (box->clock.trusted ? CLOCK_NS : UPKEEP_NS);
	if (set_aside) {
		fault(box, now_ns, "journal-damaged", true, error->text);
	}
	if (!box->config->sound) {
		recorder_mic(&box->recorder, now_ns, MIC_OFF,
			&(struct facts){.cause = "sound is not switched on"});
	}
	r = keeper_open(box->config, box->ring, box->listener, box->boot_id,
		longest_before_ns(&box->scheme), &box->keeper, error);
	if (r < 0) {
		return r;
	}
	r = recovery_run(box->saver.journal, keeper_dir(box->keeper), now_ns, &box->recorder,
		&repaired, error);
	if (r < 0) {
		fault(box, now_ns, "recovery", true, error->text);
	}
	if (repaired) {
		say(5, "recovered %d torn snippets", repaired);
	}
	(void)!space_reserve(box->config);
	return 0;
}

static void open_board(struct box *box)
{
	static const struct button_driver *const button_drivers[] = {
		[BUTTONS_GPIO] = &button_driver_gpio,
		[BUTTONS_EVDEV] = &button_driver_evdev,
		[BUTTONS_SIM] = &button_driver_sim,
	};
	static const struct lamp_driver *const lamp_drivers[] = {
		[LAMPS_NONE] = NULL,
		[LAMPS_GPIO] = &lamp_driver_gpio,
		[LAMPS_SIM] = &lamp_driver_sim,
	};
	struct error error;
	const struct config *config = box->config;
	contacts_init(&box->contacts, config->buttons.n, config->debounce_ms * NS_PER_MS);
	memset(box->lit, 0xff, sizeof(box->lit));
	box->button_driver = button_drivers[config->buttons_kind];
	for (size_t i = 0; i < config->buttons.n; i++) {
		if (is_mute_switch(box, i)) { /* until the switch can be read */
			recorder_mute(&box->recorder, true);
		}
	}
	if (open_buttons(box, &error) < 0) {
		fault(box, clock_now_ns(), "buttons", true, error.text);
	}
	box->lamp_driver = lamp_drivers[config->lamps_kind];
	if (box->lamp_driver &&
		box->lamp_driver->open(config, box->buttons, &box->lamp_lines, &error) < 0) {
		fault(box, clock_now_ns(), "lamps", true, error.text);
		box->lamp_driver = NULL;
	}
}

int box_open(const struct config *config, struct box **ret_box, struct error *error)
{
	struct box *box = calloc(1, sizeof(*box));
	if (!box) {
		return error_set(error, -ENOMEM, "out of memory");
	}
	box->config = config;
	box->step_fd = -1;
	clock_boot_id(box->boot_id);
	box->ring = ring_new();
	int r = box->ring ? 0 : error_set(error, -ENOMEM, "out of memory");
	r = r < 0 ? r : open_scheme(box, error);
	r = r < 0 ? r : open_loop(box, error);
	if (r == 0 && config->sound) {
		r = listener_new(config, box->ring, &box->listener);
		r = r < 0 ? error_set(error, r, "listener: %s", strerror(-r)) : 0;
	}
	r = r < 0 ? r : open_journal(box, error);
	if (r < 0) {
		box_close(box);
		return r;
	}
	meter_init(&box->meter, box->ring, box->listener);
	open_board(box);
	open_control(box);
	if (box->listener) {
		box->muted = box->recorder.mute_wanted;
		r = listener_start(box->listener, box->muted);
		r = r < 0 ? r : sd_event_add_io(box->event, &box->heard_source,
				listener_fd(box->listener), EPOLLIN, on_wake, box);
	}
	if (r < 0) {
		box_close(box);
		return error_set(error, r, "listener: %s", strerror(-r));
	}
	*ret_box = box;
	return 0;
}

void box_close(struct box *box)
{
	if (!box) {
		return;
	}
	sd_event_source_disable_unref(box->control_source);
	control_close(box->control);
	sd_event_source_disable_unref(box->heard_source);
	sd_event_source_disable_unref(box->buttons_source);
	sd_event_source_disable_unref(box->step_source);
	sd_event_source_disable_unref(box->timer);
	sd_event_source_disable_unref(box->signals[1]);
	sd_event_source_disable_unref(box->signals[0]);
	listener_free(box->listener);
	for (size_t i = 0; box->lamp_driver && i < box->config->lamps.n; i++) {
		(void)box->lamp_driver->set(box->lamp_lines, i, false);
	}
	if (box->lamp_driver) {
		box->lamp_driver->close(box->lamp_lines);
	}
	if (box->button_driver) {
		box->button_driver->close(box->buttons);
	}
	keeper_close(box->keeper);
	recorder_fini(&box->recorder);
	saver_close(&box->saver);
	if (box->step_fd >= 0) {
		close(box->step_fd);
	}
	sd_event_unref(box->event);
	free(box->scheme_text);
	ring_free(box->ring);
	free(box);
}
