/* SPDX-License-Identifier: MIT */
/*
 * The cachefiles front end: messages of the kernel become calls of the engine, its answers become
 * `copen` and READ_COMPLETE. The only place where message ids, object ids and anonymous
 * descriptors are known.
 */
#pragma once

#include "daemon/engine/engine.h"
#include "daemon/kernel/port.h"
#include "daemon/loop/loop.h"

struct frontend;

struct frontend_config {
	struct loop *loop;
	struct port *port;     /* consumed by a successful frontend_new() */
	struct engine *engine; /* borrowed */
	int cache_dir_fd;      /* borrowed; -1: cached bytes of unknown origin cannot be dropped */

	/* The device is lost for good (the kernel's cache is dead): sentence for the log. */
	void (*lost)(void *arg, const char *why);
	void *arg;
};

int frontend_new(struct frontend **ret, const struct frontend_config *config);

/*
 * Orderly end: reads no more messages, has the engine answer everything, closes the anonymous
 * descriptors and then the device (the other order would hang the close), then calls done().
 */
void frontend_stop(struct frontend *frontend, void (*done)(void *), void *arg);

/* Each object that the kernel has open, in no order; visit() must not call back. */
void frontend_each_handle(const struct frontend *frontend,
			  void (*visit)(void *arg, uint32_t object_id, struct object *object),
			  void *arg);

/* After frontend_stop() is done. Takes NULL, returns NULL. */
struct frontend *frontend_free(struct frontend *frontend);
