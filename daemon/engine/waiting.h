/* SPDX-License-Identifier: MIT */
/*
 * Requests that nobody has answered yet, in the order of their arrival. What is said of them: once
 * a third of a request's patience is over, what it waits for; and when it was answered late, where
 * the time went. It is also noticed when the loop itself does not turn meanwhile.
 */
#pragma once

#include "daemon/engine/engine.h"

TAILQ_HEAD(request_list, engine_request);

/* Lines of one kind: after one, more are only counted for a while. */
struct hush {
	struct loop_timer timer;
	unsigned int muted;
};

struct waiting {
	struct loop *loop;
	struct request_list requests; /* the oldest first */
	uint64_t slow;		      /* ns from which on a request is told of; 0: never */

	struct hush warned, told;

	struct loop_timer beat; /* goes on while there are requests */
	uint64_t beat_due;
};

void waiting_init(struct waiting *waiting, struct loop *loop, uint64_t slow);
/* Nobody waits any more. */
void waiting_clear(struct waiting *waiting);

/* patience: ns until it is answered, at the latest. */
void waiting_begin(struct waiting *waiting, struct engine_request *request,
		   enum engine_request_kind kind, uint64_t patience);
/* With the result of the request. */
void waiting_end(struct waiting *waiting, struct engine_request *request, int err);

/* ns: when to look at a request that has just begun. */
uint64_t waiting_first_look(const struct engine_request *request);

/*
 * Looks at it: false when its patience is over. Otherwise says what it waits for, and *ret_when is
 * the time of the last look.
 */
bool waiting_look(struct waiting *waiting, const struct engine_request *request,
		  uint64_t *ret_when);

/* From when until now, and not at all where that is the wrong way round. */
static inline uint64_t waiting_span(uint64_t from, uint64_t to)
{
	return to > from ? to - from : 0;
}
