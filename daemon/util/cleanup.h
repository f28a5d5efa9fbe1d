/* SPDX-License-Identifier: MIT */
/*
 * Scope-bound ownership: declare a local with _cleanup_(), hand it on with steal().
 */
#pragma once

#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(fn) __attribute__((cleanup(fn)))

/* Takes the value out of *p and leaves NULL, so that the cleanup has nothing to do. */
#define steal(p)                                         \
	({                                               \
		__typeof__(p) steal_p = (p);             \
		__typeof__(*steal_p) steal_v = *steal_p; \
		*steal_p = NULL;                         \
		steal_v;                                 \
	})

static inline int steal_fd(int *fd)
{
	int v = *fd;

	*fd = -1;
	return v;
}

static inline void close_fdp(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void free_charp(char **p)
{
	free(*p);
}

#define _cleanup_close_ _cleanup_(close_fdp)
#define _cleanup_free_	_cleanup_(free_charp)
