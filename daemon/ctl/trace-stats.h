/* SPDX-License-Identifier: MIT */
/*
 * What `cachefillctl trace stats` counts, apart from how it is printed. Memory grows with objects,
 * disjoint ranges and the number of slowest requests, never with the length of the trace.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/ctl/trace-filter.h"
#include "daemon/trace/histogram.h"
#include "daemon/trace/outcome.h"

#define STATS_STEPS  40 /* of the timeline, even; of a long trace at least half are used */
#define STATS_ERRORS 64 /* different ones that are told apart */
#define STATS_RANGES ((size_t)4 << 20)

/* Of all, or of one object. Bytes, ns. What would overflow stays at its maximum. */
struct stats_scope {
	uint64_t opens[TRACE_OUTCOMES], reads[TRACE_OUTCOMES];
	uint64_t asked;	 /* by READs, inside the object */
	uint64_t unique; /* of these, each byte once */
	uint64_t looks, fetches, fetched, stores, stored;
	uint64_t ahead, ahead_fetched; /* fetches that nobody waited for, and what they brought */
	uint64_t ahead_used;	       /* of that, asked by a READ later */
	struct histogram open_times, read_times;
	/* Of all answered requests. */
	uint64_t waits, storing, origin, queued;
};

struct stats_object {
	struct trace_object *object;
	struct stats_scope scope;
	struct intervals asked;
	struct intervals ahead; /* fetched ahead and not asked since */
};

/* What failed with one errno. */
struct stats_error {
	int32_t error; /* negative */
	uint64_t opens, reads, looks, fetches, stores;
};

struct stats_slow {
	struct trace_object *object;
	enum trace_kind kind;
	enum trace_outcome outcome;
	int32_t error;
	uint64_t off, len;
	int64_t since; /* its begin */
	uint64_t took, storing, origin, queued;
};

struct stats_step {
	uint64_t requests;
	uint64_t unique; /* bytes that were asked for the first time */
	uint64_t fetched;
};

struct stats {
	struct trace_filter filter;
	size_t top;

	struct trace_outcomes *outcomes;
	struct intervals_budget budget;
	struct stats_scope all;
	struct stats_error errors[STATS_ERRORS];
	size_t n_errors;
	uint64_t other_errors;
	struct stats_slow *slow; /* a heap, the fastest first; sorted by stats_finish() */
	size_t n_slow, slow_allocated;
	uint64_t outstanding, outstanding_max;
	bool has_work; /* something was looked at, fetched or stored */
	struct stats_step steps[STATS_STEPS];
	uint64_t step; /* ns */
	uint64_t last; /* ns since the first record */
	/* After stats_finish(): objects that were concerned, busiest first. */
	struct stats_object **objects;
	size_t n_objects;
	uint64_t joined; /* bytes by which `unique` may be too small */
};

/* `stats` is zero but for filter and top. 0 or a negative errno. */
int stats_init(struct stats *stats);
int stats_feed(struct stats *stats, const struct trace_record *record);
int stats_finish(struct stats *stats);
void stats_deinit(struct stats *stats);

/* ns since the first record. */
static inline int64_t stats_since(const struct stats *stats, uint64_t time)
{
	return (int64_t)(time - stats->filter.first);
}

/* trace-stats-worst.c, for the counting. error 0 is none. */
void stats_note_error(struct stats *stats, enum trace_kind kind, int32_t error);
int stats_note_slow(struct stats *stats, const struct trace_judged *judged);

uint64_t stats_requests(const uint64_t outcomes[TRACE_OUTCOMES]);
/* Hits among the READs whose outcome is known, 0 to 1; -1: there are none, or nothing tells. */
double stats_hit_share(const struct stats *stats, const struct stats_scope *scope);
/* fetched / unique; -1: nothing was asked. */
double stats_amplification(const struct stats_scope *scope);

/* trace-stats-text.c, trace-stats-json.c */
void stats_print(const struct stats *stats, const char *path);
int stats_print_json(const struct stats *stats, const char *path);

/* "EIO", or "error -4711". */
char *stats_error_name(int32_t error, char *buf, size_t n);
