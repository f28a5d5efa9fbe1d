/* SPDX-License-Identifier: MIT */
/* The two passes of a plot over its file: what there is to see, and painting it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/ctl.h"
#include "daemon/ctl/trace-plot.h"
#include "daemon/ctl/trace-walk.h"
#include "daemon/util/checked.h"

/* What the first pass knows of an object. */
struct sight {
	uint64_t reads;
	uint64_t begin, end;
};

struct pass {
	struct plot *plot;
	struct sight *sights; /* owned, by the index of the object; first pass */
	size_t n_sights;
	uint64_t last;
};

static uint64_t since(const struct plot *plot, uint64_t time)
{
	int64_t t = (int64_t)(time - plot->filter.first);

	return t < 0 ? 0 : (uint64_t)t;
}

static bool is_wanted(const struct plot *plot, const struct trace_object *object, uint64_t time)
{
	return object && trace_filter_time(&plot->filter, (int64_t)since(plot, time)) &&
	       trace_filter_object(&plot->filter, object->volume, object->cookie);
}

/* The part of a range that is inside the object, as far as one knows. */
static struct interval inside(const struct trace_object *object, uint64_t off, uint64_t len)
{
	struct interval range = { off, interval_end(off, len) };

	if (object->size_known)
		range.end = min_u64(range.end, object->size);
	return range;
}

/* ---- first pass -------------------------------------------------------------------------- */

static int sights_reserve(struct pass *p, uint32_t index)
{
	size_t n = p->n_sights ? p->n_sights : 16;
	struct sight *sights;

	if (index < p->n_sights)
		return 0;
	while (n <= index)
		n *= 2;
	sights = reallocarray(p->sights, n, sizeof(*sights));
	if (!sights)
		return -ENOMEM;
	for (size_t i = p->n_sights; i < n; i++)
		sights[i] = (struct sight){ .begin = UINT64_MAX };
	p->sights = sights;
	p->n_sights = n;
	return 0;
}

static int see(struct pass *p, const struct trace_object *object, uint64_t off, uint64_t len,
	       bool is_read)
{
	struct interval range = inside(object, off, len);
	struct sight *sight;
	int r = sights_reserve(p, object->index);

	if (r < 0)
		return r;
	sight = &p->sights[object->index];
	sight->reads += is_read;
	if (range.begin < range.end) {
		sight->begin = min_u64(sight->begin, range.begin);
		sight->end = max_u64(sight->end, range.end);
	}
	return 0;
}

static int see_begun(void *arg, const struct trace_request *request)
{
	struct pass *p = arg;

	if (request->kind != TRACE_READ || !is_wanted(p->plot, request->object, request->begun))
		return 0;
	p->plot->reads++;
	return see(p, request->object, request->off, request->len, true);
}

static int see_worked(void *arg, struct trace_object *object, const struct trace_record *record)
{
	struct pass *p = arg;

	if (record->kind != TRACE_FETCH || !is_wanted(p->plot, object, record->time))
		return 0;
	return see(p, object, record->off, record->len, false);
}

/* Into the list of the busiest, at its place. */
static void rank(struct plot *plot, uint32_t index, const struct sight *sight)
{
	struct plot_panel panel = {
		.index = index, .reads = sight->reads, .begin = sight->begin, .end = sight->end
	};
	size_t at = plot->n_panels;

	if (sight->reads == 0 || sight->begin >= sight->end)
		return;
	plot->n_objects++;
	while (at > 0 && plot->panels[at - 1].reads < sight->reads)
		at--;
	if (at == plot->n_panels_max)
		return;
	if (plot->n_panels < plot->n_panels_max)
		plot->n_panels++;
	memmove(&plot->panels[at + 1], &plot->panels[at],
		(plot->n_panels - at - 1) * sizeof(panel));
	plot->panels[at] = panel;
}

/* The axes reach from the first record to the last, or as the options say. */
static void set_reach(struct pass *p)
{
	struct plot *plot = p->plot;

	plot->begin = plot->filter.from;
	plot->end = plot->filter.has_to ? min_u64(plot->filter.to, p->last) : p->last;
	if (plot->end <= plot->begin)
		plot->end = plot->begin + 1;
	for (size_t i = 0; i < p->n_sights; i++)
		rank(plot, (uint32_t)i, &p->sights[i]);
}

/* ---- second pass ------------------------------------------------------------------------- */

/* Objects come in the same order again. */
static struct plot_panel *panel_of(const struct pass *p, const struct trace_object *object)
{
	struct plot *plot = p->plot;

	for (size_t i = 0; object && i < plot->n_panels; i++)
		if (plot->panels[i].index == object->index) {
			plot->panels[i].object = object;
			return &plot->panels[i];
		}
	return NULL;
}

static double x_of(const struct plot *plot, uint64_t time)
{
	return ((double)since(plot, time) - (double)plot->begin) /
	       (double)(plot->end - plot->begin) * plot_inner_width(plot);
}

static double y_of(const struct plot_panel *panel, uint64_t off)
{
	return PLOT_HEIGHT - ((double)off - (double)panel->begin) /
				     (double)(panel->end - panel->begin) * PLOT_HEIGHT;
}

/* Moves [*from, *to) inside [0, max), after it was made at least so long around its middle. */
static void widen(double *from, double *to, double least, double max)
{
	double missing = least - (*to - *from);

	if (missing > 0) {
		*from -= missing / 2;
		*to += missing / 2;
	}
	if (*from < 0 && *to < least) {
		*from = 0;
		*to = least;
	} else if (*to > max && *from > max - least) {
		*from = max - least;
		*to = max;
	}
}

/* Never smaller than can be seen. What is fetched shows behind the READs for it. */
static void paint(const struct plot *plot, struct plot_panel *panel, enum plot_layer layer,
		  const struct interval *times, const struct interval *range)
{
	static const struct {
		double width, height;
	} least[PLOT_LAYERS] = {
		[PLOT_FETCH] = { 2, 7 },  [PLOT_AHEAD] = { 2, 7 },  [PLOT_HIT] = { 3, 3 },
		[PLOT_WAITED] = { 3, 3 }, [PLOT_FAILED] = { 5, 5 },
	};
	double x0 = x_of(plot, times->begin), x1 = x_of(plot, times->end);
	double y1 = y_of(panel, range->begin), y0 = y_of(panel, range->end);
	int width = plot_inner_width(plot);

	if (x1 < 0 || x0 > width || y1 < 0 || y0 > PLOT_HEIGHT)
		return;
	widen(&x0, &x1, least[layer].width, width);
	widen(&y0, &y1, least[layer].height, PLOT_HEIGHT);
	plot_grid_paint(&panel->layers[layer], x0, y0, x1, y1);
}

static int paint_read(struct pass *p, const struct trace_judged *judged)
{
	static const enum plot_layer layers[TRACE_OUTCOMES] = {
		[TRACE_HIT] = PLOT_HIT,
		[TRACE_WAITED] = PLOT_WAITED,
		[TRACE_FAILED] = PLOT_FAILED,
	};
	const struct trace_request *request = judged->request;
	struct plot_panel *panel = panel_of(p, request->object);
	struct interval times = { request->begun, max_u64(request->begun, request->ended) };
	struct interval range;

	if (!panel)
		return 0;
	panel->outcomes[judged->outcome]++;
	range = inside(request->object, request->off, request->len);
	if (layers[judged->outcome] && range.begin < range.end)
		paint(p->plot, panel, layers[judged->outcome], &times, &range);
	return 0;
}

static int paint_judged(void *arg, const struct trace_judged *judged)
{
	const struct trace_request *request = judged->request;
	struct pass *p = arg;
	uint64_t took = request->ended - min_u64(request->begun, request->ended);
	int r = 0;

	if (request->kind != TRACE_READ || !is_wanted(p->plot, request->object, request->begun))
		return 0;
	if (request->answered) {
		r = histogram_add(&p->plot->times[judged->outcome], took);
		if (r == 0)
			r = histogram_add(&p->plot->all_times, took);
	}
	return r < 0 ? r : paint_read(p, judged);
}

static int paint_worked(void *arg, struct trace_object *object, const struct trace_record *record)
{
	struct pass *p = arg;
	struct plot_panel *panel = panel_of(p, object);
	struct interval times = { record->time - min_u64(record->took, record->time),
				  record->time };
	struct interval range;

	if (record->kind != TRACE_FETCH || !panel || !is_wanted(p->plot, object, record->time))
		return 0;
	range = inside(object, record->off, record->len);
	if (range.begin < range.end)
		paint(p->plot, panel, record->class == 0 ? PLOT_FETCH : PLOT_AHEAD, &times, &range);
	return 0;
}

/* ---- both -------------------------------------------------------------------------------- */

static int feed(struct trace_walk *walk, const struct trace_record *record)
{
	struct pass *p = walk->arg;
	int64_t t = trace_filter_since(&p->plot->filter, record);

	if (t > 0)
		p->last = max_u64(p->last, (uint64_t)t);
	return trace_outcomes_feed(p->plot->outcomes, record);
}

static int walk_pass(struct pass *p, bool progress)
{
	struct trace_walk walk = {
		.path = p->plot->path, .progress = progress, .each = feed, .arg = p
	};
	int status = trace_walk(&walk), r;

	if (status != CTL_OK)
		return status;
	r = trace_outcomes_finish(p->plot->outcomes);
	return r < 0 ? ctl_error("%s: %s", p->plot->path, strerror(-r)) : CTL_OK;
}

static int run_pass(struct pass *p, const struct trace_outcomes_callbacks *callbacks, bool progress)
{
	struct plot *plot = p->plot;

	plot->outcomes = trace_outcomes_free(plot->outcomes);
	if (trace_outcomes_new(&plot->outcomes, callbacks, p, &plot->budget) < 0)
		return ctl_error("%s", strerror(ENOMEM));
	return walk_pass(p, progress);
}

int plot_see(struct plot *plot)
{
	static const struct trace_outcomes_callbacks callbacks = { .begun = see_begun,
								   .worked = see_worked };
	struct pass p = { .plot = plot };
	int status = run_pass(&p, &callbacks, true);

	if (status == CTL_OK)
		set_reach(&p);
	free(p.sights);
	return status;
}

static int panels_init(struct plot *plot)
{
	for (size_t i = 0; i < plot->n_panels; i++)
		for (size_t l = 0; l < PLOT_LAYERS; l++)
			if (plot_grid_init(&plot->panels[i].layers[l], plot_inner_width(plot),
					   PLOT_HEIGHT) < 0)
				return -ENOMEM;
	return 0;
}

int plot_paint(struct plot *plot)
{
	static const struct trace_outcomes_callbacks callbacks = { .judged = paint_judged,
								   .worked = paint_worked };
	struct pass p = { .plot = plot };

	if (panels_init(plot) < 0)
		return ctl_error("%s", strerror(ENOMEM));
	return run_pass(&p, &callbacks, false);
}

void plot_deinit(struct plot *plot)
{
	for (size_t i = 0; i < plot->n_panels; i++)
		for (size_t l = 0; l < PLOT_LAYERS; l++)
			plot_grid_deinit(&plot->panels[i].layers[l]);
	for (size_t o = 0; o < TRACE_OUTCOMES; o++)
		histogram_deinit(&plot->times[o]);
	histogram_deinit(&plot->all_times);
	plot->outcomes = trace_outcomes_free(plot->outcomes);
}
