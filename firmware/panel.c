#include "firmware/panel.h"

#include "firmware/report.h"

#include <string.h>
#include <sys/epoll.h>

#define LEVELS_NS (2 * NS_PER_S)
#define REOPEN_NS (2 * NS_PER_S)
#define EDGES_A_READ 64

/* A switch of its own, not a code's button: its level is what counts. */
static bool is_mute_switch(const struct panel *panel, size_t button)
{
	const char *name = panel->config->buttons.list[button].name;
	return strcmp(name, "mute") == 0 && !scheme_button(panel->scheme, name);
}

static void press(const struct panel *panel, const struct contact *contact,
	struct recorder *recorder)
{
	const char *button = panel->config->buttons.list[contact->button].name;
	const struct code *code = scheme_button(panel->scheme, button);
	if (trial_on(panel->trial, clock_now_ns())) {
		trial_press(panel->trial, contact->button, contact->down);
		code = NULL;
	}
	if (code && contact->down) {
		recorder_press(recorder, code, contact->t_ns);
	} else if (code) {
		recorder_release(recorder, code, contact->t_ns, contact->estimated);
	} else if (is_mute_switch(panel, contact->button)) {
		recorder_mute(recorder, contact->down);
	}
}

static void buttons_gone(struct panel *panel, int64_t now_ns, const char *cause,
	struct recorder *recorder)
{
	panel->source = sd_event_source_disable_unref(panel->source);
	panel->button_driver->close(panel->buttons);
	panel->buttons = NULL;
	panel->reopen_due_ns = now_ns + REOPEN_NS;
	for (size_t i = 0; i < panel->contacts.n; i++) {
		if (!is_mute_switch(panel, i)) { /* the last word on mute stands */
			contacts_gone(&panel->contacts, i, now_ns);
		}
	}
	report_fault(recorder, now_ns, "buttons", true, cause);
}

static void ask_levels(struct panel *panel, int64_t now_ns, bool all, struct recorder *recorder)
{
	for (size_t i = 0; panel->buttons && i < panel->contacts.n; i++) {
		if (!all && !contacts_due(&panel->contacts, i, now_ns)) {
			continue;
		}
		int level = panel->button_driver->level(panel->buttons, i);
		if (level < 0) {
			buttons_gone(panel, now_ns, strerror(-level), recorder);
		} else {
			contacts_level(&panel->contacts, i, level, now_ns);
		}
	}
}

static void press_all(struct panel *panel, struct recorder *recorder)
{
	struct contact contact;
	while (contacts_next(&panel->contacts, &contact)) {
		press(panel, &contact, recorder);
	}
}

static void take_edges(struct panel *panel, int64_t now_ns, struct recorder *recorder)
{
	struct edge edges[EDGES_A_READ];
	bool lost = false, any_lost = false;
	int n = EDGES_A_READ;
	while (panel->buttons && n == EDGES_A_READ) {
		n = panel->button_driver->read(panel->buttons, edges, EDGES_A_READ, &lost);
		any_lost |= lost;
		for (int i = 0; i < n; i++) {
			contacts_edge(&panel->contacts, edges[i].button, edges[i].active,
				edges[i].t_ns);
		}
		press_all(panel, recorder);
		if (n < 0) {
			buttons_gone(panel, now_ns, strerror(-n), recorder);
		}
	}
	bool due = now_ns >= panel->levels_due_ns;
	if (due) {
		panel->levels_due_ns = now_ns + LEVELS_NS;
	}
	ask_levels(panel, now_ns, any_lost || due, recorder);
	press_all(panel, recorder);
}

static int on_wake(sd_event_source *source, int fd, uint32_t events, void *data)
{
	return 0; /* the turn looks at everything */
}

static int open_buttons(struct panel *panel, struct recorder *recorder, struct error *error)
{
	int fd;
	int r = panel->button_driver->open(panel->config, &panel->buttons, &fd, error);
	if (r < 0) {
		panel->buttons = NULL;
		return r;
	}
	r = sd_event_add_io(panel->event, &panel->source, fd, EPOLLIN, on_wake, panel);
	if (r < 0) {
		panel->button_driver->close(panel->buttons);
		panel->buttons = NULL;
		return error_set(error, r, "buttons: %s", strerror(-r));
	}
	for (size_t i = 0; i < panel->contacts.n; i++) {
		int level = panel->button_driver->level(panel->buttons, i);
		bool mutes = is_mute_switch(panel, i);
		/* a mute switch that cannot be read opens no microphone */
		contacts_start(&panel->contacts, i, level > 0 || (mutes && level < 0));
		if (mutes) {
			recorder_mute(recorder, level != 0);
		}
	}
	return 0;
}

static void reopen_buttons(struct panel *panel, int64_t now_ns, struct recorder *recorder)
{
	struct error error;
	if (panel->buttons || now_ns < panel->reopen_due_ns) {
		return;
	}
	panel->reopen_due_ns = now_ns + REOPEN_NS;
	if (open_buttons(panel, recorder, &error) == 0) {
		report_fault(recorder, now_ns, "buttons", false, NULL);
	}
}

static int open_lamps(struct panel *panel, struct error *error)
{
	memset(panel->lit, 0xff, sizeof(panel->lit));
	int r = panel->lamp_driver->open(panel->config, panel->buttons, &panel->lamp_lines, error);
	if (r < 0) {
		panel->lamp_lines = NULL;
	}
	return r;
}

/* Whether the board has lamps, and they could not be had yet. */
static bool lamps_missing(const struct panel *panel)
{
	return panel->lamp_driver && !panel->lamp_lines;
}

static void reopen_lamps(struct panel *panel, int64_t now_ns, struct recorder *recorder)
{
	struct error error;
	if (!lamps_missing(panel) || now_ns < panel->lamps_due_ns) {
		return;
	}
	panel->lamps_due_ns = now_ns + REOPEN_NS;
	if (open_lamps(panel, &error) == 0) {
		report_fault(recorder, now_ns, "lamps", false, NULL);
	}
}

void panel_follow(struct panel *panel, struct recorder *recorder)
{
	bool muted = false;
	for (size_t i = 0; i < panel->scheme->n_codes; i++) {
		if (panel->scheme->codes[i].kind == CODE_MUTE) {
			return;
		}
	}
	for (size_t i = 0; i < panel->contacts.n; i++) {
		if (is_mute_switch(panel, i)) { /* gone, its last word stands */
			muted = panel->buttons ? panel->contacts.list[i].down
					       : recorder->mute_wanted;
		}
	}
	recorder_mute(recorder, muted);
}

void panel_open(struct panel *panel, const struct config *config, const struct scheme *scheme,
	sd_event *event, struct recorder *recorder)
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
	*panel = (struct panel){.config = config, .scheme = scheme, .event = event};
	contacts_init(&panel->contacts, config->buttons.n, config->debounce_ms * NS_PER_MS);
	panel->button_driver = button_drivers[config->buttons_kind];
	panel_follow(panel, recorder);
	for (size_t i = 0; i < config->buttons.n; i++) {
		if (is_mute_switch(panel, i)) { /* until the switch can be read */
			recorder_mute(recorder, true);
		}
	}
	if (open_buttons(panel, recorder, &error) < 0) {
		report_fault(recorder, clock_now_ns(), "buttons", true, error.text);
	}
	panel->lamp_driver = lamp_drivers[config->lamps_kind];
	if (panel->lamp_driver && open_lamps(panel, &error) < 0) {
		report_fault(recorder, clock_now_ns(), "lamps", true, error.text);
	}
}

void panel_close(struct panel *panel)
{
	for (size_t i = 0; panel->lamp_lines && i < panel->config->lamps.n; i++) {
		(void)panel->lamp_driver->set(panel->lamp_lines, i, false);
	}
	if (panel->lamp_lines) {
		panel->lamp_driver->close(panel->lamp_lines);
	}
	sd_event_source_disable_unref(panel->source);
	if (panel->button_driver) {
		panel->button_driver->close(panel->buttons);
	}
}

void panel_take(struct panel *panel, int64_t now_ns, struct recorder *recorder)
{
	reopen_buttons(panel, now_ns, recorder);
	reopen_lamps(panel, now_ns, recorder);
	take_edges(panel, now_ns, recorder);
}

void panel_show(struct panel *panel, int64_t now_ns)
{
	for (size_t i = 0; i < panel->config->lamps.n && panel->lamp_lines; i++) {
		const char *name = panel->config->lamps.list[i].name;
		bool alone = trial_on(panel->trial, now_ns) && panel->trial->lamp[0];
		bool lit = alone ? strcmp(name, panel->trial->lamp) == 0
				 : lamps_lit(&panel->lamps, name, now_ns);
		if (panel->lit[i] != lit &&
			panel->lamp_driver->set(panel->lamp_lines, i, lit) == 0) {
			panel->lit[i] = lit;
		}
	}
}

static int64_t sooner(int64_t a_ns, int64_t b_ns)
{
	return a_ns < b_ns ? a_ns : b_ns;
}

int64_t panel_deadline(const struct panel *panel, int64_t now_ns)
{
	int64_t lamps_ns = lamps_deadline(&panel->lamps, now_ns);
	if (lamps_missing(panel)) {
		lamps_ns = sooner(lamps_ns, panel->lamps_due_ns);
	}
	return panel->buttons ? sooner(lamps_ns, sooner(contacts_deadline(&panel->contacts),
							panel->levels_due_ns))
			      : sooner(lamps_ns, panel->reopen_due_ns);
}
