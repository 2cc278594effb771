/* Events as rows, for spreadsheets and statistics: RFC 4180. */
#ifndef CLI_CSV_H
#define CLI_CSV_H

#include "app/timeline/timeline.h"

#include <stdio.h>

/* The line of column names. */
void csv_head(FILE *stream);

/*
 * A row for each point event, two (START, STOP) for each span, in order of their
 * time; events taken back are left out. 0 or -ENOMEM; look at ferror(stream).
 */
int csv_events(const struct timeline *timeline, FILE *stream) MUST_CHECK;

#endif
