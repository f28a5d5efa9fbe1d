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
	bool restore;	       /* the kernel sends again what has no answer yet, when asked */
	bool take_over;	       /* an earlier daemon had the device: begin with that */

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

/* What there is now: everything that the kernel has open, then the requests that have no answer
 * yet, oldest first. Must not call back; borrowed for the call. */
struct frontend_visitor {
	void (*handle)(void *arg, uint32_t object_id, struct object *object);
	void (*open)(void *arg, uint32_t msg_id, uint32_t object_id, struct bytes volume,
		     struct bytes cookie);
	void (*read)(void *arg, uint32_t msg_id, uint32_t object_id, uint64_t off, uint64_t len);
};

void frontend_visit(const struct frontend *frontend, const struct frontend_visitor *visitor,
		    void *arg);

/* After frontend_stop() is done. Takes NULL, returns NULL. */
struct frontend *frontend_free(struct frontend *frontend);
