/* Names that nobody else has. */
#ifndef BASE_ID_H
#define BASE_ID_H

#include <stdbool.h>

#define ID_CHARS 37 /* a UUID and its NUL */

/*
 * A random UUID (RFC 9562, version 4) as lower-case text. Any thread; may wait
 * for the kernel's random pool in the first seconds after power-on.
 */
void id_new(char ret_id[static ID_CHARS]);

/* Whether the text has the form of one, in lower case. */
bool id_valid(const char *text);

#endif
