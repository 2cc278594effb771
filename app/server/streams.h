/* Uploads that are coming in at this moment, and whose they are; for uploads.c. */
#ifndef SERVER_STREAMS_H
#define SERVER_STREAMS_H

#include "app/server/part.h"
#include "app/server/store_uploads.h"

#include <pthread.h>
#include <stdbool.h>

struct uploads;

struct stream {
	char id[ID_CHARS]; /* of the upload; set by streams_enlist() */
	struct upload_row row;
	struct part part;
	bool is_new; /* no row yet */
	pthread_mutex_t lock;
	bool stolen; /* under the lock, which is held while it writes or finishes */
	_Atomic int64_t owed; /* bytes that may still come, for which there must be room */
	struct stream *next;
};

/* NULL when out of memory. stream_free() closes the file too; takes NULL. */
struct stream *stream_new(void);
void stream_free(struct stream *stream);

/*
 * From now on the upload is this stream's alone; whoever wrote to it has stopped, and
 * what had come by then is in the file.
 */
void streams_enlist(struct uploads *uploads, struct stream *stream, const char *id);
void streams_delist(struct uploads *uploads, struct stream *stream);

/* Brings what has come so far into the upload's file. Not under a stream's lock. */
void streams_flush(struct uploads *uploads, const char *id);

/* Nobody writes to that upload any more. Not under a stream's lock. */
void streams_steal(struct uploads *uploads, const char *id);

/* Steals one of which there is no row yet. Whether there was one, and its id. */
bool streams_steal_new(
	struct uploads *uploads, const struct upload_which *which, char ret_id[static ID_CHARS]);

/* The bytes that all of them may still bring. */
int64_t streams_owed(struct uploads *uploads);

#endif
