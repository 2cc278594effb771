/*
 * A small file goes in one request, with its creation. If that is cut, nobody
 * knows what arrived: from then on the upload is created first, its place noted
 * (in memory and on disk, so that the next run finds it too), and HEAD says where
 * to go on:
 *
 *	POST + bytes --201, all--> done
 *	     | cut, 201 in part
 *	     v
 *	POST --201 Location--> PATCH from 0 --204, all--> done
 *	     --200 Kept--> done          | cut, 409
 *	                                 v
 *	            HEAD --offset--> PATCH from there
 *	            HEAD --404, 410--> POST again
 *
 * An upload that the server calls whole is asked for once more by POST: only the
 * server's word for the hash ends it. What goes round without getting on is
 * counted, so that a server that contradicts itself is left alone in the end; tries
 * that no server answered are not.
 */
#include "app/sync/upload.h"

#include "app/base/file.h"
#include "app/sync/notes.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define ROUNDS_MOST 20
#define BEGIN_ANEW_AFTER 4
#define TUS "Tus-Resumable: 1.0.0"
#define METADATA_CHARS 320

struct sending {
	struct talk *talk;
	const struct upload *upload;
	struct notes_upload note; /* location "" while there is none */
	int64_t offset; /* the server's; -1: not known */
	int64_t furthest; /* that it ever was */
	int rounds; /* without getting on */
	bool plain; /* creation without the bytes */
	bool noted;
	bool done;
};

static void encode(const char *text, char *ret_base64, size_t room)
{
	sodium_bin2base64(ret_base64, room, (const unsigned char *)text, strlen(text),
		sodium_base64_VARIANT_ORIGINAL);
}

static void metadata(const struct upload *upload, char ret_text[static METADATA_CHARS])
{
	char seq[24], journal64[64], seq64[40], sha64[96];

	(void)snprintf(seq, sizeof(seq), "%lld", (long long)upload->seq);
	encode(upload->journal, journal64, sizeof(journal64));
	encode(seq, seq64, sizeof(seq64));
	encode(upload->sha256, sha64, sizeof(sha64));
	(void)snprintf(ret_text, METADATA_CHARS, "Upload-Metadata: journal %s,seq %s,sha256 %s",
		journal64, seq64, sha64);
}

static void forget(struct sending *sending)
{
	sending->note.location[0] = '\0';
	if (sending->noted) {
		notes_forget_upload(sending->upload->dir);
		sending->noted = false;
	}
}

/* From here on the upload has a place; a note that cannot be kept costs only time. */
static void remember(struct sending *sending, const char *location)
{
	struct notes_upload *note = &sending->note;

	(void)snprintf(note->journal, sizeof(note->journal), "%s", sending->upload->journal);
	note->seq = sending->upload->seq;
	(void)snprintf(note->sha256, sizeof(note->sha256), "%s", sending->upload->sha256);
	(void)snprintf(note->location, sizeof(note->location), "%s", location);
	sending->noted = notes_keep_upload(sending->upload->dir, note) == 0;
}

static int refused(const struct answer *answer, const struct upload *upload, struct error *error)
{
	const char *said = answer->said.message[0] ? answer->said.message : answer->said.word;

	return error_set(error, UPLOAD_E_REFUSED, "snippet %lld: the server refuses it (%d%s%s)",
		(long long)upload->seq, answer->status, said[0] ? ": " : "", said);
}

/* --- POST --- */

/* A request and the text that it borrows. */
struct creation {
	struct request request;
	char length[48], about[METADATA_CHARS];
};

static void make_creation(
	const struct upload *upload, bool with_bytes, struct creation *ret_creation)
{
	*ret_creation = (struct creation){
		.request = {.method = "POST",
			.path = "/uploads",
			.headers = {TUS, ret_creation->length, ret_creation->about}}};
	(void)snprintf(ret_creation->length, sizeof(ret_creation->length), "Upload-Length: %lld",
		(long long)upload->bytes);
	metadata(upload, ret_creation->about);
	if (with_bytes) {
		ret_creation->request.type = "application/offset+octet-stream";
		ret_creation->request.file = upload->fd;
		ret_creation->request.file_bytes = upload->bytes;
	}
}

static int creation(struct sending *sending, bool with_bytes, struct answer *ret_answer,
	int64_t *ret_retry_s, struct error *error)
{
	struct creation creation;

	make_creation(sending->upload, with_bytes, &creation);
	return talk_once(sending->talk, &creation.request, ret_answer, ret_retry_s, error);
}

static int take_creation(
	struct sending *sending, const struct answer *answer, bool with_bytes, struct error *error)
{
	const struct upload *upload = sending->upload;

	switch (answer->status) {
	case 200:
		if (strcmp(answer->kept, upload->sha256) == 0) {
			sending->done = true;
			return 0;
		}
		return talk_unexpected(answer, "creating an upload", error);
	case 201:
		if (with_bytes && answer->upload_offset == upload->bytes) {
			sending->done = true;
			return 0;
		}
		if (!answer->location[0]) {
			return talk_unexpected(answer, "creating an upload", error);
		}
		remember(sending, answer->location);
		sending->offset = answer->upload_offset > 0 ? -1 : 0; /* -1: ask */
		return 0;
	case 404:
		return talk_unexpected(answer, "creating an upload", error);
	case 460: /* bytes were harmed on their way, as ours are right */
		sending->plain = true;
		return 0;
	default:
		return refused(answer, upload, error);
	}
}

/* --- HEAD, PATCH --- */

static int ask_offset(struct sending *sending, int64_t *ret_retry_s, struct error *error)
{
	const struct request request = {
		.method = "HEAD", .path = sending->note.location, .headers = {TUS}};
	struct answer answer;
	int r;

	r = talk_once(sending->talk, &request, &answer, ret_retry_s, error);
	if (r != 0) {
		return r;
	}
	if ((answer.status == 200 || answer.status == 204) && answer.upload_offset >= 0 &&
		answer.upload_offset < sending->upload->bytes) {
		sending->offset = answer.upload_offset;
		if (sending->offset > sending->furthest) {
			sending->furthest = sending->offset;
			sending->rounds = 0;
		}
	} else {
		forget(sending); /* gone, or whole: creation tells which */
		sending->plain = true;
	}
	answer_fini(&answer);
	return 0;
}

static int send_rest(struct sending *sending, int64_t *ret_retry_s, struct error *error)
{
	const struct upload *upload = sending->upload;
	char offset[48];
	const struct request request = {.method = "PATCH",
		.path = sending->note.location,
		.type = "application/offset+octet-stream",
		.headers = {TUS, offset},
		.file = upload->fd,
		.from = sending->offset,
		.file_bytes = upload->bytes - sending->offset};
	struct answer answer;
	int r;

	(void)snprintf(offset, sizeof(offset), "Upload-Offset: %lld", (long long)sending->offset);
	sending->offset = -1; /* whatever comes now: ask before going on */
	r = talk_once(sending->talk, &request, &answer, ret_retry_s, error);
	if (r != 0) {
		return r;
	}
	if (answer.status == 204 && answer.upload_offset == upload->bytes) {
		sending->done = true;
	} else if (answer.status != 204 && answer.status != 409) {
		forget(sending); /* 404, 410: gone; 413: nothing more fits; 460: harmed */
		sending->plain = true;
	}
	answer_fini(&answer);
	return 0;
}

/* --- all of it --- */

static int step(struct sending *sending, int64_t *ret_retry_s, struct error *error)
{
	bool with_bytes = !sending->plain && sending->upload->bytes <= UPLOAD_AT_ONCE_BYTES;
	struct answer answer;
	int r;

	*ret_retry_s = -1;
	if (sending->note.location[0]) {
		return sending->offset < 0 ? ask_offset(sending, ret_retry_s, error)
					   : send_rest(sending, ret_retry_s, error);
	}
	sending->plain = true; /* should this be cut */
	r = creation(sending, with_bytes, &answer, ret_retry_s, error);
	if (r == 0) {
		r = take_creation(sending, &answer, with_bytes, error);
		answer_fini(&answer);
	}
	return r;
}

static int contradicts(const struct upload *upload, struct error *error)
{
	return error_set(error, SYNC_E_LATER,
		"snippet %lld: the server, or something before it, contradicts itself",
		(long long)upload->seq);
}

int upload_send(struct talk *talk, const struct upload *upload, struct error *error)
{
	struct sending sending = {.talk = talk, .upload = upload, .offset = -1};
	int64_t retry_s;
	int r = 0;

	if (notes_upload(upload->dir, &sending.note) == 0 &&
		strcmp(sending.note.journal, upload->journal) == 0 &&
		sending.note.seq == upload->seq &&
		strcmp(sending.note.sha256, upload->sha256) == 0) {
		sending.noted = true;
	} else {
		sending.note.location[0] = '\0';
	}
	while (r == 0 && !sending.done) {
		if (++sending.rounds > ROUNDS_MOST) {
			return contradicts(upload, error);
		}
		if (sending.rounds % BEGIN_ANEW_AFTER == 0) {
			forget(&sending);
		}
		r = step(&sending, &retry_s, error);
		if (r == SYNC_E_LATER) {
			/* a network that is away says nothing about the upload */
			sending.rounds -= talk->answered ? 0 : 1;
			r = talk_wait(talk, retry_s, error);
		}
	}
	if (sending.done) {
		forget(&sending);
	}
	return r;
}

int upload_burst(struct talk *talk, const struct upload *uploads, size_t n, bool *ret_done,
	struct error *error)
{
	struct creation creations[TRANSPORT_GROUP];
	struct request requests[TRANSPORT_GROUP] = {0};
	struct answer answers[TRANSPORT_GROUP];
	int results[TRANSPORT_GROUP], r;

	for (size_t i = 0; i < n; i++) {
		make_creation(&uploads[i], true, &creations[i]);
		requests[i] = creations[i].request;
	}
	r = transport_ask_all(talk->transport, requests, n, answers, results, error);
	for (size_t i = 0; r == 0 && i < n; i++) {
		ret_done[i] = false;
		if (results[i] == 0) {
			ret_done[i] = (answers[i].status == 201 &&
					      answers[i].upload_offset == uploads[i].bytes) ||
				(answers[i].status == 200 &&
					strcmp(answers[i].kept, uploads[i].sha256) == 0);
			answer_fini(&answers[i]);
		}
	}
	return r;
}

int upload_ask(struct talk *talk, const struct upload *upload, bool *ret_kept, struct error *error)
{
	struct sending sending = {.talk = talk, .upload = upload};
	struct answer answer;
	int64_t retry_s;
	int r;

	do {
		r = creation(&sending, false, &answer, &retry_s, error);
	} while (r == SYNC_E_LATER && talk_wait(talk, retry_s, error) == 0);
	if (r != 0) {
		return r;
	}
	*ret_kept = answer.status == 200 && strcmp(answer.kept, upload->sha256) == 0;
	if (answer.status == 201 && answer.location[0]) {
		const struct request request = {
			.method = "DELETE", .path = answer.location, .headers = {TUS}};
		struct answer gone;

		if (talk_once(talk, &request, &gone, &retry_s, error) == 0) {
			answer_fini(&gone);
		}
	}
	answer_fini(&answer);
	return 0;
}
