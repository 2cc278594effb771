/* Which key of a keyboard is which button of the board. Pure. */
#ifndef CLI_KEYS_H
#define CLI_KEYS_H

#include "app/base/config.h"
#include "app/scheme/scheme.h"

#include <stdbool.h>
#include <stdint.h>

struct key {
	char line[CONFIG_NAME_CHARS];
	char name[CONFIG_NAME_CHARS]; /* of the code on it, else the button's */
	const struct code *code; /* borrowed from the scheme; NULL for none */
	bool sticks; /* a switch: one press on, the next off */
	char digit, letter; /* '\0' where none was left */
	int64_t hold_ns; /* how long its capital letter holds it */
};

struct keys {
	struct key list[CONFIG_LINES_MAX];
	size_t n;
};

/*
 * Digits in the order of the board's file, and letters of the codes' names: the
 * first that is free. `q` quits, `m` is for muting.
 */
void keys_assign(const struct config *config, const struct scheme *scheme, struct keys *ret_keys);

/* The key of a byte from the terminal, or -1; whether it is to be held. */
int keys_find(const struct keys *keys, char byte, bool *ret_hold);

#endif
