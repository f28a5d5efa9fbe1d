/* SPDX-License-Identifier: MIT */
/*
 * What replay.c and judge.c share: the replay itself.
 */
#pragma once

#include "daemon/engine/engine.h"
#include "daemon/frontend/cachefiles.h"
#include "daemon/record/recorder.h"
#include "daemon/replay/check.h"
#include "daemon/replay/feed.h"
#include "daemon/replay/replay.h"

#define REPLAY_GRACE (5 * NSEC_PER_SEC) /* for timers of a busy machine */

struct replay {
	struct replay_config config;
	struct report report;
	struct cachefiles *files;
	struct state *state;
	struct port_replay *port;
	struct engine_config engine_config;
	struct engine *engine;
	struct frontend *frontend;
	struct recorder *recorder;
	struct feed *feed;
	struct check *check;
	int empty_dir_fd;
	uint64_t patience; /* ns: some request is answered in that time, or something is stored */
	uint64_t answers, answers_seen, stored_seen;
	uint64_t begun, ended; /* loop time */
	struct loop_timer stuck;
	struct loop_deferred stop;
	bool over;	  /* nothing more is delivered */
	bool gave_up;	  /* what is not answered now counts as not answered */
	bool stopping;	  /* the front end has been told */
	bool ending_file; /* the bytes that are checked are those of a file that goes */
};

/* The events of struct feed_events. */
void judge_breach(void *arg, const struct catalog_object *object, const char *what);
void judge_request(void *arg, struct feed_request *m);
void judge_answer(void *arg, struct feed_request *m);
void judge_work(void *arg, const struct trace_record *record);

/* A range has been compared. */
void judge_checked(void *arg, const struct check_result *result);
/* A cache file is given up. */
void judge_file(void *arg, struct cachefile *file);
