#include "board/sim/tape.h"

#include <errno.h>
#include <fcntl.h>
#include <sndfile.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct tape {
	SNDFILE *file; /* NULL for endless silence */
	int fd;
	SF_INFO info;
	int64_t at; /* the frame that the next read would give */
	bool loop;
};

int tape_open(const char *path, bool loop, struct tape **ret_tape, struct error *error)
{
	struct tape *tape = calloc(1, sizeof(*tape));
	int r;

	if (!tape) {
		return error_set(error, -ENOMEM, "out of memory");
	}
	tape->fd = -1;
	tape->loop = loop;
	if (!path || !*path) {
		tape->info.samplerate = 48000;
		tape->info.channels = 1;
		tape->info.format = SF_FORMAT_WAV | SF_FORMAT_PCM_16;
		*ret_tape = tape;
		return 0;
	}

	/* opened here, so that the error is the system's and no child has a copy */
	tape->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (tape->fd < 0) {
		r = error_set(error, -errno, "CHALKBOX_SIM_WAV: %s: %s", path, strerror(errno));
		goto fail;
	}
	tape->file = sf_open_fd(tape->fd, SFM_READ, &tape->info, SF_FALSE);
	if (!tape->file) {
		r = error_set(error, -EINVAL, "CHALKBOX_SIM_WAV: %s: not a sound file: %s", path,
			sf_strerror(NULL));
		goto fail;
	}
	if (!tape->info.seekable || tape->info.frames <= 0) {
		r = error_set(error, -EINVAL,
			"CHALKBOX_SIM_WAV: %s: %s; give it as a WAV file", path,
			tape->info.seekable ? "holds no sound" : "cannot be wound back");
		goto fail;
	}
	if (tape->info.channels > TAPE_CHANNELS_MAX || tape->info.samplerate < 1000) {
		r = error_set(error, -EINVAL,
			"CHALKBOX_SIM_WAV: %s: %d channels at %d Hz; at most %d channels and at "
			"least 1000 Hz work",
			path, tape->info.channels, tape->info.samplerate, TAPE_CHANNELS_MAX);
		goto fail;
	}
	sf_command(tape->file, SFC_SET_NORM_DOUBLE, NULL, SF_TRUE);
	*ret_tape = tape;
	return 0;

fail:
	tape_close(tape);
	return r;
}

void tape_close(struct tape *tape)
{
	if (!tape) {
		return;
	}
	if (tape->file) {
		sf_close(tape->file);
	}
	if (tape->fd >= 0) {
		close(tape->fd);
	}
	free(tape);
}

unsigned tape_rate_hz(const struct tape *tape)
{
	return (unsigned)tape->info.samplerate;
}

unsigned tape_channels(const struct tape *tape)
{
	return (unsigned)tape->info.channels;
}

bool tape_fits_16(const struct tape *tape)
{
	switch (tape->info.format & SF_FORMAT_SUBMASK) {
	case SF_FORMAT_PCM_S8:
	case SF_FORMAT_PCM_U8:
	case SF_FORMAT_PCM_16:
	case SF_FORMAT_ULAW:
	case SF_FORMAT_ALAW:
		return true;
	default:
		return false;
	}
}

void tape_read(struct tape *tape, int64_t frame, size_t n, double *ret_samples)
{
	size_t width = tape_channels(tape);
	int64_t end = tape->info.frames;
	size_t done = 0;

	memset(ret_samples, 0, n * width * sizeof(*ret_samples));
	if (!tape->file) {
		return;
	}
	if (frame < 0) {
		done = (uint64_t)-frame < n ? (size_t)-frame : n;
	}
	while (done < n) {
		int64_t at = frame + (int64_t)done;
		if (at >= end && !tape->loop) {
			return;
		}
		at %= end;
		if (tape->at != at && sf_seek(tape->file, at, SEEK_SET) != at) {
			tape->at = -1;
			return;
		}
		int64_t run = (int64_t)(n - done) < end - at ? (int64_t)(n - done) : end - at;
		sf_count_t got = sf_readf_double(tape->file, ret_samples + done * width, run);
		if (got <= 0) {
			tape->at = -1;
			return;
		}
		tape->at = at + got;
		done += (size_t)got;
	}
}
