/* SPDX-License-Identifier: MIT */
/*
 * Space in the cache. In on-demand mode the kernel culls nothing and says nothing about its limits,
 * so they are watched here: when the disk runs low, or the cache files are larger than they may be,
 * objects that nobody has open go, those first that were used longest ago. Pinned ones stay.
 *
 *   idle --> survey (what is there) --> cull (some at a time) --> records (of nothing) --> idle
 *              ^ at the start; above a limit; when a write was refused
 *
 * Whatever may block is done by a thread (daemon/loop/worker.h). What is in use the kernel alone
 * knows: it refuses to cull that. So an object is culled first, and what is on record of it goes
 * after that: the other way round, a mount that survived a daemon could lose the version that it
 * is of. A record without bytes is harmless, and goes in the next pass (records.c).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/engine/engine.h"
#include "daemon/kernel/port.h"
#include "daemon/loop/loop.h"
#include "daemon/space/limits.h"

struct space;

/* Text is borrowed for the space's life. */
struct space_config {
	struct loop *loop;
	struct space_limits limits;
	const char *cache_dir;	  /* for the log */
	const char *state_dir;	  /* where the store of images is; NULL: there is none */
	const char *image_domain; /* of its objects */
};

int space_new(struct space **ret, const struct space_config *config);

/* For engine_config.room. Before space_start() no room is made. */
struct engine_room *space_room(struct space *space);

/*
 * From now on, and once now. port is the device itself, whose commands any thread may give; it, the
 * engine and dir_fd, the cache root, are borrowed until space_stop(). No job starts without a
 * working directory of its own: then nothing is culled, which is in the log.
 */
void space_start(struct space *space, struct engine *engine, struct port *port, int dir_fd);

/* Waits for the one command that may be under way. Idempotent; before engine_shutdown(). */
void space_stop(struct space *space);

/* Takes NULL, returns NULL. */
struct space *space_free(struct space *space);

/* One object out of the cache; belongs to who asks, until done(). */
struct space_eviction {
	/* Once, from the loop. bytes: that it took on the disk. -EBUSY: it is in use, maybe by a
	 * mount that an earlier daemon served; -ENOENT; -EIO; -ECANCELED: space_stop(). */
	void (*done)(struct space_eviction *eviction, int err, uint64_t bytes);
};

/*
 * It is culled as soon as may be, whatever the limits and pins. 0: done() comes; else it does not.
 * -EBUSY: it is in use; -ENOENT: nothing is cached of it; -EINVAL: no such keys; -EOPNOTSUPP:
 * nothing can be culled here; -ENOMEM.
 */
int space_evict(struct space *space, struct bytes volume, struct bytes cookie,
		struct space_eviction *eviction);

enum space_garbage_kind {
	SPACE_UNOWNED, /* no image has it */
	SPACE_UNKNOWN, /* nobody knows of which version it is */
	SPACE_RECORD,  /* it is on record, and nothing is cached of it */
};

/* What nobody needs any more. */
struct space_garbage {
	enum space_garbage_kind kind;
	struct bytes volume, cookie; /* borrowed */
	uint64_t bytes;		     /* on the disk; 0 of a record */
	int64_t used;		     /* ns, Unix time; 0 of a record */
	int err;		     /* 0: it has gone, or would; -EBUSY: it is in use; ... */
};

/* A pass that culls garbage; belongs to who asks, until done(). */
struct space_collection {
	bool dry; /* nothing is culled, it is only found */
	void (*found)(struct space_collection *collection, const struct space_garbage *garbage);
	/* Once, from the loop. -ECANCELED: space_stop(); -EIO: it is not known what is garbage
	 * (which is in the log); or the errno of looking. */
	void (*done)(struct space_collection *collection, int err);
	/* private */
	STAILQ_ENTRY(space_collection) link;
};

/* It begins when the pass that is under way has ended, and those that were asked for before. 0, or
 * -EOPNOTSUPP: nothing can be culled here; then done() does not come. */
int space_collect(struct space *space, struct space_collection *collection);

struct space_stats {
	uint64_t passes;    /* that have ended */
	uint64_t evictions; /* the same */
	bool busy;	    /* a pass is under way, or wanted */
	uint64_t used;	    /* bytes of all cache files: when they were counted last, and since */
	uint64_t objects;   /* when they were counted last */
	uint64_t culled, culled_bytes;
	struct space_disk disk; /* when it was looked at last */
	bool scarce;		/* below bcull, or above size-limit with nothing to cull */
	bool full;		/* writes were refused, and there has not been room since */
};

struct space_stats space_stats(const struct space *space);
