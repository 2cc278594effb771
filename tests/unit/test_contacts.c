#include "firmware/contacts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define MS NS_PER_MS
#define QUIET_NS (5 * MS)
#define EDGES_MAX 4096

/* What a hand does, with the bounce a contact adds. */
struct world {
	struct contacts contacts;
	struct {
		size_t button;
		bool active;
		int64_t t_ns;
	} edges[EDGES_MAX];
	size_t n, read;
};

static void add_edge(struct world *world, size_t button, bool active, int64_t t_ns)
{
	size_t at = world->n++;
	assert_true(at < EDGES_MAX);
	while (at > 0 && world->edges[at - 1].t_ns > t_ns) {
		world->edges[at] = world->edges[at - 1];
		at--;
	}
	world->edges[at].button = button;
	world->edges[at].active = active;
	world->edges[at].t_ns = t_ns;
}

/* A change of level with up to 8 ms of bounce, no two edges a quiet apart. */
static void move(struct world *world, size_t button, bool active, int64_t t_ns, bool bounces)
{
	int64_t end_ns = t_ns + 8 * MS, at_ns = t_ns;
	add_edge(world, button, active, at_ns);
	while (bounces && at_ns + 4 * MS < end_ns) {
		at_ns += 1 + rand() % (2 * MS);
		add_edge(world, button, !active, at_ns);
		at_ns += 1 + rand() % (2 * MS);
		add_edge(world, button, active, at_ns);
	}
}

static bool level_at(const struct world *world, size_t button, int64_t t_ns)
{
	bool level = false;
	for (size_t i = 0; i < world->n && world->edges[i].t_ns <= t_ns; i++) {
		level = world->edges[i].button == button ? world->edges[i].active : level;
	}
	return level;
}

/* What the box does at @now_ns: reads edges, asks levels. */
static void look(struct world *world, int64_t now_ns)
{
	while (world->read < world->n && world->edges[world->read].t_ns <= now_ns) {
		contacts_edge(&world->contacts, world->edges[world->read].button,
			world->edges[world->read].active, world->edges[world->read].t_ns);
		world->read++;
	}
	for (size_t i = 0; i < world->contacts.n; i++) {
		if (contacts_due(&world->contacts, i, now_ns)) {
			contacts_level(&world->contacts, i, level_at(world, i, now_ns), now_ns);
		}
	}
}

static struct world *new_world(size_t n)
{
	struct world *world = calloc(1, sizeof(*world));
	assert_non_null(world);
	contacts_init(&world->contacts, n, QUIET_NS);
	return world;
}

/* Twenty presses in a second on four buttons, read every @turn_ns. */
static void burst(int64_t turn_ns)
{
	struct world *world = new_world(4);
	struct contact got[100];
	size_t n = 0, presses = 0;
	int64_t last_ns = 0, t_ns = NS_PER_S;
	for (int i = 0; i < 20; i++) {
		move(world, (size_t)i % 4, true, t_ns + i * 50 * MS, i % 3);
		move(world, (size_t)i % 4, false, t_ns + i * 50 * MS + 60 * MS, i % 2);
	}
	for (int64_t now_ns = t_ns; now_ns < t_ns + 2 * NS_PER_S + turn_ns; now_ns += turn_ns) {
		look(world, now_ns);
		while (contacts_next(&world->contacts, &got[n])) {
			n++;
		}
	}
	assert_int_equal(n, 40);
	for (size_t i = 0; i < n; i++) {
		assert_true(got[i].t_ns >= last_ns);
		assert_false(got[i].estimated);
		last_ns = got[i].t_ns;
		if (got[i].down) {
			assert_int_equal(got[i].button, presses % 4);
			assert_int_equal(got[i].t_ns, t_ns + (int64_t)presses * 50 * MS);
			presses++;
		}
	}
	assert_int_equal(presses, 20);
	free(world);
}

static void a_burst_comes_out_whole_and_in_order_whoever_reads_late(void **state)
{
	srand(20261121);
	for (int round = 0; round < 20; round++) {
		burst(MS);
		burst(7 * MS);
		burst(100 * MS);
		burst(3 * NS_PER_S);
	}
}

static void a_change_waits_for_an_earlier_one_that_still_bounces(void **state)
{
	struct contacts contacts;
	struct contact got;
	contacts_init(&contacts, 2, QUIET_NS);
	contacts_edge(&contacts, 0, true, 100 * MS);
	contacts_edge(&contacts, 1, true, 101 * MS);
	contacts_edge(&contacts, 0, false, 104 * MS);
	contacts_level(&contacts, 1, true, 106 * MS);
	assert_false(contacts_next(&contacts, &got));
	contacts_edge(&contacts, 0, true, 107 * MS);
	assert_int_equal(contacts_deadline(&contacts), 112 * MS);
	assert_false(contacts_due(&contacts, 0, 111 * MS));
	assert_true(contacts_due(&contacts, 0, 112 * MS));
	assert_false(contacts_due(&contacts, 1, 112 * MS));
	contacts_level(&contacts, 0, true, 112 * MS);
	assert_true(contacts_next(&contacts, &got));
	assert_int_equal(got.button, 0);
	assert_int_equal(got.t_ns, 100 * MS);
	assert_true(contacts_next(&contacts, &got));
	assert_int_equal(got.button, 1);
	assert_int_equal(got.t_ns, 101 * MS);
	assert_false(contacts_next(&contacts, &got));
	assert_int_equal(contacts_deadline(&contacts), INT64_MAX);
}

static void a_contact_that_never_rests_holds_nobody_up_for_long(void **state)
{
	struct contacts contacts;
	struct contact got;
	contacts_init(&contacts, 2, QUIET_NS);
	contacts_edge(&contacts, 1, true, 101 * MS);
	int64_t t_ns = 100 * MS, freed_ns = 0;
	for (bool active = true; t_ns < 2000 * MS && !freed_ns; active = !active, t_ns += 2 * MS) {
		contacts_edge(&contacts, 0, active, t_ns);
		if (contacts_due(&contacts, 1, t_ns)) {
			contacts_level(&contacts, 1, true, t_ns);
		}
		freed_ns = contacts_next(&contacts, &got) ? t_ns : 0;
	}
	assert_in_range(freed_ns, 110 * MS, 100 * MS + CONTACTS_WAIT_NS + 2 * MS);
	assert_int_equal(got.button, 1);
	assert_int_equal(got.t_ns, 101 * MS);
}

static void a_button_held_at_start_counts_from_its_next_press(void **state)
{
	struct contacts contacts;
	struct contact got;
	contacts_init(&contacts, 1, QUIET_NS);
	contacts_start(&contacts, 0, true);
	contacts_level(&contacts, 0, true, 100 * MS);
	assert_false(contacts_next(&contacts, &got));
	contacts_edge(&contacts, 0, false, 200 * MS);
	contacts_level(&contacts, 0, false, 210 * MS);
	assert_true(contacts_next(&contacts, &got));
	assert_false(got.down);
	contacts_edge(&contacts, 0, true, 300 * MS);
	contacts_level(&contacts, 0, true, 310 * MS);
	assert_true(contacts_next(&contacts, &got));
	assert_true(got.down);
	assert_int_equal(got.t_ns, 300 * MS);
}

static void a_lost_release_is_found_by_its_level_and_marked(void **state)
{
	struct contacts contacts;
	struct contact got;
	contacts_init(&contacts, 1, QUIET_NS);
	contacts_edge(&contacts, 0, true, 100 * MS);
	contacts_level(&contacts, 0, true, 105 * MS);
	assert_true(contacts_next(&contacts, &got));
	contacts_level(&contacts, 0, false, 2000 * MS);
	assert_false(contacts_next(&contacts, &got));
	assert_int_equal(contacts_deadline(&contacts), 2000 * MS + QUIET_NS);
	contacts_level(&contacts, 0, false, 2000 * MS + QUIET_NS);
	assert_true(contacts_next(&contacts, &got));
	assert_false(got.down);
	assert_true(got.estimated);
	assert_int_equal(got.t_ns, 2000 * MS);
}

static void a_button_that_is_gone_is_up_and_its_last_press_counts(void **state)
{
	struct contacts contacts;
	struct contact got;
	contacts_init(&contacts, 3, QUIET_NS);
	contacts_edge(&contacts, 0, true, 100 * MS);
	contacts_level(&contacts, 0, true, 105 * MS);
	assert_true(contacts_next(&contacts, &got));
	contacts_edge(&contacts, 1, true, 200 * MS); /* not asked for before it is gone */
	contacts_edge(&contacts, 2, true, 299 * MS); /* still bouncing */
	for (size_t i = 0; i < 3; i++) {
		contacts_gone(&contacts, i, 300 * MS);
	}
	static const struct {
		size_t button;
		bool down;
		int64_t t_ns;
	} wanted[] = {{1, true, 200 * MS}, {0, false, 300 * MS}, {1, false, 300 * MS}};
	for (size_t i = 0; i < 3; i++) {
		assert_true(contacts_next(&contacts, &got));
		assert_int_equal(got.button, wanted[i].button);
		assert_int_equal(got.down, wanted[i].down);
		assert_int_equal(got.t_ns, wanted[i].t_ns);
		assert_int_equal(got.estimated, !got.down);
	}
	assert_false(contacts_next(&contacts, &got));
	assert_int_equal(contacts_deadline(&contacts), INT64_MAX);
}

static void more_changes_than_can_be_held_do_no_harm(void **state)
{
	struct contacts contacts;
	struct contact got;
	size_t n = 0;
	int64_t last_ns = 0;
	contacts_init(&contacts, CONFIG_LINES_MAX, QUIET_NS);
	for (int i = 0; i < 2000; i++) {
		contacts_edge(&contacts, (size_t)i % CONFIG_LINES_MAX,
			(size_t)i / CONFIG_LINES_MAX % 2 == 0, (i + 1) * MS);
	}
	while (contacts_next(&contacts, &got)) {
		assert_true(got.t_ns >= last_ns);
		last_ns = got.t_ns;
		n++;
	}
	assert_int_equal(n, CONTACTS_HELD_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_comes_out_whole_and_in_order_whoever_reads_late),
		cmocka_unit_test(a_change_waits_for_an_earlier_one_that_still_bounces),
		cmocka_unit_test(a_contact_that_never_rests_holds_nobody_up_for_long),
		cmocka_unit_test(a_button_held_at_start_counts_from_its_next_press),
		cmocka_unit_test(a_lost_release_is_found_by_its_level_and_marked),
		cmocka_unit_test(a_button_that_is_gone_is_up_and_its_last_press_counts),
		cmocka_unit_test(more_changes_than_can_be_held_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
