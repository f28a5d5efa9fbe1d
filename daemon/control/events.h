/* SPDX-License-Identifier: MIT */
/*
 * What happens, as JSON lines for whoever listens. Each listener has a queue of bounded size: what
 * does not fit is counted, and said as soon as there is room again. The engine never waits.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/engine/engine.h"
#include "daemon/loop/loop.h"

struct events;
struct stream;
struct metrics;

enum {
	EVENTS_STREAMS_MAX = 8,
	EVENTS_QUEUE_MAX = 256 << 10, /* bytes of one listener */
};

/* wake() is called for each stream that has something new to read or has ended, from the loop. */
int events_new(struct events **ret, struct loop *loop, struct engine *engine,
	       const struct metrics *metrics);
/* All streams were freed. Takes NULL, returns NULL. */
struct events *events_free(struct events *events);

/* slow: ns from which on an answer is told of. -EUSERS: there are enough; -ENOMEM. */
int stream_new(struct stream **ret, struct events *events, uint64_t slow);
struct stream *stream_free(struct stream *stream);

/* Calls wake() from the loop each time when there is something to read after stream_read() has
 * said -EAGAIN. */
void stream_on_data(struct stream *stream, void (*wake)(void *arg), void *arg);

/* Bytes, at least 1; -EAGAIN: nothing now; 0: the end, after stream_end(). */
ssize_t stream_read(struct stream *stream, char *buf, size_t max);

/* Nothing is put any more. */
void stream_end(struct stream *stream);
