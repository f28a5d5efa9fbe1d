/* SPDX-License-Identifier: MIT */
/*
 * What a cache has, and what is on record of it: each cache file has a record, or it was fetched
 * for nothing, and is dropped when it is opened. For either kernel.
 */
#pragma once

#include <stdbool.h>

struct state;

/*
 * cache: the root of the cache directory. The first that has no owner, in words that the caller
 * frees; NULL: there is none. records: those without a cache file as well.
 */
char *leaks_find(struct state *state, int cache, bool records);
