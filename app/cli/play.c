#include "app/base/file.h"
#include "app/cli/cli.h"
#include "app/cli/pressscript.h"
#include "app/cli/record.h"
#include "app/cli/speaker.h"
#include "app/cli/units.h"
#include "app/timeline/json.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAD_NS (2 * NS_PER_S)

static int run(struct cli *cli, int argc, char **argv);

const struct command command_play = {
	.name = "play",
	.arguments = "ID|last EVENT [--lead SECONDS | --all] [--device PCM | --out FILE]",
	.summary = "plays the sound around an event",
	.help = "  ID|last            which observation\n"
		"  EVENT              its number in `chalkbox show`, or @SEQ of its journal entry\n"
		"  --lead SECONDS     how long before the event to begin (default 2)\n"
		"  --all              the whole snippet\n"
		"  --device PCM       an ALSA device instead of the default one\n"
		"  --out FILE         writes a WAV file instead\n",
	.json = true,
	.run = run,
};

struct playing {
	const char *which, *event;
	const char *device, *out;
	int64_t lead_ns;
	bool all, json;
};

static int find_event(
	const struct timeline *timeline, const char *which, size_t *ret_at, struct error *error)
{
	bool by_seq = *which == '@';
	const char *digits = by_seq ? which + 1 : which;
	char *end;
	long long number;

	errno = 0;
	number = strtoll(digits, &end, 10);
	if (errno != 0 || end == digits || *end != '\0' || number <= 0) {
		return error_set(error, -EINVAL,
			"`%s` is no event; give its number in `chalkbox show`, or @ and a journal "
			"entry's",
			which);
	}
	if (!by_seq) {
		if ((unsigned long long)number > timeline->n_events) {
			return error_set(error, -ENOENT,
				"event %s: there %s only %zu in observation %lld", which,
				timeline->n_events == 1 ? "is" : "are", timeline->n_events,
				(long long)timeline->observation);
		}
		*ret_at = (size_t)number - 1;
		return 0;
	}
	for (size_t i = 0; i < timeline->n_events; i++) {
		if (timeline->events[i].seq == number) {
			*ret_at = i;
			return 0;
		}
	}
	return error_set(error, -ENOENT, "event %s: no event of observation %lld began there",
		which, (long long)timeline->observation);
}

/* The snippet's file is what the journal says it is. */
static int verify(const char *path, const struct timeline_snippet *snippet, struct error *error)
{
	char sha256[65];
	off_t bytes;
	int r = file_sha256(AT_FDCWD, path, sha256, &bytes);

	if (r < 0) {
		return error_set(error, r, "%s: %s; `chalkbox check` tells what else is missing",
			path, strerrordesc_np(-r));
	}
	if (bytes != snippet->bytes || strcmp(sha256, snippet->sha256) != 0) {
		return error_set(error, -EBADMSG,
			"%s: is not the file that was recorded; `chalkbox check` tells more", path);
	}
	return 0;
}

static int say(
	const struct playing *playing, const struct timeline *timeline, size_t at, int64_t from_ns)
{
	const struct timeline_event *event = &timeline->events[at];
	const struct timeline_snippet *snippet = &timeline->snippets[event->snippet];
	struct moment moment = timeline_moment(timeline, event->t_ns);
	char time[UNITS_CHARS], from[UNITS_CHARS], length[UNITS_CHARS];
	json_t *json;

	if (!playing->json) {
		printf("event %zu, %s%s%s at %s: %s of sound from %s on\n", at + 1,
			event->code->name, event->modifier[0] != '\0' ? " " : "", event->modifier,
			units_time(event->t_ns, 1, time),
			units_length(snippet->to_ns - from_ns, length),
			units_time(from_ns, 1, from));
		return fflush(stdout) != 0 ? -errno : 0;
	}
	json = json_pack("{s:s, s:i, s:I, s:I, s:I, s:I, s:s, s:o}", "format", "chalkbox-play",
		"version", 1, "observation", (json_int_t)timeline->observation, "event",
		(json_int_t)at + 1, "seq", (json_int_t)event->seq, "snippet",
		(json_int_t)event->snippet + 1, "file", snippet->file, "time",
		json_seconds(event->t_ns));
	json = json_join(json, json_moment(&moment));
	json = json_join(json, json_span(timeline, from_ns, snippet->to_ns));
	return json_print(json, stdout);
}

static int play_file(const struct playing *playing, const char *path,
	const struct timeline *timeline, size_t at, struct error *error)
{
	const struct timeline_event *event = &timeline->events[at];
	const struct timeline_snippet *snippet = &timeline->snippets[event->snippet];
	int64_t from_ns = playing->all ? snippet->from_ns : event->t_ns - playing->lead_ns;
	struct sound *sound;
	int r;

	from_ns = from_ns < snippet->from_ns ? snippet->from_ns : from_ns;
	r = sound_open(path, &sound, error);
	if (r < 0) {
		return r;
	}
	r = sound_seek(
		sound, (from_ns - snippet->from_ns) / 1000 * (SOUND_RATE_HZ / 1000) / 1000, error);
	if (r == 0 && playing->out != NULL) {
		r = speaker_write(sound, playing->out, error);
	}
	if (r == 0) {
		r = say(playing, timeline, at, from_ns);
		if (r < 0) {
			error_set(error, r, "standard output: %s", strerrordesc_np(-r));
		}
	}
	if (r == 0 && playing->out == NULL) {
		r = speaker_play(sound, playing->device, error);
	}
	sound_close(sound);
	return r;
}

static int play(const struct record *record, const struct playing *playing, struct error *error)
{
	const struct timeline_event *event;
	struct timeline *timeline;
	char path[FILE_PATH_CHARS];
	size_t at = 0;
	int r = record_timeline(record, playing->which, &timeline, error);

	if (r < 0) {
		return r;
	}
	r = find_event(timeline, playing->event, &at, error);
	if (r < 0) {
		goto out;
	}
	event = &timeline->events[at];
	if (event->snippet < 0) {
		r = error_set(error, -ENOENT,
			"event %s: no sound was kept around it; `chalkbox show %s` "
			"tells what the microphone did",
			playing->event, playing->which);
		goto out;
	}
	if (timeline->snippets[event->snippet].gone) {
		r = error_set(error, -ENOENT,
			"event %s: its sound left this box after the server had confirmed it; "
			"listen there",
			playing->event);
		goto out;
	}
	r = record_snippet_path(
		record, timeline->snippets[event->snippet].file, sizeof(path), path, error);
	if (r == 0) {
		r = verify(path, &timeline->snippets[event->snippet], error);
	}
	if (r == 0) {
		r = play_file(playing, path, timeline, at, error);
	}
out:
	timeline_free(timeline);
	return r;
}

static int run(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		CLI_OPTIONS,
		{"lead", required_argument, NULL, 'l'},
		{"all", no_argument, NULL, 'a'},
		{"device", required_argument, NULL, 'd'},
		{"out", required_argument, NULL, 'o'},
		{0},
	};
	struct playing playing = {.lead_ns = -1};
	struct record record;
	struct error error;
	int option, r;

	while ((option = cli_option(cli, argc, argv, options)) != -1) {
		switch (option) {
		case 'l':
			if (press_seconds(optarg, &playing.lead_ns) < 0) {
				return cli_misuse(cli,
					"--lead is `%s`, but must be seconds, as in 2 or 0.5",
					optarg);
			}
			break;
		case 'a':
			playing.all = true;
			break;
		case 'd':
			playing.device = optarg;
			break;
		case 'o':
			playing.out = optarg;
			break;
		default:
			return cli->status;
		}
	}
	if (argc - optind != 2) {
		return cli_misuse(
			cli, "takes an observation and one of its events, as in `last 3`");
	}
	if (playing.device != NULL && playing.out != NULL) {
		return cli_misuse(cli, "--device and --out exclude each other");
	}
	if (playing.lead_ns >= 0 && playing.all) {
		return cli_misuse(cli, "--lead and --all exclude each other");
	}
	playing.lead_ns = playing.lead_ns < 0 ? LEAD_NS : playing.lead_ns;
	playing.which = argv[optind];
	playing.event = argv[optind + 1];
	playing.json = cli->json;
	signal(SIGPIPE, SIG_IGN); /* a player that goes away is an error, not the end */
	r = record_open(cli->config_path, &record, &error);
	if (r == 0) {
		r = play(&record, &playing, &error);
	}
	record_close(&record);
	return r < 0 ? cli_error("%s", error.text) : CLI_FINE;
}
