/* SPDX-License-Identifier: MIT */
#include "daemon/trace/plan.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "daemon/trace/intervals.h"
#include "daemon/trace/names.h"
#include "daemon/util/checked.h"
#include "daemon/util/cleanup.h"

/* Bytes that one trace needed for the first time, one READ after the other. */
struct need {
	uint64_t begin, end;
	uint64_t rank, last; /* of the first and of the last READ that is in it */
	size_t trace;
};

struct object_needs {
	struct intervals asked; /* in the trace `trace` */
	size_t trace;
	struct need *at; /* owned */
	size_t n, allocated;
};

struct trace_plan {
	struct trace_names names;
	struct intervals_budget budget;
	size_t traces, n_needs;
	uint64_t reads; /* of this trace */
	uint64_t left_out;
};

int trace_plan_new(struct trace_plan **ret)
{
	struct trace_plan *plan = calloc(1, sizeof(*plan));

	if (!plan)
		return -ENOMEM;
	plan->budget.max = TRACE_PLAN_NEEDS;
	*ret = plan;
	return 0;
}

struct trace_plan *trace_plan_free(struct trace_plan *plan)
{
	if (!plan)
		return NULL;
	for (size_t i = 0; i < plan->names.n_objects; i++) {
		struct object_needs *needs = plan->names.objects[i]->data;

		if (!needs)
			continue;
		intervals_deinit(&needs->asked);
		free(needs->at);
		free(needs);
	}
	trace_names_deinit(&plan->names);
	free(plan);
	return NULL;
}

size_t trace_plan_traces(const struct trace_plan *plan)
{
	return plan->traces;
}

uint64_t trace_plan_left_out(const struct trace_plan *plan)
{
	return plan->left_out;
}

/* ---- learning ---------------------------------------------------------------------------- */

int trace_plan_begin(struct trace_plan *plan)
{
	plan->traces++;
	plan->reads = 0;
	return 0;
}

static int needs_of(struct trace_plan *plan, struct bytes volume, struct bytes cookie,
		    struct object_needs **ret)
{
	struct trace_object *object;
	struct object_needs *needs;
	int r = trace_names_object(&plan->names, volume, cookie, true, &object);

	if (r < 0)
		return r;
	needs = object->data;
	if (!needs) {
		needs = calloc(1, sizeof(*needs));
		if (!needs)
			return -ENOMEM;
		needs->asked.budget = &plan->budget;
		object->data = needs;
	}
	if (needs->trace != plan->traces)
		intervals_deinit(&needs->asked);
	needs->trace = plan->traces;
	*ret = needs;
	return 0;
}

static int needs_reserve(struct object_needs *needs)
{
	size_t n = needs->allocated ? 2 * needs->allocated : 4;
	struct need *at;

	if (needs->n < needs->allocated)
		return 0;
	at = reallocarray(needs->at, n, sizeof(*at));
	if (!at)
		return -ENOMEM;
	needs->at = at;
	needs->allocated = n;
	return 0;
}

/* What goes on where the last one ended, soon after it, is one need. */
static int add_need(struct trace_plan *plan, struct object_needs *needs, struct interval range,
		    uint64_t rank)
{
	struct need *last = needs->n > 0 ? &needs->at[needs->n - 1] : NULL;
	int r;

	if (last && last->trace == plan->traces && last->end == range.begin &&
	    rank - last->last <= TRACE_PLAN_NEAR) {
		last->end = range.end;
		last->last = rank;
		return 0;
	}
	if (plan->n_needs == TRACE_PLAN_NEEDS) {
		plan->left_out++;
		return 0;
	}
	r = needs_reserve(needs);
	if (r < 0)
		return r;
	needs->at[needs->n++] = (struct need){ range.begin, range.end, rank, rank, plan->traces };
	plan->n_needs++;
	return 0;
}

/* What joining adds will look as if it had been asked. */
static int add_asked(struct trace_plan *plan, struct object_needs *needs, uint64_t begin,
		     uint64_t end)
{
	uint64_t joined = needs->asked.joined;
	int r = intervals_add(&needs->asked, begin, end, NULL);

	plan->left_out += needs->asked.joined != joined;
	return r;
}

int trace_plan_need(struct trace_plan *plan, struct bytes volume, struct bytes cookie, uint64_t off,
		    uint64_t len)
{
	uint64_t end = interval_end(off, len), rank = plan->reads++;
	struct object_needs *needs;
	int r = needs_of(plan, volume, cookie, &needs);

	for (uint64_t at = off; r == 0 && at < end;) {
		struct interval gap = intervals_gap(&needs->asked, &at, end);

		if (gap.begin < gap.end)
			r = add_need(plan, needs, gap, rank);
	}
	return r < 0 ? r : add_asked(plan, needs, off, end);
}

/* ---- one object -------------------------------------------------------------------------- */

/* Ranges of a plan in the making. */
struct ranges {
	struct trace_plan_range *at; /* owned */
	size_t n, allocated, first;  /* first of this object */
};

static int by_begin(const void *a, const void *b)
{
	const struct need *x = a, *y = b;

	return x->begin < y->begin ? -1 : x->begin > y->begin;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The needs that cover one place: one of each trace at most. */
struct cover {
	struct need *needs; /* owned */
	uint64_t *ranks;    /* owned */
	size_t n;
};

static uint64_t cover_median(struct cover *cover)
{
	for (size_t i = 0; i < cover->n; i++)
		cover->ranks[i] = cover->needs[i].rank;
	qsort(cover->ranks, cover->n, sizeof(*cover->ranks), by_value);
	return cover->ranks[(cover->n - 1) / 2];
}

static void cover_drop(struct cover *cover, uint64_t until)
{
	size_t n = 0;

	for (size_t i = 0; i < cover->n; i++)
		if (cover->needs[i].end > until)
			cover->needs[n++] = cover->needs[i];
	cover->n = n;
}

static bool belongs(const struct trace_plan_range *range, const struct trace_plan_range *next,
		    uint64_t gap)
{
	uint64_t between = next->off - (range->off + range->len);
	uint64_t apart = max_u64(range->rank, next->rank) - min_u64(range->rank, next->rank);

	if (between >= gap && between > 0)
		return false;
	return next->off + next->len - range->off <= TRACE_PLAN_MERGED || apart <= TRACE_PLAN_NEAR;
}

static int ranges_add(struct ranges *ranges, const struct trace_plan_range *next, uint64_t gap)
{
	struct trace_plan_range *last =
		ranges->n > ranges->first ? &ranges->at[ranges->n - 1] : NULL;

	if (last && belongs(last, next, gap)) {
		last->len = next->off + next->len - last->off;
		last->rank = min_u64(last->rank, next->rank);
		last->traces = last->traces < next->traces ? last->traces : next->traces;
		return 0;
	}
	if (ranges->n == ranges->allocated) {
		size_t n = ranges->allocated ? 2 * ranges->allocated : 64;
		struct trace_plan_range *at =
			reallocarray(ranges->at, n, sizeof(struct trace_plan_range));

		if (!at)
			return -ENOMEM;
		ranges->at = at;
		ranges->allocated = n;
	}
	ranges->at[ranges->n++] = *next;
	return 0;
}

/* Walks over the places where a need begins or ends. */
static int plan_object(const struct trace_object *object, const struct trace_plan_wishes *wishes,
		       struct cover *cover, struct ranges *ranges)
{
	struct object_needs *needs = object->data;
	size_t next = 0;
	uint64_t at;
	int r = 0;

	ranges->first = ranges->n;
	cover->n = 0;
	if (needs->n > 0)
		qsort(needs->at, needs->n, sizeof(*needs->at), by_begin);
	while (r == 0 && (cover->n > 0 || next < needs->n)) {
		uint64_t end;

		at = cover->n > 0 ? at : needs->at[next].begin;
		while (next < needs->n && needs->at[next].begin == at)
			cover->needs[cover->n++] = needs->at[next++];
		end = next < needs->n ? needs->at[next].begin : UINT64_MAX;
		for (size_t i = 0; i < cover->n; i++)
			end = min_u64(end, cover->needs[i].end);
		if (cover->n >= wishes->traces) {
			const struct trace_plan_range range = {
				.volume = object->volume,
				.cookie = object->cookie,
				.off = at,
				.len = end - at,
				.rank = cover_median(cover),
				.traces = cover->n,
				.object = object->index,
			};

			r = ranges_add(ranges, &range, wishes->gap);
		}
		at = end;
		cover_drop(cover, at);
	}
	return r;
}

/* ---- the plan ---------------------------------------------------------------------------- */

static int by_rank(const void *a, const void *b)
{
	const struct trace_plan_range *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	if (x->object != y->object)
		return x->object < y->object ? -1 : 1;
	return x->off < y->off ? -1 : x->off > y->off;
}

static void keep_limit(struct ranges *ranges, uint64_t limit)
{
	for (size_t i = 0; limit > 0 && i < ranges->n; i++) {
		if (ranges->at[i].len >= limit) {
			ranges->at[i].len = limit;
			ranges->n = i + 1;
			return;
		}
		limit -= ranges->at[i].len;
	}
}

static int plan_all(struct trace_plan *plan, const struct trace_plan_wishes *wishes,
		    struct ranges *ranges)
{
	struct cover cover = {
		.needs = calloc(plan->traces + 1, sizeof(struct need)),
		.ranks = calloc(plan->traces + 1, sizeof(uint64_t)),
	};
	int r = cover.needs && cover.ranks ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < plan->names.n_objects; i++)
		if (plan->names.objects[i]->data)
			r = plan_object(plan->names.objects[i], wishes, &cover, ranges);
	free(cover.needs);
	free(cover.ranks);
	return r;
}

int trace_plan_make(struct trace_plan *plan, const struct trace_plan_wishes *wishes,
		    struct trace_plan_range **ret, size_t *ret_n)
{
	struct ranges ranges = { .n = 0 };
	int r = plan_all(plan, wishes, &ranges);

	if (r < 0) {
		free(ranges.at);
		return r;
	}
	if (ranges.n > 0)
		qsort(ranges.at, ranges.n, sizeof(*ranges.at), by_rank);
	keep_limit(&ranges, wishes->limit);
	*ret = ranges.at;
	*ret_n = ranges.n;
	return 0;
}
