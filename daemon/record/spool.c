/* SPDX-License-Identifier: MIT */
#include "daemon/record/spool.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"

/* Enough for a write of its own; the rest of the buffer is for what comes while the disk works. */
#define SPOOL_ENOUGH (SPOOL_BUFFER / 2)
#define SPOOL_OLD    NSEC_PER_SEC

struct spool {
	struct loop *loop;
	int fd; /* owned */
	void (*failed)(void *arg, int err);
	void (*finished)(void *arg); /* NULL: it goes on */
	void *arg;
	uint64_t written; /* bytes, also the offset of the next write */

	char *filling; /* owned, of `room` bytes, of which `filled` are used */
	size_t room, filled;
	char *writing;	   /* owned; bytes [done, size) are still to be written */
	size_t size, done; /* size 0: no write is under way */
	bool broken;

	struct loop_op op;
	struct loop_timer old;	     /* armed while there are bytes and no write */
	struct loop_deferred ending; /* finished() must not come from inside spool_finish() */
};

static void spool_wrote(struct loop_op *op, int res);

static void spool_submit(struct spool *s)
{
	s->op.done = spool_wrote;
	loop_pwrite(s->loop, &s->op, s->fd, s->writing + s->done, s->size - s->done, s->written);
}

/* Sends what has been filled; the other buffer is free. */
static void spool_turn(struct spool *s)
{
	char *empty = s->writing;

	assert(s->size == 0 && s->filled > 0);
	loop_timer_cancel(&s->old);
	s->writing = s->filling;
	s->size = s->filled;
	s->done = 0;
	s->filling = empty;
	s->room = SPOOL_BUFFER;
	s->filled = 0;
	spool_submit(s);
}

/* What has grown becomes as small as it was; where that fails it is larger than it need be. */
static void spool_shrink(struct spool *s)
{
	char *small = s->size > SPOOL_BUFFER ? realloc(s->writing, SPOOL_BUFFER) : NULL;

	if (small)
		s->writing = small;
	s->size = 0;
}

/* Without a timer there is no later: it is written now. */
static void spool_write_later(struct spool *s)
{
	if (loop_timer_armed(&s->old))
		return;
	if (loop_timer_set(s->loop, &s->old, loop_now(s->loop) + SPOOL_OLD) < 0)
		spool_turn(s);
}

static void spool_is_old(struct loop_timer *timer)
{
	spool_turn(container_of(timer, struct spool, old));
}

/* Whatever is next, while the disk is idle. */
static void spool_go_on(struct spool *s)
{
	if (s->filled >= SPOOL_ENOUGH || (s->filled > 0 && s->finished))
		spool_turn(s);
	else if (s->filled > 0)
		spool_write_later(s);
	else if (s->finished)
		loop_defer(s->loop, &s->ending);
}

static void spool_break(struct spool *s, int err)
{
	s->broken = true;
	s->size = 0;
	s->failed(s->arg, err);
}

static void spool_wrote(struct loop_op *op, int res)
{
	struct spool *s = container_of(op, struct spool, op);

	if (res <= 0) {
		spool_break(s, res < 0 ? res : -EIO);
		return;
	}
	s->written += (uint64_t)res;
	s->done += (size_t)res;
	if (s->done < s->size) {
		spool_submit(s);
		return;
	}
	spool_shrink(s);
	spool_go_on(s);
}

static void spool_end(struct loop_deferred *deferred)
{
	struct spool *s = container_of(deferred, struct spool, ending);

	s->finished(s->arg);
}

static void spool_freep(struct spool **s)
{
	if (!*s)
		return;
	free((*s)->filling);
	free((*s)->writing);
	free(*s);
}

int spool_new(struct spool **ret, struct loop *loop, int fd, void (*failed)(void *arg, int err),
	      void *arg)
{
	_cleanup_(spool_freep) struct spool *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->loop = loop;
	s->failed = failed;
	s->arg = arg;
	s->old.fire = spool_is_old;
	s->ending.run = spool_end;
	s->filling = malloc(SPOOL_BUFFER);
	s->writing = malloc(SPOOL_BUFFER);
	if (!s->filling || !s->writing)
		return -ENOMEM;
	s->room = SPOOL_BUFFER;
	s->fd = fd;
	*ret = steal(&s);
	return 0;
}

struct spool *spool_free(struct spool *s)
{
	if (!s)
		return NULL;
	assert(s->size == 0);
	loop_timer_cancel(&s->old);
	loop_defer_cancel(s->loop, &s->ending);
	close(s->fd);
	spool_freep(&s);
	return NULL;
}

void *spool_reserve(struct spool *s, size_t want, size_t *ret_n)
{
	assert(want <= SPOOL_BUFFER / 2);
	if (s->room - s->filled < want && s->size == 0 && !s->broken)
		spool_turn(s);
	*ret_n = s->room - s->filled;
	if (*ret_n < want || s->broken)
		*ret_n = 0;
	return s->filling + s->filled;
}

void spool_commit(struct spool *s, size_t n)
{
	assert(n <= s->room - s->filled && !s->finished);
	s->filled += n;
	if (s->size == 0 && !s->broken)
		spool_go_on(s);
}

int spool_grow(struct spool *s)
{
	char *grown;

	if (2 * s->room > SPOOL_GROWN_MAX)
		return -ENOSPC;
	grown = realloc(s->filling, 2 * s->room);
	if (!grown)
		return -ENOMEM;
	s->filling = grown;
	s->room *= 2;
	return 0;
}

void spool_finish(struct spool *s, void (*finished)(void *arg))
{
	assert(!s->finished && !s->broken);
	s->finished = finished;
	if (s->size == 0)
		spool_go_on(s);
}

uint64_t spool_written(const struct spool *s)
{
	return s->written;
}
