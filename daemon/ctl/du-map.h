/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl du --map: which parts of objects are cached, by the holes of their cache files.
 * Looks at nothing but where bytes are: a read would count as a use, and disturb a daemon that
 * writes.
 */
#pragma once

#include <stdbool.h>

#include "daemon/ctl/cache.h"

struct du_map {
	int dir_fd; /* of the cache directory */
	const struct survey *survey;
	bool json;
	bool blocks;	    /* they can be shown: a terminal that takes UTF-8 */
	unsigned int width; /* columns */
};

/* Where it goes to is standard output. */
void du_map_begin(struct du_map *map, int dir_fd, const struct survey *survey, bool json);

/* All of them, as lines below the name. 0 or a negative errno. */
int du_map_print(const struct du_map *map, const char *name, const struct cache_objects *objects);

/* What the signs mean; of JSON, nothing. */
void du_map_end(const struct du_map *map);
