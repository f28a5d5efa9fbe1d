/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "daemon/ctl/ctl.h"
#include "daemon/ctl/trace-plot.h"

#define LEFT	  96
#define RIGHT	  24
#define TOP	  84
#define PANEL_ALL (PLOT_HEIGHT + 72) /* with its head and the labels of its axis */
#define BOTTOM	  44

/* Colours of Okabe and Ito and relatives: told apart by lightness too. The picture brings its own
 * ground, whatever the viewer's is. */
static const char style[] = "text{font:12px system-ui,'DejaVu Sans',sans-serif;fill:#333}\n"
			    ".title{font-size:18px;font-weight:600;fill:#111}\n"
			    ".head{font-size:13px;font-weight:600;fill:#111}\n"
			    ".x{text-anchor:middle}.y,.end{text-anchor:end}.note{font-weight:600;"
			    "paint-order:stroke;stroke:#fff;stroke-width:4px}\n"
			    ".grid{stroke:#e3e3e3;fill:none}.frame{stroke:#888;fill:none}\n"
			    ".line{stroke:#333;stroke-dasharray:4 3;fill:none}\n"
			    ".fetch{fill:#bcdcf2}.ahead{fill:#e6dcc4}\n"
			    ".hit{fill:#0072b2}.waited{fill:#e08e00}.failed{fill:#9b0030}\n";

static const char *const layer_class[PLOT_LAYERS] = { "fetch", "ahead", "hit", "waited", "failed" };

int plot_inner_width(const struct plot *plot)
{
	return plot->width - LEFT - RIGHT;
}

void plot_escape(const char *text, FILE *out)
{
	for (; *text; text++)
		switch (*text) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			fputc(*text, out);
		}
}

/* Its last `columns` characters, which say more than its first. */
static void write_name(const char *name, size_t columns, FILE *out)
{
	size_t len = strlen(name);

	if (len > columns)
		fputs("...", out);
	plot_escape(len > columns ? name + (len - columns) : name, out);
}

/* ---- a panel ----------------------------------------------------------------------------- */

static void draw_time_axis(const struct plot *plot, FILE *out)
{
	int width = plot_inner_width(plot);
	double begin = (double)plot->begin, end = (double)plot->end;
	double step = plot_step_time(end - begin, width / 90);

	for (double t = ceil(begin / step) * step; t <= end; t += step) {
		double x = (t - begin) / (end - begin) * width;
		char label[32];

		plot_label_time(t, end, label, sizeof(label));
		fprintf(out, "<path class=\"grid\" d=\"M%.1f 0V%d\"/>\n", x, PLOT_HEIGHT);
		fprintf(out, "<text class=\"x\" x=\"%.1f\" y=\"%d\">%s</text>\n", x,
			PLOT_HEIGHT + 17, label);
	}
}

static void draw_offset_axis(const struct plot *plot, const struct plot_panel *panel, FILE *out)
{
	double begin = (double)panel->begin, end = (double)panel->end;
	double step = plot_step_bytes(end - begin, 6);

	for (double v = ceil(begin / step) * step; v <= end; v += step) {
		double y = PLOT_HEIGHT - (v - begin) / (end - begin) * PLOT_HEIGHT;
		char label[32];

		plot_label_bytes(v, label, sizeof(label));
		fprintf(out, "<path class=\"grid\" d=\"M0 %.1fH%d\"/>\n", y,
			plot_inner_width(plot));
		fprintf(out, "<text class=\"y\" x=\"-8\" y=\"%.1f\">%s</text>\n", y + 4, label);
		if (v + step <= v)
			break; /* beyond what the steps of a double are */
	}
}

static void draw_head(const struct plot *plot, const struct plot_panel *panel, FILE *out)
{
	char name[TRACE_OBJECT_NAME_MAX];
	int width = plot_inner_width(plot);

	trace_object_name(panel->object->volume, panel->object->cookie, name, sizeof(name));
	fputs("<text class=\"head\" x=\"0\" y=\"-10\">", out);
	write_name(name, (size_t)(width - 280) / 9, out);
	fprintf(out,
		"</text>\n<text class=\"end\" x=\"%d\" y=\"-10\">%" PRIu64 " READs: %" PRIu64
		" hits, %" PRIu64 " waited, %" PRIu64 " failed</text>\n",
		width, panel->reads, panel->outcomes[TRACE_HIT], panel->outcomes[TRACE_WAITED],
		panel->outcomes[TRACE_FAILED]);
}

static void draw_panel(const struct plot *plot, struct plot_panel *panel, int y, FILE *out)
{
	fprintf(out, "<g transform=\"translate(%d %d)\">\n", LEFT, y);
	draw_head(plot, panel, out);
	draw_time_axis(plot, out);
	draw_offset_axis(plot, panel, out);
	for (size_t i = 0; i < PLOT_LAYERS; i++) {
		fprintf(out, "<path class=\"%s\" d=\"", layer_class[i]);
		plot_grid_write(&panel->layers[i], out);
		fputs("\"/>\n", out);
	}
	fprintf(out, "<path class=\"frame\" d=\"M0 0V%dH%d\"/>\n</g>\n", PLOT_HEIGHT,
		plot_inner_width(plot));
}

/* ---- all of it --------------------------------------------------------------------------- */

static void draw_title(const struct plot *plot, FILE *out)
{
	const char *slash = strrchr(plot->path, '/');
	const char *name = slash && slash[1] ? slash + 1 : plot->path;
	char printed[512], duration[32];

	bytes_print(bytes_str(name), printed, sizeof(printed));
	fprintf(out, "<text class=\"title\" x=\"%d\" y=\"30\">", LEFT);
	write_name(printed, (size_t)plot_inner_width(plot) / 12, out);
	fprintf(out,
		"</text>\n<text x=\"%d\" y=\"50\">%" PRIu64 " READs in %s; the %zu busiest of %zu "
		"objects: offset over time since the first record</text>\n",
		LEFT, plot->reads, ctl_time(plot->end - plot->begin, duration, sizeof(duration)),
		plot->n_panels, plot->n_objects);
}

static void draw_legend(FILE *out)
{
	static const struct {
		const char *class, *text;
		int width;
	} keys[] = { { "hit", "READ, hit", 92 },
		     { "waited", "READ, waited (its length is the time)", 244 },
		     { "failed", "READ, failed", 108 },
		     { "fetch", "fetched on demand", 144 },
		     { "ahead", "fetched ahead", 0 } };
	int x = LEFT;

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		fprintf(out, "<rect class=\"%s\" x=\"%d\" y=\"61\" width=\"12\" height=\"12\"/>",
			keys[i].class, x);
		fprintf(out, "<text x=\"%d\" y=\"71\">%s</text>\n", x + 18, keys[i].text);
		x += keys[i].width;
	}
}

void plot_draw(struct plot *plot, FILE *out)
{
	int times = TOP + 34 + (int)plot->n_panels * PANEL_ALL;
	int height = times + PLOT_TIMES_HEIGHT + BOTTOM;

	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
		"viewBox=\"0 0 %d %d\">\n<style>\n%s</style>\n",
		plot->width, height, plot->width, height, style);
	fputs("<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n", out);
	draw_title(plot, out);
	draw_legend(out);
	for (size_t i = 0; i < plot->n_panels; i++)
		draw_panel(plot, &plot->panels[i], TOP + 34 + (int)i * PANEL_ALL, out);
	plot_draw_times(plot, LEFT, times, out);
	fputs("</svg>\n", out);
}
