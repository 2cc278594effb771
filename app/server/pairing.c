#include "app/server/pairing.h"

#include "app/base/clock.h"
#include "app/server/backoff.h"
#include "app/server/boxes.h"
#include "app/server/server.h"
#include "app/server/store_boxes.h"
#include "app/server/token.h"

#include <ctype.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define LETTERS "BCDFGHJKLMNPQRSTVWXZ"
#define N_LETTERS 8
#define JSON_BYTES 1024

/* An address tries a few; all addresses together, so many that none is found. */
static const struct backoff_rule address_rule = {
	.free_tries = 5, .wait_most_s = 600, .forget_s = 120};
static const struct backoff_rule all_rule = {.free_tries = 200, .wait_most_s = 60, .forget_s = 2};

void pairing_code_new(char ret_code[static PAIRING_CODE_CHARS])
{
	size_t i;

	for (i = 0; i < PAIRING_CODE_CHARS - 1; i++) {
		ret_code[i] = LETTERS[randombytes_uniform(sizeof(LETTERS) - 1)];
	}
	ret_code[N_LETTERS / 2] = '-';
	ret_code[PAIRING_CODE_CHARS - 1] = '\0';
}

bool pairing_code_read(const char *typed, char ret_code[static PAIRING_CODE_CHARS])
{
	size_t n = 0;
	char c;

	for (; *typed; typed++) {
		c = (char)toupper((unsigned char)*typed);
		if (c == '-' || c == ' ') {
			continue;
		}
		if (n == PAIRING_CODE_CHARS - 1 || !strchr(LETTERS, c)) {
			return false;
		}
		ret_code[n++] = c;
		if (n == N_LETTERS / 2) {
			ret_code[n++] = '-';
		}
	}
	ret_code[n] = '\0';
	return n == PAIRING_CODE_CHARS - 1;
}

/* How long this address has to wait; the try is counted if not at all. */
static int64_t wait_s(struct request *request)
{
	struct backoff *backoff = request->server->pairing;
	int64_t now_ns = clock_now_ns();
	int64_t s = backoff_try(backoff, &address_rule, request->peer, now_ns);

	return s ? s : backoff_try(backoff, &all_rule, "everybody", now_ns);
}

static int take(struct request *request, const char *code, struct box_row *box, struct error *error)
{
	char code_hash[TOKEN_CHARS], token[TOKEN_CHARS], token_of[TOKEN_CHARS];
	int r;

	token_hash(code, code_hash);
	token_new(token);
	token_hash(token, token_of);
	id_new(box->id);
	r = store_pairing_take(
		request->server->store, code_hash, box, token_of, server_now_ns(), error);
	if (r == STORE_E_NO_CODE) {
		return answer_error(request, 403, "wrong-code",
			"No box is waited for with this code. Look at it again.");
	}
	if (r == STORE_E_CODE_GONE) {
		return answer_error(request, 410, "code-used",
			"This code was used, or its ten minutes are over. Ask for a new one.");
	}
	if (r < 0) {
		return r;
	}
	backoff_forgive(request->server->pairing, request->peer, true);
	backoff_forgive(request->server->pairing, "everybody", false);
	r = answer_json(request, 201,
		json_pack("{ss ss ss}", "box", box->id, "token", token, "server",
			request->server->name));
	sodium_memzero(token, sizeof(token));
	return r;
}

static int post_pair(struct request *request, struct error *error)
{
	char code[PAIRING_CODE_CHARS];
	struct box_row box = {0};
	bool name_ok, code_ok;
	int64_t wait;
	json_t *json;

	if (request_json(request, &json) != 0) {
		return 0;
	}
	name_ok = boxes_name_ok(json_text(json, "name"));
	if (name_ok) {
		(void)snprintf(box.name, sizeof(box.name), "%s", json_text(json, "name"));
	}
	code_ok = pairing_code_read(json_text(json, "code"), code);
	json_decref(json);
	if (!name_ok) {
		return answer_error(request, 400, "name",
			"Give the box a name of 1 to 64 bytes that a screen can show.");
	}
	wait = wait_s(request);
	if (wait > 0) {
		answer_header(request, "Retry-After", "%lld", (long long)wait);
		return answer_error(request, 429, "too-many",
			"Too many codes were tried. Wait %lld s.", (long long)wait);
	}
	if (!code_ok) {
		return answer_error(request, 403, "wrong-code",
			"A code has eight letters, as in WDJB-MJHT. Look at it again.");
	}
	return take(request, code, &box, error);
}

const struct route pair_routes[] = {
	{HTTP_POST, "pair", WHO_ANYBODY, JSON_BYTES, .handle = post_pair},
	{0},
};
