/*
 * A server's public key as it is remembered and compared: the SHA-256 of its
 * SubjectPublicKeyInfo (RFC 7469, 2.4).
 */
#ifndef BASE_PIN_H
#define BASE_PIN_H

#include <stdbool.h>

#define PIN_CHARS 64 /* "sha256//" and 44 characters of base64, and a NUL; as curl has it */
#define PIN_SHORT_CHARS 20 /* "3f2a-91bc-0d11-e7c4" */
#define PIN_HASH_BYTES 32

void pin_write(const unsigned char hash[static PIN_HASH_BYTES], char ret_pin[static PIN_CHARS]);

/* False for what is no pin. */
bool pin_read(const char *pin, unsigned char ret_hash[static PIN_HASH_BYTES]);

/* The first eight bytes, for people's eyes; "" for no pin or a broken one. */
void pin_short(const char *pin, char ret_short[static PIN_SHORT_CHARS]);

#endif
