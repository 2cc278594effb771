#include "app/server/wav.h"

#include <endian.h>
#include <errno.h>
#include <opusfile.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BYTES_MOST (64 << 20)
#define SAMPLES_MOST ((size_t)WAV_SECONDS_MOST * WAV_RATE_HZ)
#define HEAD_BYTES 44
#define CHUNK_SAMPLES 5760 /* 120 ms: the longest packet there is */
#define CHANNELS_MOST 8

static int read_all(int fd, off_t bytes, unsigned char **ret_bytes)
{
	unsigned char *all;
	off_t at = 0;

	if (bytes <= 0 || bytes > BYTES_MOST) {
		return -EBADMSG;
	}
	all = malloc((size_t)bytes);
	if (!all) {
		return -ENOMEM;
	}
	while (at < bytes) {
		ssize_t n = pread(fd, all + at, (size_t)(bytes - at), at);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			int r = n < 0 ? -errno : -EBADMSG;

			free(all);
			return r;
		}
		at += n;
	}
	*ret_bytes = all;
	return 0;
}

/* RIFF, a format chunk of PCM, a data chunk; all little-endian. */
static void write_head(unsigned char *wav, size_t samples)
{
	const uint32_t bytes = (uint32_t)(samples * 2);
	const struct {
		char riff[4];
		uint32_t riff_bytes;
		char wave[4], fmt[4];
		uint32_t fmt_bytes;
		uint16_t pcm, channels;
		uint32_t rate_hz, bytes_a_second;
		uint16_t bytes_a_frame, bits;
		char data[4];
		uint32_t data_bytes;
	} head = {
		.riff = {'R', 'I', 'F', 'F'},
		.riff_bytes = htole32(HEAD_BYTES - 8 + bytes),
		.wave = {'W', 'A', 'V', 'E'},
		.fmt = {'f', 'm', 't', ' '},
		.fmt_bytes = htole32(16),
		.pcm = htole16(1),
		.channels = htole16(1),
		.rate_hz = htole32(WAV_RATE_HZ),
		.bytes_a_second = htole32(WAV_RATE_HZ * 2),
		.bytes_a_frame = htole16(2),
		.bits = htole16(16),
		.data = {'d', 'a', 't', 'a'},
		.data_bytes = htole32(bytes),
	};

	_Static_assert(sizeof(head) == HEAD_BYTES, "no padding");
	memcpy(wav, &head, sizeof(head));
}

static int16_t mixed(const opus_int16 *frame, int channels)
{
	int sum = 0;

	for (int i = 0; i < channels; i++) {
		sum += frame[i];
	}
	return (int16_t)(sum / channels);
}

struct samples {
	unsigned char *wav; /* the head's room first */
	size_t n, room;
};

static int add(struct samples *samples, const opus_int16 *frames, int n, int channels)
{
	if (samples->n + (size_t)n > SAMPLES_MOST) {
		return -EBADMSG;
	}
	if (samples->n + (size_t)n > samples->room) {
		size_t room = samples->room * 2 + CHUNK_SAMPLES * 64;
		unsigned char *grown = realloc(samples->wav, HEAD_BYTES + room * 2);

		if (!grown) {
			return -ENOMEM;
		}
		samples->wav = grown;
		samples->room = room;
	}
	for (int i = 0; i < n; i++) {
		uint16_t sample = htole16((uint16_t)mixed(frames + i * channels, channels));

		memcpy(samples->wav + HEAD_BYTES + 2 * samples->n++, &sample, 2);
	}
	return 0;
}

static int decode(OggOpusFile *file, struct samples *samples)
{
	opus_int16 frames[CHUNK_SAMPLES * CHANNELS_MOST];
	int n, link, channels, r = 0;

	while (r == 0) {
		n = op_read(file, frames, CHUNK_SAMPLES * CHANNELS_MOST, &link);
		if (n == OP_HOLE) {
			continue; /* a page is missing: the rest is heard all the same */
		}
		if (n <= 0) {
			r = n == 0 ? 0 : -EBADMSG;
			break;
		}
		channels = op_channel_count(file, link);
		r = channels < 1 || channels > CHANNELS_MOST ? -EBADMSG
							     : add(samples, frames, n, channels);
	}
	return r == 0 && samples->n == 0 ? -EBADMSG : r;
}

int wav_decode(int fd, off_t bytes, unsigned char **ret_wav, size_t *ret_n)
{
	struct samples samples = {0};
	unsigned char *all = NULL;
	OggOpusFile *file;
	int r, failure;

	r = read_all(fd, bytes, &all);
	if (r < 0) {
		return r;
	}
	file = op_open_memory(all, (size_t)bytes, &failure);
	if (file) {
		op_set_dither_enabled(file, 0); /* every part of it comes from the same whole */
		r = decode(file, &samples);
	} else {
		r = failure == OP_EFAULT ? -ENOMEM : -EBADMSG;
	}
	op_free(file);
	free(all);
	if (r < 0) {
		free(samples.wav);
		return r;
	}
	write_head(samples.wav, samples.n);
	*ret_wav = samples.wav;
	*ret_n = HEAD_BYTES + samples.n * 2;
	return 0;
}
