/* SPDX-License-Identifier: MIT */
/*
 * Before bind: remove what a crash left behind and the kernel does not heal. A volume directory or
 * object file without its extended attribute makes every lookup of it fail (ENOBUFS) until it is
 * gone; what the kernel moved to graveyard/ is for us to delete.
 */
#pragma once

struct scrub_result {
	unsigned int volumes, objects, graves; /* removed */
};

/*
 * dir_fd: the cache root, which nothing has bound. Never follows symbolic links, never leaves the
 * directory, never touches an entry that it does not know. Returns 0 or a negative errno (what
 * could be removed has been removed).
 */
int scrub_cache(int dir_fd, struct scrub_result *ret);
