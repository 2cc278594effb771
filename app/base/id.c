#include "app/base/id.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

void id_new(char ret_id[static ID_CHARS])
{
	unsigned char b[16];
	randombytes_buf(b, sizeof(b));
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	snprintf(ret_id, ID_CHARS,
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
		b[15]);
}

bool id_valid(const char *text)
{
	size_t i;

	for (i = 0; i < ID_CHARS - 1; i++) {
		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (text[i] != '-') {
				return false;
			}
		} else if (text[i] == '\0' || !strchr("0123456789abcdef", text[i])) {
			return false;
		}
	}
	return text[i] == '\0';
}
