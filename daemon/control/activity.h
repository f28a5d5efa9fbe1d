/* SPDX-License-Identifier: MIT */
/*
 * What is done for each image, and which requests took longest lately: an observer of the engine.
 * All of it is bounded: there are so many images, those without an open object make room for
 * others, and what finds none is counted together; of requests the slowest of each ten seconds are
 * kept for a minute.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/engine/engine.h"
#include "daemon/loop/loop.h"

enum {
	ACTIVITY_IMAGES_MAX = 128,
	ACTIVITY_WINDOWS = 7, /* the last one is not over */
	ACTIVITY_WINDOW_SECONDS = 10,
	ACTIVITY_SLOWEST = 10, /* of each window */
	ACTIVITY_SLOWEST_MAX = ACTIVITY_WINDOWS * ACTIVITY_SLOWEST,
};

/* Since it was first seen. The name is that in the store or, of other objects, the volume's. */
struct image_activity {
	char *name; /* owned, printable; NULL: nothing is here */
	bool in_store;
	uint64_t last;	  /* ns: when an object of it was opened or closed */
	uint64_t objects; /* open now */
	uint64_t reads, reads_failed, read_bytes;
	uint64_t fetches, fetches_failed, fetched_bytes;
	uint64_t fetching; /* ns, all fetches together */
};

struct slow_request {
	enum engine_request_kind kind;
	uint64_t ended, took;	       /* ns */
	uint64_t queued, origin, disk; /* ns of it */
	uint64_t off, len;	       /* of a read */
	int err;
	uint32_t source; /* its number; UINT32_MAX: none */
	size_t volume_len, cookie_len;
	uint8_t keys[ENGINE_KEY_MAX];
};

struct slow_window {
	uint64_t number; /* since the beginning of time; 0: nothing is here */
	size_t n;
	struct slow_request requests[ACTIVITY_SLOWEST]; /* in no order */
};

struct activity {
	struct engine_observer observer;
	struct engine *engine;
	const struct loop *loop;
	struct image_activity images[ACTIVITY_IMAGES_MAX + 1]; /* the last one: all others */
	struct slow_window windows[ACTIVITY_WINDOWS];
};

/* Observes from now on. */
void activity_begin(struct activity *activity, struct engine *engine, const struct loop *loop);
void activity_end(struct activity *activity);

/* The slowest first: how many. Borrowed until the loop turns again. */
size_t activity_slowest(const struct activity *activity,
			const struct slow_request *ret[static ACTIVITY_SLOWEST_MAX]);
