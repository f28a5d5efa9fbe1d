/* SPDX-License-Identifier: MIT */
/*
 * One object or volume out of the cache, by the kernel's command `cull`, which refuses what is in
 * use (-EBUSY). It acts on the working directory of the calling thread, whatever that is: so only a
 * thread with one of its own may call this (daemon/loop/worker.h), or a process that can spare it
 * for a moment.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/kernel/port.h"

/*
 * path: "cache/I<volume>/@xx/<object>" from dir_fd, the cache root, on. *ret_bytes: what that freed
 * on the disk. -EBUSY, -ESTALE: in use; -ENOENT; -EINVAL: no path of the kernel's; -EXDEV: not a
 * directory of this cache; -EIO: the kernel lost a race, or gave up the cache.
 */
int cull_object(struct port *port, int dir_fd, const char *path, uint64_t *ret_bytes);

/* Whether that would be refused, and what it would free: nothing is culled. */
int cull_would(struct port *port, int dir_fd, const char *path, uint64_t *ret_bytes);

/* An error that means: somebody has it open. */
static inline bool cull_is_busy(int err)
{
	return err == -EBUSY || err == -ESTALE;
}

/* 0: nobody uses any object of that volume ("I..."), nor one that has no name yet. */
int cull_would_volume(struct port *port, int dir_fd, const char *volume);

/* A volume ("I...") that nobody uses goes to the graveyard, with all that is in it. */
int cull_volume(struct port *port, int dir_fd, const char *volume);
