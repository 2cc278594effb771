#include "app/sync/survey.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t place_of(const struct survey *survey, int64_t seq)
{
	size_t from = 0, to = survey->n;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (survey->snippets[middle].seq < seq) {
			from = middle + 1;
		} else {
			to = middle;
		}
	}
	return from;
}

const struct survey_snippet *survey_snippet(const struct survey *survey, int64_t seq)
{
	size_t at = place_of(survey, seq);

	return at < survey->n && survey->snippets[at].seq == seq && !survey->snippets[at].gone
		? &survey->snippets[at]
		: NULL;
}

void survey_gone(struct survey *survey, int64_t seq)
{
	size_t at = place_of(survey, seq);

	if (at < survey->n && survey->snippets[at].seq == seq) {
		survey->snippets[at].gone = true;
	}
}

static int take_snippet(struct survey *survey, const struct entry *entry, const struct facts *facts)
{
	struct survey_snippet *snippet;

	if (survey->n == survey->room) {
		size_t room = survey->room ? survey->room * 2 : 64;
		struct survey_snippet *more =
			reallocarray(survey->snippets, room, sizeof(*survey->snippets));

		if (!more) {
			return -ENOMEM;
		}
		survey->snippets = more;
		survey->room = room;
	}
	snippet = &survey->snippets[survey->n++];
	*snippet = (struct survey_snippet){.seq = entry->seq, .bytes = facts->bytes};
	memcpy(snippet->file, facts->file, sizeof(snippet->file));
	memcpy(snippet->sha256, facts->sha256, sizeof(snippet->sha256));
	return 0;
}

static int take_facts(struct survey *survey, const struct entry *entry)
{
	struct facts facts;
	int r = 0;

	/* One that breaks the rules is none: its file's name may lead anywhere. */
	if (entry_check(entry, NULL) < 0) {
		return 0;
	}
	r = entry_get_facts(entry, &facts);
	if (r < 0) {
		return r == -ENOMEM ? r : 0;
	}
	told_take(&survey->told, entry, &facts);
	if (entry->kind == ENTRY_SNIPPET) {
		r = take_snippet(survey, entry, &facts);
	}
	facts_fini(&facts);
	return r;
}

int survey_take(struct survey *survey, const struct entry *entry)
{
	if (entry->seq <= survey->last) {
		return 0;
	}
	survey->last = entry->seq;
	switch (entry->kind) {
	case ENTRY_BOOT:
		told_take(&survey->told, entry, NULL);
		return 0;
	case ENTRY_START:
		survey->open = true;
		return 0;
	case ENTRY_END:
		survey->open = false;
		return 0;
	case ENTRY_GONE:
		survey_gone(survey, entry->ref);
		return 0;
	default:
		return told_wants_facts(entry->kind) ? take_facts(survey, entry) : 0;
	}
}

void survey_fini(struct survey *survey)
{
	free(survey->snippets);
	*survey = (struct survey){.last = 0};
}
