/* SPDX-License-Identifier: MIT */
/*
 * The parts of `cachefillctl trace plot`: grids of pixels, axes, two passes over the file, the
 * drawing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "daemon/ctl/trace-filter.h"
#include "daemon/trace/histogram.h"
#include "daemon/trace/outcome.h"

/* ---- grids ------------------------------------------------------------------------------- */

/*
 * A rectangle of pixels on which any number of rectangles is painted; what is drawn depends on
 * its size, not on their number.
 */
struct plot_grid {
	int width, height;
	int32_t *marks; /* owned; differences: painting costs the same for each size */
};

int plot_grid_init(struct plot_grid *grid, int width, int height);
void plot_grid_deinit(struct plot_grid *grid);
/* Pixels [x0, x1) and [y0, y1), of which those inside are painted. */
void plot_grid_paint(struct plot_grid *grid, double x0, double y0, double x1, double y1);
/* The painted pixels as the data of an SVG path; the grid cannot be painted any more. */
void plot_grid_write(struct plot_grid *grid, FILE *out);

/* ---- axes -------------------------------------------------------------------------------- */

/* Round distances for at most n ticks in a span. */
double plot_step_bytes(double span, int n);
double plot_step_time(double span, int n); /* ns */
double plot_step_count(double span, int n);

/* The label of a tick. `reach`: the largest value of the axis, which chooses the unit. */
void plot_label_bytes(double value, char *buf, size_t n);
void plot_label_time(double ns, double reach, char *buf, size_t n);

/* ---- the picture ------------------------------------------------------------------------- */

/* From the lowest to the highest. */
enum plot_layer { PLOT_FETCH, PLOT_AHEAD, PLOT_HIT, PLOT_WAITED, PLOT_FAILED, PLOT_LAYERS };

#define PLOT_RANGES	((size_t)1 << 20) /* kept at the same time */
#define PLOT_PANELS_MAX 16
#define PLOT_HEIGHT	200 /* of a panel, pixels */

struct plot_panel {
	const struct trace_object *object; /* of the second pass */
	uint32_t index;
	uint64_t reads;
	uint64_t begin, end; /* bytes that were asked or fetched */
	uint64_t outcomes[TRACE_OUTCOMES];
	struct plot_grid layers[PLOT_LAYERS];
};

struct plot {
	const char *path;
	struct trace_filter filter;
	int width; /* pixels */
	size_t n_panels_max;

	struct plot_panel panels[PLOT_PANELS_MAX]; /* busiest first */
	size_t n_panels, n_objects;
	uint64_t reads;
	uint64_t begin, end; /* ns since the first record */
	/* READs of all objects, by outcome. */
	struct histogram times[TRACE_OUTCOMES];
	struct histogram all_times;

	struct intervals_budget budget;
	struct trace_outcomes *outcomes; /* owned, of the last pass */
};

/* The first pass over the file chooses panels and axes, the second one paints. CTL_OK, or
 * CTL_FAILED after it has said why. */
int plot_see(struct plot *plot);
int plot_paint(struct plot *plot);
void plot_deinit(struct plot *plot);

/* Width of what the axes enclose. */
int plot_inner_width(const struct plot *plot);

/* Writes the whole SVG. */
void plot_draw(struct plot *plot, FILE *out);
/* Text with what XML would take for its own replaced. */
void plot_escape(const char *text, FILE *out);
/* trace-plot-times.c: the distribution of latencies, with its top left corner at x, y. */
void plot_draw_times(const struct plot *plot, int x, int y, FILE *out);
#define PLOT_TIMES_HEIGHT 150
