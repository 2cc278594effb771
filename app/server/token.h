/* Secrets that are given out once, and of which only a hash is kept. */
#ifndef SERVER_TOKEN_H
#define SERVER_TOKEN_H

#include <stdbool.h>

#define TOKEN_CHARS 65 /* 32 bytes as hex digits, and a NUL */

/* A new secret of 256 random bits. Any thread. */
void token_new(char ret_token[static TOKEN_CHARS]);

/* What is kept of one: the SHA-256 of its digits, in hex. */
void token_hash(const char *token, char ret_hash[static TOKEN_CHARS]);

/* Whether it has the form of one: 64 lower-case hex digits. */
bool token_valid(const char *token);

/*
 * Another secret that follows from this one, for the @purpose named; it does not
 * lead back.
 */
void token_derive(const char *token, const char *purpose, char ret_token[static TOKEN_CHARS]);

/* Equality that takes the same time wherever they differ. Both must be valid. */
bool token_equal(const char *a, const char *b);

#endif
