/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "daemon/ctl/trace-plot.h"

int plot_grid_init(struct plot_grid *grid, int width, int height)
{
	grid->width = width;
	grid->height = height;
	grid->marks = calloc((size_t)(width + 1) * (size_t)(height + 1), sizeof(*grid->marks));
	return grid->marks ? 0 : -ENOMEM;
}

void plot_grid_deinit(struct plot_grid *grid)
{
	free(grid->marks);
	grid->marks = NULL;
}

static int32_t *at(const struct plot_grid *grid, int x, int y)
{
	return &grid->marks[(size_t)y * (size_t)(grid->width + 1) + (size_t)x];
}

static int clip(double v, int max)
{
	return v > 0 ? (v < max ? (int)lround(v) : max) : 0;
}

/* Four corners, of which the sum over everything above and to the left is 1 inside. */
void plot_grid_paint(struct plot_grid *grid, double x0, double y0, double x1, double y1)
{
	int left = clip(x0, grid->width), right = clip(x1, grid->width);
	int top = clip(y0, grid->height), bottom = clip(y1, grid->height);

	if (left >= right || top >= bottom)
		return;
	++*at(grid, left, top);
	--*at(grid, right, top);
	--*at(grid, left, bottom);
	++*at(grid, right, bottom);
}

static void sum_up(struct plot_grid *grid)
{
	for (int y = 0; y <= grid->height; y++)
		for (int x = 1; x <= grid->width; x++)
			*at(grid, x, y) += *at(grid, x - 1, y);
	for (int y = 1; y <= grid->height; y++)
		for (int x = 0; x <= grid->width; x++)
			*at(grid, x, y) += *at(grid, x, y - 1);
}

static bool painted(const struct plot_grid *grid, int x, int y)
{
	return x >= 0 && x < grid->width && y >= 0 && y<grid->height && * at(grid, x, y)> 0;
}

/* Whether [x0, x1) is painted in this row, and neither of its neighbours. */
static bool is_run(const struct plot_grid *grid, int x0, int x1, int y)
{
	if (y < 0 || y >= grid->height || painted(grid, x0 - 1, y) || painted(grid, x1, y))
		return false;
	for (int x = x0; x < x1; x++)
		if (!painted(grid, x, y))
			return false;
	return true;
}

/* One rectangle for equal runs in rows below each other, written at the first of them. */
static void write_run(const struct plot_grid *grid, int x0, int x1, int y, FILE *out)
{
	int rows = 1;

	if (is_run(grid, x0, x1, y - 1))
		return;
	while (is_run(grid, x0, x1, y + rows))
		rows++;
	fprintf(out, "M%d %dh%dv%dh%dz", x0, y, x1 - x0, rows, x0 - x1);
}

void plot_grid_write(struct plot_grid *grid, FILE *out)
{
	sum_up(grid);
	for (int y = 0; y < grid->height; y++)
		for (int x = 0; x < grid->width; x++) {
			int x0 = x;

			while (painted(grid, x, y))
				x++;
			if (x > x0)
				write_run(grid, x0, x, y, out);
		}
}
