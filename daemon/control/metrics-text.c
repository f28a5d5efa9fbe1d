/* SPDX-License-Identifier: MIT */
/*
 * The numbers as text: the exposition format of Prometheus, or OpenMetrics for who asks for that.
 * They differ in how a family of counters is called, and in the end. Names follow the conventions
 * of Prometheus: base units, "_total" for counters.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/audit/audit.h"
#include "daemon/control/control-internal.h"
#include "daemon/control/process.h"
#include "daemon/prefetch/prefetch.h"
#include "daemon/space/space.h"

struct writer {
	FILE *file;
	bool open_metrics;
};

#define P "cachefilld_"

/* type "counter": name is without "_total". */
static void family(const struct writer *w, const char *name, const char *type, const char *help)
{
	bool total = strcmp(type, "counter") == 0 && !w->open_metrics;
	const char *suffix = total ? "_total" : "";

	fprintf(w->file, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, suffix, help, name, suffix,
		type);
}

static void put_label(const struct writer *w, const char *value)
{
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			fputc('\\', w->file);
		fputc(*value, w->file);
	}
}

/* labels: names and values by turns, ends with NULL. */
static void put_labels(const struct writer *w, const char *const *labels, const char *le)
{
	const char *before = "{";

	for (; labels && labels[0]; labels += 2, before = ",") {
		fprintf(w->file, "%s%s=\"", before, labels[0]);
		put_label(w, labels[1]);
		fputc('"', w->file);
	}
	if (le)
		fprintf(w->file, "%sle=\"%s\"", before, le);
	if (le || *before == ',')
		fputc('}', w->file);
}

static void put(const struct writer *w, const char *name, const char *suffix,
		const char *const *labels, uint64_t value)
{
	fprintf(w->file, "%s%s", name, suffix);
	put_labels(w, labels, NULL);
	fprintf(w->file, " %llu\n", (unsigned long long)value);
}

#define LABELS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void gauge(const struct writer *w, const char *name, const char *help, uint64_t value)
{
	family(w, name, "gauge", help);
	put(w, name, "", NULL, value);
}

static void counter(const struct writer *w, const char *name, const char *help, uint64_t value)
{
	family(w, name, "counter", help);
	put(w, name, "_total", NULL, value);
}

static void real(const struct writer *w, const char *name, const char *type, const char *help,
		 double value)
{
	family(w, name, type, help);
	fprintf(w->file, "%s%s %.3f\n", name, strcmp(type, "counter") == 0 ? "_total" : "", value);
}

static void put_duration(const struct writer *w, const char *name, const char *const *labels,
			 const struct duration *d)
{
	uint64_t sum = 0;
	char le[32];

	for (size_t i = 0; i <= DURATION_BUCKETS; i++) {
		sum += d->buckets[i];
		if (i < DURATION_BUCKETS)
			snprintf(le, sizeof(le), "%g", (double)duration_bounds[i] / 1e9);
		fprintf(w->file, "%s_bucket", name);
		put_labels(w, labels, i < DURATION_BUCKETS ? le : "+Inf");
		fprintf(w->file, " %llu\n", (unsigned long long)sum);
	}
	fprintf(w->file, "%s_sum", name);
	put_labels(w, labels, NULL);
	fprintf(w->file, " %.6f\n", (double)d->sum / 1e9);
	put(w, name, "_count", labels, d->count);
}

/* ---- requests ----------------------------------------------------------------------------- */

/* All of them: of a counter that comes with its first failure nobody would see an increase. */
static void put_results(const struct writer *w, const char *name, const char *op,
			const struct work *work)
{
	for (enum result i = 0; i < RESULTS; i++)
		put(w, name, "_total", LABELS("op", op, "result", result_name(i)),
		    work->results[i]);
}

static void put_requests(const struct writer *w, const struct metrics *m)
{
	family(w, P "requests", "counter", "Requests of the kernel that were answered.");
	put_results(w, P "requests", "open", &m->opens);
	put_results(w, P "requests", "read", &m->reads);
	family(w, P "request_duration_seconds", "histogram",
	       "Time from a request of the kernel to its answer.");
	put_duration(w, P "request_duration_seconds", LABELS("op", "open"), &m->opens.took);
	put_duration(w, P "request_duration_seconds", LABELS("op", "read"), &m->reads.took);
	counter(w, P "request_bytes", "Bytes that reads asked for.", m->read_bytes);
}

/* 0: nobody waits. */
static double oldest_age(const struct control *c)
{
	struct engine_waiting oldest;

	if (!engine_oldest(c->config.engine, &oldest))
		return 0;
	return (double)(loop_now(c->config.loop) - oldest.since) / 1e9;
}

static void put_now(const struct writer *w, const struct control *c)
{
	struct engine_stats s = engine_stats(c->config.engine);
	struct engine_gauges g;

	engine_gauges(c->config.engine, &g);
	family(w, P "requests_in_flight", "gauge", "Requests that wait for their answer.");
	put(w, P "requests_in_flight", "", LABELS("op", "open"), g.opens);
	put(w, P "requests_in_flight", "", LABELS("op", "read"), g.demands);
	real(w, P "oldest_request_age_seconds", "gauge",
	     "How long the request has waited that waits for the longest.", oldest_age(c));
	gauge(w, P "flights", "Fetches that are queued, under way or being stored.", g.flights);
	gauge(w, P "objects", "Objects that are open.", s.objects);
	gauge(w, P "buffers_used_bytes", "Memory that fetches hold.", g.buffers_used);
	gauge(w, P "buffers_limit_bytes", "Memory that fetches may hold.", g.buffers_max);
	gauge(w, P "names", "Names that are remembered.", g.names.entries);
	gauge(w, P "names_bytes", "Memory that they take.", g.names.bytes);
	counter(w, P "names_evicted", "Names that were forgotten for want of room.",
		g.names.evicted);
	family(w, P "open_lookups", "counter", "Who knew what an open meant.");
	put(w, P "open_lookups", "_total", LABELS("by", "images"), s.known);
	put(w, P "open_lookups", "_total", LABELS("by", "memory"), s.remembered);
	put(w, P "open_lookups", "_total", LABELS("by", "memory_absent"), s.remembered_absent);
	put(w, P "open_lookups", "_total", LABELS("by", "origin"), s.looks);
}

/* ---- sources ------------------------------------------------------------------------------ */

/* Each family of sources: one line, or a few, for each of them. */
static void each_source(const struct writer *w, const struct control *c,
			void (*visit)(const struct writer *w, const struct control *c,
				      uint32_t number, const struct source_metrics *source))
{
	for (size_t i = 0; i < c->metrics.n_sources; i++)
		if (c->metrics.sources[i])
			visit(w, c, (uint32_t)i, c->metrics.sources[i]);
}

static void put_source_results(const struct writer *w, const char *op, const char *source,
			       const struct work *work)
{
	for (enum result i = 0; i < RESULTS; i++)
		put(w, P "origin_requests", "_total",
		    LABELS("source", source, "op", op, "result", result_name(i)), work->results[i]);
}

static void source_requests(const struct writer *w, const struct control *c, uint32_t number,
			    const struct source_metrics *s)
{
	put_source_results(w, "look", s->name, &s->looks);
	put_source_results(w, "fetch", s->name, &s->fetches);
}

static void source_durations(const struct writer *w, const struct control *c, uint32_t number,
			     const struct source_metrics *s)
{
	put_duration(w, P "origin_request_duration_seconds",
		     LABELS("source", s->name, "op", "look"), &s->looks.took);
	put_duration(w, P "origin_request_duration_seconds",
		     LABELS("source", s->name, "op", "fetch"), &s->fetches.took);
}

static void source_bytes(const struct writer *w, const char *name, const char *source,
			 const uint64_t *bytes)
{
	for (enum engine_class i = 0; i < ENGINE_CLASSES; i++)
		put(w, name, "_total", LABELS("source", source, "class", metrics_class_name(i)),
		    bytes[i]);
}

static void source_fetched(const struct writer *w, const struct control *c, uint32_t number,
			   const struct source_metrics *s)
{
	source_bytes(w, P "fetched_bytes", s->name, s->fetched);
}

static void source_stored(const struct writer *w, const struct control *c, uint32_t number,
			  const struct source_metrics *s)
{
	source_bytes(w, P "stored_bytes", s->name, s->stored);
}

static void source_in_flight(const struct writer *w, const struct control *c, uint32_t number,
			     const struct source_metrics *s)
{
	struct source_view view;

	engine_look_at_source(c->config.engine, number, &view);
	put(w, P "origin_requests_in_flight", "", LABELS("source", s->name), view.running);
}

static void source_queued(const struct writer *w, const struct control *c, uint32_t number,
			  const struct source_metrics *s)
{
	struct source_view view;

	engine_look_at_source(c->config.engine, number, &view);
	put(w, P "origin_requests_queued", "", LABELS("source", s->name, "class", "open"),
	    view.looks);
	put(w, P "origin_requests_queued", "", LABELS("source", s->name, "class", "demand"),
	    view.demands);
	put(w, P "origin_requests_queued", "", LABELS("source", s->name, "class", "ahead"),
	    view.ahead);
	put(w, P "origin_requests_queued", "", LABELS("source", s->name, "class", "prefetch"),
	    view.prefetches);
}

static void put_sources(const struct writer *w, const struct control *c)
{
	family(w, P "origin_requests", "counter", "Requests to origins that have ended.");
	each_source(w, c, source_requests);
	family(w, P "origin_request_duration_seconds", "histogram",
	       "Time from the start of a request to an origin to its end.");
	each_source(w, c, source_durations);
	family(w, P "fetched_bytes", "counter", "Bytes that came from origins.");
	each_source(w, c, source_fetched);
	family(w, P "stored_bytes", "counter", "Bytes that were written to the cache.");
	each_source(w, c, source_stored);
	family(w, P "origin_requests_in_flight", "gauge", "Requests at origins.");
	each_source(w, c, source_in_flight);
	family(w, P "origin_requests_queued", "gauge", "Requests that wait for their turn.");
	each_source(w, c, source_queued);
}

struct avoided {
	const struct writer *writer;
	const struct control *control;
};

static void put_avoided(void *to, uint32_t source, const struct fetch_health *h)
{
	const struct avoided *a = to;

	put(a->writer, P "origin_avoided", "",
	    LABELS("source", metrics_source_name(&a->control->metrics, source), "place", h->name),
	    h->state != HEALTH_WORKS);
}

static void put_health(const struct writer *w, const struct control *c)
{
	struct avoided avoided = { w, c };

	family(w, P "origin_avoided", "gauge",
	       "1: it fails, and others are asked for what it has.");
	if (c->config.ops && c->config.ops->each_health)
		c->config.ops->each_health(c->config.arg, put_avoided, &avoided);
}

static void put_stores(const struct writer *w, const struct metrics *m)
{
	family(w, P "stores", "counter", "Writes to the cache that have ended.");
	for (enum result i = 0; i < RESULTS; i++)
		put(w, P "stores", "_total", LABELS("result", result_name(i)),
		    m->stores.results[i]);
	family(w, P "store_duration_seconds", "histogram", "Time that a write to the cache took.");
	put_duration(w, P "store_duration_seconds", NULL, &m->stores.took);
}

/* ---- space -------------------------------------------------------------------------------- */

static void put_space(const struct writer *w, const struct control *c)
{
	struct space_stats s;

	if (!c->config.space)
		return;
	s = space_stats(c->config.space);
	gauge(w, P "cache_bytes", "Bytes of all cache files.", s.used);
	gauge(w, P "cache_objects", "Objects in the cache when they were counted last.", s.objects);
	counter(w, P "culled_objects", "Objects that were culled.", s.culled);
	counter(w, P "culled_bytes", "Bytes that they had.", s.culled_bytes);
	gauge(w, P "disk_size_bytes", "Size of the file system of the cache.", s.disk.bytes);
	gauge(w, P "disk_free_bytes", "Free bytes there, but for root's.", s.disk.bytes_free);
	gauge(w, P "disk_scarce", "1: little is left, nothing is read ahead.", s.scarce);
	gauge(w, P "disk_full", "1: the kernel refuses writes.", s.full);
}

/* ---- prefetch ----------------------------------------------------------------------------- */

static void count_running(void *arg, const struct prefetch_view *view)
{
	uint64_t *n = arg;

	*n += !prefetch_has_ended(view->state);
}

static void put_prefetch(const struct writer *w, const struct control *c)
{
	struct prefetch_stats s;
	uint64_t running = 0;

	if (!c->config.prefetch)
		return;
	s = prefetch_stats(c->config.prefetch);
	prefetch_each(c->config.prefetch, count_running, &running);
	gauge(w, P "prefetch_jobs_running", "Jobs that have not ended.", running);
	family(w, P "prefetch_jobs", "counter", "Jobs that have ended.");
	put(w, P "prefetch_jobs", "_total", LABELS("result", "done"), s.done);
	put(w, P "prefetch_jobs", "_total", LABELS("result", "failed"), s.failed);
	put(w, P "prefetch_jobs", "_total", LABELS("result", "canceled"), s.canceled);
	put(w, P "prefetch_jobs", "_total", LABELS("result", "useless"), s.useless);
	family(w, P "prefetch_reads", "counter",
	       "Reads of objects with a job that found something missing.");
	put(w, P "prefetch_reads", "_total", LABELS("foreseen", "yes"), s.met);
	put(w, P "prefetch_reads", "_total", LABELS("foreseen", "no"), s.reads - s.met);
}

/* ---- what is verified --------------------------------------------------------------------- */

static void put_audit(const struct writer *w, const struct audit *audit)
{
	struct audit_stats s = audit_stats(audit);

	family(w, P "verified_objects", "counter",
	       "Complete objects that were compared with their digest.");
	put(w, P "verified_objects", "_total", LABELS("result", "right"), s.right);
	put(w, P "verified_objects", "_total", LABELS("result", "wrong"), s.wrong);
	put(w, P "verified_objects", "_total", LABELS("result", "unreadable"), s.failed);
	counter(w, P "verified_bytes", "Bytes that were hashed for that.", s.hashed_bytes);
	gauge(w, P "verified_objects_waiting", "Objects that are to be compared.", s.waiting);
}

/* ---- process ------------------------------------------------------------------------------ */

/* As the client libraries of Prometheus call them. */
static void put_process(const struct writer *w)
{
	struct process p;

	process_look(&p);
	real(w, "process_cpu_seconds", "counter", "User and system time.", p.cpu_seconds);
	real(w, "process_start_time_seconds", "gauge", "Unix time of the start.", p.start_time);
	gauge(w, "process_resident_memory_bytes", "Memory in use.", p.resident);
	gauge(w, "process_virtual_memory_bytes", "Address space in use.", p.virtual);
	if (p.fds > 0)
		gauge(w, "process_open_fds", "Open descriptors.", p.fds);
	gauge(w, "process_max_fds", "As many descriptors may be open.", p.max_fds);
}

static void put_all(const struct writer *w, const struct control *c)
{
	family(w, P "build_info", "gauge", "1, with the version.");
	put(w, P "build_info", "", LABELS("version", CACHEFILLD_VERSION), 1);
	put_requests(w, &c->metrics);
	put_now(w, c);
	put_sources(w, c);
	put_health(w, c);
	put_stores(w, &c->metrics);
	put_space(w, c);
	put_prefetch(w, c);
	put_audit(w, c->config.audit);
	counter(w, P "control_requests", "Requests on the control socket.", c->requests);
	put_process(w);
	if (w->open_metrics)
		fputs("# EOF\n", w->file);
}

void control_get_metrics(struct control *c, const struct control_request *r,
			 struct control_answer *a)
{
	struct writer w = { .open_metrics = strstr(r->accept, "application/openmetrics-text") };
	char *text = NULL;
	size_t len = 0;
	bool good;

	w.file = open_memstream(&text, &len);
	if (w.file)
		put_all(&w, c);
	good = w.file && !ferror(w.file);
	if (!w.file || fclose(w.file) != 0 || !good) {
		free(text);
		control_fail(a, 503, "Ask again.", "out of memory");
		return;
	}
	control_answer_text(a,
			    w.open_metrics ? "application/openmetrics-text; version=1.0.0; "
					     "charset=utf-8"
					   : "text/plain; version=0.0.4; charset=utf-8",
			    text, len);
}
