#include "app/server/token.h"

#include <sodium.h>
#include <string.h>

static void hex(const unsigned char *bytes, char ret_hex[static TOKEN_CHARS])
{
	(void)sodium_bin2hex(ret_hex, TOKEN_CHARS, bytes, (TOKEN_CHARS - 1) / 2);
}

void token_new(char ret_token[static TOKEN_CHARS])
{
	unsigned char bytes[32];

	randombytes_buf(bytes, sizeof(bytes));
	hex(bytes, ret_token);
	sodium_memzero(bytes, sizeof(bytes));
}

void token_hash(const char *token, char ret_hash[static TOKEN_CHARS])
{
	unsigned char bytes[crypto_hash_sha256_BYTES];

	(void)crypto_hash_sha256(bytes, (const unsigned char *)token, strlen(token));
	hex(bytes, ret_hash);
}

bool token_valid(const char *token)
{
	return strlen(token) == TOKEN_CHARS - 1 &&
		strspn(token, "0123456789abcdef") == TOKEN_CHARS - 1;
}

void token_derive(const char *token, const char *purpose, char ret_token[static TOKEN_CHARS])
{
	crypto_auth_hmacsha256_state state;
	unsigned char bytes[crypto_auth_hmacsha256_BYTES];

	(void)crypto_auth_hmacsha256_init(&state, (const unsigned char *)token, strlen(token));
	(void)crypto_auth_hmacsha256_update(
		&state, (const unsigned char *)purpose, strlen(purpose));
	(void)crypto_auth_hmacsha256_final(&state, bytes);
	hex(bytes, ret_token);
	sodium_memzero(&state, sizeof(state));
	sodium_memzero(bytes, sizeof(bytes));
}

bool token_equal(const char *a, const char *b)
{
	return sodium_memcmp(a, b, TOKEN_CHARS) == 0;
}
