/* SPDX-License-Identifier: MIT */
/*
 * The event loop owns waiting and time. One thread turns it; everything that waits is one of four
 * things, each embedded by its owner and found again by container_of():
 *
 *   op        one read or write of a file, done exactly once          (io_uring)
 *   watch     a descriptor that is readable or writable, level-triggered
 *   timer     a moment on the monotonic clock
 *   deferred  a call at the end of this turn, never from inside the caller
 *
 * All submissions of one turn go to the kernel by one system call; all completions come back
 * through one path. Two back ends: io_uring, and poll + pread/pwrite for valgrind, for hosts that
 * forbid io_uring, and for virtual time.
 *
 * Callbacks may start, cancel and free anything, also the thing they are called for. No callback
 * runs from inside the function that starts, cancels or arms; all run from loop_turn(), in each
 * turn in this order: ops, watches, timers, deferred calls.
 *
 * Each struct is zero but for its callback before its first use; once its last event has come it
 * may be used again.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#define NSEC_PER_SEC			((uint64_t)1000000000)
#define NSEC_PER_MSEC			((uint64_t)1000000)

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

struct loop;

enum loop_backend {
	LOOP_URING,
	LOOP_POLL,    /* file I/O is done at once, inside the turn that finds it queued */
	LOOP_VIRTUAL, /* as LOOP_POLL; when nothing is ready, time jumps to the next timer */
};

/* -ENOSYS, -EPERM: this host has no (or forbids) io_uring; LOOP_POLL always works. */
int loop_new(struct loop **ret, enum loop_backend backend);

/* Nothing may be queued, watched or armed any more: asserted. Takes NULL, returns NULL. */
struct loop *loop_free(struct loop *loop);

/*
 * One turn: submit what is queued, wait for at least one event (a queued deferred call or a timer
 * that is due makes it not wait), call back. Returns 0, or a negative errno that is fatal for the
 * daemon; -EDEADLK: there is nothing that it could wait for.
 */
int loop_turn(struct loop *loop);

/*
 * Turns until loop_stop(); returns 0 or the fatal error of loop_turn(). The turn in which
 * loop_stop() is called ends as usual; called before loop_run(), there is none.
 */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* CLOCK_MONOTONIC in ns, read once per turn (virtual: starts at 1 s and jumps). */
uint64_t loop_now(const struct loop *loop);
bool loop_is_virtual(const struct loop *loop);

/*
 * Of virtual time beside a real world: before time jumps, nothing has happened for this long (ns).
 * 0, as at first: whatever is not ready at once has not happened.
 */
void loop_set_patience(struct loop *loop, uint64_t ns);

/* Something of whoever made the loop, for those who are given only that. NULL at first. */
void loop_set_host(struct loop *loop, const void *host);
const void *loop_host(const struct loop *loop);

/* ---- op --------------------------------------------------------------------------------- */

struct loop_op {
	/* res: bytes moved (may be short, 0 at the end of a file), or a negative errno. */
	void (*done)(struct loop_op *op, int res);
	/* private */
	TAILQ_ENTRY(loop_op) link;
	void *buf;
	uint64_t off;
	uint32_t len;
	int fd, res;
	uint8_t kind, state;
};

/*
 * Starts one positioned read or write; never fails: an error comes by done(). The op, the buffer
 * and the descriptor must stay until done(). len is at most 2^30 (asserted), off at most INT64_MAX
 * (else -EINVAL). -EINTR never comes: such an op begins again.
 */
void loop_pread(struct loop *loop, struct loop_op *op, int fd, void *buf, size_t len, uint64_t off);
void loop_pwrite(struct loop *loop, struct loop_op *op, int fd, const void *buf, size_t len,
		 uint64_t off);

/*
 * Asks to end an op early. done() still comes exactly once: with -ECANCELED, or with the result
 * where it could not be stopped any more. Nothing happens to an op that is not started.
 */
void loop_op_cancel(struct loop *loop, struct loop_op *op);

/* ---- watch ------------------------------------------------------------------------------ */

struct loop_watch {
	/* events: POLLIN, POLLOUT, POLLERR, POLLHUP as poll(2) reports them; POLLNVAL: not open. */
	void (*ready)(struct loop_watch *watch, uint32_t events);
	/* private */
	struct loop_poll *poll; /* owned by the loop: outlives the watch while the kernel polls */
	struct loop *loop;
	uint32_t events;
	int fd;
};

/*
 * Calls ready() as long as fd has one of events (POLLIN, POLLOUT; 0 parks the watch). One watch
 * per descriptor. -ENOMEM is the only error.
 */
int loop_watch_add(struct loop *loop, struct loop_watch *watch, int fd, uint32_t events);
int loop_watch_modify(struct loop_watch *watch, uint32_t events);

/*
 * Call it before the descriptor is closed. ready() does not come any more. Idempotent. The kernel
 * holds the file open until the next turn, whoever closes it.
 */
void loop_watch_remove(struct loop_watch *watch);

/* ---- timer ------------------------------------------------------------------------------ */

struct loop_timer {
	void (*fire)(struct loop_timer *timer);
	/* private */
	struct loop *loop;
	uint64_t when, seq;
	size_t slot; /* place in the heap + 1; 0: not armed */
};

/*
 * (Re-)arms for the absolute time `when` (ns, as loop_now()); one-shot. -ENOMEM only, and never for
 * a timer that is armed. Timers fire in the order of their times, then of their arming, never early
 * and late by no more than one turn; one that is armed by fire() waits for the next turn.
 */
int loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t when);
void loop_timer_cancel(struct loop_timer *timer);
bool loop_timer_armed(const struct loop_timer *timer);

/* ---- deferred --------------------------------------------------------------------------- */

struct loop_deferred {
	void (*run)(struct loop_deferred *deferred);
	/* private */
	TAILQ_ENTRY(loop_deferred) link;
	bool queued;
};

/* Runs once, in this turn or the next, in the order of the calls; a second call is none. */
void loop_defer(struct loop *loop, struct loop_deferred *deferred);
void loop_defer_cancel(struct loop *loop, struct loop_deferred *deferred);

/* ---- signals ---------------------------------------------------------------------------- */

struct loop_signal {
	void (*caught)(struct loop_signal *sig, int signo);
	/* private */
	struct loop_watch watch;
	int fd; /* owned, signalfd */
};

/*
 * Blocks the n signals for this thread and reports them from the loop. They stay blocked after the
 * removal.
 */
int loop_signal_add(struct loop *loop, struct loop_signal *sig, const int *signos, size_t n);
void loop_signal_remove(struct loop_signal *sig);
