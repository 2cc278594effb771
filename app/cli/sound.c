#include "app/cli/sound.h"

#include <errno.h>
#include <opusfile.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct sound {
	OggOpusFile *file;
	char *path;
};

/* opusfile's codes in words. */
static const char *reason(int code)
{
	switch (code) {
	case OP_EREAD:
		return "it cannot be read";
	case OP_ENOTFORMAT:
		return "it is not Ogg Opus";
	case OP_EBADHEADER:
	case OP_EVERSION:
		return "its header is wrong";
	case OP_EBADLINK:
	case OP_EBADPACKET:
	case OP_EBADTIMESTAMP:
	case OP_HOLE:
		return "a part of it is damaged";
	case OP_ENOSEEK:
		return "its end cannot be found";
	case OP_EIMPL:
		return "it is Opus of a kind that is not supported";
	default:
		return "it cannot be decoded";
	}
}

int sound_open(const char *path, struct sound **ret_sound, struct error *error)
{
	struct sound *sound;
	int code = 0;

	if (access(path, R_OK) != 0) {
		int r = -errno;

		return error_set(error, r, "%s: %m", path);
	}
	sound = calloc(1, sizeof(*sound));
	if (sound == NULL || (sound->path = strdup(path)) == NULL) {
		sound_close(sound);
		return error_set(error, -ENOMEM, "%s: out of memory", path);
	}
	sound->file = op_open_file(path, &code);
	if (sound->file == NULL || sound_frames(sound) < 0) {
		sound_close(sound);
		return code == OP_EFAULT ? error_set(error, -ENOMEM, "%s: out of memory", path)
					 : error_set(error, -EBADMSG, "%s: %s", path, reason(code));
	}
	*ret_sound = sound;
	return 0;
}

void sound_close(struct sound *sound)
{
	if (sound != NULL) {
		op_free(sound->file);
		free(sound->path);
		free(sound);
	}
}

int sound_channels(const struct sound *sound)
{
	return op_channel_count(sound->file, -1);
}

int64_t sound_frames(const struct sound *sound)
{
	return op_pcm_total(sound->file, -1);
}

int sound_seek(struct sound *sound, int64_t frame, struct error *error)
{
	int64_t frames = sound_frames(sound);
	int code;

	frame = frame < 0 ? 0 : frame > frames ? frames : frame;
	code = op_pcm_seek(sound->file, frame);
	return code < 0 ? error_set(error, -EBADMSG, "%s: %s", sound->path, reason(code)) : 0;
}

int sound_read(struct sound *sound, int16_t *ret_samples, int room, struct error *error)
{
	int channels = sound_channels(sound), link;
	int frames = op_read(sound->file, ret_samples, room, &link);

	if (frames < 0) {
		return error_set(error, -EBADMSG, "%s: %s", sound->path, reason(frames));
	}
	if (frames > 0 && op_channel_count(sound->file, link) != channels) {
		return error_set(
			error, -EBADMSG, "%s: its number of channels changes", sound->path);
	}
	return frames;
}
