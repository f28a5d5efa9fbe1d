/* SPDX-License-Identifier: MIT */
/*
 * Bytes that came in ranges cannot be checked against the digest of the whole. So once all of an
 * object is cached whose validator is such a digest, its cache file is read and hashed, by a thread
 * that gives way to all others. What is right is on record, and is never looked at again; what is
 * wrong is said, and goes as soon as nobody uses it.
 *
 *   opened, complete, closed --> wanted -- a moment later --> looked at --> right
 *                                  ^                            |   `----> wrong --> evicted
 *                                  `-- it has no name yet ------'
 *
 * Never by the mount, where the daemon would wait for itself, and past the page cache.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/engine/engine.h"
#include "daemon/loop/loop.h"
#include "daemon/space/space.h"

struct audit;
struct state;

/* *ret NULL: this daemon was built without a hash; the others take that. */
int audit_new(struct audit **ret, struct loop *loop, struct state *state);

/* From now on. The engine, space (NULL: nothing can be evicted) and dir_fd, the cache root, are
 * borrowed until audit_stop(). */
void audit_start(struct audit *audit, struct engine *engine, struct space *space, int dir_fd);

/* Waits for no more than a piece of a file. Idempotent; before space_stop(). */
void audit_stop(struct audit *audit);

/* Takes NULL, returns NULL. */
struct audit *audit_free(struct audit *audit);

struct audit_stats {
	uint64_t right, wrong; /* objects, since the start */
	uint64_t failed;       /* that could not be read */
	uint64_t hashed_bytes; /* of all of these */
	uint64_t waiting;      /* that are wanted now, or looked at */
};

struct audit_stats audit_stats(const struct audit *audit);
