/* SPDX-License-Identifier: MIT */
/*
 * What to fetch before it is needed, learnt from one or several traces: ranges of objects in the
 * order in which they were first read. Pure.
 *
 * The rank of a byte in a trace is the number of READs before the first one that asked for it; in
 * the plan it is the median of the traces that needed it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/util/bytes.h"

#define TRACE_PLAN_NEEDS (1u << 20) /* disjoint first needs that are kept, of all traces */
/* Ranges that are near each other are merged up to this length, and beyond it when they were needed
 * within so many READs of each other. */
#define TRACE_PLAN_MERGED ((uint64_t)1 << 20)
#define TRACE_PLAN_NEAR	  32

struct trace_plan;

int trace_plan_new(struct trace_plan **ret);
struct trace_plan *trace_plan_free(struct trace_plan *plan);

/* Another trace begins. */
int trace_plan_begin(struct trace_plan *plan);
/* A READ of it; to be called in their order. 0 or a negative errno. */
int trace_plan_need(struct trace_plan *plan, struct bytes volume, struct bytes cookie, uint64_t off,
		    uint64_t len);

/* How often something found no room; not 0: late needs are missing. */
uint64_t trace_plan_left_out(const struct trace_plan *plan);
size_t trace_plan_traces(const struct trace_plan *plan);

struct trace_plan_range {
	struct bytes volume, cookie; /* borrowed from the plan */
	uint64_t off, len;
	uint64_t rank;
	size_t traces; /* that needed all of it but the gaps */
	uint32_t object;
};

struct trace_plan_wishes {
	uint64_t gap;	/* merge what is less than this apart; what touches is merged anyway */
	uint64_t limit; /* bytes of all ranges; the last one may be cut. 0: no limit */
	size_t traces;	/* at least so many must have needed a byte */
};

/* *ret is to be freed, and valid as long as the plan. */
int trace_plan_make(struct trace_plan *plan, const struct trace_plan_wishes *wishes,
		    struct trace_plan_range **ret, size_t *ret_n);
