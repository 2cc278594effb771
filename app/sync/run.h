/* The inside of a run; private to sync.c, sending.c and rules.c. */
#ifndef SYNC_RUN_H
#define SYNC_RUN_H

#include "app/journal/journal.h"
#include "app/sync/bond.h"
#include "app/sync/notes.h"
#include "app/sync/said.h"
#include "app/sync/survey.h"
#include "app/sync/sync.h"
#include "app/sync/talk.h"
#include "app/sync/upload.h"
#include "app/sync/writer.h"

struct run {
	const struct config *config;
	const struct sync_options *options;
	struct progress *progress;
	struct bond pairing;
	struct transport_settings settings;
	struct talk talk;
	struct journal *journal;
	struct survey survey;
	struct writer *writer;
	int lock_fd, snippets_fd;
	struct said_box box; /* as the server said last */
	int days_on_box;
	/* what came of it */
	int64_t entries_sent, snippets_sent, bytes_sent, snippets_gone;
	int64_t entries_unsent, snippets_unsent; /* in the end */
	/* of those that the server lacks: their file is gone from here, or damaged */
	size_t snippets_lost;
	bool box_known; /* the server answered about this box */
	bool cautious; /* snippets one by one: an attempt at several was cut */
	/* the first thing that somebody must look at; the rest goes on */
	int trouble;
	struct error trouble_why;
};

/* Keeps the first trouble and says it. Returns 0, for the rest goes on. */
int run_trouble(struct run *run, int result, const struct error *error);

/* SYNC_E_LATER when a lesson has begun meanwhile and nobody said --now. */
int run_may_go_on(struct run *run, struct error *error) MUST_CHECK;

/* GET /box into run->box. */
int run_ask_box(struct run *run, struct error *error) MUST_CHECK;

/* --- sending.c: up --- */

/* Entries from the first that the server lacks, in order. */
int sending_entries(struct run *run, struct error *error) MUST_CHECK;

/* The sound that the server lacks. */
int sending_snippets(struct run *run, struct error *error) MUST_CHECK;

/* --- report.c --- */

/* How the box is. */
int report_send(struct run *run, struct error *error) MUST_CHECK;

/* --- rules.c: down --- */

/* The site's scheme and retention. */
int rules_config(struct run *run, struct error *error) MUST_CHECK;

/* Lets go what the server has and the rule does not keep. */
int rules_retention(struct run *run, struct error *error) MUST_CHECK;

#endif
