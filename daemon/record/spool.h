/* SPDX-License-Identifier: MIT */
/*
 * A file that is written behind whoever fills it: bytes go into one of two buffers and reach the
 * disk by the loop, when there are enough of them or when they are a second old. Nobody waits:
 * while the disk is busy with one buffer and the other is full, there is no room.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/loop/loop.h"

#define SPOOL_BUFFER	((size_t)256 << 10) /* bytes; there are two */
#define SPOOL_GROWN_MAX ((size_t)256 << 20)

struct spool;

/*
 * Takes an empty file over (fd: consumed on success). failed() comes from the loop, once, when a
 * write failed; from then on there is no room, and all that is left to do is spool_free().
 */
int spool_new(struct spool **ret, struct loop *loop, int fd, void (*failed)(void *arg, int err),
	      void *arg);

/* Nothing may be under way: before the first write, after failed() or finished(). Closes. */
struct spool *spool_free(struct spool *spool);

/*
 * The rest of the buffer that is being filled: *ret_n bytes, at least `want` (at most half of
 * SPOOL_BUFFER) if there is room for so many at all, else 0. Bytes that are written there count by
 * spool_commit().
 */
void *spool_reserve(struct spool *spool, size_t want, size_t *ret_n);
void spool_commit(struct spool *spool, size_t n);

/*
 * Makes room where there is none, for what has to be told at one moment however much it is: the
 * buffer becomes larger until it has been written. -ENOMEM; -ENOSPC beyond SPOOL_GROWN_MAX.
 */
int spool_grow(struct spool *spool);

/* Writes the rest; finished(), or failed(), comes from the loop. Nothing is committed any more. */
void spool_finish(struct spool *spool, void (*finished)(void *arg));

/* Bytes that are in the file. */
uint64_t spool_written(const struct spool *spool);
