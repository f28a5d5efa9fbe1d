/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl trace plan: what to fetch first, learnt from traces.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/ctl.h"
#include "daemon/ctl/json.h"
#include "daemon/ctl/trace-filter.h"
#include "daemon/ctl/trace-learn.h"
#include "daemon/ctl/trace-text.h"
#include "daemon/trace/intervals.h"
#include "daemon/trace/plan.h"
#include "daemon/util/cleanup.h"
#include "proto/plan.h"

#define VERSION 1

static const char help[] =
	"Usage: cachefillctl trace plan [OPTION]... FILE...\n"
	"\n"
	"Lists what was read, each byte once and in the order of its first need: a plan\n"
	"for fetching it before it is needed. Of several traces the median counts.\n"
	"\n" TRACE_TEXT_HELP "      --gap SIZE         merge ranges that are nearer to each other\n"
	"                         (default 64K)\n"
	"      --limit SIZE       so many bytes at most\n"
	"      --share SHARE      only what at least this share of the traces read, from\n"
	"                         0 to 1\n"
	"      --json             print one JSON document\n" TRACE_FILTER_HELP
	"  -h, --help             print this\n"
	"\n"
	"A FILE may be '-' for standard input.\n"
	"\n"
	"Example:\n"
	"  cachefillctl trace plan --share 0.5 --limit 64M -o boot.plan boot*.trace\n";

static const struct option options[] = {
	TRACE_TEXT_OPTIONS,
	{ "gap", required_argument, NULL, 'g' },
	{ "limit", required_argument, NULL, 'l' },
	{ "share", required_argument, NULL, 's' },
	{ "json", no_argument, NULL, 'j' },
	TRACE_FILTER_OPTIONS,
	{ "help", no_argument, NULL, 'h' },
	{ NULL },
};

static const struct ctl_syntax syntax = {
	.command = "cachefillctl trace plan",
	.shorts = "ho:",
	.options = options,
	.help = help,
};

struct planning {
	struct trace_filter filter; /* of this file */
	struct trace_text text;
	struct trace_plan_wishes wishes;
	double share;
	bool json;

	struct trace_plan *plan;
	struct trace_plan_range *ranges; /* owned */
	size_t n_ranges;
};

/* ---- options ----------------------------------------------------------------------------- */

static int take_size(const char *name, uint64_t *ret)
{
	if (ctl_parse_bytes(optarg, ret) == 0)
		return CTL_OK;
	return ctl_usage(syntax.command, "%s needs a size such as 64K or 1M, not '%s'", name,
			 optarg);
}

static int take_share(struct planning *p)
{
	char *end;

	p->share = strtod(optarg, &end);
	if (end != optarg && *end == '\0' && p->share >= 0 && p->share <= 1)
		return CTL_OK;
	return ctl_usage(syntax.command, "--share needs a number from 0 to 1, not '%s'", optarg);
}

static int take_option(struct planning *p, int opt)
{
	int status;

	switch (opt) {
	case 'g':
		return take_size("--gap", &p->wishes.gap);
	case 'l':
		status = take_size("--limit", &p->wishes.limit);
		if (status == CTL_OK && p->wishes.limit == 0)
			return ctl_usage(syntax.command, "--limit 0 leaves nothing");
		return status;
	case 's':
		return take_share(p);
	case 'j':
		p->json = true;
		return CTL_OK;
	default:
		status = trace_text_take(&p->text, opt);
		return status >= 0 ? status : trace_filter_take(&p->filter, syntax.command, opt);
	}
}

/* ---- writing ----------------------------------------------------------------------------- */

struct total {
	uint64_t bytes;
	size_t objects;
};

static int by_object(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int sum_up(const struct planning *p, struct total *ret)
{
	uint32_t *objects = calloc(p->n_ranges + 1, sizeof(*objects));

	if (!objects)
		return -ENOMEM;
	*ret = (struct total){ .bytes = 0 };
	for (size_t i = 0; i < p->n_ranges; i++) {
		ret->bytes = interval_end(ret->bytes, p->ranges[i].len);
		objects[i] = p->ranges[i].object;
	}
	qsort(objects, p->n_ranges, sizeof(*objects), by_object);
	for (size_t i = 0; i < p->n_ranges; i++)
		ret->objects += i == 0 || objects[i] != objects[i - 1];
	free(objects);
	return 0;
}

static int write_text(const struct planning *p, const struct total *total, FILE *out)
{
	fputs(PLAN_FIRST_LINE "\n", out);
	for (size_t i = 0; i < p->n_ranges; i++) {
		const struct trace_plan_range *range = &p->ranges[i];

		plan_write_range(out, range->off, range->len, range->volume, range->cookie);
	}
	fprintf(out, "# total: %" PRIu64 " bytes, %zu ranges, %zu objects, from %zu traces\n",
		total->bytes, p->n_ranges, total->objects, trace_plan_traces(p->plan));
	if (trace_plan_left_out(p->plan))
		fputs("# too many ranges: of what was needed late, some are left out\n", out);
	return 0;
}

static int add_range(json_t *list, const struct trace_plan_range *range)
{
	json_t *object = json_object();
	int r = object && json_array_append_new(list, object) == 0 ? 0 : -ENOMEM;

	if (r == 0)
		r = json_set_key(object, "volume", range->volume);
	if (r == 0)
		r = json_set_key(object, "cookie", range->cookie);
	if (r == 0)
		r = ctl_json_u64(object, "off", range->off);
	if (r == 0)
		r = ctl_json_u64(object, "len", range->len);
	if (r == 0)
		r = ctl_json_u64(object, "rank", range->rank);
	return r < 0 ? r : ctl_json_u64(object, "traces", range->traces);
}

static int fill_json(json_t *root, const struct planning *p, const struct total *total)
{
	json_t *list = NULL;
	int r = ctl_json_u64(root, "version", VERSION);

	if (r == 0)
		r = ctl_json_u64(root, "traces", trace_plan_traces(p->plan));
	if (r == 0)
		r = ctl_json_u64(root, "objects", total->objects);
	if (r == 0)
		r = ctl_json_u64(root, "bytes", total->bytes);
	if (r == 0)
		r = ctl_json_u64(root, "left_out", trace_plan_left_out(p->plan));
	if (r == 0)
		list = json_array();
	if (!list || json_object_set_new(root, "ranges", list) < 0)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < p->n_ranges; i++)
		r = add_range(list, &p->ranges[i]);
	return r;
}

static int write_json(const struct planning *p, const struct total *total, FILE *out)
{
	json_t *root = json_object();
	int r = root ? fill_json(root, p, total) : -ENOMEM;

	if (r == 0 && json_dumpf(root, out, JSON_COMPACT) < 0)
		r = -ENOMEM;
	if (r == 0)
		fputc('\n', out);
	json_decref(root);
	return r;
}

static int write_plan(struct planning *p)
{
	_cleanup_free_ char *data = NULL;
	size_t len;
	struct total total;
	FILE *out;
	int r;

	p->wishes.traces = (size_t)fmax(ceil(p->share * (double)trace_plan_traces(p->plan)), 1);
	r = trace_plan_make(p->plan, &p->wishes, &p->ranges, &p->n_ranges);
	if (r == 0)
		r = sum_up(p, &total);
	out = r == 0 ? open_memstream(&data, &len) : NULL;
	if (!out)
		return ctl_error("%s", strerror(ENOMEM));
	r = p->json ? write_json(p, &total, out) : write_text(p, &total, out);
	if (fclose(out) != 0 || r < 0)
		return ctl_error("%s", strerror(ENOMEM));
	return trace_text_write(&p->text, data, len);
}

int ctl_trace_plan(int argc, char *argv[])
{
	struct planning p = { .wishes.gap = 64 << 10 };
	int opt, status = CTL_OK;

	while ((opt = ctl_getopt(&syntax, argc, argv, &status)) >= 0 && status == CTL_OK)
		status = take_option(&p, opt);
	if (opt == CTL_OPTIONS_EXIT || status != CTL_OK)
		return status;
	if (optind == argc)
		return ctl_usage(syntax.command, "a file is needed");
	if (trace_plan_new(&p.plan) < 0)
		return ctl_error("%s", strerror(ENOMEM));
	for (int i = optind; i < argc && status == CTL_OK; i++)
		status = trace_learn(p.plan, &p.filter, argv[i]);
	if (status == CTL_OK)
		status = write_plan(&p);
	free(p.ranges);
	trace_plan_free(p.plan);
	return status;
}
