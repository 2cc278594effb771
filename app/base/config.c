/*
 * One table says what can be set; reading, checking and printing all walk it.
 *
 * The board's file is named by chalkbox.conf and yields to it. So every file is
 * read first, then the last line that names a board is looked for, and then the
 * lines are applied: the board's, chalkbox.conf's, those of chalkbox.conf.d in
 * the order of their names. The files stay in memory until the end, because the
 * checks of the whole (two buttons on one line) name the lines they stand in.
 */
#include "app/base/config.h"

#include "app/base/conffile.h"
#include "app/base/file.h"
#include "app/base/wires.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOARD_DIR CHALKBOX_PREFIX "/share/chalkbox/board"
#define FILES_MOST 34
#define TEXT_ROOM 188 /* with the longest key before it, still a line that can be read */
#define HOST_BYTES "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_"
#define BOX_NAME_ROOM 64 /* as much as the journal keeps */

static const char *const buttons_words[] = {"gpio", "evdev", "sim", NULL};
static const char *const lamps_words[] = {"none", "gpio", "sim", NULL};
static const char *const active_words[] = {"low", "high", NULL};
static const char *const pull_words[] = {"up", "none", NULL};

enum kind {
	KIND_TEXT, /* least: may not be empty; most: its room */
	KIND_PATH, /* a text; relative to the folder of its file */
	KIND_SCHEME, /* a path, "default" or "site" */
	KIND_BOARD, /* a path if it has a slash, else a name */
	KIND_INT,
	KIND_BOOL,
	KIND_CHOICE, /* an enum, in the order of the words */
	KIND_FIRST, /* a bool: true for the first of two words */
};

struct setting {
	const char *section, *key;
	enum kind kind;
	size_t offset;
	int least, most;
	const char *const *words;
};

#define AT(member) offsetof(struct config, member)

static const struct setting settings[] = {
	{"box", "name", KIND_TEXT, AT(name), 1, BOX_NAME_ROOM, NULL},
	{"box", "state", KIND_PATH, AT(state), 1, TEXT_ROOM, NULL},
	{"box", "runtime", KIND_PATH, AT(runtime), 1, TEXT_ROOM, NULL},
	{"box", "board", KIND_BOARD, AT(board), 1, TEXT_ROOM, NULL},
	{"box", "scheme", KIND_SCHEME, AT(scheme), 1, TEXT_ROOM, NULL},
	{"sound", "enabled", KIND_BOOL, AT(sound), 0, 0, NULL},
	{"sound", "ring_s", KIND_INT, AT(ring_s), 60, 300, NULL},
	{"sound", "bitrate_kbit", KIND_INT, AT(bitrate_kbit), 12, 128, NULL},
	{"observation", "idle_min", KIND_INT, AT(idle_min), 5, 600, NULL},
	{"storage", "reserve_mib", KIND_INT, AT(reserve_mib), 4, 256, NULL},
	{"storage", "sound_stops_mib", KIND_INT, AT(sound_stops_mib), 1, 4096, NULL},
	{"sync", "state", KIND_PATH, AT(sync_state), 1, TEXT_ROOM, NULL},
	{"sync", "ssids", KIND_TEXT, AT(ssids), 0, TEXT_ROOM, NULL},
	{"sync", "allow_metered", KIND_BOOL, AT(allow_metered), 0, 0, NULL},
	{"sync", "days_on_box", KIND_INT, AT(days_on_box), -1, 3650, NULL},
	{"sync", "boot_file", KIND_PATH, AT(boot_file), 0, TEXT_ROOM, NULL},
	{"board", "title", KIND_TEXT, AT(board_title), 0, TEXT_ROOM, NULL},
	{"board", "buttons", KIND_CHOICE, AT(buttons_kind), 0, 0, buttons_words},
	{"board", "lamps", KIND_CHOICE, AT(lamps_kind), 0, 0, lamps_words},
	{"board", "chip", KIND_TEXT, AT(chip), 0, CONFIG_NAME_CHARS, NULL},
	{"board", "input", KIND_TEXT, AT(input), 0, TEXT_ROOM, NULL},
	{"board", "active", KIND_FIRST, AT(active_low), 0, 0, active_words},
	{"board", "pull", KIND_FIRST, AT(pull_up), 0, 0, pull_words},
	{"board", "debounce_ms", KIND_INT, AT(debounce_ms), 1, 50, NULL},
	{"microphone", "card", KIND_TEXT, AT(card), 0, CONFIG_NAME_CHARS, NULL},
	{"microphone", "pcm", KIND_TEXT, AT(pcm), 0, CONFIG_NAME_CHARS, NULL},
	{"microphone", "channel", KIND_INT, AT(channel), 1, 64, NULL},
	{"microphone", "gain_db", KIND_INT, AT(gain_db), -20, 40, NULL},
};

#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

/* The board's sections stand first: a board's file knows only those. */
static const char *const sections[] = {
	"board", "buttons", "lamps", "microphone", "box", "sound", "observation", "storage", "sync", NULL};
static const char *const board_sections[] = {"board", "buttons", "lamps", "microphone", NULL};

struct draft {
	struct config config;
	struct conffile *files[FILES_MOST]; /* the board's at [0] */
	size_t n_files;
	struct wire_lines buttons, lamps;
	const struct conf_line *microphone; /* the last non-empty card or pcm */
	char board_path[FILE_PATH_CHARS];
};

/* The folder a file is in, from the root, with no slash at its end but "/"'s. */
static int folder_of(const char *path, char ret_folder[static PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];
	int r;

	if (!slash) {
		r = file_path(folder, sizeof(folder), ".");
	} else {
		r = file_path(folder, sizeof(folder), "%.*s/", (int)(slash - path), path);
	}
	if (r < 0) {
		return r;
	}
	return realpath(folder, ret_folder) ? 0 : -errno;
}

static int read_path(const struct conf_line *line, char *ret_path, size_t room, struct error *error)
{
	char folder[PATH_MAX], path[CONFIG_TEXT_CHARS];
	int r;

	if (line->value[0] == '/') {
		return conf_text(line, ret_path, room, error);
	}
	r = folder_of(line->file, folder);
	if (r < 0) {
		(void)error_set(error, r, "%s", "");
		return error_prefix(error, r, "%s:%d: the folder it is in", line->file, line->line);
	}
	if (file_path(path, room, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder,
		    strncmp(line->value, "./", 2) == 0 ? line->value + 2 : line->value) < 0) {
		return conf_bad(line, error, "with the folder before it, the path is too long");
	}
	if (strstr(path, " ;") || strpbrk(path, "\t\n\r")) {
		return conf_bad(line, error,
			"with the folder before it, the path holds \" ;\" or a line's end; use a "
			"folder without them");
	}
	memcpy(ret_path, path, strlen(path) + 1);
	return 0;
}

static int read_text(const struct conf_line *line, const struct setting *setting, char *ret_text,
	struct error *error)
{
	size_t room = (size_t)setting->most;

	if (setting->least > 0 && line->value[0] == '\0') {
		return conf_bad(line, error, "must not be empty; leave the line out instead");
	}
	if ((setting->kind == KIND_PATH && line->value[0] != '\0') ||
		(setting->kind == KIND_SCHEME && strcmp(line->value, "default") != 0 &&
			strcmp(line->value, "site") != 0) ||
		(setting->kind == KIND_BOARD && strchr(line->value, '/'))) {
		return read_path(line, ret_text, room, error);
	}
	return conf_text(line, ret_text, room, error);
}

static int read_setting(const struct conf_line *line, const struct setting *setting,
	struct config *config, struct error *error)
{
	char *at = (char *)config + setting->offset;
	int r, value;
	bool flag;

	switch (setting->kind) {
	case KIND_TEXT:
	case KIND_PATH:
	case KIND_SCHEME:
	case KIND_BOARD:
		return read_text(line, setting, at, error);
	case KIND_BOOL:
		r = conf_bool(line, &flag, error);
		if (r == 0) {
			memcpy(at, &flag, sizeof(flag));
		}
		return r;
	case KIND_INT:
		r = conf_int(line, setting->least, setting->most, &value, error);
		break;
	default:
		r = conf_choice(line, setting->words, &value, error);
	}
	if (r < 0) {
		return r;
	}
	if (setting->kind == KIND_FIRST) {
		flag = value == 0;
		memcpy(at, &flag, sizeof(flag));
	} else {
		memcpy(at, &value, sizeof(value));
	}
	return 0;
}

_Static_assert(sizeof(enum config_buttons) == sizeof(int), "choices are stored as int");
_Static_assert(sizeof(enum config_lamps) == sizeof(int), "choices are stored as int");

/* A card and a PCM are two ways to say one thing: the later one counts. */
static int note_microphone(struct draft *draft, const struct conf_line *line, struct error *error)
{
	const struct conf_line *before = draft->microphone;

	if (line->value[0] == '\0' ||
		(strcmp(line->key, "card") != 0 && strcmp(line->key, "pcm") != 0)) {
		return 0;
	}
	if (before && strcmp(before->key, line->key) != 0) {
		if (strcmp(before->file, line->file) == 0) {
			return conf_bad(line, error, "line %d gives a %s already; keep one of them",
				before->line, before->key);
		}
		if (strcmp(line->key, "card") == 0) {
			draft->config.pcm[0] = '\0';
		} else {
			draft->config.card[0] = '\0';
		}
	}
	draft->microphone = line;
	return 0;
}

static bool is_among(const char *const *words, const char *word)
{
	for (; *words; words++) {
		if (strcmp(*words, word) == 0) {
			return true;
		}
	}
	return false;
}

static int take_line(struct draft *draft, const struct conf_line *line, const char *const *known,
	struct error *error)
{
	const char *keys[SETTINGS + 1];
	size_t n = 0;
	int r;

	if (!is_among(known, line->section)) {
		if (is_among(sections, line->section)) {
			return error_set(error, -EINVAL,
				"%s:%d: [%s] does not belong into a board's file; put it into "
				"chalkbox.conf",
				line->file, line->line, line->section);
		}
		return conf_unknown(line, "section", line->section, known, error);
	}
	if (strcmp(line->section, "buttons") == 0) {
		return wires_take(line, &draft->config.buttons, &draft->buttons, error);
	}
	if (strcmp(line->section, "lamps") == 0) {
		return wires_take(line, &draft->config.lamps, &draft->lamps, error);
	}

	for (size_t i = 0; i < SETTINGS; i++) {
		if (strcmp(settings[i].section, line->section) != 0) {
			continue;
		}
		if (strcmp(settings[i].key, line->key) == 0) {
			r = read_setting(line, &settings[i], &draft->config, error);
			return r < 0 ? r : note_microphone(draft, line, error);
		}
		keys[n++] = settings[i].key;
	}
	keys[n] = NULL;
	return conf_unknown(line, "key", line->key, keys, error);
}

static int take_file(struct draft *draft, size_t i, const char *const *known, struct error *error)
{
	const struct conf_line *lines;
	size_t n;

	lines = conffile_lines(draft->files[i], &n);
	for (size_t k = 0; k < n; k++) {
		int r = take_line(draft, &lines[k], known, error);

		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static int is_conf(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return entry->d_name[0] != '.' && n > 5 && strcmp(entry->d_name + n - 5, ".conf") == 0;
}

/* Not alphasort(), which goes by the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_folder(struct draft *draft, const char *folder, struct error *error)
{
	struct dirent **names;
	int n, r = 0;

	n = scandir(folder, &names, is_conf, by_name);
	if (n < 0) {
		if (errno == ENOENT || errno == ENOTDIR) {
			return 0;
		}
		r = -errno;
		(void)error_set(error, r, "%s", "");
		return error_prefix(error, r, "%s", folder);
	}

	for (int i = 0; i < n; i++) {
		char path[FILE_PATH_CHARS];

		if (r == 0 && draft->n_files == FILES_MOST) {
			r = error_set(error, -EINVAL, "%s: holds more than %d files", folder,
				FILES_MOST - 2);
		}
		if (r == 0 &&
			file_path(path, sizeof(path), "%s/%s", folder, names[i]->d_name) < 0) {
			r = error_set(error, -ENAMETOOLONG, "%s: the path of %s in it is too long",
				folder, names[i]->d_name);
		}
		if (r == 0) {
			r = conffile_read(path, &draft->files[draft->n_files], error);
			draft->n_files += r == 0;
		}
		free(names[i]);
	}
	free(names);
	return r;
}

/* "keypad, pi, sim", for a message. */
static void list_boards(const char *folder, char *ret_text, size_t room)
{
	struct dirent **names;
	size_t at = 0;
	int n;

	ret_text[0] = '\0';
	n = scandir(folder, &names, is_conf, by_name);
	for (int i = 0; i < n; i++) {
		if (at < room) {
			int k = snprintf(ret_text + at, room - at, "%s%.*s", at ? ", " : "",
				(int)strlen(names[i]->d_name) - 5, names[i]->d_name);

			at += k > 0 ? (size_t)k : 0;
		}
		free(names[i]);
	}
	if (n >= 0) {
		free(names);
	}
}

/* The board's file, by its path or by its name in the board folder. */
static int find_board(
	struct draft *draft, const struct conf_line *line, const char *path, struct error *error)
{
	const char *folder = getenv("CHALKBOX_BOARD_DIR");
	const char *board = draft->config.board;
	char boards[160], where[FILE_PATH_CHARS] = "";
	struct stat st;

	if (!folder || !*folder) {
		folder = BOARD_DIR;
	}
	if (strchr(board, '/')) {
		return file_path(draft->board_path, sizeof(draft->board_path), "%s", board);
	}
	if (file_path(draft->board_path, sizeof(draft->board_path), "%s/%s.conf", folder, board) <
		0) {
		return error_set(error, -ENAMETOOLONG, "%s: the path is too long", folder);
	}
	if (stat(draft->board_path, &st) == 0 || errno != ENOENT) {
		return 0;
	}

	list_boards(folder, boards, sizeof(boards));
	if (line) {
		(void)snprintf(where, sizeof(where), "%s:%d", line->file, line->line);
	} else {
		(void)snprintf(where, sizeof(where), "%s", path);
	}
	return error_set(error, -EINVAL,
		"%s: board = %s: there is no %s.conf in %s (it has: %s); for a file of your own, "
		"give its path, as in ./%s.conf",
		where, board, board, folder, boards[0] ? boards : "none", board);
}

static int read_board(struct draft *draft, const char *path, struct error *error)
{
	const struct conf_line *named = NULL, *lines;
	size_t n;
	int r;

	for (size_t i = 1; i < draft->n_files; i++) {
		lines = conffile_lines(draft->files[i], &n);
		for (size_t k = 0; k < n; k++) {
			if (strcmp(lines[k].section, "box") == 0 &&
				strcmp(lines[k].key, "board") == 0) {
				named = &lines[k];
			}
		}
	}
	if (named) {
		static const char *const box[] = {"box", NULL};

		r = take_line(draft, named, box, error);
		if (r < 0) {
			return r;
		}
	}

	r = find_board(draft, named, path, error);
	if (r < 0) {
		return r;
	}
	r = conffile_read(draft->board_path, &draft->files[0], error);
	if (r < 0 && r != -EINVAL && named) {
		return error_prefix(error, r, "%s:%d: board", named->file, named->line);
	}
	return r;
}

static int check(const struct draft *draft, struct error *error)
{
	const struct config *config = &draft->config;
	const struct config_wires *buttons = &config->buttons, *lamps = &config->lamps;
	bool same = (config->buttons_kind == BUTTONS_GPIO && config->lamps_kind == LAMPS_GPIO) ||
		(config->buttons_kind == BUTTONS_SIM && config->lamps_kind == LAMPS_SIM);
	int r;

	if (buttons->n == 0) {
		return error_set(error, -EINVAL,
			"%s:1: there is no button; add [buttons] and under it lines such as \"1 = "
			"GPIO5\"",
			draft->board_path);
	}
	r = wires_check(buttons, &draft->buttons, buttons, &draft->buttons, error);
	if (r == 0 && config->lamps_kind != LAMPS_NONE) {
		r = wires_check(lamps, &draft->lamps, lamps, &draft->lamps, error);
	}
	if (r == 0 && same) {
		r = wires_check(lamps, &draft->lamps, buttons, &draft->buttons, error);
	}
	return r;
}

static void set_defaults(struct config *config)
{
	*config = (struct config){
		.state = "/var/lib/chalkbox",
		.runtime = "/run/chalkbox",
		.board = "pi",
		.scheme = "site",
		.ring_s = 60,
		.bitrate_kbit = 24,
		.idle_min = 120,
		.reserve_mib = 16,
		.sound_stops_mib = 64,
		.sync_state = "/var/lib/chalkbox-sync",
		.days_on_box = -1,
		.active_low = true,
		.pull_up = true,
		.debounce_ms = 8,
		.channel = 1,
	};
	if (gethostname(config->name, BOX_NAME_ROOM - 1) < 0 || config->name[0] == '\0' ||
		config->name[strspn(config->name, HOST_BYTES)] != '\0') {
		memcpy(config->name, "chalkbox", sizeof("chalkbox"));
	}
}

static int read_all(struct draft *draft, const char *path, struct error *error)
{
	char folder[FILE_PATH_CHARS];
	int r;

	set_defaults(&draft->config);
	draft->n_files = 1; /* the board's comes later */
	r = conffile_read(path, &draft->files[1], error);
	if (r < 0) {
		return r;
	}
	draft->n_files = 2;
	if (file_path(folder, sizeof(folder), "%s.d", path) < 0) {
		return error_set(error, -ENAMETOOLONG, "%s: the path is too long", path);
	}
	r = read_folder(draft, folder, error);
	if (r < 0) {
		return r;
	}
	r = read_board(draft, path, error);
	for (size_t i = 0; r == 0 && i < draft->n_files; i++) {
		r = take_file(draft, i, i == 0 ? board_sections : sections, error);
	}
	return r < 0 ? r : check(draft, error);
}

int config_read(const char *path, struct config *ret_config, struct error *error)
{
	struct draft *draft;
	int r;

	draft = calloc(1, sizeof(*draft));
	if (!draft) {
		return error_set(error, -ENOMEM, "%s: no memory left to read it", path);
	}
	r = read_all(draft, path, error);
	if (r == 0) {
		*ret_config = draft->config;
	}
	for (size_t i = 0; i < FILES_MOST; i++) {
		conffile_free(draft->files[i]);
	}
	free(draft);
	return r;
}

static void print_setting(const struct setting *setting, const struct config *config, FILE *stream)
{
	const char *at = (const char *)config + setting->offset;
	bool flag;
	int value;

	(void)fprintf(stream, "%s = ", setting->key);
	switch (setting->kind) {
	case KIND_TEXT:
	case KIND_PATH:
	case KIND_SCHEME:
	case KIND_BOARD:
		(void)fprintf(stream, "%s\n", at);
		break;
	case KIND_INT:
		memcpy(&value, at, sizeof(value));
		(void)fprintf(stream, "%d\n", value);
		break;
	case KIND_CHOICE:
		memcpy(&value, at, sizeof(value));
		(void)fprintf(stream, "%s\n", setting->words[value]);
		break;
	case KIND_BOOL:
		memcpy(&flag, at, sizeof(flag));
		(void)fprintf(stream, "%s\n", flag ? "yes" : "no");
		break;
	case KIND_FIRST:
		memcpy(&flag, at, sizeof(flag));
		(void)fprintf(stream, "%s\n", setting->words[flag ? 0 : 1]);
		break;
	}
}

void config_print(const struct config *config, FILE *stream)
{
	const char *section = "";

	for (size_t i = 0; i < SETTINGS; i++) {
		if (strcmp(settings[i].section, section) != 0) {
			section = settings[i].section;
			(void)fprintf(stream, "%s[%s]\n", i == 0 ? "" : "\n", section);
		}
		print_setting(&settings[i], config, stream);
	}
	wires_print("buttons", &config->buttons, stream);
	wires_print("lamps", &config->lamps, stream);
}
