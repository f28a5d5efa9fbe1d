/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "daemon/ctl/trace-stats.h"
#include "daemon/util/checked.h"

#define FIRST_STEP 1000000ull /* ns */

static void add(uint64_t *sum, uint64_t v)
{
	if (__builtin_add_overflow(*sum, v, sum))
		*sum = UINT64_MAX;
}

/* ---- what is counted --------------------------------------------------------------------- */

static bool is_wanted(const struct stats *s, const struct trace_object *object, uint64_t time)
{
	if (!trace_filter_time(&s->filter, stats_since(s, time)))
		return false;
	if (!object)
		return s->filter.n_globs == 0;
	return trace_filter_object(&s->filter, object->volume, object->cookie);
}

static int object_of(struct stats *s, struct trace_object *object, struct stats_object **ret)
{
	struct stats_object *o = object ? object->data : NULL;

	if (object && !o) {
		o = calloc(1, sizeof(*o));
		if (!o)
			return -ENOMEM;
		o->object = object;
		o->asked.budget = o->ahead.budget = &s->budget;
		object->data = o;
	}
	*ret = o;
	return 0;
}

/* ---- timeline ---------------------------------------------------------------------------- */

static void double_step(struct stats *s)
{
	for (size_t i = 0; i < STATS_STEPS / 2; i++) {
		const struct stats_step a = s->steps[2 * i], b = s->steps[2 * i + 1];

		s->steps[i] = a;
		s->steps[i].requests += b.requests;
		add(&s->steps[i].unique, b.unique);
		add(&s->steps[i].fetched, b.fetched);
	}
	for (size_t i = STATS_STEPS / 2; i < STATS_STEPS; i++)
		s->steps[i] = (struct stats_step){ .requests = 0 };
	s->step *= 2;
}

static struct stats_step *step_at(struct stats *s, int64_t time)
{
	uint64_t t = time < 0 ? 0 : (uint64_t)time;

	while (t / s->step >= STATS_STEPS)
		double_step(s);
	return &s->steps[t / s->step];
}

/* ---- requests ---------------------------------------------------------------------------- */

static void scope_asked(struct stats_scope *scope, uint64_t asked, uint64_t fresh, uint64_t used)
{
	add(&scope->asked, asked);
	add(&scope->unique, fresh);
	add(&scope->ahead_used, used);
}

static int note_asked(struct stats *s, struct stats_object *o, const struct trace_request *request)
{
	uint64_t end = interval_end(request->off, request->len), fresh, used;
	int r;

	if (o->object->size_known)
		end = min_u64(end, o->object->size);
	r = intervals_add(&o->asked, request->off, end, &fresh);
	if (r == 0)
		r = intervals_remove(&o->ahead, request->off, end, &used);
	if (r < 0)
		return r;
	end = max_u64(end, request->off);
	scope_asked(&s->all, end - request->off, fresh, used);
	scope_asked(&o->scope, end - request->off, fresh, used);
	add(&step_at(s, stats_since(s, request->begun))->unique, fresh);
	return 0;
}

static int begun(void *arg, const struct trace_request *request)
{
	struct stats *s = arg;
	struct stats_object *o;
	int r;

	if (!is_wanted(s, request->object, request->begun))
		return 0;
	if (++s->outstanding > s->outstanding_max)
		s->outstanding_max = s->outstanding;
	step_at(s, stats_since(s, request->begun))->requests++;
	r = object_of(s, request->object, &o);
	if (r < 0 || !o || request->kind != TRACE_READ)
		return r;
	return note_asked(s, o, request);
}

static int ended(void *arg, const struct trace_request *request)
{
	struct stats *s = arg;

	if (is_wanted(s, request->object, request->begun))
		s->outstanding--;
	return 0;
}

static int note_judged(struct stats_scope *scope, const struct trace_judged *judged)
{
	const struct trace_request *request = judged->request;
	bool is_open = request->kind == TRACE_OPEN;
	uint64_t took = request->ended - min_u64(request->begun, request->ended);

	(is_open ? scope->opens : scope->reads)[judged->outcome]++;
	if (!request->answered)
		return 0;
	add(&scope->waits, took);
	add(&scope->storing, judged->storing);
	add(&scope->origin, judged->origin);
	add(&scope->queued, judged->queued);
	return histogram_add(is_open ? &scope->open_times : &scope->read_times, took);
}

/* ---- verdicts and work ------------------------------------------------------------------ */

static int judged(void *arg, const struct trace_judged *verdict)
{
	const struct trace_request *request = verdict->request;
	struct stats *s = arg;
	struct stats_object *o;
	int r;

	if (!is_wanted(s, request->object, request->begun))
		return 0;
	stats_note_error(s, request->kind, verdict->error);
	r = object_of(s, request->object, &o);
	if (r == 0)
		r = note_judged(&s->all, verdict);
	if (r == 0 && o)
		r = note_judged(&o->scope, verdict);
	return r < 0 ? r : stats_note_slow(s, verdict);
}

static void scope_worked(struct stats_scope *scope, const struct trace_record *record)
{
	switch (record->kind) {
	case TRACE_LOOK:
		scope->looks++;
		break;
	case TRACE_FETCH:
		scope->fetches++;
		add(&scope->fetched, record->got);
		if (record->class == 0)
			break;
		scope->ahead++;
		add(&scope->ahead_fetched, record->got);
		break;
	default:
		scope->stores++;
		if (record->error == 0)
			add(&scope->stored, record->len);
	}
}

static int worked(void *arg, struct trace_object *object, const struct trace_record *record)
{
	struct stats *s = arg;
	struct stats_object *o;
	int r;

	s->has_work = true;
	if (!is_wanted(s, object, record->time))
		return 0;
	stats_note_error(s, record->kind, record->error);
	scope_worked(&s->all, record);
	if (record->kind == TRACE_FETCH)
		add(&step_at(s, stats_since(s, record->time))->fetched, record->got);
	r = object_of(s, object, &o);
	if (r < 0 || !o)
		return r;
	scope_worked(&o->scope, record);
	if (record->kind != TRACE_FETCH || record->class == 0)
		return 0;
	return intervals_add(&o->ahead, record->off, interval_end(record->off, record->got), NULL);
}

/* ---- life -------------------------------------------------------------------------------- */

int stats_init(struct stats *s)
{
	static const struct trace_outcomes_callbacks callbacks = { begun, ended, worked, judged };

	s->step = FIRST_STEP;
	s->budget.max = STATS_RANGES;
	return trace_outcomes_new(&s->outcomes, &callbacks, s, &s->budget);
}

int stats_feed(struct stats *s, const struct trace_record *record)
{
	int64_t t = trace_filter_since(&s->filter, record);

	if (t > 0)
		s->last = max_u64(s->last, (uint64_t)t);
	return trace_outcomes_feed(s->outcomes, record);
}

static int slower_first(const void *a, const void *b)
{
	const struct stats_slow *x = a, *y = b;

	if (x->took != y->took)
		return x->took > y->took ? -1 : 1;
	return x->since < y->since ? -1 : x->since > y->since;
}

static int busier_first(const void *a, const void *b)
{
	const struct stats_object *x = *(struct stats_object *const *)a;
	const struct stats_object *y = *(struct stats_object *const *)b;
	uint64_t n = stats_requests(x->scope.reads), m = stats_requests(y->scope.reads);

	if (n != m)
		return n > m ? -1 : 1;
	return x->object->index < y->object->index ? -1 : 1;
}

static int collect_objects(struct stats *s)
{
	struct trace_requests *requests = trace_outcomes_requests(s->outcomes);
	size_t n = trace_requests_objects(requests);

	s->objects = calloc(n + 1, sizeof(struct stats_object *));
	if (!s->objects)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct stats_object *o = trace_requests_object(requests, i)->data;

		if (!o)
			continue;
		s->objects[s->n_objects++] = o;
		o->scope.ahead_used = min_u64(o->scope.ahead_used, o->scope.ahead_fetched);
		add(&s->joined, min_u64(o->asked.joined, o->scope.asked - o->scope.unique));
	}
	s->all.ahead_used = min_u64(s->all.ahead_used, s->all.ahead_fetched); /* sets are joined */
	qsort(s->objects, s->n_objects, sizeof(struct stats_object *), busier_first);
	return 0;
}

static int most_first(const void *a, const void *b)
{
	const struct stats_error *x = a, *y = b;
	uint64_t n = x->opens + x->reads + x->looks + x->fetches + x->stores;
	uint64_t m = y->opens + y->reads + y->looks + y->fetches + y->stores;

	return n > m ? -1 : n < m;
}

int stats_finish(struct stats *s)
{
	int r = trace_outcomes_finish(s->outcomes);

	if (s->n_slow > 0)
		qsort(s->slow, s->n_slow, sizeof(*s->slow), slower_first);
	qsort(s->errors, s->n_errors, sizeof(*s->errors), most_first);
	return r < 0 ? r : collect_objects(s);
}

static void scope_deinit(struct stats_scope *scope)
{
	histogram_deinit(&scope->open_times);
	histogram_deinit(&scope->read_times);
}

void stats_deinit(struct stats *s)
{
	struct trace_requests *requests;

	if (!s->outcomes)
		return;
	requests = trace_outcomes_requests(s->outcomes);
	for (size_t i = 0; i < trace_requests_objects(requests); i++) {
		struct stats_object *o = trace_requests_object(requests, i)->data;

		if (!o)
			continue;
		intervals_deinit(&o->asked);
		intervals_deinit(&o->ahead);
		scope_deinit(&o->scope);
		free(o);
	}
	scope_deinit(&s->all);
	s->outcomes = trace_outcomes_free(s->outcomes);
	free(s->objects);
	free(s->slow);
}

/* ---- asking ------------------------------------------------------------------------------ */

uint64_t stats_requests(const uint64_t outcomes[TRACE_OUTCOMES])
{
	uint64_t n = 0;

	for (size_t i = 0; i < TRACE_OUTCOMES; i++)
		n += outcomes[i];
	return n;
}

double stats_hit_share(const struct stats *s, const struct stats_scope *scope)
{
	const uint64_t *reads = scope->reads;
	uint64_t n = reads[TRACE_HIT] + reads[TRACE_WAITED] + reads[TRACE_FAILED];

	return n > 0 && s->has_work ? (double)reads[TRACE_HIT] / (double)n : -1;
}

double stats_amplification(const struct stats_scope *scope)
{
	return scope->unique > 0 ? (double)scope->fetched / (double)scope->unique : -1;
}
