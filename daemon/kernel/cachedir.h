/* SPDX-License-Identifier: MIT */
/*
 * Whether a directory can be the root of a cache. What the kernel needs later it does not all
 * check at bind, so it is tried here, in a file without a name.
 */
#pragma once

#include <stdbool.h>

#include "daemon/kernel/startup.h"

struct cachedir {
	int fd;		      /* owned by the caller */
	char fs[24];	      /* "ext4"; "type 0x1234" for one that has no name here */
	bool fs_tried;	      /* one of those on which the kernel's side is known to work */
	bool noatime;	      /* culling by last use will not work */
	unsigned int block;   /* bytes */
	double blocks, files; /* per cent that are free; 100 where the file system does not count */
	bool low;	      /* below bcull or fcull: the kernel calls for culling at once */
};

/*
 * may_link: also try to give the file a name for a moment, which the kernel does at each release
 * of a new object. On STARTUP_OK *ret is filled. Otherwise error (STARTUP_ERROR_MAX bytes) says
 * why, and *ret holds what was found until then, its fd -1.
 */
enum startup_status cachedir_check(struct cachedir *ret, const char *path,
				   const struct cf_limits *limits, bool may_link, char *error);
