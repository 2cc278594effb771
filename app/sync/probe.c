#include "app/sync/probe.h"

#include "app/base/clock.h"
#include "app/journal/journal.h"
#include "app/sync/bond.h"
#include "app/sync/network.h"
#include "app/sync/notes.h"
#include "app/sync/said.h"
#include "app/sync/transport.h"

#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

struct probe {
	const struct config *config;
	int stall_s;
	json_t *json;
	struct bond pairing;
	char journal[ID_CHARS]; /* "" for none that can be read */
	int64_t last; /* entry of it */
};

/* Text as it came from others, made fit for JSON. */
static json_t *text_json(const char *text)
{
	json_t *json = json_string(text);

	return json ? json : json_string("?");
}

static void put(struct probe *probe, const char *name, json_t *value)
{
	(void)json_object_set_new(probe->json, name, value);
}

static void put_result(struct probe *probe, const char *word, const char *says)
{
	put(probe, "result", json_string(word));
	put(probe, "says", text_json(says));
}

/* Whether there is a pairing to go on with. */
static bool look_at_pairing(struct probe *probe)
{
	char brief[PIN_SHORT_CHARS];
	struct error error;
	int r = bond_read(probe->config->sync_state, &probe->pairing, &error);

	put(probe, "paired",
		r == -ENOENT           ? json_false()
			: r == -EACCES ? json_null()
				       : json_true());
	if (r < 0) {
		put_result(probe,
			r == -ENOENT           ? "unpaired"
				: r == -EACCES ? "hidden"
					       : "broken",
			r == -ENOENT ? "this box belongs to no server yet" : error.text);
		return false;
	}
	pin_short(probe->pairing.pin, brief);
	put(probe, "server", text_json(probe->pairing.url));
	put(probe, "name", text_json(probe->pairing.server));
	put(probe, "key", brief[0] ? json_string(brief) : json_null());
	return true;
}

static void look_at_last_run(struct probe *probe)
{
	struct notes_last last;

	if (notes_last(probe->config->sync_state, &last) == 0) {
		put(probe, "last_run",
			json_pack("{s:I, s:i, s:o}", "began_ns", (json_int_t)last.began_ns,
				"result", last.exit_code, "says", text_json(last.words)));
	}
}

static void look_at_record(struct probe *probe)
{
	struct journal *journal;

	if (journal_open(probe->config->state, JOURNAL_READ, &journal, NULL) == 0) {
		memcpy(probe->journal, journal_id(journal), sizeof(probe->journal));
		probe->last = journal_last(journal);
		put(probe, "entries", json_integer(probe->last));
		journal_close(journal);
	}
}

static void look_at_network(struct probe *probe)
{
	struct network_seen seen;
	enum network_verdict verdict;
	bool local = bond_is_local(probe->pairing.url);

	network_look(&seen);
	verdict = local ? NETWORK_GO
			: network_decide(&seen, probe->config->ssids, probe->config->allow_metered);
	put(probe, "network",
		json_pack("{s:b, s:b, s:b, s:b, s:s}", "up", local || seen.up, "wireless",
			seen.type == NETWORK_WIRELESS, "metered", seen.metered, "allowed",
			verdict == NETWORK_GO, "says",
			verdict == NETWORK_GO ? "" : network_words(verdict)));
}

/* What the server says of this box. */
static void take_answer(struct probe *probe, const struct answer *answer)
{
	struct clock_pair now;
	struct said_box box;
	struct error error;

	clock_pair(&now);
	put(probe, "version", text_json(answer->version));
	if (answer->status == 401 || answer->status == 403) {
		put_result(probe, "revoked", answer->said.message);
		return;
	}
	if (!probe->journal[0] && answer->status == 200) { /* nothing to compare */
		put_result(probe, "reached", "the server answers");
		return;
	}
	if (answer->status != 200 || said_box(answer->body, answer->n, &box, &error) < 0) {
		put_result(probe, "failed",
			answer->status == 200             ? error.text
				: answer->said.message[0] ? answer->said.message
							  : "it fails to answer");
		return;
	}
	put_result(probe, "reached", "the server answers");
	put(probe, "clock_error_ms", json_integer((now.realtime_ns - box.time_ns) / NS_PER_MS));
	put(probe, "unsent_entries", json_integer(probe->last - box.kept));
	put(probe, "unsent_snippets", json_integer((json_int_t)box.n_missing));
}

static void look_at_server(struct probe *probe)
{
	static const char *const words[] = {
		[TRANSPORT_E_SILENT] = "silent",
		[TRANSPORT_E_FOREIGN] = "foreign",
		[TRANSPORT_E_IDENTITY] = "wrong-key",
	};
	struct transport_settings settings = {.url = probe->pairing.url,
		.token = probe->pairing.token,
		.pin = probe->pairing.pin,
		.stall_s = probe->stall_s};
	char path[96];
	struct request request = {.method = "GET", .path = path};
	struct transport *transport;
	struct answer answer;
	struct error error;
	int r;

	(void)snprintf(path, sizeof(path), "/box%s%s", probe->journal[0] ? "?journal=" : "/config",
		probe->journal);
	r = transport_open(&settings, &transport, &error);
	if (r < 0) {
		put_result(probe, "failed", error.text);
		return;
	}
	r = transport_ask(transport, &request, &answer, &error);
	if (r == 0) {
		take_answer(probe, &answer);
		answer_fini(&answer);
	} else {
		put_result(probe, r > 0 ? words[r] : "failed", error.text);
	}
	transport_close(transport);
}

int probe_run(const struct config *config, int stall_s, struct error *error)
{
	struct probe probe = {.config = config, .stall_s = stall_s};
	int r = 0;

	probe.json = json_pack("{s:s, s:i}", "format", "chalkbox-probe", "version", 1);
	if (!probe.json) {
		return error_set(error, -ENOMEM, "out of memory");
	}
	look_at_record(&probe);
	if (look_at_pairing(&probe)) {
		look_at_last_run(&probe);
		look_at_network(&probe);
		look_at_server(&probe);
	}
	sodium_memzero(&probe.pairing, sizeof(probe.pairing));
	if (json_dumpf(probe.json, stdout, JSON_INDENT(2)) < 0 || putchar('\n') < 0) {
		r = error_set(error, -EIO, "standard output cannot be written");
	}
	json_decref(probe.json);
	return r;
}
