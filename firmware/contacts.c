#include "firmware/contacts.h"

#include <string.h>

void contacts_init(struct contacts *contacts, size_t n, int64_t quiet_ns)
{
	memset(contacts, 0, sizeof(*contacts));
	contacts->n = n;
	for (size_t i = 0; i < n; i++) {
		debounce_init(&contacts->list[i], quiet_ns, false);
	}
}

void contacts_start(struct contacts *contacts, size_t i, bool down)
{
	debounce_init(&contacts->list[i], contacts->list[i].quiet_ns, down);
}

static void hold(struct contacts *contacts, size_t i, const struct debounced *change)
{
	if (change->change == DEBOUNCE_NONE || contacts->n_held == CONTACTS_HELD_MAX) {
		return;
	}
	size_t at = contacts->n_held++;
	while (at > 0 && contacts->held[at - 1].t_ns > change->t_ns) {
		contacts->held[at] = contacts->held[at - 1];
		at--;
	}
	contacts->held[at] = (struct contact){.button = i,
		.down = change->change == DEBOUNCE_PRESS,
		.estimated = change->estimated,
		.t_ns = change->t_ns};
}

void contacts_edge(struct contacts *contacts, size_t i, bool active, int64_t t_ns)
{
	struct debounced change = debounce_edge(&contacts->list[i], active, t_ns);
	hold(contacts, i, &change);
}

bool contacts_due(const struct contacts *contacts, size_t i, int64_t now_ns)
{
	return debounce_deadline(&contacts->list[i]) <= now_ns;
}

void contacts_level(struct contacts *contacts, size_t i, bool down, int64_t now_ns)
{
	struct debounced change = debounce_settle(&contacts->list[i], down, now_ns);
	hold(contacts, i, &change);
}

void contacts_gone(struct contacts *contacts, size_t i, int64_t now_ns)
{
	struct debounce *debounce = &contacts->list[i];
	struct debounced change = debounce_edge(debounce, false, now_ns);
	hold(contacts, i, &change);
	if (debounce->down) {
		change = (struct debounced){
			.change = DEBOUNCE_RELEASE, .t_ns = now_ns, .estimated = true};
		hold(contacts, i, &change);
	}
	debounce_init(debounce, debounce->quiet_ns, false);
}

/* Whether the contact may yet give a change that belongs before @t_ns. */
static bool may_precede(const struct debounce *debounce, int64_t t_ns)
{
	int64_t earliest_ns = debounce_earliest(debounce);
	bool chatters = debounce->restless &&
		debounce->last_ns - earliest_ns >= CONTACTS_WAIT_NS;
	return earliest_ns < t_ns && !chatters;
}

bool contacts_next(struct contacts *contacts, struct contact *ret_contact)
{
	if (contacts->n_held == 0) {
		return false;
	}
	for (size_t i = 0; contacts->n_held < CONTACTS_HELD_MAX && i < contacts->n; i++) {
		if (may_precede(&contacts->list[i], contacts->held[0].t_ns)) {
			return false;
		}
	}
	*ret_contact = contacts->held[0];
	contacts->n_held--;
	memmove(&contacts->held[0], &contacts->held[1],
		contacts->n_held * sizeof(contacts->held[0]));
	return true;
}

int64_t contacts_deadline(const struct contacts *contacts)
{
	int64_t deadline_ns = INT64_MAX;
	for (size_t i = 0; i < contacts->n; i++) {
		int64_t due_ns = debounce_deadline(&contacts->list[i]);
		deadline_ns = due_ns < deadline_ns ? due_ns : deadline_ns;
	}
	return deadline_ns;
}
