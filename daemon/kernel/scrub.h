/* SPDX-License-Identifier: MIT */
/*
 * Before bind: remove what a crash left behind and the kernel does not heal. A volume directory or
 * object file without its extended attribute makes every lookup of it fail (ENOBUFS) until it is
 * gone; what the kernel moved to graveyard/ is for us to delete.
 */
#pragma once

struct scrub_result {
	unsigned int volumes, objects; /* removed */
	unsigned int graves;	       /* entries of any kind removed from graveyard/ */
};

/*
 * dir_fd: the cache root, which nothing has bound. Never follows symbolic links, never leaves the
 * directory or its mount, and outside of graveyard/ never touches an entry that the kernel would
 * not have made. Stack and descriptors are bounded, however deep a grave is. Returns 0 or the
 * first negative errno; what could be removed has been removed, and *ret counts it in any case.
 * The working directory is another one meanwhile: no other thread may run.
 */
int scrub_cache(int dir_fd, struct scrub_result *ret);

/* The same of graveyard/ alone, also while a cache is bound: it is where the kernel moves volumes
 * that are culled. */
int scrub_graveyard(int dir_fd, struct scrub_result *ret);
