/* SPDX-License-Identifier: MIT */
/*
 * Are the bytes in a cache file those of the origin? Where they are computed, the answer comes at
 * once; else they are read again at the origin, some ranges at a time, while the replay goes on.
 */
#pragma once

#include "daemon/replay/cachefiles.h"
#include "daemon/replay/origin.h"

struct check;

struct check_result {
	const struct catalog_object *object;
	uint64_t off, len; /* that were looked at */
	uint64_t first;	   /* offset of the first wrong byte */
	uint64_t wrong;	   /* bytes */
	int err;	   /* the origin, or the cache file, could not be read */
};

int check_new(struct check **ret, struct loop *loop, struct cachefiles *files,
	      const struct replay_origin *origin, void (*done)(void *, const struct check_result *),
	      void *arg);
/* After check_pending() is 0. Takes NULL, returns NULL. */
struct check *check_free(struct check *check);

/* Looks at [off, off + len) of a file that stays in use; done() may come from inside. -ENOMEM. */
int check_range(struct check *check, struct cachefile *file, uint64_t off, uint64_t len);

/* Ranges that are not done. */
unsigned int check_pending(const struct check *check);

/* Those that have not begun are never done, others soon. */
void check_stop(struct check *check);
