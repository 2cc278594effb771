#include "firmware/control.h"

#include "app/base/file.h"
#include "app/journal/gone.h"
#include "app/scheme/site.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define BOOT_ID "0f5a3c1e-9d2b-4c6f-8a17-2b3c4d5e6f70"
#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SCHEME "[scheme]\nname = site-1\n[code lesson]\nkind = lesson\nbutton = 5\n"

struct bench {
	struct config config;
	struct journal *journal;
	struct recorder recorder;
	struct scheme scheme;
	struct control *control;
	int dir_fd, client;
	char root[64];
};

static void no_id(char ret_id[static UUID_CHARS])
{
	memcpy(ret_id, BOOT_ID, UUID_CHARS);
}

/* What the recorder wants written is, and what may go then goes. */
static void save(struct bench *bench)
{
	struct entries *entries = &bench->recorder.out.entries;

	assert_int_equal(journal_append(bench->journal, entries->list, entries->n, NULL), 0);
	for (size_t i = 0; i < entries->n; i++) {
		if (entries->list[i].kind == ENTRY_GONE) {
			assert_int_equal(gone_remove(bench->dir_fd, &entries->list[i]), 0);
		}
	}
	recorder_clear(&bench->recorder);
}

static int call(const struct bench *bench)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	(void)snprintf(
		address.sun_path, sizeof(address.sun_path), "%s/run/control.sock", bench->root);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* A journal of a boot (1), a snippet (2) with its file, and a fault (3). */
static int set_up(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	struct facts facts = {.file = "1.opus",
		.codec = "opus",
		.from_ns = 1,
		.to_ns = 2,
		.bytes = 3,
		.sha256 = SHA};
	char path[128];

	assert_non_null(bench);
	(void)snprintf(bench->root, sizeof(bench->root), "/tmp/test_control.XXXXXX");
	assert_non_null(mkdtemp(bench->root));
	(void)snprintf(bench->config.state, sizeof(bench->config.state), "%s", bench->root);
	(void)snprintf(bench->config.runtime, sizeof(bench->config.runtime), "%s/run", bench->root);
	(void)snprintf(path, sizeof(path), "%s/snippets", bench->root);
	assert_int_equal(file_make_dirs(path), 0);
	bench->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(bench->dir_fd >= 0);
	assert_int_equal(file_replace(path, "1.opus", "abc", 3, 0640), 0);

	assert_int_equal(journal_open(bench->root, JOURNAL_WRITE, &bench->journal, NULL), 0);
	assert_int_equal(scheme_parse(scheme_default_text(), "default", &bench->scheme, NULL), 0);
	recorder_init(&bench->recorder, &bench->scheme, scheme_default_text(), NS_PER_S, 0, no_id);
	recorder_boot(&bench->recorder, 1000, BOOT_ID, "box");
	recorder_note(&bench->recorder, ENTRY_SNIPPET, 2000, 0, 0, &facts);
	recorder_fault(&bench->recorder, 3000, "buttons", true, "x");
	save(bench);

	bench->config.buttons = (struct config_wires){.n = 2, .list = {{"1", "1"}, {"mute", "m"}}};
	bench->config.lamps = (struct config_wires){.n = 1, .list = {{"green", "g"}}};
	assert_int_equal(control_open(&bench->config, &bench->control, NULL), 0);
	bench->client = call(bench);
	*state = bench;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *bench = *state;
	static const char *const names[] = {"snippets/1.opus", "snippets", "run", "site.scheme",
		"journal.db", "journal.db-wal", "journal.db-shm", "journal.lock", ""};
	char path[128];

	(void)close(bench->client);
	control_close(bench->control);
	recorder_fini(&bench->recorder);
	journal_close(bench->journal);
	(void)close(bench->dir_fd);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", bench->root, names[i]);
		if (unlink(path) < 0) {
			(void)rmdir(path);
		}
	}
	free(bench);
	return 0;
}

static void take(struct bench *bench)
{
	struct sound none = {.config = &bench->config};

	control_take(bench->control, &bench->recorder, bench->journal, bench->dir_fd, &none);
}

/* Asks, and gives the answer; @saved is what became of the write. */
static const char *ask(struct bench *bench, const char *text, bool saved)
{
	static char answer[600];
	ssize_t got;

	assert_int_equal(send(bench->client, text, strlen(text), 0), (ssize_t)strlen(text));
	take(bench);
	if (saved) {
		save(bench);
	}
	control_saved(bench->control, saved);
	got = recv(bench->client, answer, sizeof(answer) - 1, MSG_DONTWAIT);
	assert_true(got > 0);
	answer[got] = '\0';
	return answer;
}

static bool file_is_there(const struct bench *bench)
{
	return faccessat(bench->dir_fd, "1.opus", F_OK, 0) == 0;
}

static void the_status_tells_of_a_running_observation(void **state)
{
	struct bench *bench = *state;

	assert_string_equal(ask(bench, "status", true), "status ready 3");
	recorder_press(&bench->recorder, scheme_code(&bench->scheme, "lesson"), 4000);
	assert_string_equal(ask(bench, "status", true), "status observing 4");
}

static void there_is_no_level_where_nothing_is_heard(void **state)
{
	assert_string_equal(ask(*state, "level", true), "error nothing is being heard");
}

static void a_snippet_goes_only_after_the_journal_said_so(void **state)
{
	struct bench *bench = *state;
	struct entries entries = {0};

	assert_string_equal(ask(bench, "gone 2 " SHA, true), "ok");
	assert_false(file_is_there(bench));
	assert_int_equal(journal_read(bench->journal, 4, 0, &entries, NULL), 0);
	assert_int_equal(entries.n, 1);
	assert_int_equal(entries.list[0].kind, ENTRY_GONE);
	assert_int_equal(entries.list[0].ref, 2);
	assert_int_equal(entry_check(&entries.list[0], NULL), 0);
	entries_fini(&entries);
	assert_string_equal(ask(bench, "gone 2 " SHA, true), "ok");
	assert_int_equal(journal_last(bench->journal), 4);
}

static void a_snippet_stays_when_the_journal_cannot_be_written(void **state)
{
	struct bench *bench = *state;

	assert_string_equal(
		ask(bench, "gone 2 " SHA, false), "error the journal cannot be written now");
	assert_true(file_is_there(bench));
	recorder_clear(&bench->recorder);
}

static void nothing_but_a_snippet_with_its_own_hash_goes(void **state)
{
	static const char *const wrong[] = {"gone 2 " OTHER, "gone 3 " SHA, "gone 9 " SHA,
		"gone -2 " SHA, "gone 2 " SHA "0", "gone 2 abc", "gone 2", "gone ", "gone",
		"gone 2 " SHA " x", "remove 2 " SHA, "status now", "x"};
	struct bench *bench = *state;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_memory_equal(ask(bench, wrong[i], true), "error ", 6);
		assert_true(file_is_there(bench));
		assert_int_equal(journal_last(bench->journal), 3);
	}
}

static void a_scheme_is_kept_only_if_it_is_one(void **state)
{
	struct bench *bench = *state;
	struct scheme scheme;
	char *text;

	(void)snprintf(bench->config.scheme, sizeof(bench->config.scheme), "site");
	assert_memory_equal(ask(bench, "scheme [scheme]\n", true), "error site.scheme:", 18);
	assert_false(control_scheme_came(bench->control));
	assert_string_equal(ask(bench, "scheme " SCHEME, true), "ok");
	assert_true(control_scheme_came(bench->control));
	control_renewed(bench->control);
	assert_int_equal(site_scheme(&bench->config, &scheme, &text, NULL), 0);
	assert_string_equal(scheme.name, "site-1");
	free(text);
	assert_string_equal(ask(bench, "scheme ", true), "ok");
	assert_int_equal(site_scheme(&bench->config, &scheme, &text, NULL), 0);
	assert_string_equal(text, scheme_default_text());
	free(text);
}

/* What came unasked, or "". */
static const char *told(struct bench *bench, int64_t now_ns)
{
	static char text[64];
	ssize_t got;

	control_tell(bench->control, now_ns);
	got = recv(bench->client, text, sizeof(text) - 1, MSG_DONTWAIT);
	text[got > 0 ? got : 0] = '\0';
	return text;
}

static void presses_are_told_to_who_tries_them_until_that_is_over(void **state)
{
	struct bench *bench = *state;
	struct trial *trial = control_trial(bench->control);

	assert_false(trial_on(trial, clock_now_ns()));
	assert_string_equal(ask(bench, "try", true), "ok");
	assert_true(trial_on(trial, clock_now_ns()));
	assert_string_equal(told(bench, clock_now_ns()), "");
	trial_press(trial, 1, true);
	assert_string_equal(told(bench, clock_now_ns()), "press mute");
	trial_press(trial, 1, false);
	assert_string_equal(told(bench, clock_now_ns()), "release mute");
	for (int i = 0; i < 2 * TRIAL_PRESSES_MAX; i++) {
		trial_press(trial, 0, true);
	}
	for (int i = 0; i < TRIAL_PRESSES_MAX; i++) {
		assert_string_equal(told(bench, clock_now_ns()), "press 1");
	}
	assert_string_equal(told(bench, clock_now_ns() + TRIAL_NS), "over");
	assert_false(trial_on(trial, clock_now_ns()));
	assert_string_equal(told(bench, clock_now_ns()), "");
	assert_int_equal(journal_last(bench->journal), 3);
}

static void a_trial_ends_with_who_hangs_up(void **state)
{
	struct bench *bench = *state;

	assert_string_equal(ask(bench, "try green", true), "ok");
	assert_string_equal(control_trial(bench->control)->lamp, "green");
	assert_string_equal(ask(bench, "try", true), "ok");
	assert_string_equal(control_trial(bench->control)->lamp, "");
	(void)close(bench->client);
	take(bench);
	assert_false(trial_on(control_trial(bench->control), clock_now_ns()));
	bench->client = -1;
}

static void nothing_is_tried_during_a_lesson_or_twice_at_a_time(void **state)
{
	struct bench *bench = *state;
	const struct code *lesson = scheme_code(&bench->scheme, "lesson");
	int first = bench->client;

	assert_memory_equal(ask(bench, "try violet", true), "error there is no lamp", 22);
	assert_memory_equal(ask(bench, "trying", true), "error not understood", 20);
	assert_string_equal(ask(bench, "try", true), "ok");
	bench->client = call(bench);
	assert_memory_equal(ask(bench, "try", true), "error somebody else", 19);
	(void)close(first);
	take(bench);
	control_saved(bench->control, true);
	recorder_press(&bench->recorder, scheme_code(&bench->scheme, "undo"), 4000);
	assert_memory_equal(ask(bench, "try", true), "error a button", 14);
	recorder_release(&bench->recorder, scheme_code(&bench->scheme, "undo"), 5000, false);
	assert_string_equal(ask(bench, "try", true), "ok");
	recorder_press(&bench->recorder, lesson, 6000);
	assert_memory_equal(ask(bench, "try", true), "error a lesson", 14);
}

static void a_message_too_long_is_refused_whole(void **state)
{
	struct bench *bench = *state;
	char *text = malloc(SITE_SCHEME_BYTES + 100);

	assert_non_null(text);
	memset(text, ' ', SITE_SCHEME_BYTES + 99);
	memcpy(text, "scheme ", 7);
	text[SITE_SCHEME_BYTES + 99] = '\0';
	assert_memory_equal(ask(bench, text, true), "error ", 6);
	assert_false(control_scheme_came(bench->control));
	free(text);
}

static void who_goes_away_without_an_answer_does_no_harm(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(send(bench->client, "status", 6, 0), 6);
	(void)close(bench->client);
	for (int i = 0; i < 4; i++) {
		take(bench);
		control_saved(bench->control, true);
	}
	bench->client = -1;
}

static void the_socket_is_for_owner_and_group_alone(void **state)
{
	struct bench *bench = *state;
	char path[128];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/run/control.sock", bench->root);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			the_status_tells_of_a_running_observation, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			there_is_no_level_where_nothing_is_heard, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_snippet_goes_only_after_the_journal_said_so, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_snippet_stays_when_the_journal_cannot_be_written, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			nothing_but_a_snippet_with_its_own_hash_goes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_scheme_is_kept_only_if_it_is_one, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_message_too_long_is_refused_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			presses_are_told_to_who_tries_them_until_that_is_over, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_trial_ends_with_who_hangs_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			nothing_is_tried_during_a_lesson_or_twice_at_a_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			who_goes_away_without_an_answer_does_no_harm, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_socket_is_for_owner_and_group_alone, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
