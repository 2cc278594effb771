/* Our other programs, run for what they say. */
#ifndef CLI_HELPER_H
#define CLI_HELPER_H

#include "app/base/error.h"

#include <limits.h>

/* Where the program is: beside this one, or where it is installed. */
void helper_path(const char *program, char ret_path[static PATH_MAX]);

/*
 * Runs it with these words (argv[0] included, NULL at the end) and takes what it
 * prints; its errors are dropped. The caller frees *ret_text. 0 with its exit code;
 * -ETIME when it did not end within @most_ms (it is killed), -EFBIG when it said
 * more than 64 KiB, or -errno. Blocks.
 */
int helper_ask(char *const *argv, int most_ms, char **ret_text, int *ret_code) MUST_CHECK;

#endif
