#include "firmware/snippet.h"

#include "app/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <opus/opusenc.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A page every 200 ms and no look-ahead: little is lost with the power. */
#define MUXING_DELAY 9600 /* at 48 kHz */
#define COMPLEXITY 5
#define NAME_CHARS 64
#define NAMES_MOST 100

struct snippet {
	int dir_fd, fd;
	int write_error; /* the callback's first one; 0 or -errno */
	char name[NAME_CHARS];
	struct snippet_head head;
	int rate_hz;
	OggOpusEnc *encoder;
	crypto_hash_sha256_state sha;
	int64_t bytes, frames;
	uint8_t *peaks;
	size_t n_peaks, room_peaks;
	int peak; /* of the step in progress */
};

static int on_write(void *data, const unsigned char *bytes, opus_int32 n)
{
	struct snippet *snippet = data;
	int r = file_write(snippet->fd, bytes, (size_t)n);
	if (r < 0) {
		snippet->write_error = snippet->write_error ? snippet->write_error : r;
		return 1;
	}
	crypto_hash_sha256_update(&snippet->sha, bytes, (unsigned long long)n);
	snippet->bytes += n;
	return 0;
}

static int on_close(void *data)
{
	return 0; /* the descriptor is closed by us, after the last sync */
}

static int add_tag(OggOpusComments *tags, const char *name, int64_t value)
{
	char text[24];
	snprintf(text, sizeof(text), "%lld", (long long)value);
	return ope_comments_add(tags, name, text);
}

/* What the disk said inside the encoder (which may be silent on it), or it itself. */
static int opus_error(const struct snippet *snippet, int code)
{
	return snippet->write_error ? snippet->write_error
		: code == OPE_OK    ? 0
		: code == OPE_ALLOC_FAIL
			? -ENOMEM
			: -EIO;
}

static int begin_encoder(struct snippet *snippet, int bitrate_kbit)
{
	static const OpusEncCallbacks callbacks = {on_write, on_close};
	OggOpusComments *tags = ope_comments_create();
	if (!tags) {
		return -ENOMEM;
	}
	int r = ope_comments_add(tags, "BOOT_ID", snippet->head.boot_id);
	r = r ? r : add_tag(tags, "BOOT", snippet->head.boot);
	r = r ? r : add_tag(tags, "OBSERVATION", snippet->head.observation);
	r = r ? r : add_tag(tags, "FROM_NS", snippet->head.from_ns);
	if (r == OPE_OK) {
		snippet->encoder = ope_encoder_create_callbacks(
			&callbacks, snippet, tags, snippet->rate_hz, 1, 0, &r);
	}
	if (r == OPE_OK) {
		OggOpusEnc *encoder = snippet->encoder;
		r = ope_encoder_ctl(encoder, OPE_SET_MUXING_DELAY(MUXING_DELAY));
		r = r ? r : ope_encoder_ctl(encoder, OPE_SET_DECISION_DELAY(0));
		r = r ? r : ope_encoder_ctl(encoder, OPUS_SET_BITRATE(bitrate_kbit * 1000));
		r = r ? r : ope_encoder_ctl(encoder, OPUS_SET_SIGNAL(OPUS_SIGNAL_VOICE));
		r = r ? r : ope_encoder_ctl(encoder, OPUS_SET_COMPLEXITY(COMPLEXITY));
		/* the head on disk at once: a torn file still says whose it is */
		r = r ? r : ope_encoder_flush_header(encoder);
	}
	ope_comments_destroy(tags);
	return opus_error(snippet, r);
}

/* Creates the file under a name of its own: no snippet stands in another's way. */
static int create(struct snippet *snippet, char *part, size_t room)
{
	for (int n = 0; n < NAMES_MOST; n++) {
		snprintf(snippet->name, sizeof(snippet->name), "%.8s-%06lld-%010lld.opus",
			snippet->head.boot_id, (long long)snippet->head.observation,
			(long long)(snippet->head.from_ns / NS_PER_MS) + n);
		snprintf(part, room, "%s" SNIPPET_PART, snippet->name);
		if (faccessat(snippet->dir_fd, snippet->name, F_OK, 0) == 0) {
			continue;
		}
		snippet->fd = openat(
			snippet->dir_fd, part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
		if (snippet->fd >= 0 || errno != EEXIST) {
			break;
		}
	}
	return snippet->fd < 0 ? -errno : 0;
}

int snippet_open(int dir_fd, const struct snippet_head *head, int rate_hz, int bitrate_kbit,
	struct snippet **ret_snippet, struct error *error)
{
	char part[NAME_CHARS + sizeof(SNIPPET_PART)];
	struct snippet *snippet = calloc(1, sizeof(*snippet));
	if (!snippet) {
		return error_set(error, -ENOMEM, "snippet: out of memory");
	}
	snippet->dir_fd = dir_fd;
	snippet->fd = -1;
	snippet->head = *head;
	snippet->rate_hz = rate_hz;
	crypto_hash_sha256_init(&snippet->sha);
	int r = create(snippet, part, sizeof(part));
	r = r < 0 ? r : file_sync_dir(dir_fd);
	r = r < 0 ? r : begin_encoder(snippet, bitrate_kbit);
	if (r < 0) {
		if (snippet->fd >= 0) {
			(void)unlinkat(dir_fd, part, 0); /* nothing is in it */
		}
		snippet_close(snippet);
		return error_set(error, r, "snippet %s: %s", part, strerror(-r));
	}
	*ret_snippet = snippet;
	return 0;
}

static int add_peak(struct snippet *snippet)
{
	if (snippet->n_peaks == snippet->room_peaks) {
		size_t room = snippet->room_peaks ? 2 * snippet->room_peaks : 1024;
		uint8_t *peaks = realloc(snippet->peaks, room);
		if (!peaks) {
			return -ENOMEM;
		}
		snippet->peaks = peaks;
		snippet->room_peaks = room;
	}
	snippet->peaks[snippet->n_peaks++] = (uint8_t)(snippet->peak >> 7);
	snippet->peak = 0;
	return 0;
}

int snippet_write(struct snippet *snippet, const int16_t *frames, size_t n)
{
	const int steps_a_second = 1000 / SNIPPET_PEAK_MS;
	for (size_t i = 0; i < n; i++) {
		int size = frames[i] < 0 ? -(frames[i] + 1) : frames[i];
		snippet->peak = size > snippet->peak ? size : snippet->peak;
		snippet->frames++;
		if (snippet->frames * steps_a_second / snippet->rate_hz > (int64_t)snippet->n_peaks &&
			add_peak(snippet) < 0) {
			return -ENOMEM;
		}
	}
	return opus_error(snippet, ope_encoder_write(snippet->encoder, frames, (int)n));
}

int snippet_sync(struct snippet *snippet)
{
	return fdatasync(snippet->fd) < 0 ? -errno : 0;
}

int snippet_finish(struct snippet *snippet, struct facts *ret_facts)
{
	int r = opus_error(snippet, ope_encoder_drain(snippet->encoder));
	r = r < 0 ? r : fsync(snippet->fd) < 0 ? -errno : 0;
	r = r < 0 || snippet->peak == 0 ? r : add_peak(snippet);
	if (r < 0) {
		return r;
	}
	unsigned char hash[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_final(&snippet->sha, hash);
	struct facts facts = {.from_ns = snippet->head.from_ns,
		.bytes = snippet->bytes,
		.step_ms = SNIPPET_PEAK_MS,
		.levels = snippet->peaks,
		.n_levels = snippet->n_peaks};
	snprintf(facts.file, sizeof(facts.file), "%s", snippet->name);
	snprintf(facts.codec, sizeof(facts.codec), "opus");
	sodium_bin2hex(facts.sha256, sizeof(facts.sha256), hash, sizeof(hash));
	snippet->peaks = NULL;
	*ret_facts = facts;
	return 0;
}

void snippet_close(struct snippet *snippet)
{
	if (!snippet) {
		return;
	}
	if (snippet->encoder) {
		ope_encoder_destroy(snippet->encoder);
	}
	if (snippet->fd >= 0) {
		close(snippet->fd);
	}
	free(snippet->peaks);
	free(snippet);
}

int64_t snippet_frames(const struct snippet *snippet)
{
	return snippet->frames;
}

int64_t snippet_from_ns(const struct snippet *snippet)
{
	return snippet->head.from_ns;
}

int snippet_publish(int dir_fd, const char *name)
{
	char part[NAME_CHARS + sizeof(SNIPPET_PART)];
	int n = snprintf(part, sizeof(part), "%s" SNIPPET_PART, name);
	if (n < 0 || (size_t)n >= sizeof(part)) {
		return -ENAMETOOLONG;
	}
	if (renameat(dir_fd, part, dir_fd, name) < 0) {
		return errno == ENOENT && faccessat(dir_fd, name, F_OK, 0) == 0 ? 0 : -errno;
	}
	return file_sync_dir(dir_fd);
}
