#include "app/cli/keys.h"

#include "app/base/clock.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define HOLD_LEAST_MS 1000
#define HOLD_MARGIN_MS 500 /* beyond what the scheme asks for */

static bool taken(const struct keys *keys, char letter)
{
	for (size_t i = 0; i < keys->n; i++) {
		if (keys->list[i].letter == letter) {
			return true;
		}
	}
	return false;
}

static void take_letter(struct keys *keys, struct key *key, size_t most)
{
	bool mutes = key->sticks || (key->code != NULL && key->code->kind == CODE_MUTE);

	if (mutes && !taken(keys, 'm')) {
		key->letter = 'm';
	}
	for (size_t i = 0; key->letter == '\0' && i < most && key->name[i] != '\0'; i++) {
		char letter = (char)tolower((unsigned char)key->name[i]);

		if (letter >= 'a' && letter <= 'z' && letter != 'q' && letter != 'm' &&
			!taken(keys, letter)) {
			key->letter = letter;
		}
	}
}

void keys_assign(const struct config *config, const struct scheme *scheme, struct keys *ret_keys)
{
	struct keys keys = {.n = config->buttons.n};
	char digit = '1';

	for (size_t i = 0; i < keys.n; i++) {
		const struct config_wire *wire = &config->buttons.list[i];
		struct key *key = &keys.list[i];
		int hold_ms = scheme->hold_ms;

		key->code = scheme_button(scheme, wire->name);
		key->sticks = key->code == NULL && strcmp(wire->name, "mute") == 0;
		snprintf(key->line, sizeof(key->line), "%s", wire->line);
		snprintf(key->name, sizeof(key->name), "%s",
			key->code != NULL ? key->code->name : wire->name);
		if (!key->sticks && digit <= '9') {
			key->digit = digit++;
		}
		if (key->code != NULL && key->code->kind == CODE_LESSON) {
			hold_ms = scheme->end_hold_ms;
		}
		hold_ms += HOLD_MARGIN_MS;
		key->hold_ns = (hold_ms > HOLD_LEAST_MS ? hold_ms : HOLD_LEAST_MS) * NS_PER_MS;
	}
	/* First letters first: so that "transition" keeps its t. */
	for (size_t i = 0; i < keys.n; i++) {
		take_letter(&keys, &keys.list[i], 1);
	}
	for (size_t i = 0; i < keys.n; i++) {
		take_letter(&keys, &keys.list[i], sizeof(keys.list[i].name));
	}
	*ret_keys = keys;
}

int keys_find(const struct keys *keys, char byte, bool *ret_hold)
{
	static const char shifted[] = "!@#$%^&*("; /* over 1 to 9, where keyboards are American */
	const char *at = byte != '\0' ? strchr(shifted, byte) : NULL;
	bool hold = at != NULL || (byte >= 'A' && byte <= 'Z');
	char key = at != NULL ? (char)('1' + (at - shifted)) : (char)tolower((unsigned char)byte);

	for (size_t i = 0; i < keys->n && key != '\0'; i++) {
		if (keys->list[i].digit == key || keys->list[i].letter == key) {
			*ret_hold = hold;
			return (int)i;
		}
	}
	return -1;
}
