/* SPDX-License-Identifier: MIT */
/*
 * Reads an EROFS image as tarindex writes them, by other code and by other definitions than those
 * it was written with, and checks what a kernel relies on: names in order, "." and ".." where
 * they belong, nothing outside of its block, links counted.
 */
#pragma once

#include <stdint.h>
#include <sys/stat.h>

#include "daemon/util/bytes.h"

struct erofs_file {
	const char *path; /* from the root, without a slash in front; "" is the root */
	uint64_t nid;
	uint16_t mode;
	uint32_t uid, gid, nlink, rdev, mtime_nsec;
	int64_t mtime;
	uint64_t size;
	const char *target;  /* of a symbolic link */
	uint64_t block;	     /* of a file with bytes: its first in device 1 */
	struct bytes xattrs; /* entries, as they are in the image */
};

/*
 * Calls visit for every name, the root first. Returns NULL, or what is wrong with the image. What
 * visit is given is gone when it returns.
 */
const char *erofs_list(struct bytes image, void (*visit)(void *arg, const struct erofs_file *),
		       void *arg);

/* What the superblock says: bytes of the device, and its tag (64 bytes and a NUL). */
const char *erofs_device(struct bytes image, uint64_t *ret_size, char tag[65]);

/* The value of an attribute, by its whole name; data NULL: none. */
struct bytes erofs_xattr(const struct erofs_file *file, const char *name);
