/* Passwords, hashed by libsodium (Argon2id) with a bound on how many at once. */
#ifndef SERVER_PASSWORDS_H
#define SERVER_PASSWORDS_H

#include "app/base/error.h"

#include <stdbool.h>

#define PASSWORD_LEAST_CHARS 10
#define PASSWORD_MOST_BYTES 256
#define PASSWORD_HASH_CHARS 128 /* as crypto_pwhash_STRBYTES, its NUL included */

struct passwords;

/*
 * Prepares a hash for names that nobody has; blocks for one hashing. 0, -ENOMEM
 * or -errno. Free with passwords_free(), which takes NULL.
 */
int passwords_new(struct passwords **ret_passwords) MUST_CHECK;
void passwords_free(struct passwords *passwords);

/* Whether it may be chosen: 0, or -EINVAL with a sentence for its chooser. */
int password_check(const char *password, struct error *error) MUST_CHECK;

/*
 * Hashes a password for keeping. 0; -EBUSY when too many wait already: try again
 * in a moment; -ENOMEM. Each hashing takes 64 MiB and about a tenth of a second;
 * two run at once, others wait. Any thread; blocks.
 */
int passwords_hash(struct passwords *passwords, const char *password,
	char ret_hash[static PASSWORD_HASH_CHARS]) MUST_CHECK;

/*
 * Whether it is the password behind @hash. NULL or "" for a person there is not
 * takes as long, and never matches. 0 or -EBUSY. Any thread; blocks.
 */
int passwords_match(struct passwords *passwords, const char *hash, const char *password,
	bool *ret_match) MUST_CHECK;

#endif
