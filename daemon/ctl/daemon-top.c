/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl top.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/ctl/daemon-top.h"
#include "daemon/ctl/daemon.h"
#include "daemon/ctl/interrupt.h"
#include "daemon/ctl/json.h"

#define SECOND	  1000000000ull
#define ROWS_PIPE 18 /* of a view that is no picture: what a terminal of 24 lines shows */
#define CTRL_C	  3

enum { OPT_INTERVAL = 0x300, OPT_COUNT, OPT_VIEW };

static const struct option longs[] = {
	{ "interval", required_argument, NULL, OPT_INTERVAL },
	{ "count", required_argument, NULL, OPT_COUNT },
	{ "view", required_argument, NULL, OPT_VIEW },
	DAEMON_OPTIONS,
	{ NULL },
};

static const struct ctl_syntax syntax = {
	"cachefillctl top",
	"h",
	longs,
	"Usage: cachefillctl top [OPTION]...\n"
	"\n"
	"Says over and over what the daemon does: on a terminal a picture that is drawn\n"
	"again, else a line each time, or the view that is asked for.\n"
	"\n"
	"      --interval TIME    so often (1s)\n"
	"      --count N          N times, then end\n"
	"      --view VIEW        all, images, origins, slowest or fetches\n" DAEMON_HELP "\n"
	"On a terminal 1 to 5 choose the view, Tab the next one, q ends.\n",
};

struct top {
	struct daemon daemon;
	uint64_t interval;	     /* ns */
	uint64_t count;		     /* 0: without an end */
	const struct top_view *view; /* NULL: a line */
	bool redraw, quit;
	struct top_answers now, before;
};

/* ---- asking ------------------------------------------------------------------------------- */

static const char *const routes[TOP_ANSWERS] = {
	[TOP_STATUS] = "/v1/status",   [TOP_IMAGES] = "/v1/images/active",
	[TOP_ORIGINS] = "/v1/origins", [TOP_SLOWEST] = "/v1/slowest?limit=70",
	[TOP_FETCHES] = "/v1/flights",
};

/* A picture has all of them, so that another view of the same moment can be drawn. */
static bool is_wanted(const struct top *t, enum top_answer answer)
{
	if (answer == TOP_STATUS || t->redraw)
		return true;
	return t->view && (t->view->all || t->view->answer == answer);
}

static int ask(struct top *t)
{
	int r = CTL_OK;

	top_answers_end(&t->before);
	t->before = t->now;
	t->now = (struct top_answers){ 0 };
	for (enum top_answer i = 0; r == CTL_OK && i < TOP_ANSWERS; i++)
		if (is_wanted(t, i))
			r = daemon_ask(&t->daemon, "GET", routes[i], NULL, &t->now.of[i]);
	return r;
}

/* ---- showing ------------------------------------------------------------------------------ */

static void print_picture(FILE *out, const struct top *t, unsigned int rows)
{
	const struct top_now now = { &t->now, &t->before };

	top_print_title(out, &now);
	putc('\n', out);
	top_print_head(out);
	top_print_rates(out, &now);
	putc('\n', out);
	t->view->print(out, &now, rows - 1);
}

static int draw(const struct top *t)
{
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	if (!out)
		return ctl_error("out of memory");
	print_picture(out, t, top_terminal_rows());
	if (fclose(out) == 0)
		top_terminal_draw(text, t->view);
	free(text);
	return CTL_OK;
}

static int show_line(const struct top *t, uint64_t n)
{
	const struct top_now now = { &t->now, &t->before };

	if (n == 0)
		top_print_head(stdout);
	top_print_rates(stdout, &now);
	return CTL_OK;
}

static int show_view(const struct top *t, uint64_t n)
{
	if (n > 0)
		putchar('\n');
	print_picture(stdout, t, ROWS_PIPE);
	return CTL_OK;
}

static int show_json(const struct top *t)
{
	json_t *answer = t->now.of[t->view ? t->view->answer : TOP_STATUS];

	return ctl_json_line(json_incref(answer)) < 0 ? ctl_error("out of memory") : CTL_OK;
}

static int show(const struct top *t, uint64_t n)
{
	int r;

	if (t->daemon.json)
		r = show_json(t);
	else if (t->redraw)
		r = draw(t);
	else
		r = t->view ? show_view(t, n) : show_line(t, n);
	return r == CTL_OK && fflush(stdout) != 0 ? CTL_FAILED : r;
}

/* ---- over and over ------------------------------------------------------------------------ */

static uint64_t monotonic(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

/* true: there is something else to see. */
static bool take_key(struct top *t, int key)
{
	size_t at = (size_t)(t->view - top_views);

	if (key == 'q' || key == CTRL_C || key == TOP_KEY_END)
		t->quit = true;
	else if (key >= '1' && key < '1' + TOP_VIEWS)
		t->view = &top_views[key - '1'];
	else if (key == '\t')
		t->view = &top_views[(at + 1) % TOP_VIEWS];
	else
		return false;
	return !t->quit;
}

static void wait_with_keys(struct top *t)
{
	uint64_t until = monotonic() + t->interval, now;

	while (!t->quit && !interrupt_pending() && (now = monotonic()) < until)
		if (take_key(t, top_terminal_key(until - now)) && t->before.of[TOP_STATUS])
			draw(t);
}

static void wait_for_interval(const struct top *t)
{
	struct timespec ts = { .tv_sec = (time_t)(t->interval / SECOND),
			       .tv_nsec = (long)(t->interval % SECOND) };

	nanosleep(&ts, NULL);
}

/* The first answers are what the rates are counted from. */
static int run(struct top *t)
{
	int r = ask(t);

	for (uint64_t n = 0; r == CTL_OK && (t->count == 0 || n < t->count); n++) {
		if (t->redraw)
			wait_with_keys(t);
		else
			wait_for_interval(t);
		if (t->quit || interrupt_pending())
			break;
		r = ask(t);
		if (r == CTL_OK)
			r = show(t, n);
	}
	return r;
}

/* What is wrong is said when the screen is the one from before again. */
static int run_on_terminal(struct top *t)
{
	char error[DAEMON_ERROR_MAX] = "";
	int r;

	interrupt_catch();
	t->daemon.error = error;
	top_terminal_begin();
	r = run(t);
	top_terminal_end();
	if (*error)
		ctl_error("%s", error);
	interrupt_finish();
	return r;
}

static bool take_option(struct top *t, int opt)
{
	char *end;

	if (daemon_option(&t->daemon, opt))
		return true;
	if (opt == OPT_VIEW)
		return (t->view = top_view_find(optarg));
	if (opt == OPT_INTERVAL)
		return ctl_parse_time(optarg, &t->interval) == 0 && t->interval >= 10000000;
	t->count = strtoull(optarg, &end, 10);
	return *optarg >= '1' && *optarg <= '9' && *end == '\0';
}

static const char *complaint(int opt)
{
	switch (opt) {
	case OPT_INTERVAL:
		return "--interval needs a time from 10ms";
	case OPT_VIEW:
		return "--view is all, images, origins, slowest or fetches";
	default:
		return "--count needs a number from 1";
	}
}

int ctl_top(int argc, char *argv[])
{
	struct top top = { .interval = SECOND };
	int opt, status;

	while ((opt = ctl_getopt(&syntax, argc, argv, &status)) != CTL_OPTIONS_END) {
		if (opt == CTL_OPTIONS_EXIT)
			return status;
		if (!take_option(&top, opt))
			return ctl_usage(syntax.command, "%s", complaint(opt));
	}
	if (argc != optind)
		return ctl_usage(syntax.command, "no argument is expected");
	top.redraw = !top.daemon.json && isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	if (top.redraw && !top.view)
		top.view = &top_views[0];
	status = top.redraw ? run_on_terminal(&top) : run(&top);
	top_answers_end(&top.now);
	top_answers_end(&top.before);
	return status;
}
