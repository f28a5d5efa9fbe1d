/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the loop share; no other directory includes it.
 *
 * An op is on exactly one of the lists of struct loop, or only in the back end's hands:
 *
 *   start -> queued -> (back end) -> done -> callback
 *                          |  ^
 *                          v  |
 *                        unwanted      its cancellation is still to be submitted
 *
 * A poll is one one-shot request for readiness. It belongs to one watch, or, once that watch was
 * removed or wants something else, to nobody: then it only waits for the kernel to let go of it.
 *
 *   parked <-> wanted -> armed -> ready -> (wanted again, and the callback)
 *                          |
 *                          v
 *                       dropped -> gone -> freed
 *
 * Completions are first all moved to `done` and `ready` and only then called back, so that a
 * callback finds each other op and watch of its batch in a state that it can cancel or remove.
 */
#pragma once

#include <poll.h>

#include "daemon/loop/loop.h"

#define LOOP_FOREVER UINT64_MAX

enum loop_op_kind { LOOP_READ, LOOP_WRITE };

enum loop_op_state {
	OP_IDLE,     /* the owner's */
	OP_QUEUED,   /* on loop->queued */
	OP_RUNNING,  /* the back end's */
	OP_UNWANTED, /* the back end's, and on loop->unwanted */
	OP_CANCELED, /* the back end's, which knows that nobody wants it */
	OP_DONE,     /* on loop->done */
};

enum loop_poll_state {
	POLL_PARKED, /* on no list, maybe paused */
	POLL_WANTED,
	POLL_ARMED,
	POLL_READY,
	POLL_DROPPED, /* armed, unwanted, and its cancellation is still to be submitted */
	POLL_GONE,    /* as before, submitted */
	POLL_N,
};

struct loop_poll {
	TAILQ_ENTRY(loop_poll) link; /* on loop->polls[state], but for POLL_PARKED */
	struct loop_watch *watch;    /* NULL from POLL_DROPPED on */
	uint32_t events;	     /* what the armed request asks for */
	uint32_t revents;	     /* what it gave */
	struct loop_timer pause;     /* armed: back to POLL_WANTED when it fires */
	int fd;
	uint8_t state;
};

TAILQ_HEAD(loop_op_list, loop_op);
TAILQ_HEAD(loop_poll_list, loop_poll);
TAILQ_HEAD(loop_deferred_list, loop_deferred);

struct loop_backend_ops {
	int (*start)(struct loop *loop);
	void (*stop)(struct loop *loop);
	/* Optional: finds room for so many polls at a time, so that wait() need not; -ENOMEM. */
	int (*reserve)(struct loop *loop, size_t polls);
	/*
	 * Starts what is queued, unwanted, wanted or dropped, then waits for at most timeout ns
	 * and hands over by loop_op_finish() and loop_poll_fire() whatever has ended. May come
	 * back early and with nothing.
	 */
	int (*wait)(struct loop *loop, uint64_t timeout);
};

extern const struct loop_backend_ops loop_uring_ops;
extern const struct loop_backend_ops loop_poll_ops;

struct loop {
	const void *host; /* not ours */
	const struct loop_backend_ops *ops;
	void *backend; /* owned by the back end */
	bool virtual_time;
	uint64_t patience; /* ns; of virtual time */
	bool stopped;
	uint64_t now;

	struct loop_op_list queued, unwanted, done;
	size_t n_ops;	  /* started and not called back */
	size_t n_running; /* of these, the back end's */

	struct loop_poll_list polls[POLL_N];
	size_t n_watches;

	struct loop_timer **heap; /* owned; heap[0] is due first */
	size_t n_timers, heap_room;
	uint64_t timer_seq;

	struct loop_deferred_list deferred;
};

/* The back end gives an op back: OP_RUNNING, OP_UNWANTED or OP_CANCELED before. */
void loop_op_finish(struct loop *loop, struct loop_op *op, int res);

/* Takes poll to another state and list. */
void loop_poll_move(struct loop *loop, struct loop_poll *poll, enum loop_poll_state state);

/* The back end's answer for an armed poll; frees one that nobody wants any more. */
void loop_poll_fire(struct loop *loop, struct loop_poll *poll, uint32_t revents);

/* As an answer, too: what came is not what was asked for, and would come again at once. */
void loop_poll_pause(struct loop *loop, struct loop_poll *poll);

/* Calls back for all polls that were ready when it began. */
void loop_poll_dispatch(struct loop *loop);
void loop_poll_free_all(struct loop *loop);

/* When the next timer is due, or LOOP_FOREVER. */
uint64_t loop_timer_next(const struct loop *loop);

/* Fires what was armed before it began and is due. */
void loop_timer_dispatch(struct loop *loop);
