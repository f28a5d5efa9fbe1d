/* SPDX-License-Identifier: MIT */
/*
 * What a scenario has left behind in the cache, the daemon and the kernel, when all is unmounted.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct leftovers {
	const char *cache;
	const char *state; /* no state.db there: nothing is on record */
	pid_t daemon;	   /* or its keeper; 0: there is none any more */
	bool nameless;	   /* records were lost on purpose: files without one are meant */
};

/*
 * Waits for what is on its way: CLOSE, and the names of cache files. A daemon is asked to drop
 * what nobody needs, and what it would leave for ever is found. The first that is wrong, in words
 * that the caller frees; NULL: nothing is left.
 */
char *leftovers_find(const struct leftovers *where);
