/*
 * Promise: nothing leaves the box before the server has it. Three things must
 * come together for a snippet's file to go:
 *
 *	- the server had all sound up to that entry, but for what is lost or damaged
 *	  here, at least so many days ago by its own clock, and that was noted then
 *	  (the box's clock may be wrong);
 *	- right now, asked for this very snippet, it answers with its hash;
 *	- the journal has an entry that says so, on disk.
 *
 * Without a rule of the site's or the box's, nothing goes; but for what a teacher
 * withdrew, which goes without waiting for its day.
 */
#include "app/sync/run.h"

#include "app/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DAY_NS (24 * 3600 * NS_PER_S)

/* --- configuration --- */

static int take_config(struct run *run, const struct answer *answer, struct error *error)
{
	struct said_config config;
	const char *etag = answer->etag;
	int result = 0, r;

	r = said_config(answer->body, answer->n, &config, error);
	if (r < 0) {
		return talk_said(r);
	}
	run->days_on_box = config.days_on_box;
	r = writer_scheme(run->writer, config.scheme, error);
	said_config_fini(&config);
	if (r < 0) {
		/* one that is none is somebody's to mend; who cannot write it now, can later */
		result = r == -EINVAL ? SYNC_E_PERSON : SYNC_E_LATER;
		(void)error_prefix(error, r, "the scheme that came from the server");
		etag = ""; /* so that it comes again */
	} else {
		progress_say(run->progress, 6, "configuration taken");
	}
	if (notes_keep_config(run->config->sync_state, etag, run->days_on_box) < 0) {
		run->days_on_box = -1; /* what cannot be remembered does not count */
	}
	return r == -ENOMEM ? r : r < 0 ? run_trouble(run, result, error) : 0;
}

int rules_config(struct run *run, struct error *error)
{
	char etag[SAID_ETAG_CHARS], match[SAID_ETAG_CHARS + 32];
	struct request request = {.method = "GET", .path = "/box/config"};
	struct answer answer;
	int r;

	notes_config(run->config->sync_state, etag, &run->days_on_box);
	if (etag[0] && strcmp(etag, run->box.config) == 0) {
		return 0; /* known from GET /box already */
	}
	if (etag[0]) {
		(void)snprintf(match, sizeof(match), "If-None-Match: %s", etag);
		request.headers[0] = match;
	}
	r = talk_ask(&run->talk, &request, &answer, error);
	if (r != 0) {
		return r;
	}
	if (answer.status == 200) {
		r = take_config(run, &answer, error);
	} else if (answer.status != 304) {
		r = talk_unexpected(&answer, "asking for the configuration", error);
	}
	answer_fini(&answer);
	return r;
}

/* --- retention --- */

/*
 * The server has all sound up to the survey's end: from now on days are counted.
 * What this box can never bring does not keep the rest here until the card is full;
 * a full list of missing ones may go on behind its end.
 */
static void note_confirmed(struct run *run)
{
	if (run->box.n_missing > run->snippets_lost || run->box.n_missing == SAID_MISSING_MAX ||
		run->box.kept < 1) {
		return;
	}
	if (notes_keep_confirmed(run->config->sync_state, journal_id(run->journal),
		    run->box.time_ns, run->box.kept) < 0) {
		progress_say(run->progress, 4,
			"what the server has cannot be noted in %s: everything stays on the box",
			run->config->sync_state);
	}
}

static int let_go(struct run *run, const struct survey_snippet *snippet, struct error *error)
{
	struct upload upload = {.dir = run->config->sync_state,
		.journal = journal_id(run->journal),
		.seq = snippet->seq,
		.sha256 = snippet->sha256,
		.fd = -1,
		.bytes = snippet->bytes};
	bool kept = false;
	int r;

	r = run_may_go_on(run, error);
	if (r == 0) {
		r = upload_ask(&run->talk, &upload, &kept, error);
	}
	if (r != 0 || !kept) {
		return r;
	}
	r = writer_gone(run->writer, snippet->seq, snippet->sha256, error);
	if (r == 0) {
		run->snippets_gone++;
		survey_gone(&run->survey, snippet->seq);
	}
	return r;
}

/* A power cut came between the entry that says so and the file: that goes now. */
static int sweep(struct run *run, struct error *error)
{
	for (size_t i = 0; i < run->survey.n; i++) {
		const struct survey_snippet *snippet = &run->survey.snippets[i];

		if (snippet->gone && faccessat(run->snippets_fd, snippet->file, F_OK, 0) == 0) {
			int r = writer_gone(run->writer, snippet->seq, snippet->sha256, error);

			if (r < 0) {
				return r;
			}
		}
	}
	return 0;
}

/* Sound that its teacher took back is not to be had here either. */
static int let_go_withdrawn(struct run *run, struct error *error)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < run->box.n_withdrawn; i++) {
		const struct survey_snippet *snippet =
			survey_snippet(&run->survey, run->box.withdrawn[i]);

		if (snippet && snippet->seq <= run->box.kept) {
			r = let_go(run, snippet, error);
		}
	}
	return r;
}

int rules_retention(struct run *run, struct error *error)
{
	int days = run->config->days_on_box >= 0 ? run->config->days_on_box : run->days_on_box;
	int64_t up_to = 0;
	int r;

	note_confirmed(run);
	r = sweep(run, error);
	if (r == 0) {
		r = let_go_withdrawn(run, error);
	}
	if (days >= 0) {
		up_to = notes_confirmed(run->config->sync_state, journal_id(run->journal),
			run->box.time_ns - days * DAY_NS);
	}
	for (size_t i = 0; r == 0 && i < run->survey.n; i++) {
		const struct survey_snippet *snippet = &run->survey.snippets[i];

		if (snippet->seq > up_to || snippet->seq > run->box.kept) {
			break;
		}
		r = snippet->gone ? 0 : let_go(run, snippet, error);
	}
	if (run->snippets_gone > 0) {
		progress_say(run->progress, 6,
			"%lld snippets have left the box; the server has them",
			(long long)run->snippets_gone);
	}
	/* what cannot go today goes another day */
	if (r < 0 && r != -ENOMEM) {
		progress_say(run->progress, 5, "snippets stay for now: %s", error->text);
		r = 0;
	}
	return r;
}
