/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/progress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "daemon/ctl/ctl.h"

#define SECOND	    1000000000ull
#define REDRAW	    (SECOND / 10)
#define SAMPLE	    (SECOND / 2)
#define QUIET	    (10 * SECOND) /* of lines */
#define MEMORY	    5.0		  /* s: what happened that long ago counts a third */
#define BAR_MIN	    10
#define BAR_MAX	    40
#define COLUMNS_MAX 250

static struct progress *shown; /* whose line stands on the terminal */

static uint64_t monotonic(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

unsigned int progress_width(FILE *file)
{
	struct winsize size;

	return ioctl(fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static enum progress_style choose_style(FILE *file, bool json)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");

	if (json)
		return PROGRESS_SILENT;
	if (!isatty(fileno(file)) || (no_color && *no_color) || !term || strcmp(term, "dumb") == 0)
		return PROGRESS_LINES;
	return PROGRESS_REDRAWN;
}

/* ---- text ------------------------------------------------------------------------------- */

static unsigned int percent(const struct progress *p)
{
	if (p->total == 0)
		return 0;
	return p->done >= p->total ? 100 : (unsigned int)((__uint128_t)p->done * 100 / p->total);
}

/* "54%  123 MiB of 228 MiB  41.2 MiB/s  3 s left", as far as these are known. */
static void put_numbers(const struct progress *p, char *buf, size_t n)
{
	char done[24], total[24], rate[24], left[32];
	size_t at = 0;

	ctl_bytes(p->done, done, sizeof(done));
	if (p->total > 0)
		at = (size_t)snprintf(buf, n, "%3u%%  %s of %s", percent(p), done,
				      ctl_bytes(p->total, total, sizeof(total)));
	else
		at = (size_t)snprintf(buf, n, "%s", done);
	if (p->rate < 1)
		return;
	at += (size_t)snprintf(buf + at, n - at, "  %s/s",
			       ctl_bytes((uint64_t)p->rate, rate, sizeof(rate)));
	if (p->total <= p->done)
		return;
	/* Rounded up: "0 s left" is never true. */
	ctl_time((uint64_t)ceil((double)(p->total - p->done) / p->rate) * SECOND, left,
		 sizeof(left));
	snprintf(buf + at, n - at, "  %s left", left);
}

/* "[====>     ]" of so many columns, both brackets included. */
static void put_bar(const struct progress *p, unsigned int columns, char *buf)
{
	unsigned int inner = columns - 2, full = inner * percent(p) / 100;

	*buf++ = '[';
	for (unsigned int i = 0; i < inner; i++)
		*buf++ = i < full ? '=' : i == full ? '>' : ' ';
	*buf++ = ']';
	*buf = '\0';
}

char *progress_text(const struct progress *p, unsigned int columns, char *buf, size_t n)
{
	char numbers[160], bar[BAR_MAX + 1] = "";
	size_t used;

	if (columns > COLUMNS_MAX)
		columns = COLUMNS_MAX;
	put_numbers(p, numbers, sizeof(numbers));
	used = strlen(p->what) + 2 + strlen(numbers);
	if (p->total > 0 && columns >= used + 2 + BAR_MIN) {
		size_t room = columns - used - 2;

		put_bar(p, room < BAR_MAX ? (unsigned int)room : BAR_MAX, bar);
	}
	snprintf(buf, n, "%s  %s%s%s", p->what, bar, bar[0] ? "  " : "", numbers);
	/* Where it is narrow the end is what can be spared. */
	if (strlen(buf) > columns)
		buf[columns] = '\0';
	return buf;
}

/* ---- drawing ---------------------------------------------------------------------------- */

void progress_hide(void)
{
	if (!shown)
		return;
	fputs("\r\033[K", shown->file);
	fflush(shown->file);
	shown->shown = false;
	shown = NULL;
}

/* A column stays free: some terminals wrap when the last one is filled. */
static void redraw(struct progress *p)
{
	char text[COLUMNS_MAX + 1];
	unsigned int width = p->width(p->file);

	if (shown != p)
		progress_hide();
	fprintf(p->file, "\r%s\033[K",
		progress_text(p, width > 1 ? width - 1 : 1, text, sizeof(text)));
	fflush(p->file);
	shown = p;
	p->shown = true;
}

static void tell_tenth(struct progress *p, uint64_t now)
{
	char text[COLUMNS_MAX + 1];
	unsigned int tenth = percent(p) / 10;

	if (tenth <= p->told_tenth)
		return;
	p->told_tenth = tenth;
	if (now - p->began < QUIET)
		return;
	fprintf(p->file, "%s  ", p->what);
	put_numbers(p, text, sizeof(text));
	fprintf(p->file, "%s\n", text + strspn(text, " "));
	fflush(p->file);
}

static void sample(struct progress *p, uint64_t now)
{
	double seconds = (double)(now - p->sampled) / SECOND, rate, old;

	if (now - p->sampled < SAMPLE)
		return;
	rate = p->done > p->sampled_done ? (double)(p->done - p->sampled_done) / seconds : 0;
	old = p->rate > 0 ? exp(-seconds / MEMORY) : 0;
	p->rate = p->rate * old + rate * (1 - old);
	p->sampled = now;
	p->sampled_done = p->done;
}

/* ---- life ------------------------------------------------------------------------------- */

void progress_begin(struct progress *p, const char *what, uint64_t total, bool json)
{
	*p = (struct progress){
		.file = stderr,
		.style = choose_style(stderr, json),
		.now = monotonic,
		.width = progress_width,
		.total = total,
	};
	snprintf(p->what, sizeof(p->what), "%s", what);
}

void progress_update(struct progress *p, uint64_t done)
{
	uint64_t now;

	p->done = done;
	if (p->style == PROGRESS_SILENT)
		return;
	now = p->now();
	if (p->began == 0) {
		p->began = p->sampled = now;
		p->sampled_done = done;
	}
	sample(p, now);
	if (p->style == PROGRESS_LINES) {
		tell_tenth(p, now);
	} else if (!p->shown || now - p->drawn >= REDRAW) {
		p->drawn = now;
		redraw(p);
	}
}

void progress_end(struct progress *p)
{
	if (shown == p)
		progress_hide();
	p->style = PROGRESS_SILENT;
}
