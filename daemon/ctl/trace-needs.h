/* SPDX-License-Identifier: MIT */
/*
 * What the records of a part of a trace refer to: it is kept from the whole trace, and written in
 * front of the first record that needs it. Memory grows with objects, sources and open ids.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/ctl/trace-output.h"
#include "daemon/trace/requests.h"

struct trace_needs {
	struct trace_output *output;
	struct trace_needs_source *sources;
	struct trace_needs_id *ids; /* that the output knows, until their release */
};

/* Frees also what was kept at the objects of the join. */
void trace_needs_deinit(struct trace_needs *needs, struct trace_requests *requests);

/* Keeps a description; uses object->data. */
int trace_needs_keep_source(struct trace_needs *needs, const struct trace_record *record);
int trace_needs_keep_object(struct trace_needs *needs, struct trace_object *object,
			    const struct trace_record *record);

/* The output is about to get an OPEN of this id. */
int trace_needs_open(struct trace_needs *needs, uint32_t id, uint64_t time);

/* The id has lost its meaning, which the output is told: now, or when it gets another one. */
int trace_needs_release(struct trace_needs *needs, uint32_t id, uint64_t time, bool now);

/*
 * A record of this time is about to be written that refers to a source, to an object, to an id
 * that means this object (which may be NULL). 0: it can be; 1: what it needs is not described; or
 * a negative errno.
 */
int trace_needs_source(struct trace_needs *needs, uint32_t number, uint64_t time);
int trace_needs_object(struct trace_needs *needs, struct trace_object *object, uint64_t time);
int trace_needs_id(struct trace_needs *needs, uint32_t id, struct trace_object *object,
		   uint64_t time);
