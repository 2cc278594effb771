#include "firmware/snippet.h"

#include "app/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <opus/opusfile.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define BOOT_ID "0f5a3c1e-9d2b-4c6f-8a17-2b3c4d5e6f70"
#define FROM_NS (INT64_C(5000) * NS_PER_S + 123456789)

struct folder {
	char path[64];
	int fd;
};

static int set_up(void **state)
{
	struct folder *folder = calloc(1, sizeof(*folder));
	assert_non_null(folder);
	snprintf(folder->path, sizeof(folder->path), "/tmp/test_snippet.XXXXXX");
	assert_non_null(mkdtemp(folder->path));
	folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(folder->fd >= 0);
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
	free(folder);
	return r;
}

static struct snippet *open_one(struct folder *folder, int rate_hz)
{
	struct snippet_head head = {
		.boot_id = BOOT_ID, .boot = 7, .observation = 9, .from_ns = FROM_NS};
	struct snippet *snippet;
	struct error error;
	if (snippet_open(folder->fd, &head, rate_hz, 24, &snippet, &error) < 0) {
		fail_msg("%s", error.text);
	}
	return snippet;
}

/* A tone of 440 Hz, a quarter of full scale, in uneven pieces. */
static void write_tone(struct snippet *snippet, int rate_hz, int64_t n)
{
	int16_t frames[4800];
	for (int64_t at = 0, piece = 1; at < n; piece = piece % 4800 + 777) {
		int64_t now = n - at < piece ? n - at : piece;
		now = now < 4800 ? now : 4800;
		for (int64_t i = 0; i < now; i++) {
			double phase = 2 * M_PI * 440 * (double)(at + i) / rate_hz;
			frames[i] = (int16_t)lrint(8192 * sin(phase));
		}
		assert_int_equal(snippet_write(snippet, frames, (size_t)now), 0);
		at += now;
	}
}

static int64_t decoded_frames(struct folder *folder, const char *name, double *ret_rms)
{
	char path[256];
	int r;
	opus_int16 frames[5760];
	double squares = 0;
	int64_t total = 0;
	snprintf(path, sizeof(path), "%s/%s", folder->path, name);
	OggOpusFile *opus = op_open_file(path, &r);
	assert_non_null(opus);
	for (int got; (got = op_read(opus, frames, 5760, NULL)) != 0;) {
		assert_true(got > 0);
		for (int i = 0; i < got; i++) {
			squares += (double)frames[i] * frames[i];
		}
		total += got;
	}
	assert_int_equal(op_pcm_total(opus, -1), total);
	op_free(opus);
	*ret_rms = sqrt(squares / (double)total);
	return total;
}

static void assert_facts_true(struct folder *folder, const struct facts *facts, const char *name)
{
	char sha256[65];
	off_t bytes;
	assert_int_equal(file_sha256(folder->fd, name, sha256, &bytes), 0);
	assert_string_equal(facts->sha256, sha256);
	assert_int_equal(facts->bytes, bytes);
	assert_string_equal(facts->codec, "opus");
	assert_int_equal(facts->from_ns, FROM_NS);
	assert_int_equal(facts->step_ms, SNIPPET_PEAK_MS);
}

static void a_finished_snippet_decodes_to_its_exact_length(void **state)
{
	static const int rates_hz[] = {48000, 44100, 16000};
	struct folder *folder = *state;
	for (size_t i = 0; i < 3; i++) {
		char part[80];
		struct facts facts;
		double rms;
		int64_t n = rates_hz[i] * 3 + 1234;
		struct snippet *snippet = open_one(folder, rates_hz[i]);
		write_tone(snippet, rates_hz[i], n);
		assert_int_equal(snippet_frames(snippet), n);
		assert_int_equal(snippet_from_ns(snippet), FROM_NS);
		assert_int_equal(snippet_sync(snippet), 0);
		assert_int_equal(snippet_finish(snippet, &facts), 0);
		snippet_close(snippet);

		snprintf(part, sizeof(part), "%s" SNIPPET_PART, facts.file);
		assert_facts_true(folder, &facts, part);
		int64_t exact = n * 48000 / rates_hz[i];
		assert_true(llabs(decoded_frames(folder, part, &rms) - exact) <= 1);
		assert_true(fabs(rms / (8192 / sqrt(2)) - 1) < 0.1);
		/* a peak for each 50 ms begun, a quarter of full scale */
		assert_int_equal(facts.n_levels, (n * 20 + rates_hz[i] - 1) / rates_hz[i]);
		for (size_t k = 0; k < facts.n_levels; k++) {
			assert_in_range(facts.levels[k], 62, 64);
		}
		facts_fini(&facts);
	}
}

static void a_published_snippet_has_its_name_and_no_other(void **state)
{
	struct folder *folder = *state;
	char part[80];
	struct facts facts;
	struct snippet *snippet = open_one(folder, 48000);
	write_tone(snippet, 48000, 48000);
	assert_int_equal(snippet_finish(snippet, &facts), 0);
	snippet_close(snippet);
	snprintf(part, sizeof(part), "%s" SNIPPET_PART, facts.file);
	assert_int_equal(faccessat(folder->fd, facts.file, F_OK, 0), -1);
	assert_int_equal(snippet_publish(folder->fd, facts.file), 0);
	assert_int_equal(faccessat(folder->fd, part, F_OK, 0), -1);
	assert_facts_true(folder, &facts, facts.file);
	assert_int_equal(snippet_publish(folder->fd, facts.file), 0);
	assert_facts_true(folder, &facts, facts.file);
	facts_fini(&facts);
	assert_int_equal(snippet_publish(folder->fd, "none.opus"), -ENOENT);
	char longer[200];
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(snippet_publish(folder->fd, longer), -ENAMETOOLONG);
}

static void two_that_begin_alike_do_not_stand_in_each_others_way(void **state)
{
	struct folder *folder = *state;
	struct facts facts[3];
	for (int i = 0; i < 3; i++) {
		struct snippet *snippet = open_one(folder, 48000);
		write_tone(snippet, 48000, 48000 * (i + 1));
		assert_int_equal(snippet_finish(snippet, &facts[i]), 0);
		snippet_close(snippet);
		if (i == 1) {
			assert_int_equal(snippet_publish(folder->fd, facts[1].file), 0);
		}
	}
	assert_string_not_equal(facts[0].file, facts[1].file);
	assert_string_not_equal(facts[1].file, facts[2].file);
	assert_string_not_equal(facts[0].file, facts[2].file);
	assert_facts_true(folder, &facts[1], facts[1].file);
	for (int i = 0; i < 3; i++) {
		facts_fini(&facts[i]);
	}
}

static void an_unfinished_one_stays_for_repair(void **state)
{
	struct folder *folder = *state;
	struct snippet *snippet = open_one(folder, 48000);
	write_tone(snippet, 48000, 48000 * 2);
	snippet_close(snippet);
	snippet_close(NULL);
	char part[80], sha256[65];
	off_t bytes;
	snprintf(part, sizeof(part), "%.8s-%06d-%010lld.opus" SNIPPET_PART, BOOT_ID, 9,
		(long long)(FROM_NS / NS_PER_MS));
	assert_int_equal(file_sha256(folder->fd, part, sha256, &bytes), 0);
	assert_true(bytes > 3000);
}

static void peaks_show_full_scale_of_both_signs_and_silence(void **state)
{
	struct folder *folder = *state;
	static int16_t frames[7200];
	struct facts facts;
	struct snippet *snippet = open_one(folder, 48000);
	frames[100] = INT16_MIN;
	frames[2400 + 100] = INT16_MAX;
	assert_int_equal(snippet_write(snippet, frames, 7200), 0);
	assert_int_equal(snippet_finish(snippet, &facts), 0);
	assert_int_equal(facts.n_levels, 3);
	assert_int_equal(facts.levels[0], 255);
	assert_int_equal(facts.levels[1], 255);
	assert_int_equal(facts.levels[2], 0);
	facts_fini(&facts);
	snippet_close(snippet);
}

static void a_folder_that_is_gone_is_an_error_that_names_the_file(void **state)
{
	struct snippet_head head = {.boot_id = BOOT_ID, .observation = 9};
	struct snippet *snippet;
	struct error error;
	int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(snippet_open(fd, &head, 48000, 24, &snippet, &error) < 0);
	assert_non_null(strstr(error.text, ".opus"));
	close(fd);
}

/* A file may not grow beyond the limit: the write fails as on a bad disk. */
static void a_write_that_fails_is_told_and_leaks_nothing(void **state)
{
	struct folder *folder = *state;
	struct rlimit before, limit;
	struct facts facts;
	int16_t frames[4800] = {0};
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
	struct snippet *snippet = open_one(folder, 48000);
	limit = (struct rlimit){.rlim_cur = 2000, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	int r = 0;
	for (int i = 0; r == 0 && i < 1000; i++) {
		for (int k = 0; k < 4800; k++) {
			frames[k] = (int16_t)(rand() % 2000);
		}
		r = snippet_write(snippet, frames, 4800);
	}
	int finished = snippet_finish(snippet, &facts);
	snippet_close(snippet);

	/* and one whose very head cannot be written leaves no file behind */
	struct snippet_head head = {.boot_id = BOOT_ID, .observation = 10};
	struct error error;
	limit.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	int opened = snippet_open(folder->fd, &head, 48000, 24, &snippet, &error);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, handler);
	assert_int_equal(r, -EFBIG);
	assert_true(finished < 0);
	assert_int_equal(opened, -EFBIG);
	char part[80];
	snprintf(part, sizeof(part), "%.8s-%06d-%010d.opus" SNIPPET_PART, BOOT_ID, 10, 0);
	assert_int_equal(faccessat(folder->fd, part, F_OK, 0), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_finished_snippet_decodes_to_its_exact_length),
		TEST(a_published_snippet_has_its_name_and_no_other),
		TEST(two_that_begin_alike_do_not_stand_in_each_others_way),
		TEST(an_unfinished_one_stays_for_repair),
		TEST(peaks_show_full_scale_of_both_signs_and_silence),
		TEST(a_folder_that_is_gone_is_an_error_that_names_the_file),
		TEST(a_write_that_fails_is_told_and_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
