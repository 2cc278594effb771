#include "app/server/tus.h"

#include "app/base/clock.h"

#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define KEYS_MOST 16
#define KEY_CHARS 64
#define VALUE_BYTES 256
#define NUMBER_MOST (INT64_C(1) << 53)

struct pair {
	char key[KEY_CHARS];
	char value[VALUE_BYTES]; /* a NUL behind it */
	size_t n;
};

int64_t tus_number(const char *header)
{
	size_t n = header ? strlen(header) : 0, i;
	int64_t number = 0;

	if (n == 0 || n > 16 || strspn(header, "0123456789") != n) {
		return -EINVAL;
	}
	for (i = 0; i < n; i++) {
		number = number * 10 + (header[i] - '0');
	}
	return number <= NUMBER_MOST ? number : -EINVAL;
}

/* Reads "key" or "key BASE64" of @n bytes. */
static int pair_parse(const char *text, size_t n, struct pair *ret_pair, struct error *error)
{
	size_t key = 0;
	const char *end;

	while (key < n && text[key] > ' ' && text[key] < 0x7f) {
		key++;
	}
	if (key == 0 || key >= sizeof(ret_pair->key) || (key < n && text[key] != ' ')) {
		return error_set(error, -EINVAL, "Upload-Metadata: a key is missing or is odd");
	}
	memcpy(ret_pair->key, text, key);
	ret_pair->key[key] = '\0';
	ret_pair->n = 0;
	ret_pair->value[0] = '\0';
	if (n <= key + 1) {
		return 0;
	}
	if (sodium_base642bin((unsigned char *)ret_pair->value, sizeof(ret_pair->value) - 1,
		    text + key + 1, n - key - 1, NULL, &ret_pair->n, &end,
		    sodium_base64_VARIANT_ORIGINAL) != 0 ||
		end != text + n) {
		return error_set(error, -EINVAL,
			"Upload-Metadata: %s is not base64 of at most %d "
			"bytes",
			ret_pair->key, VALUE_BYTES - 1);
	}
	ret_pair->value[ret_pair->n] = '\0';
	return 0;
}

static bool hex_ok(const char *text, size_t n)
{
	return n == 64 && strspn(text, "0123456789abcdef") == 64;
}

static int apply(const struct pair *pair, struct tus_metadata *metadata, struct error *error)
{
	if (strcmp(pair->key, "journal") == 0) {
		if (!id_valid(pair->value) || pair->n != ID_CHARS - 1) {
			return error_set(error, -EINVAL, "Upload-Metadata: journal is not a UUID");
		}
		memcpy(metadata->journal, pair->value, ID_CHARS);
	} else if (strcmp(pair->key, "seq") == 0) {
		metadata->seq = strlen(pair->value) == pair->n ? tus_number(pair->value) : 0;
		if (metadata->seq < 1) {
			return error_set(
				error, -EINVAL, "Upload-Metadata: seq is not a number above 0");
		}
	} else if (strcmp(pair->key, "sha256") == 0) {
		if (!hex_ok(pair->value, pair->n)) {
			return error_set(error, -EINVAL,
				"Upload-Metadata: sha256 is not 64 lower-case hex digits");
		}
		memcpy(metadata->sha256, pair->value, sizeof(metadata->sha256));
	}
	return 0;
}

static int once(
	char seen[static KEYS_MOST][KEY_CHARS], size_t *n, const char *key, struct error *error)
{
	size_t i;

	if (*n == KEYS_MOST) {
		return error_set(error, -EINVAL, "Upload-Metadata: too many keys");
	}
	for (i = 0; i < *n; i++) {
		if (strcmp(seen[i], key) == 0) {
			return error_set(error, -EINVAL, "Upload-Metadata: %s comes twice", key);
		}
	}
	(void)snprintf(seen[(*n)++], KEY_CHARS, "%s", key);
	return 0;
}

int tus_metadata_parse(const char *header, struct tus_metadata *ret_metadata, struct error *error)
{
	struct tus_metadata metadata = {0};
	char seen[KEYS_MOST][KEY_CHARS];
	struct pair pair;
	size_t n, n_seen = 0;
	int r = 0;

	header = header ? header : "";
	while (r == 0 && *header) {
		header += strspn(header, " \t");
		n = strcspn(header, ",");
		r = pair_parse(header, n, &pair, error);
		if (r == 0) {
			r = once(seen, &n_seen, pair.key, error);
		}
		if (r == 0) {
			r = apply(&pair, &metadata, error);
		}
		header += n;
		header += *header == ',';
	}
	if (r < 0) {
		return r;
	}
	if (!metadata.journal[0] || !metadata.seq || !metadata.sha256[0]) {
		return error_set(
			error, -EINVAL, "Upload-Metadata must name journal, seq and sha256");
	}
	*ret_metadata = metadata;
	return 0;
}

void tus_base64(const char *text, char *ret_text, size_t room)
{
	size_t n = strlen(text);

	while (sodium_base64_encoded_len(n, sodium_base64_VARIANT_ORIGINAL) > room) {
		n--;
	}
	(void)sodium_bin2base64(
		ret_text, room, (const unsigned char *)text, n, sodium_base64_VARIANT_ORIGINAL);
}

void tus_date(int64_t realtime_ns, char ret_text[static TUS_DATE_CHARS])
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t seconds = (time_t)(realtime_ns / NS_PER_S);
	struct tm tm;

	(void)gmtime_r(&seconds, &tm);
	(void)snprintf(ret_text, TUS_DATE_CHARS, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
		days + tm.tm_wday % 7 * 3, tm.tm_mday % 100, months + tm.tm_mon % 12 * 3,
		(tm.tm_year + 1900) % 10000, tm.tm_hour % 100, tm.tm_min % 100, tm.tm_sec % 100);
}
