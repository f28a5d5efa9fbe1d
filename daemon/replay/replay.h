/* SPDX-License-Identifier: MIT */
/*
 * Replays a trace through the real front end and engine: wires trace -> device -> front end ->
 * engine -> origin on a loop, and judges each answer.
 */
#pragma once

#include "daemon/replay/catalog.h"
#include "daemon/replay/origin.h"
#include "daemon/replay/report.h"
#include "daemon/replay/script.h"

struct replay;

struct replay_config {
	struct loop *loop;
	bool virtual_time; /* of the loop */
	struct catalog *catalog;
	struct replay_origin *origin; /* its fetchers may be decorated by the replay */
	struct script *script;	      /* NULL: no faults; its counts go down */
	const char *trace;
	double speed; /* 0: as fast as it goes */
	const char *cache_dir;
	uint64_t buffers, readahead_max; /* of the engine */
	bool check;			 /* compare bytes */
	const char *record;		 /* a trace of the replay itself; NULL: none */
	/* Now and then; NULL: nobody wants to know. */
	void (*progress)(void *arg, const struct report *report);
	void *arg;
};

/* Everything in config is borrowed. error: CATALOG_ERROR_MAX bytes. */
int replay_new(struct replay **ret, const struct replay_config *config, char *error);

/* Turns the loop until the end of the trace, or of what can be replayed; 0 or a fatal error of the
 * loop. The report is the replay's. */
int replay_run(struct replay *replay, const struct report **ret);

/* Ends in order, with what has been seen so far. */
void replay_interrupt(struct replay *replay);

/* Takes NULL, returns NULL. */
struct replay *replay_free(struct replay *replay);
