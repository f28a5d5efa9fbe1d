/* SPDX-License-Identifier: MIT */
#include "daemon/loop/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "daemon/loop/loop-internal.h"
#include "daemon/util/cleanup.h"

#define OP_LEN_MAX	((size_t)1 << 30)
#define DEFERRED_ROUNDS 8

static uint64_t clock_read(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static void free_loopp(struct loop **loop)
{
	free(*loop);
}

int loop_new(struct loop **ret, enum loop_backend backend)
{
	_cleanup_(free_loopp) struct loop *loop = calloc(1, sizeof(*loop));
	int r;

	if (!loop)
		return -ENOMEM;
	TAILQ_INIT(&loop->queued);
	TAILQ_INIT(&loop->unwanted);
	TAILQ_INIT(&loop->done);
	TAILQ_INIT(&loop->deferred);
	for (int i = 0; i < POLL_N; i++)
		TAILQ_INIT(&loop->polls[i]);
	loop->virtual_time = backend == LOOP_VIRTUAL;
	loop->now = loop->virtual_time ? NSEC_PER_SEC : clock_read();
	loop->ops = backend == LOOP_URING ? &loop_uring_ops : &loop_poll_ops;
	r = loop->ops->start(loop);
	if (r < 0)
		return r;
	*ret = steal(&loop);
	return 0;
}

struct loop *loop_free(struct loop *loop)
{
	if (!loop)
		return NULL;
	assert(loop->n_ops == 0);
	assert(loop->n_watches == 0);
	assert(loop->n_timers == 0);
	assert(TAILQ_EMPTY(&loop->deferred));
	loop->ops->stop(loop);
	/* Only now: until then the kernel may still answer for a poll that was dropped. */
	loop_poll_free_all(loop);
	free(loop->heap);
	free(loop);
	return NULL;
}

void loop_set_patience(struct loop *loop, uint64_t ns)
{
	loop->patience = ns;
}

void loop_set_host(struct loop *loop, const void *host)
{
	loop->host = host;
}

const void *loop_host(const struct loop *loop)
{
	return loop->host;
}

uint64_t loop_now(const struct loop *loop)
{
	return loop->now;
}

bool loop_is_virtual(const struct loop *loop)
{
	return loop->virtual_time;
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}

int loop_run(struct loop *loop)
{
	while (!loop->stopped) {
		int r = loop_turn(loop);

		if (r < 0)
			return r;
	}
	loop->stopped = false;
	return 0;
}

/* ---- op --------------------------------------------------------------------------------- */

static void op_done(struct loop *loop, struct loop_op *op, int res)
{
	op->state = OP_DONE;
	op->res = res;
	TAILQ_INSERT_TAIL(&loop->done, op, link);
}

static void op_start(struct loop *loop, struct loop_op *op, enum loop_op_kind kind, int fd,
		     void *buf, size_t len, uint64_t off)
{
	assert(op->state == OP_IDLE);
	assert(len <= OP_LEN_MAX);
	op->kind = kind;
	op->fd = fd;
	op->buf = buf;
	op->len = (uint32_t)len;
	op->off = off;
	loop->n_ops++;
	/* To io_uring the offset -1 means the file's position, and pwrite(2) refuses all of them.
	 */
	if (off > INT64_MAX) {
		op_done(loop, op, -EINVAL);
		return;
	}
	op->state = OP_QUEUED;
	TAILQ_INSERT_TAIL(&loop->queued, op, link);
}

void loop_pread(struct loop *loop, struct loop_op *op, int fd, void *buf, size_t len, uint64_t off)
{
	op_start(loop, op, LOOP_READ, fd, buf, len, off);
}

void loop_pwrite(struct loop *loop, struct loop_op *op, int fd, const void *buf, size_t len,
		 uint64_t off)
{
	op_start(loop, op, LOOP_WRITE, fd, (void *)buf, len, off);
}

void loop_op_cancel(struct loop *loop, struct loop_op *op)
{
	if (op->state == OP_QUEUED) {
		TAILQ_REMOVE(&loop->queued, op, link);
		op_done(loop, op, -ECANCELED);
	} else if (op->state == OP_RUNNING) {
		op->state = OP_UNWANTED;
		TAILQ_INSERT_TAIL(&loop->unwanted, op, link);
	}
}

void loop_op_finish(struct loop *loop, struct loop_op *op, int res)
{
	bool wanted = op->state == OP_RUNNING;

	assert(op->state == OP_RUNNING || op->state == OP_UNWANTED || op->state == OP_CANCELED);
	loop->n_running--;
	if (op->state == OP_UNWANTED)
		TAILQ_REMOVE(&loop->unwanted, op, link);
	if (res == -EINTR && wanted) {
		/* A signal is none of the owner's business: the op begins again. */
		op->state = OP_QUEUED;
		TAILQ_INSERT_TAIL(&loop->queued, op, link);
		return;
	}
	op_done(loop, op, res == -EINTR ? -ECANCELED : res);
}

static void op_dispatch(struct loop *loop)
{
	struct loop_op_list batch = TAILQ_HEAD_INITIALIZER(batch);
	struct loop_op *op;

	/* What a callback cancels is called back in the next turn: no turn is endless. */
	TAILQ_CONCAT(&batch, &loop->done, link);
	while ((op = TAILQ_FIRST(&batch))) {
		TAILQ_REMOVE(&batch, op, link);
		op->state = OP_IDLE;
		loop->n_ops--;
		op->done(op, op->res);
	}
}

/* ---- deferred --------------------------------------------------------------------------- */

void loop_defer(struct loop *loop, struct loop_deferred *deferred)
{
	if (deferred->queued)
		return;
	deferred->queued = true;
	TAILQ_INSERT_TAIL(&loop->deferred, deferred, link);
}

void loop_defer_cancel(struct loop *loop, struct loop_deferred *deferred)
{
	if (!deferred->queued)
		return;
	deferred->queued = false;
	TAILQ_REMOVE(&loop->deferred, deferred, link);
}

/* Those that are queued now; what they queue comes behind the mark. */
static void deferred_dispatch_round(struct loop *loop)
{
	struct loop_deferred mark = { .run = NULL };
	struct loop_deferred *deferred;

	TAILQ_INSERT_TAIL(&loop->deferred, &mark, link);
	while ((deferred = TAILQ_FIRST(&loop->deferred)) != &mark) {
		loop_defer_cancel(loop, deferred);
		deferred->run(deferred);
	}
	TAILQ_REMOVE(&loop->deferred, &mark, link);
}

/*
 * A request passes through several deferred calls on its way; a turn, with its system calls, for
 * each of them would double what a small one costs. No turn is endless all the same.
 */
static void deferred_dispatch(struct loop *loop)
{
	for (int i = 0; i < DEFERRED_ROUNDS && !TAILQ_EMPTY(&loop->deferred); i++)
		deferred_dispatch_round(loop);
}

/* ---- turn ------------------------------------------------------------------------------- */

/* Something to call back, whatever the back end may find. */
static bool loop_due(const struct loop *loop)
{
	return !TAILQ_EMPTY(&loop->done) || !TAILQ_EMPTY(&loop->deferred) ||
	       loop_timer_next(loop) <= loop->now || !TAILQ_EMPTY(&loop->polls[POLL_READY]);
}

/* The back end has something that can end by itself. */
static bool loop_busy(const struct loop *loop)
{
	return loop->n_ops > 0 || !TAILQ_EMPTY(&loop->polls[POLL_WANTED]) ||
	       !TAILQ_EMPTY(&loop->polls[POLL_ARMED]);
}

/*
 * The timeout counts from the time that was read after the last wait, so a timer may be late by
 * what the callbacks of one turn took; it is never early.
 */
static int loop_wait(struct loop *loop)
{
	uint64_t next = loop_timer_next(loop);
	uint64_t timeout = next == LOOP_FOREVER ? LOOP_FOREVER : next - loop->now;
	int r;

	if (timeout == LOOP_FOREVER && !loop_busy(loop))
		return -EDEADLK;
	if (loop->virtual_time && next != LOOP_FOREVER)
		timeout = loop->patience;
	r = loop->ops->wait(loop, timeout);
	if (r < 0)
		return r;
	if (!loop->virtual_time)
		loop->now = clock_read();
	else if (next != LOOP_FOREVER && !loop_due(loop))
		loop->now = next;
	return 0;
}

int loop_turn(struct loop *loop)
{
	int r;

	if (loop_due(loop)) {
		r = loop->ops->wait(loop, 0);
		if (r < 0)
			return r;
		if (!loop->virtual_time)
			loop->now = clock_read();
	}
	/* A wait may end with nothing: a signal, or the last of a poll that was dropped. */
	while (!loop_due(loop)) {
		r = loop_wait(loop);
		if (r < 0)
			return r;
	}
	op_dispatch(loop);
	loop_poll_dispatch(loop);
	loop_timer_dispatch(loop);
	deferred_dispatch(loop);
	return 0;
}
