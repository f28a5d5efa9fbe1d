/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl trace plot: a trace as one picture. The file is read twice: first for its busiest
 * objects and the reach of the axes, then to paint; so memory does not grow with its length.
 */
#include "daemon/ctl/trace-plot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/ctl.h"
#include "daemon/ctl/trace-text.h"
#include "daemon/util/cleanup.h"

static const char help[] =
	"Usage: cachefillctl trace plot [OPTION]... FILE\n"
	"\n"
	"Draws a trace as SVG: which bytes of the busiest objects were read and fetched\n"
	"when, and how long READs took.\n"
	"\n" TRACE_TEXT_HELP "      --top N            so many objects, up to 16 (default 4)\n"
	"      --width PIXELS     from 500 to 4000 (default 1000)\n" TRACE_FILTER_HELP
	"  -h, --help             print this\n"
	"\n"
	"FILE is read twice, so it cannot be standard input.\n"
	"\n"
	"Example:\n"
	"  cachefillctl trace plot -o boot.svg --object '*rootfs*' boot.trace\n";

static const struct option options[] = {
	TRACE_TEXT_OPTIONS,
	{ "top", required_argument, NULL, 't' },
	TRACE_FILTER_OPTIONS,
	{ "width", required_argument, NULL, 'w' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL },
};

static const struct ctl_syntax syntax = {
	.command = "cachefillctl trace plot",
	.shorts = "ho:",
	.options = options,
	.help = help,
};

static int take_number(const char *name, unsigned long min, unsigned long max, unsigned long *ret)
{
	char *end;

	errno = 0;
	*ret = strtoul(optarg, &end, 10);
	if (errno == 0 && *end == '\0' && *optarg >= '0' && *optarg <= '9' && *ret >= min &&
	    *ret <= max)
		return CTL_OK;
	return ctl_usage(syntax.command, "%s needs a number from %lu to %lu, not '%s'", name, min,
			 max, optarg);
}

static int take_option(struct plot *plot, struct trace_text *text, int opt)
{
	unsigned long n;
	int status;

	switch (opt) {
	case 't':
		status = take_number("--top", 1, PLOT_PANELS_MAX, &n);
		if (status == CTL_OK)
			plot->n_panels_max = n;
		return status;
	case 'w':
		status = take_number("--width", 500, 4000, &n);
		if (status == CTL_OK)
			plot->width = (int)n;
		return status;
	default:
		status = trace_text_take(text, opt);
		return status >= 0 ? status : trace_filter_take(&plot->filter, syntax.command, opt);
	}
}

static int draw(struct plot *plot, const struct trace_text *text)
{
	_cleanup_free_ char *data = NULL;
	size_t len;
	FILE *out = open_memstream(&data, &len);

	if (!out)
		return ctl_error("%s", strerror(errno));
	plot_draw(plot, out);
	if (fclose(out) != 0)
		return ctl_error("%s", strerror(ENOMEM));
	return trace_text_write(text, data, len);
}

static int run(struct plot *plot, const struct trace_text *text)
{
	int status = plot_see(plot);

	if (status != CTL_OK)
		return status;
	if (plot->n_panels == 0)
		return ctl_error("%s: no READ of it can be drawn", plot->path);
	status = plot_paint(plot);
	return status == CTL_OK ? draw(plot, text) : status;
}

int ctl_trace_plot(int argc, char *argv[])
{
	struct plot plot = { .width = 1000, .n_panels_max = 4, .budget.max = PLOT_RANGES };
	struct trace_text text = { .path = NULL };
	int opt, status = CTL_OK;

	while ((opt = ctl_getopt(&syntax, argc, argv, &status)) >= 0 && status == CTL_OK)
		status = take_option(&plot, &text, opt);
	if (opt == CTL_OPTIONS_EXIT || status != CTL_OK)
		return status;
	if (optind + 1 != argc)
		return ctl_usage(syntax.command, "one file is needed");
	if (strcmp(argv[optind], "-") == 0)
		return ctl_usage(syntax.command, "the file is read twice, so it cannot be '-'");
	plot.path = argv[optind];
	status = run(&plot, &text);
	plot_deinit(&plot);
	return status;
}
