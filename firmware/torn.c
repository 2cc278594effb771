/*
 * An Ogg file is a chain of pages, each with its own checksum. What a cut leaves
 * is a good chain and then perhaps a piece of a page:
 *
 *	| head | tags | sound | sound | sou#
 *	                              ^ cut here; the page before gets the
 *	                                end-of-stream mark and a new checksum
 *
 * Good pages behind a bad one are no tear but damage. What lies before it is
 * saved in the same way, and the file as it was found is kept beside it.
 */
#include "firmware/torn.h"

#include "app/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ogg/ogg.h>
#include <opus/opusfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BYTES_MOST (16 << 20)
#define OPUS_HZ 48000
#define PEAK_FRAMES (OPUS_HZ / 1000 * SNIPPET_PEAK_MS)
#define END_OF_STREAM 4
#define HEADER_TYPE_AT 5

/* The good chain: how long it is, where its last page begins. */
struct chain {
	size_t bytes, last;
	int pages;
};

static int measure(const uint8_t *bytes, size_t n, struct chain *ret_chain)
{
	struct chain chain = {0};
	ogg_sync_state sync;
	if (n == 0) { /* opened, and the power went */
		*ret_chain = chain;
		return 0;
	}
	ogg_sync_init(&sync);
	char *buffer = ogg_sync_buffer(&sync, (long)n);
	if (!buffer) {
		ogg_sync_clear(&sync);
		return -ENOMEM;
	}
	memcpy(buffer, bytes, n);
	ogg_sync_wrote(&sync, (long)n);
	ogg_page page;
	for (long size; (size = ogg_sync_pageseek(&sync, &page)) > 0;) {
		chain.last = chain.bytes;
		chain.bytes += (size_t)size;
		chain.pages++;
	}
	ogg_sync_clear(&sync);
	*ret_chain = chain;
	return 0;
}

/* Marks the page at @at, @n bytes long, as the last; true if it was not. */
static bool mark_end(uint8_t *bytes, size_t at, size_t n)
{
	uint8_t *page = bytes + at;
	if (page[HEADER_TYPE_AT] & END_OF_STREAM) {
		return false;
	}
	page[HEADER_TYPE_AT] |= END_OF_STREAM;
	long header = 27 + page[26];
	ogg_page ogg = {.header = page,
		.header_len = header,
		.body = page + header,
		.body_len = (long)n - header};
	ogg_page_checksum_set(&ogg);
	return true;
}

/* Whether there is a page behind the piece that ends the chain. */
static bool goes_on(const uint8_t *bytes, size_t n, const struct chain *chain)
{
	size_t from = chain->bytes + 1;
	return from < n && memmem(bytes + from, n - from, "OggS", 4);
}

static int64_t tag(const OpusTags *tags, const char *name)
{
	const char *text = opus_tags_query(tags, name, 0);
	return text ? strtoll(text, NULL, 10) : 0;
}

/* Decodes for the peaks; gives the frames at 48 kHz. */
static int64_t read_peaks(OggOpusFile *opus, uint8_t *peaks, size_t room, size_t *ret_n)
{
	opus_int16 frames[5760 * 2];
	int64_t total = 0;
	int peak = 0;
	size_t n = 0;
	for (int got; (got = op_read(opus, frames, sizeof(frames) / sizeof(frames[0]), NULL)) > 0;) {
		for (int i = 0; i < got; i++) {
			int size = frames[i] < 0 ? -(frames[i] + 1) : frames[i];
			peak = size > peak ? size : peak;
			if (++total % PEAK_FRAMES == 0 && n < room) {
				peaks[n++] = (uint8_t)(peak >> 7);
				peak = 0;
			}
		}
	}
	*ret_n = n;
	return total;
}

/* What the repaired bytes say and hold. */
static int describe(const uint8_t *bytes, size_t n, struct snippet_head *ret_head,
	struct facts *ret_facts)
{
	int r;
	OggOpusFile *opus = op_open_memory(bytes, n, &r);
	if (!opus) {
		return r == OP_EFAULT ? -ENOMEM : -EBADMSG;
	}
	if (op_channel_count(opus, 0) != 1) {
		op_free(opus);
		return -EBADMSG; /* none of ours */
	}
	struct snippet_head head = {0};
	struct facts facts = {.bytes = (int64_t)n, .step_ms = SNIPPET_PEAK_MS};
	const OpusTags *tags = op_tags(opus, 0);
	const char *boot_id = opus_tags_query(tags, "BOOT_ID", 0);
	ogg_int64_t total = op_pcm_total(opus, -1);
	size_t room = total > 0 ? (size_t)total / PEAK_FRAMES + 1 : 0;
	facts.levels = room ? malloc(room) : NULL;
	if (!facts.levels) {
		op_free(opus);
		facts_fini(&facts);
		return room ? -ENOMEM : -ENODATA;
	}
	snprintf(head.boot_id, sizeof(head.boot_id), "%s", boot_id ? boot_id : "");
	head.boot = tag(tags, "BOOT");
	head.observation = tag(tags, "OBSERVATION");
	head.from_ns = tag(tags, "FROM_NS");
	int64_t frames = read_peaks(opus, facts.levels, room, &facts.n_levels);
	op_free(opus);
	facts.from_ns = head.from_ns;
	facts.to_ns = head.from_ns + frames * NS_PER_S / OPUS_HZ;
	snprintf(facts.codec, sizeof(facts.codec), "opus");
	*ret_head = head;
	*ret_facts = facts;
	return frames > 0 ? 0 : -ENODATA;
}

/*
 * Puts the repair on disk, all of it: what an earlier run could not sync may be
 * right in memory only.
 */
static int write_back(int dir_fd, const char *part, const uint8_t *bytes, const struct chain *chain)
{
	int fd = openat(dir_fd, part, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		return -errno;
	}
	int r = ftruncate(fd, (off_t)chain->bytes) < 0 ? -errno : 0;
	r = r < 0 ? r : file_write(fd, bytes, chain->bytes);
	r = r < 0 ? r : fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return r;
}

/* Keeps the file as it was found, if that has not been done before. */
static int keep_found(int dir_fd, const char *part, const uint8_t *bytes, size_t n)
{
	char name[FILE_PATH_CHARS];
	int r = file_path(name, sizeof(name), "%.*s" TORN_DAMAGED,
		(int)(strlen(part) - strlen(SNIPPET_PART)), part);
	if (r < 0 || faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		return r;
	}
	/* under a working name first: there, it is whole */
	int fd = openat(dir_fd, "damaged", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0) {
		return -errno;
	}
	r = file_write(fd, bytes, n);
	r = r < 0 ? r : fsync(fd) < 0 ? -errno : 0;
	close(fd);
	r = r < 0 ? r : renameat(dir_fd, "damaged", dir_fd, name) < 0 ? -errno : 0;
	return r < 0 ? r : file_sync_dir(dir_fd);
}

static int read_part(int dir_fd, const char *part, char **ret_bytes, size_t *ret_n)
{
	char path[64 + 32];
	int fd = openat(dir_fd, part, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		return -errno;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int r = file_read(path, BYTES_MOST, ret_bytes, ret_n);
	close(fd);
	return r;
}

int torn_repair(int dir_fd, const char *part, struct snippet_head *ret_head,
	struct facts *ret_facts)
{
	char *text;
	size_t n, name_chars = strlen(part) - strlen(SNIPPET_PART);
	struct facts facts = {0};
	if (name_chars >= sizeof(facts.file)) {
		return -ENAMETOOLONG; /* none of ours */
	}
	int r = read_part(dir_fd, part, &text, &n);
	if (r < 0) {
		return r;
	}
	uint8_t *bytes = (uint8_t *)text;
	struct chain chain;
	struct snippet_head head;
	bool cut = true;
	r = measure(bytes, n, &chain);
	if (r == 0 && chain.pages < 3) {
		r = goes_on(bytes, n, &chain) ? -EBADMSG : -ENODATA;
	}
	if (r == 0 && goes_on(bytes, n, &chain)) {
		r = keep_found(dir_fd, part, bytes, n);
	}
	if (r == 0) {
		cut = mark_end(bytes, chain.last, chain.bytes - chain.last) || chain.bytes < n;
		r = describe(bytes, chain.bytes, &head, &facts);
	}
	if (r == 0) {
		r = write_back(dir_fd, part, bytes, &chain);
	}
	free(text);
	off_t size;
	r = r < 0 ? r : file_sha256(dir_fd, part, facts.sha256, &size);
	if (r < 0) {
		facts_fini(&facts);
		return r;
	}
	facts.complete = !cut;
	snprintf(facts.file, sizeof(facts.file), "%.*s", (int)name_chars, part);
	*ret_head = head;
	*ret_facts = facts;
	return 0;
}
