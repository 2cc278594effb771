#include "app/journal/gone.h"

#include "app/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_entry(int64_t seq, const struct facts *snippet, struct entry *ret_entry)
{
	struct entry entry = {.kind = ENTRY_GONE, .ref = seq};
	struct facts facts = {0};
	int r;

	(void)snprintf(facts.file, sizeof(facts.file), "%s", snippet->file);
	(void)snprintf(facts.sha256, sizeof(facts.sha256), "%s", snippet->sha256);
	r = entry_set_facts(&entry, &facts);
	if (r == 0) {
		*ret_entry = entry;
	}
	return r;
}

static int check_entry(const struct entry *entry, int dir_fd, int64_t seq, const char *sha256,
	struct entry *ret_entry, struct error *error)
{
	struct facts facts;
	struct stat st;
	int r;

	if (entry->seq != seq || entry->kind != ENTRY_SNIPPET) {
		return error_set(error, -EINVAL, "entry %lld is no snippet", (long long)seq);
	}
	r = entry_check(entry, error); /* its file's name must not lead elsewhere */
	if (r < 0) {
		return r;
	}
	r = entry_get_facts(entry, &facts);
	if (r < 0) {
		return error_set(error, r, "entry %lld: %s", (long long)seq, strerror(-r));
	}
	if (strcmp(facts.sha256, sha256) != 0) {
		r = error_set(error, -EINVAL, "snippet %lld has another hash", (long long)seq);
	} else if (fstatat(dir_fd, facts.file, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		r = errno == ENOENT
			? GONE_E_ALREADY
			: error_set(error, -errno, "snippets/%s: %s", facts.file, strerror(errno));
	} else {
		r = make_entry(seq, &facts, ret_entry);
		if (r < 0) {
			(void)error_set(error, r, "out of memory");
		}
	}
	facts_fini(&facts);
	return r;
}

int gone_check(struct journal *journal, int dir_fd, int64_t seq, const char *sha256,
	struct entry *ret_entry, struct error *error)
{
	struct entries entries = {0};
	int r;

	r = journal_read(journal, seq, 1, &entries, error);
	if (r == 0 && entries.n == 0) {
		r = error_set(error, -EINVAL, "there is no entry %lld", (long long)seq);
	}
	if (r == 0) {
		r = check_entry(&entries.list[0], dir_fd, seq, sha256, ret_entry, error);
	}
	entries_fini(&entries);
	return r;
}

int gone_remove(int dir_fd, const struct entry *entry)
{
	struct facts facts;
	int r;

	r = entry_check(entry, NULL);
	if (r == 0) {
		r = entry_get_facts(entry, &facts);
	}
	if (r < 0) {
		return r;
	}
	if (unlinkat(dir_fd, facts.file, 0) < 0 && errno != ENOENT) {
		r = -errno;
	}
	facts_fini(&facts);
	return r == 0 ? file_sync_dir(dir_fd) : r;
}
