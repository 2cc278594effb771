/* The thorough look at a journal; private to app/journal. */
#ifndef JOURNAL_CHECK_H
#define JOURNAL_CHECK_H

#include "app/journal/database.h"

/* As journal_check(). */
int check_database(struct database *database, void (*say)(void *data, const char *finding),
	void *data, struct error *error) MUST_CHECK;

#endif
