/* SPDX-License-Identifier: MIT */
/*
 * Trees of files, without following links.
 */
#pragma once

#include <stdint.h>
#include <time.h>

struct tree_sum {
	uint64_t bytes; /* of regular files; of those with several names once */
	uint64_t entries;
	time_t newest; /* modification of anything in it, the top as well */
};

/* Negative errno. */
int tree_sum(const char *path, struct tree_sum *ret);

/* Removes it, whatever it is; 0 as well when there is nothing. Negative errno of the first that
 * stays. */
int tree_remove(const char *path);
