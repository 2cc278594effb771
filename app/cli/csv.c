#include "app/cli/csv.h"

#include "app/base/iso.h"
#include "app/cli/units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct row {
	const struct timeline_event *event;
	int64_t t_ns;
	enum { ROW_POINT, ROW_START, ROW_STOP } kind;
	size_t order; /* makes the sorting stable */
};

/* RFC 4180: quoted where it must be, quotes doubled. */
static void field(FILE *stream, const char *text)
{
	if (strpbrk(text, ",\"\r\n") == NULL) {
		fputs(text, stream);
		return;
	}
	fputc('"', stream);
	for (; *text != '\0'; text++) {
		if (*text == '"') {
			fputc('"', stream);
		}
		fputc(*text, stream);
	}
	fputc('"', stream);
}

static int by_time(const void *a, const void *b)
{
	const struct row *one = a, *two = b;

	if (one->t_ns != two->t_ns) {
		return one->t_ns < two->t_ns ? -1 : 1;
	}
	return one->order < two->order ? -1 : one->order > two->order;
}

static void print_row(const struct timeline *timeline, const struct row *row, FILE *stream)
{
	static const char *const kinds[] = {"POINT", "START", "STOP"};
	struct moment moment = timeline_moment(timeline, row->t_ns);
	int64_t us = (row->t_ns + (row->t_ns < 0 ? -500 : 500)) / 1000;
	char text[UNITS_CHARS];

	if (timeline->id[0] != '\0') {
		field(stream, timeline->id);
	} else {
		fprintf(stream, "%" PRId64, timeline->observation);
	}
	fputc(',', stream);
	if (timeline->start.known) {
		field(stream, units_wall_date(timeline->start.realtime_ns, text));
	}
	fputc(',', stream);
	field(stream, row->event->code->name);
	fprintf(stream, ",%s,%s%" PRId64 ".%06" PRId64 ",", kinds[row->kind], us < 0 ? "-" : "",
		(int64_t)llabs(us) / 1000000, (int64_t)llabs(us) % 1000000);
	if (moment.known) {
		field(stream, iso_local(moment.realtime_ns, text));
	}
	fputc(',', stream);
	field(stream, row->event->modifier);
	fputc(',', stream);
	if (row->kind == ROW_STOP && row->event->open) {
		field(stream, timeline->running ? "still open" : "open when the observation ended");
	}
	fputs("\r\n", stream);
}

void csv_head(FILE *stream)
{
	fputs("observation,date,code,kind,seconds,wall time,modifier,comment\r\n", stream);
}

int csv_events(const struct timeline *timeline, FILE *stream)
{
	struct row *rows = calloc(timeline->n_events * 2 + 1, sizeof(*rows));
	size_t n = 0;

	if (rows == NULL) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < timeline->n_events; i++) {
		const struct timeline_event *event = &timeline->events[i];

		if (event->undone) {
			continue;
		}
		rows[n] = (struct row){event, event->t_ns, event->span ? ROW_START : ROW_POINT, n};
		n++;
		if (event->span) {
			rows[n] = (struct row){event, event->end_ns, ROW_STOP, n};
			n++;
		}
	}
	qsort(rows, n, sizeof(*rows), by_time);
	for (size_t i = 0; i < n; i++) {
		print_row(timeline, &rows[i], stream);
	}
	free(rows);
	return 0;
}
