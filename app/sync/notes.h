/* What sync remembers between two runs, in its state folder. */
#ifndef SYNC_NOTES_H
#define SYNC_NOTES_H

#include "app/base/error.h"
#include "app/base/id.h"
#include "app/sync/said.h"
#include "app/sync/transport.h"

#include <stdint.h>
#include <stdio.h>

/* An upload that was begun and may be gone on with. */
struct notes_upload {
	char journal[ID_CHARS];
	int64_t seq;
	char sha256[65];
	char location[TRANSPORT_LOCATION_CHARS];
};

/* 0; -ENOENT when none is under way (or its note is broken); -errno. Blocks. */
int notes_upload(const char *dir, struct notes_upload *ret_upload) MUST_CHECK;
int notes_keep_upload(const char *dir, const struct notes_upload *upload) MUST_CHECK;
void notes_forget_upload(const char *dir);

/*
 * The configuration that was taken, and its version. An absent one is "" and -1
 * days: then nothing leaves the box. Blocks.
 */
void notes_config(const char *dir, char ret_etag[static SAID_ETAG_CHARS], int *ret_days_on_box);
int notes_keep_config(const char *dir, const char *etag, int days_on_box) MUST_CHECK;
void notes_forget_config(const char *dir);

/*
 * "At this time of the server's clock it had the sound of every snippet up to
 * this entry" (but for what the box itself has lost): what retention counts its days from. The box's own clock may be
 * wrong, and a file's date with it.
 */
int notes_keep_confirmed(
	const char *dir, const char *journal, int64_t server_ns, int64_t seq) MUST_CHECK;

/*
 * The highest entry up to which the server had all sound at or before that time
 * of its clock; 0 for none. Blocks.
 */
int64_t notes_confirmed(const char *dir, const char *journal, int64_t server_ns);

/* How the last run went, in words, for `chalkbox sync --status`. */
struct notes_last {
	int64_t began_ns, ended_ns; /* realtime; ended 0: it was cut short */
	int exit_code;
	char words[400];
	int64_t unsent_entries, unsent_snippets;
};

/* 0, -ENOENT for never, or -errno. Blocks. */
int notes_last(const char *dir, struct notes_last *ret_last) MUST_CHECK;
int notes_keep_last(const char *dir, const struct notes_last *last) MUST_CHECK;

#endif
