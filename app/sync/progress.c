#include "app/sync/progress.h"

#include "app/base/clock.h"
#include "app/base/journald.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define REDRAW_NS (100 * NS_PER_MS)
#define COLUMNS_MOST 120
#define BAR_MOST 30

void progress_init(struct progress *progress)
{
	*progress = (struct progress){
		.terminal = isatty(STDERR_FILENO) == 1,
		.journal = journald_reads(STDERR_FILENO),
	};
}

/* "950 B", "12.3 kB", "4.0 MB". */
static void bytes_text(double bytes, char *ret_text, size_t room)
{
	if (bytes < 1000) {
		(void)snprintf(ret_text, room, "%.0f B", bytes);
	} else if (bytes < 1e6) {
		(void)snprintf(ret_text, room, "%.1f kB", bytes / 1e3);
	} else {
		(void)snprintf(ret_text, room, "%.1f MB", bytes / 1e6);
	}
}

void progress_bar(
	const struct progress *progress, int64_t now_ns, int columns, char *ret_text, size_t room)
{
	char text[160], done[24], total[24], rate[24], bar[BAR_MOST + 3];
	int64_t bytes = progress->done_bytes + progress->part_bytes;
	double seconds = (double)(now_ns - progress->began_ns) / 1e9;
	int width, full;

	bytes = bytes > progress->total_bytes ? progress->total_bytes : bytes;
	bytes_text((double)bytes, done, sizeof(done));
	bytes_text((double)progress->total_bytes, total, sizeof(total));
	bytes_text(seconds > 0.05 ? (double)bytes / seconds : 0, rate, sizeof(rate));
	(void)snprintf(text, sizeof(text), "%zu/%zu snippets, %s of %s, %s/s", progress->done,
		progress->total, done, total, rate);
	width = columns - 3 - (int)strlen(text);
	width = width > BAR_MOST ? BAR_MOST : width;
	if (width < 4) {
		(void)snprintf(ret_text, room, "%.*s", columns > 0 ? columns : 0, text);
		return;
	}
	full = progress->total_bytes > 0 ? (int)(bytes * width / progress->total_bytes) : 0;
	bar[0] = '[';
	memset(bar + 1, '#', (size_t)full);
	memset(bar + 1 + full, '-', (size_t)(width - full));
	bar[width + 1] = ']';
	bar[width + 2] = '\0';
	(void)snprintf(ret_text, room, "%s %s", bar, text);
}

static int columns_of_terminal(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1
									       : 79;
}

void progress_end(struct progress *progress)
{
	if (progress->drawn) {
		fputs("\r\033[K", stderr);
		progress->drawn = false;
	}
}

void progress_say(struct progress *progress, int priority, const char *format, ...)
{
	va_list args;

	progress_end(progress);
	if (progress->journal) {
		fprintf(stderr, "<%d>", priority);
	}
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

static void draw(struct progress *progress)
{
	char text[COLUMNS_MOST * 2];
	int64_t now_ns = clock_now_ns();
	int columns = columns_of_terminal();

	if (!progress->terminal || (progress->drawn && now_ns - progress->drawn_ns < REDRAW_NS)) {
		return;
	}
	progress_bar(progress, now_ns, columns < COLUMNS_MOST ? columns : COLUMNS_MOST, text,
		sizeof(text));
	fprintf(stderr, "\r%s\033[K", text);
	progress->drawn = true;
	progress->drawn_ns = now_ns;
}

void progress_begin(struct progress *progress, size_t total, int64_t total_bytes)
{
	progress->began_ns = clock_now_ns();
	progress->total = total;
	progress->total_bytes = total_bytes;
	progress->done = 0;
	progress->done_bytes = progress->part_bytes = 0;
	draw(progress);
}

void progress_sent(struct progress *progress, int64_t bytes)
{
	progress->part_bytes = bytes;
	draw(progress);
}

void progress_step(struct progress *progress, int64_t bytes)
{
	progress->done++;
	progress->done_bytes += bytes;
	progress->part_bytes = 0;
	draw(progress);
}
