/* SPDX-License-Identifier: MIT */
/*
 * Records what crosses the device port, and what the engine does at the origins, into a file of
 * cachefill-trace(5). It stands between the front end and the port, and listens to the engine;
 * neither knows whether it records.
 *
 * Recording never holds up a request and never fails one: records are put into memory, which the
 * loop writes out behind them; when the disk does not keep up, records are left out and counted
 * (TRACE_LOST); when it fails, the recording ends with one line in the log.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/engine/engine.h"
#include "daemon/kernel/port.h"
#include "daemon/loop/loop.h"

struct recorder;

#define RECORDER_ERROR_MAX 512

/* Idle: it costs a branch per event, and its port the object id of each open descriptor. */
int recorder_new(struct recorder **ret, struct loop *loop);
/* Not recording any more, and its port freed. Takes NULL, returns NULL. */
struct recorder *recorder_free(struct recorder *recorder);

/* A port that passes every call to `inner` (consumed on success) and records it. */
int recorder_port(struct recorder *recorder, struct port **ret, struct port *inner);

/* For struct engine_config; lives as long as the recorder. */
struct engine_observer *recorder_observer(struct recorder *recorder);

/*
 * Begins a recording into a new file: `path`, or `path`.1, .2, ... where that exists (mode 0600).
 * error (RECORDER_ERROR_MAX bytes): "FILE: sentence", filled when the return value is negative:
 * -EALREADY while an earlier one is not closed, -ENOMEM, or the errno of open(2). Where it begins
 * and how it ended is logged.
 */
int recorder_start(struct recorder *recorder, const char *path, char *error);

/*
 * What there is already, told by the owner right after recorder_start(). A request that waits is
 * recorded as if it came now, so that its answer is not the first that is heard of it.
 */
void recorder_source(struct recorder *recorder, uint32_t number, const char *name,
		     const char *locator);
void recorder_handle(struct recorder *recorder, uint32_t object_id, struct object *object);
void recorder_waiting_open(struct recorder *recorder, uint32_t msg_id, uint32_t object_id,
			   struct bytes volume, struct bytes cookie);
void recorder_waiting_read(struct recorder *recorder, uint32_t msg_id, uint32_t object_id,
			   uint64_t off, uint64_t len);

/*
 * Writes what is left, and closes. done() (or NULL) comes from the loop: when the file is closed,
 * or in this turn when nothing is recorded. One done() at a time.
 */
void recorder_stop(struct recorder *recorder, void (*done)(void *), void *arg);

struct recorder_stats {
	bool recording;	  /* false from recorder_stop() on */
	const char *path; /* of this recording or the last; NULL: none yet. Borrowed. */
	uint64_t records; /* written, or about to be */
	uint64_t lost;
	uint64_t bytes; /* in the file */
};
struct recorder_stats recorder_stats(const struct recorder *recorder);
