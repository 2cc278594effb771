/*
 * Each note is a small text file that is replaced whole. Losing one, or finding
 * it broken, costs time and never data: an upload begins anew, a configuration
 * comes again, a snippet stays on the box for longer.
 */
#include "app/sync/notes.h"

#include "app/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UPLOAD "upload"
#define CONFIG "config"
#define CONFIRMED "confirmed"
#define LAST "last"
#define MOST 65536
#define CONFIRMED_MOST 400

static int read_note(const char *dir, const char *name, char **ret_text)
{
	char path[FILE_PATH_CHARS];
	size_t n;
	int r;

	r = file_path(path, sizeof(path), "%s/%s", dir, name);
	return r < 0 ? r : file_read(path, MOST, ret_text, &n);
}

/* --- the upload under way --- */

int notes_upload(const char *dir, struct notes_upload *ret_upload)
{
	struct notes_upload upload = {.seq = 0};
	long long seq;
	char *text;
	int r;

	r = read_note(dir, UPLOAD, &text);
	if (r < 0) {
		return r;
	}
	r = sscanf(text, "%36s %lld %64s %255s", upload.journal, &seq, upload.sha256,
		    upload.location) == 4 &&
			seq > 0 && upload.location[0] == '/'
		? 0
		: -ENOENT;
	free(text);
	if (r == 0) {
		upload.seq = seq;
		*ret_upload = upload;
	}
	return r;
}

int notes_keep_upload(const char *dir, const struct notes_upload *upload)
{
	char text[512];
	int r;

	r = file_path(text, sizeof(text), "%s %lld %s %s\n", upload->journal,
		(long long)upload->seq, upload->sha256, upload->location);
	return r < 0 ? r : file_replace(dir, UPLOAD, text, strlen(text), 0640);
}

void notes_forget_upload(const char *dir)
{
	/* one that stays is found wrong when it is used */
	(void)!file_remove(dir, UPLOAD);
}

/* --- the configuration --- */

void notes_config(const char *dir, char ret_etag[static SAID_ETAG_CHARS], int *ret_days_on_box)
{
	char *text, *end;
	long days;

	ret_etag[0] = '\0';
	*ret_days_on_box = -1;
	if (read_note(dir, CONFIG, &text) < 0) {
		return;
	}
	days = strtol(text, &end, 10);
	if (end != text && *end == ' ' && days >= -1 && days <= 3650) {
		*ret_days_on_box = (int)days;
		end[1 + strcspn(end + 1, "\n")] = '\0';
		if (strlen(end + 1) < SAID_ETAG_CHARS) {
			memcpy(ret_etag, end + 1, strlen(end + 1) + 1);
		}
	}
	free(text);
}

int notes_keep_config(const char *dir, const char *etag, int days_on_box)
{
	char text[SAID_ETAG_CHARS + 32];
	int r;

	r = file_path(text, sizeof(text), "%d %s\n", days_on_box, etag);
	return r < 0 ? r : file_replace(dir, CONFIG, text, strlen(text), 0640);
}

void notes_forget_config(const char *dir)
{
	(void)!file_remove(dir, CONFIG);
}

/* --- what the server has, since when --- */

struct confirmed {
	char journal[ID_CHARS];
	int64_t server_ns, seq;
};

/* The next line of the note; *text moves on. */
static bool next_confirmed(char **text, struct confirmed *ret_line)
{
	while (**text) {
		char *line = *text, *end = strchr(line, '\n');
		long long server_ns, seq;
		struct confirmed one = {.seq = 0};

		if (!end) {
			return false; /* half a line is none */
		}
		*end = '\0';
		*text = end + 1;
		if (sscanf(line, "%36s %lld %lld", one.journal, &server_ns, &seq) == 3) {
			one.server_ns = server_ns;
			one.seq = seq;
			*ret_line = one;
			return true;
		}
	}
	return false;
}

int notes_keep_confirmed(const char *dir, const char *journal, int64_t server_ns, int64_t seq)
{
	char *text = NULL, *at, *more;
	struct confirmed line, list[CONFIRMED_MOST];
	size_t n = 0, used = 0, room = (CONFIRMED_MOST + 1) * 96;
	int r;

	r = read_note(dir, CONFIRMED, &text);
	if (r < 0 && r != -ENOENT && r != -EFBIG) {
		return r;
	}
	for (at = text; at && next_confirmed(&at, &line);) {
		if (strcmp(line.journal, journal) != 0 || line.seq == seq) {
			if (strcmp(line.journal, journal) == 0) {
				free(text); /* known already, and since earlier */
				return 0;
			}
			continue; /* of a journal that was set aside */
		}
		if (n == CONFIRMED_MOST) {
			/* the second oldest goes: what it said stays true of the next */
			memmove(&list[1], &list[2], (n - 2) * sizeof(list[0]));
			n--;
		}
		list[n++] = line;
	}
	free(text);
	more = malloc(room);
	if (!more) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		used += (size_t)snprintf(more + used, room - used, "%s %lld %lld\n",
			list[i].journal, (long long)list[i].server_ns, (long long)list[i].seq);
	}
	used += (size_t)snprintf(more + used, room - used, "%s %lld %lld\n", journal,
		(long long)server_ns, (long long)seq);
	r = file_replace(dir, CONFIRMED, more, used, 0640);
	free(more);
	return r;
}

int64_t notes_confirmed(const char *dir, const char *journal, int64_t server_ns)
{
	struct confirmed line;
	int64_t seq = 0;
	char *text, *at;

	if (read_note(dir, CONFIRMED, &text) < 0) {
		return 0;
	}
	for (at = text; next_confirmed(&at, &line);) {
		if (strcmp(line.journal, journal) == 0 && line.server_ns <= server_ns &&
			line.seq > seq) {
			seq = line.seq;
		}
	}
	free(text);
	return seq;
}

/* --- the last run --- */

int notes_last(const char *dir, struct notes_last *ret_last)
{
	struct notes_last last = {.exit_code = 0};
	long long began, ended, entries, snippets;
	int words = 0, r;
	char *text;

	r = read_note(dir, LAST, &text);
	if (r < 0) {
		return r;
	}
	if (sscanf(text, "%lld %lld %d %lld %lld %n", &began, &ended, &last.exit_code, &entries,
		    &snippets, &words) != 5 ||
		words == 0) {
		free(text);
		return -ENOENT;
	}
	last.began_ns = began;
	last.ended_ns = ended;
	last.unsent_entries = entries;
	last.unsent_snippets = snippets;
	(void)snprintf(last.words, sizeof(last.words), "%.*s", (int)strcspn(text + words, "\n"),
		text + words);
	free(text);
	*ret_last = last;
	return 0;
}

int notes_keep_last(const char *dir, const struct notes_last *last)
{
	char text[600];
	int r;

	r = file_path(text, sizeof(text), "%lld %lld %d %lld %lld %s\n", (long long)last->began_ns,
		(long long)last->ended_ns, last->exit_code, (long long)last->unsent_entries,
		(long long)last->unsent_snippets, last->words);
	return r < 0 ? r : file_replace(dir, LAST, text, strlen(text), 0640);
}
