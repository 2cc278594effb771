#include "app/cli/wiring.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static size_t append(char *list, size_t room, size_t used, const char *name)
{
	int n = snprintf(list + used, room - used, "%s%s", used > 0 ? ", " : "", name);

	return n < 0 || (size_t)n >= room - used ? room - 1 : used + (size_t)n;
}

static int unknown(const struct config *config, const struct scheme *scheme, const char *name,
	struct error *error)
{
	char list[320] = "";
	size_t used = 0;

	for (size_t i = 0; i < config->buttons.n; i++) {
		used = append(list, sizeof(list), used, config->buttons.list[i].name);
	}
	for (size_t i = 0; i < scheme->n_codes; i++) {
		const struct code *code = &scheme->codes[i];

		if (strcmp(code->name, code->button) != 0 &&
			config_wire(&config->buttons, code->button) != NULL) {
			used = append(list, sizeof(list), used, code->name);
		}
	}
	if (used == 0) {
		return error_set(
			error, -ENOENT, "`%s` is no button; the board's file wires none", name);
	}
	return error_set(error, -ENOENT, "`%s` is no button of this box; there are %s", name, list);
}

int wiring_line(const struct config *config, const struct scheme *scheme, const char *name,
	const char **ret_line, struct error *error)
{
	const char *line = config_wire(&config->buttons, name);

	if (line == NULL) {
		const struct code *code = scheme_code(scheme, name);

		line = code != NULL ? config_wire(&config->buttons, code->button) : NULL;
	}
	for (size_t i = 0; line == NULL && i < config->buttons.n; i++) {
		if (strcmp(config->buttons.list[i].line, name) == 0) {
			line = config->buttons.list[i].line;
		}
	}
	if (line == NULL) {
		return unknown(config, scheme, name, error);
	}
	*ret_line = line;
	return 0;
}
