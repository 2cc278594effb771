/*
 * The journal against its own rules, and the snippets' folder against the
 * journal. A recorder may be at work meanwhile: the folder is listed before the
 * journal is read, and what does not match is looked at once more a moment later,
 * so that a snippet just being finished is no finding.
 */
#include "app/base/file.h"
#include "app/cli/cli.h"
#include "app/cli/record.h"
#include "app/cli/sound.h"
#include "app/timeline/json.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECOND_LOOK_MS 500
/* What the stated length may differ by: a packet's end, and a card's clock. */
#define LENGTH_SLACK_NS (60 * NS_PER_MS)
#define LENGTH_SLACK_PPM 300

static int run(struct cli *cli, int argc, char **argv);

const struct command command_check = {
	.name = "check",
	.arguments = "[--decode] [--json]",
	.summary = "verifies the journal and every snippet",
	.help = "  --decode           also decodes all sound, which takes its time\n"
		"\n"
		"Exits with 1 when anything was found, each on a line of its own.\n",
	.json = true,
	.run = run,
};

/* A file that an entry names. */
struct named {
	char file[64];
	int64_t seq;
};

struct check {
	struct record *record;
	struct named *named;
	bool decode;
	char **findings;
	size_t n, room;
	bool failed; /* out of memory */
	size_t n_named, n_snippets, n_observations;
	int64_t bytes;
};

/* A finding is one line that can be shown and sent on, whatever a file is called. */
static void clean(char *text)
{
	json_t *utf8 = json_string(text);

	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < ' ' || c == 0x7f || (utf8 == NULL && c > 0x7f)) {
			*text = '?';
		}
	}
	json_decref(utf8);
}

static void find(struct check *check, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void find(struct check *check, const char *format, ...)
{
	char *text = NULL;
	va_list args;

	if (check->n == check->room) {
		size_t room = check->room > 0 ? check->room * 2 : 16;
		char **list = reallocarray(check->findings, room, sizeof(*list));

		if (list == NULL) {
			check->failed = true;
			return;
		}
		check->findings = list;
		check->room = room;
	}
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0) {
		check->failed = true;
	} else {
		clean(text);
		check->findings[check->n++] = text;
	}
	va_end(args);
}

static void forget(struct check *check, size_t from)
{
	while (check->n > from) {
		free(check->findings[--check->n]);
	}
}

static void on_journal(void *data, const char *finding)
{
	find(data, "journal: %s", finding);
}

static void check_sound(struct check *check, const char *path, const struct facts *facts)
{
	int16_t *samples = NULL;
	struct sound *sound;
	struct error error;
	int64_t stated_ns = facts->to_ns - facts->from_ns, frames, length_ns;
	int64_t slack_ns = LENGTH_SLACK_NS + stated_ns / 1000000 * LENGTH_SLACK_PPM;
	int r;

	if (sound_open(path, &sound, &error) < 0) {
		find(check, "snippet %s", error.text);
		return;
	}
	frames = sound_frames(sound);
	length_ns = frames * 1000 / (SOUND_RATE_HZ / 1000) * 1000;
	if (llabs(length_ns - stated_ns) > slack_ns) {
		find(check, "snippet %s: holds %.3f s of sound, but the journal says %.3f s", path,
			(double)length_ns / 1e9, (double)stated_ns / 1e9);
	}
	samples = malloc(SOUND_READ_SAMPLES * sizeof(*samples));
	if (samples == NULL) {
		check->failed = true;
		sound_close(sound);
		return;
	}
	do { /* the first packet always, all of them if asked */
		r = sound_read(sound, samples, SOUND_READ_SAMPLES, &error);
	} while (r > 0 && check->decode);
	if (r < 0) {
		find(check, "snippet %s", error.text);
	}
	free(samples);
	sound_close(sound);
}

/* Whether the journal says that the snippet may leave the box. */
static bool may_be_gone(const struct check *check, int64_t seq)
{
	const struct entries *entries = &check->record->entries;

	for (size_t i = 0; i < entries->n; i++) {
		if (entries->list[i].kind == ENTRY_GONE && entries->list[i].ref == seq) {
			return true;
		}
	}
	return false;
}

static void check_snippet(struct check *check, const struct entry *entry, const struct facts *facts)
{
	char path[FILE_PATH_CHARS], sha256[65];
	struct error error;
	off_t bytes;
	int r;

	check->n_snippets++;
	check->bytes += facts->bytes;
	if (record_snippet_path(check->record, facts->file, sizeof(path), path, &error) < 0) {
		find(check, "entry %lld: %s", (long long)entry->seq, error.text);
		return;
	}
	r = file_sha256(AT_FDCWD, path, sha256, &bytes);
	if (r == -ENOENT && may_be_gone(check, entry->seq)) {
		check->bytes -= facts->bytes;
	} else if (r == -ENOENT) {
		find(check, "snippet %s: is missing, though entry %lld names it", path,
			(long long)entry->seq);
	} else if (r < 0) {
		find(check, "snippet %s: %s", path, strerrordesc_np(-r));
	} else if (bytes != facts->bytes) {
		find(check, "snippet %s: has %lld bytes, but the journal says %lld", path,
			(long long)bytes, (long long)facts->bytes);
	} else if (strcmp(sha256, facts->sha256) != 0) {
		find(check, "snippet %s: its content is not what was recorded (SHA-256 differs)",
			path);
	} else {
		check_sound(check, path, facts);
	}
}

/* The entry that names the file, 0 for none. */
static int64_t who_names(const struct check *check, const char *file)
{
	for (size_t i = 0; i < check->n_named; i++) {
		if (strcmp(check->named[i].file, file) == 0) {
			return check->named[i].seq;
		}
	}
	return 0;
}

static int check_snippets(struct check *check)
{
	const struct entries *entries = &check->record->entries;

	free(check->named);
	check->n_named = 0;
	check->named = calloc(entries->n + 1, sizeof(*check->named));
	if (check->named == NULL) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < entries->n; i++) {
		const struct entry *entry = &entries->list[i];
		struct facts facts;
		int64_t earlier;

		if (entry->kind != ENTRY_SNIPPET || entry_get_facts(entry, &facts) < 0) {
			continue; /* a broken body is a finding of the journal's */
		}
		earlier = who_names(check, facts.file);
		if (earlier != 0) {
			find(check, "entry %lld: names the snippet %s, as entry %lld does",
				(long long)entry->seq, facts.file, (long long)earlier);
		} else {
			struct named *named = &check->named[check->n_named++];

			named->seq = entry->seq;
			memcpy(named->file, facts.file, sizeof(named->file));
			check_snippet(check, entry, &facts);
		}
		facts_fini(&facts);
	}
	return 0;
}

/* The names in the snippets' folder, but for working files. 0 or -errno. */
static int list_folder(const char *path, char ***ret_names, size_t *ret_n)
{
	struct dirent **list;
	int found = scandir(path, &list, NULL, alphasort);
	char **names;
	size_t n = 0;

	if (found < 0) {
		return errno == ENOENT ? 0 : -errno;
	}
	names = calloc((size_t)found + 1, sizeof(*names));
	for (int i = 0; i < found; i++) {
		const char *name = list[i]->d_name;
		size_t length = strlen(name);
		bool working = length > 5 && strcmp(name + length - 5, ".part") == 0;

		if (names != NULL && !working && strcmp(name, ".") != 0 &&
			strcmp(name, "..") != 0) {
			names[n] = strdup(name);
			n += names[n] != NULL;
		}
		free(list[i]);
	}
	free(list);
	if (names == NULL) {
		return -ENOMEM;
	}
	*ret_names = names;
	*ret_n = n;
	return 0;
}

/* Folder against journal, once; findings from the look before are forgotten. */
static int check_files(struct check *check, size_t first, struct error *error)
{
	char folder[FILE_PATH_CHARS];
	char **names = NULL;
	size_t n = 0;
	int r = file_path(folder, sizeof(folder), "%s/snippets", check->record->config.state);

	if (r == 0) {
		r = list_folder(folder, &names, &n);
	}
	if (r < 0) {
		return error_set(error, r, "%s/snippets: %s", check->record->config.state,
			strerrordesc_np(-r));
	}
	forget(check, first);
	check->n_snippets = 0;
	check->bytes = 0;
	r = record_refresh(check->record, error);
	if (r == 0) {
		r = check_snippets(check);
		if (r < 0) {
			error_set(error, r, "out of memory");
		}
	}
	for (size_t i = 0; i < n; i++) {
		if (r == 0 && who_names(check, names[i]) == 0) {
			find(check, "snippet %s/%s: no entry of the journal names it", folder,
				names[i]);
		}
		free(names[i]);
	}
	free(names);
	return r;
}

static void check_observations(struct check *check)
{
	const struct entries *entries = &check->record->entries;
	int64_t id = 0;

	while ((id = timeline_next(entries->list, entries->n, id)) != 0) {
		struct timeline *timeline;
		int r = timeline_fold(entries->list, entries->n, id, &timeline);

		check->n_observations++;
		if (r == -ENOMEM) {
			check->failed = true;
			return;
		}
		if (r < 0) {
			find(check, "observation %lld: cannot be read: %s", (long long)id,
				strerrordesc_np(-r));
			continue;
		}
		if (timeline->scheme_lost) {
			find(check,
				"observation %lld: its scheme is unreadable; the default stands in",
				(long long)id);
		}
		timeline_free(timeline);
	}
}

static int check_all(struct check *check, struct error *error)
{
	int r = journal_check(check->record->journal, on_journal, check, error);
	size_t first = check->n;

	if (r < 0) {
		return r;
	}
	check_observations(check);
	first = check->n;
	r = check_files(check, first, error);
	if (r == 0 && check->n > first) {
		usleep(SECOND_LOOK_MS * 1000);
		r = check_files(check, first, error);
	}
	return r == 0 && check->failed ? error_set(error, -ENOMEM, "out of memory") : r;
}

static int print_json(const struct check *check)
{
	json_t *list = json_array();

	for (size_t i = 0; i < check->n; i++) {
		if (json_array_append_new(list, json_string(check->findings[i])) < 0) {
			json_decref(list);
			return -ENOMEM;
		}
	}
	return json_print(
		json_pack("{s:s, s:i, s:I, s:I, s:I, s:I, s:o}", "format", "chalkbox-check",
			"version", 1, "entries", (json_int_t)check->record->entries.n,
			"observations", (json_int_t)check->n_observations, "snippets",
			(json_int_t)check->n_snippets, "bytes", (json_int_t)check->bytes,
			"findings", list),
		stdout);
}

static int print_text(const struct check *check)
{
	for (size_t i = 0; i < check->n; i++) {
		printf("%s\n", check->findings[i]);
	}
	printf("entries %zu, observations %zu, snippets %zu (%.1f MiB): ", check->record->entries.n,
		check->n_observations, check->n_snippets, (double)check->bytes / 1048576.0);
	if (check->n == 0) {
		printf("all is well\n");
	} else {
		printf("%zu finding%s\n", check->n, check->n == 1 ? "" : "s");
	}
	return fflush(stdout) != 0 || ferror(stdout) ? -EIO : 0;
}

static int run(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		CLI_OPTIONS,
		{"decode", no_argument, NULL, 'd'},
		{0},
	};
	struct record record;
	struct check check = {.record = &record};
	struct error error;
	int option, r, status;

	while ((option = cli_option(cli, argc, argv, options)) != -1) {
		if (option != 'd') {
			return cli->status;
		}
		check.decode = true;
	}
	if (optind < argc) {
		return cli_misuse(cli, "`%s` is one argument too many", argv[optind]);
	}
	r = record_open(cli->config_path, &record, &error);
	if (r == 0) {
		r = check_all(&check, &error);
	}
	if (r < 0) {
		status = cli_error("%s", error.text);
	} else {
		r = cli->json ? print_json(&check) : print_text(&check);
		status = r < 0 ? cli_unprinted(cli, r) : check.n > 0 ? CLI_FAILED : CLI_FINE;
	}
	forget(&check, 0);
	free(check.findings);
	free(check.named);
	record_close(&record);
	return status;
}
