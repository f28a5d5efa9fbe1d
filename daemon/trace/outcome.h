/* SPDX-License-Identifier: MIT */
/*
 * How each request of a trace was answered, and where its time went. The answer to a READ says
 * nothing about that; what was fetched and stored meanwhile does.
 *
 * A READ has waited when bytes of its range were fetched or stored while it was outstanding, and
 * failed when some of them were still missing at its answer: an overlapping fetch or store had
 * ended with an error, or an overlapping fetch ended only later and its bytes were not stored yet.
 * Otherwise it was a hit. So a READ that the daemon refuses without trying, and one whose fetch
 * never ends, look like hits: nothing in a trace tells them apart.
 *
 * A flight may go on behind the answer, so a request is judged some time after its end: when
 * TRACE_JUDGED_LATE others have come, or at the end of the trace.
 */
#pragma once

#include "daemon/trace/intervals.h"
#include "daemon/trace/requests.h"

#define TRACE_JUDGED_LATE 1024

enum trace_outcome {
	TRACE_HIT,	  /* from what was in the cache; of an OPEN: from what was known */
	TRACE_WAITED,	  /* for the origin, and got it */
	TRACE_FAILED,	  /* with `error` */
	TRACE_UNANSWERED, /* in this trace */
	TRACE_UNCLEAR,	  /* a READ of an id that the trace does not explain */
	TRACE_OUTCOMES,
};

struct trace_judged {
	const struct trace_request *request; /* borrowed for the call */
	enum trace_outcome outcome;
	int32_t error; /* of a failed one, negative; -ETIMEDOUT: its fetch came too late */
	/*
	 * ns of its wait in which bytes of it were stored, else were fetched (of an OPEN: the
	 * origin was looked at), else waited for their turn at the origin. The rest was ours or the
	 * disk's. 0 unless it was answered.
	 */
	uint64_t storing, origin, queued;
};

struct trace_outcomes_callbacks {
	/* All optional; 0 or a negative errno, which trace_outcomes_feed() returns. */
	int (*begun)(void *arg, const struct trace_request *request);
	int (*ended)(void *arg, const struct trace_request *request);
	int (*worked)(void *arg, struct trace_object *object, const struct trace_record *record);
	int (*judged)(void *arg, const struct trace_judged *judged);
};

struct trace_outcomes;

/* `budget` (or NULL) is shared with the caller's own sets, and outlives this. */
int trace_outcomes_new(struct trace_outcomes **ret,
		       const struct trace_outcomes_callbacks *callbacks, void *arg,
		       struct intervals_budget *budget);
struct trace_outcomes *trace_outcomes_free(struct trace_outcomes *outcomes);

/* As trace_requests_feed(). */
int trace_outcomes_feed(struct trace_outcomes *outcomes, const struct trace_record *record);
/* At the end of the trace: judges what is left. */
int trace_outcomes_finish(struct trace_outcomes *outcomes);

/* The join that it is made of; its callbacks and `data` of requests are taken. */
struct trace_requests *trace_outcomes_requests(struct trace_outcomes *outcomes);

const char *trace_outcome_name(enum trace_outcome outcome);
