/* SPDX-License-Identifier: MIT */
/*
 * When something has to go, and how much of it. Pure.
 *
 * The kernel's limits are of the whole file system: culling begins when what is free falls below
 * `cull`, and ends above `run`; below `stop` the kernel refuses writes. In on-demand mode it culls
 * nothing by itself. `size` is of the cache files alone.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/cachefiles.h"

struct space_limits {
	struct cf_limits kernel;
	uint64_t size; /* bytes of all cache files; 0: any */
};

struct space_disk {
	uint64_t bytes, bytes_free; /* free for whoever is not root, as the kernel counts */
	uint64_t files, files_free; /* 0, 0: this file system does not count them */
};

struct space_need {
	uint64_t size;	/* bytes that the cache files are above their limit */
	uint64_t bytes; /* that the disk wants back */
	uint64_t files; /* the same in inodes */
};

/* culling: it has begun, and goes on until there is some room. */
struct space_need space_need(const struct space_limits *limits, const struct space_disk *disk,
			     uint64_t used, bool culling);

static inline bool space_needs(const struct space_need *need)
{
	return need->size > 0 || need->bytes > 0 || need->files > 0;
}

/* The most bytes that are wanted. */
static inline uint64_t space_need_bytes(const struct space_need *need)
{
	return need->size > need->bytes ? need->size : need->bytes;
}

/* The kernel refuses writes. */
bool space_is_full(const struct space_limits *limits, const struct space_disk *disk);

/* -errno; any descriptor of the file system. */
int space_disk_read(struct space_disk *ret, int fd);
