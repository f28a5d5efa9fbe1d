/* SPDX-License-Identifier: MIT */
/* What went wrong, and what took longest. */
#include <errno.h>
#include <stdlib.h>

#include "daemon/ctl/trace-stats.h"
#include "daemon/util/checked.h"

/* ---- errors ------------------------------------------------------------------------------ */

static struct stats_error *error_of(struct stats *s, int32_t error)
{
	for (size_t i = 0; i < s->n_errors; i++)
		if (s->errors[i].error == error)
			return &s->errors[i];
	if (s->n_errors == STATS_ERRORS) {
		s->other_errors++;
		return NULL;
	}
	s->errors[s->n_errors] = (struct stats_error){ .error = error };
	return &s->errors[s->n_errors++];
}

void stats_note_error(struct stats *s, enum trace_kind kind, int32_t error)
{
	struct stats_error *e = error < 0 ? error_of(s, error) : NULL;

	if (!e)
		return;
	e->opens += kind == TRACE_OPEN;
	e->reads += kind == TRACE_READ;
	e->looks += kind == TRACE_LOOK;
	e->fetches += kind == TRACE_FETCH;
	e->stores += kind == TRACE_STORE;
}

/* ---- slowest ----------------------------------------------------------------------------- */

/* The heap of the slowest: its root is the first to go. */
static void sift_down(struct stats *s, size_t at)
{
	for (;;) {
		size_t least = at;
		struct stats_slow swap;

		for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < s->n_slow; child++)
			if (s->slow[child].took < s->slow[least].took)
				least = child;
		if (least == at)
			return;
		swap = s->slow[at];
		s->slow[at] = s->slow[least];
		s->slow[least] = swap;
		at = least;
	}
}

static void sift_up(struct stats *s, size_t at)
{
	while (at > 0 && s->slow[at].took < s->slow[(at - 1) / 2].took) {
		struct stats_slow swap = s->slow[at];

		s->slow[at] = s->slow[(at - 1) / 2];
		s->slow[(at - 1) / 2] = swap;
		at = (at - 1) / 2;
	}
}

static int slow_reserve(struct stats *s)
{
	size_t n = s->slow_allocated ? 2 * s->slow_allocated : 16;
	struct stats_slow *slow;

	if (s->n_slow < s->slow_allocated)
		return 0;
	slow = reallocarray(s->slow, n, sizeof(struct stats_slow));
	if (!slow)
		return -ENOMEM;
	s->slow = slow;
	s->slow_allocated = n;
	return 0;
}

int stats_note_slow(struct stats *s, const struct trace_judged *judged)
{
	const struct trace_request *request = judged->request;
	struct stats_slow slow = {
		.object = request->object,
		.kind = request->kind,
		.outcome = judged->outcome,
		.error = judged->error,
		.off = request->off,
		.len = request->len,
		.since = stats_since(s, request->begun),
		.took = request->ended - min_u64(request->begun, request->ended),
		.storing = judged->storing,
		.origin = judged->origin,
		.queued = judged->queued,
	};
	int r;

	if (!request->answered || s->top == 0)
		return 0;
	if (s->n_slow == s->top) {
		if (slow.took <= s->slow[0].took)
			return 0;
		s->slow[0] = slow;
		sift_down(s, 0);
		return 0;
	}
	r = slow_reserve(s);
	if (r < 0)
		return r;
	s->slow[s->n_slow] = slow;
	sift_up(s, s->n_slow++);
	return 0;
}
