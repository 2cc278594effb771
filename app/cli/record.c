#include "app/cli/record.h"

#include "app/base/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* journal_open() says what is wrong; this adds the way out, where there is one. */
static int explain(const char *state, int code, struct error *error)
{
	struct error inner = *error;

	switch (code) {
	case -ENOENT:
		return error_set(error, code,
			"%s: no journal there; start chalkboxd, or name the right box with "
			"--config",
			state);
	case -EACCES:
	case -EPERM:
		return error_set(error, code,
			"%s: may not be read; run as a member of its group, or as root", state);
	case -EUCLEAN:
		return error_set(error, code,
			"%s; start chalkboxd: it sets the damaged one aside and "
			"begins anew, keeping both",
			inner.text);
	case -EPROTO:
		return error_set(error, code, "%s; bring this program up to date", inner.text);
	default:
		return code;
	}
}

int record_open(const char *config_path, struct record *ret_record, struct error *error)
{
	struct error unsaid = {""};
	int r;

	*ret_record = (struct record){0};
	error = error != NULL ? error : &unsaid;
	r = config_read(config_path, &ret_record->config, error);
	if (r == -ENOENT && access(config_path, F_OK) != 0) {
		return error_set(error, r,
			"%s: no configuration there; name one with --config or CHALKBOX_CONFIG",
			config_path);
	}
	if (r < 0) {
		return r;
	}
	error->text[0] = '\0';
	r = journal_open(ret_record->config.state, JOURNAL_READ, &ret_record->journal, error);
	if (r < 0) {
		return explain(ret_record->config.state, r, error);
	}
	return record_refresh(ret_record, error);
}

void record_close(struct record *record)
{
	entries_fini(&record->entries);
	journal_close(record->journal);
	record->journal = NULL;
}

int record_refresh(struct record *record, struct error *error)
{
	const struct entries *entries = &record->entries;
	int64_t next = entries->n > 0 ? entries->list[entries->n - 1].seq + 1 : 1;

	return journal_read(record->journal, next, 0, &record->entries, error);
}

static int64_t last_observation(const struct entries *entries)
{
	int64_t last = 0, next;

	while ((next = timeline_next(entries->list, entries->n, last)) != 0) {
		last = next;
	}
	return last;
}

int record_timeline(const struct record *record, const char *which, struct timeline **ret_timeline,
	struct error *error)
{
	const struct entries *entries = &record->entries;
	int64_t observation;
	int r;

	if (strcmp(which, "last") == 0) {
		observation = last_observation(entries);
		if (observation == 0) {
			return error_set(error, -ENOENT,
				"last: nothing was observed yet; the lesson button begins an "
				"observation");
		}
	} else {
		char *end;

		errno = 0;
		observation = strtoll(which, &end, 10);
		if (errno != 0 || end == which || *end != '\0' || observation <= 0) {
			return error_set(error, -EINVAL,
				"`%s` is no observation; give a number from `chalkbox "
				"observations`, or `last`",
				which);
		}
	}
	r = timeline_fold(entries->list, entries->n, observation, ret_timeline);
	if (r == -ENOENT) {
		return error_set(error, r,
			"observation %s: there is none; `chalkbox observations` lists them", which);
	}
	return r < 0 ? error_set(error, r, "observation %s: out of memory", which) : 0;
}

int record_snippet_path(const struct record *record, const char *file, size_t room, char *ret_path,
	struct error *error)
{
	int r;

	if (*file == '\0' || *file == '.' || strchr(file, '/') != NULL) {
		return error_set(error, -EINVAL,
			"the journal names a snippet's file `%s`, outside of its "
			"folder; `chalkbox check` tells more",
			file);
	}
	r = file_path(ret_path, room, "%s/snippets/%s", record->config.state, file);
	return r < 0 ? error_set(error, r, "%s: the path is too long", record->config.state) : 0;
}

void record_say_empty(void)
{
	printf("Nothing was observed yet. Press the box's lesson button: an observation begins, "
	       "and\n"
	       "appears here.\n");
}
