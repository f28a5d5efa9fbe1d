/* SPDX-License-Identifier: MIT */
/*
 * Inside: space.c decides, pass.c looks and culls, records.c drops what is on record of nothing,
 * evict.c culls one object, touch.c notes last uses.
 */
#pragma once

#include <sys/queue.h>

#include "daemon/loop/worker.h"
#include "daemon/space/space.h"
#include "daemon/space/survey.h"
#include "proto/cachename.h"

/* Objects that are culled between two looks at the clock of the loop. */
#define CULL_BATCH 8

enum space_phase { SPACE_IDLE, SPACE_SURVEY, SPACE_MATCH, SPACE_CULL, SPACE_RECORDS, SPACE_SWEEP };

/* An object that was closed, until its cache file says so. */
struct touch {
	int64_t used; /* ns, Unix time */
	unsigned int tries;
	int err;
	STAILQ_ENTRY(touch) link;
	char path[];
};

STAILQ_HEAD(touch_list, touch);

struct touch_job {
	struct worker_job job;
	int dir_fd;
	bool running;
	struct touch_list list;
};

struct survey_job {
	struct worker_job job;
	const struct space *space; /* its configuration alone */
	struct survey *survey;	   /* owned */
	int err;
	bool unmarked; /* the store of images cannot be read: nobody knows what is pinned */
};

struct cull_job {
	struct worker_job job;
	const struct space *space;		   /* the same */
	struct survey_object *objects[CULL_BATCH]; /* of the survey */
	int err[CULL_BATCH];
	uint64_t bytes[CULL_BATCH];
	size_t n, settled;
	bool dry; /* it is only asked which are in use */
};

/* The record that was looked at last; a pass goes from one to the next. */
struct record_job {
	struct worker_job job;
	const struct space *space;   /* the same */
	struct bytes volume, cookie; /* in keys */
	int err;
	bool closed; /* something was closed meanwhile, and may have a cache file now */
	uint8_t keys[ENGINE_KEY_MAX];
};

/* One object that somebody wants to go. */
struct evict_job {
	struct worker_job job;
	struct space *space;
	struct space_eviction *eviction; /* borrowed, until its done() */
	int err;
	uint64_t bytes;
	struct bytes volume, cookie; /* its own keys */
	LIST_ENTRY(evict_job) link;
	char path[CACHENAME_PATH_MAX];
	uint8_t keys[];
};

struct space {
	struct engine_room room;
	struct engine_observer observer;
	struct space_config config;
	struct engine *engine; /* borrowed, as port and dir_fd, from the start to the stop */
	struct port *port;
	int dir_fd;
	struct worker *worker; /* owned; NULL: it is not started, or cannot cull */
	struct loop_timer tick, touch_timer, settle;

	struct space_disk disk;
	uint64_t used;	      /* bytes: counted, and what has come and gone since */
	uint64_t unchecked;   /* bytes that were stored since the disk was looked at */
	uint64_t quiet_until; /* ns: the last pass found nothing to cull */
	bool asked;	      /* flights wait for room */
	bool full;	      /* the disk has refused a write: said */
	bool stuck;	      /* and nothing could be culled: said */
	bool above;	      /* the size is above its limit and nothing could be culled: said */

	enum space_phase phase;
	bool culling;			   /* this pass has a reason to cull */
	struct survey *survey;		   /* owned, of this pass */
	size_t next;			   /* in it */
	uint64_t pass_objects, pass_bytes; /* culled by it */
	struct survey_job survey_job;
	struct cull_job cull_job;
	struct worker_job sweep_job;
	struct record_job record_job;
	uint64_t pass_records; /* that this pass dropped */
	struct loop_deferred record;

	struct space_collection *collecting;	     /* this pass is for it, or NULL */
	STAILQ_HEAD(, space_collection) collections; /* those that wait */
	int pass_err;
	struct loop_deferred match;
	LIST_HEAD(, evict_job) evictions; /* owned */

	struct touch_list touches; /* owned */
	struct touch_job touch_job;
	struct space_stats stats;
};

/* pass.c: from IDLE. */
void space_pass(struct space *space, bool culling);
void space_pass_free(struct space *space);
/* All collections end: -ECANCELED. */
void space_collect_end(struct space *space);
void space_settle(struct loop_timer *timer);
/* What is left empty, and the end. */
void space_sweep(struct space *space);
/* records.c: the part of a pass before that. */
void space_records(struct space *space);
/* space.c: it is over. */
void space_passed(struct space *space);

/* evict.c: all of them, without an end. */
void space_evict_end(struct space *space);

/* touch.c */
void space_touch(struct space *space, const struct object *object);
void space_touch_now(struct space *space);
void space_touch_fire(struct loop_timer *timer);
/* What is still to be noted, without the worker. */
void space_touch_end(struct space *space);
/* space.c: some objects have been idle for a while. */
void space_check(struct space *space);
