/* SPDX-License-Identifier: MIT */
/* How long READs took: bars on a logarithmic axis, stacked by outcome. */
#include <inttypes.h>
#include <math.h>

#include "daemon/ctl/ctl.h"
#include "daemon/ctl/trace-plot.h"

#define BAR	 6 /* pixels */
#define BARS_MAX 1000

struct bars {
	double from, to; /* powers of ten of ns */
	int n, width;
	double counts[BARS_MAX][TRACE_OUTCOMES];
	double highest;
};

static double x_of(const struct bars *b, double ns)
{
	return (log10(fmax(ns, 1)) - b->from) / (b->to - b->from) * b->width;
}

/* A bucket is spread over the bars that it touches: neither would fit the other. */
static void spread(struct bars *b, const struct histogram_bucket *bucket, size_t outcome)
{
	double x0 = x_of(b, (double)histogram_low(bucket->number)) / BAR;
	double x1 = x_of(b, (double)histogram_high(bucket->number) + 1) / BAR;

	for (int bar = (int)fmax(x0, 0); bar < b->n && bar < x1; bar++) {
		double part = fmin(bar + 1, x1) - fmax(bar, x0);

		b->counts[bar][outcome] += (double)bucket->count * part / (x1 - x0);
	}
}

static void bars_fill(struct bars *b, const struct plot *plot)
{
	const struct histogram *all = &plot->all_times;

	b->width = plot_inner_width(plot);
	b->n = b->width / BAR + 1 < BARS_MAX ? b->width / BAR + 1 : BARS_MAX;
	b->from = floor(log10(fmax((double)all->min, 1)));
	b->to = fmax(ceil(log10(fmax((double)all->max, 1))), b->from + 1);
	for (size_t o = 0; o < TRACE_OUTCOMES; o++)
		for (size_t i = 0; i < plot->times[o].n; i++)
			spread(b, &plot->times[o].at[i], o);
	for (int i = 0; i < b->n; i++) {
		double sum = 0;

		for (size_t o = 0; o < TRACE_OUTCOMES; o++)
			sum += b->counts[i][o];
		b->highest = fmax(b->highest, sum);
	}
}

/* What is there can be seen, however little it is. */
static void draw_bar(const struct bars *b, int bar, double scale, FILE *out)
{
	static const enum trace_outcome order[] = { TRACE_HIT, TRACE_WAITED, TRACE_FAILED };
	double y = PLOT_TIMES_HEIGHT;

	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
		double n = b->counts[bar][order[i]], height = fmax(n * scale, 2);

		if (n < 0.01)
			continue;
		y -= height;
		fprintf(out,
			"<rect class=\"%s\" x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%.1f\"/>\n",
			trace_outcome_name(order[i]), bar * BAR, y, BAR - 1, height);
	}
}

static void draw_decades(const struct bars *b, FILE *out)
{
	char label[32];

	int apart = (int)ceil(64 * (b->to - b->from) / b->width); /* decades between labels */

	for (double d = b->from; d <= b->to; d++) {
		double x = (d - b->from) / (b->to - b->from) * b->width, ns = pow(10, d);

		fprintf(out, "<path class=\"grid\" d=\"M%.1f 0V%d\"/>\n", x, PLOT_TIMES_HEIGHT);
		if ((int)(d - b->from) % apart)
			continue;
		plot_label_time(ns, fmin(ns * 1.001, 2e9), label, sizeof(label));
		fprintf(out, "<text class=\"x\" x=\"%.1f\" y=\"%d\">%s</text>\n", x,
			PLOT_TIMES_HEIGHT + 16, label);
	}
}

static void draw_counts(const struct bars *b, double scale, FILE *out)
{
	double step = plot_step_count(b->highest, 4);

	for (double n = 0; n <= b->highest; n += step) {
		double y = PLOT_TIMES_HEIGHT - n * scale;

		fprintf(out, "<path class=\"grid\" d=\"M0 %.1fH%d\"/>\n", y, b->width);
		fprintf(out, "<text class=\"y\" x=\"-8\" y=\"%.1f\">%.0f</text>\n", y + 4, n);
	}
}

/* Labels of lines that are near each other stand below each other. */
static void draw_quantile(const struct plot *plot, const struct bars *b, unsigned int part,
			  const char *name, int row, FILE *out)
{
	uint64_t ns = histogram_quantile(&plot->all_times, part);
	double x = x_of(b, (double)ns);
	bool left = x > b->width - 120;
	char text[32];

	fprintf(out, "<path class=\"line\" d=\"M%.1f 0V%d\"/>\n", x, PLOT_TIMES_HEIGHT);
	fprintf(out, "<text class=\"%s\" x=\"%.1f\" y=\"%d\">%s %s</text>\n",
		left ? "note end" : "note", left ? x - 5 : x + 5, 14 + 16 * row, name,
		ctl_time(ns, text, sizeof(text)));
}

void plot_draw_times(const struct plot *plot, int x, int y, FILE *out)
{
	struct bars b = { .n = 0 };
	double scale;

	bars_fill(&b, plot);
	scale = b.highest > 0 ? (PLOT_TIMES_HEIGHT - 12) / b.highest : 1;
	fprintf(out, "<g transform=\"translate(%d %d)\">\n", x, y);
	fprintf(out,
		"<text class=\"head\" x=\"0\" y=\"-10\">How long READs took: %" PRIu64
		" were answered, so many per bar</text>\n",
		plot->all_times.count);
	draw_decades(&b, out);
	draw_counts(&b, scale, out);
	for (int i = 0; i < b.n; i++)
		draw_bar(&b, i, scale, out);
	if (plot->all_times.count > 0) {
		draw_quantile(plot, &b, 5000, "p50", 0, out);
		draw_quantile(plot, &b, 9900, "p99", 1, out);
	}
	fprintf(out, "<path class=\"frame\" d=\"M0 0V%dH%d\"/>\n</g>\n", PLOT_TIMES_HEIGHT,
		b.width);
}
