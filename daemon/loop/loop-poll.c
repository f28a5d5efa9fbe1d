/* SPDX-License-Identifier: MIT */
/*
 * The back end on poll(2) and pread/pwrite: for valgrind, for hosts that forbid io_uring, and for
 * virtual time. An op is done at once, in the turn that finds it queued.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "daemon/loop/loop-internal.h"

#define POLLFDS_FIRST 16

struct poller {
	struct pollfd *fds; /* owned; fds[i] is the i-th armed poll */
	size_t room;
};

static int poller_start(struct loop *loop)
{
	loop->backend = calloc(1, sizeof(struct poller));
	return loop->backend ? 0 : -ENOMEM;
}

static void poller_stop(struct loop *loop)
{
	struct poller *poller = loop->backend;

	free(poller->fds);
	free(poller);
}

static int op_run(const struct loop_op *op)
{
	ssize_t n;

	do {
		if (op->kind == LOOP_READ)
			n = pread(op->fd, op->buf, op->len, (off_t)op->off);
		else
			n = pwrite(op->fd, op->buf, op->len, (off_t)op->off);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : (int)n;
}

static void poller_ops(struct loop *loop)
{
	struct loop_op *op;

	while ((op = TAILQ_FIRST(&loop->queued))) {
		TAILQ_REMOVE(&loop->queued, op, link);
		op->state = OP_RUNNING;
		loop->n_running++;
		loop_op_finish(loop, op, op_run(op));
	}
}

static int poller_reserve(struct loop *loop, size_t polls)
{
	struct poller *poller = loop->backend;
	size_t room = poller->room ? poller->room : POLLFDS_FIRST;
	struct pollfd *fds;

	while (room < polls)
		room *= 2;
	if (room == poller->room)
		return 0;
	fds = reallocarray(poller->fds, room, sizeof(*fds));
	if (!fds)
		return -ENOMEM;
	poller->fds = fds;
	poller->room = room;
	return 0;
}

/* Arms what is wanted and forgets what is dropped: the kernel remembers nothing between turns. */
static size_t poller_arm(struct loop *loop)
{
	struct loop_poll *poll;
	size_t n = 0;

	while ((poll = TAILQ_FIRST(&loop->polls[POLL_DROPPED])))
		loop_poll_fire(loop, poll, 0);
	while ((poll = TAILQ_FIRST(&loop->polls[POLL_WANTED]))) {
		poll->events = poll->watch->events;
		loop_poll_move(loop, poll, POLL_ARMED);
	}
	TAILQ_FOREACH(poll, &loop->polls[POLL_ARMED], link)
		n++;
	return n;
}

static void poller_fill(struct loop *loop, struct poller *poller)
{
	struct loop_poll *poll;
	size_t i = 0;

	TAILQ_FOREACH(poll, &loop->polls[POLL_ARMED], link)
		poller->fds[i++] = (struct pollfd){ .fd = poll->fd, .events = (short)poll->events };
}

static void poller_fire(struct loop *loop, const struct poller *poller)
{
	struct loop_poll *poll = TAILQ_FIRST(&loop->polls[POLL_ARMED]);

	for (size_t i = 0; poll; i++) {
		struct loop_poll *next = TAILQ_NEXT(poll, link);

		if (poller->fds[i].revents)
			loop_poll_fire(loop, poll, (uint32_t)poller->fds[i].revents);
		poll = next;
	}
}

static int poller_wait(struct loop *loop, uint64_t timeout)
{
	struct poller *poller = loop->backend;
	struct timespec ts;
	size_t n;
	int r;

	poller_ops(loop);
	if (!TAILQ_EMPTY(&loop->done))
		timeout = 0;
	n = poller_arm(loop);
	if (n == 0 && timeout == 0)
		return 0;
	poller_fill(loop, poller);
	ts.tv_sec = (time_t)(timeout / NSEC_PER_SEC);
	ts.tv_nsec = (long)(timeout % NSEC_PER_SEC);
	/* "Nothing was ready" has to be true where virtual time jumps then. */
	do
		r = ppoll(poller->fds, n, timeout == LOOP_FOREVER ? NULL : &ts, NULL);
	while (r < 0 && errno == EINTR && (timeout == 0 || loop->virtual_time));
	if (r < 0)
		return errno == EINTR ? 0 : -errno;
	if (r > 0)
		poller_fire(loop, poller);
	return 0;
}

const struct loop_backend_ops loop_poll_ops = {
	.start = poller_start,
	.stop = poller_stop,
	.reserve = poller_reserve,
	.wait = poller_wait,
};
