#include "firmware/recovery.h"

#include "app/base/file.h"
#include "firmware/snippet.h"
#include "firmware/torn.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define S NS_PER_S
#define T0_NS (5000 * S)
#define LATER_NS (40 * S) /* after the next power-on */
#define BOOT_ID "0f5a3c1e-9d2b-4c6f-8a17-2b3c4d5e6f70"
#define NEXT_BOOT_ID "1f5a3c1e-9d2b-4c6f-8a17-2b3c4d5e6f70"

struct bench {
	char state[64], snippets[128];
	int dir_fd;
	struct scheme scheme;
	struct journal *journal;
	struct recorder recorder;
};

static void new_id(char ret_id[static UUID_CHARS])
{
	memcpy(ret_id, "11111111-2222-4333-8444-555555555555", UUID_CHARS);
}

/* A run of the recorder: opens the journal, writes its boot entry. */
static void run(struct bench *bench, int64_t now_ns, const char *boot_id)
{
	assert_int_equal(journal_open(bench->state, JOURNAL_WRITE, &bench->journal, NULL), 0);
	recorder_init(&bench->recorder, &bench->scheme, scheme_default_text(), 3600 * S,
		journal_last(bench->journal), new_id);
	recorder_boot(&bench->recorder, now_ns, boot_id, "box");
}

static void write_out(struct bench *bench)
{
	struct entries *out = &bench->recorder.out.entries;
	struct error error;
	if (journal_append(bench->journal, out->list, out->n, &error) < 0) {
		fail_msg("%s", error.text);
	}
	recorder_clear(&bench->recorder);
}

static void say(void *data, const char *finding)
{
	fail_msg("%s", finding);
}

static void stop(struct bench *bench)
{
	assert_int_equal(journal_check(bench->journal, say, NULL, NULL), 0);
	journal_close(bench->journal);
	bench->journal = NULL;
	recorder_fini(&bench->recorder);
}

static int set_up(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	assert_non_null(bench);
	snprintf(bench->state, sizeof(bench->state), "/tmp/test_recovery.XXXXXX");
	assert_non_null(mkdtemp(bench->state));
	snprintf(bench->snippets, sizeof(bench->snippets), "%s/snippets", bench->state);
	assert_int_equal(mkdir(bench->snippets, 0700), 0);
	bench->dir_fd = open(bench->snippets, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(scheme_parse(scheme_default_text(), "default", &bench->scheme, NULL), 0);
	run(bench, T0_NS, BOOT_ID);
	*state = bench;
	return 0;
}

static int empty(const char *path)
{
	DIR *dir = opendir(path);
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		(void)unlinkat(dirfd(dir), entry->d_name, 0);
	}
	return dir ? closedir(dir) : -1;
}

static int tear_down(void **state)
{
	struct bench *bench = *state;
	if (bench->journal) {
		stop(bench);
	}
	close(bench->dir_fd);
	int r = empty(bench->snippets) + rmdir(bench->snippets) + empty(bench->state) +
		rmdir(bench->state);
	free(bench);
	return r;
}

/* A part of @seconds of sound, torn if it is not to be @whole. Its file's name. */
static void make_part(struct bench *bench, int64_t observation, int64_t boot, int seconds,
	bool whole, struct facts *ret_facts)
{
	struct snippet_head head = {
		.boot_id = BOOT_ID, .boot = boot, .observation = observation, .from_ns = T0_NS};
	struct snippet *snippet;
	int16_t frames[4800];
	assert_int_equal(snippet_open(bench->dir_fd, &head, 48000, 24, &snippet, NULL), 0);
	for (int k = 0; k < 4800; k++) {
		frames[k] = (int16_t)lrint(8192 * sin(2 * M_PI * 440 * k / 48000));
	}
	for (int i = 0; i < 10 * seconds; i++) {
		assert_int_equal(snippet_write(snippet, frames, 4800), 0);
	}
	*ret_facts = (struct facts){0};
	if (whole) {
		assert_int_equal(snippet_finish(snippet, ret_facts), 0);
		ret_facts->to_ns = T0_NS + seconds * S;
		ret_facts->complete = true;
	} else {
		snprintf(ret_facts->file, sizeof(ret_facts->file), "%.8s-%06lld-%010lld.opus",
			BOOT_ID, (long long)observation, (long long)(T0_NS / NS_PER_MS));
	}
	snippet_close(snippet);
}

static bool there(const struct bench *bench, const char *name, const char *tail)
{
	char path[300];
	snprintf(path, sizeof(path), "%s%s", name, tail);
	return faccessat(bench->dir_fd, path, F_OK, 0) == 0;
}

static int recover(struct bench *bench, int *ret_repaired, struct error *error)
{
	run(bench, LATER_NS, NEXT_BOOT_ID);
	return recovery_run(
		bench->journal, bench->dir_fd, LATER_NS, &bench->recorder, ret_repaired, error);
}

static const struct entry *entry_at(const struct bench *bench, size_t i, enum entry_kind kind)
{
	assert_true(i < bench->recorder.out.entries.n);
	const struct entry *entry = &bench->recorder.out.entries.list[i];
	assert_string_equal(entry_kind_name(entry->kind), entry_kind_name(kind));
	return entry;
}

/* A lesson with a press, @n faults after it, and the power goes. Its seq. */
static int64_t lesson(struct bench *bench, int n)
{
	recorder_press(&bench->recorder, scheme_code(&bench->scheme, "questioning"), T0_NS + S);
	int64_t observation = bench->recorder.observation;
	for (int i = 0; i < n; i++) {
		recorder_fault(&bench->recorder, T0_NS + 2 * S, "test", true, "why");
	}
	write_out(bench);
	return observation;
}

static void an_observation_left_open_is_ended_as_recovered(void **state)
{
	static const int far_back[] = {0, 510, 511, 512, 1300};
	for (size_t i = 0; i < 5; i++) {
		struct bench *bench = *state;
		int64_t observation = lesson(bench, far_back[i]);
		int repaired = -1;
		stop(bench);
		assert_int_equal(recover(bench, &repaired, NULL), 0);
		assert_int_equal(repaired, 0);
		assert_int_equal(bench->recorder.out.entries.n, 2);
		const struct entry *end = entry_at(bench, 1, ENTRY_END);
		assert_int_equal(end->observation, observation);
		assert_int_equal(end->t_ns, LATER_NS);
		assert_int_equal(end->boot, entry_at(bench, 0, ENTRY_BOOT)->seq);
		write_out(bench);
		stop(bench);
		/* once is enough */
		assert_int_equal(recover(bench, &repaired, NULL), 0);
		assert_int_equal(bench->recorder.out.entries.n, 1);
		write_out(bench);
	}
}

static void an_observation_that_ended_is_left_alone(void **state)
{
	struct bench *bench = *state;
	int repaired;
	lesson(bench, 0);
	recorder_end(&bench->recorder, T0_NS + 5 * S, "button");
	write_out(bench);
	stop(bench);
	assert_int_equal(recover(bench, &repaired, NULL), 0);
	assert_int_equal(bench->recorder.out.entries.n, 1);
}

static void an_empty_journal_has_nothing_to_recover(void **state)
{
	struct bench *bench = *state;
	int repaired;
	recorder_fini(&bench->recorder);
	journal_close(bench->journal);
	assert_int_equal(recover(bench, &repaired, NULL), 0);
	assert_int_equal(repaired, 0);
	assert_int_equal(bench->recorder.out.entries.n, 1);
}

static void a_torn_snippet_is_journalled_with_its_observation(void **state)
{
	struct bench *bench = *state;
	struct facts made, found;
	int repaired;
	int64_t observation = lesson(bench, 0), boot = bench->recorder.boot;
	make_part(bench, observation, boot, 5, false, &made);
	stop(bench);
	assert_int_equal(recover(bench, &repaired, NULL), 0);
	assert_int_equal(repaired, 1);
	const struct entry *entry = entry_at(bench, 2, ENTRY_SNIPPET);
	assert_int_equal(entry->observation, observation);
	assert_int_equal(entry->boot, boot);
	assert_int_equal(entry_get_facts(entry, &found), 0);
	assert_string_equal(found.file, made.file);
	assert_false(found.complete);
	assert_int_equal(found.from_ns, T0_NS);
	assert_true(found.to_ns > T0_NS + 45 * S / 10 && found.to_ns <= T0_NS + 5 * S);
	assert_int_equal(entry->t_ns, found.to_ns);
	facts_fini(&found);
	write_out(bench);
	/* the power goes before it gets its name: it is not journalled again */
	assert_true(there(bench, made.file, SNIPPET_PART));
	stop(bench);
	assert_int_equal(recover(bench, &repaired, NULL), 0);
	assert_int_equal(bench->recorder.out.entries.n, 1);
	assert_true(there(bench, made.file, ""));
	assert_false(there(bench, made.file, SNIPPET_PART));
}

static void a_whole_one_that_the_journal_names_gets_its_name(void **state)
{
	struct bench *bench = *state;
	struct facts made;
	int repaired;
	int64_t observation = lesson(bench, 0);
	make_part(bench, observation, bench->recorder.boot, 3, true, &made);
	recorder_note(&bench->recorder, ENTRY_SNIPPET, T0_NS + 4 * S, observation, 0, &made);
	for (int i = 0; i < 600; i++) {
		recorder_fault(&bench->recorder, T0_NS + 5 * S, "test", true, "why");
	}
	recorder_end(&bench->recorder, T0_NS + 6 * S, "button");
	write_out(bench);
	stop(bench);
	assert_int_equal(recover(bench, &repaired, NULL), 0);
	assert_int_equal(bench->recorder.out.entries.n, 1);
	assert_true(there(bench, made.file, ""));
	assert_false(there(bench, made.file, SNIPPET_PART));
	facts_fini(&made);
}

static void a_whole_one_that_nobody_names_is_complete(void **state)
{
	struct bench *bench = *state;
	struct facts made, found;
	int repaired;
	int64_t observation = lesson(bench, 0);
	make_part(bench, observation, bench->recorder.boot, 3, true, &made);
	stop(bench);
	assert_int_equal(recover(bench, &repaired, NULL), 0);
	assert_int_equal(entry_get_facts(entry_at(bench, 2, ENTRY_SNIPPET), &found), 0);
	assert_true(found.complete);
	assert_string_equal(found.sha256, made.sha256);
	facts_fini(&found);
	facts_fini(&made);
	write_out(bench);
}

static void one_of_another_journal_belongs_to_no_observation(void **state)
{
	struct bench *bench = *state;
	struct facts made;
	int repaired;
	int64_t observation = lesson(bench, 0);
	make_part(bench, observation, bench->recorder.boot + 55, 3, false, &made);
	make_part(bench, observation + 1, bench->recorder.boot, 3, false, &made);
	make_part(bench, 999999, 999998, 3, false, &made);
	make_part(bench, -5, INT64_MIN, 3, false, &made);
	stop(bench);
	assert_int_equal(recover(bench, &repaired, NULL), 0);
	assert_int_equal(repaired, 4);
	for (size_t i = 2; i < 6; i++) {
		assert_int_equal(entry_at(bench, i, ENTRY_SNIPPET)->observation, 0);
		assert_int_equal(entry_at(bench, i, ENTRY_SNIPPET)->boot, bench->recorder.boot);
		assert_int_equal(entry_at(bench, i, ENTRY_SNIPPET)->t_ns, LATER_NS);
	}
	write_out(bench); /* stop() checks the journal */
}

static void write_file(struct bench *bench, const char *name, size_t n, char fill)
{
	char bytes[4096];
	memset(bytes, fill, sizeof(bytes));
	int fd = openat(bench->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	assert_true(fd >= 0);
	assert_int_equal(file_write(fd, bytes, n), 0);
	close(fd);
}

static void one_without_sound_is_removed_and_strangers_are_not_touched(void **state)
{
	struct bench *bench = *state;
	int repaired;
	write_file(bench, "empty.opus" SNIPPET_PART, 0, 0);
	write_file(bench, "zeros.opus" SNIPPET_PART, 4096, 0);
	write_file(bench, ".hidden" SNIPPET_PART, 100, 'x');
	write_file(bench, SNIPPET_PART, 100, 'x');
	write_file(bench, "whole.opus", 100, 'x');
	write_file(bench, "notes.txt", 100, 'x');
	write_out(bench);
	stop(bench);
	assert_int_equal(recover(bench, &repaired, NULL), 0);
	assert_int_equal(repaired, 0);
	assert_int_equal(bench->recorder.out.entries.n, 1);
	assert_false(there(bench, "empty.opus", SNIPPET_PART));
	assert_false(there(bench, "zeros.opus", SNIPPET_PART));
	assert_true(there(bench, ".hidden", SNIPPET_PART));
	assert_true(there(bench, "", SNIPPET_PART));
	assert_true(there(bench, "whole.opus", ""));
	assert_true(there(bench, "notes.txt", ""));
}

static void one_that_cannot_be_repaired_is_kept_and_named_and_the_rest_goes_on(void **state)
{
	struct bench *bench = *state;
	struct facts made;
	struct error error;
	int repaired;
	int64_t observation = lesson(bench, 0);
	make_part(bench, observation, bench->recorder.boot, 3, false, &made);
	assert_int_equal(mkdirat(bench->dir_fd, "folder.opus" SNIPPET_PART, 0700), 0);
	stop(bench);
	assert_true(recover(bench, &repaired, &error) < 0);
	assert_non_null(strstr(error.text, "folder.opus" SNIPPET_PART));
	assert_int_equal(repaired, 1);
	(void)entry_at(bench, 1, ENTRY_END);
	(void)entry_at(bench, 2, ENTRY_SNIPPET);
	assert_int_equal(unlinkat(bench->dir_fd, "folder.opus" SNIPPET_PART, AT_REMOVEDIR), 0);
	write_out(bench);
}

static void a_damaged_one_is_set_aside_and_named_once(void **state)
{
	struct bench *bench = *state;
	struct error error;
	int repaired;
	write_file(bench, "bad.opus" SNIPPET_PART, 4096, 'x');
	int fd = openat(bench->dir_fd, "bad.opus" SNIPPET_PART, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "OggS", 4, 1000), 4);
	close(fd);
	write_out(bench);
	stop(bench);
	assert_int_equal(recover(bench, &repaired, &error), -EBADMSG);
	assert_non_null(strstr(error.text, "bad.opus" TORN_DAMAGED));
	assert_true(there(bench, "bad.opus", TORN_DAMAGED));
	assert_false(there(bench, "bad.opus", SNIPPET_PART));
	write_out(bench);
	stop(bench);
	assert_int_equal(recover(bench, &repaired, &error), 0);
	assert_true(there(bench, "bad.opus", TORN_DAMAGED));
}

static void a_mute_that_stood_last_is_found_from_the_end(void **state)
{
	struct bench *bench = *state;
	assert_false(recovery_muted(bench->journal));
	recorder_mic(&bench->recorder, T0_NS, MIC_LIVE, NULL);
	recorder_mic(&bench->recorder, T0_NS + S, MIC_MUTED, NULL);
	for (int i = 0; i < 600; i++) { /* further back than is read at a time */
		recorder_fault(&bench->recorder, T0_NS + 2 * S, "buttons", i % 2 == 0, NULL);
	}
	write_out(bench);
	assert_true(recovery_muted(bench->journal));
	recorder_mic(&bench->recorder, T0_NS + 3 * S, MIC_LOST, NULL);
	write_out(bench);
	assert_false(recovery_muted(bench->journal));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_observation_left_open_is_ended_as_recovered),
		TEST(an_observation_that_ended_is_left_alone),
		TEST(an_empty_journal_has_nothing_to_recover),
		TEST(a_torn_snippet_is_journalled_with_its_observation),
		TEST(a_whole_one_that_the_journal_names_gets_its_name),
		TEST(a_whole_one_that_nobody_names_is_complete),
		TEST(one_of_another_journal_belongs_to_no_observation),
		TEST(one_without_sound_is_removed_and_strangers_are_not_touched),
		TEST(one_that_cannot_be_repaired_is_kept_and_named_and_the_rest_goes_on),
		TEST(a_damaged_one_is_set_aside_and_named_once),
		TEST(a_mute_that_stood_last_is_found_from_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
