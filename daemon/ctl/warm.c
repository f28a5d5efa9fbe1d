/* SPDX-License-Identifier: MIT */
/* cachefillctl warm: fetches what recorded traces have read. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/prefetch.h"
#include "daemon/ctl/trace-learn.h"
#include "daemon/trace/plan.h"

enum { OPT_LIMIT = 256, OPT_SHARE };

static const struct option longs[] = {
	{ "limit", required_argument, NULL, OPT_LIMIT },
	{ "share", required_argument, NULL, OPT_SHARE },
	PREFETCH_OPTIONS,
	DAEMON_OPTIONS,
	{ NULL },
};

static const struct ctl_syntax syntax = {
	"cachefillctl warm",
	"h",
	longs,
	"Usage: cachefillctl warm [OPTION]... TRACE...\n"
	"\n"
	"Has the daemon fetch what these traces have read, in the order of its first\n"
	"need, as `trace plan` finds it; of what is not mounted, when it is.\n"
	"\n"
	"      --limit SIZE       so many bytes at most\n"
	"      --share SHARE      only what at least this share of the traces read, from\n"
	"                         0 to 1\n" PREFETCH_HELP DAEMON_HELP "\n"
	"See cachefillctl-prefetch(1).\n",
};

struct warming {
	struct prefetch_order order;
	struct prefetch_list list;
	struct trace_plan *plan;
	struct trace_plan_wishes wishes;
	double share;
};

static int take_option(struct warming *w, int opt)
{
	int status = CTL_OK;
	char *end;

	if (prefetch_option(&w->order, syntax.command, opt, &status) ||
	    daemon_option(&w->order.daemon, opt))
		return status;
	if (opt == OPT_LIMIT &&
	    (ctl_parse_bytes(optarg, &w->wishes.limit) < 0 || w->wishes.limit == 0))
		return ctl_usage(syntax.command, "--limit needs a size such as 64M, not '%s'",
				 optarg);
	if (opt != OPT_SHARE)
		return CTL_OK;
	w->share = strtod(optarg, &end);
	if (end != optarg && *end == '\0' && w->share >= 0 && w->share <= 1)
		return CTL_OK;
	return ctl_usage(syntax.command, "--share needs a number from 0 to 1, not '%s'", optarg);
}

static int list_plan(struct warming *w)
{
	struct trace_plan_range *ranges = NULL;
	size_t n = 0;
	int r;

	w->wishes.traces = (size_t)fmax(ceil(w->share * (double)trace_plan_traces(w->plan)), 1);
	r = trace_plan_make(w->plan, &w->wishes, &ranges, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = prefetch_list_add(&w->list, ranges[i].volume, ranges[i].cookie, ranges[i].off,
				      ranges[i].len);
	free(ranges);
	if (r < 0)
		return ctl_error("%s", strerror(-r));
	return n > 0 ? CTL_OK : ctl_error("nothing was read in these traces");
}

static int warm(struct warming *w, int argc, char *argv[])
{
	struct trace_filter filter = { 0 };
	int status = CTL_OK;

	if (argc == 0)
		return ctl_usage(syntax.command, "a trace is needed");
	if (trace_plan_new(&w->plan) < 0)
		return ctl_error("%s", strerror(ENOMEM));
	for (int i = 0; status == CTL_OK && i < argc; i++)
		status = trace_learn(w->plan, &filter, argv[i]);
	if (status == CTL_OK)
		status = list_plan(w);
	w->order.name = argv[0];
	return status == CTL_OK ? prefetch_do(&w->order, &w->list) : status;
}

int ctl_warm(int argc, char *argv[])
{
	struct warming w = { .order = PREFETCH_ORDER_INIT, .wishes.gap = 64 << 10 };
	int opt, status = CTL_OK;

	w.order.plan = true;
	while (status == CTL_OK &&
	       (opt = ctl_getopt(&syntax, argc, argv, &status)) != CTL_OPTIONS_END) {
		if (opt == CTL_OPTIONS_EXIT)
			return status;
		status = take_option(&w, opt);
	}
	if (status == CTL_OK)
		status = warm(&w, argc - optind, argv + optind);
	prefetch_list_end(&w.list);
	trace_plan_free(w.plan);
	return status;
}
