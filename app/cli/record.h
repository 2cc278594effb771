/* The box's record as the commands read it. */
#ifndef CLI_RECORD_H
#define CLI_RECORD_H

#include "app/base/config.h"
#include "app/journal/journal.h"
#include "app/timeline/timeline.h"

struct record {
	struct config config;
	struct journal *journal;
	struct entries entries; /* all of the journal */
};

/*
 * Reads the configuration and the journal it names. 0, or a negative code with
 * an explanation; record_close() in either case. Blocks on disk.
 */
int record_open(const char *config_path, struct record *ret_record, struct error *error) MUST_CHECK;
void record_close(struct record *record);

/* Reads what was appended since. 0 or -errno with an explanation. */
int record_refresh(struct record *record, struct error *error) MUST_CHECK;

/*
 * The timeline of "last", or of an observation by its number. 0, -ENOENT,
 * -EINVAL or -ENOMEM with an explanation. Free with timeline_free().
 */
int record_timeline(const struct record *record, const char *which, struct timeline **ret_timeline,
	struct error *error) MUST_CHECK;

/* The path of a snippet's file. 0, or a negative code with an explanation. */
int record_snippet_path(const struct record *record, const char *file, size_t room, char *ret_path,
	struct error *error) MUST_CHECK;

/* Prints what to do with an empty journal, to standard output. */
void record_say_empty(void);

#endif
