#include "app/server/upkeep.h"

#include "app/server/blobs.h"
#include "app/server/store_observations.h"
#include "app/server/streams.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPIRED_A_CALL 32

int upkeep_expire(struct server *server, struct error *error)
{
	char id[ID_CHARS];
	int i, r = 0;

	for (i = 0; i < EXPIRED_A_CALL && r == 0; i++) {
		r = store_upload_expire(server->store, server_now_ns(), id, error);
		if (r == 0) {
			streams_steal(server->uploads, id);
			blobs_part_remove(server->blobs, id);
		}
	}
	return r < 0 ? r : r == 0;
}

/* Those without a row first: they may get it meanwhile. */
int upkeep_end(struct server *server, const struct upload_which *which, struct error *error)
{
	char id[ID_CHARS], *ids;
	size_t n, i;
	int r;

	while (streams_steal_new(server->uploads, which, id)) {
		blobs_part_remove(server->blobs, id);
	}
	r = store_uploads_end(server->store, which, &ids, &n, error);
	if (r < 0) {
		return r;
	}
	for (i = 0; i < n; i++) {
		streams_steal(server->uploads, ids + i * ID_CHARS);
		blobs_part_remove(server->blobs, ids + i * ID_CHARS);
	}
	free(ids);
	return 0;
}

static int known(void *data, bool upload, const char *name)
{
	struct server *server = data;
	int r;

	if (upload) {
		return store_upload_known(server->store, name, NULL);
	}
	r = store_blob_known(server->store, name, NULL);
	if (r == 0) {
		r = store_blob_withdrawn(server->store, name, NULL);
		r = r < 0 ? r : r == 1 ? 0 : BLOBS_LOST;
	}
	return r;
}

int upkeep_sweep(struct server *server, struct error *error)
{
	return blobs_sweep(server->blobs, known, server, error);
}

static bool there(void *data, const char *sha256)
{
	return blobs_has(data, sha256);
}

int upkeep_adopt(struct request *request, const char *journal, int64_t seq, struct error *error)
{
	struct server *server = request->server;
	struct upload_row row = {.expires_ns = server_now_ns() + server->upload_ns};
	char ended[ID_CHARS];
	struct sound sound;
	int r;

	r = store_sound_get(server->store, journal, seq, &sound, error);
	if (r != 0 || !blobs_has(server->blobs, sound.sha256)) {
		return r < 0 ? r : 0;
	}
	r = blobs_verify(server->blobs, sound.sha256, sound.bytes, error);
	if (r != 1) {
		return r;
	}
	id_new(row.id);
	memcpy(row.box, request->box, sizeof(row.box));
	(void)snprintf(row.of.journal, sizeof(row.of.journal), "%s", journal);
	row.of.seq = seq;
	memcpy(row.of.sha256, sound.sha256, sizeof(row.of.sha256));
	row.bytes = sound.bytes;
	r = store_upload_done(
		server->store, &row, server_now_ns(), there, server->blobs, ended, error);
	return r < 0 ? r : r == 0 || r == STORE_E_KEPT;
}
