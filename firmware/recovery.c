#include "firmware/recovery.h"

#include "app/base/file.h"
#include "firmware/snippet.h"
#include "firmware/torn.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEP 512

/* Whether the journal, from @from on, has a snippet entry for this file. */
static bool named(struct journal *journal, int64_t from, const char *file)
{
	bool found = false;
	for (int64_t at = from > 0 ? from : 1; !found && at <= journal_last(journal); at += STEP) {
		struct entries entries = {0};
		if (journal_read(journal, at, STEP, &entries, NULL) < 0) {
			entries_fini(&entries);
			return false;
		}
		for (size_t i = 0; i < entries.n && !found; i++) {
			struct facts facts;
			if (entries.list[i].kind == ENTRY_SNIPPET &&
				entry_get_facts(&entries.list[i], &facts) == 0) {
				found = strcmp(facts.file, file) == 0;
				facts_fini(&facts);
			}
		}
		entries_fini(&entries);
	}
	return found;
}

/* Whether this journal is the one that knows the snippet's observation and boot. */
static bool knows(struct journal *journal, const struct snippet_head *head)
{
	struct entries entries = {0};
	bool known = head->observation > 0 &&
		journal_read(journal, head->observation, 1, &entries, NULL) == 0 &&
		entries.n == 1 && entries.list[0].kind == ENTRY_START &&
		entries.list[0].boot == head->boot;
	entries_fini(&entries);
	return known;
}

/* Kept for whoever can read it; the next start has nothing to do with it. */
static int set_aside(int dir_fd, const char *part, struct error *error)
{
	char name[FILE_PATH_CHARS];
	int r = file_path(name, sizeof(name), "%.*s" TORN_DAMAGED,
		(int)(strlen(part) - strlen(SNIPPET_PART)), part);
	if (r == 0 && renameat(dir_fd, part, dir_fd, name) < 0) {
		r = -errno;
	}
	r = r < 0 ? r : file_sync_dir(dir_fd);
	return r < 0 ? error_set(error, r, "snippets/%s: damaged; setting it aside: %s", part,
			       strerror(-r))
		     : error_set(error, -EBADMSG, "snippets/%s: damaged; it is kept as %s", part,
			       name);
}

static int repair(struct journal *journal, int dir_fd, const char *part, int64_t now_ns,
	struct recorder *recorder, struct error *error)
{
	struct snippet_head head;
	struct facts facts;
	int r = torn_repair(dir_fd, part, &head, &facts);
	if (r == -ENODATA) { /* begun, and not a sound in it */
		return unlinkat(dir_fd, part, 0) < 0
			? error_set(error, -errno, "snippets/%s: %m", part)
			: 0;
	}
	if (r == -EBADMSG) {
		return set_aside(dir_fd, part, error);
	}
	if (r < 0) {
		return error_set(error, r, "snippets/%s: %s", part, strerror(-r));
	}
	if (named(journal, head.boot, facts.file)) {
		r = snippet_publish(dir_fd, facts.file);
	} else if (knows(journal, &head)) {
		recorder_note(recorder, ENTRY_SNIPPET, facts.to_ns, head.observation, head.boot,
			&facts);
	} else {
		recorder_note(recorder, ENTRY_SNIPPET, now_ns, 0, 0, &facts);
	}
	facts_fini(&facts);
	return r < 0 ? error_set(error, r, "snippets/%s: %s", part, strerror(-r)) : 1;
}

int recovery_run(struct journal *journal, int dir_fd, int64_t now_ns, struct recorder *recorder,
	int *ret_repaired, struct error *error)
{
	int64_t observation;
	int result = journal_observing(journal, &observation, error);
	if (result == 0 && observation) {
		recorder_recovered(recorder, now_ns, observation);
	}
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		int r = error_set(error, -errno, "snippets: %m");
		if (fd >= 0) {
			close(fd);
		}
		return r;
	}
	*ret_repaired = 0;
	for (struct dirent *entry; (entry = readdir(dir));) {
		size_t n = strlen(entry->d_name), tail = strlen(SNIPPET_PART);
		if (entry->d_name[0] == '.' || n <= tail ||
			strcmp(entry->d_name + n - tail, SNIPPET_PART) != 0) {
			continue;
		}
		int r = repair(journal, dir_fd, entry->d_name, now_ns, recorder, error);
		*ret_repaired += r > 0;
		result = r < 0 ? r : result;
	}
	closedir(dir);
	return result;
}

bool recovery_muted(struct journal *journal)
{
	bool muted = false, found = false;
	for (int64_t to = journal_last(journal); to > 0 && !found; to -= STEP) {
		struct entries entries = {0};
		int64_t from = to > STEP ? to - STEP + 1 : 1;
		if (journal_read(journal, from, (size_t)(to - from + 1), &entries, NULL) < 0) {
			found = muted = true;
		}
		for (size_t i = entries.n; i > 0 && !found; i--) {
			found = entries.list[i - 1].kind == ENTRY_MIC;
			muted = found && entries.list[i - 1].value == MIC_MUTED;
		}
		entries_fini(&entries);
	}
	return muted;
}
