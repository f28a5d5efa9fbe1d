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

/* Idle. */
int recorder_new(struct recorder **ret, struct loop *loop);
/* Not recording any more, and its port freed. Takes NULL, returns NULL. */
struct recorder *recorder_free(struct recorder *recorder);

/* A port that passes every call to `inner` (consumed on success) and records it. */
int recorder_port(struct recorder *recorder, struct port **ret, struct port *inner);

/* For struct engine_config; lives as long as the recorder. */
struct engine_observer *recorder_observer(struct recorder *recorder);

/*
 * Begins a recording into a new file: `path`, or `path`.1, .2, ... where that exists (mode 0600).
 * error (RECORDER_ERROR_MAX bytes) is filled when the return value is negative; -EALREADY.
 */
int recorder_start(struct recorder *recorder, const char *path, char *error);

/* What is open already, told by the owner right after recorder_start(). */
void recorder_source(struct recorder *recorder, uint32_t number, const char *name,
		     const char *locator);
void recorder_handle(struct recorder *recorder, uint32_t object_id, const struct object *object);

/* Writes what is left, and closes; done() comes from the loop, at once when nothing is recorded. */
void recorder_stop(struct recorder *recorder, void (*done)(void *), void *arg);

struct recorder_stats {
	bool recording;
	const char *path; /* of this recording or the last; NULL: none yet. Borrowed. */
	uint64_t records, lost, bytes;
};
struct recorder_stats recorder_stats(const struct recorder *recorder);
