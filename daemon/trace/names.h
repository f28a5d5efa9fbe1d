/* SPDX-License-Identifier: MIT */
/*
 * What the ids of the kernel, the numbers of the engine and the numbers of sources mean at one
 * point of a trace.
 *
 * What takes a record returns 0, a negative errno (-ENOMEM, -E2BIG), or TRACE_STRAY when the record
 * does not fit what came before.
 */
#pragma once

#include "daemon/trace/requests.h"

#define TRACE_STRAY 1

/* An object id of the kernel, from its OPEN (or handle record) to its release. */
struct trace_handle {
	uint32_t id;
	struct trace_object *object; /* NULL: its OPEN made no sense */
	bool open;		     /* from a good answer to CLOSE or release */
	uint64_t record;	     /* the user's: which record has given it this meaning */
	UT_hash_handle hh;
};

struct trace_source;

/* Zero before its first use. */
struct trace_names {
	struct trace_object **objects; /* owned, by index */
	size_t n_objects, n_allocated;
	struct trace_object *by_key;	/* hh */
	struct trace_object *by_number; /* hh_number */
	struct trace_handle *handles;
	struct trace_source *sources;
};

void trace_names_deinit(struct trace_names *names);

/* The object of these keys; when there is none, it is made, or NULL without `make`. */
int trace_names_object(struct trace_names *names, struct bytes volume, struct bytes cookie,
		       bool make, struct trace_object **ret);
struct trace_object *trace_names_by_number(const struct trace_names *names, uint64_t number);
int trace_names_feed_source(struct trace_names *names, const struct trace_record *record);
int trace_names_feed_object(struct trace_names *names, const struct trace_record *record);

/* An id means this object from now on, also when it is stray: then what ended the old one was lost.
 */
int trace_names_add_handle(struct trace_names *names, uint32_t id, struct trace_object *object,
			   bool open);
struct trace_handle *trace_names_handle(const struct trace_names *names, uint32_t id);
void trace_names_remove_handle(struct trace_names *names, struct trace_handle *handle);
