#include "app/base/pin.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define HEAD "sha256//"
#define HEAD_CHARS (sizeof(HEAD) - 1)

void pin_write(const unsigned char hash[static PIN_HASH_BYTES], char ret_pin[static PIN_CHARS])
{
	memcpy(ret_pin, HEAD, HEAD_CHARS);
	(void)sodium_bin2base64(ret_pin + HEAD_CHARS, PIN_CHARS - HEAD_CHARS, hash, PIN_HASH_BYTES,
		sodium_base64_VARIANT_ORIGINAL);
}

bool pin_read(const char *pin, unsigned char ret_hash[static PIN_HASH_BYTES])
{
	size_t n;

	return strncmp(pin, HEAD, HEAD_CHARS) == 0 &&
		sodium_base642bin(ret_hash, PIN_HASH_BYTES, pin + HEAD_CHARS,
			strlen(pin + HEAD_CHARS), NULL, &n, NULL,
			sodium_base64_VARIANT_ORIGINAL) == 0 &&
		n == PIN_HASH_BYTES;
}

void pin_short(const char *pin, char ret_short[static PIN_SHORT_CHARS])
{
	unsigned char hash[PIN_HASH_BYTES];

	ret_short[0] = '\0';
	if (pin_read(pin, hash)) {
		(void)snprintf(ret_short, PIN_SHORT_CHARS, "%02x%02x-%02x%02x-%02x%02x-%02x%02x",
			hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]);
	}
}
