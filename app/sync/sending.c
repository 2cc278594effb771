#include "app/sync/run.h"

#include "app/base/file.h"
#include "app/sync/batch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROUNDS_MOST 3

/* --- entries --- */

static int post_batch(struct run *run, const struct batch *batch, struct said_kept *ret_kept,
	bool *ret_too_big, struct error *error)
{
	char path[128];
	struct request request = {.method = "POST",
		.path = path,
		.type = "application/x-ndjson",
		.body = batch->text,
		.body_bytes = batch->bytes};
	struct answer answer;
	int r;

	(void)snprintf(path, sizeof(path), "/box/entries?journal=%s", journal_id(run->journal));
	r = talk_ask(&run->talk, &request, &answer, error);
	if (r != 0) {
		return r;
	}
	*ret_too_big = answer.status == 413;
	if (answer.status == 200) {
		r = said_kept(answer.body, answer.n, ret_kept, error);
		r = talk_said(r);
	} else if (answer.status != 413) {
		r = talk_unexpected(&answer, "sending entries", error);
	}
	answer_fini(&answer);
	return r;
}

static int say_refused(struct run *run, const struct said_kept *kept, struct error *error)
{
	const char *reason = kept->refused[0].reason;

	return run_trouble(run,
		error_set(error, SYNC_E_PERSON,
			"the server refuses entry %lld: %s%s; what comes before it is there",
			(long long)kept->refused[0].seq, reason,
			strstr(reason, "kind") ? " (is it older than the box? bring it up to date)"
					       : ""),
		error);
}

/*
 * One batch and what came of it. *ret_next: from where to go on; *ret_most: lines
 * a request, less after one that was too big. 0 with *ret_next unchanged: no
 * further for now, which was said.
 */
static int send_batch(struct run *run, const struct entries *entries, size_t *most_lines,
	int64_t *next, struct error *error)
{
	struct batch batch;
	struct said_kept kept = {.kept = 0};
	bool too_big = false;
	int64_t before = *next;
	int r;

	r = batch_make(entries->list, entries->n, *most_lines, BATCH_BYTES_MAX, &batch, error);
	if (r == -EINVAL) {
		return run_trouble(run, SYNC_E_PERSON, error);
	}
	if (r < 0) {
		return r;
	}
	r = post_batch(run, &batch, &kept, &too_big, error);
	if (r == 0 && too_big && batch.lines > 1) {
		*most_lines = batch.lines / 2;
		batch_fini(&batch);
		return send_batch(run, entries, most_lines, next, error);
	}
	if (r == 0 && too_big) {
		(void)error_set(error, 0, "entry %lld is too long for the server",
			(long long)entries->list[0].seq);
		r = run_trouble(run, SYNC_E_PERSON, error);
	} else if (r == 0 && kept.kept > run->survey.last) {
		r = error_set(error, SYNC_E_PERSON,
			"the server says that it keeps entries up to %lld, of which this box has "
			"only %lld",
			(long long)kept.kept, (long long)run->survey.last);
	} else if (r == 0) {
		if (kept.kept >= before) {
			run->entries_sent += kept.kept - before + 1;
			*next = kept.kept + 1;
		}
		if (kept.n_refused > 0 && kept.kept < batch.last) {
			*next = before;
			r = say_refused(run, &kept, error);
		} else if (kept.kept < before) {
			r = error_set(error, SYNC_E_LATER,
				"the server took entries and kept none of them");
		}
	}
	batch_fini(&batch);
	return r;
}

int sending_entries(struct run *run, struct error *error)
{
	size_t most_lines = BATCH_LINES_MAX;
	int64_t next = run->box.kept + 1, before = 0;
	int r = 0;

	while (r == 0 && next != before && next <= run->survey.last) {
		/* what was recorded since the survey is for the next pass, with its sound */
		int64_t left = run->survey.last - next + 1;
		size_t most = left < BATCH_LINES_MAX ? (size_t)left : BATCH_LINES_MAX;
		struct entries entries = {0};

		before = next;
		r = run_may_go_on(run, error);
		if (r == 0) {
			r = journal_read(run->journal, next, most, &entries, error);
		}
		if (r == 0 && entries.n > 0 && entries.list[0].seq != next) {
			r = error_set(error, SYNC_E_PERSON,
				"the server wants entry %lld, which this box has no more",
				(long long)next);
		}
		if (r == 0 && entries.n > 0) {
			r = send_batch(run, &entries, &most_lines, &next, error);
		}
		entries_fini(&entries);
	}
	if (run->entries_sent > 0) {
		progress_say(run->progress, 6, "%lld entries sent", (long long)run->entries_sent);
	}
	return r;
}

/* --- snippets --- */

static int open_snippet(const struct run *run, const struct survey_snippet *snippet,
	struct upload *ret_upload, struct error *error)
{
	struct stat st;
	int fd;

	fd = openat(run->snippets_fd, snippet->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0) {
		int r = error_set(error, -errno, "snippet %lld (snippets/%s): %s",
			(long long)snippet->seq, snippet->file, strerror(errno));

		if (fd >= 0) {
			(void)close(fd);
		}
		return r;
	}
	*ret_upload = (struct upload){.dir = run->config->sync_state,
		.journal = journal_id(run->journal),
		.seq = snippet->seq,
		.sha256 = snippet->sha256,
		.fd = fd,
		.bytes = snippet->bytes};
	return 0;
}

/* Whether the file is what the journal says, so that the server can take it. */
static int check_snippet(const struct run *run, int64_t seq, struct error *error)
{
	const struct survey_snippet *snippet = survey_snippet(&run->survey, seq);
	char sha256[65];
	off_t bytes;
	int r;

	r = file_sha256(run->snippets_fd, snippet->file, sha256, &bytes);
	if (r < 0) {
		return error_set(error, r, "snippet %lld (snippets/%s): %s", (long long)seq,
			snippet->file, strerror(-r));
	}
	return bytes == snippet->bytes && strcmp(sha256, snippet->sha256) == 0
		? 0
		: error_set(error, -EUCLEAN,
			  "snippet %lld (snippets/%s) is not what was recorded; `chalkbox check` "
			  "tells more",
			  (long long)seq, snippet->file);
}

/* Says why a snippet cannot be sent; counts those that no later run can send either. */
static int say_unsendable(struct run *run, int r, const struct error *error)
{
	if (r == -ENOMEM) {
		return r;
	}
	run->snippets_lost += r == -ENOENT || r == -EUCLEAN || r == -EIO;
	return run_trouble(run, SYNC_E_PERSON, error);
}

/* Whether the file still is the working one: its name comes in a moment. */
static bool not_yet(const struct run *run, const struct survey_snippet *snippet)
{
	char name[80];

	return file_path(name, sizeof(name), "%s.part", snippet->file) == 0 &&
		faccessat(run->snippets_fd, name, F_OK, 0) == 0;
}

static void sent(struct run *run, int64_t bytes)
{
	run->snippets_sent++;
	run->bytes_sent += bytes;
	progress_step(run->progress, bytes);
}

/* Snippets that are sent at a time: their files, open. */
struct group {
	struct upload list[TRANSPORT_GROUP];
	size_t n;
};

static void close_group(struct group *group)
{
	for (size_t i = 0; i < group->n; i++) {
		(void)close(group->list[i].fd);
	}
	group->n = 0;
}

static int send_one(struct run *run, const struct upload *upload, struct error *error)
{
	int r = check_snippet(run, upload->seq, error);

	if (r < 0) {
		return say_unsendable(run, r, error);
	}
	r = upload_send(&run->talk, upload, error);
	if (r == 0) {
		sent(run, upload->bytes);
	}
	return r == UPLOAD_E_REFUSED ? run_trouble(run, SYNC_E_PERSON, error) : r;
}

/*
 * All at a time first, then with patience what did not go. On a network that cuts
 * one of them, several would only make more to be sent again: from then on it is
 * one by one. The server takes nothing whose hash is not the journal's, so that
 * only what it did not take is hashed here as well. Closes the files.
 */
static int send_group(struct run *run, struct group *group, struct error *error)
{
	bool done[TRANSPORT_GROUP] = {false};
	int r = 0;

	if (group->n > 1 && !run->cautious) {
		r = upload_burst(&run->talk, group->list, group->n, done, error);
	}
	for (size_t i = 0; r == 0 && i < group->n; i++) {
		if (done[i]) {
			sent(run, group->list[i].bytes);
		} else {
			run->cautious |= group->n > 1;
			r = send_one(run, &group->list[i], error);
		}
	}
	close_group(group);
	return r;
}

static int send_snippet(struct run *run, const struct survey_snippet *snippet, struct group *group,
	struct error *error)
{
	struct group alone = {.n = 1};
	int r;

	r = open_snippet(run, snippet, &alone.list[0], error);
	if (r == -ENOENT && not_yet(run, snippet)) {
		return 0;
	}
	if (r < 0) {
		return say_unsendable(run, r, error);
	}
	if (run->cautious || snippet->bytes > UPLOAD_AT_ONCE_BYTES) {
		return send_group(run, &alone, error);
	}
	group->list[group->n++] = alone.list[0];
	return group->n == TRANSPORT_GROUP ? send_group(run, group, error) : 0;
}

static void on_sent(void *data, int64_t bytes)
{
	progress_sent(data, bytes);
}

/* All that the server named as missing, once. */
static int send_missing(struct run *run, struct error *error)
{
	struct group group = {.n = 0};
	int64_t total = 0;
	size_t n = 0;
	int r = 0;

	run->snippets_lost = 0;
	for (size_t i = 0; i < run->box.n_missing; i++) {
		const struct survey_snippet *snippet =
			survey_snippet(&run->survey, run->box.missing[i]);

		n += snippet != NULL;
		total += snippet ? snippet->bytes : 0;
	}
	progress_begin(run->progress, n, total);
	transport_watch(run->talk.transport, on_sent, run->progress);
	for (size_t i = 0; r == 0 && i < run->box.n_missing; i++) {
		const struct survey_snippet *snippet =
			survey_snippet(&run->survey, run->box.missing[i]);

		r = run_may_go_on(run, error);
		if (r == 0 && !snippet) {
			(void)error_set(error, 0,
				"the server lacks the sound of entry %lld, and this box has it no "
				"more",
				(long long)run->box.missing[i]);
			r = say_unsendable(run, -ENOENT, error);
		} else if (r == 0) {
			r = send_snippet(run, snippet, &group, error);
		}
	}
	r = r == 0 ? send_group(run, &group, error) : r;
	close_group(&group);
	transport_watch(run->talk.transport, NULL, NULL);
	progress_end(run->progress);
	return r;
}

/*
 * The server names up to 500 at a time, and is asked again until it names none.
 * One that is named again after it was sent gets a few more tries.
 */
int sending_snippets(struct run *run, struct error *error)
{
	int rounds = 0, r;

	r = run->entries_sent > 0 ? run_ask_box(run, error) : 0;
	while (r == 0 && run->box.n_missing > 0 && rounds < ROUNDS_MOST) {
		int64_t first = run->box.missing[0], sent = run->snippets_sent;

		r = send_missing(run, error);
		if (r == 0 && run->snippets_sent == sent) {
			break; /* none of these can go, which was said */
		}
		r = r == 0 ? run_ask_box(run, error) : r;
		if (r == 0 && run->box.n_missing > 0 && run->box.missing[0] == first) {
			rounds++;
		}
	}
	if (run->snippets_sent > 0) {
		progress_say(run->progress, 6, "%lld snippets sent, %.1f MB",
			(long long)run->snippets_sent, (double)run->bytes_sent / 1e6);
	}
	if (r == 0 && rounds == ROUNDS_MOST && run->trouble == 0) {
		r = error_set(error, SYNC_E_LATER,
			"the server goes on asking for sound that was sent (snippet %lld)",
			(long long)run->box.missing[0]);
	}
	return r;
}
