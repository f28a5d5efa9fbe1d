/* SPDX-License-Identifier: MIT */
/*
 * The back end on io_uring. A turn is one io_uring_enter(2): it submits, waits with the next
 * timer as its timeout, and hands over the completions.
 *
 * user_data is the address of the op, or of the poll with its lowest bit set, or 0 for a
 * cancellation. An address may be used again as soon as its completion was seen: a cancellation
 * for the former user stands before the new request in the submission queue and finds nothing.
 */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>

#include "daemon/loop/loop-internal.h"
#include "daemon/util/cleanup.h"

#define SQ_ENTRIES 256	/* more in one turn cost one more system call per 256 */
#define CQ_ENTRIES 1024 /* 16 KiB; beyond it the kernel keeps a list (IORING_FEAT_NODROP) */
#define OPS_MAX	   512	/* ops in the kernel; completions of more might not fit beside the polls */

/*
 * Threads that the kernel starts for what would block. The write of an anonymous cachefiles
 * descriptor always goes there and is synchronous there; as that is no regular file it is
 * "unbounded" work (io_prep_async_work()), which without a limit gets one thread per write. Eight
 * direct writes keep a disk busy. The others are for regular files that are not in memory.
 */
#define WORKERS_BOUNDED	  8
#define WORKERS_UNBOUNDED 8

#define TAG_POLL	  ((uint64_t)1)

/* What the code below cannot do without; 5.17 has all of them. */
#define FEATURES (IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_CQE_SKIP)

/* Newest first: completions without interrupting the thread from 6.1 on, or on 5.19. */
static const unsigned int setup_flags[] = {
	IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
	IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
	0,
};

/* ---- life ------------------------------------------------------------------------------- */

static int uring_setup(struct io_uring *ring)
{
	int r = -EINVAL;

	for (size_t i = 0; r == -EINVAL && i < sizeof(setup_flags) / sizeof(*setup_flags); i++) {
		struct io_uring_params params = {
			.flags = setup_flags[i] | IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL,
			.cq_entries = CQ_ENTRIES,
		};

		r = io_uring_queue_init_params(SQ_ENTRIES, ring, &params);
	}
	return r;
}

static void free_ringp(struct io_uring **ring)
{
	free(*ring);
}

static int uring_start(struct loop *loop)
{
	_cleanup_(free_ringp) struct io_uring *ring = calloc(1, sizeof(*ring));
	unsigned int workers[] = { WORKERS_BOUNDED, WORKERS_UNBOUNDED };
	int r;

	if (!ring)
		return -ENOMEM;
	r = uring_setup(ring);
	if (r < 0)
		return r == -EINVAL ? -ENOSYS : r;
	if ((ring->features & FEATURES) != FEATURES) {
		io_uring_queue_exit(ring);
		return -ENOSYS;
	}
	/* Both save time only, so a refusal is none of our business. */
	(void)io_uring_register_iowq_max_workers(ring, workers);
	(void)io_uring_register_ring_fd(ring);
	loop->backend = steal(&ring);
	return 0;
}

static void uring_stop(struct loop *loop)
{
	struct io_uring *ring = loop->backend;

	io_uring_queue_exit(ring);
	free(ring);
}

/* ---- submission ------------------------------------------------------------------------- */

/* NULL: the kernel takes nothing more just now; what is left stays on its list for a later turn. */
static struct io_uring_sqe *uring_sqe(struct io_uring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	if (!sqe && io_uring_submit(ring) > 0)
		sqe = io_uring_get_sqe(ring);
	return sqe;
}

/* Answers only if it finds nothing: that the request ends is told by the request itself. */
static bool uring_cancel(struct io_uring *ring, uint64_t user_data)
{
	struct io_uring_sqe *sqe = uring_sqe(ring);

	if (!sqe)
		return false;
	io_uring_prep_cancel64(sqe, user_data, 0);
	io_uring_sqe_set_data64(sqe, 0);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	return true;
}

static void uring_submit_cancels(struct loop *loop, struct io_uring *ring)
{
	struct loop_poll *poll;
	struct loop_op *op;

	while ((op = TAILQ_FIRST(&loop->unwanted)) && uring_cancel(ring, (uintptr_t)op)) {
		TAILQ_REMOVE(&loop->unwanted, op, link);
		op->state = OP_CANCELED;
	}
	while ((poll = TAILQ_FIRST(&loop->polls[POLL_DROPPED])) &&
	       uring_cancel(ring, (uintptr_t)poll | TAG_POLL))
		loop_poll_move(loop, poll, POLL_GONE);
}

static void uring_submit_polls(struct loop *loop, struct io_uring *ring)
{
	struct io_uring_sqe *sqe;
	struct loop_poll *poll;

	while ((poll = TAILQ_FIRST(&loop->polls[POLL_WANTED])) && (sqe = uring_sqe(ring))) {
		poll->events = poll->watch->events;
		io_uring_prep_poll_add(sqe, poll->fd, poll->events);
		io_uring_sqe_set_data64(sqe, (uintptr_t)poll | TAG_POLL);
		loop_poll_move(loop, poll, POLL_ARMED);
	}
}

static void uring_submit_ops(struct loop *loop, struct io_uring *ring)
{
	struct io_uring_sqe *sqe;
	struct loop_op *op;

	while ((op = TAILQ_FIRST(&loop->queued)) && loop->n_running < OPS_MAX &&
	       (sqe = uring_sqe(ring))) {
		TAILQ_REMOVE(&loop->queued, op, link);
		if (op->kind == LOOP_READ)
			io_uring_prep_read(sqe, op->fd, op->buf, op->len, op->off);
		else
			io_uring_prep_write(sqe, op->fd, op->buf, op->len, op->off);
		io_uring_sqe_set_data64(sqe, (uintptr_t)op);
		op->state = OP_RUNNING;
		loop->n_running++;
	}
}

/* ---- completion ------------------------------------------------------------------------- */

/* A poll fails where the descriptor is not open; poll(2) reports that as an event. */
static uint32_t poll_events(int res)
{
	if (res >= 0)
		return (uint32_t)res;
	if (res == -ECANCELED)
		return 0;
	return res == -EBADF ? POLLNVAL : POLLERR;
}

/*
 * The kernel adds POLLRDHUP to what was asked for (IO_POLL_UNMASK), which is there for as long as
 * the peer has shut down its side: a watch for POLLOUT alone would turn the loop without end.
 */
static void uring_complete_poll(struct loop *loop, struct loop_poll *poll, int res)
{
	if (res == POLLRDHUP)
		loop_poll_pause(loop, poll);
	else
		loop_poll_fire(loop, poll, poll_events(res));
}

static void uring_complete(struct loop *loop, uint64_t user_data, int res)
{
	if (user_data & TAG_POLL)
		uring_complete_poll(loop, (void *)(uintptr_t)(user_data & ~TAG_POLL), res);
	else if (user_data)
		loop_op_finish(loop, (void *)(uintptr_t)user_data, res);
}

static void uring_reap(struct loop *loop, struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	unsigned int head, n = 0;

	io_uring_for_each_cqe(ring, head, cqe)
	{
		uring_complete(loop, cqe->user_data, cqe->res);
		n++;
	}
	io_uring_cq_advance(ring, n);
}

/* Makes no system call where there is nothing to submit and nothing kept back by the kernel. */
static int uring_enter_now(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;

	return io_uring_sq_ready(ring) ? io_uring_submit_and_get_events(ring)
				       : io_uring_peek_cqe(ring, &cqe);
}

static int uring_enter(struct io_uring *ring, uint64_t timeout)
{
	struct __kernel_timespec ts = {
		.tv_sec = (long long)(timeout / NSEC_PER_SEC),
		.tv_nsec = (long long)(timeout % NSEC_PER_SEC),
	};
	struct io_uring_cqe *cqe;

	return io_uring_submit_and_wait_timeout(ring, &cqe, 1, timeout == LOOP_FOREVER ? NULL : &ts,
						NULL);
}

static int uring_wait(struct loop *loop, uint64_t timeout)
{
	struct io_uring *ring = loop->backend;
	int r;

	uring_submit_cancels(loop, ring);
	uring_submit_polls(loop, ring);
	uring_submit_ops(loop, ring);
	r = timeout == 0 ? uring_enter_now(ring) : uring_enter(ring, timeout);
	uring_reap(loop, ring);
	/* -EAGAIN, -EBUSY: the kernel is short of memory or of room for completions, for now. */
	if (r >= 0 || r == -EINTR || r == -ETIME || r == -EAGAIN || r == -EBUSY)
		return 0;
	return r;
}

const struct loop_backend_ops loop_uring_ops = {
	.start = uring_start,
	.stop = uring_stop,
	.wait = uring_wait,
};
