/* INI files, read by inih, with the line of every value known. */
#ifndef BASE_CONFFILE_H
#define BASE_CONFFILE_H

#include "app/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One `key = value` line and where it stands; all borrowed from the conffile. */
struct conf_line {
	const char *file;
	int line;
	const char *section, *key, *value;
};

struct conffile;

/*
 * Reads text that is already in memory; @name is what messages call it. A line
 * that is not INI, is longer than 198 bytes, holds a NUL or control character,
 * or repeats a key of its section is an error. Returns 0, -EINVAL with an
 * explanation "NAME:LINE: ...", or -ENOMEM. Free with conffile_free() (takes
 * NULL). Does not block.
 */
int conffile_parse(const char *text, size_t bytes, const char *name, struct conffile **ret_file,
	struct error *error) MUST_CHECK;

/* The same from a file; also -errno of opening and reading. Blocks on it. */
int conffile_read(const char *path, struct conffile **ret_file, struct error *error) MUST_CHECK;
void conffile_free(struct conffile *file);

/* All lines in their order; borrowed. */
const struct conf_line *conffile_lines(const struct conffile *file, size_t *ret_n);

/*
 * The values of a line, checked where they are read. Each returns 0, or -EINVAL
 * with "FILE:LINE: ..." naming the key, what it holds and what would be right.
 */
int conf_text(const struct conf_line *line, char *ret_text, size_t room,
	struct error *error) MUST_CHECK;
int conf_int(const struct conf_line *line, int least, int most, int *ret_value,
	struct error *error) MUST_CHECK;
int conf_bool(const struct conf_line *line, bool *ret_value, struct error *error) MUST_CHECK;
/* One of the words in @choices (ended by NULL); its index is the value. */
int conf_choice(const struct conf_line *line, const char *const *choices, int *ret_value,
	struct error *error) MUST_CHECK;

/*
 * Refuses a value for a reason of one's own (printf-style): "FILE:LINE: KEY =
 * VALUE: REASON". Returns -EINVAL.
 */
int conf_bad(const struct conf_line *line, struct error *error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Refuses a line that nobody knows. @known lists the right keys or sections
 * (ended by NULL): the nearest one is suggested. Returns -EINVAL.
 */
int conf_unknown(const struct conf_line *line, const char *what, const char *got,
	const char *const *known, struct error *error);

#endif
