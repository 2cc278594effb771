/* The sound of an observation: hearing it, and taking it back. */
#include "app/server/blobs.h"
#include "app/server/observations.h"
#include "app/server/people.h"
#include "app/server/upkeep.h"
#include "app/server/wav.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OGG "audio/ogg; codecs=opus"
#define WAV "audio/wav"

/* A whole positive number without sign, space or leading zero; 0 if it is none. */
static int64_t number_of(const char *text)
{
	int64_t number = 0;

	if (*text == '0' || strlen(text) > 18) {
		return 0;
	}
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9') {
			return 0;
		}
		number = number * 10 + (*text - '0');
	}
	return number;
}

static int gone(struct request *request, const struct sound *sound)
{
	return answer_error(request, 410, "withdrawn",
		sound->by_rule
			? "This sound is older than the site keeps sound. The timeline stays."
			: "Its teacher has withdrawn this sound. The timeline stays.");
}

/*
 * The sound that the request names, for that deed. 0; 1 when it has been answered;
 * -errno.
 */
static int sound_for(struct request *request, enum deed deed, struct observation *ret_observation,
	struct sound *ret_sound, struct error *error)
{
	int r;

	r = observation_for(request, deed, ret_observation, error);
	if (r != 0) {
		return r;
	}
	r = store_sound_get(request->server->store, ret_observation->journal,
		number_of(request->part[1]), ret_sound, error);
	if (r < 0) {
		return r;
	}
	if (r != 0 || ret_sound->observation != ret_observation->seq) {
		(void)people_nothing(request);
		return 1;
	}
	if (ret_sound->withdrawn_ns > 0) {
		(void)gone(request, ret_sound);
		return 1;
	}
	return 0;
}

/* A WAV on its way: a turn of its own, until its last byte is taken. */
struct sending {
	struct turns *turns;
	unsigned char *wav;
	size_t bytes;
};

static void sent(void *owner)
{
	struct sending *sending = owner;

	turns_give(sending->turns);
	free(sending->wav);
	free(sending);
}

static int decode(struct people *people, int fd, off_t bytes, struct sending **ret_sending)
{
	struct sending *sending = calloc(1, sizeof(*sending));
	int r = sending ? turns_take(&people->sending) : -ENOMEM;

	if (r < 0) {
		free(sending);
		return r;
	}
	sending->turns = &people->sending;
	r = turns_take(&people->decoding);
	if (r == 0) {
		r = wav_decode(fd, bytes, &sending->wav, &sending->bytes);
		turns_give(&people->decoding);
	}
	if (r < 0) {
		sent(sending);
		return r;
	}
	*ret_sending = sending;
	return 0;
}

static int answer_wav(struct request *request, int fd, off_t bytes)
{
	struct sending *sending = NULL;
	int r = decode(request->server->people, fd, bytes, &sending);

	(void)close(fd);
	switch (r) {
	case 0:
		return answer_owned(request, sending->wav, sending->bytes, WAV, sent, sending);
	case -EBUSY:
		return people_busy(request);
	case -EBADMSG:
		return answer_error(request, 422, "no-sound",
			"What the box sent cannot be decoded. Its own file may still play.");
	default:
		return r;
	}
}

static int hear(struct request *request, struct error *error)
{
	struct server *server = request->server;
	struct observation observation;
	struct sound sound;
	char as[8] = "";
	off_t bytes;
	int fd, r;

	r = request_query(request, "as", as, sizeof(as));
	if (r == -EINVAL || (r == 0 && strcmp(as, "wav") != 0)) {
		return people_wrong(request, "as", "give wav, or leave it out");
	}
	r = sound_for(request, DEED_HEAR, &observation, &sound, error);
	if (r != 0) {
		return r < 0 ? r : 0;
	}
	if (!sound.kept) {
		return answer_error(request, 404, "not-yet",
			"The box has not brought this sound yet. It comes with the next sync.");
	}
	r = store_look_add(server->store, observation.id, request->person, "audio", sound.seq,
		server_now_ns(), error);
	if (r == 0) {
		r = blobs_read(server->blobs, sound.sha256, &fd, &bytes, error);
	}
	if (r < 0) {
		return r;
	}
	answer_header(request, "Cache-Control", "private, no-store");
	return *as ? answer_wav(request, fd, bytes) : answer_file(request, fd, bytes, OGG);
}

static int withdraw(struct request *request, struct error *error)
{
	struct server *server = request->server;
	struct observation observation;
	struct sound sound;
	int r;

	r = sound_for(request, DEED_WITHDRAW, &observation, &sound, error);
	if (r != 0) {
		return r < 0 ? r : 0;
	}
	r = store_sound_withdraw(server->store, observation.journal, sound.seq, request->person,
		server_now_ns(), error);
	if (r > 0) {
		return gone(request, &sound);
	}
	if (r == 0) {
		r = upkeep_end(server,
			&(struct upload_which){.journal = observation.journal, .seq = sound.seq},
			error);
	}
	if (r == 0) {
		r = store_sound_drop(server->store, server->blobs, sound.sha256, error);
	}
	return r < 0 ? r : answer_empty(request, 204);
}

const struct route audio_routes[] = {
	{HTTP_GET, "audio/+/+", WHO_PERSON, 0, .handle = hear},
	{HTTP_DELETE, "audio/+/+", WHO_PERSON, 0, .handle = withdraw},
	{0},
};
