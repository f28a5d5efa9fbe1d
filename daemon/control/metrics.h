/* SPDX-License-Identifier: MIT */
/*
 * What the engine has done since the start, in numbers: an observer of it. Label sets are bounded:
 * operations, results and classes are fixed, and sources are those of the configuration and at
 * most as many as the engine has room for.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/engine/engine.h"
#include "daemon/loop/loop.h"

/* How something ended, as a label. */
enum result {
	RESULT_OK,
	RESULT_NOT_FOUND,
	RESULT_TIMEOUT,
	RESULT_CANCELED, /* nobody wants it any more, or the daemon stops */
	RESULT_NO_SPACE, /* the cache takes nothing more */
	RESULT_CHANGED,	 /* the origin has another version */
	RESULT_DENIED,
	RESULT_ERROR,
	RESULTS,
};

enum result result_of(int err);
const char *result_name(enum result result);

/* Upper bounds of the buckets, ns; what is above the last is in one more. */
#define DURATION_BUCKETS 16
extern const uint64_t duration_bounds[DURATION_BUCKETS];

struct duration {
	uint64_t buckets[DURATION_BUCKETS + 1];
	uint64_t count, sum; /* ns */
};

struct work {
	uint64_t results[RESULTS];
	struct duration took; /* of all of them */
};

uint64_t work_failed(const struct work *work);

struct source_metrics {
	struct work looks, fetches;
	uint64_t fetched[ENGINE_CLASSES]; /* bytes */
	uint64_t stored[ENGINE_CLASSES];
	char name[]; /* printable */
};

struct metrics {
	struct engine_observer observer;
	struct engine *engine;
	const struct loop *loop;
	struct work opens, reads, stores;
	uint64_t read_bytes;		 /* that were asked for */
	struct source_metrics **sources; /* owned, and each; NULL where there was no memory */
	size_t n_sources;
};

/* Observes from now on. */
void metrics_begin(struct metrics *metrics, struct engine *engine, const struct loop *loop);
void metrics_end(struct metrics *metrics);

/* NULL: there was no memory for it. */
const struct source_metrics *metrics_source(const struct metrics *metrics, uint32_t number);
const char *metrics_source_name(const struct metrics *metrics, uint32_t number);
const char *metrics_class_name(enum engine_class class);
