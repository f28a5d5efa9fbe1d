/* SPDX-License-Identifier: MIT */
/*
 * Jobs over the rig: a daemon with a prefetcher, whose state directory outlives it.
 */
#pragma once

#include "daemon/prefetch/prefetch.h"
#include "tests/lib/rig.h"

struct prefetch_rig {
	struct prefetch *prefetch;
	char dir[192]; /* of the state */
	uint64_t rate; /* limits of all jobs together; 0: none */
	unsigned int requests;
};

extern struct prefetch_rig jobs;

/* After the test has changed `rig`. */
void jobs_begin(void);
/* The daemon ends, and so does the prefetcher; and the next begins. */
void jobs_stop(void);
void jobs_start(void);
void jobs_end(void);

/* Of RIG_VOLUME. */
uint64_t jobs_fetch(const struct prefetch_wishes *wishes, const char *cookie, uint64_t off,
		    uint64_t len);
void jobs_add(uint64_t number, const char *cookie, uint64_t off, uint64_t len);
/* All of it, with the defaults. */
uint64_t jobs_fetch_all(const char *cookie);

struct prefetch_view jobs_look(uint64_t number);
enum prefetch_state jobs_state(uint64_t number);

/* Begins, with an object "blob" whose reads come after `delay`. */
struct fake_origin *jobs_begin_slow(uint64_t size, uint64_t delay);

/* The look at the origin brings so much, which needs no fetch any more. */
#define JOBS_HEAD (12 * KIB)

/* All of it is in the cache, and nothing was asked for twice. */
void jobs_assert_whole(const struct fake_origin *origin);

bool jobs_is_on_disk(uint64_t number);
