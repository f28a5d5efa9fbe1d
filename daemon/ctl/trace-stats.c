/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl trace stats: what a trace amounts to.
 */
#include "daemon/ctl/trace-stats.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/ctl.h"
#include "daemon/ctl/trace-walk.h"

#define TOP_MAX 1000000

static const char help[] =
	"Usage: cachefillctl trace stats [OPTION]... FILE\n"
	"\n"
	"Counts what was asked, fetched and stored, and says how long requests took and\n"
	"where that time went; in all, and of each object.\n"
	"\n"
	"      --json             print one JSON document: bytes, ns, shares from 0 to 1\n"
	"      --top N            so many objects and slowest requests (default "
	"10)\n" TRACE_FILTER_HELP "  -h, --help             print this\n"
	"\n"
	"FILE may be '-' for standard input.\n"
	"\n"
	"Example:\n"
	"  cachefillctl trace stats --top 3 --object '*/rootfs*' boot.trace\n";

static const struct option options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "top", required_argument, NULL, 't' },
	TRACE_FILTER_OPTIONS,
	{ "help", no_argument, NULL, 'h' },
	{ NULL },
};

static const struct ctl_syntax syntax = {
	.command = "cachefillctl trace stats",
	.shorts = "h",
	.options = options,
	.help = help,
};

static int take_top(struct stats *s)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(optarg, &end, 10);
	if (errno || *end || *optarg < '0' || *optarg > '9' || n > TOP_MAX)
		return ctl_usage(syntax.command, "--top needs a number up to %d, not '%s'", TOP_MAX,
				 optarg);
	s->top = n;
	return CTL_OK;
}

static int feed(struct trace_walk *walk, const struct trace_record *record)
{
	return stats_feed(walk->arg, record);
}

static int run(struct stats *s, const char *path, bool json)
{
	struct trace_walk walk = { .path = path, .progress = true, .each = feed, .arg = s };
	int status, r;

	status = trace_walk(&walk);
	if (status != CTL_OK)
		return status;
	r = stats_finish(s);
	if (r == 0 && json)
		r = stats_print_json(s, path);
	else if (r == 0)
		stats_print(s, path);
	return r < 0 ? ctl_error("%s: %s", path, strerror(-r)) : CTL_OK;
}

int ctl_trace_stats(int argc, char *argv[])
{
	struct stats s = { .top = 10 };
	int opt, status = CTL_OK;
	bool json = false;

	while ((opt = ctl_getopt(&syntax, argc, argv, &status)) >= 0 && status == CTL_OK) {
		if (opt == 'j')
			json = true;
		else if (opt == 't')
			status = take_top(&s);
		else
			status = trace_filter_take(&s.filter, syntax.command, opt);
	}
	if (opt == CTL_OPTIONS_EXIT || status != CTL_OK)
		return status;
	if (optind + 1 != argc)
		return ctl_usage(syntax.command, "one file is needed");
	if (stats_init(&s) < 0)
		return ctl_error("%s", strerror(ENOMEM));
	status = run(&s, argv[optind], json);
	stats_deinit(&s);
	return status;
}
