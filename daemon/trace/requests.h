/* SPDX-License-Identifier: MIT */
/*
 * Joins the records of a trace: messages with their answers, object ids and object numbers with
 * keys. Statistics, pictures, plans and replays all look at a trace through this, one record at a
 * time; memory grows with objects, ids that are open and outstanding requests, never with the
 * length of the trace.
 *
 * Messages that made no sense (TRACE_BAD) are no requests, but their answers are no strays.
 *
 * Hostile traces are expected: ids that are never opened, answered twice, reused too early. What
 * does not fit is counted as stray and passed over. Beyond the limits below trace_requests_feed()
 * is -E2BIG.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/util/table.h"
#include "proto/trace.h"

#define TRACE_OBJECTS_MAX     (1u << 20)
#define TRACE_OUTSTANDING_MAX (1u << 18)
#define TRACE_HANDLES_MAX     (1u << 20) /* ids of the kernel that are not released yet */
#define TRACE_SOURCES_MAX     (1u << 12)

/* All opens of one key. Owned by the join; stays until trace_requests_free(). */
struct trace_object {
	uint32_t index;		     /* 0, 1, ... in the order of their first appearance */
	struct bytes volume, cookie; /* in `key` */
	uint64_t size;		     /* by its object record or copen; 0: not known */
	bool size_known;
	char *locator, *validator; /* owned; NULL: not known */
	char *source;		   /* name, owned; NULL: not known */
	void *data;		   /* the user's */
	/* private */
	uint8_t *key; /* owned */
	uint64_t number;
	UT_hash_handle hh, hh_number;
};

/*
 * One OPEN or READ and its answer. Of a READ the answer says nothing: the kernel looks for itself
 * whether the bytes are there, so error is only that of the call (-EINVAL: the reader is gone).
 * Whether the bytes came is written in the fetch and store records.
 */
struct trace_request {
	enum trace_kind kind;	     /* TRACE_OPEN, TRACE_READ */
	struct trace_object *object; /* NULL: a READ for an id that nobody has opened */
	uint32_t msg, id;
	uint64_t off, len;
	uint64_t begun, ended; /* ns; ended: of the answer */
	int32_t error;	       /* that the answer gave (copen), or the call returned */
	bool answered;	       /* false: the trace ends first, or its message id is used again */
	void *data;	       /* the user's, set in begun() */
};

struct trace_requests;

struct trace_requests_callbacks {
	/* All optional. A request is borrowed from begun() to ended(), which comes exactly once
	 * when trace_requests_finish() is called. */
	void (*begun)(void *arg, struct trace_request *request);
	void (*ended)(void *arg, struct trace_request *request);
	/* An id that was open is closed, or released without. */
	void (*closed)(void *arg, struct trace_object *object, uint32_t id, uint64_t time);
	/* TRACE_LOOK, TRACE_FETCH, TRACE_STORE; object NULL: not known. */
	void (*worked)(void *arg, struct trace_object *object, const struct trace_record *record);
};

int trace_requests_new(struct trace_requests **ret,
		       const struct trace_requests_callbacks *callbacks, void *arg);
struct trace_requests *trace_requests_free(struct trace_requests *requests);

/* -ENOMEM, -E2BIG (then only finish and free make sense); a record that makes no sense is no error,
 * but a stray. */
int trace_requests_feed(struct trace_requests *requests, const struct trace_record *record);

/* At the end of the trace: ended() for what was never answered. */
void trace_requests_finish(struct trace_requests *requests);

struct trace_requests_stats {
	uint64_t records, requests, unanswered, strays, lost;
	uint64_t first, last; /* smallest and largest time of a record, ns */
	bool complete;	      /* an end record was seen; a wrong count in it is a stray */
};
struct trace_requests_stats trace_requests_stats(const struct trace_requests *requests);

size_t trace_requests_objects(const struct trace_requests *requests);
/* index < trace_requests_objects() */
struct trace_object *trace_requests_object(const struct trace_requests *requests, size_t index);

/* What an object id of the kernel, or an object number of the engine, means now; NULL: not known.
 * An id is known from its open or handle record until its release. */
struct trace_object *trace_requests_by_id(const struct trace_requests *requests, uint32_t id);
struct trace_object *trace_requests_by_number(const struct trace_requests *requests,
					      uint64_t number);
