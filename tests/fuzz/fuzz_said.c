/*
 * Any bytes as what a server says (its JSON, its headers), as a pairing, a file
 * of the boot partition, a certificate: taken or refused with words, and what is
 * taken is within its bounds.
 */
#include "app/sync/bond.h"
#include "app/sync/said.h"
#include "app/sync/transport.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool right)
{
	if (!right) {
		abort();
	}
}

static void as_box(const char *text, size_t n)
{
	struct error error = {""};
	struct said_box box;

	if (said_box(text, n, &box, &error) < 0) {
		check(error.text[0]);
		return;
	}
	check(box.kept >= 0 && box.time_ns >= 0 && box.n_missing <= SAID_MISSING_MAX &&
		box.n_withdrawn <= SAID_MISSING_MAX);
	for (size_t i = 0; i < box.n_missing; i++) {
		check(box.missing[i] > (i ? box.missing[i - 1] : 0));
	}
}

static void as_others(const char *text, size_t n)
{
	struct error error = {""};
	struct said_kept kept;
	struct said_config config;
	struct said_pair pair;
	struct said_error said;

	check(said_kept(text, n, &kept, &error) == 0 || error.text[0]);
	if (said_config(text, n, &config, &error) == 0) {
		check(config.days_on_box >= -1 && config.days_on_box <= 3650);
		said_config_fini(&config);
	}
	if (said_pair(text, n, &pair, &error) == 0) {
		check(strlen(pair.token) == 64 && !strpbrk(pair.box, "\n[]"));
	}
	said_error(text, n, &said);
	for (const char *c = said.message; *c; c++) {
		check((unsigned char)*c >= 0x20);
	}
}

static void as_headers(const char *text, size_t n)
{
	struct answer answer = {.upload_offset = -1, .retry_after_s = -1};

	while (n > 0) {
		const char *end = memchr(text, '\n', n);
		size_t length = end ? (size_t)(end - text) + 1 : n;

		answer_header(&answer, text, length, "https://a.example");
		text += length;
		n -= length;
	}
	check(answer.location[0] == '\0' ||
		(answer.location[0] == '/' && answer.location[1] != '/'));
	check(answer.upload_offset >= -1);
}

static void as_files(const char *text, size_t n)
{
	struct error error = {""};
	struct bond bond;
	struct bond_wish wish;
	char pin[PIN_CHARS], brief[PIN_SHORT_CHARS];

	check(bond_parse(text, n, "f", &bond, &error) == 0 || error.text[0]);
	if (bond_wish(text, n, "f", &wish, &error) == 0) {
		check(strncmp(wish.url, "https://", 8) == 0 || bond_is_local(wish.url));
		check(wish.code[0]);
	}
	if (bond_pin((const unsigned char *)text, n, pin) == 0) {
		pin_short(pin, brief);
		check(strlen(brief) == 19);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	check(text);
	memcpy(text, data, size);
	text[size] = '\0';
	as_box(text, size);
	as_others(text, size);
	as_headers(text, size);
	as_files(text, size);
	free(text);
	return 0;
}
