/*
 * Short codes that a person reads out and a box is given, in the shape of RFC 8628:
 * eight consonants, ten minutes, once. Pure but for randomness.
 */
#ifndef SERVER_PAIRING_H
#define SERVER_PAIRING_H

#include <stdbool.h>

#define PAIRING_CODE_CHARS 10 /* "WDJB-MJHT" and a NUL */
#define PAIRING_S 600

void pairing_code_new(char ret_code[static PAIRING_CODE_CHARS]);

/*
 * A code as somebody typed it, brought to its form: small letters, spaces and
 * missing dashes are forgiven. False when it cannot be one.
 */
bool pairing_code_read(const char *typed, char ret_code[static PAIRING_CODE_CHARS]);

#endif
