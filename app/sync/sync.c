#include "app/sync/sync.h"

#include "app/base/clock.h"
#include "app/base/file.h"
#include "app/sync/network.h"
#include "app/sync/run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define READ_STEP 512
#define PASSES_MOST 3
#define SKEW_NS (2 * 60 * NS_PER_S)

/* --- what all steps share --- */

int run_trouble(struct run *run, int result, const struct error *error)
{
	struct error why = *error;

	progress_say(run->progress, 4, "%s", why.text);
	if (run->trouble == 0) {
		run->trouble = result;
		run->trouble_why = why;
	}
	return 0;
}

int run_may_go_on(struct run *run, struct error *error)
{
	bool observing;

	if (run->options->now) {
		return 0;
	}
	if (writer_observing(run->writer, &observing, error) < 0) {
		observing = run->survey.open; /* cannot be asked: by the journal, then */
	}
	return observing ? error_set(error, SYNC_E_LATER,
				   "a lesson is being observed; sync waits for its end (--now does "
				   "not)")
			 : 0;
}

int run_ask_box(struct run *run, struct error *error)
{
	char path[96];
	const struct request request = {.method = "GET", .path = path};
	struct answer answer;
	int r;

	(void)snprintf(path, sizeof(path), "/box?journal=%s", journal_id(run->journal));
	r = talk_ask(&run->talk, &request, &answer, error);
	if (r != 0) {
		return r;
	}
	if (answer.status != 200) {
		r = talk_unexpected(&answer, "asking what the server has", error);
	} else {
		r = said_box(answer.body, answer.n, &run->box, error);
		r = talk_said(r);
	}
	answer_fini(&answer);
	if (r == 0) {
		run->box_known = true;
		run->entries_unsent = run->survey.last - run->box.kept;
		run->snippets_unsent = (int64_t)run->box.n_missing;
	}
	return r;
}

static uint32_t dice(uint32_t below)
{
	return randombytes_uniform(below);
}

/* --- one at a time --- */

static int take_lock(const char *dir, int *ret_fd, struct error *error)
{
	char path[FILE_PATH_CHARS];
	int fd, r;

	r = file_make_dirs(dir);
	if (r == 0) {
		r = file_path(path, sizeof(path), "%s/lock", dir);
	}
	if (r < 0) {
		return error_set(error, r,
			"%s: %s; set state in [sync] to a folder that can be "
			"written, or run as the user who owns it",
			dir, strerror(-r));
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0) {
		return error_set(error, -errno,
			"%s: %s; run as root, or as the user who owns the folder", path,
			strerror(errno));
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		r = errno;
		(void)close(fd);
		return r == EWOULDBLOCK
			? error_set(error, SYNC_E_LATER, "another run of sync is at work")
			: error_set(error, -r, "%s: %s", path, strerror(r));
	}
	*ret_fd = fd;
	return 0;
}

/* --- before the first word --- */

static int find_pairing(struct run *run, struct error *error)
{
	struct error why;
	int by_file, r;

	by_file = run->options->dry_run ? -ENOENT
					: sync_pair_by_file(run->config, run->progress, &why);
	if (by_file != 0 && by_file != -ENOENT) {
		progress_say(run->progress, 4, "%s", why.text);
	}
	r = bond_read(run->config->sync_state, &run->pairing, error);
	if (r == -ENOENT && by_file == SYNC_E_LATER) {
		*error = why;
		return SYNC_E_LATER;
	}
	if (r == -ENOENT) {
		return error_set(error, SYNC_E_UNPAIRED,
			"this box belongs to no server yet; `chalkbox pair URL CODE` pairs it");
	}
	return r == -EINVAL ? SYNC_E_PERSON : r;
}

static int check_network(const struct run *run, struct error *error)
{
	struct network_seen seen;
	enum network_verdict verdict;

	if (run->options->now || bond_is_local(run->pairing.url)) {
		return 0;
	}
	network_look(&seen);
	verdict = network_decide(&seen, run->config->ssids, run->config->allow_metered);
	return verdict == NETWORK_GO ? 0
				     : error_set(error, SYNC_E_LATER, "%s", network_words(verdict));
}

static int walk_journal(struct run *run, struct error *error)
{
	int64_t last;
	int r = 0;

	do {
		struct entries entries = {0};

		last = run->survey.last;
		r = journal_read(run->journal, last + 1, READ_STEP, &entries, error);
		for (size_t i = 0; i < entries.n && r == 0; i++) {
			r = survey_take(&run->survey, &entries.list[i]);
			if (r < 0) {
				(void)error_set(error, r, "out of memory");
			}
		}
		entries_fini(&entries);
	} while (r == 0 && run->survey.last > last);
	return r;
}

static int open_record(struct run *run, struct error *error)
{
	char path[FILE_PATH_CHARS];
	int r;

	r = journal_open(run->config->state, JOURNAL_READ, &run->journal, error);
	if (r < 0) {
		run->journal = NULL;
		return r;
	}
	r = walk_journal(run, error);
	if (r < 0) {
		return r;
	}
	r = file_path(path, sizeof(path), "%s/snippets", run->config->state);
	if (r < 0) {
		return error_set(error, r, "%s: the path is too long", run->config->state);
	}
	run->snippets_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (run->snippets_fd < 0 && errno != ENOENT) {
		return error_set(error, -errno, "%s: %s", path, strerror(errno));
	}
	return 0;
}

static int open_talk(struct run *run, struct error *error)
{
	run->settings = (struct transport_settings){.url = run->pairing.url,
		.token = run->pairing.token,
		.pin = run->pairing.pin,
		.stall_s = run->options->stall_s};
	run->talk.progress = run->progress;
	patience_init(&run->talk.patience, run->options->patience_s * INT64_C(1000), dice);
	return transport_open(&run->settings, &run->talk.transport, error);
}

static int set_up(struct run *run, struct error *error)
{
	int r;

	r = take_lock(run->config->sync_state, &run->lock_fd, error);
	if (r == 0) {
		r = find_pairing(run, error);
	}
	if (r == 0) {
		r = writer_open(run->config, &run->writer);
		r = r < 0 ? error_set(error, r, "out of memory") : 0;
	}
	if (r == 0) {
		r = open_record(run, error);
	}
	if (r == 0) {
		r = run_may_go_on(run, error);
	}
	if (r == 0) {
		r = check_network(run, error);
	}
	return r == 0 ? open_talk(run, error) : r;
}

static void tear_down(struct run *run)
{
	transport_close(run->talk.transport);
	if (run->snippets_fd >= 0) {
		(void)close(run->snippets_fd);
	}
	survey_fini(&run->survey);
	journal_close(run->journal);
	writer_close(run->writer);
	sodium_memzero(&run->pairing, sizeof(run->pairing));
	if (run->lock_fd >= 0) {
		(void)close(run->lock_fd);
	}
}

/* --- the run --- */

static void say_skew(const struct run *run)
{
	struct clock_pair now;
	int64_t skew_ns;

	clock_pair(&now);
	skew_ns = run->box.time_ns - now.realtime_ns;
	if (llabs(skew_ns) > SKEW_NS) {
		progress_say(run->progress, 5,
			"this box's clock is %lld s %s the server's; times are put right by the "
			"server",
			(long long)llabs(skew_ns) / NS_PER_S, skew_ns > 0 ? "behind" : "ahead of");
	}
}

static int greet(struct run *run, struct error *error)
{
	int r = run_ask_box(run, error);

	if (r != 0) {
		return r;
	}
	say_skew(run);
	if (run->box.kept > run->survey.last) {
		return error_set(error, SYNC_E_PERSON,
			"the server keeps %lld entries of this journal, the box has %lld: its card "
			"was replaced by an older copy; nothing is sent",
			(long long)run->box.kept, (long long)run->survey.last);
	}
	return 0;
}

static void say_plan(const struct run *run)
{
	int64_t bytes = 0, after = 0;
	size_t n = 0;

	for (size_t i = 0; i < run->survey.n; i++) {
		const struct survey_snippet *snippet = &run->survey.snippets[i];

		if (snippet->seq > run->box.kept && !snippet->gone) {
			after += snippet->bytes;
			n++;
		}
	}
	for (size_t i = 0; i < run->box.n_missing; i++) {
		const struct survey_snippet *snippet =
			survey_snippet(&run->survey, run->box.missing[i]);

		bytes += snippet ? snippet->bytes : 0;
	}
	progress_say(run->progress, 6,
		"to be sent to %s: %lld entries, %zu snippets (%.1f MB); nothing was",
		run->pairing.url, (long long)(run->survey.last - run->box.kept),
		n + run->box.n_missing, (double)(bytes + after) / 1e6);
}

static int go(struct run *run, struct error *error)
{
	int r;

	r = greet(run, error);
	if (r == 0 && run->options->dry_run) {
		say_plan(run);
		return 0;
	}
	if (r == 0) {
		r = sending_entries(run, error);
	}
	if (r == 0) {
		r = sending_snippets(run, error);
	}
	if (r == 0) {
		r = rules_config(run, error);
	}
	if (r == 0) {
		r = rules_retention(run, error);
	}
	if (r == 0) {
		r = report_send(run, error);
	}
	if (r == 0 && run->trouble != 0) {
		*error = run->trouble_why;
		return run->trouble;
	}
	if (r == 0 && run->entries_unsent > 0) {
		return error_set(error, SYNC_E_LATER,
			"the server lacks %lld entries that it said it keeps",
			(long long)run->entries_unsent);
	}
	if (r == 0 && run->snippets_unsent > 0) {
		return error_set(error, SYNC_E_LATER, "%lld snippets are still being written",
			(long long)run->snippets_unsent);
	}
	return r;
}

/*
 * What was recorded meanwhile goes along at once, such as the clock that was set when
 * the network came; but a lesson that is written on and on is left to the next run.
 */
static int go_on(struct run *run, struct error *error)
{
	int64_t last;
	int i, r = 0;

	for (i = 0; i < PASSES_MOST && r == 0; i++) {
		last = run->survey.last;
		r = go(run, error);
		if (r == 0) {
			r = walk_journal(run, error);
		}
		if (run->survey.last == last || run->options->dry_run) {
			break;
		}
	}
	return r;
}

/* What `chalkbox sync --status` tells; noted before the attempt, and after it. */
static void note_last(const struct run *run, int64_t began_ns, int result, const char *words)
{
	struct notes_last last = {.began_ns = began_ns,
		.exit_code = result,
		.unsent_entries = run->box_known ? run->entries_unsent : -1,
		.unsent_snippets = run->box_known ? run->snippets_unsent : -1};
	struct clock_pair now;

	clock_pair(&now);
	last.ended_ns = words ? now.realtime_ns : 0;
	(void)snprintf(last.words, sizeof(last.words), "%s", words ? words : "cut short");
	for (char *c = last.words; *c; c++) {
		*c = *c == '\n' ? ' ' : *c;
	}
	if (run->lock_fd >= 0 && !run->options->dry_run) {
		(void)!notes_keep_last(run->config->sync_state, &last);
	}
}

int sync_run(const struct config *config, const struct sync_options *options,
	struct progress *progress, struct error *error)
{
	struct run run = {.config = config,
		.options = options,
		.progress = progress,
		.lock_fd = -1,
		.snippets_fd = -1,
		.days_on_box = -1};
	struct clock_pair began;
	char words[160];
	int r;

	clock_pair(&began);
	r = set_up(&run, error);
	if (r == -ENOENT && !run.journal) {
		tear_down(&run);
		progress_say(progress, 6, "nothing has been recorded yet");
		return 0;
	}
	if (r == 0) {
		note_last(&run, began.realtime_ns, SYNC_E_LATER, NULL);
		r = go_on(&run, error);
	}
	(void)snprintf(words, sizeof(words),
		"all is on the server (%lld entries, %lld snippets sent)",
		(long long)run.entries_sent, (long long)run.snippets_sent);
	note_last(&run, began.realtime_ns, r, r == 0 ? words : error->text);
	if (r == 0 && !options->dry_run) {
		progress_say(progress, 6, "%s", words);
	}
	tear_down(&run);
	return r;
}
