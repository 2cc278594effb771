/*
 * Hashing is meant to be dear, so that it is dear for us too: without a bound,
 * strangers who try passwords would take the memory and the threads that boxes
 * need. Two run; some wait for their turn; the rest is sent away at once.
 */
#include "app/server/passwords.h"

#include "app/server/turns.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define RUNNING_MOST 2
#define WAITING_MOST 6

_Static_assert(PASSWORD_HASH_CHARS == crypto_pwhash_STRBYTES, "libsodium's own size");

struct passwords {
	struct turns turns;
	char nobody[PASSWORD_HASH_CHARS]; /* a hash that no password is told of */
};

static int hash_now(const char *password, char ret_hash[static PASSWORD_HASH_CHARS])
{
	return crypto_pwhash_str(ret_hash, password, strlen(password),
		       crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE) == 0
		? 0
		: -ENOMEM;
}

int passwords_new(struct passwords **ret_passwords)
{
	struct passwords *passwords;
	unsigned char bytes[16];
	char secret[sizeof(bytes) * 2 + 1];

	if (sodium_init() < 0) {
		return -EIO;
	}
	passwords = calloc(1, sizeof(*passwords));
	if (!passwords) {
		return -ENOMEM;
	}
	turns_init(&passwords->turns, RUNNING_MOST, WAITING_MOST);
	randombytes_buf(bytes, sizeof(bytes));
	(void)sodium_bin2hex(secret, sizeof(secret), bytes, sizeof(bytes));
	if (hash_now(secret, passwords->nobody) < 0) {
		passwords_free(passwords);
		return -ENOMEM;
	}
	*ret_passwords = passwords;
	return 0;
}

void passwords_free(struct passwords *passwords)
{
	if (!passwords) {
		return;
	}
	turns_fini(&passwords->turns);
	free(passwords);
}

int password_check(const char *password, struct error *error)
{
	size_t bytes = strlen(password), chars = 0;

	for (size_t i = 0; i < bytes; i++) {
		chars += ((unsigned char)password[i] & 0xc0) != 0x80;
	}
	if (chars < PASSWORD_LEAST_CHARS) {
		return error_set(error, -EINVAL,
			"A password needs at least %d characters; a few words are good.",
			PASSWORD_LEAST_CHARS);
	}
	if (bytes > PASSWORD_MOST_BYTES) {
		return error_set(error, -EINVAL, "A password may have at most %d bytes.",
			PASSWORD_MOST_BYTES);
	}
	return 0;
}

int passwords_hash(struct passwords *passwords, const char *password,
	char ret_hash[static PASSWORD_HASH_CHARS])
{
	int r = turns_take(&passwords->turns);

	if (r < 0) {
		return r;
	}
	r = hash_now(password, ret_hash);
	turns_give(&passwords->turns);
	return r;
}

int passwords_match(
	struct passwords *passwords, const char *hash, const char *password, bool *ret_match)
{
	bool known = hash && *hash != '\0', match;
	int r;

	if (strlen(password) > PASSWORD_MOST_BYTES) {
		known = false; /* nobody has one, and it is not worth the hashing of it all */
		password = "";
	}
	r = turns_take(&passwords->turns);
	if (r < 0) {
		return r;
	}
	match = crypto_pwhash_str_verify(
			known ? hash : passwords->nobody, password, strlen(password)) == 0;
	turns_give(&passwords->turns);
	*ret_match = known && match;
	return 0;
}
