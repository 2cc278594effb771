/*
 * One turn of the loop:
 *
 *	edges -> panel -> recorder -> entries -> journal (commit)
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
#include "firmware/control.h"
#include "firmware/panel.h"
#include "firmware/recorder.h"
#include "firmware/recovery.h"
#include "firmware/report.h"
#include "firmware/saver.h"
#include "firmware/snippet.h"
#include "firmware/sound.h"
#include "firmware/space.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#define UPKEEP_NS (10 * NS_PER_S)
#define CLOCK_NS (3600 * NS_PER_S)
#define LAST_TRIES 4

struct box {
	const struct config *config;
	struct scheme scheme;
	char *scheme_text;
	char boot_id[BOOT_ID_CHARS];
	bool stop;
	bool harmed; /* this start found the record, or a sound, damaged */

	sd_event *event;
	sd_event_source *timer, *heard_source, *step_source, *control_source;
	sd_event_source *signals[2];
	int step_fd;

	struct saver saver;
	struct recorder recorder;
	struct panel panel;
	struct sound sound;
	struct control *control; /* NULL: nobody can ask */
	bool confirm; /* pending entries hold what the coach waits for */

	struct clock_pair clock;
	bool stepped;
	int64_t clock_due_ns, upkeep_due_ns, alive_due_ns;
	int64_t alive_ns; /* how often the watchdog is fed; 0: none */
	uint64_t heartbeat;
};

static int on_wake(sd_event_source *source, int fd, uint32_t events, void *data)
{
	return 0; /* the turn looks at everything */
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

static void show_status(const struct box *box)
{
	sd_notifyf(0, "STATUS=%s; microphone %s%s", box->recorder.observation ? "observing" : "ready",
		mic_state_name(box->recorder.mic),
		box->saver.failing      ? "; NOT SAVING"
			: !box->panel.buttons ? "; NO BUTTONS"
					: "");
}

static void upkeep(struct box *box, int64_t now_ns)
{
	if (now_ns >= box->upkeep_due_ns) {
		box->upkeep_due_ns = now_ns + UPKEEP_NS;
		sound_look_at_space(&box->sound, now_ns, &box->recorder);
		show_status(box);
	}
	/* alive: this loop turns, and so does the listener */
	if (box->alive_ns && now_ns >= box->alive_due_ns) {
		struct listener *listener = box->sound.listener;
		uint64_t beat = listener ? listener_heartbeat(listener) : box->heartbeat + 1;
		if (beat != box->heartbeat) {
			sd_notify(0, "WATCHDOG=1");
		}
		box->heartbeat = beat;
		box->alive_due_ns = now_ns + box->alive_ns;
	}
}

/* --- what came of it --- */

/*
 * A file that the journal now names gets its name; one that the journal now says
 * a server has, goes.
 */
static void publish(void *data, const struct entry *entry)
{
	struct box *box = data;
	struct facts facts;
	if (entry->kind == ENTRY_GONE) {
		int r = gone_remove(sound_dir(&box->sound), entry);
		if (r < 0) {
			report(LOG_ERR, "the file of snippet %lld: %s", (long long)entry->ref, strerror(-r));
		}
		return;
	}
	if (entry->kind != ENTRY_SNIPPET || entry_get_facts(entry, &facts) < 0) {
		return;
	}
	int r = snippet_publish(sound_dir(&box->sound), facts.file);
	if (r < 0) {
		report(LOG_ERR, "snippets/%s: %s", facts.file, strerror(-r));
	}
	facts_fini(&facts);
}

/* Journal first, lamps after. -errno: must be started anew. */
static int save(struct box *box, int64_t now_ns, struct error *error)
{
	struct recorder_out *out = &box->recorder.out;
	box->confirm |= out->confirm;
	if (out->cue) {
		lamps_cue(&box->panel.lamps, now_ns);
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
		lamps_confirm(&box->panel.lamps, clock_now_ns());
		box->confirm = false;
	}
	if (box->saver.failing != was_failing) {
		report_fault(&box->recorder, now_ns, "journal", box->saver.failing, box->saver.why.text);
	}
	return 0;
}

static void show(struct box *box)
{
	int64_t now_ns = clock_now_ns();
	struct lamps *lamps = &box->panel.lamps;
	enum mic_state mic = box->recorder.mic;
	lamps->mic_live = mic == MIC_LIVE || mic == MIC_FULL;
	lamps->observing = box->recorder.observation;
	lamps->degraded = (box->config->sound && mic == MIC_LOST) || box->sound.no_room ||
		!box->clock.trusted || box->harmed;
	lamps->not_saving = box->saver.failing || !box->panel.buttons ||
		trial_on(box->panel.trial, now_ns);
	size_t running = 0;
	memset(lamps->running, 0, sizeof(lamps->running));
	for (size_t i = 0; i < box->scheme.n_codes && box->recorder.coding; i++) {
		const char *name = box->scheme.codes[i].name;
		if (running < sizeof(lamps->running) / sizeof(lamps->running[0]) &&
			coding_running(box->recorder.coding, name)) {
			snprintf(lamps->running[running++], sizeof(lamps->running[0]), "%s", name);
		}
	}
	panel_show(&box->panel, now_ns);
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
		report(LOG_WARNING, "%s; going on with %s", error.text, r < 0 ? box->scheme.name : scheme.name);
	}
	if (r < 0) {
		return;
	}
	free(box->scheme_text);
	box->scheme_text = text;
	box->scheme = scheme;
	memset(box->recorder.down, 0, sizeof(box->recorder.down));
	box->recorder.scheme_text = text;
	panel_follow(&box->panel, &box->recorder);
	sound_follow(&box->sound, &box->scheme);
	report(LOG_NOTICE, "from now on by the scheme %s", scheme.name);
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
		report_fault(&box->recorder, clock_now_ns(), "control", true, error.text);
	}
	box->panel.trial = control_trial(box->control);
}

/* --- the loop --- */

static int turn(struct box *box, struct error *error)
{
	int64_t now_ns = clock_now_ns();
	panel_take(&box->panel, now_ns, &box->recorder);
	/* before what stops the sound is heard of: a press may have come first */
	sound_wish(&box->sound, now_ns, &box->recorder);
	sound_take(&box->sound, &box->recorder);
	recorder_advance(&box->recorder, now_ns);
	look_at_clock(box, now_ns);
	control_take(box->control, &box->recorder, box->saver.journal, sound_dir(&box->sound),
		&box->sound);
	sound_wish(&box->sound, now_ns, &box->recorder);
	int r = save(box, now_ns, error);
	control_saved(box->control, r == 0 && !box->saver.failing);
	control_tell(box->control, now_ns);
	show(box);
	renew_scheme(box);
	sound_advance(&box->sound, now_ns, &box->recorder);
	upkeep(box, now_ns);
	return r;
}

static int64_t deadline(const struct box *box)
{
	int64_t now_ns = clock_now_ns();
	const int64_t all_ns[] = {
		box->recorder.out.entries.n ? now_ns : INT64_MAX,
		panel_deadline(&box->panel, now_ns),
		recorder_deadline(&box->recorder),
		sound_deadline(&box->sound, now_ns),
		saver_deadline(&box->saver),
		trial_on(box->panel.trial, now_ns) ? box->panel.trial->until_ns : INT64_MAX,
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
	sound_wish(&box->sound, now_ns, &box->recorder);
	sound_end(&box->sound, now_ns, &box->recorder);
	/* (and once more after a failure, to say that it is over) */
	for (int i = 0; i < LAST_TRIES &&
		(i == 0 || box->saver.failing || box->recorder.out.entries.n);
		i++) {
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
		report(LOG_WARNING, "%s; the built-in scheme stands in", error->text);
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
	r = r < 0 ? r : sd_event_add_time(box->event, &box->timer, CLOCK_MONOTONIC, 0, 1, on_timer, box);
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
	/* muted by a button, it stays so; a switch says so itself */
	recorder_mute(&box->recorder, recovery_muted(box->saver.journal));
	if (set_aside) {
		report_fault(&box->recorder, now_ns, "journal-damaged", true, error->text);
		box->harmed = true;
	}
	if (!box->config->sound) {
		recorder_mic(&box->recorder, now_ns, MIC_OFF,
			&(struct facts){.cause = "sound is not switched on"});
	}
	r = recovery_run(box->saver.journal, sound_dir(&box->sound), now_ns, &box->recorder,
		&repaired, error);
	if (r < 0) {
		report_fault(&box->recorder, now_ns, "recovery", true, error->text);
		box->harmed = true;
	}
	if (repaired) {
		report(LOG_NOTICE, "recovered %d torn snippets", repaired);
	}
	(void)!space_reserve(box->config);
	return 0;
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
	int r = open_scheme(box, error);
	r = r < 0 ? r : open_loop(box, error);
	r = r < 0 ? r : sound_open(&box->sound, config, &box->scheme, box->boot_id, error);
	r = r < 0 ? r : open_journal(box, error);
	if (r < 0) {
		box_close(box);
		return r;
	}
	panel_open(&box->panel, config, &box->scheme, box->event, &box->recorder);
	open_control(box);
	r = sound_start(&box->sound, &box->recorder);
	if (r == 0 && config->sound) {
		r = sd_event_add_io(box->event, &box->heard_source, sound_fd(&box->sound), EPOLLIN,
			on_wake, box);
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
	sd_event_source_disable_unref(box->heard_source);
	sd_event_source_disable_unref(box->control_source);
	control_close(box->control);
	panel_close(&box->panel);
	sound_close(&box->sound);
	recorder_fini(&box->recorder);
	saver_close(&box->saver);
	sd_event_source_disable_unref(box->step_source);
	if (box->step_fd >= 0) {
		close(box->step_fd);
	}
	sd_event_source_disable_unref(box->timer);
	sd_event_source_disable_unref(box->signals[1]);
	sd_event_source_disable_unref(box->signals[0]);
	sd_event_unref(box->event);
	free(box->scheme_text);
	free(box);
}
