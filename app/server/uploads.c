/*
 * A snippet's sound comes in as a tus upload: a row in the store and a file that
 * grows in uploads/. Its size is the offset. Bytes are written in pieces as they come
 * and when the connection ends, so that a cut keeps them; 204 is said only after they
 * are synced; and with the last byte, after the whole was hashed, moved to its place
 * and noted.
 */
#include "app/server/uploads.h"

#include "app/base/clock.h"
#include "app/server/blobs.h"
#include "app/server/store_observations.h"
#include "app/server/streams.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WRONG_HASH 460
#define PATH "/api/v1/uploads"

/* --- what every request keeps to --- */

/* Answers 412 unless the versions agree. */
static bool version_ok(struct request *request)
{
	const char *version = request_header(request, "Tus-Resumable");

	if (version && strcmp(version, TUS_VERSION) == 0) {
		return true;
	}
	answer_header(request, "Tus-Version", "%s", TUS_VERSION);
	(void)answer_error(request, 412, "tus-version", "Say Tus-Resumable: " TUS_VERSION ".");
	return false;
}

static bool type_ok(struct request *request)
{
	const char *type = request_header(request, "Content-Type");

	if (type && strcmp(type, "application/offset+octet-stream") == 0) {
		return true;
	}
	(void)answer_error(
		request, 415, "type", "Send the bytes as application/offset+octet-stream.");
	return false;
}

static void say_expires(struct request *request, int64_t expires_ns)
{
	char date[TUS_DATE_CHARS];

	tus_date(expires_ns, date);
	answer_header(request, "Upload-Expires", "%s", date);
}

static int no_upload(struct request *request)
{
	return answer_error(request, 404, "no-such-upload",
		"There is no such upload, or its time is over. Begin anew.");
}

static int kept_already(struct request *request, const struct upload_row *row)
{
	answer_header(request, "Chalkbox-Kept", "%s", row->of.sha256);
	return answer_empty(request, 200);
}

/* Answers what store_upload_*() refused. */
static int refused(struct request *request, const struct upload_row *row, int r)
{
	switch (r) {
	case STORE_E_NO_SNIPPET:
		return answer_error(
			request, 409, "no-such-snippet", "Send the entry of that snippet first.");
	case STORE_E_DIFFERS:
		return answer_error(request, 409, "differs",
			"The snippet's entry names another hash or length.");
	default:
		return kept_already(request, row);
	}
}

/* --- creation --- */

/* Reads the headers of a creation; answers what is wrong. */
static bool creation_ok(struct request *request, struct upload_row *row)
{
	struct error wrong;
	int64_t bytes = tus_number(request_header(request, "Upload-Length"));

	if (!version_ok(request)) {
		return false;
	}
	if (bytes < 1) {
		(void)answer_error(
			request, 400, "length", "Upload-Length must be a number above 0.");
		return false;
	}
	if (bytes > UPLOAD_BYTES_MOST) {
		answer_header(request, "Tus-Max-Size", "%d", UPLOAD_BYTES_MOST);
		(void)answer_error(request, 413, "too-big", "A sound may weigh %d bytes at most.",
			UPLOAD_BYTES_MOST);
		return false;
	}
	if (tus_metadata_parse(request_header(request, "Upload-Metadata"), &row->of, &wrong) < 0) {
		(void)answer_error(request, 400, "metadata", "%s.", wrong.text);
		return false;
	}
	row->bytes = bytes;
	row->expires_ns = server_now_ns() + request->server->upload_ns;
	memcpy(row->box, request->box, sizeof(row->box));
	id_new(row->id);
	return true;
}

/* Bytes for which the disk must have room yet. */
static int64_t to_come(const struct stream *stream)
{
	return stream->row.bytes - stream->part.offset + (int64_t)stream->part.gathered;
}

/* Whether there is room for what the stream is to bring; promised to it then. */
static int promise(struct server *server, struct stream *stream, struct error *error)
{
	int r;

	stream->owed = to_come(stream);
	r = server_has_room(server, 0, error);
	if (r < 0) {
		stream->owed = 0;
	}
	return r;
}

static int create_begin(struct request *request, struct error *error)
{
	struct server *server = request->server;
	struct stream *stream = stream_new();
	int r;

	if (!stream) {
		return -ENOMEM;
	}
	request->stream = stream;
	stream->is_new = true;
	if (!creation_ok(request, &stream->row)) {
		return 0;
	}
	streams_enlist(server->uploads, stream, stream->row.id);
	r = store_upload_check(server->store, &stream->row, error);
	if (r != 0) {
		return r < 0 ? r : refused(request, &stream->row, r);
	}
	r = promise(server, stream, error);
	return r < 0 ? r : blobs_part_new(server->blobs, stream->row.id, &stream->part.fd, error);
}

/* --- bytes --- */

static int stolen(struct request *request)
{
	return answer_error(request, 409, "taken-over",
		"Another request goes on with this upload, or it is over.");
}

static int take(struct request *request, const void *bytes, size_t n, struct error *error)
{
	struct stream *stream = request->stream;
	int r = 0;

	if (stream->is_new && stream->part.offset == 0 && !type_ok(request)) {
		return 0;
	}
	if ((int64_t)n > stream->row.bytes - stream->part.offset) {
		return answer_error(
			request, 413, "too-long", "These are more bytes than Upload-Length said.");
	}
	(void)pthread_mutex_lock(&stream->lock);
	if (stream->stolen) {
		(void)stolen(request);
	} else {
		r = part_write(&stream->part, bytes, n);
		stream->owed = to_come(stream);
	}
	(void)pthread_mutex_unlock(&stream->lock);
	return r < 0 ? error_set(error, r, "upload %s: %s", stream->row.id, strerror(-r)) : 0;
}

static bool there(void *data, const char *sha256)
{
	return blobs_has(data, sha256);
}

static int wrong_hash(struct request *request, struct stream *stream, struct error *error)
{
	struct server *server = request->server;
	int r = 0;

	blobs_part_remove(server->blobs, stream->row.id);
	if (!stream->is_new) {
		r = store_upload_remove(server->store, stream->row.id, error);
	}
	return r < 0 ? r
		     : answer_error(request, WRONG_HASH, "wrong-hash",
			       "What came is not what the hash names. Send it anew.");
}

/* The bytes are there: they become a sound that is known. */
static int complete(struct request *request, struct stream *stream, char ended[static ID_CHARS],
	struct error *error)
{
	struct server *server = request->server;
	struct upload_row *row = &stream->row;
	int r;

	r = blobs_keep(server->blobs, row->id, &stream->part, row->of.sha256, error);
	if (r != 0) {
		return r < 0 ? r : wrong_hash(request, stream, error);
	}
	r = store_upload_done(
		server->store, row, server_now_ns(), there, server->blobs, ended, error);
	if (r == STORE_E_WITHDRAWN && store_blob_known(server->store, row->of.sha256, error) == 0) {
		r = blobs_remove(server->blobs, row->of.sha256, error);
		r = r == 0 ? STORE_E_WITHDRAWN : r;
	}
	if (r < 0) {
		return r;
	}
	stream->is_new = false;
	return r == STORE_E_NO_SNIPPET || r == STORE_E_DIFFERS ? refused(request, row, r) : 0;
}

/* Part of the bytes are there: they are synced, and the upload is noted. */
static int hold(struct request *request, struct stream *stream, char ended[static ID_CHARS],
	struct error *error)
{
	struct server *server = request->server;
	int r = part_flush(&stream->part);

	if (r == 0 && stream->part.offset > 0 && fdatasync(stream->part.fd) < 0) {
		r = -errno;
	}
	if (r < 0) {
		return error_set(error, r, "upload %s: %s", stream->row.id, strerror(-r));
	}
	if (!stream->is_new) {
		return 0;
	}
	r = store_upload_add(server->store, &stream->row, ended, error);
	if (r != 0) {
		return r < 0 ? r : refused(request, &stream->row, r);
	}
	stream->is_new = false;
	return 0;
}

/*
 * After a failed sync the kernel takes lost bytes for written: what failed is not
 * tried again but begun anew.
 */
static void give_up(struct server *server, struct stream *stream)
{
	blobs_part_remove(server->blobs, stream->id);
	if (store_upload_remove(server->store, stream->id, NULL) < 0) {
		return; /* without its file the row means nothing */
	}
}

static int settle(struct request *request, struct stream *stream, struct error *error)
{
	struct server *server = request->server;
	char ended[ID_CHARS] = "";
	int r;

	(void)pthread_mutex_lock(&stream->lock);
	if (stream->stolen) {
		r = stolen(request);
	} else if (stream->part.offset == stream->row.bytes) {
		r = complete(request, stream, ended, error);
	} else {
		r = hold(request, stream, ended, error);
	}
	if (r < 0) {
		give_up(server, stream);
	}
	(void)pthread_mutex_unlock(&stream->lock);
	if (ended[0]) {
		streams_steal(server->uploads, ended);
		blobs_part_remove(server->blobs, ended);
	}
	return r;
}

static int finish(struct request *request, struct error *error)
{
	struct stream *stream = request->stream;
	bool created = stream->is_new;
	int r = settle(request, stream, error);

	if (r < 0 || request_answered(request)) {
		return r;
	}
	say_expires(request, stream->row.expires_ns);
	if (created) {
		answer_header(request, "Location", PATH "/%s", stream->id);
	}
	if (!created || stream->part.offset > 0) {
		answer_header(request, "Upload-Offset", "%lld", (long long)stream->part.offset);
	}
	return answer_empty(request, created ? 201 : 204);
}

static void end(struct request *request, bool whole)
{
	struct stream *stream = request->stream;

	if (!stream) {
		return;
	}
	if (!stream->is_new) {
		streams_flush(request->server->uploads, stream->id);
	} else if (stream->part.fd >= 0) { /* nobody was told of it */
		blobs_part_remove(request->server->blobs, stream->id);
	}
	streams_delist(request->server->uploads, stream);
	stream_free(stream);
	request->stream = NULL;
}

/* --- going on --- */

static int wrong_offset(struct request *request, off_t offset)
{
	answer_header(request, "Upload-Offset", "%lld", (long long)offset);
	return answer_error(request, 409, "offset", "The upload stands at %lld. Go on from there.",
		(long long)offset);
}

/* The upload's row by the path, or answers 404. 0, 1 (answered) or -errno. */
static int row_of(struct request *request, struct upload_row *ret_row, struct error *error)
{
	int r;

	if (!version_ok(request)) {
		return 1;
	}
	r = STORE_E_NO_UPLOAD;
	if (id_valid(request->part[0])) {
		r = store_upload_get(
			request->server->store, request->part[0], request->box, ret_row, error);
	}
	if (r == 0 && ret_row->expires_ns < server_now_ns() && !ret_row->kept) {
		r = STORE_E_NO_UPLOAD;
	}
	if (r == STORE_E_NO_UPLOAD) {
		(void)no_upload(request);
		return 1;
	}
	return r;
}

/* Pushes the end off while it goes on, but not with every request. */
static int extend(struct server *server, struct upload_row *row, struct error *error)
{
	int64_t expires_ns = server_now_ns() + server->upload_ns;

	if (row->expires_ns > expires_ns - server->upload_ns / 2) {
		return 0;
	}
	row->expires_ns = expires_ns;
	return store_upload_extend(server->store, row->id, expires_ns, error);
}

/*
 * Finds the upload that the path names, and makes it the request's alone when it
 * is not kept yet. 0, 1 (answered) or -errno.
 */
static int take_over(struct request *request, struct stream **ret_stream, struct error *error)
{
	struct server *server = request->server;
	struct stream *stream = stream_new();
	int r;

	if (!stream) {
		return -ENOMEM;
	}
	*ret_stream = stream;
	if (!id_valid(request->part[0])) {
		(void)no_upload(request);
		return 1;
	}
	streams_enlist(server->uploads, stream, request->part[0]);
	r = row_of(request, &stream->row, error);
	if (r != 0 || stream->row.kept) {
		return r;
	}
	r = blobs_part_open(
		server->blobs, stream->id, &stream->part.fd, &stream->part.offset, error);
	if (r == -ENOENT) {
		(void)no_upload(request);
		return 1;
	}
	return r;
}

static int patch_begin(struct request *request, struct error *error)
{
	int64_t offset = tus_number(request_header(request, "Upload-Offset"));
	struct stream *stream = NULL;
	int r;

	r = take_over(request, &stream, error);
	request->stream = stream;
	if (r != 0) {
		return r < 0 ? r : 0;
	}
	if (!type_ok(request)) {
		return 0;
	}
	if (offset < 0) {
		return answer_error(request, 400, "offset", "Upload-Offset must be a number.");
	}
	if (stream->row.kept) {
		return wrong_offset(request, stream->row.bytes);
	}
	if (offset != stream->part.offset) {
		return wrong_offset(request, stream->part.offset);
	}
	r = promise(request->server, stream, error);
	return r < 0 ? r : extend(request->server, &stream->row, error);
}

/* --- asking, ending --- */

static void say_metadata(struct request *request, const struct tus_metadata *of)
{
	char seq[24], texts[3][128];
	const char *values[3] = {of->journal, seq, of->sha256};
	size_t i;

	(void)snprintf(seq, sizeof(seq), "%lld", (long long)of->seq);
	for (i = 0; i < 3; i++) {
		tus_base64(values[i], texts[i], sizeof(texts[i]));
	}
	answer_header(request, "Upload-Metadata", "journal %s,seq %s,sha256 %s", texts[0], texts[1],
		texts[2]);
}

/*
 * All bytes are there, but the server went away before it had looked at them: it
 * does now. 0, 1 (answered) or -errno.
 */
static int catch_up(struct request *request, struct error *error)
{
	struct stream *stream = NULL;
	int r;

	r = take_over(request, &stream, error);
	if (r == 0 && !stream->row.kept) {
		r = settle(request, stream, error);
		r = r == 0 && request_answered(request) ? 1 : r;
	}
	if (stream) {
		streams_delist(request->server->uploads, stream);
		stream_free(stream);
	}
	return r;
}

static int offset_of(struct request *request, const struct upload_row *row, off_t *ret_offset,
	struct error *error)
{
	int fd, r;

	if (row->kept) {
		*ret_offset = row->bytes;
		return 0;
	}
	streams_flush(request->server->uploads, row->id);
	r = blobs_part_open(request->server->blobs, row->id, &fd, ret_offset, error);
	if (r < 0) {
		return r == -ENOENT ? no_upload(request) : r;
	}
	(void)close(fd);
	return *ret_offset == row->bytes ? catch_up(request, error) : 0;
}

static int head(struct request *request, struct error *error)
{
	struct upload_row row;
	off_t offset = 0;
	int r;

	r = row_of(request, &row, error);
	if (r == 0) {
		r = offset_of(request, &row, &offset, error);
	}
	if (r < 0 || request_answered(request)) {
		return r < 0 ? r : 0;
	}
	answer_header(request, "Upload-Offset", "%lld", (long long)offset);
	answer_header(request, "Upload-Length", "%lld", (long long)row.bytes);
	say_metadata(request, &row.of);
	say_expires(request, row.expires_ns);
	return answer_empty(request, 200);
}

static int remove_upload(struct request *request, struct error *error)
{
	struct server *server = request->server;
	struct upload_row row;
	int r;

	streams_steal(server->uploads, request->part[0]);
	r = row_of(request, &row, error);
	if (r != 0) {
		return r < 0 ? r : 0;
	}
	r = store_upload_remove(server->store, row.id, error);
	if (r < 0) {
		return r;
	}
	blobs_part_remove(server->blobs, row.id);
	return answer_empty(request, 204);
}

static int options(struct request *request, struct error *error)
{
	answer_header(request, "Tus-Version", "%s", TUS_VERSION);
	answer_header(request, "Tus-Extension", "%s", TUS_EXTENSIONS);
	answer_header(request, "Tus-Max-Size", "%d", UPLOAD_BYTES_MOST);
	return answer_empty(request, 204);
}

#define TUS .header = "Tus-Resumable", .header_value = TUS_VERSION

const struct route upload_routes[] = {
	{HTTP_OPTIONS, "uploads", WHO_ANYBODY, .handle = options, TUS},
	{HTTP_OPTIONS, "uploads/+", WHO_ANYBODY, .handle = options, TUS},
	{HTTP_POST, "uploads", WHO_BOX, UPLOAD_BYTES_MOST, finish, create_begin, take, end, TUS},
	{HTTP_PATCH, "uploads/+", WHO_BOX, UPLOAD_BYTES_MOST, finish, patch_begin, take, end, TUS},
	{HTTP_HEAD, "uploads/+", WHO_BOX, .handle = head, TUS},
	{HTTP_DELETE, "uploads/+", WHO_BOX, .handle = remove_upload, TUS},
	{0},
};
