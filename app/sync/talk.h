/* Requests with patience: what is worth another try gets it, within the run. */
#ifndef SYNC_TALK_H
#define SYNC_TALK_H

#include "app/sync/patience.h"
#include "app/sync/progress.h"
#include "app/sync/transport.h"

/* What becomes of a step or a run; above 0, with an explanation. */
enum sync_result {
	SYNC_FINE = 0,
	SYNC_E_LATER = 1, /* network, server, a full disk there: try again later */
	SYNC_E_PERSON, /* somebody must look */
	SYNC_E_UNPAIRED, /* the server does not know this box (any more) */
};

struct talk {
	struct transport *transport; /* borrowed, as all of it */
	struct progress *progress;
	struct patience patience;
	bool answered; /* by our server, the last time it was asked once */
};

/*
 * Asks once. 0: an answer for the caller to judge: below 400, or one of 404, 409,
 * 410, 412, 413, 460. SYNC_E_UNPAIRED for 401 and 403; SYNC_E_LATER for no answer,
 * 429, 5xx; SYNC_E_PERSON for any other; -ENOMEM. *ret_retry_s: for SYNC_E_LATER,
 * when the server wants to be asked again, -1 if it did not say.
 */
int talk_once(struct talk *talk, const struct request *request, struct answer *ret_answer,
	int64_t *ret_retry_s, struct error *error) MUST_CHECK;

/*
 * After SYNC_E_LATER: waits before the next try. 0, or SYNC_E_LATER when this run
 * has waited enough; @error keeps why. Blocks.
 */
int talk_wait(struct talk *talk, int64_t retry_s, struct error *error) MUST_CHECK;

/* Asks until there is an answer, as often as patience lasts. Results as talk_once(). */
int talk_ask(struct talk *talk, const struct request *request, struct answer *ret_answer,
	struct error *error) MUST_CHECK;

/*
 * What became of reading an answer by said.h, as a sync_result: one that was cut
 * is worth another try, one that speaks differently is not.
 */
int talk_said(int result) MUST_CHECK;

/* SYNC_E_PERSON, with what the answer says that the caller did not expect. */
int talk_unexpected(const struct answer *answer, const char *doing, struct error *error);

#endif
