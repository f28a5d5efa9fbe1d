/* SPDX-License-Identifier: MIT */
#include "daemon/engine/sink.h"

#include <assert.h>
#include <errno.h>

#include "daemon/util/checked.h"

/*
 * A new object refuses writes with ENOBUFS until a kernel worker has opened its file, which took
 * up to 38 ms on a slow machine; a disk below `bstop` gives the same errno, and lasts.
 */
#define RETRY_FIRST (1 * NSEC_PER_MSEC)
#define RETRY_MAX   10 /* doubling: about one second in all */

static void sink_submit(struct sink_write *w)
{
	loop_pwrite(w->loop, &w->op, w->sink->fd, w->buf + w->stored, w->len - w->stored,
		    w->off + w->stored);
}

static void sink_answer_close(struct loop *loop, struct sink *sink)
{
	if (sink->closing && sink->writes == 0)
		loop_defer(loop, &sink->closing->answer);
}

static void sink_finish(struct sink_write *w, int err)
{
	struct sink *sink = w->sink;
	struct loop *loop = w->loop;

	loop_timer_cancel(&w->retry);
	sink->writes--;
	w->done(w, w->stored, err);
	sink_answer_close(loop, sink);
}

static void sink_retry(struct loop_timer *timer)
{
	struct sink_write *w = container_of(timer, struct sink_write, retry);

	if (w->canceled)
		sink_finish(w, -ECANCELED);
	else
		sink_submit(w);
}

/* Not an error yet: tries again later. false when that has been tried often enough. */
static bool sink_try_later(struct sink_write *w)
{
	uint64_t wait = RETRY_FIRST << w->tries;

	if (w->canceled || w->tries == RETRY_MAX)
		return false;
	w->tries++;
	return loop_timer_set(w->loop, &w->retry, loop_now(w->loop) + wait) == 0;
}

static void sink_stored(struct sink_write *w, uint64_t n)
{
	uint64_t from = (w->off + w->stored) / CACHE_BLOCK;

	w->sink->proven = true;
	w->tries = 0;
	w->stored += n;
	residency_mark(w->residency, from, from + n / CACHE_BLOCK);
}

/* ENOBUFS has two reasons: the object is not ready, or the disk is below `bstop`. */
static bool sink_is_full(const struct sink *sink)
{
	return sink->proven || (sink->room && sink->room->is_full(sink->room));
}

static void sink_wrote(struct loop_op *op, int res)
{
	struct sink_write *w = container_of(op, struct sink_write, op);
	uint64_t left = w->len - w->stored;
	/* Kernels before 6.13 may count a page too many; a part of a block counts as nothing. */
	uint64_t n = res > 0 ? min_u64(round_down_u64((uint64_t)res, CACHE_BLOCK), left) : 0;

	if (n > 0)
		sink_stored(w, n);
	if (w->stored == w->len)
		sink_finish(w, 0);
	else if (w->canceled)
		sink_finish(w, -ECANCELED);
	else if (n > 0)
		sink_submit(w);
	else if (res < 0 && res != -ENOBUFS && res != -EINTR && res != -EAGAIN)
		sink_finish(w, res);
	else if (res == -ENOBUFS && sink_is_full(w->sink))
		sink_finish(w, -ENOSPC);
	else if (!sink_try_later(w))
		sink_finish(w, res < 0 ? res : -EIO);
}

void sink_write(struct loop *loop, struct sink *sink, struct residency *residency,
		struct sink_write *w, const void *buf, uint64_t off, uint64_t len)
{
	assert(len > 0 && len % CACHE_BLOCK == 0 && off % CACHE_BLOCK == 0);
	assert((uintptr_t)buf % CACHE_BLOCK == 0);
	assert(!sink->closing);

	w->loop = loop;
	w->sink = sink;
	w->residency = residency;
	w->op = (struct loop_op){ .done = sink_wrote };
	w->retry = (struct loop_timer){ .fire = sink_retry };
	w->buf = buf;
	w->off = off;
	w->len = len;
	w->stored = 0;
	w->tries = 0;
	w->canceled = false;
	sink->writes++;
	sink_submit(w);
}

void sink_write_cancel(struct sink_write *w)
{
	w->canceled = true;
	if (loop_timer_armed(&w->retry)) {
		/* Due at once: done() must not come from in here. Re-arming cannot fail. */
		loop_timer_set(w->loop, &w->retry, loop_now(w->loop));
		return;
	}
	loop_op_cancel(w->loop, &w->op);
}

static void sink_closed(struct loop_deferred *answer)
{
	struct engine_close *close = container_of(answer, struct engine_close, answer);

	close->done(close);
}

void sink_close(struct loop *loop, struct sink *sink, struct engine_close *close)
{
	close->sink = sink;
	close->answer = (struct loop_deferred){ .run = sink_closed };
	sink->closing = close;
	sink_answer_close(loop, sink);
}
