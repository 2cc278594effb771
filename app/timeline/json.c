#include "app/timeline/json.h"

#include "app/base/clock.h"
#include "app/base/iso.h"

#include <errno.h>

json_t *json_seconds(int64_t ns)
{
	int64_t us = (ns + (ns < 0 ? -500 : 500)) / 1000;

	return json_real((double)us / 1e6);
}

/* Text from the journal: what is not UTF-8 is null, rather than no JSON at all. */
static json_t *text(const char *value)
{
	json_t *json = *value != '\0' ? json_string(value) : NULL;

	return json != NULL ? json : json_null();
}

static json_t *wall(const struct moment *moment)
{
	char iso[ISO_CHARS];

	return moment->known ? json_string(iso_local(moment->realtime_ns, iso)) : json_null();
}

static json_t *uncertainty(const struct moment *moment)
{
	return moment->known ? json_seconds(moment->uncertainty_ns) : json_null();
}

json_t *json_moment(const struct moment *moment)
{
	return json_pack("{s:o, s:o}", "wall", wall(moment), "uncertainty", uncertainty(moment));
}

json_t *json_span(const struct timeline *timeline, int64_t from_ns, int64_t to_ns)
{
	struct moment from = timeline_moment(timeline, from_ns);
	struct moment to = timeline_moment(timeline, to_ns);

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "from", json_seconds(from_ns), "to",
		json_seconds(to_ns), "from_wall", wall(&from), "from_uncertainty",
		uncertainty(&from), "to_wall", wall(&to), "to_uncertainty", uncertainty(&to));
}

json_t *json_join(json_t *to, json_t *from)
{
	if (to == NULL || from == NULL || json_object_update(to, from) < 0) {
		json_decref(to);
		to = NULL;
	}
	json_decref(from);
	return to;
}

static json_t *head(const struct timeline *timeline)
{
	struct moment end = {0};

	if (!timeline->running) {
		end = timeline_moment(timeline, timeline->length_ns);
	}
	return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:b, s:o}", "observation",
		(json_int_t)timeline->observation, "id", text(timeline->id), "box",
		text(timeline->box), "start", json_moment(&timeline->start), "end",
		json_moment(&end), "length", json_seconds(timeline->length_ns), "running",
		timeline->running, "ended_by", text(timeline->end_cause));
}

json_t *json_observation(const struct timeline *timeline)
{
	size_t counted = 0;

	for (size_t i = 0; i < timeline->n_events; i++) {
		counted += !timeline->events[i].undone;
	}
	return json_join(head(timeline),
		json_pack("{s:o, s:I, s:I}", "scheme", text(timeline->scheme.name), "events",
			(json_int_t)counted, "snippets", (json_int_t)timeline->n_snippets));
}

static json_t *event(const struct timeline *timeline, size_t i)
{
	const struct timeline_event *event = &timeline->events[i];
	struct moment moment = timeline_moment(timeline, event->t_ns), end = {0};

	if (event->span) {
		end = timeline_moment(timeline, event->end_ns);
	}
	return json_pack("{s:I, s:I, s:s, s:s, s:o, s:o, s:o, s:o, s:b, s:b, s:o, s:o, s:o, s:o, "
			 "s:o}",
		"number", (json_int_t)i + 1, "seq", (json_int_t)event->seq, "code",
		event->code->name, "kind", code_kind_name(event->code->kind), "time",
		json_seconds(event->t_ns), "end",
		event->span ? json_seconds(event->end_ns) : json_null(), "duration",
		event->span ? json_seconds(event->end_ns - event->t_ns) : json_null(), "modifier",
		text(event->modifier), "open", event->open, "undone", event->undone, "snippet",
		event->snippet >= 0 ? json_integer(event->snippet + 1) : json_null(), "wall",
		wall(&moment), "uncertainty", uncertainty(&moment), "end_wall", wall(&end),
		"end_uncertainty", uncertainty(&end));
}

static json_t *events(const struct timeline *timeline)
{
	json_t *list = json_array();

	for (size_t i = 0; i < timeline->n_events; i++) {
		if (json_array_append_new(list, event(timeline, i)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

json_t *json_events(const struct timeline *timeline)
{
	return json_join(head(timeline), json_pack("{s:o}", "events", events(timeline)));
}

static json_t *scheme(const struct timeline *timeline)
{
	const struct scheme *scheme = &timeline->scheme;
	json_t *codes = json_array();

	for (size_t i = 0; i < scheme->n_codes; i++) {
		const struct code *code = &scheme->codes[i];
		json_t *one = json_pack("{s:s, s:o, s:s}", "name", code->name, "title",
			text(code->title), "kind", code_kind_name(code->kind));

		if (json_array_append_new(codes, one) < 0) {
			json_decref(codes);
			return NULL;
		}
	}
	return json_pack("{s:o, s:o, s:b, s:o}", "name", text(scheme->name), "title",
		text(scheme->title), "lost", timeline->scheme_lost, "codes", codes);
}

static json_t *peaks(const struct timeline_snippet *snippet)
{
	json_t *values = json_array();

	for (size_t i = 0; i < snippet->n_peaks; i++) {
		if (json_array_append_new(values, json_integer(snippet->peaks[i])) < 0) {
			json_decref(values);
			return NULL;
		}
	}
	return json_pack(
		"{s:o, s:o}", "step", json_seconds(snippet->peak_ms * NS_PER_MS), "values", values);
}

static json_t *snippets(const struct timeline *timeline)
{
	json_t *list = json_array();

	for (size_t i = 0; i < timeline->n_snippets; i++) {
		const struct timeline_snippet *snippet = &timeline->snippets[i];
		json_t *one = json_pack("{s:I, s:I, s:o, s:o, s:I, s:o, s:b, s:b, s:o}", "number",
			(json_int_t)i + 1, "seq", (json_int_t)snippet->seq, "file",
			text(snippet->file), "codec", text(snippet->codec), "bytes",
			(json_int_t)snippet->bytes, "sha256", text(snippet->sha256), "complete",
			snippet->complete, "gone", snippet->gone, "peaks", peaks(snippet));

		one = json_join(one, json_span(timeline, snippet->from_ns, snippet->to_ns));
		if (json_array_append_new(list, one) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *silences(const struct timeline *timeline)
{
	static const char *const why[] = {[SILENCE_GAP] = "gap",
		[SILENCE_MUTED] = "muted",
		[SILENCE_LOST] = "lost",
		[SILENCE_OFF] = "off",
		[SILENCE_FULL] = "full"};
	json_t *list = json_array();

	for (size_t i = 0; i < timeline->n_silences; i++) {
		const struct timeline_silence *silence = &timeline->silences[i];
		json_t *one = json_span(timeline, silence->from_ns, silence->to_ns);

		one = json_join(one,
			json_pack("{s:s, s:o}", "why", why[silence->why], "cause",
				text(silence->cause)));
		if (json_array_append_new(list, one) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *cues(const struct timeline *timeline)
{
	json_t *list = json_array();

	for (size_t i = 0; i < timeline->n_cues; i++) {
		const struct timeline_cue *cue = &timeline->cues[i];
		struct moment moment = timeline_moment(timeline, cue->t_ns);
		json_t *one = json_pack("{s:I, s:o, s:o}", "seq", (json_int_t)cue->seq, "time",
			json_seconds(cue->t_ns), "code",
			cue->code != NULL ? text(cue->code->name) : json_null());

		one = json_join(one, json_moment(&moment));
		if (json_array_append_new(list, one) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *loudness(const struct timeline *timeline)
{
	json_t *values = json_array();

	for (size_t i = 0; i < timeline->n_loudness; i++) {
		uint8_t half_db = timeline->loudness[i];
		json_t *one = half_db == 255 ? json_null() : json_real(half_db / -2.0);

		if (json_array_append_new(values, one) < 0) {
			json_decref(values);
			return NULL;
		}
	}
	return json_pack("{s:o, s:s, s:o}", "step", json_seconds(timeline->loudness_ms * NS_PER_MS),
		"unit", "dBFS", "values", values);
}

static json_t *modifiers(const struct timeline_sum *sum)
{
	json_t *counts = json_object();

	for (size_t i = 0; i < sum->n_modifiers; i++) {
		if (json_object_set_new(counts, sum->modifiers[i],
			    json_integer((json_int_t)sum->by_modifier[i])) < 0) {
			json_decref(counts);
			return NULL;
		}
	}
	return counts;
}

static json_t *sums(const struct timeline *timeline)
{
	json_t *list = json_array();

	for (size_t i = 0; i < timeline->n_sums; i++) {
		const struct timeline_sum *sum = &timeline->sums[i];
		bool spans = sum->spans > 0;
		json_t *one = json_pack("{s:s, s:I, s:o, s:I, s:o, s:o, s:o, s:o}", "code",
			sum->code->name, "count", (json_int_t)sum->count, "by_modifier",
			modifiers(sum), "spans", (json_int_t)sum->spans, "total",
			json_seconds(sum->total_ns), "shortest",
			spans ? json_seconds(sum->shortest_ns) : json_null(), "median",
			spans ? json_seconds(sum->median_ns) : json_null(), "longest",
			spans ? json_seconds(sum->longest_ns) : json_null());

		if (json_array_append_new(list, one) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

json_t *json_timeline(const struct timeline *timeline)
{
	json_t *json = json_pack("{s:s, s:i}", "format", "chalkbox-timeline", "version", 1);

	json = json_join(json, head(timeline));
	json = json_join(json,
		json_pack("{s:o, s:o, s:o}", "scheme", scheme(timeline), "events", events(timeline),
			"sums", sums(timeline)));

	return json_join(json,
		json_pack("{s:o, s:o, s:o, s:o}", "snippets", snippets(timeline), "silences",
			silences(timeline), "cues", cues(timeline), "loudness",
			loudness(timeline)));
}

int json_print(json_t *json, FILE *stream)
{
	int r;

	if (json == NULL) {
		return -ENOMEM;
	}
	/* 15 digits: a microsecond in three centuries, and no 0.1000000000000001 */
	r = json_dumpf(json, stream, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
	json_decref(json);
	return r < 0 || fputc('\n', stream) == EOF || fflush(stream) != 0 ? -EIO : 0;
}
