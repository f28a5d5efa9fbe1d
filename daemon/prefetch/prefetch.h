/* SPDX-License-Identifier: MIT */
/*
 * Jobs that fetch what nobody has asked for yet: ranges of objects, in an order that somebody has
 * given. A client of the engine (engine_prefetch()), which sees to it that readers go first; here
 * is what is fetched when, how fast, and when it is given up.
 *
 * The kernel takes bytes for an object that it has open, and for no other. So a job passes over
 * what is not open, and goes on there when it is opened: by a mount.
 *
 * Jobs that have not ended are on the disk (store.c), as what they are to fetch: what they have
 * fetched is in the cache, and is passed over when they begin again.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/engine/engine.h"
#include "daemon/loop/loop.h"

struct prefetch;

enum {
	PREFETCH_JOBS_MAX = 64,	    /* that have not ended */
	PREFETCH_ENDED_MAX = 16,    /* that are remembered */
	PREFETCH_REQUESTS_MAX = 16, /* of one job at the same time */
	PREFETCH_REQUESTS = 4,
	PREFETCH_NAME_MAX = 256,
};

/* Text is borrowed for life; dir: of the state, NULL: jobs end with the daemon. */
struct prefetch_config {
	struct loop *loop;
	struct engine *engine;
	const char *dir;
	uint64_t rate;	       /* bytes/s of all jobs together; 0: no limit */
	unsigned int requests; /* of all jobs at the same time; 0: no limit */
};

/* Goes on with the jobs of the daemon before. -ENOMEM. */
int prefetch_new(struct prefetch **ret, const struct prefetch_config *config);

/* Nothing new is begun; what is under way ends with the engine. Idempotent, takes NULL. */
void prefetch_stop(struct prefetch *prefetch);

/* Before the engine. What has not ended stays on the disk. Takes NULL, returns NULL. */
struct prefetch *prefetch_free(struct prefetch *prefetch);

/* ---- jobs --------------------------------------------------------------------------------- */

struct prefetch_wishes {
	const char *name;      /* for people; may be "" */
	uint64_t rate;	       /* bytes/s; 0: as fast as may be */
	unsigned int requests; /* at the same time, 1 to PREFETCH_REQUESTS_MAX */
	bool plan;	       /* it is a guess of what will be read: given up where it is wrong */
	bool more;	       /* more ranges follow soon */
};

/* A job without ranges. -EUSERS: there are too many; -ENOMEM. */
int prefetch_begin(struct prefetch *prefetch, const struct prefetch_wishes *wishes,
		   uint64_t *ret_number);

/*
 * One more range at the end of its list, cut at the end of the object: for a job that awaits more.
 * -ENOENT: there is no such job; -E2BIG, -EINVAL as ranges_add().
 */
int prefetch_add(struct prefetch *prefetch, uint64_t number, struct bytes volume,
		 struct bytes cookie, uint64_t off, uint64_t len);

/* All that was added is on the disk, as far as that takes it. more: as in the wishes. */
int prefetch_added(struct prefetch *prefetch, uint64_t number, bool more);

/* Objects of its list that nobody has open now; 0 also for one that has ended. */
size_t prefetch_unopened(const struct prefetch *prefetch, uint64_t number);

/* -ENOENT: there is no such job; -EALREADY: it has ended. */
int prefetch_cancel(struct prefetch *prefetch, uint64_t number);

enum prefetch_state {
	PREFETCH_RUNNING,
	PREFETCH_PAUSED,   /* readers go first */
	PREFETCH_UNOPENED, /* what is left is of objects that are not open */
	PREFETCH_LOW_DISK,
	PREFETCH_RETRYING, /* it has failed, and is tried again */
	PREFETCH_DONE,	   /* from here on it has ended */
	PREFETCH_CANCELED,
	PREFETCH_FAILED,
	PREFETCH_USELESS, /* readers want something else */
};

const char *prefetch_state_name(enum prefetch_state state);
static inline bool prefetch_has_ended(enum prefetch_state state)
{
	return state >= PREFETCH_DONE;
}

/* A job as it is now. Text is borrowed for the call. */
struct prefetch_view {
	uint64_t number;
	const char *name;
	enum prefetch_state state;
	uint64_t rate;
	unsigned int requests, running;
	bool plan;
	bool known;	/* bytes: the sizes of all objects are */
	uint64_t bytes; /* of all ranges */
	uint64_t done;	/* of them, looked through: they are cached */
	uint64_t fetched;
	size_t ranges, objects;
	int err;	   /* what failed last, or 0 */
	const char *error; /* more about it, or "" */
	uint64_t age;	   /* ns since it began, here */
	uint64_t took;	   /* ns until it ended; 0: it has not */
	uint64_t reads;	   /* of its objects, that found something missing meanwhile; and of them */
	uint64_t met;	   /* those that it had foreseen */
};

/* In the order of their numbers. */
void prefetch_each(const struct prefetch *prefetch,
		   void (*visit)(void *arg, const struct prefetch_view *view), void *arg);
/* -ENOENT. */
int prefetch_look(const struct prefetch *prefetch, uint64_t number, struct prefetch_view *ret);

/* Of all jobs, since the start. */
struct prefetch_stats {
	uint64_t begun, done, failed, canceled, useless; /* jobs */
	uint64_t reads, met;				 /* as in a view */
};

struct prefetch_stats prefetch_stats(const struct prefetch *prefetch);
