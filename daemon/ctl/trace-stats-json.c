/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "daemon/ctl/json.h"
#include "daemon/ctl/trace-stats.h"
#include "daemon/util/checked.h"

/* A document in the making; after the first failure nothing more is added. */
struct document {
	int r;
};

/* A new object as a member of another one, or as the last of an array. */
static json_t *child(struct document *d, json_t *parent, const char *name, json_t *value)
{
	int r = !value	? -1
		: !name ? json_array_append_new(parent, value)
			: json_object_set_new(parent, name, value);

	if (r < 0 && d->r == 0)
		d->r = -ENOMEM;
	return r < 0 ? NULL : value;
}

static void put(struct document *d, json_t *object, const char *name, uint64_t value)
{
	if (d->r == 0)
		d->r = ctl_json_u64(object, name, value);
}

static void put_text(struct document *d, json_t *object, const char *name, const char *text)
{
	if (d->r == 0)
		child(d, object, name, json_string(text));
}

/* Negative: there is none. */
static void put_share(struct document *d, json_t *object, const char *name, double share)
{
	if (d->r == 0)
		child(d, object, name, share < 0 ? json_null() : json_real(share));
}

static void put_keys(struct document *d, json_t *object, const struct trace_object *of)
{
	if (d->r == 0 && of)
		d->r = json_set_key(object, "volume", of->volume);
	if (d->r == 0 && of)
		d->r = json_set_key(object, "cookie", of->cookie);
}

static void put_times(struct document *d, json_t *parent, const char *name,
		      const struct histogram *h)
{
	json_t *times = d->r == 0 ? child(d, parent, name, json_object()) : NULL;

	put(d, times, "p50", histogram_quantile(h, 5000));
	put(d, times, "p90", histogram_quantile(h, 9000));
	put(d, times, "p99", histogram_quantile(h, 9900));
	put(d, times, "p999", histogram_quantile(h, 9990));
	put(d, times, "max", h->max);
	put_share(d, times, "mean", h->count > 0 ? (double)h->sum / (double)h->count : -1);
}

static void put_requests(struct document *d, json_t *parent, const char *name,
			 const uint64_t *outcomes, const struct histogram *times)
{
	json_t *o = d->r == 0 ? child(d, parent, name, json_object()) : NULL;

	put(d, o, "count", stats_requests(outcomes));
	for (unsigned int i = 0; i < TRACE_OUTCOMES; i++)
		put(d, o, trace_outcome_name(i), outcomes[i]);
	put_times(d, o, "time_ns", times);
}

/* How a time divides; `whole` is not less than its parts, unless it stopped at its maximum. */
static void put_wait(struct document *d, json_t *parent, uint64_t whole, uint64_t origin,
		     uint64_t queued, uint64_t storing)
{
	json_t *o = d->r == 0 ? child(d, parent, "wait_ns", json_object()) : NULL;
	uint64_t rest = whole;

	rest -= min_u64(rest, origin);
	rest -= min_u64(rest, queued);
	rest -= min_u64(rest, storing);
	put(d, o, "sum", whole);
	put(d, o, "origin", origin);
	put(d, o, "queued", queued);
	put(d, o, "storing", storing);
	put(d, o, "rest", rest);
}

static void put_scope(struct document *d, json_t *o, const struct stats *s,
		      const struct stats_scope *scope)
{
	put_requests(d, o, "opens", scope->opens, &scope->open_times);
	put_requests(d, o, "reads", scope->reads, &scope->read_times);
	put_share(d, o, "hit_share", stats_hit_share(s, scope));
	put(d, o, "asked_bytes", scope->asked);
	put(d, o, "unique_bytes", scope->unique);
	put(d, o, "looks", scope->looks);
	put(d, o, "fetches", scope->fetches);
	put(d, o, "fetched_bytes", scope->fetched);
	put(d, o, "stores", scope->stores);
	put(d, o, "stored_bytes", scope->stored);
	put_share(d, o, "amplification", stats_amplification(scope));
	put(d, o, "ahead_fetches", scope->ahead);
	put(d, o, "ahead_bytes", scope->ahead_fetched);
	put(d, o, "ahead_used_bytes", scope->ahead_used);
	put_wait(d, o, scope->waits, scope->origin, scope->queued, scope->storing);
}

static void put_objects(struct document *d, json_t *root, const struct stats *s)
{
	json_t *list = child(d, root, "objects", json_array());

	for (size_t i = 0; d->r == 0 && i < s->n_objects && i < s->top; i++) {
		const struct stats_object *object = s->objects[i];
		json_t *o = child(d, list, NULL, json_object());

		put_keys(d, o, object->object);
		if (object->object->size_known)
			put(d, o, "size", object->object->size);
		put_scope(d, o, s, &object->scope);
	}
}

static void put_slowest(struct document *d, json_t *root, const struct stats *s)
{
	json_t *list = d->r == 0 ? child(d, root, "slowest", json_array()) : NULL;

	for (size_t i = 0; d->r == 0 && i < s->n_slow; i++) {
		const struct stats_slow *slow = &s->slow[i];
		json_t *o = child(d, list, NULL, json_object());
		char name[32];

		put_text(d, o, "kind", trace_kind_name(slow->kind));
		put_keys(d, o, slow->object);
		if (d->r == 0)
			d->r = ctl_json_s64(o, "begin_ns", slow->since);
		if (slow->kind == TRACE_READ) {
			put(d, o, "off", slow->off);
			put(d, o, "len", slow->len);
		}
		put_text(d, o, "outcome", trace_outcome_name(slow->outcome));
		if (slow->error)
			put_text(d, o, "error", stats_error_name(slow->error, name, sizeof(name)));
		put_wait(d, o, slow->took, slow->origin, slow->queued, slow->storing);
	}
}

static void put_errors(struct document *d, json_t *root, const struct stats *s)
{
	json_t *list = d->r == 0 ? child(d, root, "errors", json_array()) : NULL;

	for (size_t i = 0; d->r == 0 && i < s->n_errors; i++) {
		const struct stats_error *e = &s->errors[i];
		json_t *o = child(d, list, NULL, json_object());
		char name[32];

		put_text(d, o, "error", stats_error_name(e->error, name, sizeof(name)));
		put(d, o, "opens", e->opens);
		put(d, o, "reads", e->reads);
		put(d, o, "looks", e->looks);
		put(d, o, "fetches", e->fetches);
		put(d, o, "stores", e->stores);
	}
	put(d, root, "other_errors", s->other_errors);
}

static void put_timeline(struct document *d, json_t *root, const struct stats *s)
{
	json_t *list = d->r == 0 ? child(d, root, "timeline", json_array()) : NULL;
	uint64_t unique = 0;

	for (size_t i = 0; d->r == 0 && i <= s->last / s->step && i < STATS_STEPS; i++) {
		json_t *o = child(d, list, NULL, json_object());

		unique = interval_end(unique, s->steps[i].unique);
		put(d, o, "until_ns", (i + 1) * s->step);
		put(d, o, "requests", s->steps[i].requests);
		put(d, o, "fetched_bytes", s->steps[i].fetched);
		put(d, o, "working_set_bytes", unique);
	}
}

int stats_print_json(const struct stats *s, const char *path)
{
	struct trace_requests_stats of = trace_requests_stats(trace_outcomes_requests(s->outcomes));
	json_t *root = json_object();
	struct document d = { .r = root ? 0 : -ENOMEM };

	if (d.r == 0)
		d.r = json_set_text(root, "file", bytes_str(path));
	put(&d, root, "duration_ns", s->last);
	put(&d, root, "records", of.records);
	put(&d, root, "lost_records", of.lost);
	put(&d, root, "stray_records", of.strays);
	if (d.r == 0)
		child(&d, root, "complete", json_boolean(of.complete));
	put(&d, root, "outstanding_max", s->outstanding_max);
	put(&d, root, "joined_bytes", s->joined);
	put(&d, root, "objects_count", s->n_objects);
	if (d.r == 0)
		put_scope(&d, child(&d, root, "all", json_object()), s, &s->all);
	if (d.r == 0)
		put_objects(&d, root, s);
	put_slowest(&d, root, s);
	put_errors(&d, root, s);
	put_timeline(&d, root, s);
	if (d.r == 0)
		return ctl_json_line(root);
	json_decref(root);
	return d.r;
}
