/* SPDX-License-Identifier: MIT */
/*
 * Timers in a binary heap, ordered by time and then by the order of arming. A timer knows its
 * place, so that disarming needs no search.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "daemon/loop/loop-internal.h"

#define HEAP_ROOM_FIRST 16

static bool timer_before(const struct loop_timer *a, const struct loop_timer *b)
{
	return a->when < b->when || (a->when == b->when && a->seq < b->seq);
}

static void heap_put(struct loop *loop, size_t i, struct loop_timer *timer)
{
	loop->heap[i] = timer;
	timer->slot = i + 1;
}

/* Finds the place of timer from the hole at i towards the root, then towards the leaves. */
static void heap_settle(struct loop *loop, size_t i, struct loop_timer *timer)
{
	size_t child;

	while (i > 0 && timer_before(timer, loop->heap[(i - 1) / 2])) {
		heap_put(loop, i, loop->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	while ((child = 2 * i + 1) < loop->n_timers) {
		if (child + 1 < loop->n_timers &&
		    timer_before(loop->heap[child + 1], loop->heap[child]))
			child++;
		if (!timer_before(loop->heap[child], timer))
			break;
		heap_put(loop, i, loop->heap[child]);
		i = child;
	}
	heap_put(loop, i, timer);
}

static int heap_reserve(struct loop *loop)
{
	size_t room = loop->heap_room ? 2 * loop->heap_room : HEAP_ROOM_FIRST;
	struct loop_timer **heap;

	if (loop->n_timers < loop->heap_room)
		return 0;
	heap = reallocarray(loop->heap, room, sizeof(*heap));
	if (!heap)
		return -ENOMEM;
	loop->heap = heap;
	loop->heap_room = room;
	return 0;
}

int loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t when)
{
	size_t i;
	int r;

	if (timer->slot == 0) {
		r = heap_reserve(loop);
		if (r < 0)
			return r;
		i = loop->n_timers++;
	} else {
		assert(timer->loop == loop);
		i = timer->slot - 1;
	}
	timer->loop = loop;
	/*
	 * No earlier than now: otherwise a callback that arms for the past would get in front of
	 * timers that are due, and keep them waiting for ever. The end of time is no time.
	 */
	timer->when = when < loop->now ? loop->now : when;
	if (timer->when == LOOP_FOREVER)
		timer->when--;
	timer->seq = loop->timer_seq++;
	heap_settle(loop, i, timer);
	return 0;
}

void loop_timer_cancel(struct loop_timer *timer)
{
	struct loop *loop = timer->loop;
	size_t i = timer->slot - 1;
	struct loop_timer *last;

	if (timer->slot == 0)
		return;
	timer->slot = 0;
	last = loop->heap[--loop->n_timers];
	if (last != timer)
		heap_settle(loop, i, last);
}

bool loop_timer_armed(const struct loop_timer *timer)
{
	return timer->slot != 0;
}

uint64_t loop_timer_next(const struct loop *loop)
{
	return loop->n_timers ? loop->heap[0]->when : LOOP_FOREVER;
}

void loop_timer_dispatch(struct loop *loop)
{
	uint64_t end = loop->timer_seq;

	/* Those armed by these callbacks have a later number: they belong to the next turn. */
	while (loop->n_timers > 0) {
		struct loop_timer *timer = loop->heap[0];

		if (timer->when > loop->now || timer->seq >= end)
			break;
		loop_timer_cancel(timer);
		timer->fire(timer);
	}
}
