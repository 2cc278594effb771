#include "app/base/wires.h"

#include <errno.h>
#include <string.h>

#define NAME_BYTES "abcdefghijklmnopqrstuvwxyz0123456789_-"

int wires_take(const struct conf_line *line, struct config_wires *wires, struct wire_lines *lines,
	struct error *error)
{
	struct config_wire wire = {"", ""};
	size_t n = strlen(line->key), i;
	int r;

	if (n >= sizeof(wire.name) || line->key[strspn(line->key, NAME_BYTES)] != '\0') {
		return conf_bad(line, error,
			"the name before the \"=\" must be of small letters, digits, - and _, at "
			"most 31");
	}
	memcpy(wire.name, line->key, n + 1);
	r = conf_text(line, wire.line, sizeof(wire.line), error);
	if (r < 0) {
		return r;
	}
	if (wire.line[0] == '\0') {
		return conf_bad(line, error, "must name the line it is wired to, such as GPIO5");
	}

	for (i = 0; i < wires->n; i++) {
		if (strcmp(wires->list[i].name, wire.name) == 0) {
			break;
		}
	}
	if (i == CONFIG_LINES_MAX) {
		return conf_bad(line, error, "is one too many: there may be 24");
	}
	wires->list[i] = wire;
	lines->list[i] = line;
	wires->n = i == wires->n ? i + 1 : wires->n;
	return 0;
}

int wires_check(const struct config_wires *mine, const struct wire_lines *my_lines,
	const struct config_wires *others, const struct wire_lines *other_lines,
	struct error *error)
{
	for (size_t i = 0; i < mine->n; i++) {
		for (size_t k = 0; k < (mine == others ? i : others->n); k++) {
			const struct conf_line *line = my_lines->list[i];
			const struct conf_line *other = other_lines->list[k];

			if (strcmp(mine->list[i].line, others->list[k].line) == 0) {
				return conf_bad(line, error,
					"[%s] %s is on that line already (%s:%d); give each its "
					"own",
					other->section, other->key, other->file, other->line);
			}
		}
	}
	return 0;
}

void wires_print(const char *section, const struct config_wires *wires, FILE *stream)
{
	(void)fprintf(stream, "\n[%s]\n", section);
	for (size_t i = 0; i < wires->n; i++) {
		(void)fprintf(stream, "%s = %s\n", wires->list[i].name, wires->list[i].line);
	}
}

const char *config_wire(const struct config_wires *wires, const char *name)
{
	for (size_t i = 0; i < wires->n; i++) {
		if (strcmp(wires->list[i].name, name) == 0) {
			return wires->list[i].line;
		}
	}
	return NULL;
}
