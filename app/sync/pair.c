/*
 * Whose key is pinned? A server with a certificate of the public kind is taken by
 * the system's CAs. One that made its own (a coach's laptop) is taken at its word
 * once, now, while somebody stands there who can compare the key's short form, or
 * has given it beforehand; from then on the box talks to that key and no other.
 */
#include "app/sync/sync.h"

#include "app/base/file.h"
#include "app/sync/bond.h"
#include "app/sync/notes.h"
#include "app/sync/said.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STALL_S 20
#define BOOT_FILE "chalkbox-pair.txt"
#define BOOT_FILE_MOST 4096
#define USED_FILE "boot-file-used" /* holds the hash of one that could not be removed */

/* Anything that is answered by our kind of server. */
static int knock(const struct transport_settings *settings, char ret_pin[static PIN_CHARS],
	struct error *error)
{
	const struct request request = {.method = "GET", .path = "/box"};
	struct transport *transport;
	struct answer answer;
	int r;

	r = transport_open(settings, &transport, error);
	if (r < 0) {
		return r;
	}
	r = transport_ask(transport, &request, &answer, error);
	if (r == 0) {
		memcpy(ret_pin, transport_seen_pin(transport),
			strlen(transport_seen_pin(transport)) + 1);
		answer_fini(&answer);
	}
	transport_close(transport);
	return r;
}

/* Hyphens and capitals do not matter to whom compares. */
static bool same_short(const char *a, const char *b)
{
	for (;;) {
		a += strspn(a, "-: ");
		b += strspn(b, "-: ");
		if ((*a | 0x20) != (*b | 0x20)) {
			return false;
		}
		if (*a == '\0') {
			return true;
		}
		a++;
		b++;
	}
}

static int choose_pin(
	const char *url, const char *wanted, char ret_pin[static PIN_CHARS], struct error *error)
{
	struct transport_settings settings = {
		.url = url, .token = "", .pin = "", .stall_s = STALL_S};
	char pin[PIN_CHARS], brief[PIN_SHORT_CHARS];
	bool plain = strncmp(url, "https:", 6) != 0; /* this machine: there is no key */
	int r;

	if (!wanted[0] || plain) {
		r = knock(&settings, pin, error);
		if (r != TRANSPORT_E_IDENTITY) {
			ret_pin[0] = '\0';
			return r > 0 ? SYNC_E_LATER : r;
		}
	}
	settings.any_key = true;
	r = knock(&settings, pin, error);
	if (r != 0) {
		return r > 0 ? SYNC_E_LATER : r;
	}
	pin_short(pin, brief);
	if (!pin[0]) {
		return error_set(error, SYNC_E_PERSON, "%s: its key cannot be read", url);
	}
	if (wanted[0] && strcmp(wanted, pin) != 0 && !same_short(wanted, brief)) {
		return error_set(error, SYNC_E_PERSON,
			"%s has the key %s, not %s: it is not the server that was meant", url,
			brief, wanted);
	}
	memcpy(ret_pin, pin, sizeof(pin));
	return 0;
}

static int judge(
	const struct answer *answer, const char *url, struct bond *pairing, struct error *error)
{
	struct said_pair said;
	int r;

	switch (answer->status) {
	case 200:
	case 201:
		r = said_pair(answer->body, answer->n, &said, error);
		if (r < 0) {
			return talk_said(r);
		}
		memcpy(pairing->box, said.box, sizeof(pairing->box));
		memcpy(pairing->token, said.token, sizeof(pairing->token));
		memcpy(pairing->server, said.server, sizeof(pairing->server));
		sodium_memzero(&said, sizeof(said));
		return 0;
	case 403:
		return error_set(error, SYNC_E_PERSON,
			"%s does not know that code; mind the difference of 0 and O", url);
	case 410:
		return error_set(error, SYNC_E_PERSON,
			"the code was used, or its time is over; make a new one on the server's "
			"page "
			"of boxes");
	case 429:
		return error_set(error, SYNC_E_LATER, "too many tries; wait %lld s",
			(long long)(answer->retry_after_s > 0 ? answer->retry_after_s : 60));
	default:
		return answer->status >= 500
			? error_set(error, SYNC_E_LATER, "%s failed (%d); try again", url,
				  answer->status)
			: talk_unexpected(answer, "pairing", error);
	}
}

static int ask_for_token(
	const struct config *config, const char *code, struct bond *pairing, struct error *error)
{
	const struct transport_settings settings = {
		.url = pairing->url, .token = "", .pin = pairing->pin, .stall_s = STALL_S};
	struct request request = {.method = "POST", .path = "/pair", .type = "application/json"};
	struct transport *transport = NULL;
	struct answer answer;
	json_t *json = json_pack("{s:s, s:s}", "code", code, "name", config->name);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	int r;

	json_decref(json);
	if (!text) {
		return error_set(error, SYNC_E_PERSON, "the code is not text");
	}
	request.body = text;
	request.body_bytes = strlen(text);
	r = transport_open(&settings, &transport, error);
	if (r == 0) {
		r = transport_ask(transport, &request, &answer, error);
		r = r > 0 ? SYNC_E_LATER : r;
	}
	if (r == 0) {
		r = judge(&answer, pairing->url, pairing, error);
		sodium_memzero(answer.body, answer.n);
		answer_fini(&answer);
	}
	transport_close(transport);
	free(text);
	return r;
}

static void say_paired(const struct bond *pairing, struct progress *progress)
{
	char brief[PIN_SHORT_CHARS];

	pin_short(pairing->pin, brief);
	progress_say(progress, 5, "paired with %s%s%s%s", pairing->url,
		pairing->server[0] ? " (" : "", pairing->server, pairing->server[0] ? ")" : "");
	if (brief[0]) {
		progress_say(progress, 5,
			"its key is %s (%s): compare it with what the server says of itself; from "
			"now "
			"on this box talks to that key and no other",
			brief, pairing->pin);
	}
}

int sync_pair(const struct config *config, const char *url, const char *code, const char *pin,
	struct progress *progress, struct error *error)
{
	struct bond pairing = {.url = ""};
	int r;

	r = bond_url(url, pairing.url, error);
	if (r < 0) {
		return SYNC_E_PERSON;
	}
	r = file_make_dirs(config->sync_state);
	if (r == 0 && access(config->sync_state, W_OK) < 0) {
		r = -errno;
	}
	if (r < 0) { /* before the code is spent */
		return error_set(error, r,
			"%s: %s; run as root, or as the user who owns the folder",
			config->sync_state, strerror(-r));
	}
	r = choose_pin(pairing.url, pin, pairing.pin, error);
	if (r != 0) {
		return r;
	}
	r = ask_for_token(config, code, &pairing, error);
	if (r == 0) {
		notes_forget_upload(config->sync_state);
		notes_forget_config(config->sync_state);
		r = bond_keep(config->sync_state, &pairing, error);
	}
	if (r == 0) {
		say_paired(&pairing, progress);
	}
	sodium_memzero(&pairing, sizeof(pairing));
	return r;
}

/* --- by a file on the boot partition --- */

static int find_file(const struct config *config, char *ret_path, size_t room)
{
	static const char *const places[] = {"/boot/firmware/" BOOT_FILE, "/boot/" BOOT_FILE};

	if (config->boot_file[0]) {
		return access(config->boot_file, F_OK) < 0
			? -ENOENT
			: file_path(ret_path, room, "%s", config->boot_file);
	}
	for (size_t i = 0; i < 2; i++) {
		if (access(places[i], F_OK) == 0) {
			return file_path(ret_path, room, "%s", places[i]);
		}
	}
	return -ENOENT;
}

static bool used_before(const struct config *config, const char *hash)
{
	char path[FILE_PATH_CHARS], *text;
	size_t n;
	bool used;

	if (file_path(path, sizeof(path), "%s/" USED_FILE, config->sync_state) < 0 ||
		file_read(path, 256, &text, &n) < 0) {
		return false;
	}
	used = strcmp(text, hash) == 0;
	free(text);
	return used;
}

/* What it holds is not tried again; other content is. */
static void remember(const struct config *config, const char *hash)
{
	(void)!file_replace(config->sync_state, USED_FILE, hash, strlen(hash), 0640);
}

/* Its code is spent. A partition that we may not write keeps it; we remember. */
static void consume(
	const struct config *config, const char *path, const char *hash, struct progress *progress)
{
	if (unlink(path) < 0) {
		remember(config, hash);
		progress_say(progress, 5, "%s has been used and can be removed", path);
	}
}

int sync_pair_by_file(const struct config *config, struct progress *progress, struct error *error)
{
	char path[FILE_PATH_CHARS], hash[65], *text;
	struct bond_wish wish;
	off_t bytes;
	size_t n;
	int r;

	r = find_file(config, path, sizeof(path));
	if (r < 0) {
		return -ENOENT;
	}
	r = file_sha256(AT_FDCWD, path, hash, &bytes);
	if (r == 0 && used_before(config, hash)) {
		return -ENOENT;
	}
	if (r == 0) {
		r = file_read(path, BOOT_FILE_MOST, &text, &n);
	}
	if (r < 0) {
		return error_set(error, SYNC_E_PERSON, "%s: %s", path, strerror(-r));
	}
	r = bond_wish(text, n, path, &wish, error);
	sodium_memzero(text, n);
	free(text);
	if (r < 0) {
		return SYNC_E_PERSON;
	}
	r = sync_pair(config, wish.url, wish.code, wish.pin, progress, error);
	if (r == 0) {
		consume(config, path, hash, progress);
		return 0;
	}
	if (r == SYNC_E_PERSON) {
		remember(config, hash);
	}
	return error_prefix(error, r, "%s", path);
}
