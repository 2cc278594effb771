#include "app/sync/talk.h"

#include "app/base/clock.h"

#include <errno.h>
#include <string.h>
#include <time.h>

int talk_unexpected(const struct answer *answer, const char *doing, struct error *error)
{
	if (answer->said.message[0]) {
		return error_set(error, SYNC_E_PERSON, "%s: the server answered %d: %s", doing,
			answer->status, answer->said.message);
	}
	return error_set(error, SYNC_E_PERSON,
		"%s: the server (version %s) answered %d; this box is version " CHALKBOX_VERSION
		", and one of the two may be too old for the other",
		doing, answer->version, answer->status);
}

int talk_said(int result)
{
	return result == -EPROTO ? SYNC_E_PERSON : result == -EBADMSG ? SYNC_E_LATER : result;
}

static int judge(const struct request *request, const struct answer *answer, struct error *error)
{
	const char *said = answer->said.message[0] ? answer->said.message : answer->said.word;

	if (answer->status < 400) {
		return 0;
	}
	switch (answer->status) {
	case 404:
	case 409:
	case 410:
	case 412:
	case 413:
	case 460:
		return 0;
	case 401:
	case 403:
		return error_set(error, SYNC_E_UNPAIRED,
			"the server does not take this box any more (%d%s%s); pair it again with "
			"`chalkbox pair URL CODE`",
			answer->status, said[0] ? ": " : "", said);
	case 507:
		return error_set(error, SYNC_E_LATER,
			"the server's disk is full%s%s; everything stays on the box until there is "
			"room",
			said[0] ? ": " : "", said);
	case 429:
		return error_set(error, SYNC_E_LATER, "the server is busy (429%s%s)",
			said[0] ? ": " : "", said);
	default:
		if (answer->status >= 500) {
			return error_set(error, SYNC_E_LATER, "the server failed (%d%s%s)",
				answer->status, said[0] ? ": " : "", said);
		}
		return talk_unexpected(answer, request->path, error);
	}
}

int talk_once(struct talk *talk, const struct request *request, struct answer *ret_answer,
	int64_t *ret_retry_s, struct error *error)
{
	struct answer answer;
	int r;

	*ret_retry_s = -1;
	r = transport_ask(talk->transport, request, &answer, error);
	talk->answered = r == 0;
	if (r != 0) {
		return r < 0 ? r : SYNC_E_LATER;
	}
	*ret_retry_s = answer.retry_after_s;
	r = judge(request, &answer, error);
	if (r != 0) {
		answer_fini(&answer);
		return r;
	}
	patience_worked(&talk->patience);
	*ret_answer = answer;
	return 0;
}

int talk_wait(struct talk *talk, int64_t retry_s, struct error *error)
{
	int64_t wait_ms;
	struct timespec left;

	if (!patience_failed(&talk->patience, retry_s, &wait_ms)) {
		return SYNC_E_LATER;
	}
	progress_say(talk->progress, 5, "%s; trying again in %.1f s", error->text,
		(double)wait_ms / 1000);
	left = (struct timespec){wait_ms / 1000, wait_ms % 1000 * NS_PER_MS};
	while (nanosleep(&left, &left) < 0 && errno == EINTR) {
	}
	return 0;
}

int talk_ask(struct talk *talk, const struct request *request, struct answer *ret_answer,
	struct error *error)
{
	int64_t retry_s;
	int r;

	do {
		r = talk_once(talk, request, ret_answer, &retry_s, error);
	} while (r == SYNC_E_LATER && talk_wait(talk, retry_s, error) == 0);
	return r;
}
