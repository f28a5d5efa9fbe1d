/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl top.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/ctl/daemon.h"
#include "daemon/ctl/json.h"

#define ROWS 12 /* of fetches, on a terminal */

enum { OPT_INTERVAL = 0x300, OPT_COUNT };

static const struct option longs[] = {
	{ "interval", required_argument, NULL, OPT_INTERVAL },
	{ "count", required_argument, NULL, OPT_COUNT },
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
	"again, else a line each time.\n"
	"\n"
	"      --interval TIME    so often (1s)\n"
	"      --count N          N times, then end\n" DAEMON_HELP,
};

struct top {
	struct daemon daemon;
	uint64_t interval; /* ns */
	uint64_t count;	   /* 0: without an end */
	bool redraw;
	json_t *before; /* owned: the last status, or NULL */
};

/* Of a counter, per second since the last time. */
static double rate(const struct top *t, const json_t *status, const char *name)
{
	const json_t *now = json_object_get(status, "counters");
	const json_t *then = json_object_get(t->before, "counters");
	double seconds = daemon_real(status, "uptime") - daemon_real(t->before, "uptime");

	if (!t->before || seconds <= 0 || daemon_number(now, name) < daemon_number(then, name))
		return 0;
	return (double)(daemon_number(now, name) - daemon_number(then, name)) / seconds;
}

static const char *rate_bytes(const struct top *t, const json_t *status, const char *name,
			      char *buf)
{
	return ctl_bytes((uint64_t)rate(t, status, name), buf, 32);
}

/* ---- a line ------------------------------------------------------------------------------- */

static void print_head(void)
{
	puts("OPENS/s READS/s    READ/s FETCHES/s FETCHED/s  STORED/s WAITS FETCHES   BUFFERS");
}

static void print_line(const struct top *t, const json_t *status)
{
	const json_t *now = json_object_get(status, "now");
	char read[32], fetched[32], stored[32], buffers[32];

	printf("%7.0f %7.0f %9s %9.0f %9s %9s %5llu %7llu %9s\n", rate(t, status, "opens"),
	       rate(t, status, "reads"), rate_bytes(t, status, "read_bytes", read),
	       rate(t, status, "fetches"), rate_bytes(t, status, "fetched_bytes", fetched),
	       rate_bytes(t, status, "stored_bytes", stored),
	       (unsigned long long)(daemon_number(now, "opens") + daemon_number(now, "reads")),
	       (unsigned long long)daemon_number(now, "flights"),
	       ctl_bytes(daemon_number(now, "buffers_bytes"), buffers, sizeof(buffers)));
}

/* ---- a picture ---------------------------------------------------------------------------- */

static void print_flights(const json_t *flights)
{
	const json_t *f;
	size_t i;

	if (json_array_size(flights) == 0)
		return;
	puts("\nSTATE    CLASS       OFFSET      SIZE      AGE WAITS  COOKIE");
	json_array_foreach(flights, i, f)
	{
		char offset[32], size[32], age[32];

		if (i == ROWS)
			return;
		printf("%-8s %-8s %9s %9s %8s %5llu  %.26s\n", daemon_text(f, "state"),
		       daemon_text(f, "class"),
		       ctl_bytes(daemon_number(f, "offset"), offset, sizeof(offset)),
		       ctl_bytes(daemon_number(f, "bytes"), size, sizeof(size)),
		       ctl_time((uint64_t)(daemon_real(f, "age") * 1e9), age, sizeof(age)),
		       (unsigned long long)daemon_number(f, "reads"), daemon_text(f, "cookie"));
	}
}

static int print_picture(const struct top *t, const json_t *status)
{
	const json_t *now = json_object_get(status, "now");
	char uptime[32], memory[32];
	json_t *flights;
	int r = daemon_ask(&t->daemon, "GET", "/v1/flights?limit=12", NULL, &flights);

	if (r != CTL_OK)
		return r;
	printf("\033[H\033[Jcachefilld %s  for %s  %llu objects  %llu names  %s\n\n",
	       daemon_text(status, "version"),
	       ctl_time((uint64_t)(daemon_real(status, "uptime") * 1e9), uptime, sizeof(uptime)),
	       (unsigned long long)daemon_number(now, "objects"),
	       (unsigned long long)daemon_number(now, "names"),
	       ctl_bytes(daemon_number(json_object_get(status, "process"), "resident_bytes"),
			 memory, sizeof(memory)));
	print_head();
	print_line(t, status);
	print_flights(json_object_get(flights, "flights"));
	json_decref(flights);
	return CTL_OK;
}

/* ---- over and over ------------------------------------------------------------------------ */

static int show(struct top *t, json_t *status, uint64_t n)
{
	if (t->daemon.json)
		return ctl_json_line(json_incref(status)) < 0 ? ctl_error("out of memory") : CTL_OK;
	if (t->redraw)
		return print_picture(t, status);
	if (n == 0)
		print_head();
	print_line(t, status);
	return CTL_OK;
}

/* The first time is what the rates are counted from. */
static int look(struct top *t, uint64_t n)
{
	json_t *status;
	int r = daemon_ask(&t->daemon, "GET", "/v1/status", NULL, &status);

	if (r != CTL_OK)
		return r;
	if (t->before)
		r = show(t, status, n - 1);
	json_decref(t->before);
	t->before = status;
	if (fflush(stdout) != 0)
		return CTL_FAILED;
	return r;
}

static void pause_for(uint64_t ns)
{
	struct timespec ts = { .tv_sec = (time_t)(ns / 1000000000),
			       .tv_nsec = (long)(ns % 1000000000) };

	nanosleep(&ts, NULL);
}

static int run(struct top *t)
{
	int r = look(t, 0);

	for (uint64_t n = 1; r == CTL_OK && (t->count == 0 || n <= t->count); n++) {
		pause_for(t->interval);
		r = look(t, n);
	}
	json_decref(t->before);
	return r;
}

static bool take_option(struct top *t, int opt)
{
	char *end;

	if (daemon_option(&t->daemon, opt))
		return true;
	if (opt == OPT_INTERVAL)
		return ctl_parse_time(optarg, &t->interval) == 0 && t->interval >= 10000000;
	t->count = strtoull(optarg, &end, 10);
	return *optarg >= '1' && *optarg <= '9' && *end == '\0';
}

int ctl_top(int argc, char *argv[])
{
	struct top top = { .interval = 1000000000 };
	int opt, status;

	while ((opt = ctl_getopt(&syntax, argc, argv, &status)) != CTL_OPTIONS_END) {
		if (opt == CTL_OPTIONS_EXIT)
			return status;
		if (!take_option(&top, opt))
			return ctl_usage(syntax.command, "%s",
					 opt == OPT_INTERVAL ? "--interval needs a time from 10ms"
							     : "--count needs a number from 1");
	}
	if (argc != optind)
		return ctl_usage(syntax.command, "no argument is expected");
	top.redraw = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	return run(&top);
}
