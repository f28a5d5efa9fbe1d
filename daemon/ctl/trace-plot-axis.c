/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "daemon/ctl/trace-plot.h"

#define SECOND 1e9

double plot_step_bytes(double span, int n)
{
	double step = 1;

	while (span / step > n)
		step *= 2;
	return step;
}

double plot_step_count(double span, int n)
{
	double step = 1;

	for (int i = 0; span / step > n; i++)
		step *= i % 3 == 1 ? 2.5 : 2; /* 1, 2, 5, 10 */
	return step;
}

double plot_step_time(double span, int n)
{
	static const double long_steps[] = { 60, 120, 300, 600, 1800, 3600, 7200, 21600 };

	if (span / (30 * SECOND) <= n)
		return plot_step_count(span, n);
	for (size_t i = 0; i < sizeof(long_steps) / sizeof(*long_steps); i++)
		if (span / (long_steps[i] * SECOND) <= n)
			return long_steps[i] * SECOND;
	return 3600 * SECOND * plot_step_count(span / (3600 * SECOND), n);
}

void plot_label_bytes(double value, char *buf, size_t n)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	size_t i = 0;

	for (; value >= 1024 && i < sizeof(units) / sizeof(*units) - 1; i++)
		value /= 1024;
	snprintf(buf, n, "%.6g %s", value, units[i]);
}

void plot_label_time(double ns, double reach, char *buf, size_t n)
{
	static const struct {
		double from, factor;
		const char *name;
	} units[] = { { 2 * 3600 * SECOND, 3600 * SECOND, "h" },
		      { 240 * SECOND, 60 * SECOND, "min" },
		      { SECOND, SECOND, "s" },
		      { 1e6, 1e6, "ms" },
		      { 1e3, 1e3, "us" },
		      { 0, 1, "ns" } };
	size_t i = 0;

	while (reach < units[i].from)
		i++;
	snprintf(buf, n, "%.6g %s", ns / units[i].factor, units[i].name);
}
