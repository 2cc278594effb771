#include "firmware/torn.h"

#include "app/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <opus/opusfile.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define BOOT_ID "0f5a3c1e-9d2b-4c6f-8a17-2b3c4d5e6f70"
#define FROM_NS (INT64_C(5000) * NS_PER_S)
#define RATE_HZ 48000
#define PIECE 4800
#define PIECES 80
#define PART "torn.opus" SNIPPET_PART

struct folder {
	char path[64];
	int fd;
	char *bytes; /* a whole snippet */
	size_t n;
	size_t size_at[PIECES + 1]; /* of the file after so many pieces of sound */
	struct facts facts;
};

static char *read_file(struct folder *folder, const char *name, size_t *ret_n)
{
	char path[300], *bytes;
	snprintf(path, sizeof(path), "%s/%s", folder->path, name);
	assert_int_equal(file_read(path, 1 << 24, &bytes, ret_n), 0);
	return bytes;
}

static void write_part(struct folder *folder, const char *name, const char *bytes, size_t n)
{
	int fd = openat(folder->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	assert_true(fd >= 0);
	assert_int_equal(file_write(fd, bytes, n), 0);
	close(fd);
}

static void make_whole(struct folder *folder)
{
	char part[80];
	struct snippet_head head = {
		.boot_id = BOOT_ID, .boot = 7, .observation = 9, .from_ns = FROM_NS};
	struct snippet *snippet;
	struct stat status;
	int16_t frames[PIECE];
	assert_int_equal(snippet_open(folder->fd, &head, RATE_HZ, 24, &snippet, NULL), 0);
	snprintf(part, sizeof(part), "%.8s-%06d-%010lld.opus" SNIPPET_PART, BOOT_ID, 9,
		(long long)(FROM_NS / NS_PER_MS));
	for (int i = 0; i <= PIECES; i++) {
		assert_int_equal(fstatat(folder->fd, part, &status, 0), 0);
		folder->size_at[i] = (size_t)status.st_size;
		for (int k = 0; k < PIECE; k++) {
			frames[k] = (int16_t)lrint(8192 * sin(2 * M_PI * 440 * k / RATE_HZ));
		}
		if (i < PIECES) {
			assert_int_equal(snippet_write(snippet, frames, PIECE), 0);
		}
	}
	assert_int_equal(snippet_finish(snippet, &folder->facts), 0);
	snippet_close(snippet);
	folder->bytes = read_file(folder, part, &folder->n);
	assert_int_equal(unlinkat(folder->fd, part, 0), 0);
}

static int set_up(void **state)
{
	struct folder *folder = calloc(1, sizeof(*folder));
	assert_non_null(folder);
	snprintf(folder->path, sizeof(folder->path), "/tmp/test_torn.XXXXXX");
	assert_non_null(mkdtemp(folder->path));
	folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(folder->fd >= 0);
	make_whole(folder);
	*state = folder;
	return 0;
}

static int tear_down(void **state)
{
	struct folder *folder = *state;
	DIR *dir = fdopendir(folder->fd);
	assert_non_null(dir);
	rewinddir(dir);
	for (struct dirent *entry; (entry = readdir(dir));) {
		(void)unlinkat(folder->fd, entry->d_name, 0);
	}
	closedir(dir);
	int r = rmdir(folder->path);
	facts_fini(&folder->facts);
	free(folder->bytes);
	free(folder);
	return r;
}

/* Whether it decodes without a hole, and to how many frames. */
static int64_t decode(struct folder *folder)
{
	opus_int16 frames[5760];
	int64_t total = 0;
	size_t n;
	int r;
	char *bytes = read_file(folder, PART, &n);
	OggOpusFile *opus = op_open_memory((unsigned char *)bytes, n, &r);
	assert_non_null(opus);
	for (int got; (got = op_read(opus, frames, 5760, NULL)) != 0;) {
		assert_true(got > 0);
		total += got;
	}
	assert_int_equal(op_pcm_total(opus, -1), total);
	op_free(opus);
	/* the last page, and no other, says that it is */
	char *last = bytes, *page = bytes;
	while ((page = memmem(page + 1, n - (size_t)(page + 1 - bytes), "OggS", 4))) {
		assert_false(last[5] & 4);
		last = page;
	}
	assert_true(last[5] & 4);
	free(bytes);
	return total;
}

static void assert_repaired(struct folder *folder, int64_t least_frames)
{
	struct snippet_head head;
	struct facts facts;
	char sha256[65];
	off_t bytes;
	assert_int_equal(torn_repair(folder->fd, PART, &head, &facts), 0);
	assert_string_equal(head.boot_id, BOOT_ID);
	assert_int_equal(head.boot, 7);
	assert_int_equal(head.observation, 9);
	assert_int_equal(head.from_ns, FROM_NS);
	assert_false(facts.complete);
	assert_string_equal(facts.file, "torn.opus");
	assert_string_equal(facts.codec, "opus");
	assert_int_equal(facts.from_ns, FROM_NS);
	assert_int_equal(file_sha256(folder->fd, PART, sha256, &bytes), 0);
	assert_string_equal(facts.sha256, sha256);
	assert_int_equal(facts.bytes, bytes);
	int64_t frames = decode(folder);
	assert_int_equal(facts.to_ns, FROM_NS + frames * NS_PER_S / 48000);
	assert_int_equal(facts.n_levels, frames / (48 * SNIPPET_PEAK_MS));
	assert_true(frames >= least_frames);
	facts_fini(&facts);
}

static int64_t written_at(const struct folder *folder, size_t bytes)
{
	int pieces = 0;
	while (pieces < PIECES && folder->size_at[pieces + 1] <= bytes) {
		pieces++;
	}
	return (int64_t)pieces * PIECE;
}

static void a_file_torn_anywhere_loses_less_than_half_a_second(void **state)
{
	struct folder *folder = *state;
	struct snippet_head head;
	struct facts facts;
	int repaired = 0;
	for (size_t n = 0; n < folder->n; n += n < 2000 ? 37 : 331) {
		int64_t written = written_at(folder, n);
		write_part(folder, PART, folder->bytes, n);
		if (written < RATE_HZ / 2) { /* perhaps there is nothing to save */
			int r = torn_repair(folder->fd, PART, &head, &facts);
			assert_true(r == 0 || r == -ENODATA);
			if (r == 0) {
				facts_fini(&facts);
			}
			continue;
		}
		assert_repaired(folder, written - RATE_HZ / 2);
		repaired++;
	}
	assert_true(repaired > 20);
}

static void what_a_cut_leaves_behind_the_good_part_is_taken_off(void **state)
{
	struct folder *folder = *state;
	size_t n = folder->n / 2, more = 4096;
	char *bytes = malloc(n + more);
	assert_non_null(bytes);
	memcpy(bytes, folder->bytes, n);
	memset(bytes + n, 0, more); /* ext4: the length, but not the content */
	write_part(folder, PART, bytes, n + more);
	assert_repaired(folder, written_at(folder, n) - RATE_HZ / 2);
	for (size_t i = 0; i < more; i++) {
		bytes[n + i] = (char)(i * 37);
	}
	write_part(folder, PART, bytes, n + more);
	assert_repaired(folder, written_at(folder, n) - RATE_HZ / 2);
	free(bytes);
}

static void what_follows_a_flipped_bit_is_kept_beside_what_lies_before_it(void **state)
{
	struct folder *folder = *state;
	size_t n = folder->n / 2, kept_n;
	char *bytes = malloc(n);
	assert_non_null(bytes);
	memcpy(bytes, folder->bytes, n);
	bytes[n / 2] ^= 1;
	write_part(folder, PART, bytes, n);
	assert_repaired(folder, written_at(folder, n / 2) - RATE_HZ / 2);
	char *kept = read_file(folder, "torn.opus" TORN_DAMAGED, &kept_n);
	assert_int_equal(kept_n, n);
	assert_memory_equal(kept, bytes, n);
	free(kept);
	free(bytes);
}

static void a_whole_one_is_left_as_it_is(void **state)
{
	struct folder *folder = *state;
	struct snippet_head head;
	struct facts facts;
	size_t n;
	write_part(folder, PART, folder->bytes, folder->n);
	assert_int_equal(torn_repair(folder->fd, PART, &head, &facts), 0);
	assert_true(facts.complete);
	assert_string_equal(facts.sha256, folder->facts.sha256);
	assert_int_equal(facts.bytes, folder->facts.bytes);
	assert_int_equal(facts.to_ns, FROM_NS + PIECES * NS_PER_S / 10);
	assert_int_equal(facts.n_levels, folder->facts.n_levels);
	for (size_t i = 0; i < facts.n_levels; i++) {
		assert_true(abs(facts.levels[i] - folder->facts.levels[i]) <= 8);
	}
	char *bytes = read_file(folder, PART, &n);
	assert_int_equal(n, folder->n);
	assert_memory_equal(bytes, folder->bytes, n);
	free(bytes);
	facts_fini(&facts);
}

static void a_repair_that_was_cut_itself_is_done_again(void **state)
{
	struct folder *folder = *state;
	struct snippet_head head;
	struct facts first, second;
	size_t n;
	write_part(folder, PART, folder->bytes, folder->n / 2);
	assert_int_equal(torn_repair(folder->fd, PART, &head, &first), 0);
	char *bytes = read_file(folder, PART, &n);
	/* shortened, but the last page's mark had not been written */
	write_part(folder, PART, folder->bytes, n);
	assert_int_equal(torn_repair(folder->fd, PART, &head, &second), 0);
	assert_false(second.complete);
	assert_string_equal(first.sha256, second.sha256);
	facts_fini(&first);
	facts_fini(&second);
	free(bytes);
}

static void a_file_without_sound_is_told_from_one_that_is_not_ours(void **state)
{
	struct folder *folder = *state;
	struct snippet_head head;
	struct facts facts;
	char noise[5000];
	write_part(folder, PART, NULL, 0);
	assert_int_equal(torn_repair(folder->fd, PART, &head, &facts), -ENODATA);
	memset(noise, 0, sizeof(noise));
	write_part(folder, PART, noise, sizeof(noise));
	assert_int_equal(torn_repair(folder->fd, PART, &head, &facts), -ENODATA);
	/* the first page is bad, and good ones follow: nobody may throw that away */
	char *bytes = malloc(folder->n);
	assert_non_null(bytes);
	memcpy(bytes, folder->bytes, folder->n);
	bytes[20] ^= 1;
	write_part(folder, PART, bytes, folder->n);
	assert_int_equal(torn_repair(folder->fd, PART, &head, &facts), -EBADMSG);
	free(bytes);
	assert_int_equal(torn_repair(folder->fd, "none" SNIPPET_PART, &head, &facts), -ENOENT);
	assert_int_equal(symlinkat("/etc/passwd", folder->fd, "link" SNIPPET_PART), 0);
	assert_int_equal(torn_repair(folder->fd, "link" SNIPPET_PART, &head, &facts), -ELOOP);
	char longer[120] = "";
	memset(longer, 'x', 100);
	memcpy(longer + 100, SNIPPET_PART, sizeof(SNIPPET_PART));
	write_part(folder, longer, folder->bytes, folder->n);
	assert_int_equal(torn_repair(folder->fd, longer, &head, &facts), -ENAMETOOLONG);
}

static void any_damage_at_all_gives_an_answer(void **state)
{
	struct folder *folder = *state;
	struct snippet_head head;
	struct facts facts;
	char *bytes = malloc(folder->n);
	assert_non_null(bytes);
	srand(20261121);
	for (int round = 0; round < 150; round++) {
		size_t n = (size_t)rand() % folder->n + 1;
		memcpy(bytes, folder->bytes, n);
		for (int i = rand() % 4; i > 0; i--) {
			bytes[(size_t)rand() % n] = (char)rand();
		}
		write_part(folder, PART, bytes, n);
		int r = torn_repair(folder->fd, PART, &head, &facts);
		if (r == 0) {
			(void)decode(folder);
			facts_fini(&facts);
		} else {
			assert_true(r == -ENODATA || r == -EBADMSG);
		}
	}
	free(bytes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_torn_anywhere_loses_less_than_half_a_second),
		TEST(what_a_cut_leaves_behind_the_good_part_is_taken_off),
		TEST(what_follows_a_flipped_bit_is_kept_beside_what_lies_before_it),
		TEST(a_whole_one_is_left_as_it_is),
		TEST(a_repair_that_was_cut_itself_is_done_again),
		TEST(a_file_without_sound_is_told_from_one_that_is_not_ours),
		TEST(any_damage_at_all_gives_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
