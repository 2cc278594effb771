/*
 * A box that was cut off asks again before the server knows that the old
 * connection is dead. The new request then takes the upload over: the old stream
 * is marked stolen and writes no more. So is the stream of an upload that is over,
 * because its time is or nobody wants the sound. A stream's lock is held while it
 * writes or finishes; the list's lock is taken first where both are needed.
 */
#include "app/server/streams.h"

#include "app/server/uploads.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct uploads {
	pthread_mutex_t lock;
	struct stream *first; /* under the lock */
};

int uploads_new(struct uploads **ret_uploads)
{
	struct uploads *uploads = calloc(1, sizeof(*uploads));

	if (!uploads) {
		return -ENOMEM;
	}
	(void)pthread_mutex_init(&uploads->lock, NULL);
	*ret_uploads = uploads;
	return 0;
}

void uploads_free(struct uploads *uploads)
{
	if (uploads) {
		(void)pthread_mutex_destroy(&uploads->lock);
		free(uploads);
	}
}

struct stream *stream_new(void)
{
	struct stream *stream = calloc(1, sizeof(*stream));

	if (stream) {
		stream->part = PART_NONE;
		(void)pthread_mutex_init(&stream->lock, NULL);
	}
	return stream;
}

void stream_free(struct stream *stream)
{
	if (!stream) {
		return;
	}
	part_close(&stream->part);
	(void)pthread_mutex_destroy(&stream->lock);
	free(stream);
}

/*
 * Under the list's lock: what has come for that upload is in its file; an error will
 * meet the stream again. When it is stolen, too, nobody else writes there any more.
 */
static void flush_all(struct uploads *uploads, const char *id, bool steal)
{
	struct stream *stream;

	for (stream = uploads->first; stream; stream = stream->next) {
		if (strcmp(stream->id, id) == 0) {
			(void)pthread_mutex_lock(&stream->lock);
			if (!stream->stolen && stream->part.gathered > 0 &&
				part_flush(&stream->part) == 0) {
				stream->owed = stream->row.bytes - stream->part.offset;
			}
			if (steal) {
				stream->stolen = true;
				stream->owed = 0;
			}
			(void)pthread_mutex_unlock(&stream->lock);
		}
	}
}

void streams_flush(struct uploads *uploads, const char *id)
{
	(void)pthread_mutex_lock(&uploads->lock);
	flush_all(uploads, id, false);
	(void)pthread_mutex_unlock(&uploads->lock);
}

void streams_steal(struct uploads *uploads, const char *id)
{
	(void)pthread_mutex_lock(&uploads->lock);
	flush_all(uploads, id, true);
	(void)pthread_mutex_unlock(&uploads->lock);
}

/* From now on the upload is this stream's alone. */
void streams_enlist(struct uploads *uploads, struct stream *stream, const char *id)
{
	(void)snprintf(stream->id, sizeof(stream->id), "%s", id);
	(void)pthread_mutex_lock(&uploads->lock);
	flush_all(uploads, id, true);
	stream->next = uploads->first;
	uploads->first = stream;
	(void)pthread_mutex_unlock(&uploads->lock);
}

void streams_delist(struct uploads *uploads, struct stream *stream)
{
	struct stream **at;

	(void)pthread_mutex_lock(&uploads->lock);
	for (at = &uploads->first; *at; at = &(*at)->next) {
		if (*at == stream) {
			*at = stream->next;
			break;
		}
	}
	(void)pthread_mutex_unlock(&uploads->lock);
}

static bool is_of(const struct upload_row *row, const struct upload_which *which)
{
	return which->box
		? strcmp(row->box, which->box) == 0
		: row->of.seq == which->seq && strcmp(row->of.journal, which->journal) == 0;
}

bool streams_steal_new(
	struct uploads *uploads, const struct upload_which *which, char ret_id[static ID_CHARS])
{
	struct stream *stream;
	bool found = false;

	(void)pthread_mutex_lock(&uploads->lock);
	for (stream = uploads->first; stream && !found; stream = stream->next) {
		(void)pthread_mutex_lock(&stream->lock);
		found = stream->is_new && !stream->stolen && is_of(&stream->row, which);
		if (found) {
			stream->stolen = true;
			stream->owed = 0;
			memcpy(ret_id, stream->id, ID_CHARS);
		}
		(void)pthread_mutex_unlock(&stream->lock);
	}
	(void)pthread_mutex_unlock(&uploads->lock);
	return found;
}

int64_t streams_owed(struct uploads *uploads)
{
	const struct stream *stream;
	int64_t owed = 0;

	(void)pthread_mutex_lock(&uploads->lock);
	for (stream = uploads->first; stream; stream = stream->next) {
		owed += stream->owed;
	}
	(void)pthread_mutex_unlock(&uploads->lock);
	return owed;
}
