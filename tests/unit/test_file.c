#include "app/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/test_file.XXXXXX";

static int set_up(void **state)
{
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	return chdir("/") == 0 && rmdir(dir) == 0 ? 0 : -1;
}

static void make(const char *name, const void *bytes, size_t n)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(file_write(fd, bytes, n), 0);
	assert_int_equal(close(fd), 0);
}

static void what_is_written_is_read_whole(void **state)
{
	size_t n = 1000003, got_n = 0;
	char *bytes = malloc(n), *got = NULL;

	assert_non_null(bytes);
	for (size_t i = 0; i < n; i++) {
		bytes[i] = (char)(i * 7 + i / 251);
	}
	make("big", bytes, n);
	assert_int_equal(file_read("big", n, &got, &got_n), 0);
	assert_int_equal(got_n, n);
	assert_memory_equal(got, bytes, n);
	assert_int_equal(got[n], 0);
	free(got);
	free(bytes);
	assert_int_equal(unlink("big"), 0);
}

static void a_file_larger_than_allowed_is_refused(void **state)
{
	char *got = NULL;
	size_t n = 77;

	make("ten", "0123456789", 10);
	assert_int_equal(file_read("ten", 9, &got, &n), -EFBIG);
	assert_null(got);
	assert_int_equal(n, 77);
	assert_int_equal(file_read("ten", 10, &got, &n), 0);
	assert_string_equal(got, "0123456789");
	free(got);
	assert_int_equal(unlink("ten"), 0);
}

static void a_pipe_that_says_nothing_is_no_file(void **state)
{
	char *got = NULL, path[64];
	size_t n = 77;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_true(snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]) > 0);
	assert_int_equal(file_read(path, 9, &got, &n), -EAGAIN);
	assert_int_equal(write(ends[1], "01234", 5), 5);
	assert_int_equal(close(ends[1]), 0);
	assert_int_equal(file_read(path, 9, &got, &n), 0);
	assert_string_equal(got, "01234");
	free(got);
	assert_int_equal(close(ends[0]), 0);
}

static void an_empty_file_reads_as_empty_text(void **state)
{
	char *got = NULL;
	size_t n = 77;

	make("empty", "", 0);
	assert_int_equal(file_read("empty", 0, &got, &n), 0);
	assert_int_equal(n, 0);
	assert_string_equal(got, "");
	free(got);
	assert_int_equal(unlink("empty"), 0);
}

static void what_cannot_be_read_says_why(void **state)
{
	char *got = NULL;
	size_t n;

	assert_int_equal(file_read("absent", 10, &got, &n), -ENOENT);
	assert_int_equal(file_read(".", 10, &got, &n), -EISDIR);
}

static void a_write_that_fails_says_why(void **state)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(file_write(fd, "x", 1), -ENOSPC);
	assert_int_equal(file_write(fd, "x", 0), 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(file_write(fd, "x", 1), -EBADF);
}

static void folders_are_made_with_their_parents(void **state)
{
	struct stat st;

	assert_int_equal(file_make_dirs("a/b//c/"), 0);
	assert_int_equal(stat("a/b/c", &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(st.st_mode & 07777 & ~0750U, 0);
	assert_int_equal(file_make_dirs("a/b/c"), 0);
	assert_int_equal(file_make_dirs("/"), 0);
	assert_int_equal(file_make_dirs(dir), 0);
	assert_int_equal(file_make_dirs(""), -ENOENT);
	make("a/file", "", 0);
	assert_int_equal(file_make_dirs("a/file"), -ENOTDIR);
	assert_int_equal(file_make_dirs("a/file/x"), -ENOTDIR);
	assert_int_equal(unlink("a/file"), 0);
	assert_int_equal(rmdir("a/b/c"), 0);
	assert_int_equal(rmdir("a/b"), 0);
	assert_int_equal(rmdir("a"), 0);
}

static void a_file_is_replaced_whole_or_not_at_all(void **state)
{
	struct stat st;
	char *bytes;
	size_t n;

	assert_int_equal(file_replace(".", "kept", "one", 3, 0600), 0);
	assert_int_equal(stat("kept", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(symlink("/nowhere/else", "kept.new"), 0); /* left there by anybody */
	assert_int_equal(file_replace(".", "kept", "two two", 7, 0600), 0);
	assert_int_equal(file_read("kept", 100, &bytes, &n), 0);
	assert_int_equal(n, 7);
	assert_memory_equal(bytes, "two two", 7);
	free(bytes);
	assert_int_equal(access("kept.new", F_OK), -1);
	assert_int_equal(file_remove(".", "kept"), 0);
	assert_int_equal(file_remove(".", "kept"), 0);
	assert_int_equal(file_replace("missing", "kept", "x", 1, 0600), -ENOENT);
	assert_int_equal(file_remove("missing", "kept"), -ENOENT);
}

static void a_path_that_does_not_fit_is_an_error(void **state)
{
	char path[8];

	assert_int_equal(file_path(path, sizeof(path), "%s/%d", "abc", 123), 0);
	assert_string_equal(path, "abc/123");
	assert_int_equal(file_path(path, sizeof(path), "%s/%d", "abc", 1234), -ENAMETOOLONG);
}

static void a_hash_is_the_one_of_the_standard(void **state)
{
	char hex[65] = "";
	off_t bytes = -1;

	make("abc", "abc", 3); /* FIPS 180-2, appendix B.1 */
	assert_int_equal(file_sha256(AT_FDCWD, "abc", hex, &bytes), 0);
	assert_string_equal(
		hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(bytes, 3);
	assert_int_equal(unlink("abc"), 0);
	assert_int_equal(file_sha256(AT_FDCWD, "abc", hex, &bytes), -ENOENT);
	assert_int_equal(file_sha256(AT_FDCWD, ".", hex, &bytes), -EISDIR);
	assert_int_equal(bytes, 3);
}

static void a_folder_can_be_synced(void **state)
{
	int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(file_sync_dir(fd), 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(file_sync_dir(fd), -EBADF);
}

static void an_explanation_is_cut_and_prefixed_never_overrun(void **state)
{
	struct error error = {""};
	char longer[600];

	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(error_prefix(&error, -ENOENT, "%s", "here"), -ENOENT);
	assert_string_equal(error.text, "here: No such file or directory");
	assert_int_equal(error_prefix(&error, -EIO, "%d", 7), -EIO);
	assert_string_equal(error.text, "7: here: No such file or directory");
	assert_int_equal(error_set(&error, 3, "%s", longer), 3);
	assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
	assert_int_equal(error_prefix(&error, 3, "%s", "p"), 3);
	assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
	assert_memory_equal(error.text, "p: x", 4);
	assert_int_equal(error_prefix(&error, 3, "%s", longer), 3);
	assert_int_equal(error_set(NULL, -EIO, "%s", "nobody listens"), -EIO);
	assert_int_equal(error_prefix(NULL, -EIO, "%s", "nobody listens"), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_whole),
		cmocka_unit_test(a_file_larger_than_allowed_is_refused),
		cmocka_unit_test(a_pipe_that_says_nothing_is_no_file),
		cmocka_unit_test(an_empty_file_reads_as_empty_text),
		cmocka_unit_test(what_cannot_be_read_says_why),
		cmocka_unit_test(a_write_that_fails_says_why),
		cmocka_unit_test(folders_are_made_with_their_parents),
		cmocka_unit_test(a_file_is_replaced_whole_or_not_at_all),
		cmocka_unit_test(a_path_that_does_not_fit_is_an_error),
		cmocka_unit_test(a_hash_is_the_one_of_the_standard),
		cmocka_unit_test(a_folder_can_be_synced),
		cmocka_unit_test(an_explanation_is_cut_and_prefixed_never_overrun),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
