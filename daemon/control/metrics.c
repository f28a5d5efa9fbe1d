/* SPDX-License-Identifier: MIT */
#include "daemon/control/metrics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/bytes.h"

#define US ((uint64_t)1000)
#define MS NSEC_PER_MSEC
#define S  NSEC_PER_SEC

const uint64_t duration_bounds[DURATION_BUCKETS] = {
	100 * US, 250 * US, 500 * US, 1 * MS,	2500 * US, 5 * MS,    10 * MS, 25 * MS,
	50 * MS,  100 * MS, 250 * MS, 500 * MS, 1 * S,	   2500 * MS, 10 * S,  30 * S,
};

enum result result_of(int err)
{
	switch (-err) {
	case 0:
		return RESULT_OK;
	case ENOENT:
		return RESULT_NOT_FOUND;
	case ETIMEDOUT:
		return RESULT_TIMEOUT;
	case ECANCELED:
	case ESHUTDOWN:
		return RESULT_CANCELED;
	case ENOSPC:
	case ENOBUFS:
	case EDQUOT:
		return RESULT_NO_SPACE;
	case ESTALE:
		return RESULT_CHANGED;
	case EACCES:
	case EPERM:
		return RESULT_DENIED;
	default:
		return RESULT_ERROR;
	}
}

const char *result_name(enum result result)
{
	static const char *const names[] = {
		[RESULT_OK] = "ok",
		[RESULT_NOT_FOUND] = "not_found",
		[RESULT_TIMEOUT] = "timeout",
		[RESULT_CANCELED] = "canceled",
		[RESULT_NO_SPACE] = "no_space",
		[RESULT_CHANGED] = "changed",
		[RESULT_DENIED] = "denied",
		[RESULT_ERROR] = "error",
	};

	return names[result];
}

const char *metrics_class_name(enum engine_class class)
{
	static const char *const names[] = { "demand", "ahead", "prefetch" };

	return names[class];
}

static void duration_add(struct duration *d, uint64_t ns)
{
	size_t i = 0;

	while (i < DURATION_BUCKETS && ns > duration_bounds[i])
		i++;
	d->buckets[i]++;
	d->count++;
	d->sum += ns;
}

static void work_add(struct work *work, uint64_t ns, int err)
{
	work->results[result_of(err)]++;
	duration_add(&work->took, ns);
}

uint64_t work_failed(const struct work *work)
{
	return work->took.count - work->results[RESULT_OK];
}

/* ---- the observer ------------------------------------------------------------------------- */

static struct metrics *metrics_of(struct engine_observer *observer)
{
	return container_of(observer, struct metrics, observer);
}

static uint64_t since(const struct metrics *m, uint64_t then)
{
	return loop_now(m->loop) - then;
}

static struct source_metrics *source_of(const struct metrics *m, uint32_t number)
{
	return number < m->n_sources ? m->sources[number] : NULL;
}

static struct source_metrics *source_new(const char *name)
{
	size_t n = 4 * strlen(name) + 4;
	struct source_metrics *source = calloc(1, sizeof(*source) + n);

	if (source)
		bytes_print(bytes_str(name), source->name, n);
	return source;
}

/* One that there is no memory for is not counted. */
static void metrics_add(struct metrics *m, uint32_t number, const char *name)
{
	struct source_metrics **sources;

	if (number >= m->n_sources) {
		sources = reallocarray(m->sources, number + 1, sizeof(*sources));
		if (!sources)
			return;
		memset(sources + m->n_sources, 0, (number + 1 - m->n_sources) * sizeof(*sources));
		m->sources = sources;
		m->n_sources = number + 1;
	}
	free(m->sources[number]); /* another one had the number before */
	m->sources[number] = source_new(name);
}

static void metrics_added(struct engine_observer *observer, uint32_t number,
			  const struct engine_source_config *config)
{
	metrics_add(metrics_of(observer), number, config->name);
}

static void metrics_answered(struct engine_observer *observer, const struct engine_open *open,
			     int err)
{
	struct metrics *m = metrics_of(observer);

	work_add(&m->opens, since(m, open->begun), err);
}

static void metrics_served(struct engine_observer *observer, struct object *o,
			   const struct engine_demand *demand, int err)
{
	struct metrics *m = metrics_of(observer);

	work_add(&m->reads, since(m, demand->begun), err);
	m->read_bytes += demand->len;
}

static void metrics_looked(struct engine_observer *observer, const struct engine_open *open,
			   uint32_t number, uint64_t size, uint64_t begun, int err)
{
	struct metrics *m = metrics_of(observer);
	struct source_metrics *source = source_of(m, number);

	if (source)
		work_add(&source->looks, since(m, begun), err);
}

static void metrics_fetched(struct engine_observer *observer, struct object *o,
			    const struct engine_work *work, uint64_t got, enum engine_class class)
{
	struct metrics *m = metrics_of(observer);
	struct source_metrics *source = source_of(m, object_source(o));

	if (!source)
		return;
	work_add(&source->fetches, since(m, work->begun), work->err);
	source->fetched[class] += got;
}

static void metrics_stored(struct engine_observer *observer, struct object *o,
			   const struct engine_work *work, enum engine_class class)
{
	struct metrics *m = metrics_of(observer);
	struct source_metrics *source = source_of(m, object_source(o));

	work_add(&m->stores, since(m, work->begun), work->err);
	if (source)
		source->stored[class] += work->len;
}

static void metrics_add_first(void *arg, uint32_t number, const struct engine_source_config *source)
{
	metrics_add(arg, number, source->name);
}

void metrics_begin(struct metrics *m, struct engine *engine, const struct loop *loop)
{
	*m = (struct metrics){
		.observer = {
			.added = metrics_added,
			.answered = metrics_answered,
			.served = metrics_served,
			.looked = metrics_looked,
			.fetched = metrics_fetched,
			.stored = metrics_stored,
		},
		.engine = engine,
		.loop = loop,
	};
	engine_each_source(engine, metrics_add_first, m);
	engine_observe(engine, &m->observer);
}

void metrics_end(struct metrics *m)
{
	engine_unobserve(m->engine, &m->observer);
	for (size_t i = 0; i < m->n_sources; i++)
		free(m->sources[i]);
	free(m->sources);
}

const struct source_metrics *metrics_source(const struct metrics *m, uint32_t number)
{
	return source_of(m, number);
}

const char *metrics_source_name(const struct metrics *m, uint32_t number)
{
	const struct source_metrics *source = source_of(m, number);

	return source ? source->name : "";
}
